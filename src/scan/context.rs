//! Context: the words around a number that say what it is, or what it is not.
//!
//! A label names the next number after it, and nothing beyond: `OCR 8112289874, 820330-9012` has one labelled number.
//! A column's or list's heading speaks of all numbers after it. Words are looked for only where a number needs them.

#![deny(clippy::disallowed_methods)]

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::fold::{is_letter, is_word};

/// What a word says of the number beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// It is an identity number.
    Identity,
    /// There is talk of a person.
    Person,
    /// It is a reserve number of health care.
    Reserve,
    /// It is an identity number of something else: an invoice, a case, a customer.
    Other,
    /// It is a telephone number.
    Phone,
    /// It is a bank account.
    Account,
    /// It is a payment card.
    Card,
    /// It is a bankgiro number.
    Bankgiro,
    /// It is a plusgiro number.
    Plusgiro,
    /// It is a passport's number.
    Passport,
    /// It is an organisation's number.
    Organisation,
}

/// How a word may go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Not at all.
    Whole,
    /// In any letters: endings, compounds.
    Open,
}

const WORDS: &[(Says, End, &[&str])] = &[
    (
        Says::Identity,
        End::Open,
        &[
            "personnum",
            "personnr",
            "person-nr",
            "person-num",
            "person nr",
            "persnr",
            "pers.nr",
            "pers nr",
            "pers.num",
            "samordningsn",
            "samordnings-n",
            "sam.nr",
            "födelsen",
            "fodelsen",
            "födelsedat",
            "fodelsedat",
            "identitetsn",
            "identifikationsn",
            "id-num",
            "id-nr",
            "personal identity",
            "personal id",
            "social security",
            "identity num",
            "civic reg",
        ],
    ),
    (
        Says::Identity,
        End::Whole,
        &["pnr", "p-nr", "p.nr", "ssn", "personid", "person-id", "patient-id", "patientid"],
    ),
    (
        Says::Person,
        End::Open,
        &[
            "patient",
            "brukare",
            "elev",
            "klient",
            "sökande",
            "anställd",
            "barnet",
            "vårdnadshavare",
            "född",
            "fodd",
        ],
    ),
    (Says::Person, End::Whole, &["f.", "born", "dob"]),
    (
        Says::Reserve,
        End::Open,
        &["reservn", "reserv-n", "reservid", "reserv-id", "nrid", "tillfälligt person"],
    ),
    (
        Says::Other,
        End::Open,
        &[
            "faktur",
            "referens",
            "kundn",
            "kund-n",
            "ordern",
            "order-n",
            "beställningsn",
            "följesedel",
            "kvitto",
            "bokningsn",
            "ärendeid",
            "ärende-id",
            "ärenden",
            "diarien",
            "artikeln",
            "serien",
            "leveransn",
            "ticket",
            "invoice",
            "reference",
            "kollin",
            "paketn",
            "spårn",
            "avtalsn",
            "försäkringsn",
            "medlemsn",
            "transaktion",
            "backup",
            "version",
            "protokoll",
            "meteringpoint",
            "anläggningsid",
            "mätarn",
            "isbn",
            "issn",
            "incident",
            "mac-adress",
            "betalningsref",
            "projektn",
            "registreringsn",
            "objektn",
        ],
    ),
    (
        Says::Other,
        End::Whole,
        &[
            "ocr",
            "ocr-nr",
            "ocr-nummer",
            "ocrnummer",
            "ref",
            "ref.",
            "order",
            "kund",
            "dnr",
            "ärende",
            "inc",
            "case",
            "log",
            "imei",
            "ean",
            "gtin",
            "build",
            "batch",
        ],
    ),
    (
        Says::Phone,
        End::Open,
        &["telef", "mobil", "växel", "ring", "phone", "jourtel", "sms", "kontaktnummer", "direktnummer"],
    ),
    (Says::Phone, End::Whole, &["tel", "tel.", "tfn", "tfn.", "mob", "mob.", "fax", "cell", "call"]),
    (
        Says::Account,
        End::Open,
        &[
            "kontonu",
            "kontonr",
            "konto nr",
            "konto-nr",
            "bankkonto",
            "personkonto",
            "lönekonto",
            "clearing",
            "account n",
        ],
    ),
    (Says::Account, End::Whole, &["konto", "kontot", "account"]),
    (
        Says::Card,
        End::Open,
        &[
            "kortnu",
            "kortnr",
            "kreditkort",
            "betalkort",
            "bankkort",
            "mastercard",
            "card n",
            "credit card",
            "debit card",
        ],
    ),
    (Says::Card, End::Whole, &["kort", "kortet", "visa", "card", "amex", "cvc", "cvv"]),
    (Says::Bankgiro, End::Open, &["bankgiro"]),
    (Says::Bankgiro, End::Whole, &["bg", "bg."]),
    (Says::Plusgiro, End::Open, &["plusgiro", "postgiro"]),
    (Says::Plusgiro, End::Whole, &["pg", "pg."]),
    (Says::Passport, End::Open, &["passnu", "passnr", "pass nr", "pass-nr", "passport"]),
    (Says::Passport, End::Whole, &["pass", "passet"]),
    (
        Says::Organisation,
        End::Open,
        &["organisationsn", "orgnr", "org.nr", "org nr", "org-nr", "org.num", "momsreg", "vat n", "moms"],
    ),
];

struct Words {
    automaton: AhoCorasick,
    meanings: Vec<(Says, End)>,
}

static AUTOMATON: LazyLock<Option<Words>> = LazyLock::new(|| {
    let mut patterns = Vec::new();
    let mut meanings = Vec::new();
    for (says, end, words) in WORDS {
        for word in *words {
            patterns.push(super::fold::term(word)?);
            meanings.push((*says, *end));
        }
    }
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(patterns)
        .ok()?;
    Some(Words { automaton, meanings })
});

/// A word and where it stands.
#[derive(Clone, Debug)]
struct Word {
    says: Says,
    at: Range<usize>,
}

/// The words of one text, found when they are first asked for.
#[derive(Debug)]
pub(super) struct Context<'a> {
    bytes: &'a [u8],
    words: OnceCell<Vec<Word>>,
}

/// Octets before a number in which a word may speak of it.
const BEFORE: usize = 100;
/// Octets before a number in which its label may stand.
const LABEL: usize = 40;
/// Octets after a number in which a word may speak of it.
const AFTER: usize = 30;

impl<'a> Context<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, words: OnceCell::new() }
    }

    fn words(&self) -> &[Word] {
        self.words.get_or_init(|| {
            let Some(words) = AUTOMATON.as_ref() else { return Vec::new() };
            let found = words.automaton.find_iter(self.bytes).filter_map(|found| {
                let (says, end) = words.meanings.get(found.pattern().as_usize())?;
                let (start, mut to) = (found.start(), found.end());
                let before = start.checked_sub(1).and_then(|at| self.bytes.get(at));
                if before.is_some_and(|byte| is_letter(*byte)) {
                    return None;
                }
                let rest = self.bytes.get(to..).unwrap_or_default();
                match end {
                    End::Whole if rest.first().is_some_and(|byte| is_letter(*byte)) => return None,
                    End::Whole => {}
                    End::Open => to += rest.iter().take(40).take_while(|byte| is_letter(**byte)).count(),
                }
                Some(Word { says: *says, at: start..to })
            });
            found.collect()
        })
    }

    /// Words that end before `at`, the nearest first, up to `reach` octets away.
    fn before(&self, at: usize, reach: usize) -> impl Iterator<Item = &Word> {
        let words = self.words();
        let end = words.partition_point(|word| word.at.end <= at);
        let near = words.get(..end).unwrap_or_default().iter().rev();
        near.take_while(move |word| at.saturating_sub(word.at.end) <= reach)
    }

    /// Words on the rest of a number's line that do not name the number after them.
    fn after(&self, at: usize, reach: usize) -> impl Iterator<Item = &Word> {
        let words = self.words();
        let from = words.partition_point(|word| word.at.start < at);
        let line = self.bytes.get(at..(at + reach).min(self.bytes.len())).unwrap_or_default();
        let reach = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
        let near = words.get(from..).unwrap_or_default().iter();
        near.take_while(move |word| word.at.start <= at + reach).filter(|word| {
            let rest = self.bytes.get(word.at.end..).unwrap_or_default();
            let next = rest.iter().find(|byte| !matches!(byte, b' ' | b':' | b'=' | b'.' | b'\t'));
            next.is_none_or(|byte| !byte.is_ascii_digit())
        })
    }

    /// Whether digits stand between a word and a number, so that the word names those.
    fn names_another(&self, word: &Word, at: usize) -> bool {
        let between = self.bytes.get(word.at.end..at).unwrap_or_default();
        between.iter().filter(|byte| byte.is_ascii_digit()).count() >= 4
    }

    /// The label of the number at `at`: the nearest word before it that names no other number.
    pub(super) fn label(&self, at: usize, any: &[Says]) -> Option<Says> {
        self.before(at, LABEL)
            .find(|word| any.contains(&word.says))
            .filter(|word| !self.names_another(word, at))
            .map(|word| word.says)
    }

    /// Whether a word right after the number, as in `811228-9874 (pnr)`, says this of it.
    pub(super) fn follows(&self, end: usize, says: Says) -> bool {
        self.after(end, AFTER).any(|word| word.says == says)
    }

    /// Whether the heading of a list or a column that the number stands in says this of it.
    pub(super) fn headed(&self, at: usize, says: Says, tabular: bool) -> bool {
        let reach = if tabular { usize::MAX } else { BEFORE };
        self.before(at, reach).any(|word| word.says == says)
    }
}

/// Whether the number stands inside something that numbers are part of without meaning anybody: the path of a URL,
/// the id of a message or a part.
pub(super) fn in_reference(bytes: &[u8], at: &Range<usize>) -> bool {
    let before = bytes.get(at.start.saturating_sub(200)..at.start).unwrap_or_default();
    let delimits =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'(' | b',' | b';');
    let from = before.iter().rposition(delimits).map_or(0, |place| place + 1);
    let token = before.get(from..).unwrap_or_default();
    if token.windows(3).any(|three| three == b"://")
        || token.starts_with(b"www.")
        || token.starts_with(b"cid:")
    {
        return true;
    }
    let rest = bytes.get(at.end..(at.end + 200).min(bytes.len())).unwrap_or_default();
    let rest = rest.split(|byte| byte.is_ascii_whitespace() || *byte == b'>').next().unwrap_or_default();
    token.first() == Some(&b'<') && rest.contains(&b'@')
}

/// Whether the octet beside a number is part of a word.
pub(super) fn touches_word(bytes: &[u8], at: Option<usize>) -> bool {
    at.and_then(|at| bytes.get(at)).is_some_and(|byte| is_word(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_names_the_number_after_it_and_no_other() {
        let text = b"OCR 8112289874, 8203309012";
        let context = Context::new(text);
        assert_eq!(context.label(4, &[Says::Other]), Some(Says::Other));
        assert_eq!(context.label(16, &[Says::Other]), None);
        let text = b"Personnumren: 811228-9874 820330-9012";
        let context = Context::new(text);
        assert!(context.headed(26, Says::Identity, false));
    }

    #[test]
    fn words_are_whole_and_those_after_a_number_may_name_the_next() {
        let context = Context::new(b"hotel 8112289874 pnr 8203309012");
        assert_eq!(context.label(6, &[Says::Phone]), None);
        assert!(!context.follows(16, Says::Identity));
        assert!(Context::new(b"8112289874 (pnr)").follows(10, Says::Identity));
    }

    #[test]
    fn references_hold_numbers_that_mean_nobody() {
        let inside = |text: &[u8], at: Range<usize>| in_reference(text, &at);
        assert!(inside(b"https://x.se/8112289874", 13..23));
        assert!(inside(b"<8112289874.x@y.se>", 1..11));
        assert!(!inside(b"se https://x.se/ pnr 8112289874", 21..31));
    }
}
