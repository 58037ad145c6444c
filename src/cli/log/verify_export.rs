//! `postvakt log verify-export`: whether an exported file holds what the log held, with the public key alone.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::export::PROOF;
use super::{NO, USAGE, YES, verify::public_key};
use crate::export::file::{beside, manifest_path};
use crate::export::proof;
use crate::export::visible;
use crate::store::access::Made;
use crate::store::session::{self, Logged};
use crate::text::hex;

/// What is checked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Exported file, with its manifest and proof beside it.
    #[arg(value_name = "F")]
    file: PathBuf,
    /// Public key, or a file with it. Default: the one in the manifest, which proves only that the files match.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// Checks it: 0 every record is proved, 1 something is not what it was, 2 something cannot be proved.
pub(super) fn run(args: &Args, store: Option<&Path>, json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    let manifest_path = manifest_path(&args.file);
    let written =
        std::fs::read_to_string(&manifest_path).with_context(|| manifest_path.display().to_string())?;
    let manifest: Value =
        serde_json::from_str(&written).with_context(|| manifest_path.display().to_string())?;
    let text = |name: &str| manifest.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let key = public_key(&args.key.clone().unwrap_or_else(|| text("public_key")))?;
    let proof_path = beside(&args.file, PROOF);
    let proof = File::open(&proof_path).with_context(|| proof_path.display().to_string())?;
    let scratch = tempfile::tempdir()?;
    let mut checked = proof::check(BufReader::new(proof), &key, scratch.path())
        .with_context(|| proof_path.display().to_string())?;
    let sha256 = hash(&args.file)?;
    if sha256 != text("sha256") {
        checked.faults.push("the file does not match its manifest".to_owned());
    }
    if sha256 != checked.sha256 {
        checked.faults.push("the file does not show the records of the proof".to_owned());
    }
    let rows = manifest.get("rows").and_then(Value::as_u64);
    if checked.faults.is_empty() && rows != Some(checked.proved + checked.unproved) {
        checked.faults.push("the number of records in the proof differs from the manifest".to_owned());
    }
    let mut deleted = None;
    if let Some(store) = store {
        let number = manifest.get("access").and_then(Value::as_u64).unwrap_or_default();
        let here =
            Made { file: sha256, manifest: hex(&Sha256::digest(&written)), rows: rows.unwrap_or_default() };
        let logged = session::logged(store, number)?;
        if let Logged::Deleted(decision) = &logged {
            deleted = Some(decision.clone());
        }
        checked.faults.extend(differs(logged, &here, [text("purpose"), text("decision")]).map(str::to_owned));
    }
    if json {
        writeln!(
            out,
            "{}",
            json!({ "file": args.file.display().to_string(), "checked": checked, "entry_deleted_by": deleted })
        )?;
    } else {
        writeln!(
            out,
            "{}: {} records proved, {} of them with masked values; {} not covered by a signed head",
            args.file.display(),
            checked.proved,
            checked.masked,
            checked.unproved
        )?;
        for head in &checked.heads {
            writeln!(out, "  head: {}", visible(head))?;
        }
        if let Some(decision) = &deleted {
            let decision = visible(decision);
            writeln!(
                out,
                "  the access log's entry of this export was deleted by {decision}: not compared with it"
            )?;
        }
        for fault in &checked.faults {
            writeln!(out, "  TAMPERED: {}", visible(fault))?;
        }
    }
    Ok(match (checked.faults.is_empty(), checked.unproved) {
        (false, _) => NO,
        (true, 0) if deleted.is_none() => YES,
        (true, _) => USAGE,
    })
}

/// What the access log says otherwise of an export. Where it does not tell of the file, the export is of a version before.
fn differs(logged: Logged, here: &Made, [purpose, decision]: [String; 2]) -> Option<&'static str> {
    match logged {
        Logged::Access(access, _) if access.verb != "export" => Some("the access log has no such export"),
        Logged::Nothing => Some("the access log has no such export"),
        Logged::Access(access, _) if access.purpose != purpose || access.decision != decision => {
            Some("the access log has another purpose or decision than the manifest")
        }
        Logged::Access(_, Some(made)) if made.file != here.file => {
            Some("the file is not the one that the access log tells of")
        }
        Logged::Access(_, Some(made)) if made != *here => {
            Some("the manifest is not the one that the access log tells of")
        }
        Logged::Access(..) | Logged::Deleted(_) => None,
    }
}

fn hash(path: &Path) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    io::copy(&mut file, &mut Hasher(&mut hash))?;
    Ok(hex(&hash.finalize()))
}

struct Hasher<'a>(&'a mut Sha256);

impl Write for Hasher<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.update(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
