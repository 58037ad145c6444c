//! `postvakt status`: whether all is well, in numbers. It names nobody, and shows nothing of any mail.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{NO, YES, print_table};
use crate::config::Config;
use crate::held::queue::Queue;
use crate::limits;
use crate::policy::Mode;
use crate::store::session::{self, Numbers};

/// `status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config file.
    #[arg(long, value_name = "F", default_value = super::CONFIG_FILE)]
    pub config: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Looks and prints. 1 where something needs a person.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<u8> {
    let now = Timestamp::now();
    let today = now.to_zoned(config.time_zone.clone()).date();
    let directory = &config.store.directory;
    let numbers = session::numbers(directory, config, today)?;
    let held = held(config);
    let exceptions = exceptions(config, today);
    let needs = needs(config, &numbers, held.as_ref(), &exceptions);
    if args.json {
        let status = json(config, now, &numbers, held.as_ref(), &exceptions, &needs);
        writeln!(io::stdout().lock(), "{status}")?;
    } else {
        print(config, &numbers, held.as_ref(), &exceptions, &needs)?;
    }
    Ok(if needs.is_empty() { YES } else { NO })
}

/// How many mails each rule holds, and when the oldest came. Empty is the rule of what none holds.
type Held = BTreeMap<String, (u64, Timestamp)>;

/// The mail on hold; `None` where the queue helper does not answer.
fn held(config: &Config) -> Option<Held> {
    let (mails, _) = Queue::new(&config.held.queue_helper).list().ok()?;
    let wanted: Vec<(&str, Timestamp)> = mails.iter().map(|mail| (mail.id.as_str(), mail.arrived)).collect();
    let found = session::on_hold(&config.store.directory, &wanted).ok()?;
    let mut held = Held::new();
    for (mail, on_hold) in mails.iter().zip(found) {
        let rules = on_hold.map_or_else(|| vec![String::new()], |on_hold| on_hold.rules);
        for rule in rules {
            let (count, oldest) = held.entry(rule).or_insert((0, mail.arrived));
            *count += 1;
            *oldest = mail.arrived.min(*oldest);
        }
    }
    Some(held)
}

/// The exceptions that ended or end soon: rule, last day, decision, days left.
fn exceptions(config: &Config, today: Date) -> Vec<(String, Date, String, i32)> {
    let ends = config.exceptions().filter_map(|(rule, exception)| {
        let until = exception.until?;
        let left = (until - today).get_days();
        let decision = exception.decision.clone().unwrap_or_default();
        (left <= limits::STATUS_DAYS).then(|| (rule.to_owned(), until, decision, left))
    });
    ends.collect()
}

/// What needs a person, in words.
fn needs(
    config: &Config,
    numbers: &Numbers,
    held: Option<&Held>,
    exceptions: &[(String, Date, String, i32)],
) -> Vec<(&'static str, String)> {
    let mut needs = Vec::new();
    if numbers.is_served == Some(false) {
        needs.push(("server", "postvakt does not run: Postfix defers mail".to_owned()));
    }
    if let Some((since, hash)) = numbers.config.as_ref().filter(|(_, hash)| *hash != config.hash) {
        needs.push((
            "config",
            format!("the config has changed since postvakt loaded one ({hash}) at {since}"),
        ));
    }
    if held.is_none() && config.held.is_set {
        needs.push(("held", "the queue helper does not answer".to_owned()));
    }
    if let Some(count) =
        held.map(|held| held.values().map(|(count, _)| count).sum::<u64>()).filter(|n| *n > 0)
    {
        needs.push(("held", format!("{count} mails are on hold")));
    }
    if numbers.failed > 0 {
        needs.push(("outbox", format!("{} receipts and notices could not be delivered", numbers.failed)));
    }
    if numbers.unapproved > 0 {
        needs.push(("decisions", format!("{} decisions wait for a second person", numbers.unapproved)));
    }
    if let (count @ 1.., Some(oldest)) = numbers.requests {
        let text = format!("{count} requests for public records wait, the oldest since {oldest}");
        needs.push(("requests", text));
    }
    for copy in numbers.copies.iter().filter(|copy| copy.head != numbers.head) {
        needs.push(("head", format!("{}: the newest tree head was not copied there", copy.path.display())));
    }
    let (ended, ending): (Vec<_>, Vec<_>) = exceptions.iter().partition(|(.., left)| *left < 0);
    if !ended.is_empty() {
        needs.push(("exceptions", format!("{} exceptions have ended", ended.len())));
    }
    if !ending.is_empty() {
        needs.push((
            "exceptions",
            format!("{} exceptions end within {} days", ending.len(), limits::STATUS_DAYS),
        ));
    }
    needs
}

/// The modes of the rules, by id.
fn modes(config: &Config) -> impl Iterator<Item = (&str, Mode)> {
    config.rules.iter().map(|(rule, policy)| (rule.id(), policy.mode))
}

/// Octets that are free where the log is.
fn free(directory: &Path) -> Option<u64> {
    rustix::fs::statvfs(directory).ok().map(|space| space.f_bavail.saturating_mul(space.f_frsize))
}

fn json(
    config: &Config,
    now: Timestamp,
    numbers: &Numbers,
    held: Option<&Held>,
    exceptions: &[(String, Date, String, i32)],
    needs: &[(&str, String)],
) -> Value {
    let (waiting, oldest) = numbers.waiting;
    let rows = held.into_iter().flatten();
    json!({
        "checked": now.to_string(),
        "ready": numbers.is_served != Some(false),
        "needs": needs.iter().map(|(what, text)| json!({ "what": what, "text": text })).collect::<Vec<_>>(),
        "config": {
            "hash": config.hash,
            "since": numbers.config.as_ref().map(|(since, _)| since.to_string()),
            "same": numbers.config.as_ref().is_none_or(|(_, hash)| *hash == config.hash),
        },
        "records": { "count": numbers.records, "newest": numbers.newest.map(|time| time.to_string()) },
        "head": {
            "time": numbers.head.map(|(time, _)| time.to_string()),
            "size": numbers.head.map_or(0, |(_, size)| size),
            "copies": numbers.copies.iter().map(|copy| {
                json!({
                    "place": copy.path.display().to_string(), "time": copy.head.map(|(time, _)| time.to_string()),
                    "well": copy.head == numbers.head,
                })
            }).collect::<Vec<_>>(),
        },
        "disk": { "free": free(&config.store.directory) },
        "outbox": {
            "waiting": waiting, "failed": numbers.failed, "oldest": oldest.map(|time| time.to_string()),
        },
        "held": {
            "known": held.is_some() || !config.held.is_set,
            "rules": rows.map(|(rule, (count, oldest))| {
                json!({ "rule": rule, "messages": count, "oldest": oldest.to_string() })
            }).collect::<Vec<_>>(),
        },
        "rules": modes(config).map(|(id, mode)| json!({ "id": id, "mode": mode.as_str() })).collect::<Vec<_>>(),
        "exceptions": exceptions.iter().map(|(rule, until, decision, left)| {
            json!({ "rule": rule, "until": until.to_string(), "decision": decision, "days": left })
        }).collect::<Vec<_>>(),
        "decisions": { "open": numbers.decisions, "waiting": numbers.unapproved },
        "holds": numbers.holds,
        "requests": { "open": numbers.requests.0, "oldest": numbers.requests.1 },
    })
}

fn print(
    config: &Config,
    numbers: &Numbers,
    held: Option<&Held>,
    exceptions: &[(String, Date, String, i32)],
    needs: &[(&str, String)],
) -> io::Result<()> {
    let zone = &config.time_zone;
    let at = |time: Timestamp| zone.to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string();
    let optional = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), at);
    let running = match numbers.is_served {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    let newest_head =
        numbers.head.map_or_else(|| "-".to_owned(), |(time, size)| format!("{} ({size} records)", at(time)));
    let mail = match held {
        Some(held) => held.values().map(|(count, _)| count).sum::<u64>().to_string(),
        None => "unknown: the queue helper does not answer".to_owned(),
    };
    let (waiting, oldest) = numbers.waiting;
    let observed = modes(config).filter(|(_, mode)| *mode == Mode::Observe).map(|(id, _)| id);
    let mut rows = vec![
        ["running".to_owned(), running.to_owned()],
        ["newest mail".to_owned(), optional(numbers.newest)],
        ["newest tree head".to_owned(), newest_head],
        [
            "free disk space".to_owned(),
            free(&config.store.directory).map_or_else(|| "-".to_owned(), |n| format!("{} MB", n >> 20)),
        ],
        ["mail on hold".to_owned(), mail],
        ["outbox waits".to_owned(), format!("{waiting}, oldest {}", optional(oldest))],
        ["outbox failed".to_owned(), numbers.failed.to_string()],
        ["rules in observe".to_owned(), observed.collect::<Vec<_>>().join(", ")],
        ["open decisions".to_owned(), numbers.decisions.to_string()],
        ["legal holds".to_owned(), numbers.holds.to_string()],
        ["open requests".to_owned(), numbers.requests.0.to_string()],
    ];
    rows.extend(exceptions.iter().map(|(rule, until, decision, _)| {
        ["exception".to_owned(), format!("{rule} until {until} ({decision})")]
    }));
    rows.extend(needs.iter().map(|(_, text)| ["attention".to_owned(), text.clone()]));
    let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
    print_table(&["WHAT", "STATE"], &rows)
}
