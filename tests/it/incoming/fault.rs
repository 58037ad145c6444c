//! A server on loopback that answers as it is told, whoever asks: the failures that a scanner may have.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::lab::free_port;

/// What it does with a connection.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Takes it, and says nothing.
    Hang,
    /// Reads a little, says this, and ends it.
    Say(String),
}

/// The server; it ends with the process.
pub(crate) struct Fault {
    pub(crate) port: u16,
    act: Arc<Mutex<Act>>,
}

impl Fault {
    pub(crate) fn start(act: Act) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", free_port())).unwrap();
        let port = listener.local_addr().unwrap().port();
        let act = Arc::new(Mutex::new(act));
        let acting = act.clone();
        thread::spawn(move || {
            // Connections that hang are kept.
            let mut hanging = Vec::new();
            for connection in listener.incoming() {
                let act = acting.lock().unwrap().clone();
                match act {
                    Act::Hang => hanging.push(connection.unwrap()),
                    Act::Say(text) => drop(thread::spawn(move || say(connection.unwrap(), &text))),
                }
            }
        });
        Self { port, act }
    }

    /// Makes it act otherwise from the next connection on.
    pub(crate) fn act(&self, act: Act) {
        *self.act.lock().unwrap() = act;
    }
}

/// Waits until the client has begun, reads all that comes within a moment, and answers. Then it reads on: a connection
/// that is closed on octets that nobody read takes the answer along.
fn say(mut connection: TcpStream, text: &str) {
    let mut piece = vec![0; 64 << 10];
    let mut read = |connection: &mut TcpStream, time| {
        connection.set_read_timeout(Some(time)).unwrap();
        matches!(connection.read(&mut piece), Ok(1..))
    };
    let mut wait = Duration::from_secs(30);
    while read(&mut connection, wait) {
        wait = Duration::from_millis(100);
    }
    // The client may have gone; that is its affair.
    let _ = connection.write_all(text.as_bytes());
    let _ = connection.shutdown(Shutdown::Write);
    while read(&mut connection, Duration::from_secs(30)) {}
}

/// An HTTP answer as rspamd gives it.
pub(crate) fn http(status: &str, body: &str) -> Act {
    let length = body.len();
    Act::Say(format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

/// rspamd's opinion of everything.
pub(crate) fn rspamd(action: &str, score: f64) -> Act {
    http(
        "200 OK",
        &format!(
            r#"{{"is_skipped": false, "score": {score}, "required_score": 15.0, "action": "{action}"}}"#
        ),
    )
}
