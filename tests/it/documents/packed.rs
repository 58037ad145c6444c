//! Archives, made by the programs that people make them with.

use super::*;

/// A directory with a file that holds a number, and one that does not.
fn files() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("hemlig.txt", format!("Personnummer {NUMBER}\n"));
    scratch.write("annat.txt", "Hej\n".repeat(100));
    scratch
}

#[test]
fn a_number_in_every_archive() {
    let scratch = files();
    for (command, name) in [
        ("zip -q a.zip hemlig.txt annat.txt", "a.zip"),
        ("zip -q -0 stored.zip hemlig.txt annat.txt", "stored.zip"),
        ("zip -q -fd streamed.zip hemlig.txt annat.txt", "streamed.zip"),
        ("7z a -bso0 a.7z hemlig.txt annat.txt", "a.7z"),
        ("7z a -bso0 -m0=LZMA lzma.7z hemlig.txt annat.txt", "lzma.7z"),
        ("7z a -bso0 -m0=Copy copy.7z hemlig.txt annat.txt", "copy.7z"),
        ("7z a -bso0 -ms=off -m0=BCJ -m1=LZMA2 bcj.7z hemlig.txt annat.txt", "bcj.7z"),
        ("7z a -bso0 -mx=9 best.7z hemlig.txt annat.txt", "best.7z"),
        ("tar -cf a.tar hemlig.txt annat.txt", "a.tar"),
        ("tar --format=v7 -cf old.tar hemlig.txt annat.txt", "old.tar"),
        ("tar --format=posix -cf posix.tar hemlig.txt annat.txt", "posix.tar"),
        ("tar -czf a.tar.gz hemlig.txt annat.txt", "a.tar.gz"),
        ("tar -czf a.tgz hemlig.txt annat.txt", "a.tgz"),
        ("tar -cJf a.tar.xz hemlig.txt annat.txt", "a.tar.xz"),
        ("gzip -k hemlig.txt", "hemlig.txt.gz"),
        ("zip -q inner.zip a.zip", "inner.zip"),
        ("zip -q nested.zip inner.zip a.tar.gz", "nested.zip"),
    ] {
        scratch.run(command);
        assert_found(name, &scratch.read(name), NUMBER);
    }
    let nested = lines(&items("nested.zip", &scratch.read("nested.zip")));
    assert_eq!(
        nested[..4],
        [
            " nested.zip zip plain",
            "1 inner.zip zip plain",
            "1/1 a.zip zip plain",
            "1/1/1 hemlig.txt text plain"
        ]
    );
}

#[test]
fn what_cannot_be_unpacked_says_so_and_keeps_its_names() {
    let scratch = files();
    for (command, name, expected) in [
        ("7z a -bso0 -m0=PPMd ppmd.7z annat.txt", "ppmd.7z", "uninspectable:format"),
        ("7z a -bso0 -mm=LZMA lzma.zip annat.txt", "lzma.zip", "uninspectable:format"),
        ("7z a -bso0 -mm=Deflate64 d64.zip annat.txt", "d64.zip", "uninspectable:format"),
    ] {
        scratch.run(command);
        let found = lines(&items(name, &scratch.read(name)));
        assert!(found.contains(&format!("1 annat.txt text {expected}")), "{found:?}");
    }
    scratch.run("bzip2 -k hemlig.txt");
    assert_eq!(
        lines(&items("hemlig.txt.bz2", &scratch.read("hemlig.txt.bz2"))),
        [" hemlig.txt.bz2 bzip2 uninspectable:format"]
    );
}

#[test]
fn encrypted_archives_keep_their_names_where_they_can_be_read() {
    let scratch = files();
    scratch.write("Kalle Svensson 811228-9874 utredning.txt", "x");
    for (command, name, expected) in [
        (
            "zip -q -P Sommar2024! crypto.zip hemlig.txt",
            "crypto.zip",
            &[" crypto.zip zip encrypted:zip-weak", "1 hemlig.txt text encrypted:zip-weak"][..],
        ),
        (
            "7z a -bso0 -pSommar2024! -mem=AES256 aes.zip hemlig.txt",
            "aes.zip",
            &[" aes.zip zip encrypted:zip", "1 hemlig.txt text encrypted:zip"],
        ),
        (
            "7z a -bso0 -pSommar2024! named.7z hemlig.txt",
            "named.7z",
            &[" named.7z seven-zip encrypted:7z", "1 hemlig.txt text encrypted:7z"],
        ),
        (
            "7z a -bso0 -pSommar2024! -mhe=on hidden.7z hemlig.txt",
            "hidden.7z",
            &[" hidden.7z seven-zip encrypted:7z"],
        ),
    ] {
        scratch.run(command);
        assert_eq!(lines(&items(name, &scratch.read(name))), expected);
    }
    // One of two is encrypted: the archive is readable, and so is the other.
    scratch.run("zip -q mixed.zip annat.txt");
    scratch.run("zip -q -P Sommar2024! mixed.zip hemlig.txt");
    let mixed = lines(&items("mixed.zip", &scratch.read("mixed.zip")));
    assert_eq!(
        mixed,
        [" mixed.zip zip plain", "1 annat.txt text plain", "2 hemlig.txt text encrypted:zip-weak"]
    );

    // It says that it is encrypted, and it is not.
    scratch.run("zip -q liar.zip hemlig.txt");
    let mut liar = scratch.read("liar.zip");
    for (header, flags) in [(&b"PK\x03\x04"[..], 6), (b"PK\x01\x02", 8)] {
        let at = liar.windows(4).position(|window| window == header).unwrap();
        liar[at + flags] |= 1;
    }
    assert_found("liar.zip", &liar, NUMBER);
}

#[test]
fn what_the_directory_of_a_zip_hides_is_read() {
    let scratch = files();
    scratch.run("zip -q whole.zip annat.txt");
    scratch.run("zip -q other.zip hemlig.txt");
    let (whole, other) = (scratch.read("whole.zip"), scratch.read("other.zip"));
    // Before the archive, after it, and with its end cut off.
    let cut = &other[..other.len() - 40];
    for bytes in [[&other[..60 + 40], &whole].concat(), [&whole[..], &other].concat()] {
        let found = items("a.zip", &bytes);
        assert!(all_text(&found).contains("annat.txt"), "{:?}", lines(&found));
        assert!(all_text(&found).contains("hemlig.txt"), "{:?}", lines(&found));
    }
    let found = items("a.zip", cut);
    assert!(all_text(&found).contains(NUMBER));
    assert_eq!(found[0].state.reason(), Some("damaged"));
}

#[test]
fn an_archive_behind_a_picture_is_inside_it() {
    let scratch = files();
    scratch.run("zip -q a.zip hemlig.txt");
    let zip = scratch.read("a.zip");
    let picture = [&b"\xff\xd8\xff\xe0\0\x10JFIF\0"[..], &[0xA5; 3_000], b"\xff\xd9"].concat();
    let both = [&picture[..], &zip].concat();
    let found = items("foto.jpg", &both);
    assert_eq!(lines(&found), [" foto.jpg image plain", "1 foto.jpg zip plain", "1/1 hemlig.txt text plain"]);
    assert!(all_text(&found).contains(NUMBER), "{found:#?}");
    // A document is an archive too; a self-extracting one begins as a program.
    for (name, behind, number) in
        [("foto.jpg", fixture("text.docx"), NUMBER), ("foto.jpg", fixture("text.odt"), NUMBER)]
    {
        let found = items(name, &[&picture[..], &behind].concat());
        assert!(all_text(&found).contains(number), "{found:#?}");
    }
    let program = items("a.exe", &[&b"MZ\x90\0\x03\0"[..], &[0xA5; 900], &zip].concat());
    assert!(all_text(&program).contains(NUMBER), "{program:#?}");
    // What nobody knows is no less a preface, and is still not known.
    let unknown = items("a.bin", &[&b"\0\x01\x02"[..], &zip].concat());
    assert!(all_text(&unknown).contains(NUMBER), "{unknown:#?}");
    assert_eq!(unknown[0].state.reason(), Some("format"));
    // One that is cut, or whose end alone is there, is a picture with some octets behind it.
    let cut = items("foto.jpg", &both[..both.len() - 30]);
    assert_eq!(lines(&cut), [" foto.jpg image plain"]);
    let end = items("foto.jpg", &[&picture[..], &zip[zip.len() - 22..]].concat());
    assert_eq!(lines(&end), [" foto.jpg image plain"]);
    // A picture inside an archive is one too.
    scratch.write("foto.jpg", &both);
    scratch.run("zip -q outer.zip foto.jpg");
    assert!(all_text(&items("outer.zip", &scratch.read("outer.zip"))).contains(NUMBER));
}

#[test]
fn names_and_comments_in_the_charset_of_ms_dos() {
    let scratch = files();
    scratch.run("zip -q a.zip hemlig.txt");
    let mut bytes = scratch.read("a.zip");
    while let Some(at) = bytes.windows(6).position(|window| window == b"hemlig") {
        bytes[at..at + 6].copy_from_slice(b"\x86\x84\x94\x8f\x8e\x99");
    }
    assert_eq!(items("a.zip", &bytes)[1].name, "åäöÅÄÖ.txt");
}

#[test]
fn what_is_packed_in_rar_is_read() {
    for name in ["packed.rar", "solid.rar", "packed-4.rar"] {
        let bytes = fixture(name);
        let found = items(name, &bytes);
        assert_eq!(
            lines(&found),
            [
                &format!(" {name} rar plain"),
                "1 anteckning.txt text plain",
                "2 mapp/text.rtf rtf plain",
                "3 mapp/rader.csv csv plain"
            ],
        );
        assert!(found[1].text.contains("Rad 39: personnummer 811228-9874, åtgärd 1521."), "{name}");
        assert!(found[3].text.contains(OTHER_NUMBER), "{name}");
        // What was cut off is not passed over in silence, and what stands before the cut is read.
        let cut = items(name, &bytes[..bytes.len() * 2 / 3]);
        assert_eq!(cut[0].state.reason(), Some("damaged"), "{name}");
        assert!(name == "solid.rar" || cut[1].text.contains(NUMBER), "{name}: {cut:?}");
    }
}

#[test]
fn names_in_rar() {
    // As its specification has it: a stored file, one that is packed, one that is encrypted.
    fn block(kind: u8, flags: u8, rest: &[u8], data: &[u8]) -> Vec<u8> {
        let mut header = vec![kind, flags];
        if flags & 2 != 0 {
            header.push(u8::try_from(data.len()).unwrap());
        }
        header.extend(rest);
        let mut out = vec![0; 4];
        out.push(u8::try_from(header.len()).unwrap());
        out.extend(header);
        out.extend(data);
        out
    }
    fn file(name: &str, packing: u8) -> Vec<u8> {
        let mut out = vec![0, 11, 0x20, 0x80, packing, 1, u8::try_from(name.len()).unwrap()];
        out.extend(name.as_bytes());
        out
    }
    let start = b"Rar!\x1a\x07\x01\x00".to_vec();
    let main = block(1, 0, &[0], &[]);
    let stored = block(2, 2, &file("a.txt", 0), NUMBER.as_bytes());
    let packed = block(2, 2, &file("b.txt", 3), b"packed");
    let end = block(5, 0, &[0], &[]);
    let found = items("a.rar", &[&start[..], &main, &stored, &packed, &end].concat());
    assert_eq!(
        lines(&found),
        [" a.rar rar uninspectable:damaged", "1 a.txt text plain", "2 b.txt text uninspectable:damaged"]
    );
    assert_eq!(found[1].text, NUMBER);

    // Kind, flags for an extra area and data, the sizes of both; the extra area says that the file is encrypted.
    let header = [&[2, 3, 3, 6][..], &file("Kalle 811228-9874.txt", 0), &[2, 1, 0]].concat();
    let mut encrypted = vec![0; 4];
    encrypted.push(u8::try_from(header.len()).unwrap());
    encrypted.extend(header);
    encrypted.extend(b"secret");
    let found = items("a.rar", &[&start[..], &main, &encrypted, &end].concat());
    assert_eq!(lines(&found), [" a.rar rar encrypted:rar", "1 Kalle 811228-9874.txt text encrypted:rar"]);
    let hidden = items("a.rar", &[&start[..], &block(4, 0, &[0, 0], &[])].concat());
    assert_eq!(lines(&hidden), [" a.rar rar encrypted:rar"]);
}
