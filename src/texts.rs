//! The sentences of all SMTP replies: Swedish first, English second. They never name what was found.

#![deny(clippy::disallowed_methods)]

/// The record could not be stored.
pub const STORE_FAILED: &str = "Meddelandet kan inte loggas just nu, försök igen senare (The message cannot be logged now, try again later)";
/// An error in this program.
pub const INTERNAL_ERROR: &str = "Tillfälligt fel i e-postfiltret, försök igen senare (Temporary error in the mail filter, try again later)";
/// No verdict in time.
pub const VERDICT_LATE: &str = "E-postfiltret hann inte bli klart, försök igen senare (The mail filter ran out of time, try again later)";
/// The MTA sent something out of order.
pub const OUT_OF_ORDER: &str = "Kommandona kom i fel ordning (Commands out of order)";
/// Over `limits::RECIPIENTS`.
pub const TOO_MANY_RECIPIENTS: &str = "För många mottagare (Too many recipients)";
/// Over `limits::ADDRESS_OCTETS`.
pub const ADDRESS_TOO_LONG: &str = "Adressen är för lång (The address is too long)";
/// Over `limits::HEADER_OCTETS` or `limits::HEADER_FIELDS`.
pub const HEADER_TOO_LARGE: &str = "Brevhuvudet är för stort (The header section is too large)";
/// A rule refused an automatic forward.
pub const FORWARD_REFUSED: &str = "Automatisk vidarebefordran till extern adress är inte tillåten \
     (Automatic forwarding to an external address is not allowed)";
/// A rule of the organisation's own refused the mail.
pub const POLICY_REFUSED: &str = "Meddelandet följer inte organisationens regler för e-post \
     (The message violates the organisation's e-mail rules)";
/// The virus scanner found a virus.
pub const VIRUS_REFUSED: &str = "Meddelandet innehåller skadlig kod (The message contains malicious code)";
/// Over `limits::FORGED_FIELDS`.
pub const FORGED_REFUSED: &str = "Brevhuvudet innehåller för många fält som är reserverade för e-postfiltret \
     (Too many header fields reserved for the mail filter)";
/// A check could not be completed, and `on_unknown` says `tempfail`.
pub const UNKNOWN_DEFERRED: &str = "Meddelandet kan inte kontrolleras just nu, försök igen senare (The message cannot be checked now, try again later)";
/// The MTA does not allow an edit without which the mail must not pass.
pub const EDIT_NOT_GRANTED: &str = "Meddelandet kan inte hanteras just nu, försök igen senare (The message cannot be handled now, try again later)";
/// An invalid address.
pub const ADDRESS_INVALID: &str = "Adressen går inte att tolka (The address cannot be read)";
/// Over `limits::IN_FLIGHT_OCTETS` for too long.
pub const BUSY: &str =
    "E-postfiltret är överlastat, försök igen senare (The mail filter is overloaded, try again later)";

/// What a notice says of a suspicious attachment, in Swedish and in English.
pub const ATTACHMENT: (&str, &str) =
    ("Meddelandet har en bilaga som kan vara skadlig.", "The message has an attachment that may be harmful.");

/// A rule rejects sensitive data. The alternative is the organisation's `secure_alternative`.
pub fn sensitive_refused(alternative: Option<&str>) -> String {
    match alternative {
        Some(alternative) => format!(
            "Meddelandet innehåller uppgifter som inte får skickas med vanlig e-post. Använd {alternative} \
             (The message contains data that must not be sent by ordinary e-mail. Use {alternative})"
        ),
        None => "Meddelandet innehåller uppgifter som inte får skickas med vanlig e-post. Kryptera dem, eller använd \
                 organisationens säkra kanal (The message contains data that must not be sent by ordinary e-mail. Encrypt it, \
                 or use the organisation's secure channel)"
            .to_owned(),
    }
}
