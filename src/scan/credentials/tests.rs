//! Credentials that are told, and text that only speaks of them.

use super::*;

fn found(text: &str) -> Vec<(Secret, Confidence)> {
    find(&Folded::new(text), false).into_iter().map(|found| (found.secret, found.sure)).collect()
}

#[test]
fn told_passwords_are_found() {
    for text in [
        "Lösenordet till filen är Sommar2024!",
        "Lösenordet till den bifogade zip-filen är: Sommar2024!",
        "lösenord: hemlis99",
        "Lösenord: Tulpan\r\nHälsningar",
        "lösen = \"blå himmel\"",
        "LÖSENORD:\r\nSommar2024!",
        "Losenord: Sommar2024",
        "l\u{FFFD}senord: Sommar2024",
        "LÃ¶senord: Sommar2024",
        "The password is Winter-77",
        "Password: Winter77",
        "Server=db;User=sa;Pwd=Qwerty123;",
        "api_key = 9f8a7b6c5d4e3f2a",
        "engångslösenordet är K7mP-22xz",
        "postgres://admin:hemlis99@db.example.org/x",
        "lösenordet är \"körsbär\"",
        "lösenord Sommar2024!",
    ] {
        let secrets = found(text);
        assert!(
            secrets.iter().any(|(secret, sure)| *secret == Secret::Password && *sure == Confidence::Strong),
            "{text} {secrets:?}"
        );
    }
}

#[test]
fn talk_of_passwords_is_not() {
    for text in [
        "Lösenordet är för gammalt och måste bytas",
        "Lösenord: minst 12 tecken",
        "Lösenord: ********",
        "Lösenord: <ditt lösenord>",
        "Password: xxxxxxxx",
        "Glömt lösenord? Klicka https://example.org/reset",
        "Återställ ditt lösenord: https://example.org/r/8f7a",
        "Lösenordet skickas separat via sms.",
        "Lösenord: skickas separat",
        "Byt lösenord varje år.",
        "lösenordet är hemligt",
        "password=${DB_PASSWORD}",
        "Vi löser ärendet",
        "shopping 12345",
        "Ring 0701234567, kod 1234",
        "https://example.org/login",
        "https://example.org:8443/x",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn codes_keys_and_tokens() {
    let long = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC3dE5f";
    for (text, secret) in [
        ("PIN-koden är 4711".to_owned(), Secret::Code),
        ("pinkod: 4711".to_owned(), Secret::Code),
        ("Engångskod: 883412".to_owned(), Secret::Code),
        (format!("-----BEGIN RSA PRIVATE KEY-----\r\n{long}{long}\r\n"), Secret::PrivateKey),
        (format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{long}{long}"), Secret::PrivateKey),
        ("AKIAIOSFODNN7EXAMPLE".to_owned(), Secret::Token),
        (format!("ghp_{}", &long[..36]), Secret::Token),
        (format!("xoxb-123456789012-{}", &long[..20]), Secret::Token),
        (
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P".to_owned(),
            Secret::Token,
        ),
    ] {
        assert_eq!(found(&text), [(secret, Confidence::Strong)], "{text}");
    }
    for text in [
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\n...",
        "ghp_kort",
        "akia",
        "eyJ.eyJ.x",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn a_code_is_a_key_where_something_is_encrypted() {
    let text = Folded::new("Koden är 4711-22B");
    assert_eq!(find(&text, false), []);
    let text = Folded::new("Koden är 471122");
    assert_eq!(find(&text, true).len(), 1);
}
