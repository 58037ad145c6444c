//! The logs of all nodes on a host that may read the centre: read as one log, with proof, and gone where they are gone.

use postvakt::central::replicate;
use serde_json::Value;

use super::*;
use crate::store::cli::{config, run_with};
use crate::store::retention;

impl Cluster {
    /// `[central]` of a host that reads.
    fn reading(&self) -> Central {
        self.administer(&["add-reader", "postvakt_log"]);
        self.sql("ALTER ROLE postvakt_log PASSWORD 'hemligt-log'");
        let password = secret(&self.home.join("log.password"), "hemligt-log\n");
        let reader = Some(Login { name: "postvakt_log".into(), password_file: Some(password) });
        Central { database: database(&self.url()).unwrap(), ca_file: None, writer: None, reader }
    }
}

async fn replicate(central: &Central, directory: &Path) -> bool {
    replicate::run(central, central.reader.as_ref().unwrap(), (directory, "log"), true).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_are_searched_shown_exported_and_verified_as_one_log() {
    let cluster = Cluster::start();
    let here = cluster.home.join("log");
    postvakt::store::Store::open(&here, "log").unwrap().close().await;
    let mut nodes = Vec::new();
    for name in ["gw1", "gw2"] {
        let node = Node::start(&cluster, name, &cluster.home.join(name));
        node.mail(300, &format!("ärende hos {name}")).await;
        nodes.push(node);
    }
    nodes[0].mail(1, "a\0b\\c").await;
    for node in &nodes {
        node.store().sign();
    }
    wait_for(&cluster, "SELECT coalesce(sum(size), 0) FROM postvakt.tree WHERE kind = 'record'", "601");
    wait_for(&cluster, "SELECT count(*) FROM postvakt.node WHERE key IS NOT NULL", "2");
    wait_for(&cluster, "SELECT count(DISTINCT node) FROM postvakt.head WHERE agrees AND size > 299", "2");
    let central = cluster.reading();
    assert!(replicate(&central, &here).await);
    let config = config(&here);
    let search = |more: &[&str]| {
        let own = ["search", "--json", "--decision", "KS 2026/123"];
        let arguments: Vec<&str> = own.iter().chain(more).copied().collect();
        let (code, out) = run_with(&config, &arguments);
        assert_eq!(code, 0, "{out}");
        out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let all = search(&[]);
    assert_eq!(all.len(), 601);
    let times: Vec<&str> = all.iter().map(|record| record["time_utc"].as_str().unwrap()).collect();
    let of =
        |name: &str| all.iter().filter(|record| record["record"].as_str().unwrap().starts_with(name)).count();
    assert_eq!((of("gw1-"), of("gw2-")), (301, 300));
    assert!(times.first() <= times.last());
    assert_eq!(search(&["--node", "gw2"]).len(), 300);
    assert_eq!(search(&["--subject", "hos gw1 17"]).len(), 11);
    assert_eq!(search(&["--subject", "a\0b\\c"]).len(), 1);
    // One mail, with what proves it.
    let id = search(&["--node", "gw2", "--subject", "hos gw2 299"])[0]["record"].as_str().unwrap().to_owned();
    let (code, out) = run_with(&config, &["show", &id, "--decision", "KS 2026/123"]);
    assert!(code == 0 && out.contains("hos gw2 299"), "{out}");
    // An export of all has a proof for each node, with that node's own heads.
    let file = cluster.home.join("alla.jsonl");
    let name = file.to_str().unwrap();
    let export = ["export", "--format", "jsonl", "--output", name, "--decision", "KS 2026/123"];
    let (code, out) = run_with(&config, &export);
    assert_eq!(code, 0, "{out}");
    for node in ["gw1", "gw2"] {
        let key = cluster.home.join(node).join("heads.pub");
        let (code, out) = run_with(&config, &["verify-export", name, "--key", key.to_str().unwrap()]);
        assert!(out.contains(node), "{node} {code}: {out}");
        let copy = here.join("nodes").join(node);
        let (code, out) =
            run_with(&config, &["verify", copy.to_str().unwrap(), "--key", key.to_str().unwrap()]);
        assert!(code != 1 && !out.contains("tampered"), "{node} {code}: {out}");
    }
    // What comes later is copied later.
    nodes[1].mail(5, "senare").await;
    wait_for(&cluster, "SELECT coalesce(sum(size), 0) FROM postvakt.tree WHERE kind = 'record'", "606");
    assert!(replicate(&central, &here).await);
    assert_eq!(search(&["--subject", "senare"]).len(), 5);
    // A row that was changed at the centre is not taken, and what is before it is.
    nodes[1].mail(5, "sist").await;
    wait_for(&cluster, "SELECT coalesce(sum(size), 0) FROM postvakt.tree WHERE kind = 'record'", "611");
    cluster.sql(
        "UPDATE postvakt.record SET fields[6] = 'ändrat' WHERE seq = 308 AND node = (SELECT id FROM postvakt.node WHERE name = 'gw2')",
    );
    assert!(!replicate(&central, &here).await);
    assert_eq!(search(&["--subject", "ändrat"]).len(), 0);
    assert_eq!(search(&["--node", "gw1"]).len(), 301);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_took_on_a_node_is_gone_on_the_host_that_reads() {
    let cluster = Cluster::start();
    let (here, path) = (cluster.home.join("log"), cluster.home.join("gw1"));
    postvakt::store::Store::open(&here, "log").unwrap().close().await;
    retention::store(&path).await;
    let mut node = Node::start(&cluster, "gw1", &path);
    wait_for(&cluster, "SELECT count(*) FROM postvakt.record", "800");
    let central = cluster.reading();
    assert!(replicate(&central, &here).await);
    let count = || {
        let search = ["search", "--json", "--decision", "KS 2026/123"];
        let (code, out) = run_with(&config(&here), &search);
        assert_eq!(code, 0, "{out}");
        out.lines().count()
    };
    assert_eq!(count(), 800);
    let day = retention::today();
    let run = ["retention", "run", "--today", &day, "--decision", "KS 2026/46"];
    let (code, out) = run_with(&retention::decided(&path), &run);
    assert!(code == 0, "{out}");
    node.stop().await;
    node.restart(&cluster);
    wait_for(&cluster, "SELECT count(*) > 0 FROM postvakt.pruned", "t");
    let left: usize = cluster.sql("SELECT count(*) FROM postvakt.record").parse().unwrap();
    assert!(replicate(&central, &here).await);
    assert_eq!(count(), left);
    // And a replica that is made anew never had it.
    std::fs::remove_dir_all(here.join("nodes")).unwrap();
    assert!(replicate(&central, &here).await);
    assert_eq!(count(), left);
    node.stop().await;
}
