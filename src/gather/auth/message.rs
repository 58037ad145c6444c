//! The message as its signatures are read: the first few of them, and no chain that is longer than any real one.

use mail_auth::common::headers::Header;
use mail_auth::{AuthenticatedMessage, Error};

use crate::limits;
use crate::mail::Message;

/// A message, without what is too much of it.
pub(super) struct Signed<'m> {
    /// With as many signatures as are looked at.
    pub(super) message: AuthenticatedMessage<'m>,
    /// How many DKIM signatures are not looked at: those above the limit, and those that are too long.
    pub(super) left_out: usize,
    /// Whether its ARC fields are more, or longer, than those of any real chain.
    pub(super) endless: bool,
    /// Whether there is more of the body than is here, so that no hash of it can be right.
    pub(super) cut: bool,
}

/// Reads it. A message without a header section has no signatures.
pub(super) fn read(message: &Message) -> Signed<'_> {
    let mut parsed = AuthenticatedMessage::parse(&message.bytes).unwrap_or_default();
    let named = |prefix: &str| {
        let begins = |name: &[u8]| {
            name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        let fields = parsed.headers.iter().filter(move |(name, _)| begins(name));
        fields.map(|(_, value)| *value).collect::<Vec<_>>()
    };
    let (signatures, arc) = (named("DKIM-Signature"), named("ARC-"));
    let fits = |value: &&[u8]| value.len() <= limits::SIGNATURE_OCTETS;
    let endless = arc.len() > limits::ARC_FIELDS || !arc.iter().all(fits);
    let looked_at: Vec<_> =
        signatures.iter().copied().filter(fits).map(<[u8]>::as_ptr).take(limits::SIGNATURES).collect();
    let left_out = signatures.len() - looked_at.len();
    parsed.dkim_headers.retain(|signature| looked_at.contains(&signature.value.as_ptr()));
    parsed.errors.retain(|wrong| of_dkim(wrong) && looked_at.contains(&wrong.value.as_ptr()));
    for signature in &mut parsed.dkim_headers {
        // Whom to report to (RFC 6651), and who else might have signed (RFC 6541), is not asked.
        signature.header.r = false;
        signature.header.atps = None;
    }
    Signed { message: parsed, left_out, endless, cut: message.truncated() }
}

fn of_dkim(wrong: &Header<'_, Error>) -> bool {
    matches!(wrong.header, Error::Dkim(_))
}
