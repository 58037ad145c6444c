//! XML in a PDF: the properties of XMP and the forms of XFA. What cannot be read of them is said, and nothing that can.

use super::smime::zlib;
use super::*;

const PACKET: &str = "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>\n<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF>\
     <rdf:Description><dc:title>Pnr 811228-9874</dc:title><dc:creator>Anna</dc:creator></rdf:Description>\
     </rdf:RDF></x:xmpmeta>\n<?xpacket end='w'?>";

/// A stream with this in its dictionary.
fn stream(dictionary: &str, data: &[u8]) -> String {
    let hex = data.iter().fold(String::new(), |hex, octet| hex + &format!("{octet:02x}"));
    let filters = if dictionary.contains("/Filter") { "" } else { "/Filter/ASCIIHexDecode" };
    format!("<<{dictionary}{filters}/Length {}>>\nstream\n{hex}>\nendstream", hex.len() + 1)
}

const PACKED: &str = "/Filter[/ASCIIHexDecode/FlateDecode]";

/// A PDF with this XMP.
fn with_xmp(more: &str, data: &[u8]) -> Vec<u8> {
    page("", "<<>>", &[&stream(&format!("/Type/Metadata/Subtype/XML{more}"), data)])
}

/// A PDF with this XFA, whose streams are the objects from number 5 on.
fn with_xfa(form: &str, objects: &[&str]) -> Vec<u8> {
    let catalog = format!("/Pages 2 0 R/AcroForm<</XFA {form}>>");
    replaced(&page("", "<<>>", objects), b"/Pages 2 0 R", catalog.as_bytes())
}

#[test]
fn xmp_that_cannot_be_read_is_said() {
    let mut packed = zlib(PACKET.as_bytes());
    let end = packed.len();
    packed.truncate(end - 4);
    let cut = |octets: usize| packed[..packed.len() - octets].to_vec();
    let (title, element) = (PACKET.find("<dc:creator").unwrap(), PACKET.find("</rdf:RDF>").unwrap());
    for (name, bytes, state, found) in [
        ("within-text.pdf", with_xmp("", &PACKET.as_bytes()[..title - 11]), "uninspectable damaged", true),
        ("within-tag.pdf", with_xmp("", &PACKET.as_bytes()[..title + 5]), "uninspectable damaged", true),
        ("between-elements.pdf", with_xmp("", &PACKET.as_bytes()[..element]), "uninspectable damaged", true),
        ("begins-only.pdf", with_xmp("", &PACKET.as_bytes()[..55]), "uninspectable damaged", false),
        ("no-xml.pdf", with_xmp("", b"Pnr 811228-9874"), "uninspectable damaged", true),
        ("noise.pdf", with_xmp("", &[0xa5; 300]), "uninspectable damaged", false),
        ("packed-cut.pdf", with_xmp(PACKED, &cut(20)), "uninspectable damaged", true),
        ("packed-noise.pdf", with_xmp(PACKED, &[0xa5; 300]), "uninspectable damaged", false),
        ("packed-plainly.pdf", with_xmp(PACKED, PACKET.as_bytes()), "uninspectable damaged", false),
        ("filter.pdf", with_xmp("/Filter/Unknown", PACKET.as_bytes()), "uninspectable format", false),
        ("bomb.pdf", with_xmp(PACKED, &zlib(&vec![b' '; 130 << 20])), "uninspectable limit", false),
    ] {
        check(name, &bytes, state, found);
    }
    // The rest of the document is read all the same.
    let property = "<</Title(811228-9874)>>";
    let damaged = stream("/Type/Metadata", b"<x:xmpmeta>");
    for objects in [[&*damaged, property], [property, &*damaged]] {
        check("beside.pdf", &page("", "<<>>", &objects), "uninspectable damaged", true);
    }
}

#[test]
fn xmp_with_the_habits_of_programs_is_whole() {
    let body = PACKET.rsplit_once("\n<?xpacket").unwrap().0;
    let padded = |padding: &str| format!("{body}{padding}").into_bytes();
    let mut wrong = zlib(PACKET.as_bytes());
    let end = wrong.len();
    wrong[end - 4..].fill(0);
    let mut random = Random(1);
    let mut letter = || char::from_digit(u32::try_from(random.below(36)).unwrap(), 36).unwrap();
    let noise: String = (0..200_000).map(|_| letter()).collect();
    let mut long = zlib(PACKET.replace("Anna", &noise).as_bytes());
    let long_end = long.len();
    long[long_end - 4..].fill(0);
    let wide = |order: fn(u16) -> [u8; 2]| PACKET.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    for (name, bytes) in [
        ("whole.pdf", with_xmp("", PACKET.as_bytes())),
        ("packed.pdf", with_xmp(PACKED, &zlib(PACKET.as_bytes()))),
        ("no-end.pdf", with_xmp("", body.as_bytes())),
        ("half-an-end.pdf", with_xmp("", &padded("\n<?xpack"))),
        ("zeros.pdf", with_xmp("", &padded(&"\0".repeat(2_000)))),
        ("blanks.pdf", with_xmp("", &padded(&format!("{}\n", " ".repeat(100)).repeat(20)))),
        ("rest.pdf", with_xmp("", &padded("\n</x:xmpmeta>\nendstr"))),
        ("no-checksum.pdf", with_xmp(PACKED, &wrong[..end - 4])),
        ("wrong-checksum.pdf", with_xmp(PACKED, &wrong)),
        ("long-wrong-checksum.pdf", with_xmp(PACKED, &long)),
        ("utf-16.pdf", with_xmp("", &wide(u16::to_be_bytes))),
        ("utf-16-little.pdf", with_xmp("", &wide(u16::to_le_bytes))),
        (
            "utf-32.pdf",
            with_xmp("", &PACKET.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect::<Vec<_>>()),
        ),
        (
            "latin.pdf",
            with_xmp(
                "",
                &PACKET
                    .replace("Anna", "@")
                    .bytes()
                    .map(|octet| if octet == b'@' { 0xe5 } else { octet })
                    .collect::<Vec<_>>(),
            ),
        ),
    ] {
        check(name, &bytes, "plain", true);
    }
    for (name, bytes) in [
        ("empty.pdf", with_xmp("", b"")),
        ("empty-packed.pdf", with_xmp(PACKED, b"")),
        ("packed-empty.pdf", with_xmp(PACKED, &zlib(b""))),
        ("only-zeros.pdf", with_xmp("", &[0; 100])),
        ("only-a-packet.pdf", with_xmp("", b"<?xpacket begin=''?>\n\n<?xpacket end='w'?>")),
        // Properties of marked content may call themselves so.
        ("no-stream.pdf", page("", "<<>>", &["<</Type/Metadata/Title(Bild)>>"])),
    ] {
        check(name, &bytes, "plain", false);
    }
}

#[test]
fn xfa_that_cannot_be_read_is_said() {
    let form = "<xdp:xdp><template><field name='pnr'/></template><datasets><pnr>811228-9874</pnr></datasets></xdp:xdp>";
    let (head, rest) = form.split_at(form.find("<template>").unwrap());
    let (template, rest) = rest.split_at(rest.find("<datasets>").unwrap());
    let (datasets, tail) = rest.split_at(rest.find("</xdp:xdp>").unwrap());
    let packed = |data: &str| stream(PACKED, &zlib(data.as_bytes()));
    let cut = |data: &str| stream("", &data.as_bytes()[..data.len() - 12]);
    let parts = [head, template, datasets, tail].map(packed);
    let pairs = "[(preamble) 5 0 R (template) 6 0 R (datasets) 7 0 R (postamble) 8 0 R]";
    let with_parts = |at: usize, part: String| {
        let mut parts = parts.clone();
        parts[at] = part;
        with_xfa(pairs, &parts.each_ref().map(String::as_str))
    };
    for (name, bytes, state, found) in [
        ("one.pdf", with_xfa("5 0 R", &[&packed(form)]), "plain", true),
        ("parts.pdf", with_parts(0, packed(head)), "plain", true),
        ("names.pdf", with_xfa("[9 0 R 5 0 R]", &[&packed(form), "", "", "", "(template)"]), "plain", true),
        ("none.pdf", with_xfa("null", &[]), "plain", false),
        ("taken-out.pdf", with_xfa("5 0 R", &["null"]), "plain", false),
        ("empty.pdf", with_xfa("[]", &[]), "plain", false),
        ("cut.pdf", with_xfa("5 0 R", &[&cut(form)]), "uninspectable damaged", true),
        ("noise.pdf", with_xfa("5 0 R", &[&stream(PACKED, &[0xa5; 300])]), "uninspectable damaged", false),
        ("no-xml.pdf", with_xfa("5 0 R", &[&packed("811228-9874")]), "uninspectable damaged", true),
        ("away.pdf", with_xfa("9 0 R", &[]), "uninspectable damaged", false),
        (
            "part-away.pdf",
            with_xfa("[(datasets) 5 0 R (form) 9 0 R]", &[&packed(datasets)]),
            "uninspectable damaged",
            true,
        ),
        ("part-cut.pdf", with_parts(1, cut(template)), "uninspectable damaged", true),
        ("part-noise.pdf", with_parts(2, stream(PACKED, &[0xa5; 300])), "uninspectable damaged", false),
        ("part-no-xml.pdf", with_parts(1, stream("", &[0xa5; 300])), "uninspectable damaged", true),
        ("no-end.pdf", with_parts(3, stream("", b"")), "uninspectable damaged", true),
    ] {
        check(name, &bytes, state, found);
    }
}
