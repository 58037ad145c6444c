//! Compound files as a unit test writes them: what is in each, and how each ends.

use super::testing::file;
use crate::documents::places::to_utf16;
use crate::documents::testing::items;
use crate::documents::{Item, Reason, Scheme, State};

fn states(items: &[Item]) -> Vec<(&str, &str, State)> {
    items.iter().map(|item| (&*item.path, &*item.name, item.state)).collect()
}

#[test]
fn an_outlook_message_with_a_message_in_it() {
    let attach = "__attach_version1.0_#0000000";
    let name = |number: usize, property: &str| format!("{attach}{number}/__substg1.0_{property}");
    let inner = format!("{attach}1/__substg1.0_3701000D");
    let paths = [name(0, "3707001F"), name(0, "37010102"), name(1, "3001001F")];
    let inner_paths = [format!("{inner}/__properties_version1.0"), format!("{inner}/__substg1.0_1000001F")];
    let bytes = file(&[
        ("__properties_version1.0", b"xx"),
        ("__substg1.0_0037001F", &to_utf16("Ärende 811228-9874")),
        ("__substg1.0_1000001E", b"L\xe4karintyg"),
        ("__substg1.0_10130102", b"<p>8112<b>28</b>-9874</p>"),
        ("__recip_version1.0_#00000000/__substg1.0_3001001F", &to_utf16("Anna Andersson")),
        (&paths[0], &to_utf16("lista.csv")),
        (&paths[1], b"namn;811228-9874"),
        (&paths[2], &to_utf16("Vidarebefordrat")),
        (&inner_paths[0], b"xx"),
        (&inner_paths[1], &to_utf16("inre 811228-9874")),
    ]);
    let found = items("brev.msg", &bytes);
    assert_eq!(
        states(&found),
        [
            ("", "brev.msg", State::Plain),
            ("1", "", State::Plain),
            ("2", "lista.csv", State::Plain),
            ("3", "Vidarebefordrat", State::Plain),
        ]
    );
    for (item, text) in
        found.iter().zip(["Ärende 811228-9874", "811228-9874", "811228-9874", "inre 811228-9874"])
    {
        assert!(item.text.contains(text), "{found:#?}");
    }
    assert!(found[0].text.contains("Läkarintyg") && found[0].text.contains("Anna Andersson"), "{found:#?}");
}

#[test]
fn a_file_put_into_a_document_as_an_icon() {
    let mut stream = vec![0; 4];
    stream.extend(b"\x02\0lista.csv\0C:\\lista.csv\0\0\0\x03\0");
    stream.extend(b"\x05\0\0\0C:\\x\0\x0b\0\0\x00811228-9874");
    let found = items("oleObject1.bin", &file(&[("\u{1}Ole10Native", &stream)]));
    assert_eq!(states(&found), [("", "oleObject1.bin", State::Plain), ("1", "lista.csv", State::Plain)]);
    assert_eq!(found[1].text, "811228-9874");
}

#[test]
fn what_nobody_can_read_says_so() {
    for (streams, state) in [
        (&[("EncryptedPackage", &b"x"[..])][..], State::Encrypted(Scheme::Rights)),
        (&[("\u{9}DRMContent", b"x")], State::Encrypted(Scheme::Rights)),
        (
            &[("EncryptedPackage", b"x"), ("EncryptionInfo", b"\x04\0\x04\0")],
            State::Encrypted(Scheme::Office),
        ),
        (&[("WordDocument", b"x")], State::Uninspectable(Reason::Damaged)),
        (&[("Something", b"x")], State::Uninspectable(Reason::Format)),
    ] {
        assert_eq!(items("x", &file(streams))[0].state, state, "{streams:?}");
    }
}

#[test]
fn macros_are_seen() {
    let with = file(&[("Macros/VBA/dir", b"x"), ("WordDocument", b"x")]);
    assert!(items("x.doc", &with)[0].macros);
    assert!(!items("x.doc", &file(&[("WordDocument", b"x")]))[0].macros);
}

#[test]
fn chains_without_an_end_end() {
    let mut bytes = file(&[("Workbook", &[0; 4000])]);
    // Every sector is followed by the first one.
    bytes[512..1024].fill(0);
    assert_eq!(items("x.xls", &bytes)[0].state.as_str(), "uninspectable");
}
