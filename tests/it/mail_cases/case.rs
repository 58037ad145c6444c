//! A case: the mail, what comes before and after it, the config and the zone that it is judged with, what is right.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::incoming::dns::{Dns, Record};

/// The host outside that the mail of these cases comes from.
const OUTSIDE: &str = "192.0.2.10";

/// The config of every case; one may add to it.
const CONFIG: &str = r#"
[organisation]
name = "Exempelby kommun"
domains = ["exempelby.se"]
internal_networks = ["127.0.0.0/8", "::1/128", "10.0.0.0/8"]
[smtp]
submit = "127.0.0.1:9"
[authentication]
authserv_id = "mx.exempelby.se"
[rules.auto-forward]
mode = "enforce"
action = "hold"
reroute_to = "registrator@exempelby.se"
[rules.sensitive-data]
mode = "enforce"
[rules.spam]
mode = "enforce"
[rules.suspicious-attachment]
mode = "enforce"
[rules.lookalike-sender]
mode = "enforce"
[rules.suspicious-link]
mode = "enforce"
[rules.receipt]
mode = "enforce"
delay = "10 min"
[[rules.receipt.mailboxes]]
address = "registrator@exempelby.se"
"#;

/// One case of `cases.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// Its name.
    pub(super) id: String,
    /// What is right, and why.
    pub(super) why: String,
    /// The message.
    pub(super) file: String,
    /// The envelope sender; empty for the null sender.
    pub(super) from: String,
    /// The envelope recipients.
    pub(super) rcpts: Vec<String>,
    /// The client's address.
    pub(super) client: String,
    /// More TOML for the config.
    #[serde(default)]
    config: String,
    /// More names, each with its `TXT`, `A` and `MX`.
    #[serde(default)]
    dns: HashMap<String, HashMap<String, Vec<Value>>>,
    /// How it is judged; by `explain` alone where nothing is said.
    #[serde(default)]
    ways: Vec<Way>,
    /// Mails that come first.
    #[serde(default)]
    pub(super) before: Vec<Other>,
    /// Passes of the delivered mail that follow.
    #[serde(default)]
    pub(super) again: Vec<Other>,
    /// The fields that then have the values of the first pass.
    #[serde(default)]
    pub(super) same: Vec<String>,
    /// The mail comes once for each of these words, which stands in the place of `%N%`.
    #[serde(default)]
    pub(super) series: Vec<String>,
    /// What is right.
    pub(super) expect: Expect,
    #[serde(skip)]
    folder: PathBuf,
}

/// How a case is judged.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Way {
    Explain,
    Wire,
}

/// Another mail of the case: what is not said is as in the case itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Other {
    file: Option<String>,
    from: Option<String>,
    rcpts: Option<Vec<String>>,
    client: Option<String>,
}

/// What is right.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Expect {
    pub(super) direction: Option<String>,
    pub(super) verdict: Option<Words>,
    pub(super) verdict_not: Option<Words>,
    pub(super) findings_must: Vec<Finding>,
    pub(super) findings_must_not: Vec<Finding>,
    /// A value, or `{"has": …, "hasnt": …, "re": …}`.
    pub(super) facts: BTreeMap<String, Value>,
    pub(super) receipt: Option<String>,
    pub(super) receipt_reason: Option<Words>,
    pub(super) edits_must: Vec<Header>,
    pub(super) edits_must_not: Vec<Header>,
    pub(super) delivered_must: Vec<Header>,
    pub(super) delivered_must_not: Vec<Header>,
    /// How many receipts wait in the end.
    pub(super) queued: Option<Count>,
}

/// One word or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Words {
    One(String),
    Several(Vec<String>),
}

impl Words {
    pub(super) fn have(&self, word: &str) -> bool {
        match self {
            Self::One(one) => one == word,
            Self::Several(several) => several.iter().any(|one| one == word),
        }
    }
}

/// A finding by its rule, and where they are said by its grade and by what its evidence has (a regular expression).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Finding {
    pub(super) rule: Words,
    pub(super) grade: Option<Words>,
    #[serde(default)]
    pub(super) evidence: String,
}

/// A header field by its name, and by what its value has (a regular expression).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) name: String,
    #[serde(default)]
    pub(super) value: String,
    /// The edits that count; all that write a field where nothing is said.
    pub(super) op: Option<Words>,
}

/// A number between these.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Count {
    #[serde(default)]
    pub(super) at_least: usize,
    pub(super) at_most: Option<usize>,
}

impl Case {
    /// The cases of a folder.
    pub(super) fn all(folder: &Path) -> Vec<Self> {
        let path = folder.join("cases.json");
        let text = fs::read_to_string(&path).unwrap();
        let cases: Vec<Self> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        cases.into_iter().map(|case| Self { folder: folder.to_owned(), ..case }).collect()
    }

    /// How it is judged.
    pub(super) fn ways(&self) -> &[Way] {
        if self.ways.is_empty() { &[Way::Explain] } else { &self.ways }
    }

    /// A file of its folder.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// The case with another mail in it.
    pub(super) fn with(&self, other: &Other) -> Self {
        let Other { file, from, rcpts, client } = other.clone();
        Self {
            file: file.unwrap_or_else(|| self.file.clone()),
            from: from.unwrap_or_else(|| self.from.clone()),
            rcpts: rcpts.unwrap_or_else(|| self.rcpts.clone()),
            client: client.unwrap_or_else(|| self.client.clone()),
            ..self.clone()
        }
    }

    /// The case with another envelope sender.
    pub(super) fn sent_by(&self, from: String) -> Self {
        Self { from, ..self.clone() }
    }

    /// Writes the config, and gives its path; the socket beside it is `milter.sock`.
    pub(super) fn config(&self, directory: &Path, dns: &Dns) -> PathBuf {
        let home = directory.display();
        let place = format!(
            "[server]\nlisten = [\"unix:{home}/milter.sock\"]\n[store]\ndirectory = \"{home}/store\"\n\
             [dns]\nservers = [\"{}\"]\n",
            dns.address
        );
        let mut config: toml::Table = format!("{CONFIG}{place}").parse().unwrap();
        merge(&mut config, self.config.parse().unwrap());
        fs::create_dir_all(directory.join("store")).unwrap();
        let path = directory.join("postvakt.toml");
        fs::write(&path, config.to_string()).unwrap();
        path
    }
}

/// Adds a table to another: tables are joined, anything else is replaced.
fn merge(table: &mut toml::Table, more: toml::Table) {
    for (key, value) in more {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => merge(old, new),
            (_, value) => drop(table.insert(key, value)),
        }
    }
}

/// A name server with the zones of all cases: hosts outside that send for their domain, and ours, which does not send
/// from outside.
pub(super) fn name_server(cases: &[Case]) -> Dns {
    let dns = Dns::start(&[]);
    let text = |text: &str| Record::Text(text.to_owned());
    let outside = Record::Address(OUTSIDE.parse().unwrap());
    let sends = format!("v=spf1 ip4:{OUTSIDE} -all");
    for domain in
        ["example.org", "example.net", "example.com", "junk.example", "crm.example", "helpdesk.example"]
    {
        let exchange = format!("mx.{domain}");
        dns.put(&exchange, vec![outside.clone()]);
        dns.put(domain, vec![text(&sends), outside.clone(), Record::Exchange(10, exchange)]);
        dns.put(&format!("_dmarc.{domain}"), vec![text("v=DMARC1; p=reject")]);
    }
    let own = Record::Address(Ipv4Addr::new(203, 0, 113, 5));
    dns.put("exempelby.se", vec![text("v=spf1 ip4:203.0.113.5 -all"), own]);
    dns.put("_dmarc.exempelby.se", vec![text("v=DMARC1; p=reject")]);
    let mut names = HashMap::new();
    for case in cases {
        for (name, zone) in &case.dns {
            let records: Vec<Record> = zone.iter().flat_map(|(kind, values)| records(kind, values)).collect();
            let before = names.insert(name, records.clone());
            assert!(before.is_none_or(|before| before == records), "{}: {name} has another zone", case.id);
            dns.put(name, records);
        }
    }
    dns
}

fn records(kind: &str, values: &[Value]) -> Vec<Record> {
    let record = |value: &Value| match kind {
        "TXT" => Record::Text(value.as_str().unwrap().to_owned()),
        "A" => Record::Address(value.as_str().unwrap().parse().unwrap()),
        "MX" => Record::Exchange(
            u16::try_from(value[0].as_u64().unwrap()).unwrap(),
            value[1].as_str().unwrap().to_owned(),
        ),
        _ => panic!("{kind}: TXT, A or MX"),
    };
    values.iter().map(record).collect()
}
