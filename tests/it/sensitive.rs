//! Sensitive data in files that real programs wrote, from the mail to the verdict: the worker, the readers, the
//! detectors and the rules together.

mod passed_over;
mod through_postfix;

use std::process::Command;

use serde_json::Value;

use super::documents::fixtures::winmail_dat;
use super::documents::messages::base64;
use super::documents::{Scratch, fixture};
use super::lab::config;
use super::protected::{packed, scan};

const RULES: &str = r#"[rules.sensitive-data]
mode = "enforce"
action = "hold"
on_unknown = "hold"
[rules.credentials]
mode = "enforce"
action = "hold"
"#;

/// Published test numbers, beside a word that makes the first one a matter of health.
const TEXT: &str = "Pnr 811228-9874, läkarintyg bifogas.\n";

struct Desk(Scratch);

impl Desk {
    fn new() -> Self {
        let scratch = Scratch::new();
        scratch.write("postvakt.toml", config(RULES));
        scratch.write("a.txt", TEXT);
        Self(scratch)
    }

    fn made(&self, command: &str, name: &str) -> Vec<u8> {
        self.0.run(command);
        self.0.read(name)
    }

    /// A mail that leaves with one file.
    fn mail(&self, body: &str, name: &str, content: &[u8]) -> String {
        let file = format!("{name}.eml");
        let message = format!(
            "From: anna@exempelby.se\nTo: x@example.org\nSubject: Underlag\nMessage-ID: <{name}@exempelby.se>\n\
             MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\
             Content-Type: text/plain; charset=utf-8\n\n{body}\n--b\nContent-Type: application/octet-stream\n\
             Content-Disposition: attachment; filename=\"{name}\"\nContent-Transfer-Encoding: base64\n\n{}\n--b--\n",
            base64(content)
        );
        self.0.write(&file, message);
        file
    }

    fn explain(&self, files: &[String]) -> Vec<Value> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postvakt"));
        command.args(["explain", "--json", "--config"]).arg(self.0.path("postvakt.toml"));
        let output = command.args(files).current_dir(self.0.path("")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        // No number that was found stands anywhere in what we say of it but in the names that the mail itself gave.
        for line in text.lines() {
            let said: Value = serde_json::from_str(line).unwrap();
            for part in ["findings", "edits", "reply"] {
                assert!(!said[part].to_string().contains("-9874"), "{line}");
            }
        }
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn state(said: &Value, name: &str) -> String {
    let all = said["facts"]["attachments"].as_array().unwrap();
    let found = all.iter().find(|attachment| attachment["name"] == name);
    found.map_or_else(|| "absent".to_owned(), |found| found["state"].as_str().unwrap().to_owned())
}

/// The evidence of each finding of a rule, with its grade.
fn evidence(said: &Value, rule: &str) -> String {
    let all = said["findings"].as_array().unwrap().iter().filter(|finding| finding["rule"] == rule);
    let one = |finding: &Value| {
        format!("{}: {}", finding["grade"].as_str().unwrap(), finding["evidence"].as_str().unwrap())
    };
    all.map(one).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_number_in_every_container_decides_the_mail() {
    let desk = Desk::new();
    let calendar = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDESCRIPTION:Pnr 811228-\r\n 9874\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let html = "<p>Pnr 8112<b>28</b>-98<!-- x -->74, l&auml;karintyg</p>";
    let message = format!("From: medborgare@example.org\r\nSubject: Fw\r\n\r\n{TEXT}");
    let ppt = {
        desk.0.write("slides.ppt.gz", fixture("slides.ppt.gz"));
        desk.made("gzip -d slides.ppt.gz", "slides.ppt")
    };
    let mut files = vec![
        ("a.txt", TEXT.into()),
        ("a.html", html.into()),
        ("a.ics", calendar.into()),
        ("a.eml", message.into_bytes()),
        ("winmail.dat", winmail_dat()),
        ("slides.ppt", ppt),
        ("a.zip", desk.made("zip -q a.zip a.txt", "a.zip")),
        ("b.zip", desk.made("zip -q b.zip a.zip", "b.zip")),
        ("c.zip", desk.made("zip -q c.zip b.zip", "c.zip")),
        ("a.tar.gz", desk.made("tar -czf a.tar.gz a.txt", "a.tar.gz")),
        ("a.7z", desk.made("7z a -bso0 a.7z a.txt", "a.7z")),
    ];
    for name in [
        "text.rtf",
        "text.docx",
        "rows.xlsx",
        "slides.pptx",
        "text.odt",
        "rows.ods",
        "slides.odp",
        "text.pdf",
        "text.doc",
        "rows.xls",
        "text.msg",
        "rows.csv",
    ] {
        files.push((name, fixture(name)));
    }
    let mails: Vec<String> =
        files.iter().map(|(name, content)| desk.mail("Se bilagan.", name, content)).collect();
    for ((name, _), said) in files.iter().zip(desk.explain(&mails)) {
        let found = evidence(&said, "sensitive-data");
        assert_eq!(said["verdict"], "held", "{name}: {said}");
        assert!(said["class"].as_u64() >= Some(2), "{name}: {said}");
        assert!(found.starts_with("strong: ") && found.contains("personnummer"), "{name}: {found}");
        assert!(found.contains("in part 2"), "{name}: {found}");
        assert_eq!(state(&said, name), "plain", "{name}: {said}");
    }
}

#[test]
fn what_is_encrypted_passes_and_what_is_called_so_does_not() {
    let desk = Desk::new();
    desk.0.write("Kalle 811228-9874.txt", TEXT);
    desk.0.write("text.pdf", fixture("text.pdf"));
    let seven =
        |arguments: &str, name: &str| desk.made(&format!("7z a -bso0 {arguments} {name} a.txt"), name);
    // The empty word between two spaces is the empty password.
    let opened = [
        ("owner.pdf", desk.made("qpdf --encrypt  master 256 -- text.pdf owner.pdf", "owner.pdf")),
        ("default.xlsx", fixture("default.xlsx")),
        ("default.xls", fixture("default.xls")),
        ("default-xor.xls", fixture("default-xor.xls")),
        ("default-standard.xlsx", fixture("default-standard.xlsx")),
        ("attachments-open.pdf", fixture("attachments-open.pdf")),
    ];
    let closed = [
        ("user.pdf", desk.made("qpdf --encrypt user master 256 -- text.pdf user.pdf", "user.pdf")),
        ("aes.zip", seven("-tzip -mem=AES256 -phemligt", "aes.zip")),
        ("names.7z", seven("-phemligt", "names.7z")),
        ("hidden.7z", seven("-phemligt -mhe=on", "hidden.7z")),
        ("weak.zip", desk.made("zip -q -P hemligt weak.zip a.txt", "weak.zip")),
        ("encrypted.odt", fixture("encrypted.odt")),
        ("locked.doc", fixture("locked.doc")),
        ("locked.xls", fixture("locked.xls")),
        ("locked.docx", fixture("locked.docx")),
    ];
    let mails = |files: &[(&str, Vec<u8>)], body: &str| -> Vec<String> {
        files.iter().map(|(name, content)| desk.mail(body, name, content)).collect()
    };
    for ((name, _), said) in opened.iter().zip(desk.explain(&mails(&opened, "Se bilagan."))) {
        assert_eq!(
            (&said["verdict"], state(&said, name)),
            (&"held".into(), "readable".into()),
            "{name}: {said}"
        );
    }
    for ((name, _), said) in closed.iter().zip(desk.explain(&mails(&closed, "Se bilagan."))) {
        let passed = (said["verdict"].as_str().unwrap(), state(&said, name));
        assert_eq!(passed, ("accepted", "encrypted".into()), "{name}: {said}");
    }
    // The password beside it opens it for everyone who has the mail.
    for ((name, _), said) in
        closed.iter().zip(desk.explain(&mails(&closed, "Lösenordet till filen är Sommar2024!")))
    {
        assert_eq!(said["verdict"], "held", "{name}: {said}");
        let found = evidence(&said, "credentials");
        assert!(found.contains("beside encrypted part 2") && !found.contains("Sommar"), "{name}: {found}");
    }
    // The name of what is inside stays in the clear.
    let named = desk.made("7z a -bso0 -tzip -mem=AES256 -phemligt named.zip Kalle*.txt", "named.zip");
    let [said] = desk.explain(&[desk.mail("Se bilagan.", "named.zip", &named)]).try_into().unwrap();
    assert_eq!((&said["verdict"], state(&said, "named.zip")), (&"held".into(), "encrypted".into()), "{said}");
    assert!(evidence(&said, "sensitive-data").contains("811228-**** in the name of part 2/1"), "{said}");
}

#[test]
fn a_page_that_everyone_reads_counts_whatever_is_encrypted_beside_it() {
    let desk = Desk::new();
    let names = ["attachments-aes128.pdf", "attachments-aes256.pdf", "attachments-own-filter.pdf"];
    let mails = names.map(|name| desk.mail("Se bilagan.", name, &fixture(name)));
    for (name, said) in names.iter().zip(desk.explain(&mails)) {
        let states = (state(&said, name), state(&said, "lista.csv"));
        assert_eq!(states, ("readable".into(), "encrypted".into()), "{name}: {said}");
        assert_eq!((&said["verdict"], &said["class"]), (&"held".into(), &2.into()), "{name}: {said}");
        // The number of the page, not that of the file.
        let found = evidence(&said, "sensitive-data");
        assert!(found.contains("121212-**** ") && !found.contains("811228"), "{name}: {found}");
    }
}

#[test]
fn a_picture_with_an_archive_behind_it_is_opened() {
    let desk = Desk::new();
    let zip = desk.made("zip -q a.zip a.txt", "a.zip");
    let picture = [&b"\xff\xd8\xff\xe0\0\x10JFIF\0"[..], &vec![0xA5; 200_000], b"\xff\xd9"].concat();
    let mails = [("foto.jpg", picture.clone()), ("semester.jpg", [picture, zip].concat())]
        .map(|(name, content)| desk.mail("Se bilagan.", name, &content));
    let [plain, behind] = desk.explain(&mails).try_into().unwrap();
    assert_eq!((&plain["verdict"], state(&plain, "a.txt")), (&"accepted".into(), "absent".into()), "{plain}");
    assert_eq!((&behind["verdict"], &behind["class"]), (&"held".into(), &3.into()), "{behind}");
    assert_eq!(state(&behind, "a.txt"), "plain", "{behind}");
}

#[test]
fn packed_smime_is_unpacked_and_what_is_encrypted_in_it_is_not() {
    let desk = Desk::new();
    let found =
        ["packed.p7m", "packed-ber.p7m", "packed-signed.p7m", "packed-signed-bare.p7m", "signed-packed.p7m"];
    let hidden = ["packed-enveloped.p7m", "packed-enveloped-bare.p7m"];
    let mails: Vec<String> =
        found.iter().chain(&hidden).map(|name| desk.mail("Se bilagan.", name, &fixture(name))).collect();
    for (name, said) in found.iter().chain(&hidden).zip(desk.explain(&mails)) {
        let expected = if hidden.contains(name) { ("accepted", 0) } else { ("held", 3) };
        assert_eq!(
            (&said["verdict"], &said["class"]),
            (&expected.0.into(), &expected.1.into()),
            "{name}: {said}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_never_taken_for_clean() {
    let desk = Desk::new();
    let whole = fixture("text.pdf");
    let files = [
        ("cut.pdf", whole[..whole.len() / 2].to_vec()),
        ("cut.docx", fixture("text.docx")[..400].to_vec()),
        ("scan.pdf", scan()),
        ("bomb.p7m", packed(&vec![b'0'; 40 << 20])),
        ("noise.7z", [b"7z\xbc\xaf\x27\x1c".as_slice(), &[0xA5; 600]].concat()),
    ];
    let mails: Vec<String> =
        files.iter().map(|(name, content)| desk.mail("Se bilagan.", name, content)).collect();
    for ((name, _), said) in files.iter().zip(desk.explain(&mails)) {
        let found = evidence(&said, "sensitive-data");
        assert_eq!(
            (&said["verdict"], state(&said, name)),
            (&"held".into(), "uninspectable".into()),
            "{name}: {said}"
        );
        assert!(found.contains("unknown: "), "{name}: {found}");
    }
}

/// A workbook with this many people, whose sheet may be protected against changes.
fn workbook(people: u32, protected: bool) -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write(0, 0, "Namn").unwrap();
    sheet.write(0, 1, "Personnummer").unwrap();
    for row in 1..=people {
        sheet.write(row, 0, format!("Person {row}")).unwrap();
        sheet.write(row, 1, number(row)).unwrap();
    }
    if protected {
        sheet.protect_with_password("hemligt");
    }
    book.save_to_buffer().unwrap()
}

/// A number that has a right check digit, and that nobody has: the serials of these days are the tax agency's for tests.
fn number(row: u32) -> String {
    let (year, month) = (1910 + row / 12 % 60, row % 12 + 1);
    let nine = format!("{:02}{month:02}15238", year % 100);
    let sum: u32 = nine
        .chars()
        .zip([2, 1].into_iter().cycle())
        .map(|(digit, weight)| digit.to_digit(10).unwrap() * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    format!("{year}{month:02}15-238{}", (10 - sum % 10) % 10)
}

#[test]
fn a_list_of_people_is_serious_and_counted_not_listed() {
    let desk = Desk::new();
    for (name, protected) in [("lista.xlsx", false), ("skyddad.xlsx", true)] {
        let mail = desk.mail("Se bilagan.", name, &workbook(500, protected));
        let [said] = desk.explain(&[mail]).try_into().unwrap();
        assert_eq!((&said["class"], state(&said, name)), (&3.into(), "plain".into()), "{name}: {said}");
        let found = evidence(&said, "sensitive-data");
        assert_eq!(found.lines().count(), 1, "{found}");
        assert!(found.contains("personnummer, first 1"), "{found}");
        let header = said["edits"].to_string();
        assert!(header.contains("class=serious; personnummer=500"), "{header}");
    }
}

/// A workbook in which days of birth are dates, as Excel stores them, and the last four digits stand beside them.
fn workbook_of_dates(format: &str) -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let day = rust_xlsxwriter::Format::new().set_num_format(format);
    let sheet = book.add_worksheet();
    for (column, heading) in (0..).zip(["Namn", "Personnummer", "Sista fyra", "Bedömning"]) {
        sheet.write(0, column, heading).unwrap();
    }
    sheet.write(1, 0, "Anna Andersson").unwrap();
    sheet.write_number_with_format(1, 1, 29_948, &day).unwrap();
    sheet.write_number(1, 2, 9_874).unwrap();
    sheet.write(1, 3, "läkarintyg").unwrap();
    book.save_to_buffer().unwrap()
}

#[test]
fn a_day_of_birth_in_a_cell_is_a_date() {
    let desk = Desk::new();
    for format in ["yyyy-mm-dd", "yymmdd", "yyyymmdd", "[$-41D]d mmmm yyyy"] {
        desk.0.write("datum.xlsx", workbook_of_dates(format));
        let profile = desk.0.path("profile");
        let profile = profile.display();
        desk.0.run(&format!(
            "soffice -env:UserInstallation=file://{profile} --headless --convert-to xls datum.xlsx"
        ));
        for name in ["datum.xlsx", "datum.xls"] {
            let mail = desk.mail("Se bilagan.", name, &desk.0.read(name));
            let [said] = desk.explain(&[mail]).try_into().unwrap();
            let header = said["edits"].to_string();
            assert!(header.contains("class=serious; personnummer=1; health=1"), "{format} {name}: {said}");
        }
    }
}

#[test]
fn hostile_mail_gets_its_verdict_and_hides_nothing() {
    let desk = Desk::new();
    let head = "From: anna@exempelby.se\nTo: x@example.org\nSubject: x\n";
    let nested = format!("{head}{}\n{TEXT}", "Content-Type: message/rfc822\n\n".repeat(40_000));
    let parts = format!(
        "{head}Content-Type: multipart/mixed; boundary=b\n\n{}--b\n\n{TEXT}\n--b--\n",
        "--b\n\nx\n".repeat(100_000)
    );
    for (name, message) in [("nested.eml", nested), ("parts.eml", parts)] {
        desk.0.write(name, message);
        let [said] = desk.explain(&[name.to_owned()]).try_into().unwrap();
        // What lies beyond a limit is said to, and here the config holds what nobody could read.
        assert_eq!(said["verdict"], "held", "{name}");
        assert!(evidence(&said, "sensitive-data").contains("unknown: "), "{name}: {}", said["findings"]);
    }
    // Ten megabytes of zeros in each of ten archives, one in another.
    desk.0.write("zeros", vec![0_u8; 10 << 20]);
    desk.0.run("zip -q bomb.zip zeros");
    for _ in 0..10 {
        desk.0.run("zip -q outer.zip bomb.zip");
        desk.0.run("mv outer.zip bomb.zip");
    }
    let mail = desk.mail("Se bilagan.", "bomb.zip", &desk.0.read("bomb.zip"));
    let [said] = desk.explain(&[mail]).try_into().unwrap();
    assert_eq!(said["verdict"], "held", "{said}");
    assert!(evidence(&said, "sensitive-data").contains("unknown: "), "{said}");
}

#[test]
fn smime_and_openpgp_hide_what_is_encrypted_and_nothing_else() {
    let desk = Desk::new();
    desk.0.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=anna -days 30",
    );
    let ends = "-from anna@exempelby.se -to x@example.org -subject Underlag -in a.txt";
    desk.0.run(&format!("openssl cms -encrypt -aes256 {ends} -out closed.eml cert.pem"));
    desk.0
        .run(&format!("openssl cms -sign -nodetach {ends} -out signed.eml -signer cert.pem -inkey key.pem"));
    desk.0.run("mkdir -m 700 home");
    desk.0.run(
        "gpg --homedir home --batch --passphrase hemligt --pinentry-mode loopback --symmetric --armor -o a.asc a.txt",
    );
    let armour = String::from_utf8(desk.0.read("a.asc")).unwrap();
    let pgp = |subject: &str| {
        format!(
            "From: anna@exempelby.se\nTo: x@example.org\nSubject: {subject}\nContent-Type: multipart/encrypted; \
             protocol=\"application/pgp-encrypted\"; boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\n\
             Version: 1\n\n--b\nContent-Type: application/octet-stream\n\n{armour}\n--b--\n"
        )
    };
    desk.0.write("pgp.eml", pgp("Underlag"));
    desk.0.write("subject.eml", pgp("=?utf-8?Q?Orosanm=C3=A4lan?= 811228-9874"));
    let names = ["closed.eml", "signed.eml", "pgp.eml", "subject.eml"].map(str::to_owned);
    let said = desk.explain(&names);
    let verdicts: Vec<_> = said.iter().map(|said| said["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["accepted", "held", "accepted", "held"], "{said:#?}");
    assert_eq!((&said[1]["class"], &said[3]["class"]), (&3.into(), &3.into()));
    assert!(evidence(&said[3], "sensitive-data").contains("in the subject"), "{}", said[3]["findings"]);
}

#[test]
fn damaged_documents_get_a_verdict_each() {
    let desk = Desk::new();
    let mut mails = Vec::new();
    for name in [
        "text.docx",
        "rows.xlsx",
        "text.odt",
        "text.pdf",
        "text.doc",
        "rows.xls",
        "text.msg",
        "text.rtf",
        "default.xls",
    ] {
        let whole = fixture(name);
        for round in 1..=6 {
            let mut flipped = whole.clone();
            for place in (0..whole.len()).skip(round * 17).step_by(whole.len() / 5) {
                flipped[place] ^= 1 << round;
            }
            mails.push(desk.mail("Se bilagan.", &format!("{round}-flipped-{name}"), &flipped));
            let cut = &whole[..whole.len() * round / 7];
            mails.push(desk.mail("Se bilagan.", &format!("{round}-cut-{name}"), cut));
        }
    }
    let said = desk.explain(&mails);
    assert_eq!(said.len(), mails.len());
    for said in said {
        let states = said["facts"]["attachments"].as_array().unwrap();
        let unread = states.iter().any(|attachment| attachment["state"] == "uninspectable");
        let unknown = evidence(&said, "sensitive-data").contains("unknown: ");
        assert_eq!(unread, unknown, "what could not be read is never silently clean: {said}");
    }
}
