//! A name server on loopback with one small zone: UDP, and nothing that the tests do not ask for.

use std::collections::HashMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is answered for a name that begins so.
const SERVER_FAILURE: &str = "servfail.";
const SILENCE: &str = "silent.";

type Zone = Arc<Mutex<HashMap<String, Vec<Record>>>>;

/// What stands in the zone at a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record {
    /// A.
    Address(Ipv4Addr),
    /// MX.
    Exchange(u16, String),
    /// TXT.
    Text(String),
}

impl Record {
    /// Its type's number.
    fn kind(&self) -> u16 {
        match self {
            Self::Address(_) => 1,
            Self::Exchange(..) => 15,
            Self::Text(_) => 16,
        }
    }

    fn data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        let mut string = |octets: &[u8]| {
            data.push(u8::try_from(octets.len()).unwrap());
            data.extend(octets);
        };
        match self {
            Self::Address(address) => address.octets().to_vec(),
            Self::Exchange(preference, name) => {
                name.split('.').chain([""]).for_each(|label| string(label.as_bytes()));
                [&preference.to_be_bytes()[..], &data].concat()
            }
            Self::Text(text) => {
                text.as_bytes().chunks(255).for_each(string);
                data
            }
        }
    }
}

/// The server; it ends with the process.
pub(crate) struct Dns {
    pub(crate) address: String,
    zone: Zone,
    asked: Arc<AtomicUsize>,
    silent: Arc<AtomicBool>,
}

impl Dns {
    /// Starts it with TXT records; a name that comes twice has two.
    pub(crate) fn start(records: &[(&str, &str)]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let (zone, asked, silent): (Zone, Arc<AtomicUsize>, Arc<AtomicBool>) = Default::default();
        let dns = Self { address, zone: zone.clone(), asked: asked.clone(), silent: silent.clone() };
        for (name, text) in records {
            let mut zone = dns.zone.lock().unwrap();
            zone.entry(name.to_lowercase()).or_default().push(Record::Text((*text).to_owned()));
        }
        thread::spawn(move || {
            let mut packet = [0; 4096];
            while let Ok((length, client)) = socket.recv_from(&mut packet) {
                asked.fetch_add(1, Ordering::Relaxed);
                if silent.load(Ordering::Relaxed) {
                    continue;
                }
                if let Some(answer) = answer(&packet[..length], &zone.lock().unwrap()) {
                    socket.send_to(&answer, client).unwrap();
                }
            }
        });
        dns
    }

    /// Puts a TXT record into the zone, in place of what the name had.
    pub(crate) fn set(&self, name: &str, text: &str) {
        self.put(name, vec![Record::Text(text.to_owned())]);
    }

    /// Puts records into the zone, in place of those that the name had.
    pub(crate) fn put(&self, name: &str, records: Vec<Record>) {
        self.zone.lock().unwrap().insert(name.to_lowercase(), records);
    }

    /// From now on it answers nothing, or again everything.
    pub(crate) fn keep_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// The answer to a question. A name exists where one below it does (RFC 8020).
fn answer(question: &[u8], zone: &HashMap<String, Vec<Record>>) -> Option<Vec<u8>> {
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
    let records: Vec<&Record> =
        zone.get(&name).into_iter().flatten().filter(|record| record.kind() == kind).collect();
    let below = format!(".{name}");
    let exists = zone.contains_key(&name) || zone.keys().any(|other| other.ends_with(&below));
    let code: u8 = if name.contains(SERVER_FAILURE) {
        2
    } else if exists {
        0
    } else {
        3
    };
    let mut out = question[..2].to_vec();
    // What is not there is not there for as long as the zone's SOA says (RFC 2308 §3).
    let authority = u8::from(records.is_empty() && code != 2);
    out.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(records.len()).unwrap(), 0, authority, 0, 0]);
    out.extend(&question[12..end]);
    for record in records {
        let data = record.data();
        out.extend([0xC0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 1, 44]);
        out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        out.extend(data);
    }
    if authority == 1 {
        let minimum = 300_u32.to_be_bytes();
        out.extend([0, 0, 6, 0, 1, 0, 0, 1, 44, 0, 22, 0, 0]);
        (0..5).for_each(|_| out.extend(minimum));
    }
    Some(out)
}
