//! What is tried with input that nobody wrote: each reader of what strangers send, and what must hold of whatever it
//! reads. libFuzzer runs these for hours (`fuzz/run`), the test `fuzz` for a moment.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use postvakt::address::ReversePath;
use postvakt::config::{Config, ParseContext, Problems};
use postvakt::documents::{self, Allowance, Budget, Input, Item};
use postvakt::facts::{Needs, extract};
use postvakt::limits;
use postvakt::mail::{Client, Direction, Envelope, Incomplete, Mail, Message};
use postvakt::maillog::stamp::Stamps;
use postvakt::maillog::{Event, Read, Reader, Told};
use postvakt::merkle;
use postvakt::milter::Wants;
use postvakt::milter::frame::{self, Frame};
use postvakt::milter::session::{Session, Step};
use postvakt::note::{Note, TreeHead, Verifier};
use postvakt::record::RecordId;
use postvakt::scan;
use postvakt::settings::files::NoFiles;
use postvakt::store::query::{Needle, Party, Query};
use postvakt::text::fold::Folded;
use postvakt::worker::wire;

/// One thing that is tried.
pub(crate) struct Target {
    /// Its name, and that of its folder in `fuzz/corpus`.
    pub(crate) name: &'static str,
    /// Reads the input, and panics if something is not as it must be.
    pub(crate) run: fn(&[u8]),
    /// Files of the tree that are good to begin with: a path, in which `*` stands for the beginning of a file's name.
    pub(crate) seeds: &'static [&'static str],
}

/// All of them.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "frame", run: conversation, seeds: &[] },
    Target { name: "mime", run: message, seeds: &["corpus/*.eml", "tests/mail-cases/*.eml"] },
    Target { name: "scan", run: numbers, seeds: &["tests/mail-cases/*.eml"] },
    Target { name: "config", run: config, seeds: &["tests/configs/*.toml", "config/*.toml"] },
    Target { name: "note", run: note, seeds: &[] },
    Target { name: "query", run: query, seeds: &[] },
    Target { name: "maillog", run: lines, seeds: &[] },
    Target { name: "answer", run: answer, seeds: &[] },
    Target { name: "text", run: |octets| document("a.txt", octets), seeds: &["tests/documents/*.csv"] },
    Target { name: "card", run: |octets| document("a.vcf", octets), seeds: &[] },
    Target { name: "html", run: |octets| document("a.html", octets), seeds: &[] },
    Target {
        name: "xml",
        run: |octets| document("a.xml", octets),
        seeds: &["tests/documents/*.fodt", "tests/documents/*.fodp"],
    },
    Target { name: "eml", run: |octets| document("a.eml", octets), seeds: &["tests/mail-cases/*.eml"] },
    Target { name: "rtf", run: |octets| document("a.rtf", octets), seeds: &["tests/documents/*.rtf"] },
    Target { name: "pdf", run: |octets| document("a.pdf", octets), seeds: &["tests/documents/*.pdf"] },
    Target { name: "office", run: office, seeds: &[] },
    Target {
        name: "compound",
        run: |octets| document("a.doc", octets),
        seeds: &["tests/documents/*.doc", "tests/documents/*.xls", "tests/documents/*.msg"],
    },
    Target {
        name: "zip",
        run: |octets| document("a.zip", octets),
        seeds: &["tests/documents/*.xlsx", "tests/documents/*.odp"],
    },
    Target { name: "7z", run: |octets| document("a.7z", octets), seeds: &[] },
    Target { name: "rar", run: |octets| document("a.rar", octets), seeds: &[] },
    Target { name: "tar", run: |octets| document("a.tar", octets), seeds: &[] },
    Target { name: "packed", run: |octets| document("a.gz", octets), seeds: &["tests/documents/*.gz"] },
    Target { name: "tnef", run: |octets| document("winmail.dat", octets), seeds: &[] },
    Target { name: "smime", run: |octets| document("a.p7m", octets), seeds: &["tests/documents/*.p7m"] },
    Target { name: "pgp", run: |octets| document("a.pgp", octets), seeds: &[] },
    Target { name: "picture", run: |octets| document("a.png", octets), seeds: &[] },
];

/// Lines of Postfix's log: what they tell is bounded and on one line, and names no queue file that the line does not begin with.
fn lines(octets: &[u8]) {
    let mut reader = Reader::new(Stamps::new(TimeZone::UTC, Timestamp::UNIX_EPOCH));
    for line in String::from_utf8_lossy(octets).lines() {
        let Read::Told(told) = reader.line(line) else { continue };
        let Told::Mail { id, event } = told.told else { continue };
        assert!(line.contains(&format!("]: {id}: ")), "{line}");
        let Event::Delivery(delivery) = event else { continue };
        for text in [&delivery.to, &delivery.orig_to, &delivery.relay, &delivery.dsn, &delivery.text] {
            assert!(
                text.len() <= limits::DELIVERY_TEXT_OCTETS + 3 && !text.contains(char::is_control),
                "{text}"
            );
        }
    }
}

/// A document of any kind: what is read of it keeps its limits, and is the same each time.
fn document(name: &str, octets: &[u8]) {
    let read = || {
        let input = Input { name, media_type: "", bytes: octets };
        documents::read(&input, &mut Budget::new(octets.len())).items
    };
    let items = read();
    assert!(items.first().is_some_and(|item| item.path.is_empty()), "the document itself comes first");
    assert!(items.len() <= limits::DOCUMENT_ENTRIES + 1);
    let text = |item: &Item| item.text.len() + item.other_names.iter().map(String::len).sum::<usize>();
    assert!(items.iter().map(text).sum::<usize>() <= Allowance::default().of(octets.len()).text);
    let control = |c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r');
    assert!(items.iter().all(|item| !item.text.contains(control) && !item.name.contains(control)));
    if octets.len() < 512 {
        assert_eq!(items, read(), "the same octets give the same reading");
    }
}

/// The parts of office documents that are read; the rest of the document is made up around one of them.
const PARTS: &[&str] = &[
    "word/document.xml",
    "word/_rels/document.xml.rels",
    "docProps/custom.xml",
    "customXml/item1.xml",
    "xl/worksheets/sheet1.xml",
    "xl/sharedStrings.xml",
    "xl/styles.xml",
    "xl/worksheets/sheet1.bin",
    "xl/sharedStrings.bin",
    "xl/styles.bin",
    "ppt/slides/slide1.xml",
    "ppt/slideMasters/_rels/slideMaster1.xml.rels",
    "content.xml",
    "styles.xml",
    "meta.xml",
    "META-INF/manifest.xml",
    "xl/vbaProject.bin",
    "EncryptedPackage",
];

/// An office document: the first octet says which of its parts the rest is. What XML there is would otherwise be behind
/// a compression that no mutation gets through.
fn office(octets: &[u8]) {
    let Some((first, content)) = octets.split_first() else { return };
    let part = PARTS[usize::from(*first) % PARTS.len()];
    let others: &[(&str, &[u8])] = match part {
        "content.xml" | "styles.xml" | "meta.xml" => &[("mimetype", b"")],
        "META-INF/manifest.xml" => &[("content.xml", b"<text:p>a</text:p>")],
        "xl/worksheets/sheet1.bin" | "xl/sharedStrings.bin" | "xl/styles.bin" | "xl/vbaProject.bin" => &[
            ("[Content_Types].xml", b""),
            ("xl/sharedStrings.bin", b"\x9f\x01\x08\x01\0\0\0\x01\0\0\0\x13\x0b\0\x03\0\0\0a\0b\0c\0"),
            ("xl/worksheets/sheet2.bin", b"\0\x08\0\0\0\0\0\0\0\0\x07\x0c\0\0\0\0\0\0\0\0\0\0\0\0"),
        ],
        _ => &[
            ("[Content_Types].xml", b""),
            (
                "xl/sharedStrings.xml",
                b"<sst><si><t>one</t></si><si><r><t>t</t></r><r><t>wo</t></r></si></sst>",
            ),
            (
                "xl/worksheets/sheet2.xml",
                b"<row><c r='A1' t='s' s='1'><v>1</v></c><c s='1'><v>8112289874</v></c></row>",
            ),
        ],
    };
    let entries: Vec<_> = std::iter::once((part, content))
        .chain(others.iter().copied().filter(|(name, _)| *name != part))
        .collect();
    document("a.zip", &stored(&entries));
}

/// A ZIP archive in which nothing is packed.
fn stored(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    for (name, content) in entries {
        let at = number(out.len());
        let name_length = u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes();
        let head = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &number(content.len()),
            &number(content.len()),
            &name_length,
            &[0, 0],
        ];
        out.extend(
            [b"PK\x03\x04".to_vec(), head.concat(), name.as_bytes().to_vec(), content.to_vec()].concat(),
        );
        directory.extend(
            [b"PK\x01\x02\x14\0".to_vec(), head.concat(), vec![0; 10], at.to_vec(), name.as_bytes().to_vec()]
                .concat(),
        );
    }
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX).to_le_bytes();
    let (at, length) = (number(out.len()), number(directory.len()));
    out.extend(directory);
    out.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &length, &at, &[0, 0]].concat());
    out
}

/// A message: all that is asked of a mail's own octets.
fn message(octets: &[u8]) {
    let end =
        |line: &[u8]| octets.windows(line.len()).position(|window| window == line).map(|at| at + line.len());
    let body_at = end(b"\r\n\r\n").or_else(|| end(b"\n\n")).unwrap_or(octets.len());
    let mail = Mail {
        arrived: Timestamp::UNIX_EPOCH,
        listener_direction: Some(Direction::Outbound),
        client: Client::default(),
        envelope: Envelope {
            sender: ReversePath::from_wire(b"<anna@exempelby.se>"),
            smtputf8: false,
            recipients: vec![],
        },
        queue_id: None,
        message: Message { bytes: Bytes::copy_from_slice(octets), body_at, size: octets.len() as u64 },
    };
    check_facts(&mail);
}

fn check_facts(mail: &Mail) {
    let needs = Needs { body: true, text: true, documents: true, links: true, seen_days: 1, ..Needs::NONE };
    let facts = extract::extract(mail, &Arc::default(), needs);
    let octets = mail.message.bytes.len();
    assert!(facts.attachments.len() <= limits::MIME_PARTS + 1);
    for unopened in &facts.unopened {
        assert!(
            facts.attachments.get(unopened.attachment).is_some(),
            "what is to be opened is an attachment"
        );
    }
    // No octet is read more often than as what it is, as what comes out of it, and once more as what hides in it.
    let again = octets.saturating_mul(limits::MIME_AGAIN_RATIO).max(limits::MIME_AGAIN_OCTETS);
    let content: usize = facts.unopened.iter().map(|unopened| unopened.content.len()).sum();
    assert!(content <= octets + again, "{content} of {octets}");
    assert!(
        octets == 0
            || !facts.passages.is_empty()
            || !facts.attachments.is_empty()
            || !facts.header.fields.is_empty()
            || mail.message.bytes.trim_ascii().is_empty(),
        "nothing at all is read"
    );
}

/// What an MTA says on one connection.
fn conversation(octets: &[u8]) {
    let frames = |octets: &[u8]| {
        let (mut frames, mut at) = (Vec::new(), 0);
        let ended = loop {
            match frame::decode(&octets[at..]) {
                Ok(Some((found, length))) => {
                    frames.push((found.command, found.payload.to_vec()));
                    at += length;
                }
                Ok(None) => break Ok(frame::missing(&octets[at..])),
                Err(error) => break Err(error.to_string()),
            }
        };
        (frames, at, ended)
    };
    let (found, at, ended) = frames(octets);
    // What is decoded is what was encoded.
    let mut again = Vec::new();
    for (command, payload) in &found {
        frame::encode(&mut again, *command, |out| out.extend_from_slice(payload));
    }
    assert_eq!(again, octets[..at]);
    if let Ok(missing) = ended {
        assert!(missing > 0 && missing <= frame::PREFIX + limits::FRAME_OCTETS);
    }
    for message in [true, false] {
        let mut session = Session::new(Wants { message }, None);
        let mut out = BytesMut::new().to_vec();
        for (command, payload) in &found {
            match session.step(Frame { command: *command, payload }, Timestamp::UNIX_EPOCH, &mut out) {
                Ok(Step::Ended(mail, _)) => check_facts(&mail),
                Ok(Step::Quit) | Err(_) => break,
                Ok(_) => {}
            }
        }
        if let Step::Ended(mail, _) = session.end(Incomplete::Disconnected) {
            check_facts(&mail);
        }
        // What we say are frames too.
        assert!(matches!(frames(&out), (_, at, Ok(_)) if at == out.len()), "{out:?}");
    }
}

/// A text: numbers stand where they are said to stand, and a text that is masked still is one.
fn numbers(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let today = date(2026, 11, 22);
    let folded = Folded::new(&text);
    for tabular in [false, true] {
        for number in scan::numbers(&folded, &scan::Known::default(), today, tabular) {
            assert!(number.at.start < number.at.end && number.at.end <= folded.bytes().len());
            assert!(folded.offset(number.at.start) <= folded.offset(number.at.end));
            let _ = number.masked(&folded);
        }
    }
    let mut before = 0;
    for (range, _) in scan::of_persons(&text, today) {
        assert!(before <= range.start && text.get(range.clone()).is_some(), "{range:?}");
        before = range.end;
    }
    let _ = (scan::keys(&text), scan::masked(&text));
}

/// A config: it is valid, or each problem has a place in it and one line.
fn config(octets: &[u8]) {
    let around = ParseContext { file: "F", host: "gw1", now: Timestamp::UNIX_EPOCH, files: &NoFiles };
    let lines = octets.split(|octet| *octet == b'\n').count();
    let problems = match Config::parse(octets, &around) {
        Ok(config) => config.warnings,
        Err(Problems(problems)) => {
            assert!(!problems.is_empty());
            problems
        }
    };
    for problem in problems {
        assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem:?}");
        assert!(!problem.to_string().contains(['\n', '\r']), "{problem:?}");
    }
}

/// What a signature line begins with.
const DASH: char = '\u{2014}';

/// Notes in a text, tree heads in them, keys, and trees: what is written again is read again.
fn note(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    for note in Note::all(&text) {
        // On one line it is the same again, but where it holds what such a line is made of.
        let made_of = |text: &String| {
            text.contains([DASH, '|']) || text.contains("tree head: ") || text.contains("-- ")
        };
        if !std::iter::once(&note.text).chain(&note.signatures).any(made_of) {
            let again = Note::all(&note.line());
            assert_eq!(again.len(), 1, "{again:?}");
        }
        if let Some(head) = TreeHead::parse(&note.text) {
            assert_eq!(TreeHead::parse(&head.text()).as_ref(), Some(&head));
        }
    }
    if let Ok(key) = text.trim().parse::<Verifier>() {
        assert_eq!(key.to_string().parse().as_ref(), Ok(&key));
    }
    let Some((size, rest)) = octets.split_first_chunk::<8>() else { return };
    let size = u64::from_le_bytes(*size);
    if let Some(mut tree) = merkle::Tree::read(size, rest) {
        assert_eq!(tree.octets(), rest);
        if size < u64::MAX {
            tree.push([0; 32]);
            assert!(merkle::Tree::read(size + 1, &tree.octets()).is_some());
        }
    }
    let hashes: Vec<merkle::Hash> = rest.as_chunks::<32>().0.to_vec();
    let (known, others) = hashes.split_at(hashes.len() / 2);
    let known: Vec<_> =
        known.iter().enumerate().map(|(at, hash)| (at as u64 * u64::from(hash[0]), *hash)).collect();
    let _ = merkle::root_of(size, &known, others);
}

/// What the log is asked for: a party is read again as it is shown, and an id too.
fn query(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let shown = |value: &Query| serde_json::to_value(value).unwrap_or_default();
    if let Ok(party) = Party::parse(&text) {
        let said = shown(&Query { sender: Some(party.clone()), ..Query::default() });
        let said = said["sender"].as_str().unwrap_or_default();
        assert_eq!(Party::parse(said).as_ref(), Ok(&party), "{said:?}");
        assert!(party.covers(&party) && (said.starts_with('@') || party.is(said)), "{said:?}");
    }
    if let Ok(id) = text.parse::<RecordId>() {
        assert_eq!(id.to_string().parse().as_ref(), Ok(&id));
    }
    let _ = shown(&Query {
        subject: Some(Needle::new(&text)),
        message_id: Some(text.into_owned()),
        ..Query::default()
    });
}

/// What a worker answers that was taken over by what it read.
fn answer(octets: &[u8]) {
    let allowance = Allowance::default().of(octets.len());
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    let mut input = octets;
    if let Ok(reading) = runtime.block_on(wire::read_reading(&mut input, allowance)) {
        assert!(reading.items.iter().map(|item| item.text.len()).sum::<usize>() <= allowance.text);
        let mut out = Vec::new();
        assert!(wire::write_reading(&mut out, &reading).is_ok());
        let again = runtime.block_on(wire::read_reading(&mut &out[..], allowance));
        assert_eq!(again.ok(), Some(reading));
    }
}
