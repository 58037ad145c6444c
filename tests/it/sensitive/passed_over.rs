//! What mail programs pass over, from the mail to the verdict: text around the parts, uuencoded files, broken encodings,
//! broken boundaries.

use super::*;

#[test]
fn what_mail_programs_pass_over_decides_the_mail_too() {
    let desk = Desk::new();
    let file = uuencoded("brev.txt", TEXT.as_bytes());
    let encoded = base64(TEXT.as_bytes());
    let junk = format!("{}!{}", &encoded[..8], &encoded[8..]);
    let parts = |body: &str| format!("Content-Type: multipart/mixed; boundary=b\n\n{body}");
    let mails = [
        ("preamble", parts(&format!("{TEXT}--b\n\nHej\n--b--\n"))),
        ("epilogue", parts(&format!("--b\n\nHej\n--b--\n{TEXT}"))),
        ("mid-line", parts(&format!("--b\n\nHej --b\n\n{TEXT}--b--\n"))),
        ("uuencode", format!("\nHej\n{file}")),
        (
            "junk",
            format!("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{junk}\n"),
        ),
        ("nothing", "\nHej\n".to_owned()),
    ];
    let files: Vec<String> = mails
        .iter()
        .map(|(name, rest)| {
            let head = "From: anna@exempelby.se\nTo: x@example.org\nSubject: Underlag\nMIME-Version: 1.0\n";
            desk.0.write(name, format!("{head}{rest}"));
            (*name).to_owned()
        })
        .collect();
    for (name, said) in files.iter().zip(desk.explain(&files)) {
        let expected = if name == "nothing" { ("accepted", 0) } else { ("held", 3) };
        assert_eq!(
            (&said["verdict"], &said["class"]),
            (&expected.0.into(), &expected.1.into()),
            "{name}: {said}"
        );
    }
}

/// A file as uuencode writes it.
fn uuencoded(name: &str, content: &[u8]) -> String {
    let digit =
        |value: u32| char::from(u8::try_from(value & 63).unwrap() + b' ').to_string().replace(' ', "`");
    let mut out = format!("begin 644 {name}\n");
    for line in content.chunks(45) {
        out += &digit(u32::try_from(line.len()).unwrap());
        for group in line.chunks(3) {
            let octet = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
            let value = octet(0) << 16 | octet(1) << 8 | octet(2);
            out += &[18, 12, 6, 0].map(|shift| digit(value >> shift)).concat();
        }
        out.push('\n');
    }
    out + "`\nend\n"
}
