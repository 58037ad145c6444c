//! `postvakt central`: sets up the central log as the administrator of its database, and shows how it is.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::{CONFIG_FILE, NO, YES, print_table, with_config};
use crate::central::admin::{self, Administrator};
use crate::central::replicate;
use crate::central::status::{self, NodeStatus};
use crate::config::Config;
use crate::config::central::database;
use crate::gather::trust;

/// `central`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make the roles and the schema in an empty database.
    Init {
        #[command(flatten)]
        who: Who,
        /// Print the SQL, and do nothing.
        #[arg(long, conflicts_with = "url")]
        sql: bool,
    },
    /// Make the schema that of this version. Nodes of the version before go on.
    Upgrade {
        #[command(flatten)]
        who: Who,
    },
    /// Let a login write as a node, and only that one.
    AddNode {
        /// Name of the node, as in its config or the host's name.
        node: String,
        /// Login of PostgreSQL. It is made if it is missing, without a password.
        #[arg(long, value_name = "LOGIN")]
        login: String,
        /// Accept the key that the node signs its tree heads with now, if it is another one than before.
        #[arg(long)]
        new_key: bool,
        #[command(flatten)]
        who: Who,
    },
    /// Let the login of a node write no more. What the node wrote stays.
    RemoveNode {
        /// Name of the node.
        node: String,
        #[command(flatten)]
        who: Who,
    },
    /// Let a login read the log of all nodes.
    AddReader {
        /// Login of PostgreSQL. It is made if it is missing, without a password.
        login: String,
        #[command(flatten)]
        who: Who,
    },
    /// Set how old a record must be before a node's retention run deletes it at the centre too. Default of the schema: 30 days.
    KeepLeast {
        /// Days.
        days: u32,
        #[command(flatten)]
        who: Who,
    },
    /// Copy the log of each node from the centre to this host, below the directory of the log, and keep up with it. `postvakt log` reads all
    /// of them there.
    Replicate {
        /// Config file, with `reader_login` in `[central]`.
        #[arg(long, value_name = "F", default_value = CONFIG_FILE)]
        config: PathBuf,
        /// Copy what is there, and end.
        #[arg(long)]
        once: bool,
    },
    /// Show each node: its last contact, how far its log has come, whether its tree heads agree, and what there is to do.
    Status {
        /// Config file, with a reader in [central].
        #[arg(long, value_name = "F", default_value = CONFIG_FILE)]
        config: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// The administrator of the database.
#[derive(Debug, clap::Args)]
struct Who {
    /// Database with its administrator: `postgresql://USER@HOST/NAME`, or `postgresql:///NAME?host=/run/postgresql`.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// File with the password. Default: PGPASSWORD of the environment.
    #[arg(long, value_name = "F")]
    password_file: Option<PathBuf>,
    /// Certificates (PEM) that the server's must be signed by. Default: the system's.
    #[arg(long, value_name = "F")]
    ca_file: Option<PathBuf>,
}

impl Who {
    fn administrator(&self) -> anyhow::Result<Administrator> {
        let given = self.url.as_deref().context("--url names the database")?;
        let database = database(given)
            .map_err(|fault| anyhow::anyhow!("--url: {}; {}", fault.problem, fault.suggestion))?;
        let user = database.user.clone().or_else(|| std::env::var("PGUSER").ok());
        let user = user.or_else(|| std::env::var("USER").ok()).context("--url names no user")?;
        let password = match &self.password_file {
            Some(path) => Some(trust::secret("--password-file", path).map_err(anyhow::Error::msg)?),
            None => std::env::var("PGPASSWORD").ok(),
        };
        Ok(Administrator { database, user, password, ca_file: self.ca_file.clone() })
    }
}

/// Runs the command: 0 done, or all is well; 1 there is something to do; 2 it cannot be carried out.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = io::stdout().lock();
    match &args.verb {
        Verb::Init { sql: true, .. } => write!(out, "{}", admin::sql())?,
        Verb::Init { who, .. } => {
            let version = runtime.block_on(who.administrator()?.init())?;
            writeln!(
                out,
                "the schema `postvakt` is made, version {version}; next: postvakt central add-node"
            )?;
        }
        Verb::Upgrade { who } => match runtime.block_on(who.administrator()?.upgrade())? {
            (before, after) if usize::try_from(before) == Ok(after) => {
                writeln!(out, "the schema has version {after} already")?;
            }
            (before, after) => writeln!(out, "the schema was version {before} and is version {after}")?,
        },
        Verb::AddNode { node, login, new_key, who } => {
            let made = runtime.block_on(who.administrator()?.add_node(node, login, *new_key))?;
            writeln!(out, "node {node}: {login} writes for it")?;
            tell_of_login(&mut out, made, login)?;
        }
        Verb::RemoveNode { node, who } => {
            runtime.block_on(who.administrator()?.remove_node(node))?;
            writeln!(out, "node {node}: nobody writes for it; what it wrote stays")?;
        }
        Verb::AddReader { login, who } => {
            let made = runtime.block_on(who.administrator()?.add_reader(login))?;
            writeln!(out, "{login} reads the log of all nodes")?;
            tell_of_login(&mut out, made, login)?;
        }
        Verb::KeepLeast { days, who } => {
            runtime.block_on(who.administrator()?.keep_least(*days))?;
            writeln!(out, "retention runs of nodes take nothing here that is younger than {days} days")?;
        }
        Verb::Replicate { config, once } => {
            drop(out);
            return with_config(config, |config, path| replicate(&config, path, *once));
        }
        Verb::Status { config, json } => {
            drop(out);
            return with_config(config, |config, path| {
                let nodes = nodes(config.central.as_ref(), path)?;
                show(&nodes, *json)
            });
        }
    }
    Ok(YES)
}

fn tell_of_login(out: &mut dyn io::Write, made: bool, login: &str) -> io::Result<()> {
    if made {
        writeln!(
            out,
            "the login {login} is new and has no password: set one with \\password {login} in psql"
        )?;
    }
    Ok(())
}

/// Copies the logs of the nodes: 0 all of them are here, 1 one could not be copied to its end.
fn replicate(config: &Config, path: &Path, once: bool) -> anyhow::Result<u8> {
    let reader = config.central.as_ref().and_then(|central| Some((central, central.reader.as_ref()?)));
    let (central, reader) =
        reader.with_context(|| format!("{}: there is no reader_login in [central]", path.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let place = (config.store.directory.as_path(), config.server.node.as_str());
    let is_well = runtime.block_on(replicate::run(central, reader, place, once))?;
    Ok(if is_well { YES } else { NO })
}

/// The nodes, as the reader of this config sees them.
pub(super) fn nodes(
    central: Option<&crate::config::Central>,
    path: &Path,
) -> anyhow::Result<Vec<NodeStatus>> {
    let Some((central, reader)) = central.and_then(|central| Some((central, central.reader.as_ref()?)))
    else {
        bail!("{}: there is no reader_login in [central]", path.display());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(status::nodes(central, reader))?)
}

fn show(nodes: &[NodeStatus], json: bool) -> anyhow::Result<u8> {
    let is_well = nodes.iter().all(|node| node.todo.is_empty());
    if json {
        let all = json!({ "well": is_well, "nodes": nodes });
        writeln!(io::stdout().lock(), "{all}")?;
    } else {
        let rows: Vec<Vec<String>> = nodes.iter().flat_map(rows).collect();
        print_table(&["node", "contact", "tree", "here", "lag", "newest head", "config"], &rows)?;
        let mut out = io::stdout().lock();
        for (node, todo) in nodes.iter().flat_map(|node| node.todo.iter().map(move |todo| (node, todo))) {
            writeln!(out, "{}: {todo}", node.node)?;
        }
    }
    Ok(if is_well { YES } else { NO })
}

/// A row for each tree; what is of the node stands in the first one.
fn rows(node: &NodeStatus) -> Vec<Vec<String>> {
    let contact = node.contact.map_or_else(|| "never".to_owned(), |contact| format!("{contact:.0}"));
    let contact = if node.active { contact } else { format!("{contact} (removed)") };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for tree in &node.trees {
        let head = match (tree.head, tree.agrees) {
            (None, _) => "none".to_owned(),
            (Some(size), Some(true)) => format!("{size} agrees"),
            (Some(size), Some(false)) => format!("{size} DISAGREES"),
            (Some(size), None) => format!("{size} waits"),
        };
        let tree_name = format!("{} {}", tree.kind, tree.epoch);
        rows.push(vec![
            String::new(),
            String::new(),
            tree_name,
            tree.size.to_string(),
            tree.lag.to_string(),
            head,
            String::new(),
        ]);
    }
    if rows.is_empty() {
        rows.push(vec![String::new(); 7]);
    }
    if let Some([name, when, .., config]) = rows.first_mut().map(Vec::as_mut_slice) {
        (*name, *when, *config) = (node.node.clone(), contact, node.config.clone());
    }
    rows
}
