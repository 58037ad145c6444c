//! What is signed or packed by OpenPGP and S/MIME.

use super::Kind;
use super::archives::{FDFA, fdfa, prose, zipped};
use super::mail::{Part, base64, files, filled, multipart, one_file, repeated};
use super::pack;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("pgp-packed", "OpenPGP messages, packed, of U+FDFA", |size| {
        let message = armoured(&packed_packet(&literal(fdfa())));
        filled(size, |_| Part::text(message.clone()))
    }),
    Kind::new("pgp-packed-deep", "OpenPGP packed eight times", |size| {
        let mut packet = literal(fdfa());
        for _ in 0..7 {
            packet = packed_packet(&packet);
        }
        files(size, "gpg", &packet)
    }),
    Kind::new("pgp-packets", "OpenPGP of packets that hold nothing", |size| {
        one_file(size, "a.gpg", |octets| repeated(b"\xcb\x06b\0\0\0\0\0\xc2\0", octets))
    }),
    Kind::new("pgp-literals", "packed OpenPGP of 10,000 texts", |size| {
        let one = literal(b"811228-9874 diagnos");
        files(size, "gpg", &packed_packet(&one.repeat(10_000)))
    }),
    Kind::new("pgp-parts", "OpenPGP of one packet in parts of one octet", |size| {
        let body = repeated(b"\xe0x", 30 << 20);
        let packet = [&b"\xcb"[..], &body, b"\0"].concat();
        files(size, "gpg", &packed_packet(&packet))
    }),
    Kind::new("smime-signed", "S/MIME around S/MIME, each signed", |size| {
        one_file(size, "smime.p7m", |octets| {
            let mut inner = text_entity(&repeated("Hej ".as_bytes(), octets));
            for _ in 0..6 {
                inner = signed(&inner);
            }
            inner
        })
    }),
    Kind::new("smime-packed", "S/MIME, packed, of U+FDFA", |size| {
        files(size, "p7m", &compressed(&text_entity(fdfa())))
    }),
    Kind::new("smime-packed-deep", "S/MIME packed six times", |size| {
        let mut inner = text_entity(prose());
        for _ in 0..6 {
            inner = compressed(&inner);
        }
        files(size, "p7m", &inner)
    }),
    Kind::new("smime-pieces", "S/MIME whose text is in pieces of one octet", |size| {
        one_file(size, "smime.p7m", |octets| {
            let pieces = value(0x24, &repeated(b"\x04\x01x", octets));
            signed_around(&pieces)
        })
    }),
    Kind::new("smime-indefinite", "S/MIME of values without a length, 30 deep", |size| {
        one_file(size, "smime.p7m", |octets| {
            let mut inner = repeated(b"\x04\x01x", octets);
            for _ in 0..24 {
                inner = [&[0x24, 0x80][..], &inner, &[0, 0]].concat();
            }
            signed_around(&inner)
        })
    }),
    Kind::new("smime-zip", "S/MIME, signed, with ZIPs of U+FDFA", |size| {
        let zip = Part::file("a.zip", &zipped("a.txt", fdfa()));
        let entity = multipart(&[zip.clone(), zip]);
        files(size, "p7m", &signed(&entity))
    }),
    Kind::new("smime-pem", "S/MIME in lines of PEM", |size| {
        one_file(size, "smime.p7m", |octets| {
            let text = repeated(FDFA.as_bytes(), octets / 78 * 57);
            let mut out = b"-----BEGIN PKCS7-----\r\n".to_vec();
            out.extend(base64(&signed(&text_entity(&text))));
            out.extend(b"-----END PKCS7-----\r\n");
            out
        })
    }),
];

fn literal(text: &[u8]) -> Vec<u8> {
    packet(11, &[&b"t\x05a.txt\0\0\0\0"[..], text].concat())
}

fn packed_packet(packets: &[u8]) -> Vec<u8> {
    packet(8, &[vec![1], pack::deflated(packets)].concat())
}

fn packet(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap();
    [&[0xC0 | kind, 255][..], &length.to_be_bytes(), content].concat()
}

fn armoured(packets: &[u8]) -> Vec<u8> {
    let mut out = b"-----BEGIN PGP MESSAGE-----\r\n\r\n".to_vec();
    out.extend(base64(packets));
    out.extend(b"-----END PGP MESSAGE-----\r\n");
    out
}

fn text_entity(text: &[u8]) -> Vec<u8> {
    [&b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"[..], text]
        .concat()
}

const DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
const SIGNED: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
const COMPRESSED: &[u8] = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09";

/// A value of BER.
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap();
    [&[tag, 0x84][..], &length.to_be_bytes(), content].concat()
}

fn signed(content: &[u8]) -> Vec<u8> {
    signed_around(&value(0x04, content))
}

fn signed_around(octets: &[u8]) -> Vec<u8> {
    let inner = value(0x30, &[DATA, &value(0xA0, octets)].concat());
    let body = [&[2, 1, 1][..], &value(0x31, &[]), &inner, &value(0x31, &[])].concat();
    value(0x30, &[SIGNED, &value(0xA0, &value(0x30, &body))].concat())
}

fn compressed(content: &[u8]) -> Vec<u8> {
    let packed = value(0x04, &pack::zlib(content));
    let inner = value(0x30, &[DATA, &value(0xA0, &packed)].concat());
    let body =
        [&[2, 1, 0][..], &value(0x30, b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x03\x08"), &inner]
            .concat();
    value(0x30, &[COMPRESSED, &value(0xA0, &value(0x30, &body))].concat())
}
