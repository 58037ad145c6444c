//! Rate limits, the breaker, and two programs face to face.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::address::DomainSet;
use crate::facts::testing::from_outside;
use crate::policy::Mode;
use crate::policy::receipts::Mailbox;
use crate::templates::{Occasion, Template};

/// A mail of this sender at this minute, as the limiter sees it.
fn admit(
    limiter: &ReceiptLimiter,
    ceilings: &RateLimits,
    sender: &str,
    minute: i64,
    id: u32,
) -> &'static str {
    let mut facts = from_outside(sender, "registrator@exempelby.se", &format!("From: {sender}"));
    facts.arrived += Duration::from_mins(u64::try_from(minute).unwrap());
    let mut receipts = [receipt("registrator@exempelby.se", id)];
    limiter.reserve(&facts, ceilings, &mut receipts).keep();
    receipts[0].suppression.map_or("", Suppression::as_str)
}

fn receipt(mailbox: &str, id: u32) -> Receipt {
    let address = Address::parse(mailbox).unwrap();
    let mut key = Key::default();
    key[..4].copy_from_slice(&id.to_be_bytes());
    Receipt {
        mailbox: Arc::new(Mailbox { address, name: None, template: Template::shipped(Occasion::Receipt) }),
        mode: Mode::Enforce,
        suppression: None,
        waits: false,
        key,
        reference: "PV-2026-000000".into(),
        delay: Duration::from_secs(10),
        echo_subject: false,
        repeated: false,
    }
}

fn ceilings(sender: &[(u32, Per)], total: &[(u32, Per)]) -> RateLimits {
    let rates =
        |rates: &[(u32, Per)]| rates.iter().map(|(count, per)| Rate { count: *count, per: *per }).collect();
    let total = rates(total);
    RateLimits {
        sender: rates(sender),
        domain: Vec::new(),
        mailbox: Vec::new(),
        total,
        ..RateLimits::default()
    }
}

fn usual() -> RateLimits {
    let rates = |hour, day| vec![Rate { count: hour, per: Per::Hour }, Rate { count: day, per: Per::Day }];
    RateLimits {
        sender: rates(5, 20),
        authority: rates(60, 500),
        domain: rates(200, 1_000),
        mailbox: rates(1_000, 5_000),
        total: rates(2_000, 10_000),
        ..RateLimits::default()
    }
}

#[test]
fn two_programs_face_to_face_come_to_an_end_and_others_are_answered() {
    let (limiter, usual) = (ReceiptLimiter::default(), usual());
    let answered =
        (0..500).filter(|n| admit(&limiter, &usual, "robot@example.org", i64::from(*n) / 60, *n).is_empty());
    assert_eq!(answered.count(), 5, "new Message-IDs for eight minutes");
    assert_eq!(admit(&limiter, &usual, "ROBOT@example.org", 9, 1_000), "ceiling-sender");
    assert_eq!(admit(&limiter, &usual, "x@example.org", 9, 1_001), "");
    // In the next hour five more, and 20 a day.
    let day = (0..1_440).filter(|n| {
        admit(&limiter, &usual, "robot@example.org", *n, 2_000 + u32::try_from(*n).unwrap()).is_empty()
    });
    assert_eq!(day.count(), 15);
    assert_eq!(admit(&limiter, &usual, "robot@example.org", 60 * 24 + 61, 9_000), "");
}

#[test]
fn an_authority_has_more_and_comes_to_an_end_too() {
    let board = DomainSet::parse("board.example").unwrap();
    let (limiter, usual) = (ReceiptLimiter::default(), RateLimits { authorities: board, ..usual() });
    let count = |sender: &str, first: u32| {
        (first..first + 500)
            .filter(|n| admit(&limiter, &usual, sender, i64::from(n % 50), *n).is_empty())
            .count()
    };
    assert_eq!(count("jordbruk@board.example", 0), 60, "more than ten errands in an hour");
    assert_eq!(count("arende-401@crm.example", 1_000), 5);
    assert_eq!(admit(&limiter, &usual, "arende-402@crm.example", 50, 2_000), "ceiling-sender");
    assert_eq!(admit(&limiter, &usual, "jordbruk+402@board.example", 50, 2_001), "ceiling-sender");
    assert_eq!(admit(&limiter, &usual, "miljo@board.example", 50, 2_002), "");
}

#[test]
fn an_author_behind_many_senders_is_one() {
    let (limiter, usual) = (ReceiptLimiter::default(), usual());
    let admitted = (0..100_u32).filter(|n| {
        let sender = format!("{}@crm.example", ["anna", "bo", "cilla", "doris"][*n as usize % 4]);
        let facts = from_outside(&sender, "registrator@exempelby.se", "From: Support <support@crm.example>");
        let mut receipts = [receipt("registrator@exempelby.se", *n)];
        limiter.reserve(&facts, &usual, &mut receipts).keep();
        receipts[0].suppression.is_none()
    });
    assert_eq!(admitted.count(), 5);
}

#[test]
fn one_mail_that_comes_again_is_counted_once() {
    let (limiter, usual) = (ReceiptLimiter::default(), usual());
    for _ in 0..100 {
        assert_eq!(admit(&limiter, &usual, "x@example.org", 0, 7), "");
    }
    assert_eq!(admit(&limiter, &usual, "x@example.org", 0, 8), "");
}

#[test]
fn domains_and_mailboxes_have_ceilings_of_their_own() {
    let one = vec![Rate { count: 1, per: Per::Hour }];
    let limiter = ReceiptLimiter::default();
    let domain = RateLimits { domain: one.clone(), ..ceilings(&[], &[]) };
    assert_eq!(admit(&limiter, &domain, "x@example.org", 0, 1), "");
    assert_eq!(admit(&limiter, &domain, "y@example.org", 0, 2), "ceiling-domain");
    assert_eq!(admit(&limiter, &domain, "x@example.net", 0, 3), "");
    let mailbox = RateLimits { mailbox: one, ..ceilings(&[], &[]) };
    assert_eq!(admit(&limiter, &mailbox, "z@example.com", 0, 4), "ceiling-mailbox");
    let mut other = [receipt("miljo@exempelby.se", 5)];
    let facts = from_outside("z@example.com", "miljo@exempelby.se", "From: z@example.com");
    limiter.reserve(&facts, &mailbox, &mut other).keep();
    assert_eq!(other[0].suppression, None);
}

#[test]
fn the_breaker_opens_above_all_and_closes_at_half() {
    let (limiter, total) = (ReceiptLimiter::default(), ceilings(&[], &[(10, Per::Hour)]));
    for n in 0..10 {
        assert_eq!(admit(&limiter, &total, &format!("x{n}@example.org"), i64::from(n), n), "");
    }
    assert_eq!(admit(&limiter, &total, "x@example.org", 10, 20), "ceiling-total");
    assert_eq!(METRICS.receipts_breaker.get(), 1);
    // After an hour from the first: nine, then eight …
    assert_eq!(admit(&limiter, &total, "x@example.org", 61, 21), "breaker");
    assert_eq!(admit(&limiter, &total, "x@example.org", 64, 22), "");
    assert_eq!(METRICS.receipts_breaker.get(), 0);
}

#[test]
fn what_was_not_stored_is_not_counted() {
    let (limiter, one) = (ReceiptLimiter::default(), ceilings(&[(1, Per::Day)], &[]));
    let facts = from_outside("x@example.org", "registrator@exempelby.se", "From: x@example.org");
    let mut receipts = [receipt("registrator@exempelby.se", 1)];
    drop(limiter.reserve(&facts, &one, &mut receipts));
    assert_eq!(admit(&limiter, &one, "x@example.org", 0, 2), "");
    // The same mail again, which was counted already: that it fails now takes nothing back.
    let mut receipts = [receipt("registrator@exempelby.se", 2)];
    drop(limiter.reserve(&facts, &one, &mut receipts));
    assert_eq!(admit(&limiter, &one, "x@example.org", 0, 3), "ceiling-sender");
}
