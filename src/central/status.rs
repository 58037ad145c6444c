//! How the centre is, as a reader sees it: each node, its trees, its heads, and what there is to do.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::CentralError;
use super::calls::within;
use super::connect;
use crate::config::Central;
use crate::config::central::Login;
use crate::limits;
use crate::note::{Note, Verifier};

/// A node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeStatus {
    /// Its name.
    pub node: String,
    /// Whether it may write.
    pub active: bool,
    /// When it last said that it is there.
    pub contact: Option<Timestamp>,
    /// The version of its program.
    pub program: String,
    /// The hash of its active config.
    pub config: String,
    /// What keeps it from sending a part of its log, by name.
    pub trouble: String,
    /// Whether it signs its heads with another key than it did first.
    pub other_key: bool,
    /// Its trees.
    pub trees: Vec<TreeStatus>,
    /// What there is to do about it.
    pub todo: Vec<String>,
}

/// A tree of a node.
#[derive(Clone, Debug, Serialize)]
pub struct TreeStatus {
    /// `record`, `access`.
    pub kind: String,
    /// Its epoch.
    pub epoch: i32,
    /// How many leaves are here.
    pub size: i64,
    /// How many of those that the node said it has are not.
    pub lag: i64,
    /// The size of the newest head.
    pub head: Option<i64>,
    /// Whether the leaves here have its root; absent as long as too few are here.
    pub agrees: Option<bool>,
    /// How many heads there are whose root the leaves here do not have.
    pub disagree: i64,
    /// Whether the newest head is signed with the node's key; absent where there is none, or no key yet.
    pub signed: Option<bool>,
}

/// Whether the centre can be reached as this login; the server.
pub async fn probe(central: &Central, login: &Login) -> Result<String, CentralError> {
    let connected = connect::as_login(central, login).await?;
    let there = connected.client.query_one("SELECT to_regnamespace('postvakt') IS NOT NULL", &[]);
    if within(limits::CENTRAL_CALL_TIME, there).await?.try_get(0)? {
        return Ok(connected.server.clone());
    }
    Err(CentralError::Refused {
        code: "3F000".to_owned(),
        message: "there is no schema `postvakt` in this database".to_owned(),
        hint: "run `postvakt central init`".to_owned(),
        detail: None,
    })
}

/// Every node, in the order of their names, with what there is to do.
pub async fn nodes(central: &Central, reader: &Login) -> Result<Vec<NodeStatus>, CentralError> {
    let connected = connect::as_login(central, reader).await?;
    let client = &connected.client;
    let asked = client.query(
        "SELECT id, name, login IS NOT NULL, (extract(epoch FROM contact) * 1000)::bigint, program, config, trouble, \
         other_key IS NOT NULL FROM postvakt.node ORDER BY name",
        &[],
    );
    let mut nodes = Vec::new();
    for row in within(limits::CENTRAL_CALL_TIME, asked).await? {
        let contact: Option<i64> = row.try_get(3)?;
        let node = NodeStatus {
            node: row.try_get(1)?,
            active: row.try_get(2)?,
            contact: contact.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
            program: row.try_get(4)?,
            config: row.try_get(5)?,
            trouble: row.try_get(6)?,
            other_key: row.try_get(7)?,
            trees: Vec::new(),
            todo: Vec::new(),
        };
        nodes.push((row.try_get::<_, i16>(0)?, node));
    }
    let asked = client.query(
        "SELECT t.node, t.kind, t.epoch, t.size, greatest(t.told - t.size, 0), newest.size, newest.agrees, newest.note, \
         (SELECT key FROM postvakt.node n WHERE n.id = t.node), \
         (SELECT count(*) FROM postvakt.head h WHERE (h.node, h.kind, h.epoch) = (t.node, t.kind, t.epoch) AND NOT h.agrees) \
         FROM postvakt.tree t LEFT JOIN LATERAL (SELECT size, agrees, note FROM postvakt.head h \
         WHERE (h.node, h.kind, h.epoch) = (t.node, t.kind, t.epoch) ORDER BY size DESC, agrees LIMIT 1) newest ON true \
         ORDER BY t.node, t.kind DESC, t.epoch",
        &[],
    );
    for row in within(limits::CENTRAL_CALL_TIME, asked).await? {
        let of: i16 = row.try_get(0)?;
        let tree = TreeStatus {
            kind: row.try_get(1)?,
            epoch: row.try_get(2)?,
            size: row.try_get(3)?,
            lag: row.try_get(4)?,
            head: row.try_get(5)?,
            agrees: row.try_get(6)?,
            disagree: row.try_get(9)?,
            signed: is_signed(row.try_get(7)?, row.try_get(8)?),
        };
        nodes.iter_mut().filter(|(id, _)| *id == of).for_each(|(_, node)| node.trees.push(tree.clone()));
    }
    let mut nodes: Vec<NodeStatus> = nodes.into_iter().map(|(_, node)| node).collect();
    judge(&mut nodes, Timestamp::now());
    Ok(nodes)
}

/// Whether the note has the key's signature.
fn is_signed(note: Option<&str>, key: Option<&str>) -> Option<bool> {
    let key: Result<Verifier, _> = key?.parse();
    let notes = Note::all(note?);
    Some(key.is_ok_and(|key| notes.iter().any(|note| key.head(note).is_ok())))
}

/// The configs of the nodes that write.
pub fn configs(nodes: &[NodeStatus]) -> BTreeSet<&str> {
    let active = nodes.iter().filter(|node| node.active && !node.config.is_empty());
    active.map(|node| node.config.as_str()).collect()
}

/// Says what there is to do.
fn judge(nodes: &mut [NodeStatus], now: Timestamp) {
    let differ = configs(nodes).len() > 1;
    let silence = SignedDuration::try_from(limits::CENTRAL_SILENCE).unwrap_or_default();
    for node in nodes.iter_mut().filter(|node| node.active) {
        let mut todo = Vec::new();
        match node.contact {
            None => todo.push("it has never been in contact: check [central] on it".to_owned()),
            Some(contact) if now.duration_since(contact) > silence => {
                todo.push(format!(
                    "it is not in contact since {contact}: check whether it runs and reaches the centre"
                ));
            }
            Some(_) => {}
        }
        if !node.trouble.is_empty() {
            todo.push(format!("a part of its log is refused ({}): its journal says which", node.trouble));
        }
        if node.other_key {
            let name = &node.node;
            todo.push(format!(
                "it signs tree heads with another key than before: if that is right, run postvakt central add-node {name} with --new-key"
            ));
        }
        if node.trees.iter().any(|tree| tree.disagree > 0) {
            todo.push(
                "tree heads do not have the root of what is here: run postvakt log verify on it".to_owned(),
            );
        }
        if !node.other_key && node.trees.iter().any(|tree| tree.signed == Some(false)) {
            todo.push("its newest tree head is not signed with its key: somebody else wrote it".to_owned());
        }
        if let Some(tree) = node.trees.iter().find(|tree| tree.lag > limits::CENTRAL_LAG) {
            todo.push(format!("{} leaves of its tree of {}s are not here yet", tree.lag, tree.kind));
        }
        if differ {
            todo.push(format!("its config ({}) is not that of all nodes", node.config));
        }
        node.todo = todo;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> NodeStatus {
        let tree = TreeStatus {
            kind: "record".into(),
            epoch: 1,
            size: 10,
            lag: 3,
            head: Some(10),
            agrees: Some(true),
            disagree: 0,
            signed: Some(true),
        };
        NodeStatus {
            node: name.into(),
            active: true,
            contact: Some(Timestamp::UNIX_EPOCH),
            program: "0.1.0".into(),
            config: "a".into(),
            trouble: String::new(),
            other_key: false,
            trees: vec![tree],
            todo: Vec::new(),
        }
    }

    #[test]
    fn what_is_to_be_done_is_told_of_nodes_that_write() {
        let soon = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(30);
        let todo = |change: &dyn Fn(&mut NodeStatus), now| {
            let mut nodes = [node("gw1"), node("gw2")];
            change(&mut nodes[1]);
            judge(&mut nodes, now);
            (nodes[0].todo.len(), nodes[1].todo.join("; "))
        };
        assert_eq!(todo(&|_| {}, soon), (0, String::new()));
        for (change, words) in [
            (&(|node: &mut NodeStatus| node.contact = None) as &dyn Fn(&mut NodeStatus), "never"),
            (&|node| node.trouble = "leaf".into(), "refused (leaf)"),
            (&|node| node.other_key = true, "another key"),
            (&|node| node.trees[0].disagree = 1, "log verify"),
            (&|node| node.trees[0].signed = Some(false), "not signed with its key"),
            (&|node| node.trees[0].lag = limits::CENTRAL_LAG + 1, "not here yet"),
        ] {
            let (other, told) = todo(change, soon);
            assert!(other == 0 && told.contains(words), "{told}");
        }
        let (other, told) = todo(&|node| node.config = "b".into(), soon);
        assert!(other == 1 && told.contains("config"), "{told}");
        let removed = |node: &mut NodeStatus| (node.active, node.config) = (false, "b".into());
        assert_eq!(todo(&removed, soon), (0, String::new()));
        let late = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
        assert!(todo(&|_| {}, late).1.contains("not in contact since"));
    }
}
