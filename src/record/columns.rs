//! The columns of the log, once: what each holds, how it is stored, masked and shown, and since when a leaf covers it.
//!
//! A further column is a field of [`Record`], the last row of the table here with a new leaf form in `since`,
//! [`LeafForm::NEWEST`] raised to that form, and a step in `store/schema.rs`. What an existing form covers never changes:
//! records that are stored would verify as tampered.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use jiff::Timestamp;

use super::{Outcome, Record};
use crate::limits;
use crate::mail::Direction;
use crate::text;

/// Which fields the leaf of a record covers. It is stored with each record, so that a record is verified as it was
/// written, whatever columns came later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeafForm(u8);

/// One column of the log.
#[derive(Debug)]
pub struct Column {
    /// Its name in the store, in exports and in `--json`.
    pub name: &'static str,
    /// The first leaf form that covers it. New columns come last.
    pub since: LeafForm,
    /// What it holds, and where in a record.
    pub value: Value,
    /// What hides whose mail it is.
    pub mask: Mask,
    /// Its width in a workbook, in characters.
    pub width: f64,
    /// What people call it, in Swedish.
    pub label: &'static str,
    /// And in English.
    pub english: &'static str,
    /// Its name in the Elastic Common Schema.
    pub ecs: &'static str,
    /// Whether it is kept where the organisation wants it, and shown to who asks for it.
    pub optional: bool,
}

/// What a column holds.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// When MAIL came.
    Time,
    /// Inbound, outbound, internal.
    Direction,
    /// Octets.
    Size,
    /// Names and sizes.
    Attachments,
    /// What became of the mail.
    Outcome,
    /// A text.
    Text(fn(&Record) -> &str, fn(&mut Record) -> &mut String),
    /// Several texts.
    List(fn(&Record) -> &[String], fn(&mut Record) -> &mut Vec<String>),
}

/// What replaces a value if the export must not identify people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// The value: it identifies no one.
    None,
    /// The pseudonym of an address, or of each in a list.
    Address,
    /// The pseudonyms of addresses with `, ` between.
    Addresses,
    /// How long the text is.
    Length,
    /// The ending of a file's name.
    Ending,
    /// A hash.
    Hash,
    /// A hash, of what may be a name.
    Login,
    /// The pseudonyms of the mailboxes, and what became of the receipts without their references.
    Receipts,
}

/// A value as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A time in milliseconds, or a size.
    Integer(i64),
    /// A text; of a list, its JSON.
    Text(String),
}

/// What a leaf covers beside the columns: all that rules found, as JSON.
pub const EVIDENCE: &str = "evidence";

/// A field of a leaf.
#[derive(Clone, Copy, Debug)]
pub enum Field {
    /// A column.
    Column(&'static Column),
    /// What rules found.
    Evidence,
}

macro_rules! text {
    ($field:ident) => {
        Value::Text(|record| &record.$field, |record| &mut record.$field)
    };
}

macro_rules! list {
    ($field:ident) => {
        Value::List(|record| &record.$field, |record| &mut record.$field)
    };
}

macro_rules! columns {
    ($($name:ident $since:literal $value:expr, $mask:ident, $width:literal, $label:literal, $english:literal, $ecs:literal;)+) => {
        [$(Column {
            name: stringify!($name),
            since: LeafForm($since),
            value: $value,
            mask: Mask::$mask,
            width: $width,
            label: $label,
            english: $english,
            ecs: $ecs,
            optional: $since == OPTIONAL_SINCE,
        }),+]
    };
}

/// The table.
pub static COLUMNS: [Column; 24] = columns! {
    // name        form  holds           mask      width  Swedish, English       ECS
    time            1 Value::Time,        None,      29.0, "Tid", "Time",                "@timestamp";
    direction       1 Value::Direction,   None,      10.0, "Riktning", "Direction",           "email.direction";
    sender          1 text!(sender),      Address,   32.0, "Från", "Sender",               "postvakt.envelope.from";
    recipients      1 list!(recipients),  Address,   40.0, "Till", "Recipients",               "postvakt.envelope.to";
    header_from     1 text!(header_from), Addresses, 32.0, "Avsändare i brevet", "From (header)", "email.from.address";
    subject         1 text!(subject),     Length,    56.0, "Ämne", "Subject",               "email.subject";
    size            1 Value::Size,        None,      10.0, "Storlek", "Size",            "postvakt.size";
    attachments     1 Value::Attachments, Ending,    40.0, "Bilagor", "Attachments",            "email.attachments";
    verdict         1 Value::Outcome,     None,      11.0, "Utfall", "Verdict",             "postvakt.verdict";
    findings        1 list!(findings),    None,      28.0, "Fynd", "Findings",               "postvakt.findings";
    would           1 list!(would),       None,      28.0, "Skulle ha", "Would have",          "postvakt.would";
    queue_id        1 text!(queue_id),    Hash,      17.0, "Kö-id", "Queue ID",              "email.local_id";
    message_id      1 text!(message_id),  Hash,      40.0, "Message-ID", "Message-ID",         "email.message_id";
    client          1 text!(client),      Hash,      16.0, "Klient", "Client",             "source.ip";
    helo            1 text!(helo),        Hash,      24.0, "HELO", "HELO",               "postvakt.helo";
    auth_user       1 text!(auth_user),   Login,     20.0, "Inloggad", "Login",           "user.name";
    tls             1 text!(tls),         None,      20.0, "TLS", "TLS",                "tls.cipher";
    config          1 text!(config),      None,      18.0, "Konfiguration", "Config",      "postvakt.config";
    receipt         1 text!(receipt),     Receipts,  20.0, "Kvitto", "Receipt",             "postvakt.receipt";
    authentication  2 text!(authentication), None,   34.0, "Avsändarkontroll", "Authentication",   "postvakt.authentication";
    header_from_name 3 text!(header_from_name), Length, 32.0, "Visningsnamn", "Display name", "postvakt.header_from_name";
    header_to       3 text!(header_to),   Addresses, 40.0, "Till i brevet", "To (header)", "email.to.address";
    header_cc       3 text!(header_cc),   Addresses, 40.0, "Kopia i brevet", "Cc (header)", "email.cc.address";
    header_reply_to 3 text!(header_reply_to), Addresses, 32.0, "Svar till", "Reply-To", "email.reply_to.address";
};

/// The form in which columns came that are not kept unless the organisation wants them.
const OPTIONAL_SINCE: u8 = 3;

/// The place of a column in the table, for code that is about this one.
pub const fn place(name: &str) -> usize {
    let (mut rest, mut at) = (&COLUMNS as &[Column], 0);
    while let [first, more @ ..] = rest {
        if same(first.name.as_bytes(), name.as_bytes()) {
            return at;
        }
        (rest, at) = (more, at + 1);
    }
    usize::MAX
}

const fn same(mut one: &[u8], mut other: &[u8]) -> bool {
    while let ([a, more @ ..], [b, others @ ..]) = (one, other) {
        if *a != *b {
            return false;
        }
        (one, other) = (more, others);
    }
    one.is_empty() && other.is_empty()
}

impl LeafForm {
    /// The form of records that say none.
    pub const FIRST: Self = Self(1);
    /// The form of new records.
    pub const NEWEST: Self = Self(3);

    /// The form with that number; `None` where this program does not know it.
    pub fn read(number: i64) -> Option<Self> {
        let form = Self(u8::try_from(number).ok()?);
        (Self::FIRST..=Self::NEWEST).contains(&form).then_some(form)
    }

    /// All, the first one first.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (Self::FIRST.0..=Self::NEWEST.0).map(Self)
    }

    /// Its number, with which a leaf begins.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The columns that there were.
    pub fn columns(self) -> impl Iterator<Item = &'static Column> {
        COLUMNS.iter().filter(move |column| column.since <= self)
    }

    /// The fields that a leaf covers, in their order: those of the first form, then what came with each later one.
    pub fn fields(self) -> impl Iterator<Item = Field> {
        let later = self.columns().filter(|column| column.since > Self::FIRST);
        let first = Self::FIRST.columns().map(Field::Column).chain([Field::Evidence]);
        first.chain(later.map(Field::Column))
    }
}

impl Field {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Column(column) => column.name,
            Self::Evidence => EVIDENCE,
        }
    }
}

impl Column {
    /// The value as the store has it, taken out of the record.
    pub fn take(&self, record: &mut Record) -> Stored {
        match self.value {
            Value::Time => Stored::Integer(record.time.as_millisecond()),
            Value::Size => Stored::Integer(octets(record.size)),
            Value::Direction | Value::Outcome => Stored::Text(self.text(record).into_owned()),
            Value::Attachments => Stored::Text(json(&record.attachments)),
            Value::Text(_, own) => Stored::Text(std::mem::take(own(record))),
            Value::List(own, _) => Stored::Text(json(own(record))),
        }
    }

    /// The value as a leaf covers it: what the store has, as text.
    pub fn text<'a>(&self, record: &'a Record) -> Cow<'a, str> {
        match self.value {
            Value::Time => record.time.as_millisecond().to_string().into(),
            Value::Size => octets(record.size).to_string().into(),
            Value::Direction => record.direction.map_or("", Direction::as_str).into(),
            Value::Outcome => record.outcome.as_str().into(),
            Value::Attachments => json(&record.attachments).into(),
            Value::Text(own, _) => own(record).into(),
            Value::List(own, _) => json(own(record)).into(),
        }
    }

    /// Puts a value into a record; `None` where the text is not one of this column.
    pub fn put(&self, record: &mut Record, text: &str) -> Option<()> {
        match self.value {
            Value::Time => record.time = Timestamp::from_millisecond(text.parse().ok()?).ok()?,
            Value::Size => record.size = text.parse::<i64>().ok()?.unsigned_abs(),
            Value::Direction => record.direction = direction(text),
            Value::Outcome => record.outcome = Outcome::parse(text)?,
            Value::Attachments => record.attachments = parsed(text)?,
            Value::Text(_, own) => text.clone_into(own(record)),
            Value::List(_, own) => *own(record) = parsed(text)?,
        }
        Some(())
    }

    /// What stands where the column was not there yet.
    pub fn absent(&self) -> &'static str {
        match self.value {
            Value::Time | Value::Size => "0",
            Value::Direction | Value::Outcome | Value::Text(..) => "''",
            Value::Attachments | Value::List(..) => "'[]'",
        }
    }

    /// Gives each text of it to `change`; it has none where it is a time, a number or a word of ours.
    pub fn each(&self, record: &mut Record, mut change: impl FnMut(&mut String)) {
        match self.value {
            Value::Time | Value::Size | Value::Direction | Value::Outcome => {}
            Value::Attachments => record.attachments.iter_mut().for_each(|(name, _)| change(name)),
            Value::Text(_, own) => change(own(record)),
            Value::List(_, own) => own(record).iter_mut().for_each(change),
        }
    }

    /// Cuts the value at its limit and marks the cut; `names` is the limit of attachments. Whether it was cut.
    pub fn cut(&self, record: &mut Record, names: usize) -> bool {
        match self.value {
            Value::Time | Value::Size | Value::Direction | Value::Outcome => false,
            Value::Attachments => cut_list(
                &mut record.attachments,
                names,
                |attachment| json(std::slice::from_ref(attachment)).len(),
                |rest| (format!("… ({} more)", rest.len()), rest.iter().map(|(_, size)| size).sum()),
            ),
            Value::Text(_, own) => cut_text(own(record)),
            Value::List(_, own) => cut_texts(own(record)),
        }
    }
}

fn direction(word: &str) -> Option<Direction> {
    [Direction::Inbound, Direction::Outbound, Direction::Internal]
        .into_iter()
        .find(|direction| direction.as_str() == word)
}

/// A size as the store has it.
fn octets(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Lists of strings and numbers always have a JSON form, so there is no error to tell of.
pub fn json<T: serde::Serialize>(list: &[T]) -> String {
    if list.is_empty() { "[]".to_owned() } else { serde_json::to_string(list).unwrap_or_default() }
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Option<Vec<T>> {
    if text == "[]" { Some(Vec::new()) } else { serde_json::from_str(text).ok() }
}

fn cut_text(text: &mut String) -> bool {
    let long = text.len() > limits::RECORD_FIELD_OCTETS;
    if long {
        text.truncate(text::truncate(text, limits::RECORD_FIELD_OCTETS).len());
        text.push('…');
    }
    long
}

/// Cuts a list of texts at the limit of a field.
pub fn cut_texts(texts: &mut Vec<String>) -> bool {
    let octets = |text: &String| text.len() + 3;
    cut_list(texts, limits::RECORD_FIELD_OCTETS, octets, |rest| format!("… ({} more)", rest.len()))
}

/// Cuts a list at the limit and puts what `marker` says of the rest at its end.
fn cut_list<T>(
    items: &mut Vec<T>,
    octets_at_most: usize,
    octets: impl Fn(&T) -> usize,
    marker: impl Fn(&[T]) -> T,
) -> bool {
    let mut total = 0;
    let kept = items.iter().take_while(|item| {
        total += octets(item);
        total <= octets_at_most
    });
    let kept = kept.count();
    let Some(rest) = items.get(kept..).filter(|rest| !rest.is_empty()) else { return false };
    let mark = marker(rest);
    items.truncate(kept);
    items.push(mark);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_covers_what_came_before_and_then_what_is_new() {
        let names = |form: LeafForm| form.fields().map(Field::name).collect::<Vec<_>>();
        let first = names(LeafForm::FIRST);
        assert_eq!((first.len(), first[0], first[18], first[19]), (20, "time", "receipt", "evidence"));
        for (older, newer) in LeafForm::all().zip(LeafForm::all().skip(1)) {
            assert!(names(newer).starts_with(&names(older)), "the order of fields stays");
            assert!(names(newer).len() > names(older).len(), "a form without a column of its own");
        }
        assert!(COLUMNS.is_sorted_by_key(|column| column.since), "new columns come last");
        assert!(COLUMNS.iter().all(|column| column.since <= LeafForm::NEWEST));
        assert_eq!(LeafForm::read(0), None);
        assert_eq!(LeafForm::read(i64::from(LeafForm::NEWEST.number()) + 1), None);
    }

    /// Never change what stands here: records that are stored would verify as tampered. A new form is a new line.
    #[test]
    fn what_a_form_covers_stays() {
        let first = "time direction sender recipients header_from subject size attachments verdict findings would \
                     queue_id message_id client helo auth_user tls config receipt evidence";
        let added = ["authentication", "header_from_name header_to header_cc header_reply_to"];
        let mut covered = first.to_owned();
        let mut forms = vec![covered.clone()];
        for columns in added {
            covered = format!("{covered} {columns}");
            forms.push(covered.clone());
        }
        let names = |form: LeafForm| form.fields().map(Field::name).collect::<Vec<_>>().join(" ");
        assert_eq!(LeafForm::all().map(names).collect::<Vec<_>>(), forms);
    }

    #[test]
    fn values_come_back_as_they_were() {
        let texts = ["a", "å\" b", "[]"].map(str::to_owned);
        let mut record = Record { size: 7, direction: Some(Direction::Outbound), ..Record::default() };
        record.attachments = texts.iter().map(|name| (name.clone(), 3)).collect();
        for column in &COLUMNS {
            if let Value::List(_, own) = column.value {
                *own(&mut record) = texts.to_vec();
            }
            column.each(&mut record, |text| text.push_str(column.name));
        }
        let mut back = Record::default();
        for (at, column) in COLUMNS.iter().enumerate() {
            assert_eq!(place(column.name), at);
            assert_eq!(column.put(&mut back, &column.text(&record)), Some(()), "{}", column.name);
            let stored = match column.take(&mut record.clone()) {
                Stored::Integer(number) => number.to_string(),
                Stored::Text(text) => text,
            };
            assert_eq!(stored, column.text(&record));
        }
        assert_eq!(back, record);
        assert_eq!(place("sizes"), usize::MAX);
        assert_eq!(COLUMNS[place("size")].put(&mut back, "many"), None);
        assert_eq!(COLUMNS[place("recipients")].put(&mut back, "a"), None);
    }

    #[test]
    fn long_lists_are_cut_and_the_cut_is_marked() {
        let mut recipients: Vec<String> = (0..20_000).map(|n| format!("{n:0>90}@exempelby.se")).collect();
        assert!(cut_texts(&mut recipients));
        let kept = recipients.len() - 1;
        assert_eq!(recipients[kept], format!("… ({} more)", 20_000 - kept));
        assert!(json(&recipients).len() < limits::RECORD_FIELD_OCTETS + 64);
        assert!(!cut_list(&mut vec!["a".to_owned()], 1, String::len, |_| String::new()));
    }
}
