//! Which mail custom rules find, by table: a rule as the config has it, what is special about the mail, and what is
//! found.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;

use postvakt::address::{Address, ReversePath};
use postvakt::config::{Config, ParseContext};
use postvakt::documents::{Reason, Scheme, State, kind::Kind};
use postvakt::facts::attachment::Attachment;
use postvakt::facts::passage::{Passage, Place};
use postvakt::facts::scan::{Opinion, Scans, SpamScan, SpamScanner, SpamScore};
use postvakt::facts::{Cause, Contents, Defect, Fact, Facts, Field, Header, Needs, Recipient};
use postvakt::groups::{Entry, Members};
use postvakt::limits;
use postvakt::mail::{Client, Direction};
use postvakt::organisation::Organisation;
use postvakt::rules::{Confidence, Evidence, Finding, Match, Rule, Sensitivity};
use postvakt::work::Work;

use super::documents::Scratch;
use super::documents::messages::base64;

fn rule(when: &str) -> Box<dyn Rule> {
    rule_with("", when)
}

/// The custom rule of a config that has this too.
fn rule_with(more: &str, when: &str) -> Box<dyn Rule> {
    let text = format!(
        "[organisation]\nname = 'E'\ndomains = ['exempelby.se']\n[server]\nlisten = ['inet:127.0.0.1:1']\n\
         [store]\ndirectory = '/x'\n[rules.custom.x]\nmode = 'enforce'\nwhen = {{ {when} }}\n{more}"
    );
    let around =
        ParseContext { file: "F", host: "", now: Timestamp::UNIX_EPOCH, files: &postvakt::config::NoFiles };
    let config = Config::parse(text.as_bytes(), &around).unwrap_or_else(|problems| panic!("{problems}"));
    // Custom rules are the last ones.
    config.rules.into_iter().last().unwrap().0
}

fn recipient(text: &str) -> Recipient {
    Recipient { address: Address::parse(text).unwrap(), inside: text.ends_with("exempelby.se") }
}

fn attachment(name: &str, media_type: &str, size: u64) -> Attachment {
    Attachment {
        path: "2".into(),
        name: name.into(),
        other_names: Vec::new(),
        media_type: media_type.into(),
        kind: Kind::Unknown,
        size,
        state: State::Plain,
        macros: false,
    }
}

fn body(text: &str) -> Passage {
    Passage::new("1".into(), String::new(), Place::Body, text.into())
}

/// An inbound mail with one attachment.
fn facts() -> Facts {
    Facts {
        organisation: Arc::default(),
        arrived: Timestamp::UNIX_EPOCH,
        direction: Direction::Inbound,
        from_inside: false,
        client: Client { address: Some(Ipv4Addr::new(192, 0, 2, 1).into()), ..Client::default() },
        queue_id: None,
        sender: ReversePath::Address(Address::parse("Bo@example.org").unwrap()),
        recipients: vec![recipient("anna@exempelby.se"), recipient("registrator@exempelby.se")],
        size: 5_000_000,
        header: Header {
            fields: vec![Field { name: "x-mailer".into(), value: "MassMail 3".into() }],
            subject: Some("Faktura för mars".into()),
            ..Header::default()
        },
        attachments: vec![attachment("Räkning.EXE", "application/octet-stream", 3_000_000)],
        unopened: Vec::new(),
        passages: vec![body("Hej"), body("Här är lösenordet")],
        traces: Vec::new(),
        contents: Contents::default(),
        identity: None,
        seen: Fact::NotGathered,
        answered: Fact::NotGathered,
        contained: Fact::NotGathered,
        repeats: 0,
        authentication: Fact::NotGathered,
        scans: Scans::default(),
        contact: Fact::NotGathered,
        addressed: Fact::NotGathered,
        groups: HashMap::new(),
        links: Vec::new(),
        defects: Vec::new(),
        may_be_deferred: false,
        work: Arc::new(Work::unmeasured()),
    }
}

/// What is found, in a word: the evidence, `unknown` or nothing.
fn found(when: &str, facts: &Facts) -> String {
    match &rule(when).check(facts)[..] {
        [] => String::new(),
        [Finding::Unknown(Cause::Limit)] => "unknown".to_owned(),
        [Finding::Match(found)] => found.evidence.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn conditions() {
    for (when, expected) in [
        ("direction = 'inbound'", "direction"),
        ("direction = ['outbound', 'internal']", ""),
        ("direction = ['outbound', 'inbound']", "direction"),
        ("sender = '^bo@example\\.org$'", "sender"),
        ("sender = '^<>$'", ""),
        ("recipient = ['nobody', '^REGISTRATOR@']", "recipient"),
        ("subject = 'faktura'", ""),
        ("subject = '(?i)faktura'", "subject"),
        ("text = 'lösenord'", "text"),
        ("text = '^lösenord'", ""),
        ("header = { X-Mailer = '^MassMail' }", "header"),
        ("header = { X-Mailer = ['a b', '3$'], Subject = 'x' }", ""),
        ("size_above = '4999999 B'", "size"),
        ("size_above = '5 MB'", ""),
        ("size_above = '4 MiB'", "size"),
        ("attachment_name = '(?i)\\.(exe|scr)$'", "attachment"),
        ("attachment_name = '\\.exe$'", ""),
        ("attachment_type = '^application/'", "attachment"),
        ("attachment_size_above = '3 MB'", ""),
        ("attachment_size_above = '2 MB', attachment_name = '^Räkning'", "attachment"),
        ("direction = 'inbound', subject = 'Faktura', text = 'Hej'", "direction,subject,text"),
        ("direction = 'inbound', subject = 'Faktura', text = 'Nej'", ""),
    ] {
        assert_eq!(found(when, &facts()), expected, "{when}");
    }
}

#[test]
fn conditions_on_the_client_the_authors_and_the_time() {
    let author = |text: &str| Address::parse(text).unwrap();
    let header = Header {
        from: vec![author("vd@exempelby.se")],
        reply_to: vec![author("vd@example.net")],
        ..Header::default()
    };
    // Monday 30 November 2026, 08:00 in Sweden.
    let arrived = "2026-11-30T07:00:00Z".parse().unwrap();
    let time_zone = TimeZoneDatabase::bundled().get("Europe/Stockholm").unwrap();
    let organisation = Arc::new(Organisation { time_zone, ..Organisation::default() });
    let facts = Facts { header, arrived, organisation, ..facts() };
    for (when, expected) in [
        ("client = '192.0.2.1'", "client"),
        ("client = ['10.0.0.0/8', '192.0.2.0/24']", "client"),
        ("client = '::ffff:0:0/96'", ""),
        ("client = '192.0.2.2'", ""),
        ("auth_user = '.'", ""),
        ("tls = true", ""),
        ("tls = false", "tls"),
        ("recipients_above = 1", "recipients"),
        ("recipients_above = 2", ""),
        ("from = '^VD@'", "from"),
        ("from = '@example\\.org'", ""),
        ("from_mismatch = 'address'", "from-mismatch"),
        ("from_mismatch = 'domain'", "from-mismatch"),
        ("reply_to = '@example\\.net$'", "reply-to"),
        ("reply_to_mismatch = 'domain'", "reply-to-mismatch"),
        ("weekdays = ['mon', 'tue']", "weekday"),
        ("weekdays = 'sun'", ""),
        ("hours = '08:00-09:00'", "hours"),
        ("hours = '07:00-08:00'", ""),
        ("hours = ['07:00-08:00', '17:00-08:01']", "hours"),
        ("since = 2026-11-30, until = 2026-11-30", "date,date"),
        ("since = 2026-12-01", ""),
        ("until = 2026-11-29", ""),
        ("dates = [2026-11-30, 2026-12-24]", "date"),
    ] {
        assert_eq!(found(when, &facts), expected, "{when}");
    }
    let on_this_host = Facts { client: Client::default(), ..facts.clone() };
    assert_eq!(found("client = '127.0.0.0/8'", &on_this_host), "client");
    let named = Client { name: Some("mx.example.org".into()), ..Client::default() };
    let of_unknown_address = Facts { client: named, ..facts.clone() };
    for when in ["client = '192.0.2.1'", "not = { client = '192.0.2.1' }"] {
        assert!(matches!(rule(when).check(&of_unknown_address)[..], [Finding::Unknown(Cause::Protocol)]));
    }
    let user = Client { auth_user: Some("Anna".into()), tls: Some("TLSv1.3".into()), ..Client::default() };
    let submitted = Facts { client: user, sender: ReversePath::Null, ..facts };
    assert_eq!(found("auth_user = '^anna$', tls = true", &submitted), "auth-user,tls");
    assert_eq!(found("from_mismatch = 'address'", &submitted), "", "a bounce has no envelope sender");
}

#[test]
fn groups_stand_beside_patterns() {
    let groups = "[groups.hr]\nmembers = ['bo@example.org', 'anna@exempelby.se']\n[groups.domain]\nmembers = ['@exempelby.se']\n\
                  [groups.ad.ldap]\nservers = ['ldap://127.0.0.1']\nbase = 'DC=x'\nfilter = '(x=y)'\n";
    let author = |text: &str| Address::parse(text).unwrap();
    let header = Header {
        from: vec![author("bo@example.org")],
        reply_to: vec![author("x@exempelby.se")],
        ..Header::default()
    };
    let client = Client { auth_user: Some("anna@exempelby.se".into()), ..Client::default() };
    let facts = Facts { header, client, ..facts() };
    let said = |when: &str, facts: &Facts| match &rule_with(groups, when).check(facts)[..] {
        [] => "no".to_owned(),
        [Finding::Match(found)] => format!("{} {:?}", found.evidence, found.recipients),
        [Finding::Unknown(cause)] => cause.as_str().to_owned(),
        other => panic!("{other:?}"),
    };
    for (when, expected) in [
        ("sender = 'group:hr'", "sender []"),
        ("sender = ['group:domain', '^nobody@']", "no"),
        ("sender = ['group:domain', '^bo@']", "sender []"),
        ("recipient = 'group:hr'", "recipient [0]"),
        ("recipient = ['group:hr', '^registrator@']", "recipient [0, 1]"),
        ("recipient = 'group:domain'", "recipient [0, 1]"),
        ("from = 'group:hr'", "from []"),
        ("reply_to = ['group:hr', 'group:domain']", "reply-to []"),
        ("auth_user = 'group:hr'", "auth-user []"),
        ("not = { sender = 'group:hr' }", "no"),
        // A directory that nobody has asked: unknown, unless something else settles it.
        ("sender = 'group:ad'", "skipped"),
        ("not = { sender = 'group:ad' }", "skipped"),
        ("sender = ['group:ad', '^bo@']", "sender []"),
        ("recipient = 'group:ad'", "skipped"),
        ("recipient = ['group:ad', 'group:hr']", "recipient [0]"),
        ("sender = 'group:ad', subject = 'zzz'", "no"),
    ] {
        assert_eq!(said(when, &facts), expected, "{when}");
    }
    let ad = |fact| Facts { groups: [(Arc::from("ad"), fact)].into_iter().collect(), ..facts.clone() };
    assert_eq!(said("sender = 'group:ad'", &ad(Fact::Unavailable(Cause::Deadline))), "deadline");
    let mut members = Members::default();
    members.add(Entry::Address(author("bo@example.org")), &Organisation::default());
    assert_eq!(said("sender = 'group:ad'", &ad(Fact::Known(Arc::new(members)))), "sender []");
    assert_eq!(
        said(
            "sender = 'group:ad'",
            &Facts { sender: ReversePath::Null, ..ad(Fact::Unavailable(Cause::Deadline)) }
        ),
        "no"
    );
}

#[test]
fn not_any_and_all() {
    for (when, expected) in [
        ("not = { sender = '@exempelby' }", "not-sender"),
        ("not = { sender = '@example' }", ""),
        (
            "direction = 'inbound', not = { sender = '@exempelby', subject = 'x' }",
            "direction,not-sender,not-subject",
        ),
        // Not both are met.
        ("not = { sender = '@example', subject = 'zzz' }", "not-sender,not-subject"),
        ("any = [{ subject = 'zzz' }, { subject = 'mars' }]", "subject"),
        ("any = [{ subject = 'zzz' }, { subject = 'yyy' }]", ""),
        ("all = [{ recipient = '^anna@' }, { recipient = '^registrator@' }]", "recipient,recipient"),
        ("all = [{ recipient = '^anna@' }, { recipient = '^nobody@' }]", ""),
        ("not = { any = [{ subject = 'zzz' }, { sender = 'zzz' }] }", "not-subject,not-sender"),
        ("not = { not = { subject = 'mars' } }", "not-subject"),
        ("direction = 'outbound', any = [{ subject = 'mars' }]", ""),
    ] {
        assert_eq!(found(when, &facts()), expected, "{when}");
    }
    let recipients = |when: &str| match &rule(when).check(&facts())[..] {
        [Finding::Match(found)] => found.recipients.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(recipients("any = [{ recipient = '^registrator@' }, { subject = 'zzz' }]"), [1]);
    assert_eq!(recipients("all = [{ recipient = '^anna@' }, { recipient = '^reg' }]"), [0, 1]);
    assert_eq!(recipients("not = { recipient = '^nobody@' }"), [0; 0]);
}

#[test]
fn what_is_unknown_stays_unknown_when_it_is_negated() {
    let hidden = Facts { defects: vec![Defect::Truncated], attachments: Vec::new(), ..facts() };
    let unknown = "attachment_name = 'exe$'";
    for (when, expected) in [
        (unknown.to_owned(), "unknown"),
        (format!("not = {{ {unknown} }}"), "unknown"),
        (format!("not = {{ not = {{ {unknown} }} }}"), "unknown"),
        (format!("not = {{ {unknown}, direction = 'outbound' }}"), "not-direction,not-attachment"),
        (format!("any = [{{ {unknown} }}, {{ subject = 'mars' }}]"), "subject"),
        (format!("any = [{{ {unknown} }}, {{ subject = 'zzz' }}]"), "unknown"),
        (format!("any = [{{ {unknown}, subject = 'zzz' }}, {{ sender = 'zzz' }}]"), ""),
        (format!("all = [{{ {unknown} }}, {{ subject = 'zzz' }}]"), ""),
        ("encrypted = true".to_owned(), "unknown"),
        ("encrypted = false".to_owned(), "unknown"),
    ] {
        assert_eq!(found(&when, &hidden), expected, "{when}");
    }
    assert_eq!(found("encrypted = false", &facts()), "encrypted");
    let locked = with_attachment("a.zip".into(), "application/zip", State::Encrypted(Scheme::Zip));
    assert_eq!(found("encrypted = true, attachment_encrypted = true", &locked), "encrypted,attachment");
    assert_eq!(found("attachment_name = 'zip$', attachment_encrypted = false", &locked), "");
}

#[test]
fn findings_of_built_in_rules() {
    let rule = rule_with(
        "[rules.first-contact]\nmode = 'observe'\n[rules.sensitive-data]\nmode = 'observe'\n",
        "any = [{ finding = 'first-contact=strong' }, { class_at_least = 'considerable' }]",
    );
    let found = |grade, evidence| {
        Finding::Match(Match { grade, evidence, mailboxes: Vec::new(), recipients: Vec::new() })
    };
    let data = |class| found(Confidence::Strong, Evidence::of_data(class, Vec::new(), &[], &[]));
    let plain = |grade| found(grade, Evidence::of("x"));
    for (id, earlier, expected) in [
        ("first-contact", plain(Confidence::Strong), "finding"),
        ("first-contact", plain(Confidence::Medium), ""),
        ("mass-mailing", plain(Confidence::Strong), ""),
        ("sensitive-data", data(Sensitivity::Serious), "class"),
        ("sensitive-data", data(Sensitivity::Moderate), ""),
        ("first-contact", Finding::Unknown(Cause::Learning), "learning"),
        ("sensitive-data", Finding::Unknown(Cause::Deadline), "deadline"),
    ] {
        let shown = match &rule.check_after(&facts(), &[(id, vec![earlier.clone()])])[..] {
            [] => String::new(),
            [Finding::Unknown(cause)] => cause.as_str().to_owned(),
            [Finding::Match(found)] => found.evidence.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(shown, expected, "{id} {earlier:?}");
    }
}

#[test]
fn the_score_of_a_spam_scanner() {
    let rule = rule_with("[scanners.rspamd]\naddress = '127.0.0.1:11333'\n", "spam_score_above = 8");
    assert!(rule.needs().spam_scan);
    let scan = |answer| SpamScan { by: SpamScanner::Rspamd, answer };
    let score = |score| scan(Ok(SpamScore { score, required: 15.0, opinion: Opinion::Ham }));
    for (spam, expected) in [
        (vec![score(8.5)], "spam-score"),
        (vec![score(8.0)], ""),
        (vec![score(3.0), score(9.0)], "spam-score"),
        (vec![scan(Err(Cause::Deadline))], "deadline"),
        (vec![scan(Err(Cause::Deadline)), score(9.0)], "spam-score"),
    ] {
        let facts = Facts { scans: Scans { spam, ..Scans::default() }, ..facts() };
        let shown = match &rule.check(&facts)[..] {
            [] => String::new(),
            [Finding::Unknown(cause)] => cause.as_str().to_owned(),
            [Finding::Match(found)] => found.evidence.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(shown, expected);
        let internal = Facts { direction: Direction::Internal, ..facts };
        assert_eq!(rule.check(&internal), []);
    }
}

#[test]
fn the_null_sender_is_written_as_in_smtp() {
    assert_eq!(found("sender = '^<>$'", &Facts { sender: ReversePath::Null, ..facts() }), "sender");
}

#[test]
fn attachment_conditions_hold_of_one_attachment() {
    let facts = Facts {
        attachments: vec![attachment("a.exe", "x/y", 1), attachment("b.pdf", "x/z", 9_000_000)],
        ..facts()
    };
    assert_eq!(found("attachment_name = 'exe$', attachment_size_above = '1 MB'", &facts), "");
    assert_eq!(found("attachment_name = 'pdf$', attachment_size_above = '1 MB'", &facts), "attachment");
}

#[test]
fn recipients_are_named_where_they_are_asked_for() {
    let recipients = |when: &str| match &rule(when).check(&facts())[..] {
        [Finding::Match(found)] => found.recipients.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(recipients("recipient = '^registrator@'"), [1]);
    assert_eq!(recipients("recipient = '@', direction = 'inbound'"), [0, 1]);
    assert_eq!(recipients("direction = 'inbound'"), [0; 0]);
}

#[test]
fn limits_make_unknown_what_they_hide() {
    let defect =
        |defect| Facts { defects: vec![defect], attachments: Vec::new(), passages: Vec::new(), ..facts() };
    let (name, size, text) =
        ("attachment_name = 'exe$'", "attachment_size_above = '1 MB'", "text = 'secret'");
    for (when, hidden) in [
        (name, defect(Defect::Truncated)),
        (name, defect(Defect::TooDeep)),
        (name, defect(Defect::TooManyAttachments)),
        (text, defect(Defect::TooManyParts)),
        (text, defect(Defect::BrokenEncoding)),
        (
            text,
            Facts { passages: vec![body(&("x".repeat(limits::RULE_TEXT_OCTETS) + " secret"))], ..facts() },
        ),
        (
            text,
            Facts { passages: vec![body(&"x".repeat(limits::RULE_TEXT_OCTETS)), body("secret")], ..facts() },
        ),
        (name, with_attachment("a".repeat(limits::ATTACHMENT_NAME_OCTETS), "x/y", State::Plain)),
        (name, with_attachment("a.eml".into(), "message/rfc822", State::Uninspectable(Reason::Encoding))),
        (name, with_attachment("a.eml".into(), "message/rfc822", State::Uninspectable(Reason::Limit))),
        (size, with_attachment("a.zip".into(), "x/y", State::Uninspectable(Reason::Limit))),
    ] {
        assert_eq!(found(when, &hidden), "unknown", "{when} {:?}", hidden.defects);
        // A condition that fails settles it all the same.
        assert_eq!(found(&format!("{when}, direction = 'outbound'"), &hidden), "");
    }
    assert_eq!(found(name, &defect(Defect::BrokenEncoding)), "");
    assert_eq!(found(text, &defect(Defect::TooManyAttachments)), "");
    assert_eq!(
        found(name, &with_attachment("a.pdf".into(), "x/y", State::Uninspectable(Reason::Encoding))),
        ""
    );
    let subject = Header { subject: Some("å".repeat(limits::SUBJECT_OCTETS / 2)), ..Header::default() };
    assert_eq!(found("subject = 'ö$'", &Facts { header: subject, ..facts() }), "unknown");
    // What was seen before the limit is certain.
    assert_eq!(
        found(
            name,
            &Facts { defects: vec![Defect::Truncated], ..with_attachment("a.exe".into(), "", State::Plain) }
        ),
        "attachment"
    );
}

fn with_attachment(name: String, media_type: &str, state: State) -> Facts {
    let attachment = Attachment { name, state, ..attachment("", media_type, 10) };
    Facts { attachments: vec![attachment], ..facts() }
}

#[test]
fn only_what_is_needed_is_asked_for() {
    assert_eq!(rule("subject = 'x'").needs(), Needs::default());
    let archives = Needs { body: true, archives: true, ..Needs::default() };
    assert_eq!(rule("attachment_name = 'x'").needs(), archives);
    assert_eq!(rule("size_above = '1 MB'").needs(), Needs { body: true, ..Needs::default() });
    assert_eq!(rule("text = 'x', sender = 'y'").needs(), Needs { body: true, text: true, ..Needs::NONE });
    assert_eq!(rule("text = 'x'").id(), "custom.x");
}

/// What `explain` says of one message for each of these files, sent as an attachment from outside: its verdict, and what
/// was found.
fn explained(scratch: &Scratch, config: &str, files: &[&str]) -> Vec<(String, String)> {
    for name in files {
        let message = format!(
            "From: x@example.org\nTo: anna@exempelby.se\nSubject: Underlag\nMessage-ID: <{name}@example.org>\n\
             MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nHej\n--b\n\
             Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=\"{name}\"\n\
             Content-Transfer-Encoding: base64\n\n{}\n--b--\n",
            base64(&scratch.read(name))
        );
        scratch.write(&format!("{name}.eml"), message);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_postvakt"));
    command.args(["explain", "--json", "--client", "192.0.2.7", "--config", config]);
    command.args(files.iter().map(|name| format!("{name}.eml")));
    let output = command.current_dir(scratch.path("")).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let all: Vec<(String, String)> = said
        .lines()
        .map(|line| {
            let said: serde_json::Value = serde_json::from_str(line).unwrap();
            let evidence = said["findings"][0]["evidence"].as_str().unwrap_or_default();
            (said["verdict"].as_str().unwrap().to_owned(), evidence.to_owned())
        })
        .collect();
    assert_eq!(all.len(), files.len(), "{}", String::from_utf8_lossy(&output.stderr));
    all
}

/// Files and archives, in a folder of their own.
fn archives() -> Scratch {
    let scratch = Scratch::new();
    let program = std::fs::read("/bin/true").unwrap();
    scratch.write("tool.exe", &program);
    scratch.write("tool.txt", &program);
    scratch.write("readme.txt", "hej\n");
    scratch.write("run.JS", "x()\n");
    for command in [
        "zip -q a.zip readme.txt tool.exe",
        "zip -q b.zip a.zip",
        "zip -q hidden.zip tool.txt",
        "zip -q plain.zip readme.txt",
        "zip -q -P hemligt locked.zip tool.exe",
        "7z a -bd a.7z tool.exe",
        "7z a -bd -phemligt -mhe=on sealed.7z tool.exe",
        "tar -cf a.tar readme.txt run.JS",
        "gzip -k a.tar",
    ] {
        scratch.run(command);
    }
    let archive = scratch.read("a.zip");
    scratch.write("cut.zip", &archive[..600]);
    scratch.write("torn.zip", &archive[..60]);
    let rar = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents/packed.rar");
    scratch.write("packed.rar", std::fs::read(rar).unwrap());
    scratch
}

fn section(section: &str) -> String {
    format!(
        "[organisation]\nname = 'E'\ndomains = ['exempelby.se']\n[server]\nlisten = ['inet:127.0.0.1:1']\n[store]\n\
         directory = '/var/lib/postvakt'\n{section}\n"
    )
}

#[test]
fn files_in_archives_are_attachments() {
    let scratch = archives();
    let config = |when: &str| {
        section(&format!(
            "[rules.custom.no-programs]\nmode = 'enforce'\naction = 'reject'\non_unknown = 'hold'\nwhen = {{ {when} }}"
        ))
    };
    scratch.write("names.toml", config(r"attachment_name = '(?i)\.(exe|js)$'"));
    scratch.write("kinds.toml", config("attachment_kind = ['executable', 'shortcut']"));
    let files = [
        // File, by name, by kind.
        ("a.zip", "rejected", "rejected"),
        ("b.zip", "rejected", "rejected"),
        ("a.7z", "rejected", "rejected"),
        ("a.tar", "rejected", "accepted"),
        ("a.tar.gz", "rejected", "accepted"),
        ("hidden.zip", "accepted", "rejected"),
        ("plain.zip", "accepted", "accepted"),
        ("readme.txt", "accepted", "accepted"),
        ("tool.txt", "accepted", "rejected"),
        ("locked.zip", "rejected", "held"),
        ("sealed.7z", "held", "held"),
        ("cut.zip", "rejected", "rejected"),
        ("torn.zip", "held", "held"),
    ];
    for (config, expected) in [
        ("names.toml", files.map(|(_, by_name, _)| by_name)),
        ("kinds.toml", files.map(|(_, _, by_kind)| by_kind)),
    ] {
        let verdicts = explained(&scratch, config, &files.map(|(name, _, _)| name));
        for ((name, _, _), ((verdict, _), expected)) in files.iter().zip(verdicts.iter().zip(expected)) {
            assert_eq!(verdict, expected, "{config} {name}");
        }
    }
}

#[test]
fn suspicious_attachments_are_held_in_archives_too_and_never_rejected() {
    let scratch = archives();
    let rule = "[rules.suspicious-attachment]\nmode = 'enforce'\naction = 'hold'\nnotify = []\n";
    scratch.write("own.toml", section(rule));
    let listed = format!("{rule}on_unknown = 'hold'\nblock_names = '(?i)^readme'\nblock_kinds = ['rar']\n");
    scratch.write("listed.toml", section(&listed));
    let files = [
        // File, by itself, with lists of names and kinds.
        ("tool.exe", "held executable", "held executable"),
        ("tool.txt", "held executable", "held executable"),
        ("a.zip", "held executable", "held blocked-name,executable"),
        ("b.zip", "held executable", "held blocked-name,executable"),
        ("a.7z", "held executable", "held executable"),
        ("a.tar.gz", "held executable", "held blocked-name,executable"),
        ("hidden.zip", "held executable", "held executable"),
        ("locked.zip", "held executable", "held executable"),
        ("packed.rar", "accepted ", "held blocked-kind"),
        ("readme.txt", "accepted ", "held blocked-name"),
        ("plain.zip", "accepted ", "held blocked-name"),
        ("sealed.7z", "accepted unknown: limit", "held unknown: limit"),
        ("torn.zip", "accepted unknown: damaged", "held unknown: damaged"),
    ];
    for (config, expected) in
        [("own.toml", files.map(|(_, own, _)| own)), ("listed.toml", files.map(|(_, _, listed)| listed))]
    {
        let all = explained(&scratch, config, &files.map(|(name, _, _)| name));
        for ((name, _, _), ((verdict, evidence), expected)) in files.iter().zip(all.iter().zip(expected)) {
            let mut signs: Vec<&str> = evidence.split(',').collect();
            signs.sort_unstable();
            assert_eq!(format!("{verdict} {}", signs.join(",")), expected, "{config} {name}");
        }
    }
}
