//! Documents that are encrypted, or seem to be, made by real programs: each is in the state in which whoever gets it
//! finds it. None that anyone can read counts as encrypted, none that nobody can read as plain.

mod pdf_xml;
mod smime;

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::read::GzDecoder;
use postvakt::documents::{Budget, Input, Item, State, read};

use smime::Openssl;
pub(crate) use smime::packed;

const NUMBER: &str = "811228-9874";

/// A file of `tests/documents`.
fn document(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn items(name: &str, bytes: &[u8]) -> Vec<Item> {
    read(&Input { name, media_type: "", bytes }, &mut Budget::new(bytes.len())).items
}

/// The word for a state, with the one that says how or why.
fn words(state: State) -> String {
    state.reason().map_or(state.as_str().to_owned(), |reason| format!("{} {reason}", state.as_str()))
}

/// The document's own state, and whether the number was found anywhere in it.
#[track_caller]
fn check(name: &str, bytes: &[u8], state: &str, found: bool) {
    let items = items(name, bytes);
    assert_eq!(words(items[0].state), state, "{name}: {items:#?}");
    let anywhere = items.iter().any(|item| item.text.contains(NUMBER));
    assert_eq!(anywhere, found, "{name}: {items:#?}");
}

#[test]
fn office_documents() {
    for (name, state, found) in [
        ("text.doc", "plain", true),
        ("rows.xls", "plain", true),
        ("locked.doc", "encrypted office", false),
        ("locked.xls", "encrypted office", false),
        ("locked.docx", "encrypted office", false),
        ("default.xls", "readable office", true),
        ("default-cryptoapi.xls", "readable office", true),
        ("default-xor.xls", "readable office", true),
        ("default.xlsx", "readable office", true),
        ("default-standard.xlsx", "readable office", true),
    ] {
        check(name, &document(name), state, found);
    }
}

#[test]
fn presentations() {
    let slides = unpacked("slides.ppt.gz");
    check("slides.ppt", &slides, "plain", true);
    // What PowerPoint writes into Current User of one that is encrypted.
    let mut encrypted = slides;
    let token = 0xE391_C05F_u32.to_le_bytes();
    let at = encrypted.windows(4).position(|window| window == token).unwrap();
    encrypted[at..at + 4].copy_from_slice(&0xF3D1_C4DF_u32.to_le_bytes());
    check("slides.ppt", &encrypted, "encrypted office", false);
    check("default.ppt", &unpacked("default.ppt.gz"), "readable office", true);
}

/// A presentation is forty times smaller packed: it is mostly a palette.
fn unpacked(name: &str) -> Vec<u8> {
    let mut slides = Vec::new();
    GzDecoder::new(&*document(name)).read_to_end(&mut slides).unwrap();
    slides
}

#[test]
fn text_of_old_documents_is_whole() {
    let text = |name: &str| items(name, &document(name)).swap_remove(0).text;
    let numbers = [
        "1912",
        "1212-1212",
        "Fotnot 811228-9874",
        "Sidhuvud 811228-9874",
        "Kommentar 20121212-1211",
        "Rubrik 19121212-1212",
    ];
    let letter = text("text.doc");
    for number in numbers.iter().chain(&["Beslut om 19121212-1212"]) {
        assert!(letter.contains(number), "{number}: {letter}");
    }
    let page = text("text.pdf");
    for number in
        numbers.iter().chain(&["Beslut om 19121212-1212"]).filter(|number| !number.starts_with("Kommentar"))
    {
        assert!(page.contains(number), "{number}: {page}");
    }
    let rows = text("rows.xls");
    for row in ["Anna\t811228-9874\tläkarintyg", "Bo\t8112289874", "Cia\t198112289874"] {
        assert!(rows.contains(row), "{row}: {rows}");
    }
}

#[test]
fn pdf_by_qpdf() {
    let owner_only = |bits: &str, more: &[&str]| {
        let mut arguments = vec!["--encrypt", "", "hemligt", bits];
        arguments.extend(more);
        arguments.push("--");
        qpdf(&arguments)
    };
    let both = |bits: &str, more: &[&str]| {
        let mut arguments = vec!["--encrypt", "oppna", "hemligt", bits];
        arguments.extend(more);
        arguments.push("--");
        qpdf(&arguments)
    };
    let readable = [
        owner_only("40", &[]),
        owner_only("128", &["--use-aes=n"]),
        owner_only("128", &["--use-aes=y"]),
        owner_only("128", &["--use-aes=y", "--cleartext-metadata"]),
        owner_only("256", &[]),
        owner_only("256", &["--cleartext-metadata"]),
        owner_only("256", &["--force-R5"]),
    ];
    for (number, bytes) in readable.iter().enumerate() {
        check(&format!("owner-{number}.pdf"), bytes, "readable pdf", true);
    }
    let encrypted = [
        both("40", &[]),
        both("128", &["--use-aes=n"]),
        both("128", &["--use-aes=y", "--cleartext-metadata"]),
        both("256", &[]),
        both("256", &["--force-R5"]),
    ];
    for (number, bytes) in encrypted.iter().enumerate() {
        check(&format!("user-{number}.pdf"), bytes, "encrypted pdf", false);
    }
    for arguments in [
        &["--object-streams=generate"][..],
        &["--object-streams=disable", "--linearize"],
        &["--qdf"],
        &["--stream-data=uncompress"],
    ] {
        check("plain.pdf", &qpdf(arguments), "plain", true);
    }
    let mut packed_and_closed = vec!["--object-streams=generate", "--encrypt", "", "hemligt", "256", "--"];
    check("packed.pdf", &qpdf(&packed_and_closed), "readable pdf", true);
    packed_and_closed[2] = "oppna";
    check("packed.pdf", &qpdf(&packed_and_closed), "encrypted pdf", false);
}

#[test]
fn files_inside_a_pdf() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("lista 811228-9874.csv");
    fs::write(&inner, "namn;nummer\nBo;811228-9874\n").unwrap();
    let path = inner.to_str().unwrap();
    let blank = blank_page();
    let outer = qpdf_on(&blank, &["--add-attachment", path, "--filename=lista.csv", "--"]);
    let found = items("outer.pdf", &outer);
    assert_eq!((found.len(), &*found[1].name), (2, "lista.csv"), "{found:#?}");
    assert!(found[1].text.contains(NUMBER));
    // A page that says "open the file inside", and the file is what is encrypted.
    let locked = qpdf(&["--encrypt", "oppna", "hemligt", "256", "--"]);
    let inner = directory.path().join("locked.pdf");
    fs::write(&inner, locked).unwrap();
    let path = inner.to_str().unwrap();
    let wrapper = items("wrapper.pdf", &qpdf_on(&blank, &["--add-attachment", path, "--"]));
    assert_eq!(
        (wrapper[0].state.as_str(), wrapper[1].state.as_str()),
        ("plain", "encrypted"),
        "{wrapper:#?}"
    );
}

/// PDF whose crypt filter is for attachments only (ISO 32000-2 §7.6.6): the pages are everyone's, the file is not.
#[test]
fn pdf_whose_attachments_alone_are_encrypted() {
    for (name, inside, found) in [
        ("attachments-aes128.pdf", "encrypted pdf", false),
        ("attachments-aes256.pdf", "encrypted pdf", false),
        ("attachments-own-filter.pdf", "encrypted pdf", false),
        ("attachments-open.pdf", "plain", true),
    ] {
        let bytes = document(name);
        check(name, &bytes, "readable pdf", found);
        let items = items(name, &bytes);
        assert!(items[0].text.contains("Se bilagan om 19121212-1212"), "{name}: {items:#?}");
        assert_eq!((&*items[1].name, words(items[1].state)), ("lista.csv", inside.to_owned()), "{name}");
    }
    // A stream need not say that it is an embedded file's; the name of a file proves nothing of its octets.
    let untyped = replaced(&document("attachments-aes128.pdf"), b"/Type/EmbeddedFile", b"                  ");
    assert_eq!(words(items("untyped.pdf", &untyped)[1].state), "encrypted pdf");
    // A method that nobody knows, in a file that opens without a password, is not one that leaves octets in the clear.
    let unknown = replaced(&document("attachments-open.pdf"), b"/CFM/AESV3", b"/CFM/AESV9");
    assert_eq!(words(items("unknown.pdf", &unknown)[1].state), "uninspectable format");
    let unknown = replaced(&unknown, b"/StmF/Identity/StrF/Identity", b"/StmF/StdCF   /StrF/StdCF   ");
    check("unknown.pdf", &unknown, "uninspectable damaged", false);
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

#[test]
fn pdf_without_text_or_sense() {
    check("scan.pdf", &scan(), "uninspectable image-only", false);
    let logotype = page("q 50 0 0 50 0 0 cm /I Do Q", "<</XObject<</I 5 0 R>>>>", &[IMAGE]);
    check("logotype.pdf", &logotype, "plain", false);
    check("empty.pdf", b"%PDF-1.7\n", "uninspectable damaged", false);
    check("noise.pdf", b"%PDF-1.7\n\x00\x01\x02 obj endobj trailer", "uninspectable damaged", false);
    // Codes that no table explains are not text that anybody has read.
    let font = "<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[<</Subtype/CIDFontType2/BaseFont/X>>]>>";
    let codes = "0001".repeat(200);
    let opaque = page(&format!("BT /F 12 Tf <{codes}> Tj ET"), "<</Font<</F 5 0 R>>>>", &[font]);
    check("opaque.pdf", &opaque, "uninspectable format", false);
}

const IMAGE: &str = "<</Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray/Length 1>>\nstream\nx\nendstream";

/// A page that is an image all over.
pub(crate) fn scan() -> Vec<u8> {
    page("q 595 0 0 842 0 0 cm /I Do Q", "<</XObject<</I 5 0 R>>>>", &[IMAGE])
}

#[test]
fn pdf_text_that_is_set_in_pieces() {
    let font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>";
    let resources = "<</Font<</F 5 0 R>>>>";
    for content in [
        "BT /F 12 Tf 50 700 Td [(811) 20 (228) -10 (-98)] TJ (74) Tj ET",
        "BT /F 12 Tf 50 700 Td <3831313232382D39383734> Tj ET",
        "BT /F 12 Tf 1 0 0 1 50 700 Tm (81122) Tj ET BT /F 12 Tf 1 0 0 1 80 700 Tm (8-9874) Tj ET",
        "q 0.1 0 0 0.1 0 0 cm BT /F 120 Tf 500 7000 Td (811228-9874) Tj ET Q",
    ] {
        check("pieces.pdf", &page(content, resources, &[font]), "plain", true);
    }
    let columns = "BT /F 12 Tf 50 700 Td (811228) Tj 200 0 Td (9874) Tj ET";
    assert!(items("columns.pdf", &page(columns, resources, &[font]))[0].text.contains("811228 9874"));
}

#[test]
fn notes_forms_and_properties_of_a_pdf() {
    for object in [
        "<</Type/Annot/Subtype/Text/Contents(Pnr 811228-9874)>>",
        "<</FT/Tx/T(pnr)/V(811228-9874)>>",
        "<</Title<FEFF003800310031003200320038002D0039003800370034>>>",
        "<</Type/Metadata/Length 38>>\nstream\n<x:d><dc:title>811228-9874</dc:title></x:d>\nendstream",
    ] {
        check("beside.pdf", &page("", "<<>>", &[object]), "plain", true);
    }
}

#[test]
fn pgp_by_gnupg() {
    let gnupg = Gnupg::new();
    let armoured = gnupg.make(&["--armor", "--symmetric", "--passphrase", "hemligt"]);
    let secret = gnupg.make(&["--symmetric", "--passphrase", "hemligt"]);
    let packed = gnupg.make(&["--store"]);
    let packed_armour = gnupg.make(&["--armor", "--store"]);
    let signed = gnupg.make(&["--sign"]);
    let signed_armour = gnupg.make(&["--armor", "--sign"]);
    let clear = gnupg.make(&["--clear-sign"]);
    let to_key =
        gnupg.make(&["--armor", "--trust-model", "always", "--recipient", "anna@exempelby.se", "--encrypt"]);
    for (name, bytes, state, found) in [
        ("encrypted.asc", &armoured, "encrypted pgp", false),
        ("encrypted.gpg", &secret, "encrypted pgp", false),
        ("to-key.asc", &to_key, "encrypted pgp", false),
        ("packed.gpg", &packed, "plain", true),
        ("packed.asc", &packed_armour, "plain", true),
        ("signed.gpg", &signed, "plain", true),
        ("signed.asc", &signed_armour, "plain", true),
        ("clear.asc", &clear, "plain", true),
    ] {
        check(name, bytes, state, found);
    }
    let around = [b"Pnr 811228-9874:\n\n", &*armoured, b"\nHej\n"].concat();
    check("around.asc", &around, "encrypted pgp", true);
    check("label.asc", b"Version: 1\n\n811228-9874 i klartext\n", "plain", true);
}

#[test]
fn no_damage_breaks_a_reader() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let names = [
        "text.doc",
        "rows.xls",
        "text.pdf",
        "locked.doc",
        "locked.xls",
        "locked.docx",
        "default.xls",
        "default-cryptoapi.xls",
        "default-xor.xls",
        "attachments-open.pdf",
        "packed-ber.p7m",
        "packed-signed-bare.p7m",
    ];
    let mut documents: Vec<(String, Vec<u8>)> =
        names.iter().map(|name| ((*name).to_owned(), document(name))).collect();
    documents.push(("owner.pdf".to_owned(), qpdf(&["--encrypt", "", "hemligt", "256", "--"])));
    let openssl = Openssl::new();
    let signed = [
        "cms",
        "-sign",
        "-nodetach",
        "-binary",
        "-signer",
        "cert.pem",
        "-inkey",
        "key.pem",
        "-outform",
        "DER",
        "-stream",
        "-indef",
    ];
    documents.push(("smime.p7m".to_owned(), openssl.make(&signed, "entity.eml")));
    documents.push(("signed.gpg".to_owned(), Gnupg::new().make(&["--store"])));
    for (name, bytes) in documents {
        for step in 0..24 {
            survives(&name, &bytes[..bytes.len() * step / 24]);
            let mut damaged = bytes.clone();
            for _ in 0..=random.below(8) {
                let place = random.below(damaged.len());
                damaged[place] ^= 1 << random.below(8);
            }
            survives(&name, &damaged);
            let from = random.below(bytes.len());
            let spliced = [&bytes[..from], &bytes[random.below(bytes.len())..]].concat();
            survives(&name, &spliced);
        }
    }
}

fn survives(name: &str, bytes: &[u8]) {
    let read = catch_unwind(AssertUnwindSafe(|| items(name, bytes)));
    if let Ok(items) = read {
        return assert!(!items.is_empty());
    }
    let kept = std::env::temp_dir().join(format!("postvakt-broke-{name}"));
    fs::write(&kept, bytes).unwrap();
    panic!("the reader of {name} broke; the file is {}", kept.display());
}

/// A PDF with one page: this content, these resources, and objects from number 5 on.
pub(crate) fn page(content: &str, resources: &str, objects: &[&str]) -> Vec<u8> {
    let mut file = format!(
        "%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n\
         2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]>>\nendobj\n\
         3 0 obj\n<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources {resources}>>\nendobj\n\
         4 0 obj\n<</Length {}>>\nstream\n{content}\nendstream\nendobj\n",
        content.len()
    );
    for (number, object) in objects.iter().enumerate() {
        write!(file, "{} 0 obj\n{object}\nendobj\n", number + 5).unwrap();
    }
    file.push_str("trailer\n<</Root 1 0 R>>\n%%EOF\n");
    file.into_bytes()
}

fn blank_page() -> Vec<u8> {
    page("", "<<>>", &[])
}

fn qpdf(arguments: &[&str]) -> Vec<u8> {
    qpdf_on(&document("text.pdf"), arguments)
}

/// What qpdf makes of a file. It calls the files that it mends itself, and weak ciphers, by a code of their own.
fn qpdf_on(bytes: &[u8], arguments: &[&str]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from.pdf"), directory.path().join("to.pdf"));
    fs::write(&from, bytes).unwrap();
    let mut command = Command::new("qpdf");
    command.args(["--allow-weak-crypto", "--warning-exit-0"]).arg(&from).args(arguments).arg(&to);
    must_run(command, "qpdf");
    fs::read(to).unwrap()
}

/// Runs a program that the tests need.
fn must_run(mut command: Command, package: &str) {
    match command.output() {
        Err(error) => panic!("{command:?}: {error}; apt-get install {package}"),
        Ok(output) => assert!(output.status.success(), "{command:?}: {output:?}"),
    }
}

/// GnuPG with a home of its own, and a key in it.
struct Gnupg {
    directory: tempfile::TempDir,
}

impl Gnupg {
    fn new() -> Self {
        let gnupg = Self { directory: tempfile::tempdir().unwrap() };
        fs::write(gnupg.path("text"), format!("Pnr {NUMBER}, läkarintyg\n")).unwrap();
        let mut command = gnupg.command(&["--passphrase", "", "--quick-generate-key", "anna@exempelby.se"]);
        command.args(["default", "default", "never"]);
        must_run(command, "gpg");
        gnupg
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", self.directory.path()).args([
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
        ]);
        command.args(arguments);
        command
    }

    fn make(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = self.command(&["--yes", "--output"]);
        command.arg(self.path("made")).args(arguments).arg(self.path("text"));
        must_run(command, "gpg");
        fs::read(self.path("made")).unwrap()
    }
}

/// Its agent lives as long as its home.
impl Drop for Gnupg {
    fn drop(&mut self) {
        let mut command = Command::new("gpgconf");
        let _ = command.env("GNUPGHOME", self.directory.path()).args(["--kill", "all"]).output();
    }
}

/// A xorshift generator: the same damage in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap()
    }
}
