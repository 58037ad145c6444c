//! Signed messages: what `openssl` shows of a signature is what is read of it, in every form that it writes.

use std::process::Command;

use super::*;
use crate::lab;

#[test]
fn what_openssl_shows_of_a_signed_text_is_read() {
    let scratch = Scratch::new();
    lab::certify(&scratch.path(""), "exempelby");
    scratch.write("a.txt", text(30));
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        lab::run(command.args(arguments.split(' ')).current_dir(scratch.path("")))
    };
    let sign = "cms -sign -signer cert.pem -inkey key.pem -nodetach -in a.txt";
    for (number, (form, options)) in [
        ("DER", "-binary"),
        ("DER", "-binary -stream"),
        ("DER", "-binary -nocerts -noattr"),
        ("DER", "-binary -keyid -md sha512"),
        ("DER", "-text"),
        ("PEM", "-binary"),
        ("SMIME", "-binary"),
        ("SMIME", "-stream"),
    ]
    .into_iter()
    .enumerate()
    {
        let ending = if form == "SMIME" { "eml" } else { "p7m" };
        let name = format!("{number}.{ending}");
        openssl(&format!("{sign} {options} -outform {form} -out {name}"));
        // What `-text` adds is the head of an entity, which it takes away again.
        let text = if options == "-text" { "-text" } else { "-binary" };
        let shown =
            openssl(&format!("cms -verify -noverify {text} -certfile cert.pem -inform {form} -in {name}"));
        assert_read(&name, &scratch.read(&name), &shown);
        // Signed again, around that.
        openssl(&format!(
            "cms -sign -signer cert.pem -inkey key.pem -nodetach -binary -in {name} -outform DER -out again-{name}.p7m"
        ));
        assert_read(&format!("again-{name}.p7m"), &scratch.read(&format!("again-{name}.p7m")), &shown);
    }
}
