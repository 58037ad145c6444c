//! Markup: HTML and XML as a row of tokens, read so that nothing can make it fail or take more than one pass. What is
//! broken is read as browsers read it, or as text.

#![deny(clippy::disallowed_methods)]

pub(crate) mod cells;
mod data;
mod declared;
mod entities;
mod escapes;
mod html;
mod tokens;

pub(crate) use data::unpercent;
pub(crate) use declared::charset;
pub(crate) use entities::decode;
pub(crate) use escapes::unescape;
pub(crate) use html::text;
pub(crate) use tokens::{Tag, Token, xml};
