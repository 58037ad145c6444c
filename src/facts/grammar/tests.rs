//! Addresses in every written form: what is valid, what is not and is shown all the same, and what is no address.

use super::*;

fn found(value: &str) -> Vec<String> {
    addresses(value).iter().map(ToString::to_string).collect()
}

fn all(table: &[(&str, &[&str])]) {
    for (value, expected) in table {
        assert_eq!(found(value), *expected, "{value}");
    }
}

#[test]
fn valid_forms() {
    all(&[
        ("x@example.org", &["x@example.org"]),
        ("<x@example.org>", &["x@example.org"]),
        ("Kund <x@example.org>", &["x@example.org"]),
        ("Kund<x@example.org>", &["x@example.org"]),
        ("\"Berg, Anna (Exempel AB)\" <anna.berg@example.org>", &["anna.berg@example.org"]),
        ("\"a \\\" b\" <x@example.org>", &["x@example.org"]),
        ("\"a <y@example.net>\" <x@example.org>", &["x@example.org"]),
        ("Anna (a, (nested\\)) one) Berg <x@example.org> (hemma)", &["x@example.org"]),
        ("x@example.org (Anna Berg)", &["x@example.org"]),
        ("(Anna) x@example.org", &["x@example.org"]),
        ("\"john smith\"@example.org", &["\"john smith\"@example.org"]),
        ("<\"john smith\"@example.org>", &["\"john smith\"@example.org"]),
        ("\"john\"@example.org", &["john@example.org"]),
        ("\"john\".smith@example.org", &["\"john\".smith@example.org"]),
        ("\"a@b\"@example.org", &["\"a@b\"@example.org"]),
        ("\"a, b\"@example.org, c@example.org", &["\"a, b\"@example.org", "c@example.org"]),
        ("person@(hemma)example.org", &["person@example.org"]),
        ("person(hemma)@example.org", &["person@example.org"]),
        ("person @ example.org", &["person@example.org"]),
        ("john . smith @ example . org", &["john.smith@example.org"]),
        ("<john. smith@example. org>", &["john.smith@example.org"]),
        ("john (a) . (b) smith@ (c) example (d) .org", &["john.smith@example.org"]),
        ("<@a.example,@b.example:x@example.org>", &["x@example.org"]),
        ("x@[192.0.2.1]", &["x@[192.0.2.1]"]),
        ("x@[IPv6:2001:db8::1]", &["x@[ipv6:2001:db8::1]"]),
        ("Grupp: x@example.org, Y <y@example.org>;", &["x@example.org", "y@example.org"]),
        ("\"En, grupp\":x@example.org;, z@example.net", &["x@example.org", "z@example.net"]),
        ("undisclosed-recipients:;", &[]),
        ("x@example.org,,y@example.org,", &["x@example.org", "y@example.org"]),
        ("o'brien+a=b@example.org", &["o'brien+a=b@example.org"]),
        ("=?utf-8?q?=C3=85sa?= <asa@example.org>", &["asa@example.org"]),
        ("=?utf-8?q?=22y=40example.net=22_=3Cy=40example.net=3E?= <x@example.org>", &["x@example.org"]),
        (
            "=?utf-8?b?w4U=?= =?utf-8?b?c2E=?= <asa@example.org>, y@example.org",
            &["asa@example.org", "y@example.org"],
        ),
        ("år@exempel.example", &["år@exempel.example"]),
        ("x@malmö.example", &["x@xn--malm-8qa.example"]),
        ("X@EXAMPLE.ORG", &["X@example.org"]),
        ("prvs=1a2b=x@example.org", &["prvs=1a2b=x@example.org"]),
        ("x@example.org\t(a)\u{a0}", &["x@example.org"]),
    ]);
}

#[test]
fn invalid_forms_as_people_see_them() {
    all(&[
        ("Anna <anna@exempelby.se> <x@example.org>", &["anna@exempelby.se", "x@example.org"]),
        ("<anna@exempelby.se><x@example.org>", &["anna@exempelby.se", "x@example.org"]),
        ("\"Kund <x@example.org>", &["x@example.org"]),
        ("Kund\" <x@example.org>", &["x@example.org"]),
        ("\"A\" B\" <x@example.org>", &["x@example.org"]),
        ("Kund (x <x@example.org>", &["x@example.org"]),
        ("Kund) <x@example.org>", &["x@example.org"]),
        ("Kund <x@example.org", &["x@example.org"]),
        ("Kund<x@example.org", &["x@example.org"]),
        ("Kund x@example.org>", &["x@example.org"]),
        ("Kund x@example.org", &["x@example.org"]),
        ("<<x@example.org>>", &["x@example.org"]),
        ("<x@example.org>, <", &["x@example.org"]),
        ("<x@example.org, y@example.org>", &["x@example.org", "y@example.org"]),
        ("x@example.org; y@example.org", &["x@example.org", "y@example.org"]),
        ("x@example.org y@example.org", &["x@example.org", "y@example.org"]),
        ("x@example.org <x@example.org>", &["x@example.org"]),
        ("<x@example.org> y@example.org", &["x@example.org", "y@example.org"]),
        ("Berg, Anna <x@example.org>", &["x@example.org"]),
        ("mailto:x@example.org", &["x@example.org"]),
        ("<mailto:x@example.org>", &["x@example.org"]),
        ("x@example.org: y@example.org;", &["x@example.org", "y@example.org"]),
        ("'x@example.org'", &["x@example.org"]),
        ("<'x@example.org'>", &["x@example.org"]),
        ("\"x@example.org\"", &["x@example.org"]),
        ("\"Kund <x@example.org>\"", &["x@example.org"]),
        ("(x@example.org)", &["x@example.org"]),
        ("<\"x@example.org\">", &["x@example.org"]),
        ("x@example.org.", &["x@example.org"]),
        ("Kund <x@example.org..>", &["x@example.org"]),
        ("x@.example.org", &["x@example.org"]),
        ("x@@example.org", &["x@example.org"]),
        ("x@example.org. Hej", &["x@example.org"]),
        ("x@example.org/y", &["x@example.org"]),
        ("x@example.org\\", &["x@example.org"]),
        ("x@\"example.org\"", &["x@example.org"]),
        ("x\u{ff20}example.org", &["x@example.org"]),
        ("x@example\u{ff0e}org", &["x@example.org"]),
        ("x@exa\u{ad}mple.org", &["x@example.org"]),
        ("a@b.example@example.org", &["a@b.example@example.org"]),
        ("a@b.example (c) @example.org", &["a@b.example@example.org"]),
        ("<@example.org>", &["@example.org"]),
        ("<root>", &["root"]),
        ("<Anna Berg>", &[]),
        ("Anna Berg", &[]),
        ("root", &[]),
        ("<>", &[]),
        ("@", &[]),
        ("<@>, @, \"@\"", &[]),
        ("", &[]),
    ]);
}

#[test]
fn what_is_encoded_where_nothing_may_be() {
    all(&[
        // "Kund" <person@example.org>
        ("=?utf-8?B?Ikt1bmQiIDxwZXJzb25AZXhhbXBsZS5vcmc+?=", &["person@example.org"]),
        ("=?utf-8?q?Kund_=3Cperson=40example.org=3E?=", &["person@example.org"]),
        ("=?utf-8?q?person=40?= =?utf-8?q?example.org?=", &["person@example.org"]),
        ("=?utf-8?q?person=40example.org?=", &["person@example.org"]),
        ("\"=?utf-8?q?person=40example.org?=\"", &["person@example.org"]),
        ("Anna <=?utf-8?Q?anna=40exempelby=2Ese?=>", &["anna@exempelby.se"]),
        ("=?utf-8?q?person?=@example.org", &["person@example.org"]),
        ("person@=?utf-8?q?example.org?=", &["person@example.org"]),
        ("person@exa=?utf-8?q?mple?=.org", &["person@example.org"]),
        ("=?utf-8?q?per?= =?utf-8?q?son?=@example.org", &["person@example.org"]),
        ("Kund <=?utf-8?q?person?=@=?utf-8?q?example?=.org>", &["person@example.org"]),
        ("=?utf-8?q?a=00b?=@example.org", &["a b@example.org"]),
        ("=?utf-8?q?a@example.net?= <x@example.org>", &["x@example.org"]),
        ("=?x?z?broken?= <x@example.org>", &["x@example.org"]),
        // What decodes to something encoded is decoded once.
        ("=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3D40example.org=3F=3D?=", &[]),
    ]);
}

#[test]
fn what_stands_beside_the_addresses() {
    for (value, expected) in [
        ("Anna Berg <x@example.org>", "Anna Berg"),
        ("=?utf-8?q?=C3=85sa?= <x@example.org>", "Åsa"),
        ("x@example.org (Anna)", ""),
        ("x@example.org", ""),
        ("anna@exempelby.se <x@example.org>", "anna@exempelby.se"),
        ("anna@exempelby.se: x@example.org;", ""),
        ("\"anna@exempelby.se\": x@example.org;", "\"anna@exempelby.se\""),
        ("Anna Berg", "Anna Berg"),
    ] {
        assert_eq!(names(value).split_whitespace().collect::<Vec<_>>().join(" "), expected, "{value}");
    }
}

#[test]
fn addresses_within_addresses() {
    for (value, expected) in [
        ("\"anna@exempelby.se\"@example.org", vec!["anna@exempelby.se"]),
        ("anna@exempelby.se@example.org", vec!["anna@exempelby.se"]),
        (
            "=?utf-8?b?YW5uYUBleGVtcGVsYnkuc2UAYW5uYUBleGVtcGVsYnkuc2U=?=@example.org",
            vec!["anna@exempelby.se"; 2],
        ),
        ("\"Anna <anna@exempelby.se>\"@example.org", vec!["anna@exempelby.se"]),
        // Lists that rewrite From do so, and VERP.
        ("anna=40exempelby.se@lists.example.org", vec![]),
        ("bounce+anna=exempelby.se@lists.example.org", vec![]),
        ("anna%exempelby.se@example.org", vec![]),
        ("x@example.org", vec![]),
    ] {
        let found: Vec<_> = addresses(value).iter().flat_map(within).map(|found| found.to_string()).collect();
        assert_eq!(found, expected, "{value}");
    }
}

#[test]
fn every_text_is_read_and_none_twice_as_long() {
    // Each of these asks for a search to the end from every one of its characters.
    for piece in [
        "\"",
        "\\\"",
        "(",
        "(\\",
        "[",
        "@[",
        "=?",
        "=?a?b?",
        "=?utf-8?q?",
        "<",
        "<@",
        ":",
        "'@.",
        "a@b",
        "@",
        "\"@\"(",
    ] {
        for length in [1, 2, 3, 20_000] {
            let value = piece.repeat(length / piece.len() + 1);
            assert!(addresses(&value).len() <= limits::HEADER_ITEMS + 1, "{piece}");
            let mixed = format!("{value} <x@example.org>");
            assert!(length > 3 || !addresses(&mixed).is_empty(), "{mixed}");
        }
    }
}
