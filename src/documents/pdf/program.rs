//! What the program of an embedded font says of its glyphs: Type 1 (its clear part), CFF (Adobe's Technical Note 5176)
//! and `TrueType`. A font whose dictionary says nothing is read by these.

#![deny(clippy::disallowed_methods)]

mod compact;
mod truetype;

use std::collections::HashMap;

use super::encoding::{self, Base};
use super::file::File;
use super::object::{Dictionary, Next, Object, Parser};
use crate::documents::Budget;

/// What an embedded font says.
#[derive(Default)]
pub(super) struct Program {
    /// What each code of a simple font stands for; `None` where the font has no encoding of its own.
    pub(super) codes: Option<Vec<Option<String>>>,
    /// What each glyph stands for, by its number.
    pub(super) glyphs: HashMap<u16, String>,
}

/// The program of the font with that descriptor; `None` where none is embedded or it cannot be had.
pub(super) fn read(file: &File<'_>, descriptor: &Dictionary, budget: &mut Budget) -> Option<Program> {
    let keys = ["FontFile", "FontFile2", "FontFile3"];
    let Object::Reference(number) = keys.iter().find_map(|key| descriptor.get(key))? else { return None };
    let program = file.data(*number, budget).ok()?;
    Some(match program.get(..4)? {
        b"OTTO" => truetype::table(&program, *b"CFF ").and_then(compact::read).unwrap_or_default(),
        [0, 1, 0, 0] | b"true" | b"ttcf" => truetype::read(&program),
        [1, 0, ..] => compact::read(&program).unwrap_or_default(),
        _ => Program { codes: clear_part(&program), glyphs: HashMap::new() },
    })
}

/// Whether a program is embedded.
pub(super) fn is_embedded(descriptor: &Dictionary) -> bool {
    ["FontFile", "FontFile2", "FontFile3"].iter().any(|key| descriptor.get(key).is_some())
}

/// The encoding in the clear part of a Type 1 font: `dup 65 /A put`, or the standard one.
fn clear_part(program: &[u8]) -> Option<Vec<Option<String>>> {
    let mut codes = vec![None; 256];
    let mut any = false;
    let mut parser = Parser::in_content(program);
    let mut last = [Object::Null, Object::Null];
    while let Some(next) = parser.next() {
        match next {
            Next::Word(b"eexec") => break,
            Next::Word(b"StandardEncoding") => return Some(encoding::table(Base::Standard)),
            Next::Word(b"put") => {
                let code = last[0].index().and_then(|code| usize::try_from(code).ok());
                if let Some(place) = code.and_then(|code| codes.get_mut(code))
                    && let Object::Name(name) = &last[1]
                {
                    *place = encoding::glyph(name);
                    any = true;
                }
            }
            Next::Word(_) => {}
            Next::Object(object) => {
                let [_, before] = last;
                last = [before, object];
            }
        }
    }
    any.then_some(codes)
}
