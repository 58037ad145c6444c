//! A name server on loopback with one small zone: UDP, and nothing that the tests do not ask for.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is answered for a name that begins so.
const SERVER_FAILURE: &str = "servfail.";
const SILENCE: &str = "silent.";

type Zone = Arc<Mutex<HashMap<String, String>>>;

/// The server; it ends with the process.
pub(crate) struct Dns {
    pub(crate) address: String,
    zone: Zone,
    asked: Arc<AtomicUsize>,
}

impl Dns {
    /// Starts it with TXT records.
    pub(crate) fn start(records: &[(&str, &str)]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let (zone, asked): (Zone, Arc<AtomicUsize>) = Default::default();
        let dns = Self { address, zone: zone.clone(), asked: asked.clone() };
        for (name, text) in records {
            dns.set(name, text);
        }
        thread::spawn(move || {
            let mut packet = [0; 4096];
            while let Ok((length, client)) = socket.recv_from(&mut packet) {
                asked.fetch_add(1, Ordering::Relaxed);
                if let Some(answer) = answer(&packet[..length], &zone.lock().unwrap()) {
                    socket.send_to(&answer, client).unwrap();
                }
            }
        });
        dns
    }

    /// Puts a TXT record into the zone.
    pub(crate) fn set(&self, name: &str, text: &str) {
        self.zone.lock().unwrap().insert(name.to_owned(), text.to_owned());
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// The answer to a question for TXT; for any other type the name has nothing.
fn answer(question: &[u8], zone: &HashMap<String, String>) -> Option<Vec<u8>> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while question[at] != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..=at + length]).to_lowercase());
        at += 1 + length;
    }
    let (end, kind) = (at + 5, u16::from_be_bytes([question[at + 1], question[at + 2]]));
    let name = labels.join(".");
    if name.contains(SILENCE) {
        return None;
    }
    let text = zone.get(&name).filter(|_| kind == 16);
    let code: u8 = match text {
        _ if name.contains(SERVER_FAILURE) => 2,
        None if !zone.contains_key(&name) => 3,
        _ => 0,
    };
    let mut out = question[..2].to_vec();
    // What is not there is not there for as long as the zone's SOA says (RFC 2308 §3).
    let authority = u8::from(text.is_none() && code != 2);
    out.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(text.is_some()), 0, authority, 0, 0]);
    out.extend(&question[12..end]);
    if let Some(text) = text {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(255).collect();
        let length = text.len() + pieces.len();
        out.extend([0xC0, 12, 0, 16, 0, 1, 0, 0, 1, 44]);
        out.extend(u16::try_from(length).unwrap().to_be_bytes());
        for piece in pieces {
            out.push(u8::try_from(piece.len()).unwrap());
            out.extend(piece);
        }
    }
    if authority == 1 {
        let minimum = 300_u32.to_be_bytes();
        out.extend([0, 0, 6, 0, 1, 0, 0, 1, 44, 0, 22, 0, 0]);
        (0..5).for_each(|_| out.extend(minimum));
    }
    Some(out)
}
