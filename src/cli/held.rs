//! `postvakt held`: lists mail in the hold queue, and releases it, returns it or hands it over.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{bail, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::log::{self, show};
use super::{CONFIG_FILE, NO, YES, write_table};
use crate::address::Address;
use crate::config::Config;
use crate::config::records::is_purpose;
use crate::courier;
use crate::export::{local, visible};
use crate::held::acts::{self, Carried, Turn, Undone};
use crate::held::queue::{Queue, QueueError, QueueId, Waiting};
use crate::held::texts;
use crate::limits;
use crate::mail::Direction;
use crate::store::access::Reader;
use crate::store::held::{self, Act, HeldAct, HeldActs, OnHold, Stage};
use crate::store::query::Query;
use crate::store::session::{Gate, Reason, Request, Session};

/// `held`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config file. The operators' process has its own.
    #[arg(long, global = true, value_name = "F", default_value = CONFIG_FILE)]
    pub config: PathBuf,
    /// Socket of the operators' process. Default: /run/postvakt-held.sock, if this user may connect to it.
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Print JSON Lines.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List mail on hold, oldest first: why it is held, and pseudonyms for the people inside.
    List {
        /// List mail that was handed over, too.
        #[arg(long)]
        all: bool,
        /// Why the queue is looked at.
        #[arg(long, value_name = "TEXT")]
        purpose: String,
    },
    /// Show one mail: its record, findings with masked evidence, header fields, and what was done with it.
    Show {
        #[command(flatten)]
        mail: Mail,
    },
    /// Release a mail: Postfix delivers it. Its receipt, if it waited for this, is sent.
    Release {
        #[command(flatten)]
        mail: Mail,
    },
    /// Return a mail to its sender, who must be inside, with a notice that says why.
    Return {
        #[command(flatten)]
        mail: Mail,
        /// Reason, for the sender. It stands in the notice.
        #[arg(long, value_name = "TEXT")]
        text: String,
    },
    /// Hand a copy of a mail over to another mailbox inside. The mail itself stays on hold.
    HandOver {
        #[command(flatten)]
        mail: Mail,
        /// The mailbox.
        #[arg(long, value_name = "ADDRESS", value_parser = |text: &str| Address::parse(text).ok_or("not a mail address"))]
        to: Address,
    },
}

#[derive(Debug, clap::Args)]
struct Mail {
    /// Queue id, as `held list` shows it.
    #[arg(value_name = "QUEUE-ID", value_parser = |text: &str| QueueId::parse(text).ok_or("a queue id has letters and digits only"))]
    id: QueueId,
    /// Why. It stays in the access log: name no person.
    #[arg(long, value_name = "TEXT")]
    purpose: String,
}

/// Carries the command out for somebody. The exit code is 1 where nothing is on hold, or an act was not done.
pub fn run(args: &Args, config: &Config, reader: Reader) -> anyhow::Result<u8> {
    let directory = &config.store.directory;
    ensure!(
        directory.join("lock").exists(),
        "{}: no log here; `postvakt serve` creates it",
        directory.display()
    );
    let desk = &mut Desk {
        config,
        reader,
        queue: Queue::new(&config.held.queue_helper),
        json: args.json,
        out: &mut io::stdout().lock(),
    };
    match &args.verb {
        Verb::List { all, purpose } => desk.list(*all, purpose),
        Verb::Show { mail } => desk.show(mail),
        Verb::Release { mail } => desk.act(mail, "held release", Act::Release, None, ""),
        Verb::Return { mail, text } => {
            let text = text.trim();
            ensure!(
                is_purpose(text),
                "--text {text:?} says too little: say in words why the mail is returned"
            );
            desk.act(mail, "held return", Act::Return, None, text)
        }
        Verb::HandOver { mail, to } => desk.act(mail, "held hand-over", Act::HandOver, Some(to), ""),
    }
}

struct Desk<'a> {
    config: &'a Config,
    reader: Reader,
    queue: Queue,
    json: bool,
    out: &'a mut dyn Write,
}

impl Desk<'_> {
    fn read<T>(
        &mut self,
        request: &Request,
        work: impl FnOnce(&mut Session, &mut Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<(u8, Option<T>)> {
        let config = self.config;
        let gate = Gate::new(&config.store.directory, config, self.reader.clone());
        Ok(log::told(gate.read(request, |session| work(session, self))?, &config.time_zone))
    }

    fn list(&mut self, all: bool, purpose: &str) -> anyhow::Result<u8> {
        let request = Request::new("held list", Query::default(), Reason::operation(purpose));
        let request = request.with(json!({ "all": all }));
        let (code, rows) = self.read(&request, |session, desk| {
            let directory = &desk.config.store.directory;
            acts::settle(session.entries(), directory, &desk.queue)?;
            let (mails, more) = desk.queue.list()?;
            let wanted: Vec<(&str, Timestamp)> =
                mails.iter().map(|mail| (mail.id.as_str(), mail.arrived)).collect();
            let found = session.held(&wanted);
            let acts = HeldActs::read(session.entries())?;
            let now = Timestamp::now();
            let rows = mails
                .iter()
                .zip(&found)
                .filter(|(_, found)| desk.sees(found.as_ref()))
                .map(|(mail, found)| Row::of((mail, found.as_ref()), &acts, now, session));
            let (handed_over, waiting): (Vec<Row<'_>>, Vec<Row<'_>>) =
                rows.partition(|row| !all && row.handed_over);
            let rows = waiting;
            desk.print(&rows, session, now)?;
            if more {
                eprintln!("postvakt: only the oldest {} are shown", limits::QUEUE_LISTED);
            }
            Ok((rows.len(), handed_over.len()))
        })?;
        if let (Some((0, handed_over)), false) = (rows, self.json) {
            match handed_over {
                0 => eprintln!("postvakt: no mail is on hold"),
                n => eprintln!("postvakt: no mail waits; {n} on hold were handed over (--all lists them)"),
            }
        }
        Ok(code)
    }

    fn print(&mut self, rows: &[Row<'_>], session: &Session, now: Timestamp) -> anyhow::Result<()> {
        let zone = &self.config.time_zone;
        if self.json {
            for row in rows {
                writeln!(self.out, "{}", row.json(session, zone, now))?;
            }
            return Ok(());
        }
        let head = ["QUEUE-ID", "SINCE", "AGE", "RULE", "DIRECTION", "SENDER", "RECIPIENTS", "SIZE", "STATE"];
        let cells: Vec<Vec<String>> = rows.iter().map(|row| row.cells(session, zone, now)).collect();
        if !cells.is_empty() {
            write_table(self.out, false, &head, &cells)?;
        }
        Ok(())
    }

    fn show(&mut self, mail: &Mail) -> anyhow::Result<u8> {
        let (code, is_held) = self.read(&by_id("held show", mail), |session, desk| {
            acts::settle(session.entries(), &desk.config.store.directory, &desk.queue)?;
            let Some((waiting, found)) = desk.find(session, &mail.id)? else { return Ok(false) };
            let header = String::from_utf8_lossy(&desk.queue.header(&mail.id)?).into_owned();
            let zone = &desk.config.time_zone;
            let acts = HeldActs::read(session.entries())?;
            let row = Row::of((&waiting, found.as_ref()), &acts, Timestamp::now(), session);
            if desk.json {
                let mut object = match &found {
                    Some(on_hold) => show::as_json(session, &on_hold.found, zone)?,
                    None => json!({}),
                };
                if let Value::Object(fields) = &mut object {
                    fields.insert("held".to_owned(), row.json(session, zone, Timestamp::now()));
                    fields.insert("header".to_owned(), header.lines().collect());
                }
                writeln!(desk.out, "{object}")?;
                return Ok(true);
            }
            if let Some(on_hold) = &found {
                show::print_one(session, &on_hold.found, zone, desk.out)?;
            } else {
                writeln!(desk.out, "queue_id            {}", mail.id)?;
                writeln!(desk.out, "sender              {}", visible(&waiting.sender))?;
                writeln!(desk.out, "recipients          {}", visible(&waiting.recipients.join("; ")))?;
                writeln!(desk.out, "record              none: no rule of Postvakt's holds it")?;
            }
            writeln!(desk.out, "header")?;
            for line in header.lines() {
                writeln!(desk.out, "  | {}", visible(line))?;
            }
            Ok(true)
        })?;
        Ok(not_held(mail, code, is_held))
    }

    /// Does it, or proposes it where a second person is needed.
    fn act(
        &mut self,
        mail: &Mail,
        verb: &'static str,
        act: Act,
        to: Option<&Address>,
        text: &str,
    ) -> anyhow::Result<u8> {
        let purpose = mail.purpose.trim();
        for said in [purpose, text] {
            ensure!(
                said.len() <= limits::ACT_REASON_OCTETS,
                "a reason has at most {} bytes",
                limits::ACT_REASON_OCTETS
            );
        }
        self.possible(act, to)?;
        let mut request = by_id(verb, mail);
        if let Some(to) = to {
            request = request.with(json!({ "to": to.to_string() }));
        }
        let (code, done) = self.read(&request, |session, desk| {
            // Before the mail is looked at: nobody else acts on it from here on.
            let queue = desk.queue.clone();
            let turn = Turn::take(session.entries(), &desk.config.store.directory, &queue)?;
            let Some((waiting, found)) = desk.find(session, &mail.id)? else { return Ok(None) };
            let new = HeldAct {
                by: desk.reader.clone(),
                act,
                stage: Stage::Begun,
                record: found.as_ref().map_or_else(String::new, |on_hold| on_hold.found.id.to_string()),
                queue_id: mail.id.to_string(),
                to: to.map_or_else(String::new, ToString::to_string),
                purpose: purpose.to_owned(),
                text: text.to_owned(),
                access: Some(session.number()),
                follows: None,
                outcome: String::new(),
                answer: String::new(),
            };
            if desk.config.held.four_eyes {
                return desk.with_second(session, &turn, (&waiting, found.as_ref()), new).map(Some);
            }
            desk.carry_out(session, &turn, (&waiting, found.as_ref()), &new).map(Some)
        })?;
        match done {
            Some(Some(code_of_act)) => Ok(if code == YES { code_of_act } else { code }),
            Some(None) => Ok(not_held(mail, code, Some(false))),
            None => Ok(code),
        }
    }

    /// What needs no look at the mail.
    fn possible(&self, act: Act, to: Option<&Address>) -> anyhow::Result<()> {
        if act != Act::Release && (self.config.smtp.is_none() || self.config.notice_settings.is_none()) {
            bail!("{} needs [smtp]: a notice or a copy has to be sent", act.as_str());
        }
        if let Some(to) = to.filter(|to| !self.config.organisation.keeps(to)) {
            bail!("{to} is outside: held mail is handed over to mailboxes inside only");
        }
        Ok(())
    }

    /// The first person proposes, the second one has it done.
    fn with_second(
        &mut self,
        session: &mut Session,
        turn: &Turn<'_>,
        (waiting, found): (&Waiting, Option<&OnHold>),
        act: HeldAct,
    ) -> anyhow::Result<u8> {
        let acts = HeldActs::read(session.entries())?;
        if let Some(proposal) = acts.proposal(&act, Timestamp::now()) {
            if proposal.act.is_by(&act.by) {
                let (n, days) = (proposal.n, limits::PROPOSAL_DAYS);
                eprintln!(
                    "postvakt: you proposed this (entry {n} of the access log); a second person has it done with the same \
                     command within {days} days"
                );
                return Ok(NO);
            }
            let act = HeldAct { follows: Some(proposal.n), ..act };
            return self.carry_out(session, turn, (waiting, found), &act);
        }
        if act.act == Act::Return {
            // Nobody is asked to have done what is never done.
            self.returnable(waiting)?;
        }
        let proposed = HeldAct { stage: Stage::Proposed, ..act };
        let n = held::note(session.entries(), &proposed)?;
        if self.json {
            writeln!(
                self.out,
                "{}",
                json!({ "entry": n, "stage": "proposed", "act": proposed.act.as_str() })
            )?;
        } else {
            let (id, deed) = (&proposed.queue_id, proposed.deed());
            writeln!(
                self.out,
                "{id}: {deed} proposed (entry {n} of the access log); a second person gives the same command"
            )?;
        }
        Ok(YES)
    }

    fn carry_out(
        &mut self,
        session: &mut Session,
        turn: &Turn<'_>,
        (waiting, found): (&Waiting, Option<&OnHold>),
        act: &HeldAct,
    ) -> anyhow::Result<u8> {
        if act.act == Act::Return {
            self.returnable(waiting)?;
        }
        let (config, queue) = (self.config, &self.queue);
        let work = || match act.act {
            Act::Release => Ok(queue.release(&waiting.id)?.as_str().to_owned()),
            Act::Return => give_back(config, queue, waiting, found, act),
            Act::HandOver => texts::hand_over(config, queue, &waiting.id, act).map_err(Undone::Surely),
        };
        let Carried { n, result } = turn.carry_out(session.entries(), act.clone(), work)?;
        let (stage, outcome) = match &result {
            Ok(outcome) => ("done", outcome),
            Err(why) => ("failed", why),
        };
        if self.json {
            let object = json!({
                "entry": n, "queue_id": act.queue_id, "record": act.record, "act": act.act.as_str(), "stage": stage,
                "outcome": outcome,
            });
            writeln!(self.out, "{object}")?;
        } else if result.is_ok() {
            writeln!(
                self.out,
                "{}: {}: {} (entry {n} of the access log)",
                act.queue_id,
                act.deed(),
                visible(outcome)
            )?;
        } else {
            eprintln!(
                "postvakt: {}: {} not done: {} (entry {n} of the access log)",
                act.queue_id,
                act.deed(),
                visible(outcome)
            );
        }
        Ok(if result.is_ok() { YES } else { NO })
    }

    /// A sender outside never gets a mail back: it may be a citizen's, and the sender may be forged.
    fn returnable(&self, waiting: &Waiting) -> anyhow::Result<()> {
        let sender = Address::parse(&waiting.sender).filter(|sender| self.config.organisation.keeps(sender));
        if sender.is_none() {
            bail!("the sender is outside, and such mail is never returned; hand it over, or release it");
        }
        Ok(())
    }

    /// The mail on hold, with its record.
    fn find(
        &self,
        session: &mut Session,
        id: &QueueId,
    ) -> Result<Option<(Waiting, Option<OnHold>)>, QueueError> {
        let (mails, _) = self.queue.list()?;
        let Some(waiting) = mails.into_iter().find(|mail| mail.id == *id) else { return Ok(None) };
        let found = session.held(&[(id.as_str(), waiting.arrived)]).pop().flatten();
        Ok(Some((waiting, found)).filter(|(_, found)| self.sees(found.as_ref())))
    }

    /// Whether the reader may know of a mail on hold: somebody with mailboxes of their own sees theirs alone, and not what no
    /// rule holds.
    fn sees(&self, found: Option<&OnHold>) -> bool {
        self.reader.mailboxes.is_empty() || found.is_some()
    }
}

/// Says that the mail is not on hold, where it is not.
fn not_held(mail: &Mail, code: u8, is_held: Option<bool>) -> u8 {
    if is_held == Some(false) {
        eprintln!("postvakt: {} is not on hold", mail.id);
        return if code == YES { NO } else { code };
    }
    code
}

/// The mail first: nobody is told that it comes back before it does.
fn give_back(
    config: &Config,
    queue: &Queue,
    waiting: &Waiting,
    found: Option<&OnHold>,
    act: &HeldAct,
) -> Result<String, Undone> {
    let Some(smtp) = &config.smtp else { return Err(Undone::Surely("there is no [smtp]".to_owned())) };
    let notice = texts::returned(config, waiting, found.map(|on_hold| &on_hold.found), &act.text);
    let (to, notice) = notice.map_err(Undone::Surely)?;
    let left = queue.give_back(&waiting.id)?.as_str();
    Ok(match courier::hand_over(smtp, None, &to, notice.as_bytes()) {
        Ok(reply) => format!("{left}; notice: {reply}"),
        Err(why) => format!("{left}; THE NOTICE WAS NOT SENT, so tell the sender why: {why}"),
    })
}

fn by_id(verb: &'static str, mail: &Mail) -> Request {
    let query = Query { queue_id: Some(mail.id.to_string()), ..Query::default() };
    Request::new(verb, query, Reason::operation(mail.purpose.trim()))
}

/// A mail on hold, for people.
struct Row<'a> {
    mail: &'a Waiting,
    found: Option<&'a OnHold>,
    state: String,
    handed_over: bool,
}

impl<'a> Row<'a> {
    fn of(
        (mail, found): (&'a Waiting, Option<&'a OnHold>),
        acts: &HeldActs,
        now: Timestamp,
        session: &Session,
    ) -> Self {
        let record = found.map_or_else(String::new, |on_hold| on_hold.found.id.to_string());
        let done =
            acts.last(Stage::Done, mail.id.as_str(), &record).filter(|told| told.act.act == Act::HandOver);
        let proposed = acts.waiting(now).filter(|told| told.act.queue_id == mail.id.as_str()).last();
        let mut state = match done {
            Some(told) => format!("handed over to {}", session.shown_address(&told.act.to)),
            None => "waiting".to_owned(),
        };
        if let Some(told) = proposed {
            let to = match told.act.to.as_str() {
                "" => String::new(),
                to => format!(" to {}", session.shown_address(to)),
            };
            // A text in memory takes it.
            let _ = write!(state, "; {}{to} proposed by {}", told.act.act.as_str(), told.act.by_whom());
        }
        Self { mail, found, state, handed_over: done.is_some() }
    }

    fn direction(&self) -> Option<&'static str> {
        self.found?.found.record.direction.map(Direction::as_str)
    }

    fn rules(&self) -> Vec<String> {
        self.found.map_or_else(Vec::new, |on_hold| on_hold.rules.clone())
    }

    /// Without a record, nobody is named whom nobody has looked at: where people inside are hidden, so is everybody here.
    fn parties(&self, session: &Session) -> (String, Vec<String>) {
        match self.found {
            Some(OnHold { found, .. }) => (found.record.sender.clone(), found.record.recipients.clone()),
            None if session.is_veiled() => (String::new(), Vec::new()),
            None => (self.mail.sender.clone(), self.mail.recipients.clone()),
        }
    }

    fn json(&self, session: &Session, zone: &TimeZone, now: Timestamp) -> Value {
        let (sender, recipients) = self.parties(session);
        json!({
            "queue_id": self.mail.id.as_str(),
            "record": self.found.map(|on_hold| on_hold.found.id.to_string()),
            "since": local(self.mail.arrived, zone),
            "age_seconds": now.duration_since(self.mail.arrived).as_secs(),
            "rules": self.rules(),
            "direction": self.direction(),
            "sender": sender,
            "recipients": recipients,
            "subject": self.found.map(|on_hold| &on_hold.found.record.subject),
            "attachments": self.found.map(|on_hold| {
                on_hold.found.record.attachments.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()
            }),
            "size": self.mail.size,
            "state": self.state,
        })
    }

    fn cells(&self, session: &Session, zone: &TimeZone, now: Timestamp) -> Vec<String> {
        let (sender, recipients) = self.parties(session);
        let direction = self.direction().unwrap_or("-");
        let rules = self.found.map_or_else(|| "not Postvakt's".to_owned(), |_| self.rules().join("; "));
        let hours = now.duration_since(self.mail.arrived).as_hours();
        let age = if hours < 48 { format!("{hours} h") } else { format!("{} d", hours / 24) };
        vec![
            self.mail.id.to_string(),
            local(self.mail.arrived, zone),
            age,
            visible(&rules).into_owned(),
            direction.to_owned(),
            visible(&sender).into_owned(),
            visible(&recipients.join("; ")).into_owned(),
            self.mail.size.to_string(),
            visible(&self.state).into_owned(),
        ]
    }
}
