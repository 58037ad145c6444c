//! The documented keys of a custom rule's conditions.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, Key};

/// The keys of a custom rule's section.
pub(super) const SECTION_KEYS: &[Key] = &[Key {
    name: "when",
    kind: "table",
    default: Fallback::Required,
    example: "{ direction = \"inbound\", attachment_name = '(?i)\\.(exe|scr|js)$' }",
    meaning: "Conditions on the mail. All of them must be met.",
    why: "A rule without conditions would match every mail.",
    keys: WHEN_KEYS,
}];

const WHEN_KEYS: &[Key] = &[
    when("direction", "inbound, outbound, internal", "\"inbound\"", "Direction of the mail."),
    when(
        "sender",
        "pattern, group:NAME, or list of these",
        "'@example\\.org$'",
        "The envelope sender; `<>` for bounces.",
    ),
    when(
        "recipient",
        "pattern, group:NAME, or list of these",
        "'^registrator@'",
        "Any envelope recipient. The rule then applies to the recipients that match.",
    ),
    when(
        "client",
        "list of networks or addresses",
        "[\"192.0.2.0/24\", \"2001:db8::7\"]",
        "The address of the SMTP client. A mail submitted on this host comes from 127.0.0.1.",
    ),
    when(
        "auth_user",
        "pattern, group:NAME, or list of these",
        "'^skolskrivare'",
        "The user that authenticated (SASL). It is not met without one.",
    ),
    when("tls", "true, false", "true", "Whether the SMTP session was encrypted (TLS)."),
    when("recipients_above", "whole number", "100", "The mail has more envelope recipients than this."),
    when(
        "from",
        "pattern, group:NAME, or list of these",
        "'@exempelby\\.se$'",
        "Any address in the header field From.",
    ),
    when(
        "from_mismatch",
        "address, domain",
        "\"domain\"",
        "No address in From is the envelope sender (`address`), or has its domain (`domain`). It is not met by bounces, whose envelope sender is empty.",
    ),
    when(
        "reply_to",
        "pattern, group:NAME, or list of these",
        "'@example\\.net$'",
        "Any address in the header field Reply-To.",
    ),
    when(
        "reply_to_mismatch",
        "address, domain",
        "\"domain\"",
        "An address in Reply-To is none of those in From (`address`), or has none of their domains (`domain`).",
    ),
    when("subject", "pattern", "'(?i)faktura'", "The decoded subject."),
    when("text", "pattern", "'(?i)lösenord'", "Any decoded text part, up to 1 MiB of text in total."),
    when(
        "header",
        "table of patterns",
        "{ \"X-Mailer\" = 'MassMail' }",
        "Any header field of that name, unfolded; encoded words are not decoded.",
    ),
    when("size_above", "size", "\"10 MB\"", "The message is larger than this, as transferred."),
    when(
        "attachment_name",
        "pattern",
        "'(?i)\\.(exe|scr|js)$'",
        "The decoded name of an attachment, or of a file in an archive: as sent, and as Windows reads it (without dots and spaces at the end).",
    ),
    when(
        "attachment_type",
        "pattern",
        "'^application/zip$'",
        "The media type of an attachment: as declared, in lower case and without parameters; of a file in an archive, by its content.",
    ),
    when(
        "attachment_kind",
        "list of kinds",
        "[\"executable\", \"shortcut\"]",
        "What an attachment or a file in an archive is by its content, whatever it is called.",
    ),
    when(
        "attachment_size_above",
        "size",
        "\"10 MB\"",
        "An attachment, or a file in an archive, is larger than this after decoding.",
    ),
    when(
        "attachment_encrypted",
        "true, false",
        "true",
        "Whether an attachment, or a file in an archive, is encrypted.",
    ),
    when(
        "encrypted",
        "true, false",
        "true",
        "Whether any part of the message is encrypted: S/MIME, PGP, or an encrypted document or archive.",
    ),
    when(
        "finding",
        "rule, or list of rules; or rule=grade",
        "[\"first-contact\", \"spam=strong\"]",
        "What a built-in rule found in the mail, in any mode: of any grade, or of this grade at least. The rule must be enabled. Built-in rules come first, whatever the order of the file.",
    ),
    when(
        "class_at_least",
        "moderate, considerable, serious",
        "\"considerable\"",
        "The class of the data that `sensitive-data` and `credentials` found is at least this. One of the two must be enabled.",
    ),
    when(
        "spam_score_above",
        "whole number",
        "8",
        "The highest score of any spam scanner is above this. Only inbound mail is scanned; other mail does not meet it.",
    ),
    when(
        "weekdays",
        "list of mon, tue, wed, thu, fri, sat, sun",
        "[\"sat\", \"sun\"]",
        "The day on which the mail arrived, in the organisation's time zone.",
    ),
    when(
        "hours",
        "HH:MM-HH:MM, or list of them",
        "\"17:00-07:30\"",
        "The time of day at which the mail arrived, in the organisation's time zone. The end does not count; a span may pass midnight.",
    ),
    when("since", "date", "2026-12-20", "The mail arrived on this day or later."),
    when("until", "date", "2027-01-07", "The mail arrived on this day or earlier."),
    when("dates", "list of dates", "[2026-12-24, 2026-12-31]", "The mail arrived on one of these days."),
    when(
        "not",
        "table of conditions",
        "{ sender = '@exempelby\\.se$' }",
        "These conditions are not all met. If that cannot be determined, neither can this.",
    ),
    when(
        "any",
        "list of tables of conditions",
        "[{ subject = '(?i)faktura' }, { attachment_name = '(?i)faktura' }]",
        "At least one of these groups of conditions is met.",
    ),
    when(
        "all",
        "list of tables of conditions",
        "[{ recipient = '^info@' }, { recipient = '^registrator@' }]",
        "Each of these groups of conditions is met: for two conditions of the same kind.",
    ),
];

const fn when(name: &'static str, kind: &'static str, example: &'static str, meaning: &'static str) -> Key {
    Key {
        name,
        kind,
        default: Fallback::Off,
        example,
        meaning,
        why: "An absent condition is not checked.",
        keys: &[],
    }
}
