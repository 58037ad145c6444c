//! What is packed in a RAR archive; the only file that names the library that unpacks it.

#![deny(clippy::disallowed_methods)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::rc::Rc;

use rars::{
    Archive, ArchiveReadOptions, ArchiveReader, Error, ErrorKind, ExtractionDecision, ExtractionErrorAction,
};

use crate::documents::{Budget, Reason};
use crate::limits;

/// What came out of a file, and why no more did.
pub(super) type Content = (Vec<u8>, Result<(), Reason>);

/// Contents by their place among the files of the archive.
type Contents = BTreeMap<usize, Content>;

/// The contents of the files that are not encrypted, by their place among all files, as far as the budget goes; and
/// why there are no more. Where something is missing of the block that begins at `last`, those before it are unpacked.
pub(super) fn unpack(budget: &mut Budget, bytes: &[u8], last: usize) -> (Contents, Option<Reason>) {
    let memory = (limits::DOCUMENT_DICTIONARY_KB as u64) << 10;
    let options = ArchiveReadOptions::new()
        .with_max_header_count(2 * limits::DOCUMENT_ENTRIES as u64)
        .with_max_total_output_bytes(budget.left() as u64)
        .with_rar50_dictionary_size_limit(memory)
        .with_max_reader_workspace_bytes(memory);
    let contents = Rc::default();
    let open = |bytes| ArchiveReader::read_with_options(bytes, options);
    let ended = match open(bytes) {
        Ok(archive) => extract(&archive, options, &contents),
        Err(error) => {
            let whole = open(bytes.get(..last).unwrap_or(bytes));
            whole.and_then(|archive| extract(&archive, options, &contents)).and(Err(error))
        }
    };
    let contents = contents.take();
    let octets = contents.values().map(|(content, _)| content.len()).sum();
    (contents, ended.map_err(|error| reason(&error)).and(budget.spend(octets)).err())
}

fn extract(
    archive: &Archive,
    options: ArchiveReadOptions<'_>,
    contents: &Rc<RefCell<Contents>>,
) -> Result<(), Error> {
    let (mut count, current) = (0, Cell::new(None));
    let fault = |error: &Error| {
        let mut contents = contents.borrow_mut();
        if let Some((_, ended)) = current.get().and_then(|at| contents.get_mut(&at)) {
            *ended = Err(reason(error));
        }
    };
    let ended = archive.extract_with_control_and_errors(
        options,
        |member| {
            let at = count;
            count += 1;
            current.set(None);
            let meta = &member.meta;
            if meta.is_encrypted || meta.is_directory || meta.is_redirection {
                return Ok(ExtractionDecision::Skip);
            }
            current.set(Some(at));
            contents.borrow_mut().insert(at, (Vec::new(), Ok(())));
            Ok(ExtractionDecision::Extract(Box::new(Sink { at, contents: Rc::clone(contents) })))
        },
        |_, error| {
            fault(error);
            Ok(ExtractionErrorAction::Continue)
        },
    );
    ended.map(|_| ()).inspect_err(fault)
}

/// Where a file is unpacked to.
struct Sink {
    at: usize,
    contents: Rc<RefCell<Contents>>,
}

impl Write for Sink {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if let Some((content, _)) = self.contents.borrow_mut().get_mut(&self.at) {
            content.extend_from_slice(octets);
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn reason(error: &Error) -> Reason {
    match error.kind() {
        ErrorKind::ResourceLimit => Reason::Limit,
        ErrorKind::UnsupportedFormat | ErrorKind::UnsupportedFeature => Reason::Format,
        _ => Reason::Damaged,
    }
}
