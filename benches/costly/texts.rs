//! Text that the message itself has, and what detectors look for in it.

use std::fmt::Write as _;

use super::Kind;
use super::archives::FDFA;
use super::dice::Dice;
use super::mail::{Part, base64, lines_of, noise, quoted, repeated, single};

pub(super) const KINDS: &[Kind] = &[
    Kind::new("prose", "for comparison: Swedish prose", |size| {
        plain(&lines_of("Vi kompletterar härmed vår ansökan. ", 2, size))
    }),
    Kind::new("fdfa", "U+FDFA, as it is", |size| plain(&lines_of(FDFA, 24, size))),
    Kind::new("fdfa-base64", "U+FDFA in base64", |size| {
        encoded("base64", &base64(&repeated(FDFA.as_bytes(), size / 78 * 57)))
    }),
    Kind::new("fdfa-quoted", "U+FDFA in quoted-printable", |size| {
        encoded("quoted-printable", &quoted(&repeated(FDFA.as_bytes(), size / 75 * 24)))
    }),
    Kind::new("fdfa-entities", "U+FDFA as entities of HTML", |size| html(&lines_of("&#xFDFA;", 12, size))),
    Kind::new("fdfa-parts", "U+FDFA in many parts", |size| {
        super::mail::filled(size, |_| Part::text(lines_of(FDFA, 24, 8 << 10)))
    }),
    Kind::new("expanding", "each character that NFKC makes longer", |size| {
        let each: String = ('\u{FB00}'..='\u{FDFF}').chain('\u{3300}'..='\u{33FF}').collect();
        plain(&repeated((each + "\r\n").as_bytes(), size))
    }),
    Kind::new("accents", "letters with accents of their own", |size| {
        plain(&lines_of("a\u{308}o\u{308}", 12, size))
    }),
    Kind::new("invisible", "invisible characters between digits", |size| {
        plain(&lines_of("8\u{200B}1\u{AD}1\u{2060}2", 8, size))
    }),
    Kind::new("full-width", "full-width digits", |size| plain(&lines_of("８１１２２８－９８７４ ", 3, size))),
    Kind::new("mangled", "letters whose UTF-8 was taken for Latin-1", |size| {
        plain(&lines_of("Ã¥Ã¤Ã¶", 10, size))
    }),
    Kind::new("leftovers", "quoted-printable that nobody undid", |size| {
        plain(&lines_of("=E5=C3=A4=\r\n", 4, size))
    }),
    Kind::new("digits", "digits", |size| {
        let mut dice = Dice(1);
        let mut text = String::new();
        while text.len() < size {
            for _ in 0..7 {
                let _ = write!(text, "{:010}", dice.below(10_000_000_000));
            }
            text += "\r\n";
        }
        plain(text.as_bytes())
    }),
    Kind::new("csv", "rows of numbers of persons", |size| {
        plain(&repeated(b"811228-9874;19121212-1212;201212121211;diagnos\r\n", size))
    }),
    Kind::new("numbers", "numbers of every kind, near words of every kind", |size| {
        plain(&repeated(
            "Pnr 811228-9874 diagnos, konto 5001-1234567, kort 4111 1111 1111 1111, IBAN SE45 5000 0000 0583 9825 7466, \
             tel 070-174 06 05, orgnr 212000-0142, läkarintyg\r\n"
                .as_bytes(),
            size,
        ))
    }),
    Kind::new("dashes", "digits and dashes that could be numbers", |size| plain(&lines_of("1-1 ", 18, size))),
    Kind::new("terms", "words of health and law, without numbers", |size| {
        plain(&lines_of("diagnos läkarintyg diabetes schizofreni sekretess vårdplan ", 1, size))
    }),
    Kind::new("credentials", "passwords", |size| {
        plain(&repeated("Användarnamn: anna Lösenord: Sommar2026!x7 pin: 4711\r\n".as_bytes(), size))
    }),
    Kind::new("password-word", "the word password without end", |size| {
        plain(&lines_of("lösenord:", 7, size))
    }),
    Kind::new("tokens", "what looks like keys and tokens", |size| {
        let key: String = String::from_utf8_lossy(&base64(&noise(3, 48))).trim().to_owned();
        let line = format!("api_key = \"{key}\"\r\neyJhbGciOiJIUzI1NiJ9.{key}.{key}\r\n");
        plain(&repeated(line.as_bytes(), size))
    }),
    Kind::new("urls", "addresses in plain text", |size| {
        plain(&repeated(
            b"https://www.example.org/a?b=c&d=%C3%A5 http://exempelby.se.example.org/ \r\n",
            size,
        ))
    }),
    Kind::new("one-line", "a line without end", |size| plain(&repeated(b"811228-9874 ", size))),
    Kind::new("noise-text", "noise, called text", |size| plain(&noise(2, size))),
    Kind::new("html-depth", "tags inside one another", |size| html(&lines_of("<div><b>", 8, size))),
    Kind::new("html-attributes", "attributes", |size| {
        let mut page = b"<p ".to_vec();
        page.extend(lines_of("a='b' title=\"&aring;\" ", 3, size));
        page.extend(b">x</p>");
        html(&page)
    }),
    Kind::new("html-entities", "entities that are none", |size| {
        html(&lines_of("&amp&aring;&nosuch;&#1", 3, size))
    }),
    Kind::new("html-links", "links whose text is another address", |size| {
        html(&repeated(b"<a href=\"https://example.org/x\">https://www.exempelby.se/</a>\r\n", size))
    }),
    Kind::new("html-link-open", "links that never end", |size| {
        html(&repeated(b"<a href=\"https://example.org/x\">www.exempelby.se <b>\r\n", size))
    }),
    Kind::new("html-comments", "comments, open and closed", |size| html(&lines_of("<!--x--><!--", 6, size))),
    Kind::new("html-unclosed", "tags without an end", |size| html(&lines_of("<a <b title='", 5, size))),
    Kind::new("html-less", "a < that begins nothing", |size| html(&lines_of("< <", 24, size))),
    Kind::new("html-scripts", "scripts", |size| html(&lines_of("<script></scrip</script><style>", 2, size))),
    Kind::new("html-hidden", "text that is split by tags", |size| {
        html(&repeated(b"8<b></b>1<i>1</i>2<span style=\"display:none\">x</span>28-9874 \r\n", size))
    }),
    Kind::new("charset-jis", "ISO-2022-JP that shifts for each character", |size| {
        charset("iso-2022-jp", &lines_of("\u{1b}$B!!\u{1b}(Ba", 7, size))
    }),
    Kind::new("charset-gb18030", "GB18030 of four octets a character", |size| {
        charset("gb18030", &repeated(b"\x84\x31\xa4\x39\x81\x30\x89\x38", size))
    }),
    Kind::new("charset-utf7", "UTF-7", |size| charset("utf-7", &lines_of("+/fr9+v36-", 7, size))),
    Kind::new("charset-utf16", "UTF-16 of U+FDFA", |size| charset("utf-16le", &repeated(b"\xfa\xfd", size))),
    Kind::new("pgp-armour", "armoured messages without content", |size| {
        plain(&repeated(b"-----BEGIN PGP MESSAGE-----\r\n\r\n-----END PGP MESSAGE-----\r\n", size))
    }),
    Kind::new("pgp-begins", "armour that begins and never ends", |size| {
        plain(&repeated(b"-----BEGIN PGP MESSAGE-----\r\n", size))
    }),
];

pub(super) fn plain(body: &[u8]) -> Vec<u8> {
    single(&Part::text(body))
}

fn encoded(encoding: &str, body: &[u8]) -> Vec<u8> {
    single(&Part::new(
        format!("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n"),
        body,
    ))
}

fn charset(name: &str, body: &[u8]) -> Vec<u8> {
    single(&Part::new(
        format!("Content-Type: text/plain; charset={name}\r\nContent-Transfer-Encoding: 8bit\r\n"),
        body,
    ))
}

fn html(body: &[u8]) -> Vec<u8> {
    single(&Part::new("Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n", body))
}
