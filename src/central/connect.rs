//! Connections to the centre: to the first server that fits, encrypted unless nobody can be between.

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{CentralError, chain};
use crate::config::Central;
use crate::config::central::{Database, Login, Server};
use crate::gather::trust;
use crate::limits;

/// A connection.
pub(super) struct Connected {
    /// What is asked.
    pub(super) client: Client,
    /// The server.
    pub(super) server: String,
    driver: JoinHandle<()>,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// As whom, and with which password.
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) password: Option<String>,
}

impl Identity {
    /// A login of the config.
    pub(super) fn of(login: &Login) -> Result<Self, CentralError> {
        let read = |path| trust::secret("password_file", path).map_err(CentralError::Password);
        let password = login.password_file.as_deref().map(read).transpose()?;
        Ok(Self { name: login.name.clone(), password })
    }
}

/// A connection as a login of the config.
pub(super) async fn as_login(central: &Central, login: &Login) -> Result<Connected, CentralError> {
    open(&central.database, &Identity::of(login)?, central.ca_file.as_deref()).await
}

/// A connection to the first server that can be reached and is no standby, unless one will do.
pub(super) async fn open(
    database: &Database,
    identity: &Identity,
    ca_file: Option<&std::path::Path>,
) -> Result<Connected, CentralError> {
    let is_sealed = |server: &Server| !server.is_socket() && (database.always_tls || !server.is_local());
    let tls = if database.servers.iter().any(is_sealed) {
        let config = ca_file.map_or_else(trust::system, trust::file);
        Some(MakeRustlsConnect::new(config.map_err(CentralError::Certificates)?))
    } else {
        None
    };
    let mut refused = None;
    let mut tried = Vec::new();
    for server in &database.servers {
        let config = config(database, server, identity, is_sealed(server));
        let tls = tls.clone().filter(|_| is_sealed(server));
        match timeout(limits::CENTRAL_CONNECT_TIME, reach(&config, tls)).await {
            Ok(Ok((client, driver))) => {
                return Ok(Connected { client, server: server.to_string(), driver });
            }
            Ok(Err(error)) => {
                tried.push(format!("{server}: {}", chain(&error)));
                if let refusal @ CentralError::Refused { .. } = CentralError::from(error) {
                    refused.get_or_insert(refusal);
                }
            }
            Err(_) => tried.push(format!("{server}: no answer")),
        }
    }
    Err(refused.unwrap_or_else(|| CentralError::Unreachable(tried.join("; "))))
}

fn config(database: &Database, server: &Server, identity: &Identity, is_sealed: bool) -> Config {
    let mut config = Config::new();
    config
        .host(&server.host)
        .port(server.port)
        .dbname(&database.name)
        .user(&identity.name)
        .application_name("postvakt")
        .ssl_mode(if is_sealed { SslMode::Require } else { SslMode::Disable })
        .target_session_attrs(if database.standby {
            TargetSessionAttrs::Any
        } else {
            TargetSessionAttrs::ReadWrite
        })
        .connect_timeout(limits::CENTRAL_CONNECT_TIME)
        .keepalives_idle(limits::CENTRAL_CALL_TIME)
        .tcp_user_timeout(limits::CENTRAL_CALL_TIME);
    if let Some(password) = &identity.password {
        config.password(password);
    }
    config
}

async fn reach(
    config: &Config,
    tls: Option<MakeRustlsConnect>,
) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
    // What ends a connection is told of by the next call on it.
    if let Some(tls) = tls {
        let (client, connection) = config.connect(tls).await?;
        Ok((client, tokio::spawn(async move { drop(connection.await) })))
    } else {
        let (client, connection) = config.connect(NoTls).await?;
        Ok((client, tokio::spawn(async move { drop(connection.await) })))
    }
}
