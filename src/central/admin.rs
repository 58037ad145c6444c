//! What the administrator of the database does: the schema and its versions, nodes, readers.

use std::path::PathBuf;

use super::CentralError;
use super::calls::within;
use super::connect::{self, Connected, Identity};
use crate::config::central::{Database, is_name};
use crate::limits;

/// Makes the roles, and changes nothing where they are.
const ROLES: &str = include_str!("schema/roles.sql");
/// What makes each version of the schema out of the one before it. A node goes on with the schema of the version after its own.
const VERSIONS: &[&str] =
    &[include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];

/// The administrator, and where the database is.
#[derive(Debug)]
pub struct Administrator {
    /// Where.
    pub database: Database,
    /// Who.
    pub user: String,
    /// Their password; absent where PostgreSQL knows them otherwise.
    pub password: Option<String>,
    /// The certificates that vouch for the servers; absent for those of the system.
    pub ca_file: Option<PathBuf>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum AdminError {
    #[error(transparent)]
    Central(#[from] CentralError),
    #[error("the schema is here already, in version {0}; run `postvakt central upgrade`")]
    Made(i32),
    #[error("there is no schema `postvakt` in this database; run `postvakt central init`")]
    Missing,
    #[error("the schema has version {0}, which a newer postvakt made; install that version")]
    Newer(i32),
    #[error("{0} is no name; write letters, digits, `_`, `-` and `.`")]
    Name(String),
    #[error("{0} is no name of a node; write letters, digits and `-`, at most 63")]
    NodeName(String),
    #[error(
        "{0} is a role of the schema, and nobody signs in with it; make a login of its own for each node and reader"
    )]
    Reserved(String),
    #[error("{0} may do everything in the database; make a login of its own for each node and reader")]
    TooMuch(String),
    #[error("there is no node {0}")]
    NoNode(String),
    #[error("the login {login} is the node {node}'s; each node has a login of its own")]
    Taken { login: String, node: String },
}

impl From<tokio_postgres::Error> for AdminError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Central(error.into())
    }
}

/// The SQL that makes the schema, roles included.
pub fn sql() -> String {
    format!("BEGIN;\n{ROLES}\n{}\nCOMMIT;\n", steps(0))
}

/// The steps from a version to the newest.
fn steps(from: usize) -> String {
    let steps = VERSIONS.iter().enumerate().skip(from).map(|(at, sql)| {
        let (version, program) = (at + 1, env!("CARGO_PKG_VERSION"));
        let owner = if at == 0 { "" } else { "SET LOCAL ROLE postvakt_owner;\n" };
        let noted = "INSERT INTO postvakt.version (version, program) VALUES";
        format!("{owner}{sql}\n{noted} ({version}, '{program}');\nRESET ROLE;\n")
    });
    steps.collect()
}

impl Administrator {
    async fn connect(&self) -> Result<Connected, CentralError> {
        let identity = Identity { name: self.user.clone(), password: self.password.clone() };
        connect::open(&self.database, &identity, self.ca_file.as_deref()).await
    }

    /// Makes roles and schema. The version.
    pub async fn init(&self) -> Result<usize, AdminError> {
        let connected = self.connect().await?;
        match version(&connected).await {
            Err(AdminError::Missing) => {}
            Err(error) => return Err(error),
            Ok(version) => return Err(AdminError::Made(version)),
        }
        within(limits::CENTRAL_PRUNE_TIME, connected.client.batch_execute(&sql())).await?;
        Ok(VERSIONS.len())
    }

    /// Makes the schema that of this program. The version before and after.
    pub async fn upgrade(&self) -> Result<(i32, usize), AdminError> {
        let connected = self.connect().await?;
        let version = version(&connected).await?;
        let from = usize::try_from(version).unwrap_or_default();
        if from > VERSIONS.len() {
            return Err(AdminError::Newer(version));
        }
        if from < VERSIONS.len() {
            // Two at once: the second one finds its version taken, and changes nothing.
            let sql = format!("BEGIN;\n{ROLES}\n{}\nCOMMIT;\n", steps(from));
            within(limits::CENTRAL_PRUNE_TIME, connected.client.batch_execute(&sql)).await?;
        }
        Ok((version, VERSIONS.len()))
    }

    /// Lets a login write as this node, and no other one from now on. With `new_key`, the key that the node signs its heads with
    /// by now is the node's. Whether the login was made.
    pub async fn add_node(&self, node: &str, login: &str, new_key: bool) -> Result<bool, AdminError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if !(1..=63).contains(&node.len()) || !node.bytes().all(fits) {
            return Err(AdminError::NodeName(node.into()));
        }
        let mut connected = self.connect().await?;
        version(&connected).await?;
        let made = grant(&mut connected, login, "postvakt_node").await?;
        let client = &mut connected.client;
        let of_login = "SELECT name FROM postvakt.node WHERE login = $1::text::name AND name <> $2";
        if let Some(other) = client.query_opt(of_login, &[&login, &node]).await? {
            return Err(AdminError::Taken { login: login.into(), node: other.try_get(0)? });
        }
        let before =
            client.query_opt("SELECT login::text FROM postvakt.node WHERE name = $1", &[&node]).await?;
        let before: Option<String> = before.map(|row| row.try_get(0)).transpose()?.flatten();
        let transaction = client.transaction().await?;
        if let Some(before) = before.filter(|before| before != login) {
            transaction.batch_execute(&format!("REVOKE postvakt_node FROM \"{before}\"")).await?;
        }
        transaction.batch_execute("SET LOCAL ROLE postvakt_owner").await?;
        let add = "INSERT INTO postvakt.node (name, login) VALUES ($1, $2::text::name) \
                   ON CONFLICT (name) DO UPDATE SET login = excluded.login";
        transaction.execute(add, &[&node, &login]).await?;
        if new_key {
            let accept =
                "UPDATE postvakt.node SET key = coalesce(other_key, key), other_key = NULL WHERE name = $1";
            transaction.execute(accept, &[&node]).await?;
        }
        transaction.commit().await?;
        Ok(made)
    }

    /// Lets the login of a node write no more. What the node wrote stays.
    pub async fn remove_node(&self, node: &str) -> Result<(), AdminError> {
        let mut connected = self.connect().await?;
        version(&connected).await?;
        let client = &mut connected.client;
        let of_node = "SELECT login::text FROM postvakt.node WHERE name = $1";
        let Some(row) = client.query_opt(of_node, &[&node]).await? else {
            return Err(AdminError::NoNode(node.into()));
        };
        let login: Option<String> = row.try_get(0)?;
        let transaction = client.transaction().await?;
        if let Some(login) = login {
            transaction.batch_execute(&format!("REVOKE postvakt_node FROM \"{login}\"")).await?;
        }
        transaction.batch_execute("SET LOCAL ROLE postvakt_owner").await?;
        transaction.execute("UPDATE postvakt.node SET login = NULL WHERE name = $1", &[&node]).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Lets a login read. Whether it was made.
    pub async fn add_reader(&self, login: &str) -> Result<bool, AdminError> {
        let mut connected = self.connect().await?;
        version(&connected).await?;
        grant(&mut connected, login, "postvakt_reader").await
    }

    /// Sets how old a record must be before a node's retention run may take it at the centre.
    pub async fn keep_least(&self, days: u32) -> Result<(), AdminError> {
        let mut connected = self.connect().await?;
        version(&connected).await?;
        let transaction = connected.client.transaction().await?;
        transaction.batch_execute("SET LOCAL ROLE postvakt_owner").await?;
        transaction
            .execute("UPDATE postvakt.setting SET keep_least_days = $1", &[&days.cast_signed()])
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// The version of the schema.
async fn version(connected: &Connected) -> Result<i32, AdminError> {
    let there = "SELECT to_regclass('postvakt.version') IS NOT NULL";
    let there: bool =
        within(limits::CENTRAL_CALL_TIME, connected.client.query_one(there, &[])).await?.try_get(0)?;
    if !there {
        return Err(AdminError::Missing);
    }
    let row =
        connected.client.query_one("SELECT coalesce(max(version), 0) FROM postvakt.version", &[]).await?;
    Ok(row.try_get(0)?)
}

/// Makes a login a member of a role, and makes it where it is missing. Whether it was made.
async fn grant(connected: &mut Connected, login: &str, role: &str) -> Result<bool, AdminError> {
    if !is_name(login) {
        return Err(AdminError::Name(login.into()));
    }
    if ["postvakt_owner", "postvakt_node", "postvakt_reader"].contains(&login) {
        return Err(AdminError::Reserved(login.into()));
    }
    let transaction = connected.client.transaction().await?;
    let about = "SELECT rolsuper OR pg_has_role(oid, 'postvakt_owner', 'MEMBER') FROM pg_roles WHERE rolname = $1::text::name";
    let known = transaction.query_opt(about, &[&login]).await?;
    match known.as_ref().map(|row| row.try_get::<_, bool>(0)).transpose()? {
        Some(true) => return Err(AdminError::TooMuch(login.into())),
        Some(false) => {}
        None => transaction.batch_execute(&format!("CREATE ROLE \"{login}\" LOGIN")).await?,
    }
    let most = limits::CENTRAL_CONNECTIONS;
    let sql = format!("GRANT {role} TO \"{login}\"; ALTER ROLE \"{login}\" CONNECTION LIMIT {most}");
    transaction.batch_execute(&sql).await?;
    transaction.commit().await?;
    Ok(known.is_none())
}
