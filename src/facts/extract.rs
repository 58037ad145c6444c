//! Extraction: a mail becomes facts.

#![deny(clippy::disallowed_methods)]

use std::collections::HashMap;
use std::sync::Arc;

use super::scan::Scans;
use super::{
    Contents, Defect, Fact, Facts, Header, Needs, Recipient, attachment, contents, direction, forwarding,
    links, passage,
};
use crate::mail::{Direction, Mail};
use crate::mime::defects::Defects;
use crate::mime::parts::{self, Want};
use crate::mime::section::Section;
use crate::organisation::Organisation;
use crate::work::Work;

/// The facts of a mail: all that stand in the mail itself. Whether the message was seen before is not asked here.
pub fn extract(mail: &Mail, organisation: &Arc<Organisation>, needs: Needs) -> Facts {
    let message = &mail.message;
    let mut defects = Defects::default();
    if message.truncated() {
        defects.add(Defect::Truncated);
    }
    let mut section = Section::whole(message.bytes.get(..message.body_at).unwrap_or(&message.bytes));
    section.body_at = message.body_at;
    let header = Header::read(&section, &mut defects);
    let pieces = match needs {
        Needs { text: true, .. } | Needs { links: true, .. } => {
            parts::walk(&message.bytes, &section, Want::All, &mut defects)
        }
        Needs { body: true, .. } => parts::walk(&message.bytes, &section, Want::Attached, &mut defects),
        _ => Vec::new(),
    };
    let (attachments, unopened) = attachment::attachments(&pieces, needs, &mut defects);
    let links = if needs.links { links::links(&pieces) } else { Vec::new() };
    let passages = if needs.text { passage::passages(&pieces, &mut defects) } else { Vec::new() };
    let recipients: Vec<_> = mail
        .envelope
        .recipients
        .iter()
        .map(|recipient| Recipient {
            address: recipient.address.clone(),
            inside: organisation.keeps(&recipient.address),
        })
        .collect();
    let (from_inside, direction) = direction::decide(mail, organisation, &recipients);
    let contents = match direction {
        Direction::Inbound | Direction::Outbound if needs.seen_days > 0 => contents::contents(&pieces),
        Direction::Inbound | Direction::Outbound | Direction::Internal => Contents::default(),
    };
    // Only mail that leaves can be a forward.
    let traces = match direction {
        Direction::Outbound if needs.seen_days > 0 => {
            forwarding::traces(&header, &mail.envelope.sender, organisation)
        }
        Direction::Outbound | Direction::Inbound | Direction::Internal => Vec::new(),
    };
    Facts {
        organisation: organisation.clone(),
        arrived: mail.arrived,
        direction,
        from_inside,
        client: mail.client.clone(),
        queue_id: mail.queue_id.clone(),
        sender: mail.envelope.sender.clone(),
        recipients,
        size: message.size,
        traces,
        header,
        attachments,
        unopened,
        passages,
        contents,
        identity: None,
        seen: Fact::NotGathered,
        answered: Fact::NotGathered,
        contained: Fact::NotGathered,
        repeats: 0,
        authentication: Fact::NotGathered,
        scans: Scans::default(),
        contact: Fact::NotGathered,
        addressed: Fact::NotGathered,
        links,
        groups: HashMap::new(),
        defects: defects.0,
        may_be_deferred: false,
        work: Arc::new(Work::unmeasured()),
    }
}
