//! Directories: who the members of a group are, as an LDAP server such as Active Directory knows them.
//!
//! All members are asked for at once, and remembered. So a mail asks nobody: it looks into a table, and only where there is
//! none yet, or one that is too old, it waits, no longer than its deadline. A table that is older than `refresh` is asked
//! for anew beside the mail; if the directory does not answer, the old one serves until it is as old as `keep`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry};
use tokio::time::Instant;

use super::trust;
use crate::address::Address;
use crate::config::directory::DirectoryGroup;
use crate::facts::{Cause, Fact};
use crate::groups::{Entry, Members};
use crate::limits;
use crate::metrics::METRICS;
use crate::organisation::Organisation;
use crate::settings::parse;

/// The members of all groups that directories know.
#[derive(Debug, Default)]
pub struct Directories(Mutex<HashMap<Arc<str>, Arc<Group>>>);

/// One group.
#[derive(Debug)]
struct Group {
    of: DirectoryGroup,
    organisation: Arc<Organisation>,
    /// Held by whoever asks the directory.
    asks: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<(Instant, Arc<Members>)>,
    failed: Option<(Instant, Cause)>,
}

/// Why the members could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The password file.
    #[error("{0}")]
    Secret(String),
    /// The certificates.
    #[error("ca_file: {0}")]
    Certificates(String),
    /// The server, or the way to it.
    #[error("{0}")]
    Ldap(#[from] LdapError),
    /// It took too long.
    #[error("no answer within {} s", limits::DIRECTORY_TIME.as_secs())]
    Late,
    /// There are too many.
    #[error("more than {} addresses", limits::GROUP_ENTRIES)]
    TooMany,
    /// An answer that is none.
    #[error("an answer that is not LDAP")]
    Protocol,
}

impl AskError {
    fn cause(&self) -> Cause {
        match self {
            Self::Secret(_) | Self::Certificates(_) => Cause::Fault,
            Self::Late => Cause::Deadline,
            Self::TooMany => Cause::Limit,
            Self::Ldap(LdapError::Io { .. } | LdapError::EndOfStream | LdapError::Timeout { .. }) => {
                Cause::Unreachable
            }
            Self::Ldap(_) | Self::Protocol => Cause::Protocol,
        }
    }
}

impl Directories {
    /// The members of each group; what a mail may have to wait for is waited for at once.
    pub async fn members(
        &self,
        groups: &[DirectoryGroup],
        organisation: &Arc<Organisation>,
    ) -> HashMap<Arc<str>, Fact<Arc<Members>>> {
        let mut facts = HashMap::with_capacity(groups.len());
        for group in groups {
            let name = group.name.clone();
            let members = self.group(group, organisation).members().await;
            if let Fact::Unavailable(cause) = members {
                METRICS.fact_unavailable.with_label_values(&["directory", cause.as_str()]).inc();
            }
            facts.insert(name, members);
        }
        facts
    }

    /// Asks for the groups of a config before the first mail needs them.
    pub fn warm(&self, groups: &[DirectoryGroup], organisation: &Arc<Organisation>) {
        for group in groups {
            self.group(group, organisation).ask_if_due();
        }
    }

    /// The group as the config has it now; one that the config has changed is asked for anew.
    fn group(&self, of: &DirectoryGroup, organisation: &Arc<Organisation>) -> Arc<Group> {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = groups.get(&of.name)
            && known.of == *of
            && Arc::ptr_eq(&known.organisation, organisation)
        {
            return known.clone();
        }
        // A reload does not forget what is known: the directory may be away just now.
        let state = groups.get(&of.name).filter(|known| known.of == *of && known.is_of(organisation));
        let state = state.map(|known| {
            let state = known.state.lock().unwrap_or_else(PoisonError::into_inner);
            State { known: state.known.clone(), failed: state.failed }
        });
        let group = Arc::new(Group {
            of: of.clone(),
            organisation: organisation.clone(),
            asks: Arc::default(),
            state: Mutex::new(state.unwrap_or_default()),
        });
        groups.insert(of.name.clone(), group.clone());
        group
    }
}

impl Group {
    /// Whether the organisation has the same mailboxes as the one that the members were read for.
    fn is_of(&self, organisation: &Organisation) -> bool {
        let of = |organisation: &Organisation| {
            let Organisation { domains, routing_domains, alias_domains, .. } = organisation.clone();
            (domains, routing_domains, alias_domains)
        };
        of(&self.organisation) == of(organisation)
    }

    /// The members, where any are known that may still serve.
    fn known(&self, most: Duration) -> Option<Arc<Members>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.known.as_ref().filter(|(at, _)| at.elapsed() <= most).map(|(_, members)| members.clone())
    }

    /// The last failure, while the directory is left alone because of it.
    fn paused(&self) -> Option<Cause> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failed.filter(|(at, _)| at.elapsed() < limits::SCAN_PAUSE).map(|(_, cause)| cause)
    }

    async fn members(self: &Arc<Self>) -> Fact<Arc<Members>> {
        if let Some(members) = self.known(self.of.refresh) {
            return Fact::Known(members);
        }
        self.ask_if_due();
        if let Some(members) = self.known(self.of.keep) {
            return Fact::Known(members);
        }
        if let Some(cause) = self.paused() {
            return Fact::Unavailable(cause);
        }
        // Whoever asks holds this until the answer is there.
        let waited = tokio::time::timeout(self.of.deadline, self.asks.lock()).await;
        match (self.known(self.of.keep), waited) {
            (Some(members), _) => Fact::Known(members),
            (None, Err(_)) => Fact::Unavailable(Cause::Deadline),
            (None, Ok(_)) => Fact::Unavailable(self.paused().unwrap_or(Cause::Unreachable)),
        }
    }

    /// Has the directory asked by a task of its own, if nobody does and it is time.
    fn ask_if_due(self: &Arc<Self>) {
        if self.known(self.of.refresh).is_some() || self.paused().is_some() {
            return;
        }
        let Ok(turn) = self.asks.clone().try_lock_owned() else { return };
        let group = self.clone();
        tokio::spawn(async move {
            let _turn = turn;
            // What the library does with an answer that is none ends the task that reads it, and nothing else.
            let of = group.of.clone();
            let asked = tokio::spawn(async move { ask(&of).await }).await;
            group.settle(asked.unwrap_or(Err(AskError::Protocol)));
        });
    }

    fn settle(&self, asked: Result<Vec<Address>, AskError>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let group = &*self.of.name;
        let now = Instant::now();
        match asked {
            Ok(addresses) => {
                let mut members = Members::default();
                for address in addresses {
                    members.add(Entry::Address(address), &self.organisation);
                }
                METRICS.directory_asked.with_label_values(&[group, "answered"]).inc();
                METRICS
                    .directory_members
                    .with_label_values(&[group])
                    .set(i64::try_from(members.len()).unwrap_or(i64::MAX));
                if members.is_empty() {
                    tracing::warn!(group, "the directory knows no member of the group");
                } else if state.failed.is_some() || state.known.is_none() {
                    tracing::info!(group, members = members.len(), "the directory has answered");
                }
                *state = State { known: Some((now, Arc::new(members))), failed: None };
            }
            Err(error) => {
                METRICS.directory_asked.with_label_values(&[group, "failed"]).inc();
                if state.failed.is_none() {
                    tracing::warn!(group, %error, "the directory does not answer; members that are known serve for a while");
                }
                state.failed = Some((now, error.cause()));
            }
        }
    }
}

/// Every address of the group's members, from the first server that answers.
pub async fn ask(group: &DirectoryGroup) -> Result<Vec<Address>, AskError> {
    let all = async {
        let mut last = AskError::Protocol;
        for server in &group.servers {
            match ask_server(group, server).await {
                Ok(addresses) => return Ok(addresses),
                Err(error) => last = error,
            }
        }
        Err(last)
    };
    tokio::time::timeout(limits::DIRECTORY_TIME, all).await.unwrap_or(Err(AskError::Late))
}

async fn ask_server(group: &DirectoryGroup, server: &str) -> Result<Vec<Address>, AskError> {
    let bind = group.bind.as_ref();
    let password = |path| trust::secret("password_file", path).map_err(AskError::Secret);
    let bind = bind.map(|bind| Ok::<_, AskError>((&bind.dn, password(&bind.password_file)?))).transpose()?;
    let mut settings = LdapConnSettings::new()
        .set_conn_timeout(limits::DIRECTORY_CONNECT_TIME)
        .set_starttls(group.start_tls && server.starts_with("ldap://"));
    if let Some(path) = &group.ca_file {
        settings = settings.set_config(Arc::new(trust::file(path).map_err(AskError::Certificates)?));
    }
    let (connection, mut ldap) = LdapConnAsync::with_settings(settings, server).await?;
    tokio::spawn(async move {
        // What goes wrong there is told to whoever waits for an answer.
        let _ = connection.drive().await;
    });
    if let Some((dn, password)) = bind {
        ldap.simple_bind(dn, &password).await?.success()?;
    }
    let found = search(group, &mut ldap).await;
    // The answer is here; how the server takes the farewell does not matter.
    let _ = ldap.unbind().await;
    found
}

async fn search(group: &DirectoryGroup, ldap: &mut Ldap) -> Result<Vec<Address>, AskError> {
    let adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> =
        vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(limits::DIRECTORY_PAGE))];
    let attributes = group.attributes.clone();
    let mut stream = ldap
        .with_timeout(limits::DIRECTORY_TIME)
        .streaming_search_with(adapters, &group.base, Scope::Subtree, &group.filter, attributes)
        .await?;
    let mut addresses = Vec::new();
    while let Some(entry) = stream.next().await? {
        let entry = SearchEntry::construct(entry);
        addresses.extend(entry.attrs.values().flatten().filter_map(|value| address(value)));
        if addresses.len() > limits::GROUP_ENTRIES {
            return Err(AskError::TooMany);
        }
    }
    stream.finish().await.success()?;
    Ok(addresses)
}

/// The address in a value: bare, or as `proxyAddresses` has it, `SMTP:anna@exempelby.se`. Other kinds of address are none.
fn address(value: &str) -> Option<Address> {
    let bare = match value.split_once(':') {
        Some((kind, rest)) if kind.eq_ignore_ascii_case("smtp") => rest,
        Some(_) => return None,
        None => value,
    };
    parse::mailbox(bare.trim(), false).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_directory() {
        for (value, expected) in [
            ("anna@exempelby.se", Some("anna@exempelby.se")),
            ("SMTP:Anna@exempelby.se", Some("Anna@exempelby.se")),
            ("smtp:anna@exempelbykommun.onmicrosoft.com", Some("anna@exempelbykommun.onmicrosoft.com")),
            ("sip:anna@exempelby.se", None),
            ("X500:/o=ExchangeLabs/ou=x/cn=anna", None),
            ("anna", None),
            ("", None),
        ] {
            assert_eq!(address(value).as_ref().map(Address::as_str), expected, "{value}");
        }
    }
}
