//! The letters that follow from a decision, written and ready for the outbox.

#![deny(clippy::disallowed_methods)]

use jiff::{SignedDuration, Timestamp, Zoned};

use crate::address::Address;
use crate::facts::Facts;
use crate::notice::{Automatic, NoticeSettings, OutgoingNotice, name};
use crate::policy::receipts::Receipt;
use crate::policy::{Decision, Notice, Step};
use crate::record::{OutboxKind, OutboxRow};
use crate::templates::{Fields, Occasion, Rendered, Template};

/// What a decision gives to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The letters.
    pub rows: Vec<OutboxRow>,
    /// What was wrong with the organisation's own texts; the text that comes with the program was taken instead.
    pub faults: Vec<String>,
}

/// The letters that follow from a decision; with `less`, none has the mail's subject.
pub fn outgoing(facts: &Facts, decision: &Decision, settings: &NoticeSettings, less: bool) -> Outgoing {
    let mut writer = Writer { facts, settings, less, outgoing: Outgoing::default() };
    for step in &decision.steps {
        match step {
            Step::Notify(notice) => writer.notice(notice),
            Step::Mark(_)
            | Step::RemoveRecipient(_)
            | Step::AddRecipient(_)
            | Step::Hold(_)
            | Step::Defer
            | Step::Reject(_) => {}
        }
    }
    if let Some(sender) = facts.sender.address() {
        for receipt in decision.receipts.iter().filter(|receipt| receipt.is_sent()) {
            writer.receipt(receipt, sender);
        }
    }
    writer.outgoing
}

struct Writer<'a> {
    facts: &'a Facts,
    settings: &'a NoticeSettings,
    less: bool,
    outgoing: Outgoing,
}

impl Writer<'_> {
    fn notice(&mut self, notice: &Notice) {
        let key = name::key(["notice", notice.occasion.as_str(), &notice.once]);
        let organisation = &self.facts.organisation;
        let (from, texts) = self.settings.voice(organisation.authority_of(&notice.to));
        let mut fields = notice.fields.clone();
        fields.push(("mailbox", notice.to.to_string()));
        if !organisation.keeps(&notice.to) {
            self.outgoing.faults.push("a notice to a mailbox outside was not written".to_owned());
            return;
        }
        let date = self.arrived();
        fields.push(("date", date.strftime("%Y-%m-%d").to_string()));
        fields.push(("time", date.strftime("%H:%M").to_string()));
        if notice.occasion == Occasion::SensitiveStopped {
            fields.push(("override", if notice.answerable { "yes" } else { "" }.to_owned()));
        }
        // Only an answer to a notice that says so releases the mail.
        let kind = if notice.answerable { "override" } else { "notice" };
        let name = organisation.name_for(&notice.to);
        let Some(text) = self.render(&texts.of(notice.occasion), name, fields) else { return };
        let notice = OutgoingNotice {
            from,
            from_name: name,
            to: &notice.to,
            subject: &text.subject,
            body: &text.body,
            date: &date,
            message_id: &name::message_id(kind, &key, from),
            automatic: Automatic::Generated,
        };
        let row = OutboxRow {
            key,
            kind: OutboxKind::Notice,
            at: self.facts.arrived,
            due: self.facts.arrived,
            until: self.until(),
            mailbox: from.to_string(),
            recipient: notice.to.to_string(),
            reference: name::reference("PN", &key, date.year()),
            held: false,
            message: notice.to_message(),
        };
        self.outgoing.rows.push(row);
    }

    fn receipt(&mut self, receipt: &Receipt, sender: &Address) {
        let facts = self.facts;
        let (from, date) = (&receipt.mailbox.address, self.arrived());
        let authority = facts.organisation.name_for(from);
        let name = receipt.mailbox.name.as_deref().unwrap_or(authority);
        let subject = facts.header.subject.clone().filter(|_| receipt.echo_subject);
        let fields = vec![
            ("mailbox", from.to_string()),
            ("mailbox_name", name.to_owned()),
            ("reference", receipt.reference.clone()),
            ("date", date.strftime("%Y-%m-%d").to_string()),
            ("time", date.strftime("%H:%M").to_string()),
            ("subject", subject.unwrap_or_default()),
        ];
        let Some(text) = self.render(&receipt.mailbox.template, authority, fields) else { return };
        let notice = OutgoingNotice {
            from,
            from_name: name,
            to: sender,
            subject: &text.subject,
            body: &text.body,
            date: &date,
            message_id: &name::message_id("receipt", &receipt.key, from),
            automatic: Automatic::Replied {
                to: facts.header.message_id.as_deref(),
                references: &facts.header.references,
            },
        };
        let delay = SignedDuration::try_from(receipt.delay).unwrap_or_default();
        let row = OutboxRow {
            key: receipt.key,
            kind: OutboxKind::Receipt,
            at: facts.arrived,
            due: facts.arrived.saturating_add(delay).unwrap_or(facts.arrived),
            until: self.until(),
            mailbox: from.to_string(),
            recipient: sender.to_string(),
            reference: receipt.reference.clone(),
            held: receipt.waits,
            message: notice.to_message(),
        };
        self.outgoing.rows.push(row);
    }

    /// The text, in the name of the organisation or of one of its authorities.
    fn render(&mut self, template: &Template, name: &str, mut fields: Fields) -> Option<Rendered> {
        fields.push(("organisation", name.to_owned()));
        if self.less {
            fields.iter_mut().filter(|(name, _)| *name == "subject").for_each(|(_, subject)| subject.clear());
        }
        template.render_or_shipped(&fields, &mut self.outgoing.faults)
    }

    fn until(&self) -> Timestamp {
        let age = SignedDuration::try_from(self.settings.max_age).unwrap_or(SignedDuration::MAX);
        self.facts.arrived.saturating_add(age).unwrap_or(Timestamp::MAX)
    }

    /// When the mail came, where the organisation is.
    fn arrived(&self) -> Zoned {
        self.facts.arrived.to_zoned(self.settings.time_zone.clone())
    }
}

#[cfg(test)]
mod tests;
