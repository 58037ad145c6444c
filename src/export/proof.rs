//! The proof beside an export: what was exported as it is stored, line by line, so that whoever has the file and the
//! public key can check both the file and each record. `docs/log.md` has its form, and a script that reads it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::Path;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::column::Shown;
use super::shape::{Headings, Look, Shape};
use super::{Format, Heading};
use crate::merkle::{self, Hash, Salt};
use crate::note::{Note, TreeHead, Verifier};
use crate::record::columns::{Column, Field as LeafField, LeafForm, Value as Holds};
use crate::record::{Record, RecordId};
use crate::store::deliveries::trace::Summary;
use crate::store::proof::{Proof, Sealed};
use crate::store::search::Found;
use crate::text::{hex, unhex};

/// The version of the form.
const VERSION: u32 = 1;

/// The first line: what is needed to make the file again.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    proof: u32,
    format: String,
    zone: String,
    organisation: String,
    about: Vec<(String, String)>,
    fields: Vec<String>,
    #[serde(default)]
    look: Look,
    /// The columns of the file; all that there were, where it says none.
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    headings: Headings,
}

/// A record.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    tree: Option<String>,
    node: String,
    epoch: u32,
    record: u64,
    /// Which fields the leaf covers.
    #[serde(default = "first_form")]
    form: u8,
    /// What stands for the record's id in the file, where that is masked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    shown: Option<String>,
    /// The record's salt, where no value is masked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    salt: Option<String>,
    values: Vec<Field>,
    /// What the file tells of it according to Postfix; no tree covers it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    told: Option<Summary>,
}

/// Proofs that say no form are as old as the first one.
fn first_form() -> u8 {
    LeafForm::FIRST.number()
}

/// A field of a record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Field {
    /// As it is stored, under the record's salt.
    Value(String),
    /// As it is stored, under a salt of its own.
    Open { salt: String, value: String },
    /// Masked, or not exported: what is shown instead.
    Masked {
        commitment: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        shown: Option<String>,
    },
    /// Of a record that has no tree.
    Unsealed { shown: String },
}

/// The end of a tree.
#[derive(Debug, Serialize, Deserialize)]
struct End {
    origin: String,
    head: Option<String>,
    others: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Row(Row),
    End(End),
}

/// Begins the proof of an export.
pub fn start(out: &mut impl Write, format: Format, heading: &Heading<'_>, zone: &TimeZone) -> io::Result<()> {
    let head = Head {
        proof: VERSION,
        format: format.as_str().to_owned(),
        zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        organisation: heading.organisation.to_owned(),
        about: heading.about.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        fields: LeafForm::NEWEST.fields().map(|field| field.name().to_owned()).collect(),
        look: heading.shape.look,
        columns: heading.shape.names().into_iter().map(str::to_owned).collect(),
        headings: heading.shape.headings,
    };
    write_line(out, &head)
}

/// What an export shows of a record.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct Given<'a> {
    pub found: &'a Found,
    /// What stands for its id.
    pub id: Option<&'a str>,
    pub shape: &'a Shape,
    /// Whether what rules found is given along.
    pub evidence: bool,
}

/// Adds a record: what is stored of it, and what the export shows.
pub fn add(out: &mut impl Write, sealed: Option<&Sealed>, given: &Given<'_>) -> io::Result<()> {
    let Given { found: shown, id, shape, evidence } = *given;
    let RecordId { node, epoch, seq } = &shown.id;
    let form = sealed.map_or(LeafForm::NEWEST, |sealed| sealed.form);
    let is_shown = |column: &Column| match column.value {
        Holds::Time => shape.has(column.name) || shape.has(Shown::TimeUtc.name()),
        Holds::Attachments => shape.has(column.name) || shape.has(Shown::Sizes.name()),
        _ => shape.has(column.name),
    };
    // A column that the file does not have is not given away beside it.
    let texts: Vec<Option<Cow<'_, str>>> = form
        .fields()
        .map(|field| match field {
            LeafField::Column(column) => is_shown(column).then(|| column.text(&shown.record)),
            LeafField::Evidence => None,
        })
        .collect();
    let mut row = Row {
        tree: sealed.map(|sealed| sealed.origin.clone()),
        node: node.to_string(),
        epoch: *epoch,
        record: *seq,
        form: form.number(),
        shown: id.map(str::to_owned),
        salt: None,
        values: Vec::with_capacity(texts.len()),
        told: shown.told.clone(),
    };
    let Some(sealed) = sealed else {
        let all = form.columns().map(|column| column.text(&shown.record).into_owned());
        row.values = all.map(|shown| Field::Unsealed { shown }).collect();
        return write_line(out, &row);
    };
    let fields: Vec<LeafField> = form.fields().collect();
    let same = |(value, shown): (&String, &Option<Cow<'_, str>>), field: LeafField| match (shown, field) {
        (Some(shown), _) => shown == value,
        // What the organisation keeps beside the columns of the file is given along where all else is.
        (None, LeafField::Column(column)) if column.optional => evidence || value.is_empty(),
        (None, LeafField::Column(_)) => false,
        (None, LeafField::Evidence) => evidence,
    };
    let both = sealed.values.iter().zip(&texts);
    let whole = both.zip(&fields).all(|(both, field)| same(both, *field));
    row.salt = whole.then(|| hex(&sealed.salt));
    for ((number, field), (value, shown)) in (0_u8..).zip(&fields).zip(sealed.values.iter().zip(texts)) {
        let salt = merkle::field_salt(&sealed.salt, number);
        row.values.push(if whole {
            Field::Value(value.clone())
        } else if same((value, &shown), *field) {
            Field::Open { salt: hex(&salt), value: value.clone() }
        } else {
            let commitment = hex(&merkle::commitment(&salt, value.as_bytes()));
            Field::Masked { commitment, shown: shown.map(Cow::into_owned) }
        });
    }
    write_line(out, &row)
}

/// Ends it.
pub fn finish(out: &mut impl Write, proofs: &[Proof]) -> io::Result<()> {
    for proof in proofs {
        let head = proof.head.as_ref().map(ToString::to_string);
        let others = proof.others.iter().map(|hash| hex(hash)).collect();
        write_line(out, &End { origin: proof.origin.clone(), head, others })?;
    }
    out.flush()
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// What checking an export came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Records whose every shown value is proved.
    pub proved: u64,
    /// Of these, records with a masked value.
    pub masked: u64,
    /// Records that no signed head covers.
    pub unproved: u64,
    /// SHA-256 of the file that the proof describes.
    pub sha256: String,
    /// The heads.
    pub heads: Vec<String>,
    /// What is wrong; nothing follows from the rest if anything is.
    pub faults: Vec<String>,
}

/// Checks a proof with a public key, and makes the file that it describes again.
pub fn check(proof: impl BufRead, key: &Verifier, scratch: &Path) -> io::Result<Checked> {
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut lines = proof.lines();
    let first = lines.next().ok_or_else(|| wrong("the proof is empty".into()))??;
    let head: Head = serde_json::from_str(&first).map_err(|error| wrong(format!("line 1: {error}")))?;
    // The file has the columns that there were when it was made.
    let names = || head.fields.iter().map(String::as_str);
    let form =
        LeafForm::all().find(|form| head.proof == VERSION && names().eq(form.fields().map(LeafField::name)));
    let format = Format::ALL.into_iter().find(|format| format.as_str() == head.format);
    let (Some(form), Some(format)) = (form, format) else {
        return Err(wrong("the proof was written by another version of postvakt".into()));
    };
    let zone = TimeZone::get(&head.zone).map_err(io::Error::other)?;
    let about = head.about.iter().map(|(name, value)| (&*name.clone().leak(), value.clone())).collect();
    let shape = head.shape(form).ok_or_else(|| wrong("a column that is not known here".into()))?;
    let heading = Heading { organisation: &head.organisation, about, scratch, shape };
    let mut exporter = format.start(Sink(Sha256::new()), &heading)?;
    let mut checked = Checked::default();
    let mut known: BTreeMap<String, Vec<(u64, Hash)>> = BTreeMap::new();
    let mut masked: BTreeMap<String, u64> = BTreeMap::new();
    for (at, line) in (2..).zip(lines) {
        let line = line?;
        match serde_json::from_str(&line).map_err(|error| wrong(format!("line {at}: {error}")))? {
            Line::Row(row) => {
                let (found, leaf) = row.read().ok_or_else(|| wrong(format!("line {at}: not a record")))?;
                exporter.add(&found, row.shown.as_deref(), &zone)?;
                match (leaf, row.tree) {
                    (Some(leaf), Some(tree)) => {
                        let hides = row
                            .values
                            .iter()
                            .any(|field| matches!(field, Field::Masked { shown: Some(_), .. }));
                        *masked.entry(tree.clone()).or_default() += u64::from(hides);
                        known.entry(tree).or_default().push((found.id.seq.saturating_sub(1), leaf));
                    }
                    _ => checked.unproved += 1,
                }
            }
            Line::End(end) => checked.tree(&end, key, &mut known, &masked),
        }
    }
    checked.unproved += known.values().map(|rest| rest.len() as u64).sum::<u64>();
    let (Sink(hash), _) = exporter.finish()?;
    checked.sha256 = hex(&hash.finalize());
    Ok(checked)
}

impl Checked {
    /// Compares the records of a tree with its head.
    fn tree(
        &mut self,
        end: &End,
        key: &Verifier,
        known: &mut BTreeMap<String, Vec<(u64, Hash)>>,
        masked: &BTreeMap<String, u64>,
    ) {
        let Some(note) = end.head.as_ref().and_then(|text| Note::all(text).pop()) else { return };
        let head: TreeHead = match key.head(&note) {
            Ok(head) => head,
            Err(error) => return self.faults.push(format!("the head of {}: {error}", end.origin)),
        };
        let mut rows = known.remove(&end.origin).unwrap_or_default();
        rows.sort_unstable_by_key(|(at, _)| *at);
        let covered = rows.partition_point(|(at, _)| *at < head.size);
        let others: Option<Vec<Hash>> = end.others.iter().map(|text| unhex(text)?.try_into().ok()).collect();
        let rest = rows.split_off(covered);
        let root = others.and_then(|others| merkle::root_of(head.size, &rows, &others));
        if head.origin != end.origin || root != Some(head.root) {
            self.faults.push(format!(
                "the records of {} are not those that the head of {} was signed for",
                end.origin, head.time
            ));
            return;
        }
        self.proved += rows.len() as u64;
        self.masked += masked.get(&end.origin).copied().unwrap_or_default();
        self.unproved += rest.len() as u64;
        self.heads.push(format!("{} {} {}", head.origin, head.size, head.time));
    }
}

impl Head {
    /// The shape of the file; `None` where it has a column that there is not.
    fn shape(&self, form: LeafForm) -> Option<Shape> {
        if self.columns.is_empty() {
            return Some(Shape { look: self.look, headings: self.headings, ..Shape::former(form) });
        }
        let named = Shape::with(self.columns.iter().map(String::as_str)).ok()?;
        Some(Shape { look: self.look, headings: self.headings, ..named })
    }
}

impl Row {
    /// The record as it is shown, and its leaf.
    fn read(&self) -> Option<(Found, Option<Hash>)> {
        let form = LeafForm::read(self.form.into())?;
        let salt: Option<Salt> = match &self.salt {
            Some(salt) => Some(unhex(salt)?.try_into().ok()?),
            None => None,
        };
        let mut record = Record::default();
        let mut commitments = Vec::with_capacity(self.values.len());
        let fields =
            form.fields().filter(|field| self.tree.is_some() || !matches!(field, LeafField::Evidence));
        let mut values = self.values.iter();
        for (number, field) in (0_u8..).zip(fields) {
            let (text, commitment) = match values.next()? {
                Field::Value(value) => {
                    let salt = merkle::field_salt(&salt?, number);
                    (Some(value), Some(merkle::commitment(&salt, value.as_bytes())))
                }
                Field::Open { salt, value } => {
                    let salt: Hash = unhex(salt)?.try_into().ok()?;
                    (Some(value), Some(merkle::commitment(&salt, value.as_bytes())))
                }
                Field::Masked { commitment, shown } => {
                    (shown.as_ref(), Some(unhex(commitment)?.try_into().ok()?))
                }
                Field::Unsealed { shown } => (Some(shown), None),
            };
            if let LeafField::Column(column) = field {
                match text {
                    Some(text) => column.put(&mut record, text)?,
                    // The file does not have the column.
                    None if commitment.is_some() => {}
                    None => return None,
                }
            }
            commitments.extend(commitment);
        }
        if values.next().is_some() {
            return None;
        }
        let id = RecordId { node: self.node.as_str().into(), epoch: self.epoch, seq: self.record };
        let own = crate::store::heads::origin(&self.node, self.epoch);
        let sealed = commitments.len() == form.fields().count() && self.tree.as_ref() == Some(&own);
        let leaf =
            sealed.then(|| merkle::leaf(form.number(), self.record, &merkle::record_hash(commitments)));
        Some((Found { id, record, told: self.told.clone() }, leaf))
    }
}

/// What a file is made into when only its hash is wanted.
struct Sink(Sha256);

impl Write for Sink {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.update(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
