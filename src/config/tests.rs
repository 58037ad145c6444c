//! What is said about config files that are odd as bytes, and what a valid one means. Files with wrong settings are
//! in `tests/configs`.

use super::*;
use crate::address::Address;
use crate::limits;
use crate::policy::{
    Actions, ContentAction, ContentPolicy, ForwardAction, ForwardPolicy, OnLikely, OnUnknown, Response,
};
use crate::settings::problem::Fault;

const VALID: &str = "\
[organisation]
name = \"Exempelby kommun\"
domains = [\"exempelby.se\"]

[server]
listen = [\"unix:/run/postvakt/milter.sock\"]

[store]
directory = \"/var/lib/postvakt\"
";

fn parse(bytes: &[u8]) -> Result<Config, Problems> {
    let now = "2026-06-01T10:00:00Z".parse().unwrap();
    Config::parse(bytes, &ParseContext { file: "F", host: "gw1.exempelby.se", now, files: &NoFiles })
}

fn said(bytes: &[u8]) -> String {
    parse(bytes).unwrap_err().to_string()
}

#[test]
fn a_small_config_is_enough() {
    let config = parse(VALID.as_bytes()).unwrap();
    assert_eq!(config.server.node, "gw1");
    assert_eq!(config.time_zone.iana_name(), Some("Europe/Stockholm"));
    assert!(config.organisation.contains_host("127.0.0.1".parse().unwrap()));
    assert!(config.warnings.is_empty() && config.rules.is_empty() && config.smtp.is_none());
}

#[test]
fn domains_of_exchange_are_inside_and_are_no_ones_but_the_tenants() {
    let with = |key: &str| parse(VALID.replace("[server]", &format!("{key}\n[server]")).as_bytes());
    let tenant =
        "routing_domains = [\"exempelbykommun.onmicrosoft.com\", \"*.exempelbykommun.onmicrosoft.com\"]";
    let organisation = with(tenant).unwrap().organisation;
    assert!(organisation.owns(&Address::parse("anna@exempelbykommun.onmicrosoft.com").unwrap()));
    assert!(!organisation.owns(&Address::parse("anna@annan.onmicrosoft.com").unwrap()));
    let problem = with("routing_domains = [\"*.onmicrosoft.com\"]").unwrap_err().to_string();
    assert!(
        problem.contains("organisation.routing_domains: *.onmicrosoft.com matches every tenant"),
        "{problem}"
    );
    let problem = with("routing_domains = [\"anna@exempelby.se\"]").unwrap_err().to_string();
    assert!(problem.contains("is not a domain"), "{problem}");
}

#[test]
fn a_filter_that_stands_inside_is_warned_of() {
    let with = |clients: &str| {
        let inside = "internal_networks = [\"10.0.0.0/8\", \"192.0.2.8/32\"]\n[server]";
        let more = format!("[scanners.upstream]\nclients = {clients}\n[rules.spam]\nmode = \"observe\"\n");
        let config = parse(format!("{}{more}", VALID.replace("[server]", inside)).as_bytes()).unwrap();
        config.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(with("[\"198.51.100.25/32\"]"), "");
    for overlap in ["[\"10.0.0.8/32\"]", "[\"192.0.2.0/24\"]", "[\"198.51.100.25/32\", \"10.0.0.8/32\"]"] {
        let said = with(overlap);
        assert!(said.contains("scanners.upstream.clients: ") && said.contains("internal_networks"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let route = VALID.to_owned()
        + "[rules.auto-forward]\nmode = \"enforce\"\naction = \"reroute\"\nreroute_to = \"a%gmail.com@exempelby.se\"\n";
    assert!(said(route.as_bytes()).contains("is outside: rerouted mail must stay inside"));
}

#[test]
fn the_hash_is_that_of_the_bytes() {
    // printf 'x' | sha256sum
    assert_eq!(raw::hash(b"x", b""), "2d711642b726b044");
    assert_ne!(parse(VALID.as_bytes()).unwrap().hash, parse(format!("{VALID}\n").as_bytes()).unwrap().hash);
}

#[test]
fn what_keeps_no_mail_from_anybody_acts_when_it_is_written_down() {
    let with = |section: &str| parse(format!("{VALID}{section}").as_bytes());
    let spam = with("[authentication]\n[rules.spam]\nsubject_tag = \"[…SPAM?...]\"\n").unwrap();
    assert_eq!(spam.rules.iter().map(|(_, policy)| policy.mode).collect::<Vec<_>>(), [Mode::Enforce]);
    assert!(with("[rules.spam]\nmode = \"off\"\n").unwrap().rules.is_empty());
    // What is off asks for nothing, here mailboxes and [smtp].
    assert!(with("[rules.receipt]\nmode = \"off\"\n").unwrap().rules.is_empty());
    let problem = with("[rules.virus]\naction = \"hold\"\n").unwrap_err().to_string();
    assert!(problem.contains("rules.virus.mode: is missing"), "{problem}");
}

#[test]
fn rules_have_policies_and_places() {
    let text = format!(
        "{VALID}
[rules.custom.off]
when = {{ subject = 'a' }}
mode = \"off\"
[rules.custom.big]
when = {{ size_above = \"10 MB\" }}
mode = \"observe\"
action = \"reject\"
[rules.auto-forward]
mode = \"enforce\"
action = \"reroute\"
reroute_to = \"registrator@exempelby.se\"
on_unknown = \"tempfail\"
exceptions = [{{ mailbox = \"anna@exempelby.se\", to = \"@leverantor.se\", decision = \"KS 1\", until = 2026-05-31 }}]
"
    );
    let config = parse(text.as_bytes()).unwrap();
    let ids: Vec<&str> = config.rules.iter().map(|(rule, _)| rule.id()).collect();
    assert_eq!(ids, ["auto-forward", "custom.big"], "custom rules come last: they may ask what others found");
    let [(_, forward), (_, big)] = &config.rules[..] else { panic!() };
    assert_eq!(big.actions, Actions::Content(ContentPolicy::only(ContentAction::Reject)));
    assert_eq!((big.mode, big.place.to_string()), (Mode::Observe, "F:14".to_owned()));
    assert_eq!((forward.on_unknown, forward.place.line), (OnUnknown::Tempfail, 18));
    let Actions::Forward(policy) = &forward.actions else { panic!() };
    assert!(policy.others.action == ForwardAction::Reroute && policy.reroute_to.is_some());
    let [(rule, exception)] = config.exceptions().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!((rule, exception.place.line), ("auto-forward", 23));
    assert_eq!(exception.until.map(|until| until.to_string()).as_deref(), Some("2026-05-31"));
    // The exception has ended, and without [smtp] nobody is told of forwards.
    assert_eq!(config.warnings.len(), 2);
    assert!(config.enforces() && config.needs.body);
}

/// The policy of `[rules.auto-forward]` with these keys more.
fn forward(keys: &str, files: &dyn Files) -> Result<ForwardPolicy, Problems> {
    let text = format!("{VALID}[rules.auto-forward]\nmode = \"enforce\"\n{keys}");
    let around = ParseContext { file: "F", host: "gw1", now: Timestamp::UNIX_EPOCH, files };
    let config = Config::parse(text.as_bytes(), &around)?;
    let Actions::Forward(policy) = &config.rules[0].1.actions else { panic!() };
    Ok(policy.clone())
}

#[test]
fn private_mail_has_a_list_and_a_policy() {
    let response = |policy: &ForwardPolicy, target| policy.response(&Address::parse(target).unwrap());
    let plain = forward("action = \"remove-recipient\"", &NoFiles).unwrap();
    assert_eq!(response(&plain, "x@gmail.com"), response(&plain, "x@example.org"));
    assert!(plain.private_domains.len() > 150, "the list that comes with the program is whole");
    let keys = "strong = \"mark\"\nprivate = { action = \"reject\" }";
    let policy = forward(keys, &NoFiles).unwrap();
    let private = Response { action: ForwardAction::Reject, strong: OnLikely::Mark };
    assert_eq!(response(&policy, "x@GMail.com"), private);
    assert_eq!(response(&policy, "x@example.org").action, ForwardAction::Hold);
}

/// One file.
#[derive(Debug)]
struct One(&'static str, &'static [u8]);

impl Files for One {
    fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, Fault> {
        if name == self.0 { Ok(self.1.to_vec()) } else { NoFiles.read(name, most) }
    }
}

#[test]
fn a_file_is_read_checked_and_part_of_the_hash() {
    let keys = "private_domains = \"own.txt\"\nprivate = { strong = \"stop\" }";
    let policy =
        forward(keys, &One("own.txt", b"\xEF\xBB\xBF# own\nexample.org # this one\n\n*.example.com\n"));
    let policy = policy.unwrap();
    let strong = |target| policy.response(&Address::parse(target).unwrap()).strong;
    assert_eq!((strong("x@example.org"), strong("x@a.example.com")), (OnLikely::Stop, OnLikely::Stop));
    assert_eq!((strong("x@gmail.com"), strong("x@example.com")), (OnLikely::Record, OnLikely::Record));
    let said = |files: &dyn Files| forward(keys, files).unwrap_err().to_string();
    let at = "F:12:19: rules.auto-forward.private_domains: ";
    assert!(said(&NoFiles).starts_with(&format!("{at}own.txt: no such file; ")), "{}", said(&NoFiles));
    let wrong = said(&One("own.txt", b"example.org\nx@example.org\n"));
    assert!(wrong.starts_with(&format!("{at}own.txt:2: not a domain; ")), "{wrong}");
    assert!(said(&One("own.txt", b"\xFF")).starts_with(&format!("{at}own.txt is not UTF-8; ")));
    let hash = |bytes| {
        let text = format!("{VALID}[rules.auto-forward]\nmode = \"off\"\n{keys}");
        let files = One("own.txt", bytes);
        let around = ParseContext { file: "F", host: "gw1", now: Timestamp::UNIX_EPOCH, files: &files };
        Config::parse(text.as_bytes(), &around).unwrap().hash
    };
    assert_ne!(hash(b"example.org"), hash(b"example.com"));
}

#[test]
fn the_day_is_that_of_the_organisation() {
    let rule = "[rules.auto-forward]\nmode = \"observe\"\nexceptions = [{ mailbox = \"a@exempelby.se\", to = \"b@x.se\", decision = \"1\", until = 2026-05-31 }]";
    let warning = |now: &str| {
        let around = ParseContext { file: "F", host: "", now: now.parse().unwrap(), files: &NoFiles };
        Config::parse(format!("{VALID}{rule}").as_bytes(), &around).unwrap().warnings[0].problem.clone()
    };
    // 22:00 UTC is midnight in Stockholm, in summer.
    assert!(warning("2026-05-31T21:59:59Z").contains("ends on 2026-05-31"));
    assert!(warning("2026-05-31T22:00:00Z").contains("ended on 2026-05-31"));
}

#[test]
fn a_node_has_a_name_wherever_it_runs() {
    let node = |host| {
        let around = ParseContext { file: "F", host, now: Timestamp::UNIX_EPOCH, files: &NoFiles };
        Config::parse(VALID.as_bytes(), &around).unwrap().server.node
    };
    assert_eq!([node("gw2"), node("a_b.exempelby.se"), node("")], ["gw2", "node", "node"]);
}

#[test]
fn byte_order_mark_and_crlf_are_no_problem() {
    let windows = format!("\u{feff}{}", VALID.replace('\n', "\r\n"));
    assert_eq!(parse(windows.as_bytes()).unwrap().organisation.name, "Exempelby kommun");
    let wrong = windows.replace("name =", "nåme =");
    assert_eq!(
        said(wrong.as_bytes()),
        "F:1:1: organisation.name: is missing; write name = \"Exempelby kommun\"\n\
         F:2:2: not TOML: invalid unquoted key; expected letters, numbers, `-`, `_`"
    );
    let wrong = windows.replace("listen = [", "listen = [\"åäö\", 3, ");
    assert_eq!(
        said(wrong.as_bytes()),
        "F:6:11: server.listen: \"åäö\" begins with neither unix: nor inet:; write unix:/absolute/path or inet:IP:port\n\
         F:6:18: server.listen: is a number, not text; write it in quotes"
    );
}

#[test]
fn bytes_that_are_not_text() {
    let latin1 = [b"# Exempelby\nname = \"\xC3\xA5\xE4\"\n", VALID.as_bytes()].concat();
    assert_eq!(
        said(&latin1),
        "F:2:10: byte 0xE4 is not UTF-8; save the file in UTF-8, not in Latin-1 or UTF-16"
    );
    let utf16: Vec<u8> = "\u{feff}[a]".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(said(&utf16).starts_with("F:1:1: byte 0xFF is not UTF-8"));
    assert!(said(format!("{VALID}\0").as_bytes()).contains("F:10:1: not TOML"));
    let hidden = VALID.replace("Exempelby kommun", "a\\u0000b");
    assert_eq!(
        said(hidden.as_bytes()),
        "F:2:8: organisation.name: \"a\u{fffd}b\" contains a control character; write one line of plain text"
    );
}

#[test]
fn an_empty_file_lacks_everything() {
    let lines = said(b"");
    assert_eq!(lines.lines().count(), 3);
    assert_eq!(
        lines.lines().next().unwrap(),
        "F:1:1: organisation: is missing; write [organisation] with name and domains"
    );
}

#[test]
fn depth_and_size_have_limits() {
    let deep = format!("{VALID}[x]\ny = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(said(deep.as_bytes()).contains("not TOML: nested too deeply"));
    let junk = "x = = 1\n".repeat(20_000);
    let Problems(all) = parse(junk.as_bytes()).unwrap_err();
    assert_eq!(all.len(), limits::CONFIG_PROBLEMS + 1);
    assert!(all[limits::CONFIG_PROBLEMS].problem.ends_with("more problems"));
    let large = format!("{VALID}# {}\n", "å".repeat(1_000_000));
    assert!(parse(large.as_bytes()).is_ok());
    let many =
        VALID.replace("domains = [", &format!("domains = [{}", "\"x.se\", ".repeat(limits::CONFIG_LIST)));
    assert!(
        said(many.as_bytes())
            .contains("organisation.domains: has 1001 values, more than the maximum of 1000")
    );
    let rule = |n| format!("[rules.custom.r{n}]\nmode = 'off'\nwhen = {{ subject = 'x' }}\n");
    let rules: String = (0..=limits::CUSTOM_RULES).map(rule).collect();
    assert!(
        said(format!("{VALID}{rules}").as_bytes())
            .contains("rules.custom: has 201 rules, more than the maximum of 200")
    );
    let one_line = format!("x = [{}]", "3, ".repeat(600_000));
    assert!(said(one_line.as_bytes()).contains("F:1:1: x: unknown key"));
}

#[test]
fn a_group_has_as_many_entries_as_the_limit_says_and_no_more() {
    let group = |count: usize| {
        let line = |n| format!("fornamn.efternamn{n}@utbildning.exempelby.se\n");
        let lines = (0..count).map(line).collect::<Vec<_>>().concat();
        let text = format!("{VALID}[groups.all]\nfile = \"all.txt\"\n[rules.spam]\nmode = \"off\"\n");
        let files = One("all.txt", lines.into_bytes().leak());
        let around = ParseContext { file: "F", host: "gw1", now: Timestamp::UNIX_EPOCH, files: &files };
        Config::parse(text.as_bytes(), &around).map(|config| config.warnings.len())
    };
    assert_eq!(group(limits::GROUP_ENTRIES).unwrap(), 1, "the group is not used, and nothing else is wrong");
    let said = group(limits::GROUP_ENTRIES + 1).unwrap_err().to_string();
    assert!(
        said.contains("groups.all.file: all.txt has 100001 entries, more than the maximum of 100000"),
        "{said}"
    );
}

#[test]
fn every_wrong_line_of_a_group_is_told_with_its_number() {
    let text = format!("{VALID}[groups.hr]\nfile = \"hr.txt\"\n");
    let files =
        One("hr.txt", b"anna@exempelby.se # fine\n\nanna\n@*.exempelby.se\n*@exempelby.se\ngroup:it\n");
    let around = ParseContext { file: "F", host: "gw1", now: Timestamp::UNIX_EPOCH, files: &files };
    let said = Config::parse(text.as_bytes(), &around).unwrap_err().to_string();
    for line in
        ["hr.txt:3: \"anna\" is not", "hr.txt:5: \"*@exempelby.se\" has", "hr.txt:6: \"group:it\" is not"]
    {
        assert!(said.contains(&format!("F:11:8: groups.hr.file: {line}")), "{said}");
    }
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[test]
fn what_is_about_the_log_names_groups_too() {
    let text = VALID.replace(
        "domains = [\"exempelby.se\"]",
        "domains = [\"exempelby.se\"]\nalias_domains = [\"exempelbykommun.se\"]",
    );
    let more = "[groups.board]\nmembers = [\"anna@exempelby.se\", \"@socialen.se\"]\n[[store.retention]]\n\
         authority = \"SN\"\nmailboxes = [\"group:board\"]\nkeep = \"1 y\"\ndecision = \"SN 1\"\n";
    let config = parse(format!("{text}{more}").as_bytes()).unwrap();
    let [period] = &*config.store.retention else { panic!() };
    let covers = |address: &str| period.mailboxes[0].covers(Some(&Address::parse(address).unwrap()));
    assert!(covers("anna@exempelbykommun.se") && covers("Anna+x@exempelby.se") && covers("x@socialen.se"));
    assert!(!covers("bo@exempelby.se") && !period.mailboxes[0].covers(None));
    assert_eq!(period.mailboxes[0].to_string(), "group:board");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}
