//! Every way in which a scanner can fail: the mail passes and says that nobody looked, or waits. One that hangs does so
//! for as long as the test lasts: that there is an answer at all, and why, shows that its deadline holds.

use std::process::Command;

use serde_json::Value;

use super::fault::{Act, Fault, http, rspamd};
use crate::lab::program::PROGRAM;
use crate::lab::{free_port, run};

const MESSAGE: &str = "From: <x@example.org>\nTo: <anna@exempelby.se>\nSubject: x\n\nHej!\n";

/// What is said of the message, with one scanner on that port.
fn explained(scanner: &str, port: u16, rule: &str, more: &str) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let (config, message) = (directory.path().join("postvakt.toml"), directory.path().join("x.eml"));
    let text = format!(
        "[organisation]\nname = \"Exempelby kommun\"\ndomains = [\"exempelby.se\"]\n[server]\nnode = \"gw1\"\n\
         listen = [\"unix:/tmp/unused.sock\"]\n[store]\ndirectory = \"/tmp/unused\"\n\
         [dns]\nservers = [\"127.0.0.1:9\"]\n\
         [scanners.{scanner}]\naddress = \"127.0.0.1:{port}\"\ndeadline = \"2 s\"\n{more}\n\
         [rules.{rule}]\nmode = \"enforce\"\n"
    );
    std::fs::write(&config, text).unwrap();
    std::fs::write(&message, MESSAGE).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["explain", "--json", "--client", "192.0.2.1", "--config"]).arg(config).arg(message);
    serde_json::from_str(&run(&mut command)).unwrap()
}

/// The values of a header field that is inserted.
fn inserted<'a>(said: &'a Value, name: &str) -> Vec<&'a str> {
    let edits = said["edits"].as_array().unwrap().iter();
    edits
        .filter(|edit| edit["op"] == "insert-header" && edit["name"] == name)
        .map(|edit| edit["value"].as_str().unwrap())
        .collect()
}

/// The mail passes, and says why nobody looked.
fn passes_unscanned(said: &Value, reason: &str, case: &str) {
    assert_eq!(said["verdict"], "accepted", "{case}: {said}");
    assert_eq!(inserted(said, "X-Postvakt-Spam-Check"), [format!("not-scanned; reason={reason}")], "{case}");
    assert_eq!(said["findings"][0]["grade"], "unknown", "{case}: {said}");
    for clean in ["X-Spam-Flag", "X-Spam-Status", "X-Spam-Level"] {
        assert!(inserted(said, clean).is_empty(), "{case}: {said}");
    }
}

#[test]
fn a_spam_scanner_that_fails_lets_the_mail_pass_unscanned() {
    let fault = Fault::start(Act::Hang);
    let say = |text: &str| Act::Say(text.to_owned());
    let whole = r#"{"score": 1.0, "required_score": 15.0, "action": "no action"}"#;
    for (scanner, case, act, reason) in [
        ("rspamd", "hangs", Act::Hang, "deadline"),
        ("rspamd", "500", http("500 Internal Server Error", "{}"), "protocol"),
        ("rspamd", "truncated JSON", http("200 OK", &whole[..30]), "protocol"),
        (
            "rspamd",
            "cut off",
            say(&format!("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{whole}")),
            "protocol",
        ),
        ("rspamd", "unknown action", rspamd("obliterate", 1.0), "protocol"),
        ("rspamd", "not HTTP", say("* OK IMAP4rev1\r\n"), "protocol"),
        ("rspamd", "closes", say(""), "protocol"),
        ("spamassassin", "hangs", Act::Hang, "deadline"),
        ("spamassassin", "error", say("SPAMD/1.1 76 Bad header line\r\n\r\n"), "protocol"),
        ("spamassassin", "truncated", say("SPAMD/1.1 0 EX_OK\r\nSpam: Tr"), "protocol"),
        ("spamassassin", "closes", say(""), "protocol"),
    ] {
        fault.act(act);
        passes_unscanned(&explained(scanner, fault.port, "spam", ""), reason, &format!("{scanner} {case}"));
    }
    for scanner in ["rspamd", "spamassassin"] {
        passes_unscanned(&explained(scanner, free_port(), "spam", ""), "unreachable", scanner);
        let small = explained(scanner, fault.port, "spam", "size_at_most = \"20 B\"");
        passes_unscanned(&small, "limit", scanner);
    }
}

#[test]
fn a_scanners_doubt_is_an_answer() {
    let fault = Fault::start(rspamd("greylist", 4.5));
    let said = explained("rspamd", fault.port, "spam", "");
    assert_eq!(said["verdict"], "accepted");
    assert!(inserted(&said, "X-Postvakt-Spam-Check").is_empty(), "{said}");
    fault.act(rspamd("add header", 7.0));
    let said = explained("rspamd", fault.port, "spam", "");
    assert_eq!((&said["verdict"], inserted(&said, "X-Spam-Flag")), (&Value::from("marked"), vec!["YES"]));
}

#[test]
fn a_virus_scanner_that_fails_makes_the_mail_wait() {
    let fault = Fault::start(Act::Hang);
    let say = |text: &str| Act::Say(text.to_owned());
    for (case, act, reason) in [
        ("hangs", Act::Hang, "deadline"),
        ("over its limit", say("INSTREAM size limit exceeded. ERROR\0"), "limit"),
        ("error", say("UNKNOWN COMMAND\0"), "protocol"),
        ("truncated", say("stream: O"), "protocol"),
        ("closes", say(""), "protocol"),
    ] {
        fault.act(act);
        let said = explained("clamav", fault.port, "virus", "");
        assert_eq!(
            (&said["verdict"], &said["findings"][0]["evidence"]),
            (&"deferred".into(), &format!("unknown: {reason}").into()),
            "{case}: {said}"
        );
        assert!(said["reply"].as_str().unwrap().starts_with("451 4.7.1 "), "{case}: {said}");
    }
    assert_eq!(explained("clamav", free_port(), "virus", "")["verdict"], "deferred");
    assert_eq!(explained("clamav", fault.port, "virus", "size_at_most = \"20 B\"")["verdict"], "deferred");
    fault.act(say("stream: Postvakt.Test FOUND\0"));
    let said = explained("clamav", fault.port, "virus", "");
    assert_eq!(
        (&said["verdict"], &said["findings"][0]["evidence"]),
        (&"held".into(), &"Postvakt.Test".into())
    );
    fault.act(say("stream: Heuristics.Encrypted.Zip FOUND\0"));
    let said = explained("clamav", fault.port, "virus", "");
    assert_eq!((&said["verdict"], &said["findings"][0]["grade"]), (&"accepted".into(), &"weak".into()));
}
