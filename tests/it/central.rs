//! The central log: a real PostgreSQL that is killed, restored from an older dump, or away, and what is in it afterwards.

mod cluster;
mod endured;
mod guarded;
mod operated;
mod pruned;
mod remembered;
mod replicated;
mod shared;
mod shipped;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postvakt::central::shipper::Shipper;
use postvakt::config::Central;
use postvakt::config::central::{Login, database};
use postvakt::record::Record;
use postvakt::store::{Entry, Store};

use crate::lab::until;
use crate::store::record;
use cluster::Cluster;

/// A node that is a store and a shipper, without mail.
struct Node {
    name: &'static str,
    path: PathBuf,
    store: Option<(Store, Option<Shipper>)>,
}

impl Node {
    /// Makes the node at the centre, and starts it on a store of its own.
    fn start(cluster: &Cluster, name: &'static str, path: &Path) -> Self {
        cluster.add_node(name);
        let mut node = Self { name, path: path.into(), store: None };
        node.restart(cluster);
        node
    }

    fn restart(&mut self, cluster: &Cluster) {
        let store = Store::open(&self.path, self.name).unwrap();
        self.ship(cluster, store);
    }

    fn ship(&mut self, cluster: &Cluster, store: Store) {
        let central = cluster.central(self.name);
        let hash = Arc::new(|| "0123456789abcdef".to_owned());
        let shipper = Shipper::start(&store, Some(&central), self.name, hash).unwrap();
        self.store = Some((store, shipper));
    }

    fn store(&self) -> &Store {
        &self.store.as_ref().unwrap().0
    }

    /// Ends both. What is left is not sent.
    async fn stop(&mut self) {
        let (store, shipper) = self.store.take().unwrap();
        store.close().await;
        shipper.unwrap().stop().await;
    }

    /// Stores so many records with this subject.
    async fn mail(&self, count: usize, subject: &str) {
        let tasks: Vec<_> = (0..count)
            .map(|n| {
                let (store, record) = (self.store().clone(), of_now(&format!("{subject} {n}")));
                tokio::spawn(async move { store.commit(Entry::of(record)).await.unwrap() })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    }
}

/// A record of this moment.
fn of_now(subject: &str) -> Record {
    Record { time: jiff::Timestamp::now(), ..record(subject) }
}

/// Waits until a query of the administrator gives this.
fn wait_for(cluster: &Cluster, sql: &str, wanted: &str) {
    until(&format!("{sql}: {wanted}"), cluster, || {
        (cluster.try_sql(sql).as_deref() == Some(wanted)).then_some(())
    });
}

/// A file with a secret, closed to others.
fn secret(path: &Path, text: &str) -> PathBuf {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    path.into()
}

impl Cluster {
    /// `[central]` of a node.
    fn central(&self, node: &str) -> Central {
        let password = secret(&self.home.join(format!("{node}.password")), &format!("hemligt-{node}\n"));
        Central {
            database: database(&self.url()).unwrap(),
            ca_file: None,
            writer: Some(Login { name: format!("postvakt_{node}"), password_file: Some(password) }),
            reader: None,
        }
    }
}
