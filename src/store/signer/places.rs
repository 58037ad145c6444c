//! Where tree heads are copied to, so that the owner of this host cannot take them back: a file, the system's log, a
//! mailbox.
//!
//! A place that fails has what it did not take offered again at the next look; no other place waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::WeakSender;
use tokio::sync::oneshot;

use crate::config::{HeadMail, Heads};
use crate::limits;
use crate::metrics::METRICS;
use crate::note::{Note, TreeHead};
use crate::notice::{Automatic, OutgoingNotice, name};
use crate::record::{OutboxKind, OutboxRow};
use crate::store::heads::{access_epoch, append};
use crate::store::queue::{Message, NoticeWrite};
use crate::templates::Occasion;

/// The facility `daemon` with the severity `notice` (RFC 3164 §4.1.1).
const PRIORITY: u8 = 3 * 8 + 5;

/// All places.
pub(in crate::store) struct Places {
    copies: Vec<Copies>,
    mailbox: Option<Mailbox>,
}

/// A place that gets each head.
struct Copies {
    to: To,
    waiting: VecDeque<Waiting>,
}

/// What waits for a place.
enum Waiting {
    /// A head.
    Head(Note),
    /// An access to a person's mail, on one line.
    Access(String),
}

enum To {
    File(PathBuf),
    Syslog(PathBuf),
}

/// A place that gets the newest head of each tree, and not more often than it wants.
struct Mailbox {
    settings: HeadMail,
    node: String,
    queue: WeakSender<Message>,
    newest: BTreeMap<String, (TreeHead, Note)>,
    last: Option<Instant>,
}

impl Places {
    /// The places that are set.
    pub(in crate::store) fn new(settings: &Heads, node: &str, queue: &WeakSender<Message>) -> Self {
        let file = settings.file.clone().map(To::File);
        let syslog = settings.syslog.clone().map(To::Syslog);
        let mailbox = settings.mail.clone().map(|settings| Mailbox {
            settings,
            node: node.to_owned(),
            queue: queue.clone(),
            newest: BTreeMap::new(),
            last: None,
        });
        let copies = file.into_iter().chain(syslog);
        Self { copies: copies.map(|to| Copies { to, waiting: VecDeque::new() }).collect(), mailbox }
    }

    /// Has a head wait for all of them.
    pub(super) fn add(&mut self, head: &TreeHead, note: &Note) {
        for copies in &mut self.copies {
            copies.wait(Waiting::Head(note.clone()));
        }
        if let Some(mailbox) = &mut self.mailbox {
            mailbox.newest.insert(head.origin.clone(), (head.clone(), note.clone()));
        }
    }

    /// Whether the system's log is one of them.
    pub(super) fn has_syslog(&self) -> bool {
        self.copies.iter().any(|copies| matches!(copies.to, To::Syslog(_)))
    }

    /// Has the system's log told of an access.
    pub(super) fn tell(&mut self, line: &str) {
        for copies in self.copies.iter_mut().filter(|copies| matches!(copies.to, To::Syslog(_))) {
            copies.wait(Waiting::Access(line.to_owned()));
        }
    }

    /// Gives each place what waits for it, as far as it takes it.
    pub(super) fn copy(&mut self) {
        self.copies.iter_mut().for_each(Copies::copy);
        self.mailbox.iter_mut().for_each(Mailbox::write);
    }
}

impl Copies {
    fn wait(&mut self, what: Waiting) {
        self.waiting.push_back(what);
        if self.waiting.len() > limits::HEADS_WAITING {
            self.waiting.pop_front();
        }
    }

    fn copy(&mut self) {
        while let Some(what) = self.waiting.front() {
            let (to, path, copied) = match (&self.to, what) {
                (To::File(path), Waiting::Head(note)) => ("file", path, append(path, note)),
                // A file of heads has nothing else.
                (To::File(path), Waiting::Access(_)) => ("file", path, Ok(())),
                (To::Syslog(path), Waiting::Head(note)) => ("syslog", path, log(path, &note.line())),
                (To::Syslog(path), Waiting::Access(line)) => ("syslog", path, log(path, line)),
            };
            if matches!(what, Waiting::Head(_)) {
                count(to, copied.is_ok());
            }
            if let Err(error) = copied {
                tracing::warn!(to, path = %path.display(), %error, "cannot copy the tree heads; will retry");
                return;
            }
            self.waiting.pop_front();
        }
    }
}

/// Tells the system's log, in the form that programs on its own host use: RFC 3164 without a host. It is not waited
/// for: one that takes nothing now gets it at the next look.
fn log(path: &Path, text: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    let time = Timestamp::now().to_zoned(TimeZone::system()).strftime("%b %e %H:%M:%S").to_string();
    let line = format!("<{PRIORITY}>{time} postvakt[{}]: {text}", std::process::id());
    socket.send_to(line.as_bytes(), path).map(drop)
}

impl Mailbox {
    /// Puts a letter into the outbox, when it is time for one and there are new records. When the log closes it is too
    /// late: the first head after the next start is sent.
    fn write(&mut self) {
        let records = |origin: &str| access_epoch(origin).is_none();
        let grown = self.newest.iter().any(|(origin, (head, _))| records(origin) && head.size > 0);
        if !grown || self.last.is_some_and(|last| last.elapsed() < self.settings.every) {
            return;
        }
        let Some(queue) = self.queue.upgrade().filter(|queue| !queue.is_closed()) else { return };
        let Some(row) = self.notice() else { return };
        let (waiter, answer) = oneshot::channel();
        let sent = queue.try_send(Message::Notice(Box::new((NoticeWrite::New(row), waiter))));
        // The writer answers everything that it took, and never waits for this thread while it works.
        let stored = match sent {
            Ok(()) => answer.blocking_recv().map_or_else(
                |error| Err(error.to_string()),
                |stored| stored.map_err(|error| error.to_string()),
            ),
            Err(error) => Err(error.to_string()),
        };
        count("mail", stored.is_ok());
        match stored {
            Ok(()) => {
                self.newest.clear();
                self.last = Some(Instant::now());
            }
            Err(error) => tracing::warn!(error, "cannot mail the tree heads; will retry"),
        }
    }

    /// The letter with what is new; `None` where nothing is.
    fn notice(&self) -> Option<OutboxRow> {
        let HeadMail { to, notices, organisation, .. } = &self.settings;
        let at = self.newest.values().map(|(head, _)| head.time).max()?;
        let date = at.to_zoned(notices.time_zone.clone());
        let fields = vec![
            ("organisation", organisation.clone()),
            ("mailbox", to.to_string()),
            ("node", self.node.clone()),
            ("date", date.strftime("%Y-%m-%d").to_string()),
            ("time", date.strftime("%H:%M").to_string()),
        ];
        let mut faults = Vec::new();
        let text = notices.texts.of(Occasion::TreeHead).render_or_shipped(&fields, &mut faults);
        for fault in faults {
            METRICS.letter_faults.inc();
            tracing::error!(fault, "cannot write a notice from its template");
        }
        let text = text?;
        let notes: Vec<String> = self.newest.values().map(|(_, note)| note.to_string()).collect();
        let sizes: Vec<String> =
            self.newest.values().map(|(head, _)| format!("{} {}", head.origin, head.size)).collect();
        let key = name::key(["tree-head"].into_iter().chain(sizes.iter().map(String::as_str)));
        let from = &notices.notices_from;
        let notice = OutgoingNotice {
            from,
            from_name: organisation,
            to,
            subject: &text.subject,
            body: &format!("{}\n{}", text.body, notes.join("\n")),
            date: &date,
            message_id: &name::message_id("notice", &key, from),
            automatic: Automatic::Generated,
        };
        let age = SignedDuration::try_from(notices.max_age).unwrap_or(SignedDuration::MAX);
        Some(OutboxRow {
            key,
            kind: OutboxKind::Notice,
            at,
            due: at,
            until: at.saturating_add(age).unwrap_or(Timestamp::MAX),
            mailbox: from.to_string(),
            recipient: to.to_string(),
            reference: name::reference("PN", &key, date.year()),
            held: false,
            message: notice.to_message(),
        })
    }
}

fn count(to: &str, copied: bool) {
    METRICS.head_copies.with_label_values(&[to, if copied { "copied" } else { "failed" }]).inc();
    if copied {
        METRICS.head_copy_time.with_label_values(&[to]).set(Timestamp::now().as_second());
    }
}
