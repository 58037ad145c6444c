//! Pages of PDF: fonts that do not say what they show, and pages that are pictures. Each is written here, so that it is
//! known what stands on it.

use std::fmt::Write as _;

use super::*;
use crate::protected::page;

/// A stream with these entries.
fn stream(entries: &str, data: &str) -> String {
    format!("<<{entries}/Length {}>>\nstream\n{data}\nendstream", data.len())
}

fn hex(octets: impl IntoIterator<Item = u8>) -> String {
    octets.into_iter().fold(String::new(), |mut hex, octet| {
        write!(hex, "{octet:02x}").unwrap();
        hex
    })
}

fn state(bytes: &[u8]) -> (String, String) {
    let items = items("a.pdf", bytes);
    let state = items[0].state;
    (
        format!("{} {}", state.as_str(), state.reason().unwrap_or_default()).trim_end().to_owned(),
        all_text(&items),
    )
}

/// The number in a composite font: one code of that many octets for each of its characters, and what stands for what.
fn composite(octets: usize, first: usize, encoding: &str, unicode: bool) -> Vec<u8> {
    let code = |at: usize| hex((at + first).to_be_bytes()[8 - octets..].iter().copied());
    let text: String = (0..NUMBER.len()).map(code).collect();
    let space = format!(
        "1 begincodespacerange <{}> <{}> endcodespacerange",
        "00".repeat(octets),
        "ff".repeat(octets)
    );
    let mut characters = format!("{space} {} beginbfchar ", NUMBER.len());
    for (at, character) in NUMBER.chars().enumerate() {
        write!(characters, "<{}> <{:04x}> ", code(at), u32::from(character)).unwrap();
    }
    let cids = format!("{space} 1 begincidrange <{}> <{}> 1 endcidrange", code(0), code(NUMBER.len() - 1));
    page(
        &format!("BT /F 12 Tf 60 700 Td <{text}> Tj ET"),
        "<</Font<</F 5 0 R>>>>",
        &[
            &format!(
                "<</Type/Font/Subtype/Type0/Encoding {encoding}/DescendantFonts[6 0 R]{}>>",
                if unicode { "/ToUnicode 7 0 R" } else { "" }
            ),
            "<</Type/Font/Subtype/CIDFontType2/DW 600>>",
            &stream("", &(characters + "endbfchar")),
            &stream("/Type/CMap", &cids),
        ],
    )
}

#[test]
fn codes_are_as_long_as_their_font_says() {
    for (name, bytes) in [
        ("two octets", composite(2, 1, "/Identity-H", true)),
        ("one octet", composite(1, 1, "8 0 R", true)),
        ("one octet from 32", composite(1, 32, "8 0 R", true)),
        ("three octets", composite(3, 70_000, "8 0 R", true)),
    ] {
        let (state, text) = state(&bytes);
        assert!(text.contains(NUMBER) && state == "plain", "{name}: {state} {text}");
    }
}

#[test]
fn encodings_that_name_characters() {
    for (encoding, written) in [
        ("/UniJIS-UCS2-H", hex(NUMBER.bytes().flat_map(|octet| [0, octet]))),
        ("/UniGB-UTF16-V", hex(NUMBER.bytes().flat_map(|octet| [0, octet]))),
        ("/90ms-RKSJ-H", hex(NUMBER.bytes())),
        ("/GBK-EUC-H", hex(NUMBER.bytes())),
        ("/ETen-B5-H", hex(NUMBER.bytes())),
    ] {
        let font = format!("<</Type/Font/Subtype/Type0/Encoding {encoding}/DescendantFonts[6 0 R]>>");
        let bytes = page(
            &format!("BT /F 12 Tf 60 700 Td <{written}> Tj ET"),
            "<</Font<</F 5 0 R>>>>",
            &[&font, "<</Type/Font/Subtype/CIDFontType0>>"],
        );
        let (state, text) = state(&bytes);
        assert!(text.contains(NUMBER) && state == "plain", "{encoding}: {state} {text}");
    }
}

#[test]
fn what_a_font_leaves_out() {
    let font = "<</Type/Font/Subtype/Type1/BaseFont/Times-Roman/Encoding<</Differences[32/.notdef]>>>>";
    let bytes = page("BT /F 12 Tf 60 700 Td (Pnr 811228-9874) Tj ET", "<</Font<</F 5 0 R>>>>", &[font]);
    assert_eq!(state(&bytes), ("plain".to_owned(), "a.pdf\nPnr 811228-9874\n\n".to_owned()));
}

/// A page with a font that everyone knows, `/A`, and one that says nothing, `/F`.
fn silent(content: &str) -> Vec<u8> {
    page(
        content,
        "<</Font<</A 7 0 R/F 5 0 R>>/Properties<</P 8 0 R>>>>",
        &[
            "<</Type/Font/Subtype/Type0/Encoding/Identity-H/DescendantFonts[6 0 R]>>",
            "<</Type/Font/Subtype/CIDFontType2/DW 600>>",
            "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
            "<</ActualText(Pnr 811228-9874)>>",
        ],
    )
}

#[test]
fn what_nobody_can_read_is_said_however_little_it_is() {
    let lines = |each: &str| {
        (0..12).fold(String::new(), |all, line| {
            let y = 700 - 20 * line;
            all + &format!(
                "BT /A 11 Tf 60 {y} Td (Blanketten skickas till oss i tid.) Tj ET {}",
                each.replace('Y', &y.to_string())
            )
        })
    };
    let unread = "BT /F 11 Tf 60 760 Td <00010002000300040005000600070008> Tj ET";
    // Each digit by itself, as forms with boxes have them.
    let boxes = (0..10).fold(String::new(), |all, at| {
        all + &format!("BT /F 11 Tf {} 760 Td <000{at}> Tj ET ", 60 + 14 * at)
    });
    for (name, content, expected) in [
        ("alone", unread.to_owned(), "uninspectable format"),
        ("on a page of text", lines("") + unread, "uninspectable format"),
        ("in boxes", lines("") + &boxes, "uninspectable format"),
        (
            "in no font of the page",
            lines("") + "BT /X 11 Tf 60 760 Td (811228-9874) Tj ET",
            "uninspectable format",
        ),
        ("bullets", lines("BT /F 8 Tf 48 Y Td <0001> Tj ET "), "plain"),
        ("signs", lines("BT /F 8 Tf 300 Y Td <00010002> Tj ET "), "plain"),
        ("nothing", String::new(), "plain"),
    ] {
        let (state, text) = state(&silent(&content));
        assert_eq!(state, expected, "{name}: {text}");
    }
}

#[test]
fn replacement_text_is_read() {
    let drawn = "BT /F 12 Tf 60 700 Td <000100020003000400050006000700080009000a000b> Tj ET EMC";
    for (name, content, expected) in [
        ("in the content", format!("/Span<</ActualText(811228-9874)>>BDC {drawn}"), "plain"),
        (
            "in UTF-16",
            format!(
                "/Span<</ActualText<feff{}>>>BDC {drawn}",
                hex(NUMBER.bytes().flat_map(|octet| [0, octet]))
            ),
            "plain",
        ),
        ("by name", format!("/Span/P BDC {drawn}"), "plain"),
        (
            "of a part of a number",
            "BT /A 12 Tf 60 700 Td (8112) Tj /Span<</ActualText(28)>>BDC (xy) Tj EMC (-9874) Tj ET"
                .to_owned(),
            "plain",
        ),
        // Beside another text that is shown, both are read.
        (
            "of something else",
            "/Span<</ActualText(hej)>>BDC BT /A 12 Tf 60 700 Td (811228-9874) Tj ET EMC".to_owned(),
            "plain",
        ),
        // A word that is shorter hides nothing.
        (
            "of nothing",
            format!("/Span<</ActualText()>>BDC {drawn} BT /A 12 Tf 60 600 Td (811228-9874) Tj ET"),
            "uninspectable format",
        ),
    ] {
        let (state, text) = state(&silent(&content));
        assert_eq!(state, expected, "{name}: {text}");
        assert!(text.contains(NUMBER), "{name}: {text}");
    }
}

/// A page with images: `/B` is black and white, `/C` is not; a form `/M` that is a scan, a pattern `/P` that has one.
fn pictured(content: &str) -> Vec<u8> {
    let image = |bits: u8| {
        stream(
            &format!("/Subtype/Image/Width 4/Height 4/BitsPerComponent {bits}/ColorSpace/DeviceGray"),
            "0123456789abcdef",
        )
    };
    page(
        content,
        "<</Font<</A 7 0 R>>/XObject<</B 5 0 R/C 6 0 R/M 8 0 R>>/Pattern<</P 9 0 R>>>>",
        &[
            &image(1),
            &image(8),
            "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
            &stream(
                "/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</C 6 0 R>>>>",
                "q 595 0 0 842 0 0 cm /C Do Q",
            ),
            &stream(
                "/PatternType 1/PaintType 1/BBox[0 0 595 842]/XStep 595/YStep 842/Resources<</XObject<</C 6 0 R>>>>",
                "q 595 0 0 842 0 0 cm /C Do Q",
            ),
        ],
    )
}

#[test]
fn pages_that_are_pictures_are_said_to_be() {
    let lines = |count: usize| {
        (0..count).fold(String::new(), |all, line| {
            all + &format!(
                "BT /A 11 Tf 60 {} Td (Blanketten fylls i och skickas till oss med underlag.) Tj ET ",
                760 - 16 * line
            )
        })
    };
    let stamp = "BT /A 9 Tf 30 820 Td (Inkom 2026-11-22  Dnr SN 2026/00123  Exempelby kommun) Tj ET ";
    let strips =
        (0..40).fold(String::new(), |all, strip| all + &format!("q 595 0 0 22 0 {} cm /C Do Q ", strip * 22));
    let tiles = (0..48).fold(String::new(), |all, tile| {
        all + &format!("q 100 0 0 106 {} {} cm /C Do Q ", tile % 6 * 100, tile / 6 * 106)
    });
    let whole = "q 595 0 0 842 0 0 cm /C Do Q ";
    let letters = (0..160).fold(String::new(), |all, letter| {
        let (x, y) = (60 + letter % 80 * 6, 700 - letter / 80 * 16);
        all + &format!("{x} {y} m {} {} {} {} {} {} c h f ", x, y + 9, x + 5, y + 9, x + 5, y)
    });
    let coat_of_arms = (0..300).fold(String::new(), |all, piece| {
        let (x, y) = (60 + piece % 17 * 4, 740 + piece / 17 * 4);
        all + &format!("{x} {y} m {} {} {} {} {} {} c h f ", x, y + 3, x + 3, y + 3, x + 3, y)
    });
    for (name, content, image) in [
        ("a scan", whole.to_owned(), true),
        ("with a stamp", whole.to_owned() + stamp, true),
        ("in strips", strips, true),
        ("in tiles", tiles, true),
        ("as a form", "/M Do".to_owned(), true),
        ("as a pattern", "/Pattern cs /P scn 0 0 595 842 re f".to_owned(), true),
        (
            "in the stream",
            "q 595 0 0 842 0 0 cm BI /W 4 /H 4 /BPC 8 /CS /G ID 0123456789abcdef EI Q".to_owned(),
            true,
        ),
        ("turned", "q 0 842 -595 0 595 0 cm /C Do Q".to_owned(), true),
        ("letters as paths", letters.clone(), true),
        ("below a text", lines(20) + "q 595 0 0 400 0 0 cm /B Do Q", true),
        ("a letterhead", whole.to_owned() + &lines(20), false),
        ("a logotype", "q 120 0 0 60 60 780 cm /C Do Q ".to_owned() + &lines(3), false),
        ("a photograph below a text", lines(20) + "q 595 0 0 400 0 0 cm /C Do Q", false),
        (
            "what is cut off",
            "q 60 780 120 40 re W n 595 0 0 842 0 0 cm /C Do Q ".to_owned() + &lines(3),
            false,
        ),
        ("a coat of arms", coat_of_arms + &lines(3), false),
        ("frames and rules", "60 60 475 722 re S 60 400 m 535 400 l S ".to_owned() + &lines(3), false),
        ("letters as paths beside text", letters + &lines(20), false),
        ("nothing", String::new(), false),
    ] {
        let (state, _) = state(&pictured(&content));
        assert_eq!(state, if image { "uninspectable image-only" } else { "plain" }, "{name}");
    }
}

#[test]
fn each_page_is_asked_for_itself() {
    let text = "BT /A 11 Tf 60 700 Td (Beslut om 811228-9874) Tj ET";
    for (name, second, image) in [
        ("a scan", "/XObject<</I 8 0 R>>", true),
        ("a picture of which a small part is to be seen", "/XObject<</I 8 0 R>>/Crop true", true),
        ("no picture", "", false),
    ] {
        let crop =
            if second.contains("/Crop") { "/MediaBox[0 0 4000 4000]/CropBox[0 0 595 842]" } else { "" };
        let bytes = page(
            text,
            "<</Font<</A 5 0 R>>>>",
            &[
                "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
                &format!(
                    "<</Type/Page/Parent 2 0 R{crop}/Contents 7 0 R/Resources<<{}>>>>",
                    second.replace("/Crop true", "")
                ),
                &stream("", if image { "q 595 0 0 842 0 0 cm /I Do Q" } else { "" }),
                &stream(
                    "/Subtype/Image/Width 4/Height 4/BitsPerComponent 8/ColorSpace/DeviceGray",
                    "0123456789abcdef",
                ),
            ],
        );
        let both =
            String::from_utf8(bytes).unwrap().replace("/Kids[3 0 R]/Count 1", "/Kids[3 0 R 6 0 R]/Count 2");
        let (state, read) = state(both.as_bytes());
        assert!(read.contains(NUMBER), "{name}");
        assert_eq!(state, if image { "uninspectable image-only" } else { "plain" }, "{name}");
    }
}

#[test]
fn a_note_may_cover_its_page() {
    let with_note = |appearance: &str| {
        let bytes = page(
            "",
            "<<>>",
            &[
                "<</Type/Annot/Subtype/Stamp/Rect[0 0 595 842]/AP<</N 6 0 R>>>>",
                &stream("/Subtype/Form/BBox[0 0 1 1]/Resources<</XObject<</I 7 0 R>>>>", appearance),
                &stream(
                    "/Subtype/Image/Width 4/Height 4/BitsPerComponent 8/ColorSpace/DeviceGray",
                    "0123456789abcdef",
                ),
            ],
        );
        String::from_utf8(bytes)
            .unwrap()
            .replace("/Contents 4 0 R", "/Contents 4 0 R/Annots[5 0 R]")
            .into_bytes()
    };
    assert_eq!(state(&with_note("/I Do")).0, "uninspectable image-only");
    assert_eq!(state(&with_note("0 0 1 1 re S")).0, "plain");
}

#[test]
fn an_empty_owners_password_opens_it_for_everyone() {
    let scratch = Scratch::new();
    scratch.write("a.pdf", fixture("text.pdf"));
    // The user's and the owner's, with nothing between two blanks where one is empty.
    for (name, passwords, opens) in
        [("owner", "hemligt ", true), ("user", " hemligt", true), ("none", "hemligt hemligare", false)]
    {
        scratch.run(&format!("qpdf --encrypt {passwords} 256 --allow-insecure -- a.pdf {name}.pdf"));
        let (state, text) = state(&scratch.read(&format!("{name}.pdf")));
        assert_eq!(state, if opens { "readable pdf" } else { "encrypted pdf" }, "{name}");
        assert_eq!(text.contains("19121212-1212"), opens, "{name}");
    }
}
