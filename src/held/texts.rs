//! What is sent about held mail: notices, and the copy that is handed over.

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};

use super::queue::{Queue, QueueId, Waiting};
use crate::address::Address;
use crate::config::Config;
use crate::courier;
use crate::metrics::METRICS;
use crate::notice::name::{self, Key};
use crate::notice::{Automatic, OutgoingNotice};
use crate::record::{OutboxKind, OutboxRow};
use crate::store::held::HeldAct;
use crate::store::search::Found;
use crate::templates::{Fields, Occasion};

/// The notice to the sender of a mail that is returned, and its recipient.
pub fn returned(
    config: &Config,
    waiting: &Waiting,
    found: Option<&Found>,
    text: &str,
) -> Result<(String, String), String> {
    let Some(settings) = &config.notice_settings else { return Err("there is no [smtp]".to_owned()) };
    let Some(to) = Address::parse(&waiting.sender) else { return Err("the sender is no address".to_owned()) };
    let (from, texts) = settings.voice(config.organisation.authority_of(&to));
    let name = config.organisation.name_for(&to);
    let arrived = waiting.arrived.to_zoned(settings.time_zone.clone());
    let (recipients, subject) = match found {
        Some(found) => (found.record.recipients.join(", "), found.record.subject.clone()),
        None => (waiting.recipients.join(", "), String::new()),
    };
    let fields = vec![
        ("organisation", name.to_owned()),
        ("mailbox", to.to_string()),
        ("recipients", recipients),
        ("subject", subject),
        ("text", text.to_owned()),
        ("queue_id", waiting.id.to_string()),
        ("date", arrived.strftime("%Y-%m-%d").to_string()),
        ("time", arrived.strftime("%H:%M").to_string()),
    ];
    let mut faults = Vec::new();
    let text = texts.of(Occasion::MailReturned).render_or_shipped(&fields, &mut faults);
    let Some(text) = text else { return Err(faults.join("; ")) };
    let key = name::key(["mail-returned", waiting.id.as_str(), &waiting.arrived.to_string()]);
    let date = Timestamp::now().to_zoned(settings.time_zone.clone());
    let notice = OutgoingNotice {
        from,
        from_name: name,
        to: &to,
        subject: &text.subject,
        body: &text.body,
        date: &date,
        message_id: &name::message_id("notice", &key, from),
        automatic: Automatic::Generated,
    };
    Ok((to.to_string(), notice.to_message()))
}

/// Sends a copy to the mailbox, with fields that say by whom and when (RFC 5322 §3.6.6). The server's reply. If the copy does
/// not arrive, the mailbox in whose name notices are written gets the bounce.
pub fn hand_over(config: &Config, queue: &Queue, id: &QueueId, act: &HeldAct) -> Result<String, String> {
    let (Some(settings), Some(smtp)) = (&config.notice_settings, &config.smtp) else {
        return Err("there is no [smtp]".to_owned());
    };
    let from = &settings.notices_from;
    let message = queue.message(id).map_err(|error| error.to_string())?;
    let now = Timestamp::now();
    let date =
        rfc2822::to_string(&now.to_zoned(settings.time_zone.clone())).map_err(|error| error.to_string())?;
    let key = name::key(["handed-over", id.as_str(), &act.to, &now.to_string()]);
    let message_id = name::message_id("handed-over", &key, from);
    let mut copy = format!(
        "Resent-Date: {date}\r\nResent-From: {from}\r\nResent-To: {}\r\nResent-Message-ID: {message_id}\r\n",
        act.to
    )
    .into_bytes();
    copy.extend_from_slice(&message);
    courier::hand_over(smtp, Some(&from.to_string()), &act.to, &copy)
}

/// A notice for the outbox, with `below` behind its text; none where nothing is sent, or its template gives no text.
pub fn notice(
    config: &Config,
    (occasion, to): (Occasion, &Address),
    mut fields: Fields,
    below: &str,
    key: Key,
) -> Option<OutboxRow> {
    let settings = config.notice_settings.as_ref()?;
    let (from, texts) = settings.voice(config.organisation.authority_of(to));
    let from_name = config.organisation.name_for(to);
    let now = Timestamp::now();
    let date = now.to_zoned(settings.time_zone.clone());
    fields.extend([
        ("organisation", from_name.to_owned()),
        ("mailbox", to.to_string()),
        ("date", date.strftime("%Y-%m-%d").to_string()),
        ("time", date.strftime("%H:%M").to_string()),
    ]);
    let mut faults = Vec::new();
    let text = texts.of(occasion).render_or_shipped(&fields, &mut faults);
    for fault in faults {
        METRICS.letter_faults.inc();
        tracing::error!(fault, "cannot write a notice from its template");
    }
    let text = text?;
    let notice = OutgoingNotice {
        from,
        from_name,
        to,
        subject: &text.subject,
        body: &format!("{}{below}", text.body),
        date: &date,
        message_id: &name::message_id("notice", &key, from),
        automatic: Automatic::Generated,
    };
    let age = SignedDuration::try_from(settings.max_age).unwrap_or(SignedDuration::MAX);
    Some(OutboxRow {
        key,
        kind: OutboxKind::Notice,
        at: now,
        due: now,
        until: now.saturating_add(age).unwrap_or(Timestamp::MAX),
        mailbox: from.to_string(),
        recipient: to.to_string(),
        reference: name::reference("PN", &key, date.year()),
        held: false,
        message: notice.to_message(),
    })
}
