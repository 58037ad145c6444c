//! `suspicious-attachment`: attachments that are not what they say, or that run when they are opened.

#![deny(clippy::disallowed_methods)]

use crate::documents::State;
use crate::documents::kind::Kind;
use crate::facts::attachment::Attachment;
use crate::facts::file_name::readings;
use crate::facts::{Fact, Facts, Needs};
use crate::mail::Direction;

use super::custom::attachment::kinds;
use super::custom::pattern::{Case, Patterns};
use super::{ActionSet, Confidence, Evidence, Finding, Flow, Match, Rule, Section, Spec};
use crate::settings::{Fallback, Key, Settings};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "suspicious-attachment",
    summary: "Inbound attachments that run when opened, that are not what they claim to be, or that you block.",
    page: PAGE,
    menu: ActionSet::Attachment,
    flow: Flow::FromOutside,
    section: Section::One,
    keys: KEYS,
    make: |_, section| Some(Box::new(SuspiciousAttachment::read(section))),
};

const PAGE: &str = "\
## What it finds
In inbound mail, in an attachment or in an archive:

- `executable`: a program, a script or a shortcut, by content or by name. Every name that the mail gives the file counts,
  read as Windows and other programs read it: without dots and spaces at the end and without `::$DATA`, up to a NUL (`␀`
  in the log), with dots of other widths.
- `double-extension`: a program with the extension of a document before its own (`faktura.pdf.exe`).
- `hidden-extension`: a name that is written from right to left, or whose extension follows a row of spaces.
- `type-mismatch`: the name or the declared type says document or picture, but the content is a web page, an archive, an
  Office document or a program.
- `macros`: an Office document with macros.
- `blocked-name`, `blocked-kind`: your own `block_names` and `block_kinds`.
- `encrypted-from-unknown`: an encrypted attachment, which cannot be checked, from a sender who is unknown here and whom
  authentication does not confirm. Requires `[authentication]`.

The grade is *strong*. If an archive hides its files, because it is damaged, encrypted with its names, or over a limit,
and nothing else was found, the result is *unknown* and `on_unknown` applies.

## Why it matters
A program that starts when it is opened runs with the rights of the person who opened it.

## What it misses
Documents that do harm without macros.

## Settings
A mail with an attachment may be a public record. It is marked or held, but never rejected or discarded, and no setting can
change that. A held mail waits in Postfix's hold queue; with [smtp], its recipients are told by default. Set
`action = \"hold\"` or a `subject_tag` only after the log has shown that the findings deserve it.

`block_names` are patterns on the names of attachments and of files in archives, as sent and as Windows reads them;
`block_kinds` is what a file is by its content, whatever it is called. Either adds to what the rule finds by itself.

## References
Gislaved's and Piteå's guidelines on suspicious attachments.
";

const KEYS: &[Key] = &[
    Key {
        name: "block_names",
        kind: "pattern or list of patterns",
        default: Fallback::Off,
        example: "['(?i)\\.(ace|vhdx)$']",
        meaning: "Names of attachments, and of files in archives, that you do not accept.",
        why: "What is dangerous by its name is found without it.",
        keys: &[],
    },
    Key {
        name: "block_kinds",
        kind: "list of kinds",
        default: Fallback::Off,
        example: "[\"disk-image\", \"one-note\"]",
        meaning: "What attachments, and files in archives, must not be by their content, whatever they are called.",
        why: "Programs, scripts and shortcuts are found without it.",
        keys: &[],
    },
];

/// Endings of what runs when it is opened.
const RUNS: &str = "exe scr com pif bat cmd js jse vbs vbe wsf wsh wsc hta lnk msi msp msc jar ps1 psm1 reg cpl dll sys \
     scf inf chm gadget application appref-ms iso img vhd vhdx url settingcontent-ms xll one";
/// Endings of documents, which people take for harmless.
const HARMLESS: &str =
    "pdf doc docx xls xlsx ppt pptx odt ods odp rtf txt csv jpg jpeg png gif tif tiff zip html htm xml";

/// Endings with the kinds that files of that name may be.
const KINDS: &[(&str, &[Kind])] = &[
    ("pdf", &[Kind::Pdf]),
    ("docx docm xlsx xlsm pptx pptm", &[Kind::Ooxml, Kind::Compound, Kind::Zip]),
    ("doc xls ppt", &[Kind::Compound, Kind::Ooxml, Kind::Rtf, Kind::Zip, Kind::Html, Kind::Text, Kind::Csv]),
    ("odt ods odp", &[Kind::OpenDocument, Kind::Zip]),
    ("jpg jpeg png gif bmp tif tiff webp", &[Kind::Image]),
    ("zip", &[Kind::Zip, Kind::Ooxml, Kind::OpenDocument]),
    ("7z", &[Kind::SevenZip]),
    ("rar", &[Kind::Rar]),
];
/// Declared types, likewise.
const TYPES: &[(&str, &[Kind])] = &[
    ("application/pdf", &[Kind::Pdf]),
    ("image/jpeg", &[Kind::Image]),
    ("image/png", &[Kind::Image]),
    ("image/gif", &[Kind::Image]),
];

/// What is concealed by another name for a reason; a text that calls itself a PDF is merely odd.
const CONCEALED: [Kind; 15] = [
    Kind::Html,
    Kind::Rtf,
    Kind::Ooxml,
    Kind::Compound,
    Kind::OneNote,
    Kind::Zip,
    Kind::SevenZip,
    Kind::Rar,
    Kind::Tar,
    Kind::Gzip,
    Kind::Cabinet,
    Kind::DiskImage,
    Kind::Executable,
    Kind::Shortcut,
    Kind::Pdf,
];

/// The rule.
#[derive(Debug, Default)]
pub struct SuspiciousAttachment {
    block_names: Option<Patterns>,
    block_kinds: Vec<Kind>,
}

impl Rule for SuspiciousAttachment {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        Needs { body: true, archives: true, documents: true, contact: true, ..Needs::NONE }
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        if facts.direction != Direction::Inbound {
            return Vec::new();
        }
        let mut signs: Vec<&'static str> = Vec::new();
        for attachment in &facts.attachments {
            for sign in signs_of(attachment, facts).into_iter().chain(self.blocked(attachment)) {
                if !signs.contains(&sign) {
                    signs.push(sign);
                }
            }
        }
        let mut signs = signs.into_iter();
        let Some(first) = signs.next() else {
            return facts.hides_attachments().map(Finding::Unknown).into_iter().collect();
        };
        let evidence = signs.fold(Evidence::of(first), Evidence::and);
        vec![Finding::Match(Match {
            grade: Confidence::Strong,
            evidence,
            mailboxes: Vec::new(),
            recipients: Vec::new(),
        })]
    }
}

impl SuspiciousAttachment {
    fn read(section: &mut Settings<'_>) -> Self {
        let block_names = section
            .value("block_names")
            .map(|value| Patterns::read(section, "block_names", value, Case::Told));
        Self { block_names, block_kinds: kinds(section, "block_kinds").unwrap_or_default() }
    }

    /// Which of the organisation's own lists the attachment is on.
    fn blocked(&self, attachment: &Attachment) -> impl Iterator<Item = &'static str> {
        let by_name = |any: &Patterns| attachment.file_names().any(|name| any.match_in(&name));
        let name = self.block_names.as_ref().is_some_and(by_name).then_some("blocked-name");
        let kind = self.block_kinds.contains(&attachment.kind).then_some("blocked-kind");
        name.into_iter().chain(kind)
    }
}

fn signs_of(attachment: &Attachment, facts: &Facts) -> Vec<&'static str> {
    let names: Vec<Vec<String>> = attachment.names().flat_map(readings).map(|name| endings(&name)).collect();
    let last = |endings: &[String]| endings.first().cloned().unwrap_or_default();
    let program = matches!(attachment.kind, Kind::Executable | Kind::Shortcut);
    let runs = |endings: &[String]| program || is_in(RUNS, &last(endings));
    let double =
        |endings: &[String]| runs(endings) && endings.get(1).is_some_and(|before| is_in(HARMLESS, before));
    let mut signs = Vec::new();
    if names.iter().any(|endings| runs(endings)) {
        signs.push("executable");
    }
    if names.iter().any(|endings| double(endings)) {
        signs.push("double-extension");
    }
    if attachment.names().any(is_hidden) {
        signs.push("hidden-extension");
    }
    if names.iter().any(|endings| is_other(attachment, &last(endings))) {
        signs.push("type-mismatch");
    }
    if attachment.macros {
        signs.push("macros");
    }
    if matches!(attachment.state, State::Encrypted(_)) && is_unknown(facts) {
        signs.push("encrypted-from-unknown");
    }
    signs
}

/// The endings of a name, the last one first.
fn endings(name: &str) -> Vec<String> {
    let file = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut parts = file.split('.').map(|part| part.trim().to_lowercase());
    parts.next();
    parts.rev().take(2).collect()
}

fn is_in(list: &str, ending: &str) -> bool {
    !ending.is_empty() && list.split_ascii_whitespace().any(|known| known == ending)
}

/// Marks that turn the direction of writing; and blanks that push the ending out of sight.
fn is_hidden(name: &str) -> bool {
    name.contains(['\u{202D}', '\u{202E}', '\u{2066}', '\u{2067}', '\u{2068}']) || name.contains("          ")
}

/// Whether the content is known to be of another kind than it is said to be.
fn is_other(attachment: &Attachment, ending: &str) -> bool {
    if !CONCEALED.contains(&attachment.kind) {
        return false;
    }
    let named = KINDS.iter().find(|(endings, _)| is_in(endings, ending));
    let declared = TYPES.iter().find(|(media_type, _)| *media_type == attachment.media_type);
    [named, declared].into_iter().flatten().any(|(_, kinds)| !kinds.contains(&attachment.kind))
}

/// Whether the sender is new here, and SPF, DKIM and DMARC do not confirm it.
fn is_unknown(facts: &Facts) -> bool {
    let vouched = match &facts.authentication {
        Fact::Known(found) => found.vouched(),
        Fact::Unavailable(_) | Fact::NotGathered => true,
    };
    let known = matches!(&facts.contact, Fact::Known(contact) if contact.known);
    !vouched && !known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::testing::from_outside;

    fn found(name: &str, media_type: &str, kind: Kind) -> String {
        let mut facts = from_outside("x@example.org", "anna@exempelby.se", "From: x@example.org");
        facts.attachments = vec![Attachment {
            path: "2".into(),
            name: name.into(),
            other_names: Vec::new(),
            media_type: media_type.into(),
            kind,
            size: 10,
            state: State::Plain,
            macros: name.ends_with("docm"),
        }];
        match &SuspiciousAttachment::default().check(&facts)[..] {
            [] => "nothing".to_owned(),
            [Finding::Match(found)] => found.evidence.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_runs_and_what_is_not_what_it_says() {
        for (name, media_type, kind, expected) in [
            ("rapport.pdf", "application/pdf", Kind::Pdf, "nothing"),
            ("faktura.exe", "application/octet-stream", Kind::Executable, "executable"),
            ("faktura", "application/octet-stream", Kind::Executable, "executable"),
            ("Faktura.PDF.js", "text/plain", Kind::Text, "executable,double-extension"),
            (
                "faktura\u{202E}fdp.exe",
                "application/pdf",
                Kind::Executable,
                "executable,hidden-extension,type-mismatch",
            ),
            ("rapport.pdf", "application/octet-stream", Kind::Html, "type-mismatch"),
            ("bild", "image/png", Kind::Zip, "type-mismatch"),
            ("bild.png", "image/png", Kind::Unknown, "nothing"),
            ("mall.docm", "", Kind::Ooxml, "macros"),
            ("v1.2 rapport.docx", "", Kind::Ooxml, "nothing"),
            ("arkiv.tar.gz", "application/gzip", Kind::Gzip, "nothing"),
            ("faktura.js.", "", Kind::Text, "executable"),
            ("faktura.js . .", "", Kind::Text, "executable"),
            ("faktura.js::$DATA", "", Kind::Text, "executable"),
            ("faktura.js::$data.", "", Kind::Text, "executable"),
            ("faktura.js:x:$DATA", "", Kind::Text, "executable"),
            ("faktura.js\u{2400}.txt", "", Kind::Text, "executable"),
            ("faktura.pdf.js\u{2400}.txt", "", Kind::Text, "executable,double-extension"),
            ("faktura\u{ff0e}js", "", Kind::Text, "executable"),
            ("faktura.j\u{200b}s", "", Kind::Text, "executable"),
            ("'faktura.js'", "", Kind::Text, "executable"),
            ("faktura.js/", "", Kind::Text, "executable"),
            ("3D\"faktura.js\"", "", Kind::Text, "executable"),
            ("C:\\temp\\faktura.js", "", Kind::Text, "executable"),
            ("protokoll nr. 3.", "", Kind::Text, "nothing"),
            ("Kallelse 10:30.txt", "", Kind::Text, "nothing"),
            ("Kallelse: js.txt", "", Kind::Text, "nothing"),
            ("pris i $DATA", "", Kind::Text, "nothing"),
            ("bolaget.com::avtal.pdf", "", Kind::Pdf, "nothing"),
            ("a.js\u{2400}", "", Kind::Text, "executable"),
            ("...", "", Kind::Text, "nothing"),
        ] {
            assert_eq!(found(name, media_type, kind), expected, "{name}");
        }
    }
}
