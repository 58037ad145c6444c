//! A log of any size for measurements: months of made-up mail, written by the store itself. The same number gives the
//! same record.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{Timestamp, ToSpan as _};
use postvakt::mail::Direction;
use postvakt::record::{FindingRow, Outcome, Record, SeenRow};
use postvakt::store::{Clock, Entry, Store};

/// When the first record comes; four months follow, the last one is not complete.
const BEGIN: &str = "2026-05-01T00:00:00Z";
const DAYS: i64 = 115;
/// Fits the queue of the store.
const CHUNK: u64 = 10_000;

/// Writes `records` records into a store in `directory`, which is made. Gives the open store.
pub(crate) async fn fill(directory: &Path, records: u64) -> Store {
    let begin: Timestamp = BEGIN.parse().unwrap();
    let at = move |n: u64| {
        let milliseconds = i64::try_from(u128::from(n) * (DAYS as u128 * 86_400_000) / u128::from(records));
        begin + milliseconds.unwrap().milliseconds()
    };
    let now = Arc::new(AtomicI64::new(begin.as_millisecond()));
    let shown = Arc::clone(&now);
    let clock: Clock = Arc::new(move || Timestamp::from_millisecond(shown.load(Ordering::Relaxed)).unwrap());
    let store = Store::open_at(directory, "gw1", clock).unwrap();
    let mut n = 0;
    while n < records {
        now.store(at(n).as_millisecond(), Ordering::Relaxed);
        let end = (n + CHUNK).min(records);
        for n in n..end - 1 {
            store.enqueue(entry(n, at(n)));
        }
        // Whoever waits for the last one of a chunk has waited for all.
        store.commit(entry(end - 1, at(end - 1))).await.unwrap();
        n = end;
    }
    store
}

/// The mail with a number.
pub(crate) fn entry(n: u64, at: Timestamp) -> Entry<'static> {
    let mut dice = Dice(n);
    let inside = mailbox(&mut dice);
    let outside = outsider(&mut dice);
    let (direction, sender, first) = match dice.below(10) {
        0..6 => (Direction::Inbound, outside.clone(), inside.clone()),
        6..9 => (Direction::Outbound, inside.clone(), outside.clone()),
        _ => (Direction::Internal, inside.clone(), mailbox(&mut dice)),
    };
    let mut recipients = vec![first];
    while dice.below(3) == 0 && recipients.len() < 20 {
        recipients.push(if direction == Direction::Outbound {
            outsider(&mut dice)
        } else {
            mailbox(&mut dice)
        });
    }
    let subject = subject(&mut dice, n);
    let attachments = match dice.below(3) {
        0 => vec![(attachment(&mut dice), dice.below(4_000_000))],
        _ => Vec::new(),
    };
    let found = dice.below(40) == 0;
    let finding = FindingRow {
        rule: "auto-forward".into(),
        grade: "strong".into(),
        evidence: "message-id".into(),
        mode: "enforce".into(),
        verdict: "held".into(),
        decision: String::new(),
        mailboxes: vec![inside],
        recipients: recipients.clone(),
    };
    let seen = (direction == Direction::Inbound).then(|| {
        let key =
            u128::from(dice.next()).wrapping_mul(0x1F3D_5B79_9BDF_1357_2468_ACE0_1357_9BDF).to_be_bytes();
        SeenRow::new(at, [key], [1; 8], recipients.clone(), [sender.clone()])
    });
    let record = Record {
        time: at,
        direction: Some(direction),
        header_from: sender.clone(),
        sender,
        recipients,
        subject,
        size: 2_000 + dice.below(200_000),
        attachments,
        outcome: if found { Outcome::Held } else { Outcome::Accepted },
        findings: if found { vec!["auto-forward=strong".into()] } else { Vec::new() },
        queue_id: format!("4f{:012X}", dice.next() >> 16),
        message_id: format!("<{:016x}{:016x}@mail.example.org>", dice.next(), n),
        client: format!("192.0.2.{}", dice.below(256)),
        helo: "mail.example.org".into(),
        tls: "TLSv1.3 TLS_AES_256_GCM_SHA384".into(),
        config: "0123456789abcdef".into(),
        authentication: "spf=pass dkim=pass dmarc=pass".into(),
        ..Record::default()
    };
    let findings = if found { vec![finding] } else { Vec::new() };
    Entry { findings, seen, ..Entry::of(record) }
}

/// One of 4,000 mailboxes inside; few get much of the mail.
fn mailbox(dice: &mut Dice) -> String {
    let n = dice.skewed(4_000);
    let kind = ["registrator", "handlaggare", "skola", "omsorg", "bygglov", "kansli"]
        [usize::try_from(n % 6).unwrap()];
    format!("{kind}.{n:04}@exempelby.se")
}

/// One of 300,000 addresses at 10,000 domains outside.
fn outsider(dice: &mut Dice) -> String {
    let n = dice.skewed(300_000);
    format!("avsandare{n:06}@d{:05}.example", n % 10_000)
}

fn subject(dice: &mut Dice, n: u64) -> String {
    const WHAT: [&str; 16] = [
        "Ansökan om bygglov",
        "Möte",
        "Faktura",
        "Protokoll från nämnden",
        "Fråga om förskoleplats",
        "Anmälan",
        "Begäran om allmän handling",
        "Nyhetsbrev",
        "Ändrad tid för besök",
        "Underlag till budget",
        "Sjukanmälan",
        "Synpunkt på vägunderhåll",
        "Beställning",
        "Påminnelse",
        "Överenskommelse",
        "Återkoppling",
    ];
    const WHERE: [&str; 8] = [
        "Exempelby",
        "Västra skolan",
        "Hälsocentralen",
        "Östra ängen",
        "Biblioteket",
        "Å-dalen",
        "Nämndhuset",
        "Hamnen",
    ];
    let what = WHAT[usize::try_from(dice.skewed(16)).unwrap()];
    let place = WHERE[usize::try_from(dice.below(8)).unwrap()];
    let reply = ["", "", "SV: ", "VB: "][usize::try_from(dice.below(4)).unwrap()];
    match dice.below(4) {
        0 => format!("{reply}{what}"),
        1 => format!("{reply}{what} vecka {}", dice.below(53)),
        2 => format!("{reply}{what} {place} {}:{}", dice.below(90), dice.below(400)),
        _ => format!("{reply}{what}, dnr KS 2026/{:05} ({n})", dice.below(100_000)),
    }
}

fn attachment(dice: &mut Dice) -> String {
    const WHAT: [&str; 6] =
        ["Ritning över fasad", "Bilaga", "Faktura", "Tjänsteskrivelse", "Översiktsplan", "image001"];
    const KIND: [&str; 5] = ["pdf", "docx", "xlsx", "png", "zip"];
    let what = WHAT[usize::try_from(dice.below(6)).unwrap()];
    let kind = KIND[usize::try_from(dice.below(5)).unwrap()];
    format!("{what} {}.{kind}", dice.below(100_000))
}

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// Small ones come more often.
    fn skewed(&mut self, end: u64) -> u64 {
        let (a, b) = (self.below(end), self.below(end));
        (u128::from(a) * u128::from(b) / u128::from(end)) as u64
    }
}
