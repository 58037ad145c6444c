//! The worker's side: reads a document, answers with its content, and continues until its input ends.

use std::io::{self, Read, Write};

use super::{confine, wire};
use crate::documents::{self, Budget, Input};

/// 71 (`EX_OSERR` of sysexits.h): the process could not be confined, and read nothing.
pub const NOT_CONFINED: u8 = 71;
/// 74 (`EX_IOERR`): the pipes broke.
pub const BROKEN: u8 = 74;

/// Runs the worker on standard input and output until the other end closes them.
///
/// Whatever goes wrong ends the process: the filter sees that, and how, and starts another.
pub fn run() -> u8 {
    if let Err(error) = confine::confine() {
        eprintln!("postvakt: {error}");
        return NOT_CONFINED;
    }
    // An error is a filter that is gone, or that gave up on this document.
    serve(&mut io::stdin().lock(), &mut io::stdout().lock()).map_or(BROKEN, |()| 0)
}

fn serve(input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    while let Some(request) = wire::read_request(input)? {
        let wire::Request { head, bytes } = &request;
        let document = Input { name: &head.name, media_type: &head.media_type, bytes };
        let reading = documents::read(&document, &mut Budget::within(bytes.len(), head.allowance));
        wire::write_reading(output, &reading)?;
    }
    Ok(())
}
