//! Responses: edits and the one final reply become bytes.
//!
//! A reply too many makes an MTA read every later one for the mail before it. So each command that is to be answered
//! yields one [`Owed`] or [`OwedAnswer`], and writing the final reply consumes it; neither can be copied.

#![deny(clippy::disallowed_methods)]

use super::frame;
use super::negotiate::{Agreed, action};
use crate::answer::{Answer, Edit};
use crate::metrics::METRICS;
use crate::reply::{Basic, ReplyClass, SmtpReply};
use crate::texts;

/// Octets after which a header line is folded where it has a space (RFC 5322 §2.1.1).
const FOLD_AFTER: usize = 78;
/// Octets after which it is folded in any case (RFC 5322 §2.1.1 has 998 for the line).
const FOLD_ALWAYS: usize = 990;

/// One final reply that the MTA waits for.
#[derive(Debug)]
#[must_use = "the MTA waits for this reply"]
pub struct Owed(());

impl Owed {
    /// The reply to `command`, where the MTA waits for one.
    pub(super) fn after(command: u8, agreed: Agreed) -> Option<Self> {
        agreed.waits_after(command).then_some(Self(()))
    }

    /// Writes the reply: a refusal, or that it goes on.
    pub fn settle(self, refusal: Option<&SmtpReply>, out: &mut Vec<u8>) {
        match refusal {
            None => frame::encode(out, b'c', |_| {}),
            Some(reply) => frame::encode(out, b'y', |out| {
                out.extend_from_slice(reply.to_milter().as_bytes());
                out.push(0);
            }),
        }
    }
}

/// The answer to the end of a message: edits and one final reply. Only here are edits legal.
#[derive(Debug)]
#[must_use = "the MTA waits for this answer"]
pub struct OwedAnswer {
    owed: Owed,
    agreed: Agreed,
}

impl OwedAnswer {
    /// What is owed after `E`, which no negotiation takes away.
    pub(super) fn new(agreed: Agreed) -> Self {
        Self { owed: Owed(()), agreed }
    }

    /// Asks the MTA for patience.
    pub fn progress(&self, out: &mut Vec<u8>) {
        frame::encode(out, b'p', |_| {});
    }

    /// Writes a refusal.
    pub fn refuse(self, reply: &SmtpReply, out: &mut Vec<u8>) {
        self.owed.settle(Some(reply), out);
    }

    /// Writes the answer. Header edits that the MTA does not allow are left out; an answer that would hold or
    /// redirect the mail is refused as a whole then, for the mail must not pass as if nothing had been decided.
    pub fn settle(self, answer: &Answer, out: &mut Vec<u8>) {
        if let Some(reply) = &answer.refusal {
            return self.refuse(reply, out);
        }
        let (granted, missing): (Vec<&Edit>, Vec<&Edit>) =
            answer.edits.iter().partition(|edit| self.agreed.grants(needs(edit)));
        for edit in &missing {
            METRICS.edits_not_granted.with_label_values(&[name(edit)]).inc();
            tracing::warn!(edit = name(edit), "the MTA does not allow this edit; it is skipped");
        }
        if missing.iter().any(|edit| !is_cosmetic(edit)) {
            let (class, basic) = (ReplyClass::Transient, Basic::Processing);
            return self.refuse(&SmtpReply::new(class, basic, (3, 5), texts::EDIT_NOT_GRANTED), out);
        }
        for edit in granted {
            write(edit, self.agreed.leading_space(), out);
        }
        self.owed.settle(None, out);
    }
}

fn needs(edit: &Edit) -> u32 {
    match edit {
        Edit::AddHeader { .. } | Edit::InsertHeader { .. } => action::ADD_HEADERS,
        Edit::ChangeHeader { .. } | Edit::DeleteHeader { .. } => action::CHANGE_HEADERS,
        Edit::RemoveRecipient { .. } => action::DELETE_RECIPIENT,
        Edit::AddRecipient { .. } => action::ADD_RECIPIENT,
        Edit::Quarantine { .. } => action::QUARANTINE,
    }
}

fn name(edit: &Edit) -> &'static str {
    match edit {
        Edit::AddHeader { .. } => "add-header",
        Edit::InsertHeader { .. } => "insert-header",
        Edit::ChangeHeader { .. } => "change-header",
        Edit::DeleteHeader { .. } => "delete-header",
        Edit::RemoveRecipient { .. } => "remove-recipient",
        Edit::AddRecipient { .. } => "add-recipient",
        Edit::Quarantine { .. } => "quarantine",
    }
}

/// Whether the mail reaches the same people without the edit.
fn is_cosmetic(edit: &Edit) -> bool {
    match edit {
        Edit::AddHeader { .. }
        | Edit::InsertHeader { .. }
        | Edit::ChangeHeader { .. }
        | Edit::DeleteHeader { .. } => true,
        Edit::RemoveRecipient { .. } | Edit::AddRecipient { .. } | Edit::Quarantine { .. } => false,
    }
}

fn write(edit: &Edit, leading_space: bool, out: &mut Vec<u8>) {
    match edit {
        Edit::AddHeader { name, value } => {
            frame::encode(out, b'h', |out| field(name, Some(value), leading_space, out));
        }
        Edit::InsertHeader { index, name, value } => frame::encode(out, b'i', |out| {
            out.extend_from_slice(&index.to_be_bytes());
            field(name, Some(value), leading_space, out);
        }),
        Edit::ChangeHeader { index, name, value } => frame::encode(out, b'm', |out| {
            out.extend_from_slice(&index.to_be_bytes());
            field(name, Some(value), leading_space, out);
        }),
        Edit::DeleteHeader { index, name } => frame::encode(out, b'm', |out| {
            out.extend_from_slice(&index.to_be_bytes());
            field(name, None, leading_space, out);
        }),
        Edit::RemoveRecipient { raw } => frame::encode(out, b'-', |out| string(raw, out)),
        Edit::AddRecipient { address } => {
            frame::encode(out, b'+', |out| string(format!("<{address}>").as_bytes(), out));
        }
        Edit::Quarantine { reason } => frame::encode(out, b'q', |out| string(reason.as_bytes(), out)),
    }
}

/// Name and value of a header field. No value deletes it, so an empty one is written as a space.
fn field(name: &str, value: Option<&str>, leading_space: bool, out: &mut Vec<u8>) {
    string(name.as_bytes(), out);
    if let Some(value) = value {
        if leading_space || value.is_empty() {
            out.push(b' ');
        }
        fold(value, name.len() + 2, out);
    }
    out.push(0);
}

fn string(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(bytes.iter().map(|&byte| harmless(byte)));
    out.push(0);
}

/// What would end a line or a string here does not.
fn harmless(byte: u8) -> u8 {
    if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { byte }
}

/// Folds before spaces, which stay: unfolding (RFC 5322 §2.2.3) gives the very value. The wire's line end is LF.
fn fold(value: &str, column: usize, out: &mut Vec<u8>) {
    let (mut column, mut line_has_text) = (column, false);
    for (n, word) in value.split(' ').enumerate() {
        if n > 0 {
            if line_has_text && !word.is_empty() && column + 1 + word.len() > FOLD_AFTER {
                out.push(b'\n');
                column = 0;
            }
            out.push(b' ');
            column += 1;
        }
        line_has_text |= !word.is_empty();
        for c in word.chars() {
            if column + c.len_utf8() > FOLD_ALWAYS {
                out.extend_from_slice(b"\n ");
                column = 1;
            }
            out.extend(c.encode_utf8(&mut [0; 4]).bytes().map(harmless));
            column += c.len_utf8();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Wants;
    use super::super::command::Offer;
    use super::*;

    const LEADING_SPACE: u32 = 0x10_0000;

    fn settled(actions: u32, protocol: u32, edits: Vec<Edit>) -> Vec<Vec<u8>> {
        let agreed = Agreed::on(Offer { version: 6, actions, protocol }, Wants { message: true }).unwrap();
        let mut out = Vec::new();
        OwedAnswer::new(agreed).settle(&Answer { edits, refusal: None }, &mut out);
        let (mut rest, mut frames) = (&out[..], Vec::new());
        while let Some((frame, used)) = frame::decode(rest).unwrap() {
            frames.push([&[frame.command], frame.payload].concat());
            rest = &rest[used..];
        }
        assert!(rest.is_empty());
        frames
    }

    fn added(value: &str) -> String {
        let edit = Edit::AddHeader { name: "X-A".into(), value: value.into() };
        let frame = settled(1, 0, vec![edit]).remove(0);
        String::from_utf8(frame).unwrap().trim_end_matches('\0').trim_start_matches("hX-A\0").to_owned()
    }

    #[test]
    fn every_edit_has_its_bytes() {
        let (name, value) = (|| "X-A".to_owned(), || "v".to_owned());
        let frames = settled(
            0x3f,
            LEADING_SPACE,
            vec![
                Edit::AddHeader { name: name(), value: value() },
                Edit::InsertHeader { index: 1, name: name(), value: value() },
                Edit::ChangeHeader { index: 2, name: name(), value: value() },
                Edit::DeleteHeader { index: 3, name: name() },
                Edit::RemoveRecipient { raw: b"<\xE5@x.se>".to_vec() },
                Edit::AddRecipient { address: "b@x.se".into() },
                Edit::Quarantine { reason: "why".into() },
            ],
        );
        let expected: [&[u8]; 8] = [
            b"hX-A\0 v\0",
            b"i\0\0\0\x01X-A\0 v\0",
            b"m\0\0\0\x02X-A\0 v\0",
            b"m\0\0\0\x03X-A\0\0",
            b"-<\xE5@x.se>\0",
            b"+<b@x.se>\0",
            b"qwhy\0",
            b"c",
        ];
        assert_eq!(frames, expected);
    }

    #[test]
    fn no_answer_discards() {
        let edits = [
            Edit::AddHeader { name: "d".into(), value: "d".into() },
            Edit::InsertHeader { index: 1, name: "d".into(), value: "d".into() },
            Edit::ChangeHeader { index: 2, name: "d".into(), value: "d".into() },
            Edit::DeleteHeader { index: 3, name: "d".into() },
            Edit::RemoveRecipient { raw: b"d".to_vec() },
            Edit::AddRecipient { address: "d".into() },
            Edit::Quarantine { reason: "d".into() },
        ];
        // Whatever the MTA allows, and whichever edits there are.
        for actions in 0..=0x1ff {
            for chosen in 0_u32..1 << edits.len() {
                let some = edits.iter().enumerate().filter(|(at, _)| chosen & 1 << at != 0);
                let frames = settled(actions, 0, some.map(|(_, edit)| edit.clone()).collect());
                assert!(frames.iter().all(|frame| frame[0] != b'd'), "{actions:#x} {chosen:#b}");
            }
        }
    }

    #[test]
    fn without_the_leading_space_the_mta_adds_it() {
        assert_eq!(added("v"), "v");
        assert_eq!(added(""), " ");
    }

    #[test]
    fn nothing_leaves_its_field() {
        assert_eq!(added("a\r\nInjected: yes\0b"), "a  Injected: yes b");
    }

    #[test]
    fn values_are_folded_at_spaces_and_unfold_to_themselves() {
        let value = "personnummer=2; health=1; ".repeat(20);
        let folded = added(&value);
        assert!(folded.split('\n').all(|line| line.len() <= FOLD_AFTER && !line.trim().is_empty()));
        assert_eq!(folded.replace('\n', ""), value);
    }

    #[test]
    fn a_long_word_is_cut_before_the_line_is_too_long() {
        let folded = added(&"å".repeat(2_000));
        assert!(folded.split('\n').all(|line| line.len() <= 998));
        assert_eq!(folded.replace("\n ", ""), "å".repeat(2_000));
    }

    #[test]
    fn header_edits_that_are_not_allowed_are_left_out() {
        let edit = Edit::AddHeader { name: "X-A".into(), value: "v".into() };
        assert_eq!(settled(0, 0, vec![edit]), [b"c"]);
    }

    #[test]
    fn a_mail_is_never_let_through_unheld() {
        let header = Edit::AddHeader { name: "X-A".into(), value: "v".into() };
        let hold = Edit::Quarantine { reason: "why".into() };
        let frames = settled(action::ADD_HEADERS, 0, vec![header, hold]);
        assert!(frames.len() == 1 && frames[0].starts_with(b"y451 4.3.5 "), "{frames:?}");
    }
}
