//! The mail of the load: what a municipality's gateway sees, in three sizes, inbound and outbound.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use clap::ValueEnum;

/// Stands where each message has its own number; as long as what replaces it.
pub(crate) const NUMBER: &str = "@MESSAGE-NUMBER@";

/// The header fields and the body of one message, with [`NUMBER`] in its Message-ID.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// What a larger mail has attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Payload {
    /// A file that is called a picture and begins as one, without saying its size.
    #[default]
    Picture,
    /// A photograph of twelve million points.
    Jpeg,
    /// Octets of a format that nothing reads.
    Random,
}

impl Payload {
    /// The beginning of the file.
    fn beginning(self) -> &'static [u8] {
        match self {
            Self::Picture => b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
            Self::Jpeg => {
                b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x48\0\x48\0\0\xff\xc0\0\x11\x08\x0b\xb8\x0f\xa0\x03\x01\x22\0\x02\x11\x01\x03\x11\x01"
            }
            Self::Random => b"",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Picture | Self::Jpeg => "image/jpeg",
            Self::Random => "application/octet-stream",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Picture | Self::Jpeg => "jpg",
            Self::Random => "bin",
        }
    }
}

/// Who sends to whom, as the MTA tells a filter.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) host: &'static str,
    pub(crate) address: &'static str,
    pub(crate) helo: &'static str,
    pub(crate) sender: &'static str,
    pub(crate) recipient: &'static str,
    /// Transport and next hop of the recipient, `{rcpt_mailer}` and `{rcpt_host}`.
    pub(crate) mailer: &'static str,
    pub(crate) next_hop: &'static str,
}

const INBOUND: Peer = Peer {
    host: "mail.example.org",
    address: "192.0.2.25",
    helo: "mail.example.org",
    sender: "info@example.org",
    recipient: "registrator@exempelby.se",
    mailer: "lmtp",
    next_hop: "unix:private/lmtp",
};

const OUTBOUND: Peer = Peer {
    host: "post.exempelby.se",
    address: "10.0.4.25",
    helo: "post.exempelby.se",
    sender: "registrator@exempelby.se",
    recipient: "info@example.org",
    mailer: "smtp",
    next_hop: "example.org",
};

/// Octets of the attachment below which a mail is text alone.
const ATTACHMENT_OCTETS_MIN: usize = 4_096;

impl Peer {
    pub(crate) fn of(outbound: bool) -> &'static Self {
        if outbound { &OUTBOUND } else { &INBOUND }
    }
}

impl Message {
    /// About `size` octets: plain text when small, else text with a base64 attachment that fills the rest.
    pub(crate) fn of(size: usize, outbound: bool, payload: Payload) -> Self {
        let peer = Peer::of(outbound);
        if size < ATTACHMENT_OCTETS_MIN {
            let fields = fields(peer, "text/plain; charset=utf-8");
            let room = size.saturating_sub(fields_octets(&fields));
            return Self { fields, body: text(room).into_bytes() };
        }
        let fields = fields(peer, "multipart/mixed; boundary=\"=_del_1\"");
        let head = format!(
            "--=_del_1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{}\
             \r\n--=_del_1\r\nContent-Type: {}\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename*=utf-8''situationsplan%20f%C3%B6r%20bygglov.{}\r\n\r\n",
            text(1_200),
            payload.media_type(),
            payload.ending(),
        );
        let room = size.saturating_sub(fields_octets(&fields) + head.len());
        let body = head + &base64_lines(&noise(payload, room * 3 / 4 * 76 / 78)) + "--=_del_1--\r\n";
        Self { fields, body: body.into_bytes() }
    }

    /// All of it, as the SMTP client would announce it.
    pub(crate) fn octets(&self) -> usize {
        fields_octets(&self.fields) + 2 + self.body.len()
    }
}

/// `2k`, `20k`, `1m` or a number of octets.
pub(crate) fn parse_size(text: &str) -> Result<usize> {
    let lower = text.to_ascii_lowercase();
    let (digits, unit) = match (lower.strip_suffix('k'), lower.strip_suffix('m')) {
        (Some(digits), _) => (digits, 1 << 10),
        (_, Some(digits)) => (digits, 1 << 20),
        (None, None) => (lower.as_str(), 1),
    };
    let size: usize = digits.parse().with_context(|| format!("{text} is not a size like 2k, 20k or 1m"))?;
    Ok(size.saturating_mul(unit).clamp(1 << 10, 32 << 20))
}

fn fields(peer: &Peer, content_type: &str) -> Vec<(&'static str, String)> {
    vec![
        (
            "Received",
            format!(
                "from app.{0} (app.{0} [198.51.100.7])\n\tby {0} (Postfix) with ESMTPS id 4ZkQ1R0v2Nz9sVT\n\
                 \tfor <{1}>; Mon, 4 May 2026 09:14:02 +0200 (CEST)",
                peer.host, peer.recipient
            ),
        ),
        ("From", format!("=?utf-8?Q?F=C3=B6rvaltningen?= <{}>", peer.sender)),
        ("To", format!("<{}>", peer.recipient)),
        ("Reply-To", format!("<{}>", peer.sender)),
        ("Subject", "=?utf-8?Q?Komplettering_av_ans=C3=B6kan_om_bygglov?=".into()),
        ("Date", "Mon, 4 May 2026 09:14:01 +0200".into()),
        ("Message-ID", format!("<{NUMBER}@{}>", peer.host)),
        ("References", format!("<1f0c7d5e-9b1a-4e0e-8a54-0d2f6c1b7a90@{}>", peer.host)),
        ("MIME-Version", "1.0".into()),
        ("Content-Type", content_type.into()),
        ("Content-Transfer-Encoding", "8bit".into()),
        ("Content-Language", "sv-SE".into()),
        ("X-Mailer", "Example Mail 4.2".into()),
    ]
}

fn fields_octets(fields: &[(&str, String)]) -> usize {
    fields.iter().map(|(name, value)| name.len() + value.len() + 4).sum()
}

/// Lines of Swedish prose.
fn text(octets: usize) -> String {
    const PROSE: &str = "Hej,\r\n\r\nTack för ert svar. Vi kompletterar härmed vår ansökan med den ritning som ni bad om i\r\n\
        ert föreläggande. Nockhöjden är nu 4,2 meter och avståndet till tomtgränsen 4,5 meter, så\r\n\
        att åtgärden följer detaljplanen. Grannarna har fått tillfälle att yttra sig och har inget\r\n\
        att invända. Hör gärna av er om något mer behövs inför nämndens sammanträde.\r\n\r\n\
        Med vänlig hälsning\r\n\r\n";
    let mut text = String::with_capacity(octets + PROSE.len());
    for line in PROSE.split_inclusive('\n').cycle() {
        if text.len() + line.len() > octets {
            return text;
        }
        text.push_str(line);
    }
    text
}

/// Octets that do not repeat, begun as such a file is; the same ones each time (xorshift).
fn noise(payload: Payload, octets: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = payload.beginning().to_vec();
    while bytes.len() < octets {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes
}

/// RFC 2045 §6.8: lines of 76 characters.
fn base64_lines(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len() * 3 / 2);
    for line in bytes.chunks(57) {
        for group in line.chunks(3) {
            let octet = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
            let word = octet(0) << 16 | octet(1) << 8 | octet(2);
            for at in 0..4 {
                let six = (word >> (18 - 6 * at)) as usize & 63;
                let letter = ALPHABET.get(six).copied().unwrap_or(b'=');
                text.push(if at > group.len() { '=' } else { char::from(letter) });
            }
        }
        let _ = write!(text, "\r\n");
    }
    text
}
