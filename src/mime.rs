//! MIME: the one reader of a message's structure and of its encodings, for the mail itself and for messages inside
//! documents. It knows octets and says where what is; what that means for a mail is said in `facts`.

#![deny(clippy::disallowed_methods)]

pub(crate) mod charset;
pub(crate) mod defects;
pub(crate) mod lines;
pub(crate) mod parameters;
pub(crate) mod part;
pub(crate) mod parts;
pub(crate) mod piece;
pub(crate) mod section;
pub(crate) mod tokens;
pub(crate) mod transfer;
mod uuencode;
pub(crate) mod words;

pub use defects::Defect;
