//! The keys of held mail.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, Key};

/// `[held]`.
pub(super) const HELD: &[Key] = &[
    Key {
        name: "queue_helper",
        kind: "absolute path",
        default: Fallback::Text("/run/postvakt-queue.sock"),
        example: "\"/run/postvakt-queue.sock\"",
        meaning: "Socket of `postvakt queue-helper`, which alone acts on Postfix's hold queue.",
        why: "postvakt-queue.socket has it there.",
        keys: &[],
    },
    Key {
        name: "four_eyes",
        kind: "true, false",
        default: Fallback::Flag(false),
        example: "true",
        meaning: "Whether a mail is released, returned or handed over only when a second person gives the same command within 7 days.",
        why: "At night one person may be on duty. Set it where two people are at hand.",
        keys: &[],
    },
    Key {
        name: "owner",
        kind: "mailbox inside",
        default: Fallback::Off,
        example: "\"it-support@exempelby.se\"",
        meaning: "Who is told of held mail where the rule that holds it has no `owner`. Requires [smtp].",
        why: "Only you know who decides. Without it, nobody is told; the metric `postvakt_held_messages` counts such mail all the same.",
        keys: &[],
    },
    Key {
        name: "digest_at",
        kind: "time of day",
        default: Fallback::Text("07:00"),
        example: "\"07:00\"",
        meaning: "When owners are told each day, in the organisation's time zone, if mail is on hold.",
        why: "It is there when work begins.",
        keys: &[],
    },
    Key {
        name: "remind_age",
        kind: "time span",
        default: Fallback::Text("24 h"),
        example: "\"24 h\"",
        meaning: "Owners are told at once when a mail has been on hold for this long.",
        why: "Senders expect an answer on the next day.",
        keys: &[],
    },
    Key {
        name: "remind_count",
        kind: "number",
        default: Fallback::Number(20),
        example: "20",
        meaning: "Owners are told at once when this many of their mails are on hold.",
        why: "So many at a time are seldom what a rule is for.",
        keys: &[],
    },
    Key {
        name: "hold_at_most",
        kind: "time span",
        default: Fallback::Off,
        example: "\"5 d\"",
        meaning: "A mail that nobody has acted on in this time is handed over to `hand_over_to`, and stays on hold. At most 90 days.",
        why: "Held mail must not be forgotten. It is never returned or deleted by itself.",
        keys: &[],
    },
    Key {
        name: "hand_over_to",
        kind: "mailbox inside",
        default: Fallback::Off,
        example: "\"registrator@exempelby.se\"",
        meaning: "Mailbox that gets a copy of such mail. Requires `hold_at_most` and [smtp].",
        why: "The registrar can decide about any public record.",
        keys: &[],
    },
];

/// Of every rule that can hold mail.
pub(super) const OWNER: Key = Key {
    name: "owner",
    kind: "mailbox inside",
    default: Fallback::Found("`owner` of `[held]`"),
    example: "\"it-support@exempelby.se\"",
    meaning: "Who is told of mail that the rule holds: once a day, and at once when it is old or much.",
    why: "Held mail without an owner is forgotten.",
    keys: &[],
};
