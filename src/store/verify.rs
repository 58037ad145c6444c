//! Verify: whether the log still is what its signed heads say, from copied files and the public key alone.
//!
//! Contract: nothing is written, and nothing in the files is believed. Each leaf is computed anew from the values, the
//! tree from the leaves, and its root is compared with every head. What is wrong is named by file and record, as
//! exactly as it can be told.

mod accesses;
mod leaves;
mod order;
mod runs;
mod sources;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;
use serde::Serialize;

use self::leaves::Leaf;
use self::order::Order;
use self::runs::Runs;
use self::sources::Sources;
use super::index::compare::Compared;
use super::month::Month;
use super::schema::About;
use super::{heads, index, schema, tree};
use crate::limits;
use crate::merkle::Tree;
use crate::note::{TreeHead, Verifier};
use crate::record::RecordId;
use crate::text::hex;

/// What verifying comes to; the worst of its faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything is as it was signed. Of a fault: it is told of, and may well be right.
    Whole,
    /// Something that should be there is not, and it may have been taken away for a reason.
    Incomplete,
    /// Something is not what it was.
    Tampered,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// How bad it is.
    pub verdict: Verdict,
    /// The file.
    pub file: String,
    /// The first record, or entry of the access log, that is concerned.
    pub record: Option<String>,
    /// What is wrong, in a sentence.
    pub what: String,
}

/// What was found out about one tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The tree.
    pub origin: String,
    /// Records, or entries, that are there and were looked at.
    pub records: u64,
    /// Records that retention took away, by the decision.
    pub pruned: BTreeMap<String, u64>,
    /// Heads whose root was computed anew.
    pub heads: u64,
    /// The newest of these.
    pub newest: Option<Signed>,
    /// Records after that head; the next one covers them.
    pub newer: u64,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// A head, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signed {
    /// How many records it covers.
    pub size: u64,
    /// The root.
    pub root: String,
    /// When it was signed.
    pub time: Timestamp,
}

/// What was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Each tree.
    pub trees: Vec<Verified>,
    /// What is wrong beside them.
    pub faults: Vec<Fault>,
}

impl Report {
    /// The worst of it.
    pub fn verdict(&self) -> Verdict {
        let all = self.trees.iter().flat_map(|tree| &tree.faults).chain(&self.faults);
        all.map(|fault| fault.verdict).max().unwrap_or(Verdict::Whole)
    }
}

/// Verifies what is in these directories and files, with heads from further files. Without a key, that beside the log
/// is taken, which proves nothing against whoever could replace it.
pub fn verify(paths: &[PathBuf], further_heads: &[PathBuf], key: Option<&Verifier>) -> Report {
    let mut report = Report::default();
    let sources = Sources::collect(paths, further_heads, &mut report.faults);
    let key = key.cloned().or_else(|| sources.key());
    let signed = key.as_ref().map(|key| sources.heads(key, &mut report.faults)).unwrap_or_default();
    if key.is_none() {
        let what = "no public key (--key), so no head can be verified";
        report.faults.push(Fault::missing(&sources.name(), what));
    }
    // What cannot be read is told of where the access log itself is verified; it confirms nothing here.
    let runs = sources.access().and_then(|path| runs::read(path, &signed).ok());
    let steps = runs.as_ref().map(|runs| runs.steps.as_slice()).unwrap_or_default();
    let mut epochs: BTreeMap<(String, u32), Vec<(PathBuf, About)>> = BTreeMap::new();
    for path in sources.months() {
        match schema::inspect(path, false) {
            Ok(Some(about)) => {
                epochs.entry((about.node.clone(), about.epoch)).or_default().push((path.clone(), about));
            }
            Ok(None) => report.faults.push(Fault::missing(path, "the file is empty")),
            Err(error) => report.faults.push(Fault::tampered(path, None, &error.to_string())),
        }
    }
    let last: Vec<(String, u32)> = epochs.keys().cloned().collect();
    for (epoch, files) in &epochs {
        let after = (Bound::Excluded(epoch.clone()), Bound::Unbounded);
        let left = epochs.range(after).any(|((node, _), _)| *node == epoch.0);
        let heads = signed.get(&heads::origin(&epoch.0, epoch.1));
        let mut walk = Walk::new(heads::origin(&epoch.0, epoch.1), heads, steps);
        walk.order.slack = limits::RECORD_ORDER;
        (walk.left, walk.partial) = (left, !sources.whole);
        for (path, about) in files {
            walk.file(path, about, runs.as_ref());
        }
        let here = walk.expected - 1;
        walk.end(files.last().map(|(path, _)| path.as_path()), here);
        report.trees.push(walk.found);
    }
    for (origin, heads) in &signed {
        if heads::access_epoch(origin).is_some() {
            if !sources.whole || sources.access().is_some() {
                continue;
            }
            let what = format!("there are heads of {origin}, but no access log here");
            report.faults.push(Fault::missing(&sources.name(), &what));
            continue;
        }
        let node_and_epoch = origin.strip_prefix("postvakt/").and_then(|rest| rest.rsplit_once('/'));
        let Some((node, Ok(epoch))) = node_and_epoch.map(|(node, epoch)| (node, epoch.parse::<u32>())) else {
            continue;
        };
        let size = heads.keys().last().copied().unwrap_or_default();
        if size > 0 && !last.contains(&(node.to_owned(), epoch)) {
            let what =
                format!("there are heads of {origin} for {size} records, but none of its files is here");
            report.faults.push(Fault::missing(&sources.name(), &what));
        }
    }
    if let Some(path) = sources.access() {
        report.trees.extend(accesses::verify(path, &signed, runs.as_ref()));
    }
    if report.trees.is_empty() && report.faults.is_empty() {
        report.faults.push(Fault::missing(&sources.name(), "there is no log here"));
    }
    report
}

/// The heads of each tree, by their size.
type SignedHeads = BTreeMap<String, BTreeMap<u64, TreeHead>>;

/// The walk through one tree.
struct Walk<'a> {
    found: Verified,
    heads: Option<&'a BTreeMap<u64, TreeHead>>,
    /// The log went on in a later epoch.
    left: bool,
    /// Not all of the log was given.
    partial: bool,
    /// How far the numbers are ahead of the places in the tree.
    shift: u64,
    order: Order<'a>,
    heads_order: Order<'a>,
    /// What the leaves so far make; none before the first file, and where records are missing.
    tree: Option<Tree>,
    expected: u64,
    /// A head did not agree: those after it cannot either.
    differs: bool,
    agreed: u64,
}

impl<'a> Walk<'a> {
    fn new(
        origin: String,
        heads: Option<&'a BTreeMap<u64, TreeHead>>,
        steps: &'a [super::access::ClockStep],
    ) -> Self {
        Self {
            found: Verified { origin, ..Verified::default() },
            heads,
            left: false,
            partial: false,
            shift: 0,
            order: Order::new(steps),
            heads_order: Order::new(steps),
            tree: None,
            expected: 1,
            differs: false,
            agreed: 0,
        }
    }

    /// One month file.
    fn file(&mut self, path: &Path, about: &About, runs: Option<&Runs>) {
        let read = || -> rusqlite::Result<_> {
            let connection = schema::open_to_read(path)?;
            if schema::version(&connection)? < schema::TREE_VERSION {
                return Ok(None);
            }
            // At one moment: the daemon may be writing.
            let moment = connection.unchecked_transaction()?;
            let (start, now) = (tree::read(&moment, tree::START)?, tree::read(&moment, tree::NOW)?);
            let last = leaves::last(&moment)?.max(now.size());
            drop(moment);
            Ok(Some((connection, start, now, last)))
        };
        let (connection, start, now, last) = match read() {
            Ok(Some(found)) => found,
            Ok(None) => {
                let what = "it was written by an older version, without a tree, and cannot be verified";
                self.found.faults.push(Fault::missing(path, what));
                return;
            }
            Err(error) => {
                self.found.faults.push(Fault::tampered(path, None, &error.to_string()));
                return;
            }
        };
        self.begin(path, about, start);
        let named = |seq| name(about, seq);
        leaves::walk(path, self.expected, last, |leaf| self.leaf(path, &named, leaf));
        if now.size() >= self.expected && self.tree.is_some() {
            let what = format!("the records from here to {} are missing", name(about, now.size()));
            self.found.faults.push(Fault::tampered(path, Some(name(about, self.expected)), &what));
            self.tree = None;
        } else if self.tree.as_ref().is_some_and(|tree| *tree != now) && !self.differs {
            let what = "the tree in the file is not that of its records: the file was changed";
            self.found.faults.push(Fault::tampered(path, Some(name(about, self.agreed + 1)), what));
            self.differs = true;
        }
        self.expected = self.expected.max(now.size() + 1);
        self.pruned(path, about, &connection, runs);
        self.index(path, about);
    }

    /// Whether the index file, by which searches find their records, hides none.
    fn index(&mut self, path: &Path, about: &About) {
        let file = path.with_extension(index::EXTENSION);
        let fault = match index::compare::compare(path) {
            Ok(Compared::Absent | Compared::Same) => return,
            Ok(Compared::Unused(unused)) => Fault::missing(
                &file,
                &format!(
                    "{unused}. No record is concerned: searches read each one. The daemon makes the file anew when it \
                     starts"
                ),
            ),
            Ok(Compared::Differs(first, last)) => {
                let what = format!(
                    "the index file does not say of the records from here to {} what they hold: it was changed by \
                     other hands, and searches may have left out records. Search with --scan, and remove the file",
                    name(about, last.unsigned_abs())
                );
                Fault::tampered(&file, Some(name(about, first.unsigned_abs())), &what)
            }
            Err(error) => Fault::missing(&file, &format!("the index file cannot be compared: {error}")),
        };
        self.found.faults.push(fault);
    }

    /// Whether the file goes on where the one before it ended.
    fn begin(&mut self, path: &Path, about: &About, start: Tree) {
        if start.size() + 1 > self.expected {
            let what = format!(
                "the records from {} to {} are not here: a file that comes before this one is missing",
                name(about, self.expected),
                name(about, start.size()),
            );
            self.found.faults.push(Fault::missing(path, &what));
            self.tree = None;
        } else if self.tree.as_ref().is_some_and(|tree| *tree != start) && !self.differs {
            let what = "the file does not go on where the one before it ends";
            self.found.faults.push(Fault::tampered(path, Some(name(about, start.size() + 1)), what));
        }
        self.expected = start.size() + 1;
        // What came before is proved by the head that covers it, if there is one of that size.
        self.tree = Some(start);
        self.compare(path, &|seq| name(about, seq));
    }

    fn leaf(&mut self, path: &Path, named: &dyn Fn(u64) -> String, leaf: Leaf) {
        if leaf.seq > self.expected {
            let what = format!("the records from here to {} are missing", named(leaf.seq - 1));
            self.found.faults.push(Fault::tampered(path, Some(named(self.expected)), &what));
            self.tree = None;
        }
        self.expected = leaf.seq + 1;
        self.found.records += u64::from(!leaf.pruned);
        self.time(path, named, &leaf);
        if let Some(what) = leaf.fault {
            self.found.faults.push(Fault::tampered(path, Some(named(leaf.seq)), &what));
        }
        match (&mut self.tree, leaf.hash) {
            (Some(tree), Some(leaf)) => {
                tree.push(leaf);
                self.compare(path, named);
            }
            (_, None) => self.tree = None,
            (None, _) => {}
        }
    }

    /// Whether the time of a record or an entry follows on that of the one before it.
    fn time(&mut self, path: &Path, named: &dyn Fn(u64) -> String, leaf: &Leaf) {
        let at = leaf.time.and_then(|time| Timestamp::from_millisecond(time).ok());
        let Some(back) = at.and_then(|at| self.order.see(at)) else { return };
        let heads = self.heads;
        let place = leaf.seq.saturating_sub(self.shift);
        let before = heads.and_then(|heads| heads.range(..place).next_back()).map(|(_, head)| head.time);
        let after = heads.and_then(|heads| heads.range(place..).next()).map(|(_, head)| head.time);
        self.found.faults.push(back.fault(path, named(leaf.seq), before, after, leaf.is_step));
    }

    /// Compares the tree with the head of its size.
    fn compare(&mut self, path: &Path, named: &dyn Fn(u64) -> String) {
        let Some(tree) = &self.tree else { return };
        let Some(head) = self.heads.and_then(|heads| heads.get(&tree.size())) else { return };
        if self.differs {
            return;
        }
        if tree.root() == head.root {
            self.agreed = head.size;
            if let Some(back) = self.heads_order.see(head.time) {
                let named = format!("the head of {}", named(head.size + self.shift));
                self.found.faults.push(back.fault(path, named, None, None, false));
            }
            let again = self.found.newest.as_ref().is_some_and(|newest| newest.size == head.size);
            self.found.heads += u64::from(!again);
            self.found.newest = Some(Signed { size: head.size, root: hex(&head.root), time: head.time });
        } else {
            self.differs = true;
            let what = format!(
                "the records from here to {} are not those that the head of {} was signed for",
                named(head.size + self.shift),
                head.time,
            );
            self.found.faults.push(Fault::tampered(path, Some(named(self.agreed + 1 + self.shift)), &what));
        }
    }

    /// Whether what was taken away was taken by a retention run that the access log tells of.
    fn pruned(&mut self, path: &Path, about: &About, connection: &Connection, runs: Option<&Runs>) {
        let found = match leaves::runs(connection) {
            Ok(found) => found,
            Err(error) => {
                self.found.faults.push(Fault::tampered(path, None, &error.to_string()));
                return;
            }
        };
        let month = Month::of_file(path).map(|month| month.to_string()).unwrap_or_default();
        for run in found {
            *self.found.pruned.entry(run.decision.clone()).or_default() += run.records;
            let first = Some(name(about, run.first));
            let fault = match runs {
                None => Fault::missing(
                    path,
                    &format!(
                        "{} records were pruned by {}, and the access log that would confirm it is not here",
                        run.records, run.decision
                    ),
                ),
                Some(runs) => match runs.judge(&run, &month, self.heads) {
                    Ok(()) => continue,
                    Err((Verdict::Tampered, what)) => Fault::tampered(path, first, &what),
                    Err((_, what)) => Fault::missing(path, &what),
                },
            };
            self.found.faults.push(fault);
        }
    }

    /// Whether the heads tell of more than there is.
    fn end(&mut self, path: Option<&Path>, here: u64) {
        let path = path.unwrap_or(Path::new(""));
        self.found.newer = here.saturating_sub(self.agreed);
        let beyond = self.heads.and_then(|heads| heads.range(here + 1..).next_back());
        if let Some((size, head)) = beyond {
            let seen = format!(
                "the log ends at {here}, and the head of {} was signed for {size} records",
                head.time
            );
            self.found.faults.push(if self.left {
                Fault::missing(path, &format!("{seen}; it went on in a new epoch"))
            } else if self.partial {
                Fault::missing(path, &format!("{seen}: the later ones were not given"))
            } else {
                let record = format!("{} {}", self.found.origin, here + 1 + self.shift);
                Fault::tampered(path, Some(record), &format!("{seen}: the last ones are missing"))
            });
        }
        if self.found.heads == 0 && here > 0 && !self.differs {
            let what = "no signed head covers these records: they agree with themselves, which proves little";
            self.found.faults.push(Fault::missing(path, what));
        }
        self.found.faults.sort_by_key(|fault| std::cmp::Reverse(fault.verdict));
    }
}

fn name(about: &About, seq: u64) -> String {
    RecordId { node: about.node.as_str().into(), epoch: about.epoch, seq }.to_string()
}

impl Fault {
    /// Something that is told of and is no fault.
    fn note(file: &Path, record: String, what: &str) -> Self {
        Self {
            verdict: Verdict::Whole,
            file: file.display().to_string(),
            record: Some(record),
            what: what.to_owned(),
        }
    }

    fn missing(file: &Path, what: &str) -> Self {
        Self {
            verdict: Verdict::Incomplete,
            file: file.display().to_string(),
            record: None,
            what: what.to_owned(),
        }
    }

    fn tampered(file: &Path, record: Option<String>, what: &str) -> Self {
        Self { verdict: Verdict::Tampered, file: file.display().to_string(), record, what: what.to_owned() }
    }
}
