//! A PDF file: all its objects, found by looking for them.
//!
//! Cross-reference tables are not read. They say where objects are and are often wrong; readers then look for the
//! objects themselves, and so what counts is what is there. The last object of a number is the one that holds, as
//! after an incremental update (ISO 32000-2 §7.5.6).

#![deny(clippy::disallowed_methods)]

mod cipher;
mod filter;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use memchr::memmem;

use super::object::{Dictionary, Next, Object, Parser, digits, is_blank};
use crate::documents::{Budget, Reason};
use crate::limits;
pub(super) use cipher::Closed;
use cipher::{Cipher, Stream};

/// The objects of a file, and what its trailers say.
pub(super) struct File<'a> {
    bytes: &'a [u8],
    objects: HashMap<u32, Entry>,
    /// All trailers' entries together; those of the last one hold.
    pub(super) trailer: Dictionary,
    /// There are more objects than may be kept.
    pub(super) cut: bool,
    cipher: Option<Cipher>,
}

struct Entry {
    generation: u32,
    /// Whether it comes from an object stream, whose octets were decrypted as a whole.
    inner: bool,
    object: Object,
}

impl<'a> File<'a> {
    /// Finds everything that stands in the file itself.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Reason> {
        let mut file =
            Self { bytes, objects: HashMap::new(), trailer: Dictionary::default(), cut: false, cipher: None };
        let finder = memmem::Finder::new("obj");
        let mut at = 0;
        let mut again = bytes.len().saturating_mul(limits::PDF_AGAIN_RATIO);
        while let Some(found) = finder.find(bytes.get(at..).unwrap_or_default()) {
            let keyword = at + found;
            at = keyword + "obj".len();
            let Some((number, generation)) = number_before(bytes, keyword) else { continue };
            if file.objects.len() >= limits::PDF_OBJECTS {
                file.cut = true;
                break;
            }
            let mut parser = Parser::in_file(bytes, at);
            let Some(object) = parser.object() else {
                // What is in it may still be objects, each of which goes as far.
                let Some(left) = again.checked_sub(parser.at.saturating_sub(at)) else {
                    file.cut = true;
                    break;
                };
                again = left;
                continue;
            };
            let object = file.with_data(object, &mut parser);
            at = parser.at;
            if object.dictionary().is_some_and(|dictionary| dictionary.is("Type", "XRef")) {
                file.take_trailer(&object);
            }
            file.objects.insert(number, Entry { generation, inner: false, object });
        }
        for found in memmem::find_iter(bytes, "trailer") {
            if let Some(object) = Parser::in_file(bytes, found + "trailer".len()).object() {
                file.take_trailer(&object);
            }
        }
        if file.objects.is_empty() { Err(Reason::Damaged) } else { Ok(file) }
    }

    fn take_trailer(&mut self, object: &Object) {
        if let Some(dictionary) = object.dictionary() {
            self.trailer.0.extend(dictionary.0.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
    }

    /// Whether the file says that it is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.trailer.get("Encrypt").is_some_and(|encrypt| *encrypt != Object::Null)
    }

    /// Opens an encrypted file with the empty password.
    pub(super) fn unlock(&mut self) -> Result<(), Closed> {
        let encrypt = self.trailer.get("Encrypt").and_then(|encrypt| self.resolve(encrypt)?.dictionary());
        let id = self.trailer.get("ID").and_then(|id| self.resolve(id)?.items().first()?.string());
        let cipher = Cipher::open(encrypt.ok_or(Closed::Unknown)?, id.unwrap_or_default(), self)?;
        self.cipher = Some(cipher);
        Ok(())
    }

    /// Reads the objects inside object streams (§7.5.7). Says whether all of them could be read.
    pub(super) fn unpack_objects(&mut self, budget: &mut Budget) -> Result<(), Reason> {
        let packed = |(number, entry): (&u32, &Entry)| match &entry.object {
            Object::Stream(dictionary, data) if dictionary.is("Type", "ObjStm") => {
                Some((data.start, *number))
            }
            _ => None,
        };
        let mut streams: Vec<(usize, u32)> = self.objects.iter().filter_map(packed).collect();
        streams.sort_unstable();
        let mut result = Ok(());
        for (at, number) in streams {
            if let Err(reason) = self.unpack_stream(number, at, budget) {
                result = Err(reason);
            }
        }
        result
    }

    fn unpack_stream(&mut self, number: u32, at: usize, budget: &mut Budget) -> Result<(), Reason> {
        let data = self.data(number, budget)?;
        let dictionary = self.objects.get(&number).and_then(|entry| entry.object.dictionary());
        let entry = |key| self.index(dictionary?.get(key)?);
        let count = entry("N").ok_or(Reason::Damaged)?;
        let first = entry("First").and_then(|first| usize::try_from(first).ok()).ok_or(Reason::Damaged)?;
        let mut head = Parser::in_content(&data);
        for _ in 0..count {
            let (Some(number), Some(offset)) = (head.object(), head.object()) else { break };
            let (Some(number), Some(offset)) = (number.index(), offset.index()) else { break };
            let offset = usize::try_from(offset).map_err(|_| Reason::Damaged)?;
            let from = first.saturating_add(offset);
            let mut parser = Parser::in_file(&data, from);
            let object = parser.object();
            // Any number of objects may begin at the same place.
            budget.spend(parser.at.saturating_sub(from))?;
            let Some(object) = object else { continue };
            if self.objects.len() >= limits::PDF_OBJECTS {
                return Err(Reason::Limit);
            }
            // What stands later in the file replaces what stands before.
            let older = |entry: &Entry| match &entry.object {
                Object::Stream(_, data) => data.start < at,
                _ => true,
            };
            if self.objects.get(&number).is_none_or(older) {
                self.objects.insert(number, Entry { generation: 0, inner: true, object });
            }
        }
        Ok(())
    }

    /// The object as a stream, if data follow it.
    fn with_data(&self, object: Object, parser: &mut Parser<'_>) -> Object {
        let Object::Dictionary(dictionary) = object else { return object };
        let after = parser.at;
        if parser.next() != Some(Next::Word(b"stream")) {
            parser.at = after;
            return Object::Dictionary(dictionary);
        }
        let rest = self.bytes.get(parser.at..).unwrap_or_default();
        let start = parser.at
            + match rest {
                [b'\r', b'\n', ..] => 2,
                [b'\r' | b'\n', ..] => 1,
                _ => 0,
            };
        let data = self.data_at(start, &dictionary);
        parser.at = data.end;
        Object::Stream(dictionary, data)
    }

    /// As long as the dictionary says, if an `endstream` stands there; else up to the next one.
    fn data_at(&self, start: usize, dictionary: &Dictionary) -> Range<usize> {
        let said = dictionary.get("Length").and_then(|length| usize::try_from(length.index()?).ok());
        if let Some(end) = said.map(|length| start.saturating_add(length)) {
            let after = self.bytes.get(end..).unwrap_or_default();
            let blanks = after.iter().take(4).take_while(|byte| is_blank(**byte)).count();
            if after.get(blanks..).unwrap_or_default().starts_with(b"endstream") {
                return start..end;
            }
        }
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = memmem::find(rest, b"endstream").unwrap_or(rest.len());
        let data = rest.get(..length).unwrap_or_default();
        let data = data.strip_suffix(b"\n").unwrap_or(data);
        let data = data.strip_suffix(b"\r").unwrap_or(data);
        start..start + data.len()
    }

    /// The object, or what it refers to.
    pub(super) fn resolve<'o>(&'o self, object: &'o Object) -> Option<&'o Object> {
        let mut object = object;
        for _ in 0..limits::PDF_DEPTH {
            let Object::Reference(number) = object else { return Some(object) };
            object = &self.objects.get(number)?.object;
        }
        None
    }

    /// What the dictionary has under `key`.
    pub(super) fn get<'o>(&'o self, dictionary: &'o Dictionary, key: &str) -> Option<&'o Object> {
        self.resolve(dictionary.get(key)?)
    }

    /// The dictionary that the dictionary has under `key`.
    pub(super) fn inner<'o>(&'o self, dictionary: &'o Dictionary, key: &str) -> Option<&'o Dictionary> {
        self.get(dictionary, key)?.dictionary()
    }

    pub(super) fn index(&self, object: &Object) -> Option<u32> {
        self.resolve(object)?.index()
    }

    pub(super) fn object(&self, number: u32) -> Option<&Object> {
        self.objects.get(&number).map(|entry| &entry.object)
    }

    /// The numbers of all objects, in their order.
    pub(super) fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.objects.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    /// Whether what is encrypted in it needs a password.
    pub(super) fn is_locked(&self) -> bool {
        self.cipher.as_ref().is_some_and(Cipher::is_locked)
    }

    /// The data of the stream of that number, without filters and encryption.
    pub(super) fn data(&self, number: u32, budget: &mut Budget) -> Result<Vec<u8>, Reason> {
        self.clear(number, false, budget)
    }

    /// The same of an embedded file.
    pub(super) fn embedded(&self, number: u32, budget: &mut Budget) -> Result<Vec<u8>, Reason> {
        self.clear(number, true, budget)
    }

    fn clear(&self, number: u32, embedded: bool, budget: &mut Budget) -> Result<Vec<u8>, Reason> {
        let Entry { generation, object, .. } = self.objects.get(&number).ok_or(Reason::Damaged)?;
        let Object::Stream(dictionary, data) = object else { return Err(Reason::Damaged) };
        let written = self.bytes.get(data.clone()).ok_or(Reason::Damaged)?;
        let clear = match &self.cipher {
            Some(cipher) => {
                let (generation, own_filter) = (*generation, self.own_crypt_filter(dictionary));
                cipher.stream(Stream { number, generation, dictionary, embedded, own_filter }, written)?
            }
            None => Cow::Borrowed(written),
        };
        filter::undo(self, dictionary, clear, budget)
    }

    /// The crypt filter that a stream names for itself (§7.4.10).
    fn own_crypt_filter<'o>(&'o self, dictionary: &'o Dictionary) -> Option<&'o [u8]> {
        let filters = self.get(dictionary, "Filter")?.items();
        let is_crypt = |filter| self.resolve(filter).and_then(Object::name) == Some(b"Crypt");
        let at = filters.iter().position(is_crypt)?;
        let parameters = self.get(dictionary, "DecodeParms").and_then(|all| all.items().get(at));
        let parameters = parameters.and_then(|own| self.resolve(own)?.dictionary());
        Some(parameters.and_then(|own| self.get(own, "Name")?.name()).unwrap_or(b"Identity"))
    }

    /// The octets of a string that stands in the object of that number.
    pub(super) fn string<'s>(&self, number: u32, string: &'s [u8]) -> Cow<'s, [u8]> {
        match (&self.cipher, self.objects.get(&number)) {
            (Some(cipher), Some(entry)) if !entry.inner => cipher.string(number, entry.generation, string),
            _ => Cow::Borrowed(string),
        }
    }
}

/// The `7 0 ` before an `obj`.
fn number_before(bytes: &[u8], keyword: usize) -> Option<(u32, u32)> {
    let before = bytes.get(..keyword)?;
    let trimmed = |bytes: &'_ [u8]| bytes.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |at| at + 1);
    let word = |bytes: &'_ [u8]| bytes.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
    let end = trimmed(before);
    let generation = before.get(word(before.get(..end)?)..end)?;
    let rest = before.get(..end - generation.len())?;
    let end = trimmed(rest);
    let number = rest.get(word(rest.get(..end)?)..end)?;
    (end < rest.len()).then(|| Some((digits(number)?, digits(generation)?)))?
}
