//! Another milter beside ours: it wants everything, and answers the end of each message as it is told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What it says at the end of a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    Tempfail,
    Reject,
}

/// A milter that accepts once it has said all of its replies.
pub(super) struct Milter {
    pub(super) port: u16,
}

impl Milter {
    pub(super) fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let left: Vec<Reply> = replies.into_iter().collect();
        let left = Arc::new(Mutex::new(left));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let left = left.clone();
                // Postfix ends the connection when it likes.
                thread::spawn(move || serve(stream.unwrap(), &left));
            }
        });
        Self { port }
    }
}

fn serve(mut stream: TcpStream, left: &Mutex<Vec<Reply>>) -> Option<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut frame).ok()?;
        let answer: &[u8] = match frame.first()? {
            // Version 6, no edits, every command with a reply.
            b'O' => b"O\0\0\0\x06\0\0\0\0\0\0\0\0",
            b'E' => match left.lock().unwrap().pop() {
                Some(Reply::Tempfail) => b"t",
                Some(Reply::Reject) => b"r",
                None => b"a",
            },
            b'D' | b'A' => continue,
            b'Q' => return None,
            _ => b"c",
        };
        stream.write_all(&u32::try_from(answer.len()).unwrap().to_be_bytes()).ok()?;
        stream.write_all(answer).ok()?;
    }
}
