//! Charsets: octets become text, whatever their label says. One of two files that name `mail_parser`.

#![deny(clippy::disallowed_methods)]

use mail_parser::decoders::charsets::DecoderFnc;
use mail_parser::decoders::charsets::map::charset_decoder;

/// The decoder for the charset of that label.
pub(super) fn decoder(label: &[u8]) -> Option<DecoderFnc> {
    charset_decoder(label)
}
