//! What an MTA writes for one message, made once for each negotiation: frames, cut where a reply is awaited.
//!
//! The dialect is Postfix 3.7's: a macro frame before every event, each header field and body chunk included; the
//! macros of C, H, M, R and T are sent even where the filter declined the event.

use std::ops::Range;
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use memchr::memmem;

use super::mail::{Message, NUMBER, Peer};

/// What Postfix 3.7 offers: version, actions, protocol steps.
pub(crate) const OFFER: [u32; 3] = [6, 0x1ff, 0x1f_ffff];
/// Stands where each message has its own queue id; as long as Postfix's short ones.
const QUEUE_ID: &str = "@QUEUE-ID@@";
/// Octets of a full body chunk.
const CHUNK_OCTETS: usize = 65_535;
/// Body chunks from here on are shared by all connections instead of copied for each.
const SHARED_OCTETS: usize = 32_768;
/// Octets of the abort frame that a script begins with.
const ABORT_OCTETS: usize = 5;

/// An event's command, its bit "do not send" and its bit "no reply", its stage of macros.
type Event = (u8, u32, u32, u32);
const CONNECT: Event = (b'C', 0x01, 0x1000, 0);
const HELO: Event = (b'H', 0x02, 0x2000, 1);
const MAIL: Event = (b'M', 0x04, 0x4000, 2);
const RCPT: Event = (b'R', 0x08, 0x8000, 3);
const DATA: Event = (b'T', 0x200, 0x1_0000, 4);
const HEADER: Event = (b'L', 0x20, 0x80, 6);
const END_OF_HEADER: Event = (b'N', 0x40, 0x4_0000, 6);
const BODY: Event = (b'B', 0x10, 0x8_0000, 5);
const END_OF_MESSAGE: Event = (b'E', 0, 0, 5);

/// What a filter answered to the offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    pub(crate) actions: u32,
    pub(crate) protocol: u32,
    /// Lists of macros that replace the MTA's own, by stage.
    pub(crate) macros: Vec<(u32, String)>,
}

impl Agreement {
    /// Holds the filter to what Postfix holds it to.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self> {
        let (words, mut rest) = payload.split_at_checked(12).context("a short answer to the negotiation")?;
        let [version, actions, protocol] = [word(words, 0), word(words, 4), word(words, 8)];
        let [_, offered_actions, offered_protocol] = OFFER;
        if !(2..=6).contains(&version) || actions & !offered_actions != 0 || protocol & !offered_protocol != 0
        {
            bail!("the filter asks for what was not offered: {version} {actions:#x} {protocol:#x}");
        }
        let mut macros = Vec::new();
        while let Some((stage, tail)) = rest.split_at_checked(4) {
            let end = memchr::memchr(0, tail).context("a list of macros without its end")?;
            let (names, tail) = tail.split_at(end);
            macros.push((word(stage, 0), String::from_utf8_lossy(names).into_owned()));
            rest = tail.get(1..).unwrap_or_default();
        }
        Ok(Self { actions, protocol, macros })
    }
}

/// One stretch of a script.
#[derive(Clone, Debug)]
enum Piece {
    /// Octets of [`Script::own`].
    Own(Range<usize>),
    /// A large body chunk.
    Shared(Rc<[u8]>),
}

/// A stretch that is written at once; a reply is awaited at its end.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// The event that is to be answered.
    pub(crate) event: u8,
    pieces: Range<usize>,
}

/// One message, or a greeting, as windows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    own: Vec<u8>,
    pieces: Rc<[Piece]>,
    windows: Rc<[Window]>,
    queue_ids: Rc<[usize]>,
    numbers: Rc<[usize]>,
}

impl Script {
    /// Connect and HELO. A script's last window may await nothing: its event is then 0.
    pub(crate) fn greeting(agreement: &Agreement, outbound: bool) -> Self {
        let peer = Peer::of(outbound);
        let mut pen = Pen::new(agreement, peer);
        let connect = [peer.host.as_bytes(), b"\x004\x9c\x40", peer.address.as_bytes(), b"\0"].concat();
        pen.event(CONNECT, &connect);
        pen.event(HELO, &[peer.helo.as_bytes(), b"\0"].concat());
        pen.finish()
    }

    /// The abort that follows the message before, then one whole transaction.
    pub(crate) fn message(agreement: &Agreement, outbound: bool, message: &Message) -> Self {
        let peer = Peer::of(outbound);
        let mut pen = Pen::new(agreement, peer);
        pen.frame(b'A', &[]);
        pen.event(MAIL, format!("<{}>\0SIZE={}\0BODY=8BITMIME\0", peer.sender, message.octets()).as_bytes());
        pen.event(RCPT, format!("<{}>\0", peer.recipient).as_bytes());
        pen.event(DATA, &[]);
        // Without HDR_LEADSPC Postfix eats the space behind the colon.
        let space = if agreement.protocol & 0x10_0000 == 0 { "" } else { " " };
        for (name, value) in &message.fields {
            pen.event(HEADER, format!("{name}\0{space}{value}\0").as_bytes());
        }
        pen.event(END_OF_HEADER, &[]);
        for chunk in message.body.chunks(CHUNK_OCTETS) {
            pen.event(BODY, chunk);
        }
        pen.event(END_OF_MESSAGE, &[]);
        pen.finish()
    }

    pub(crate) fn window(&self, at: usize) -> Option<&Window> {
        self.windows.get(at)
    }

    /// Writes a number of its own into the Message-ID and all queue ids.
    pub(crate) fn renumber(&mut self, number: u64) {
        let digits = hex(number);
        for &at in self.numbers.iter() {
            if let Some(place) = self.own.get_mut(at..at + NUMBER.len()) {
                place.copy_from_slice(&digits);
            }
        }
        let queue_id = digits.get(digits.len() - QUEUE_ID.len()..).unwrap_or_default();
        for &at in self.queue_ids.iter() {
            if let Some(place) = self.own.get_mut(at..at + QUEUE_ID.len()) {
                place.copy_from_slice(queue_id);
            }
        }
    }

    /// The slices of a window. A session's first message has no abort before it.
    pub(crate) fn slices(&self, window: &Window, first: bool) -> impl Iterator<Item = &[u8]> {
        let pieces = self.pieces.get(window.pieces.clone()).unwrap_or_default();
        pieces.iter().filter_map(move |piece| match piece {
            Piece::Own(range) if first && range.start == 0 => self.own.get(ABORT_OCTETS..range.end),
            Piece::Own(range) => self.own.get(range.clone()),
            Piece::Shared(bytes) => Some(bytes),
        })
    }
}

/// Writes a script.
struct Pen<'a> {
    agreement: &'a Agreement,
    peer: &'a Peer,
    own: Vec<u8>,
    own_from: usize,
    pieces: Vec<Piece>,
    pieces_from: usize,
    windows: Vec<Window>,
}

impl<'a> Pen<'a> {
    fn new(agreement: &'a Agreement, peer: &'a Peer) -> Self {
        let (own, pieces, windows) = (Vec::new(), Vec::new(), Vec::new());
        Self { agreement, peer, own, own_from: 0, pieces, pieces_from: 0, windows }
    }

    /// An event with its macros, as far as the filter wants it, and the end of a window where it answers.
    fn event(&mut self, (command, not_sent, no_reply, stage): Event, payload: &[u8]) {
        let declined = self.agreement.protocol & not_sent != 0;
        if declined && matches!(command, b'L' | b'N' | b'B') {
            return;
        }
        let macros = self.macros(command, stage);
        self.frame(b'D', &macros);
        if declined {
            return;
        }
        if payload.len() >= SHARED_OCTETS {
            self.end_piece();
            self.pieces.push(Piece::Shared(frame(command, payload).into()));
        } else {
            self.frame(command, payload);
        }
        if self.agreement.protocol & no_reply == 0 {
            self.end_window(command);
        }
    }

    fn frame(&mut self, command: u8, payload: &[u8]) {
        self.own.extend(frame(command, payload));
    }

    fn end_piece(&mut self) {
        if self.own_from < self.own.len() {
            self.pieces.push(Piece::Own(self.own_from..self.own.len()));
            self.own_from = self.own.len();
        }
    }

    fn end_window(&mut self, event: u8) {
        self.end_piece();
        self.windows.push(Window { event, pieces: self.pieces_from..self.pieces.len() });
        self.pieces_from = self.pieces.len();
    }

    fn finish(mut self) -> Script {
        self.end_piece();
        if self.pieces_from < self.pieces.len() {
            self.end_window(0);
        }
        let queue_ids = memmem::find_iter(&self.own, QUEUE_ID).collect();
        let numbers = memmem::find_iter(&self.own, NUMBER).collect();
        Script { own: self.own, pieces: self.pieces.into(), windows: self.windows.into(), queue_ids, numbers }
    }

    /// The payload of the macro frame: the filter's list of names, or Postfix's default for the stage.
    fn macros(&self, command: u8, stage: u32) -> Vec<u8> {
        let asked = self.agreement.macros.iter().find(|(of, _)| *of == stage);
        let names = asked.map_or(default_macros(stage), |(_, names)| names);
        let mut payload = vec![command];
        for name in names.split([' ', ',']).filter(|name| !name.is_empty()) {
            if let Some(value) = self.macro_value(name, stage) {
                payload.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
            }
        }
        payload
    }

    /// Undefined macros are left out: authentication and TLS, and the queue id before DATA.
    fn macro_value(&self, name: &str, stage: u32) -> Option<String> {
        let peer = self.peer;
        let value = match name.trim_matches(['{', '}']) {
            "j" | "daemon_name" => "gw1.exempelby.se",
            "v" => "Postfix 3.7.11",
            "_" => return Some(format!("{} [{}]", peer.host, peer.address)),
            "daemon_addr" => "127.0.0.1",
            "daemon_port" => "25",
            "client_addr" => peer.address,
            "client_name" | "client_ptr" => peer.host,
            "client_port" => "40000",
            "client_connections" => "1",
            "mail_addr" if stage >= 2 => peer.sender,
            "mail_host" if stage >= 2 => "example.org",
            "mail_mailer" if stage >= 2 => "smtp",
            "rcpt_addr" if stage == 3 => peer.recipient,
            "rcpt_host" if stage == 3 => peer.next_hop,
            "rcpt_mailer" if stage == 3 => peer.mailer,
            "i" if stage >= 4 => QUEUE_ID,
            _ => return None,
        };
        Some(value.into())
    }
}

/// The frame of a command.
pub(crate) fn frame(command: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 1).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), &[command][..], payload].concat()
}

fn default_macros(stage: u32) -> &'static str {
    match stage {
        0 => "j {daemon_name} {daemon_addr} v _",
        1 => "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
        2 => "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
        3 => "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
        _ => "i",
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Sixteen digits.
fn hex(number: u64) -> [u8; 16] {
    let mut digits = [b'0'; 16];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        let four = (rest & 15) as u8;
        *digit = if four < 10 { b'0' + four } else { b'A' + four - 10 };
        rest >>= 4;
    }
    digits
}
