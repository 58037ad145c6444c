//! `docs/cookbook.md`, run: each config is valid, and each mail is explained as the page says.
//!
//! A task is a section. Its config is a block `toml`, each mail a block `eml`, and the lines that `explain` must print, in any
//! order, the block `text` behind the mail. A line is enough in part. The block `toml base` goes before every config, and a
//! block `toml top` before that. A block `toml conf.d/NAME.toml` is that file beside the config. Where a config names rspamd,
//! there is a real one. A block `sh` is a command that hands over what a real server logs of the section's mails, and the
//! block `json` behind it what the event of the last one must have.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::incoming::daemons::{Daemon, gtube};
use crate::incoming::dns::Dns;
use crate::lab::Lab;
use crate::lab::program::PROGRAM;

/// Where the page has rspamd, and what a follower writes.
const RSPAMD: &str = "127.0.0.1:11333";
const EVENTS: &str = "/var/log/postvakt/mail.jsonl";

/// What the page's word `LARGE` stands for in a mail.
const LARGE: usize = 4_096;

/// Domains that vouch for what the page's mails say they are, and one that vouches for nothing.
const ZONE: [(&str, &str); 6] = [
    ("example.org", "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 ip4:203.0.113.0/24 -all"),
    ("_dmarc.example.org", "v=DMARC1; p=reject"),
    ("leverantor.example", "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 ip4:203.0.113.0/24 -all"),
    ("_dmarc.leverantor.example", "v=DMARC1; p=none"),
    ("forfalskad.example", "v=spf1 -all"),
    ("_dmarc.forfalskad.example", "v=DMARC1; p=none"),
];

/// One block of the page: what stands behind the fence, and what is in it.
struct Block<'p> {
    kind: &'p str,
    text: &'p str,
}

/// The blocks of a section, in their order.
fn blocks(section: &str) -> Vec<Block<'_>> {
    let fenced = section.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).map(|(kind, text)| Block { kind, text }).collect()
}

#[test]
fn the_page_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cookbook.md");
    let page = fs::read_to_string(&path).unwrap();
    let mut sections = page.split("\n## ");
    let base = blocks(sections.next().unwrap()).into_iter().find(|block| block.kind == "toml base").unwrap();
    let dns = Dns::start(&ZONE);
    let (mut tasks, mut wrong) = (0, String::new());
    for section in sections {
        let (task, _) = section.split_once('\n').unwrap();
        let blocks = blocks(section);
        let of_kind = |kind: &str| blocks.iter().find(|block| block.kind == kind).map(|block| block.text);
        let (top, rest) = (of_kind("toml top").unwrap_or_default(), of_kind("toml").unwrap());
        let rspamd = rest.contains(RSPAMD).then(Daemon::rspamd);
        let rest = rspamd.iter().fold(rest.to_owned(), |rest, rspamd| {
            rest.replace(RSPAMD, &format!("127.0.0.1:{}", rspamd.port))
        });
        let config = format!("{top}\n{}\n\n{rest}\n", base.text);
        let said = run(&config, &blocks, &dns) + &follow(&rest, &blocks);
        if !said.is_empty() {
            writeln!(wrong, "## {task}\n{said}").unwrap();
        }
        tasks += 1;
    }
    assert!(tasks >= 13 && wrong.is_empty(), "{}, {tasks} tasks:\n{wrong}", path.display());
}

/// What is not as the page says.
fn run(config: &str, blocks: &[Block<'_>], dns: &Dns) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("postvakt.toml");
    fs::write(&file, config.replace("127.0.0.1:53", &dns.address.clone())).unwrap();
    for block in blocks {
        if let Some(name) = block.kind.strip_prefix("toml conf.d/") {
            fs::create_dir_all(directory.path().join("conf.d")).unwrap();
            fs::write(directory.path().join("conf.d").join(name), block.text).unwrap();
        }
    }
    let mut wrong = String::new();
    let postvakt = |command: &str, mail: Option<&Path>| {
        let output =
            Command::new(PROGRAM).arg(command).arg("--config").arg(&file).args(mail).output().unwrap();
        let said = [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap()).concat();
        (output.status.success(), said)
    };
    let (valid, said) = postvakt("check", None);
    if !valid || said != format!("{}: valid\n", file.display()) {
        writeln!(wrong, "check: {said}").unwrap();
    }
    let mails = blocks.iter().enumerate().filter(|(_, block)| block.kind == "eml");
    let mut shown = 0;
    for (at, block) in mails {
        let mail = directory.path().join(format!("{at}.eml"));
        let text = block.text.replace("\nLARGE", &format!("\n{}", "1;2\n".repeat(LARGE / 4)));
        // An old date alone is a sign of spam for rspamd.
        let now = jiff::fmt::rfc2822::to_string(&jiff::Zoned::now().with_time_zone(TimeZone::UTC)).unwrap();
        let text = text.replace("\nDate: TODAY", &format!("\nDate: {now}"));
        let text = text.replace("\nGTUBE", &format!("\n{}\n", gtube()));
        fs::write(&mail, text.replace('\n', "\r\n")).unwrap();
        let (_, said) = postvakt("explain", Some(&mail));
        let expected = blocks.get(at + 1).filter(|block| block.kind == "text");
        let missing: Vec<&str> = expected.map_or(vec!["a block of text behind the mail"], |block| {
            block.text.lines().filter(|line| !said.contains(line.trim())).collect()
        });
        if !missing.is_empty() {
            writeln!(wrong, "missing: {missing:?}\n{}\n{said}", block.text).unwrap();
        }
        shown += 1;
    }
    assert!(shown > 0, "no mail shows what this does:\n{config}");
    wrong
}

/// What the events of the section's mails have otherwise than the page says.
fn follow(config: &str, blocks: &[Block<'_>]) -> String {
    let of = |kind: &str| blocks.iter().find(|block| block.kind == kind);
    let Some(command) = of("sh") else { return String::new() };
    let lab = Lab::start(config);
    for block in blocks.iter().filter(|block| block.kind == "eml") {
        let field = |name: &str| block.text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let reply = lab.inside().send(field("From: "), &[field("To: ")], block.text);
        assert!(reply.starts_with("250"), "{reply}");
    }
    let events = lab.postvakt.config.with_file_name("mail.jsonl");
    let command = command.text.replace(EVENTS, events.to_str().unwrap());
    let config = lab.postvakt.config.display();
    let command = command.replacen("postvakt", PROGRAM, 1) + &format!(" --config {config} --once");
    let output = Command::new("sh").arg("-c").arg(&command).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&events).unwrap();
    let event: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let expected: Value = serde_json::from_str(of("json").unwrap().text).unwrap();
    if has(&event, &expected) { String::new() } else { format!("{event:#}") }
}

/// Whether all of `expected` is in the value.
fn has(value: &Value, expected: &Value) -> bool {
    match expected {
        Value::Object(fields) => fields.iter().all(|(name, expected)| has(&value[name], expected)),
        other => value == other,
    }
}
