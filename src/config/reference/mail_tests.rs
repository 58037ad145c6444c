//! The keys of the config's own tests.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, Key};

/// What `[[tests]]` is for.
pub(super) const ABOUT: &str = "A mail, and how this config must judge it. `postvakt check` runs all tests, and so does every reload: if a test fails, the old config stays active. They do not run at the start, so that a gateway that starts at night is not kept down by a test. A test mail is judged as `postvakt explain` judges it; DNS, scanners and directories are asked as for any mail. Each test begins with an empty memory. At most 200 tests with 64 MiB of mail, and one minute for all of them.";

const OPTIONAL: Key = Key {
    name: "",
    kind: "",
    default: Fallback::Off,
    example: "",
    meaning: "",
    why: "Most tests do not need it.",
    keys: &[],
};

/// The keys of `[[tests]]`.
pub(super) const TEST: &[Key] = &[
    Key {
        name: "mail",
        kind: "file name",
        default: Fallback::Required,
        example: "\"tests/elevlista.eml\"",
        meaning: "The message, as mail programs and `postcat -bhq` save it: at most 4 MiB, in any encoding.",
        why: "A test is about one mail.",
        ..OPTIONAL
    },
    Key {
        name: "expect",
        kind: "accepted | marked | held | deferred | rejected",
        default: Fallback::Required,
        example: "\"held\"",
        meaning: "Verdict that the mail must get.",
        why: "Only you know what should happen to it.",
        ..OPTIONAL
    },
    Key {
        name: "would",
        kind: "accepted | marked | held | deferred | rejected",
        example: "\"held\"",
        meaning: "Verdict that the mail must get if the rules in `observe` acted too.",
        why: "A rule can be tested before it is enforced.",
        ..OPTIONAL
    },
    Key {
        name: "findings",
        kind: "list of `rule` or `rule=grade`",
        example: "[\"sensitive-data=certain\"]",
        meaning: "What the rules must find. A rule without a grade must match. Grades are `weak`, `medium`, `strong` and `certain`, and `unknown` if the check could not be completed. The rule must be enabled.",
        why: "A verdict alone does not say which rule gave it.",
        ..OPTIONAL
    },
    Key {
        name: "without",
        kind: "list of `rule` or `rule=grade`",
        example: "[\"credentials\"]",
        meaning: "What the rules must not find. The rules must be enabled: one that is off finds nothing.",
        why: "A false alarm that was put right should not come back.",
        ..OPTIONAL
    },
    Key {
        name: "source",
        kind: "text",
        example: "\"Huddinge 3\"",
        meaning: "Where the test comes from: a case, an incident, a decision. Messages about the test have it.",
        why: "Whoever changes a rule next year should know why the test is there.",
        ..OPTIONAL
    },
    Key {
        name: "after",
        kind: "list of file names",
        example: "[\"tests/elevlista.eml\"]",
        meaning: "Messages that came before this one, in this order. Their transactions are guessed as `postvakt explain` guesses them.",
        why: "A forward is recognised by the mail that came in before it.",
        ..OPTIONAL
    },
    Key {
        name: "sender",
        kind: "address, or `<>`",
        default: Fallback::Found("Return-Path, else From"),
        example: "\"anna@exempelby.se\"",
        meaning: "Envelope sender.",
        ..OPTIONAL
    },
    Key {
        name: "recipients",
        kind: "list of addresses",
        default: Fallback::Found("To and Cc, else Delivered-To"),
        example: "[\"info@example.org\"]",
        meaning: "Envelope recipients.",
        ..OPTIONAL
    },
    Key {
        name: "client",
        kind: "IP address",
        default: Fallback::Found(
            "a host inside if the sender is inside or a recipient is outside, else a host outside",
        ),
        example: "\"10.0.0.5\"",
        meaning: "Address of the SMTP client.",
        ..OPTIONAL
    },
    Key {
        name: "auth_user",
        kind: "text",
        example: "\"anna\"",
        meaning: "The authenticated user (SASL).",
        ..OPTIONAL
    },
    Key {
        name: "arrived",
        kind: "time in quotes",
        default: Fallback::Found("now"),
        example: "\"2026-12-01T10:00:00+01:00\"",
        meaning: "When the mail arrives, which the end of exceptions and the time windows of custom rules depend on.",
        ..OPTIONAL
    },
    Key {
        name: "direction",
        kind: "inbound | outbound | internal",
        default: Fallback::Found("from client and recipients"),
        example: "\"outbound\"",
        meaning: "Direction that the socket fixes, as `direction` in `listen` does.",
        ..OPTIONAL
    },
];
