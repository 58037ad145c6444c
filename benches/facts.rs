//! How long a message takes to become facts: nanoseconds per message, the best of several rounds.
//!
//! `cargo bench --bench facts`

#![allow(clippy::unwrap_used, reason = "a benchmark may stop with a panic")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use postvakt::address::{Address, DomainPattern, ReversePath};
use postvakt::facts::{Needs, extract::extract};
use postvakt::mail::{Client, Envelope, Mail, Message, Recipient};
use postvakt::organisation::Organisation;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(300);

fn main() {
    let organisation = Arc::new(Organisation {
        name: "Exempelby kommun".into(),
        domains: vec![DomainPattern::parse("exempelby.se").unwrap()],
        internal_networks: vec!["10.0.0.0/8".parse().unwrap()],
        ..Organisation::default()
    });
    let body = Needs { body: true, ..Needs::default() };
    let text = Needs { body: true, text: true, documents: true, seen_days: 1, ..Needs::NONE };
    println!("{:<34}{:>12}{:>14}{:>10}", "message", "octets", "ns/message", "MB/s");
    for (name, message, needs) in [
        ("text, 2 KB", plain(2_000), body),
        ("text, 2 KB, with its text", plain(2_000), text),
        ("text and HTML, 2 KB", alternative(2_000), body),
        ("attachment, 20 KB", attachment(20_000), body),
        ("attachment, 1 MB", attachment(1_000_000), body),
        ("attachment, 1 MB, with its text", attachment(1_000_000), text),
    ] {
        let mail = mail(&message);
        let best = best(|| drop(black_box(extract(black_box(&mail), &organisation, needs))));
        let megabytes = f64::from(u32::try_from(message.len()).unwrap()) * 1e3 / best;
        println!("{name:<34}{:>12}{best:>14.0}{megabytes:>10.0}", message.len());
    }
}

/// Nanoseconds for one call, in the best round: noise only ever adds.
fn best(mut call: impl FnMut()) -> f64 {
    let round = || {
        let start = Instant::now();
        let mut calls = 0_u32;
        while start.elapsed() < ROUND {
            call();
            calls += 1;
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
    };
    std::iter::repeat_with(round).take(ROUNDS).fold(f64::INFINITY, f64::min)
}

fn header(content: &str) -> String {
    format!(
        "Received: from mail.example.org (mail.example.org [192.0.2.10])\r\n\
         \tby mx.exempelby.se (Postfix) with ESMTPS id 4ABCDE12345\r\n\
         \tfor <anna@exempelby.se>; Mon,  2 Mar 2026 09:15:00 +0100 (CET)\r\n\
         DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=s1;\r\n\
         \tt=1772439300; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\
         \th=Date:From:To:Subject:Message-ID; b={}\r\n\
         Date: Mon, 2 Mar 2026 09:15:00 +0100\r\n\
         From: Medborgare <medborgare@example.org>\r\nTo: Exempelby kommun <anna@exempelby.se>\r\n\
         Subject: =?utf-8?Q?Fr=C3=A5ga_om_bygglov?=\r\n\
         Message-ID: <20260302081500.4ABCDE12345@mail.example.org>\r\n\
         References: <1@exempelby.se> <2@example.org>\r\nIn-Reply-To: <2@example.org>\r\n\
         User-Agent: Mozilla Thunderbird\r\nMIME-Version: 1.0\r\n{content}\r\n",
        "Ab3+".repeat(60),
    )
}

fn lines(octets: usize) -> String {
    "Hej, hur ansöker jag om bygglov för ett uterum på femton kvadratmeter?\r\n".repeat(octets / 73)
}

fn plain(octets: usize) -> String {
    let header = header("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n");
    let body = lines(octets.saturating_sub(header.len()));
    header + &body
}

fn alternative(octets: usize) -> String {
    let mut message = header("Content-Type: multipart/alternative; boundary=\"=_b\"\r\n");
    let half = lines(octets.saturating_sub(message.len()) / 2);
    write!(message, "--=_b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{half}\r\n").unwrap();
    write!(message, "--=_b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{half}\r\n--=_b--\r\n").unwrap();
    message
}

fn attachment(octets: usize) -> String {
    let mut message = header("Content-Type: multipart/mixed; boundary=\"=_a\"\r\n");
    write!(message, "--=_a\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n", lines(1_000)).unwrap();
    let line = "QUJD".repeat(19) + "\r\n";
    let content = line.repeat(octets.saturating_sub(message.len()) / line.len());
    write!(
        message,
        "--=_a\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename*=UTF-8''ans%C3%B6kan.pdf\r\n\r\n{content}--=_a--\r\n",
    )
    .unwrap();
    message
}

fn mail(message: &str) -> Mail {
    let recipient = Address::parse("anna@exempelby.se").unwrap();
    Mail {
        arrived: Timestamp::UNIX_EPOCH,
        listener_direction: None,
        client: Client { address: "192.0.2.10".parse().ok(), ..Client::default() },
        envelope: Envelope {
            sender: ReversePath::from_wire(b"<medborgare@example.org>"),
            smtputf8: false,
            recipients: vec![Recipient { raw: "<anna@exempelby.se>".into(), address: recipient }],
        },
        queue_id: Some("4ABCDE12345".into()),
        message: Message {
            body_at: message.find("\r\n\r\n").unwrap() + 4,
            size: message.len() as u64,
            bytes: Bytes::copy_from_slice(message.as_bytes()),
        },
    }
}
