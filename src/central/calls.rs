//! What a node may call at the centre: the functions of `schema/1.sql`, each with its deadline.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::CentralError;
use super::connect::{self, Connected};
use crate::config::Central;
use crate::config::central::Login;
use crate::limits;
use crate::merkle::Hash;
use crate::store::ship::{Contacts, Content, Run, ShippedEntry, ShippedRecord};
use crate::text::words;

words! {
    /// Of what a tree is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(super) enum Kind {
        /// Records.
        Record = "record",
        /// Entries of the access log.
        Access = "access",
    }
}

/// How far a tree has come at the centre.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) size: u64,
    pub(super) root: Hash,
    /// The size of the newest head there.
    pub(super) head: u64,
}

/// What a call is given.
type Parameter<'a> = &'a (dyn ToSql + Sync);

/// What a node says of itself.
pub(super) struct Greeting<'a> {
    pub(super) node: &'a str,
    pub(super) config: &'a str,
    pub(super) key: Option<String>,
    pub(super) trouble: &'a str,
    /// Its trees with their sizes.
    pub(super) trees: &'a [(Kind, u32, u64)],
}

/// A connection of a node, with what it calls.
pub(super) struct Calls {
    connected: Connected,
    hello: Statement,
    state: Statement,
    append: Statement,
    append_entries: Statement,
    add_heads: Statement,
    runs: Statement,
    prune: Statement,
    prune_entries: Statement,
    contact_places: Statement,
    add_contacts: Statement,
}

impl Calls {
    /// A connection as this login.
    pub(super) async fn open(central: &Central, login: &Login) -> Result<Self, CentralError> {
        let connected = connect::as_login(central, login).await?;
        let made = async {
            let prepare = |sql: &'static str| connected.client.prepare(sql);
            Ok([
                prepare("SELECT postvakt.hello($1, $2, $3, $4, $5, $6, $7, $8)").await?,
                prepare("SELECT kind, epoch, size, root, head FROM postvakt.state()").await?,
                prepare("SELECT postvakt.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)").await?,
                prepare("SELECT postvakt.append_entries($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
                    .await?,
                prepare("SELECT postvakt.add_heads($1)").await?,
                prepare("SELECT month, run FROM postvakt.runs()").await?,
                prepare("SELECT postvakt.prune($1, $2, $3, $4, $5, $6, $7)").await?,
                prepare("SELECT postvakt.prune_entries($1, $2, $3, $4)").await?,
                prepare("SELECT month, place FROM postvakt.contact_places()").await?,
                prepare("SELECT postvakt.add_contacts($1, $2, $3, $4)").await?,
            ])
        };
        let [
            hello,
            state,
            append,
            append_entries,
            add_heads,
            runs,
            prune,
            prune_entries,
            contact_places,
            add_contacts,
        ] = within(limits::CENTRAL_CALL_TIME, made).await?;
        Ok(Self {
            connected,
            hello,
            state,
            append,
            append_entries,
            add_heads,
            runs,
            prune,
            prune_entries,
            contact_places,
            add_contacts,
        })
    }

    /// The connection, for what is called seldom.
    pub(super) fn client(&self) -> &Client {
        &self.connected.client
    }

    /// The server.
    pub(super) fn server(&self) -> &str {
        &self.connected.server
    }

    /// Says who this is. The version of the schema there.
    pub(super) async fn hello(&self, greeting: &Greeting<'_>) -> Result<i32, CentralError> {
        let kinds: Vec<&str> = greeting.trees.iter().map(|(kind, ..)| kind.as_str()).collect();
        let epochs: Vec<i32> = greeting.trees.iter().map(|(_, epoch, _)| epoch.cast_signed()).collect();
        let sizes: Vec<i64> = greeting.trees.iter().map(|(.., size)| size.cast_signed()).collect();
        let Greeting { node, config, key, trouble, .. } = greeting;
        let program = env!("CARGO_PKG_VERSION");
        let client = &self.connected.client;
        let given: [Parameter<'_>; 8] = [node, &program, config, key, trouble, &kinds, &epochs, &sizes];
        let said = client.query_one(&self.hello, &given);
        Ok(within(limits::CENTRAL_CALL_TIME, said).await?.try_get(0)?)
    }

    /// How far each tree has come.
    pub(super) async fn state(&self) -> Result<Vec<((Kind, u32), Place)>, CentralError> {
        let asked = self.connected.client.query(&self.state, &[]);
        let mut places = Vec::new();
        for row in within(limits::CENTRAL_CALL_TIME, asked).await? {
            let kind = Kind::parse(row.try_get(0)?);
            let root = row.try_get::<_, &[u8]>(3)?.try_into().unwrap_or_default();
            let place = Place { size: unsigned(&row, 2)?, root, head: unsigned(&row, 4)? };
            places.extend(
                kind.map(|kind| Ok::<_, CentralError>(((kind, epoch(&row, 1)?), place))).transpose()?,
            );
        }
        Ok(places)
    }

    /// Adds records to a tree whose root before them is this. The number of the record that is wanted next.
    pub(super) async fn append(
        &self,
        epoch: u32,
        before: &Hash,
        records: &[ShippedRecord],
    ) -> Result<u64, CentralError> {
        let from = records.first().map_or(0, |record| record.seq);
        let mut rows: Vec<Option<String>> = Vec::with_capacity(records.len());
        let (mut months, mut forms, mut salts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut escapes, mut leaves, mut runs, mut seens) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for record in records {
            months.push(record.month.to_string());
            leaves.push(&record.leaf[..]);
            match &record.content {
                Content::Sealed(sealed) => {
                    let texts: Vec<&str> = sealed.fields.iter().map(String::as_str).collect();
                    let (texts, is_escaped) = escaped(&texts);
                    // Texts always have a JSON form.
                    rows.push(Some(serde_json::to_string(&texts).unwrap_or_default()));
                    forms.push(Some(i16::from(sealed.form)));
                    salts.push(Some(&sealed.salt[..]));
                    escapes.push(is_escaped);
                    runs.push(None);
                    seens.push(sealed.seen.as_deref());
                }
                Content::Pruned(run) => {
                    rows.push(None);
                    forms.push(None);
                    salts.push(None);
                    escapes.push(false);
                    runs.push(Some(run.cast_signed()));
                    seens.push(None);
                }
            }
        }
        let (epoch, from, before) = (epoch.cast_signed(), from.cast_signed(), &before[..]);
        let client = &self.connected.client;
        let given: [Parameter<'_>; 11] =
            [&epoch, &from, &before, &months, &forms, &salts, &rows, &escapes, &leaves, &runs, &seens];
        let taken = client.query_one(&self.append, &given);
        unsigned(&within(limits::CENTRAL_CALL_TIME, taken).await?, 0)
    }

    /// Adds entries to a tree whose root before them is this, from a place on. The place that is wanted next.
    pub(super) async fn append_entries(
        &self,
        epoch: u32,
        from: u64,
        before: &Hash,
        entries: &[ShippedEntry],
    ) -> Result<u64, CentralError> {
        let (mut numbers, mut times, mut kinds, mut bodies) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut escapes, mut salts, mut leaves, mut runs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for entry in entries {
            numbers.push(entry.n.cast_signed());
            leaves.push(&entry.leaf[..]);
            match &entry.content {
                Ok(content) => {
                    let (mut texts, is_escaped) = escaped(&[&content.body]);
                    times.push(Some(content.time));
                    kinds.push(Some(content.kind.as_str()));
                    bodies.push(texts.pop());
                    escapes.push(is_escaped);
                    salts.push(Some(&content.salt[..]));
                    runs.push(None);
                }
                Err(run) => {
                    times.push(None);
                    kinds.push(None);
                    bodies.push(None);
                    escapes.push(false);
                    salts.push(None);
                    runs.push(Some(run.cast_signed()));
                }
            }
        }
        let (epoch, from, before) = (epoch.cast_signed(), from.cast_signed(), &before[..]);
        let client = &self.connected.client;
        let given: [Parameter<'_>; 11] =
            [&epoch, &from, &before, &numbers, &times, &kinds, &bodies, &escapes, &salts, &leaves, &runs];
        let taken = client.query_one(&self.append_entries, &given);
        unsigned(&within(limits::CENTRAL_CALL_TIME, taken).await?, 0)
    }

    /// Hands tree heads over. How many of all that are there do not have the root of the leaves there.
    pub(super) async fn add_heads(&self, notes: &[String]) -> Result<u64, CentralError> {
        let given: [Parameter<'_>; 1] = [&notes];
        let taken = self.connected.client.query_one(&self.add_heads, &given);
        unsigned(&within(limits::CENTRAL_CALL_TIME, taken).await?, 0)
    }

    /// The runs of retention that are done there, each with its month or `access`.
    pub(super) async fn runs(&self) -> Result<BTreeSet<(String, u64)>, CentralError> {
        let asked = self.connected.client.query(&self.runs, &[]);
        let rows = within(limits::CENTRAL_CALL_TIME, asked).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, unsigned(row, 1)?))).collect()
    }

    /// Does there what a run of retention did here; what is remembered of messages before that time goes too.
    pub(super) async fn prune(&self, run: &Run, numbers: &[u64], forget: i64) -> Result<u64, CentralError> {
        let numbers: Vec<i64> = numbers.iter().map(|number| number.cast_signed()).collect();
        let (epoch, number) = (run.epoch.cast_signed(), run.run.cast_signed());
        let client = &self.connected.client;
        let done = async {
            match run.month {
                Some(_) => {
                    client
                        .query_one(
                            &self.prune,
                            &[&epoch, &run.place(), &number, &run.time, &run.decision, &numbers, &forget],
                        )
                        .await
                }
                None => {
                    client
                        .query_one(&self.prune_entries, &[&number, &run.time, &run.decision, &numbers])
                        .await
                }
            }
        };
        unsigned(&within(limits::CENTRAL_PRUNE_TIME, done).await?, 0)
    }

    /// Up to which row each month's contacts are there.
    pub(super) async fn contact_places(&self) -> Result<Vec<(String, i64)>, CentralError> {
        let asked = self.connected.client.query(&self.contact_places, &[]);
        let rows = within(limits::CENTRAL_CALL_TIME, asked).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Hands contacts over.
    pub(super) async fn add_contacts(&self, contacts: &Contacts) -> Result<(), CentralError> {
        let keys: Vec<&[u8]> = contacts.keys.iter().map(|(key, _)| &key[..]).collect();
        let times: Vec<i64> = contacts.keys.iter().map(|(_, at)| *at).collect();
        let month = contacts.month.to_string();
        let client = &self.connected.client;
        let given: [Parameter<'_>; 4] = [&month, &contacts.up_to, &keys, &times];
        let taken = client.query_one(&self.add_contacts, &given);
        within(limits::CENTRAL_CALL_TIME, taken).await.map(drop)
    }
}

/// What the work gives, if it does in time.
pub(super) async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, CentralError> {
    timeout(time, work).await.map_err(|_| CentralError::Late)?.map_err(CentralError::from)
}

fn unsigned(row: &tokio_postgres::Row, at: usize) -> Result<u64, CentralError> {
    Ok(row.try_get::<_, i64>(at)?.unsigned_abs())
}

fn epoch(row: &tokio_postgres::Row, at: usize) -> Result<u32, CentralError> {
    Ok(row.try_get::<_, i32>(at)?.unsigned_abs())
}

/// The texts as PostgreSQL can have them, and whether they are escaped: it has no NUL.
fn escaped<'a>(texts: &[&'a str]) -> (Vec<Cow<'a, str>>, bool) {
    if texts.iter().any(|text| text.contains('\0')) {
        let escape = |text: &&str| text.replace('\\', "\\\\").replace('\0', "\\000").into();
        (texts.iter().map(escape).collect(), true)
    } else {
        (texts.iter().map(|text| (*text).into()).collect(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_nul_are_escaped_all_together() {
        assert_eq!(escaped(&["å", "a\\b"]), (vec!["å".into(), "a\\b".into()], false));
        assert_eq!(escaped(&["å\0", "a\\b"]), (vec!["å\\000".into(), "a\\\\b".into()], true));
    }
}
