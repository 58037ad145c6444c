//! What is said of numbers, and how far it reaches.

use super::*;

fn said(text: &str) -> Said {
    let at = text.find('8').unwrap();
    let folded = super::super::fold::Folded::new(text);
    let at = folded.bytes().iter().position(|byte| *byte == b'8').unwrap_or(at);
    let end = super::super::shape::digits_end(folded.bytes(), at);
    Context::new(folded.bytes(), &Known::default(), false).said(&(at..end), false)
}

#[test]
fn a_label_names_the_number_after_it_and_no_other() {
    let text = b"OCR 8112289874, 8203309012";
    let known = Known::default();
    let context = Context::new(text, &known, false);
    assert_eq!(context.label(4, &[Says::Other]), Some(Says::Other));
    assert_eq!(context.label(16, &[Says::Other]), None);
}

#[test]
fn words_are_whole_and_those_after_a_number_may_name_the_next() {
    let known = Known::default();
    let context = Context::new(b"hotel 8112289874 pnr 8203309012", &known, false);
    assert_eq!(context.label(6, &[Says::Phone]), None);
    assert!(!context.follows(16, Says::Identity));
    assert!(Context::new(b"8112289874 (pnr)", &Known::default(), false).follows(10, Says::Identity));
}

#[test]
fn what_a_number_is_may_be_said_from_afar_and_what_it_is_not_only_beside_it() {
    for (text, expected) in [
        ("Personnummer: 8112289874", Said::Identity),
        ("Personnummer\r\n8112289874", Said::Identity),
        ("Personnummer:\r\n\r\n8112289874", Said::Identity),
        ("Vad är ditt personnummer?\r\n> 8112289874", Said::Identity),
        ("Pers.nr. 8112289874", Said::Identity),
        ("Anna, född 8112289874", Said::Identity),
        ("Faktura för personnummer 8112289874", Said::Identity),
        ("OCR 8112289874 (personnummer)", Said::Identity),
        ("OCR-nummer: 8112289874", Said::Other),
        ("Fakturan har nr 8112289874", Said::Nothing),
        ("Fakturan är nr 8112289874", Said::Other),
        ("Slutfaktura 8112289874", Said::Other),
        ("Elevfaktura 8112289874", Said::Other),
        ("Faktura\n8112289874", Said::Nothing),
        ("Faktura till Anna 8112289874", Said::Nothing),
        ("Faktura; 8112289874", Said::Nothing),
        ("Ärende. Anna 8112289874", Said::Nothing),
        ("Eleven 8112289874", Said::OfPerson),
        ("Eleven Anna, 8112289874", Said::NearPerson),
        ("Eleven kom.\n8112289874", Said::Nothing),
        ("Eleven kom. Anna gick 8112289874", Said::Nothing),
    ] {
        assert_eq!(said(text), expected, "{text}");
    }
}

#[test]
fn references_hold_numbers_that_mean_nobody() {
    let inside = |text: &[u8], at: Range<usize>| in_reference(text, &at);
    assert!(inside(b"https://x.se/8112289874", 13..23));
    assert!(inside(b"<8112289874.x@y.se>", 1..11));
    assert!(!inside(b"se https://x.se/ pnr 8112289874", 21..31));
}
