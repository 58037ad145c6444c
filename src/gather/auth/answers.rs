//! The DNS as the library sees it: what it looks up is checked before it counts.
//!
//! The library looks texts up by itself and tells of those that it found; each is looked at again as it stands, which the
//! resolver has at hand, and where that says otherwise the question is put once more.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::future::poll_fn;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use mail_auth::common::cache::NoCache;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::resolver::ToFqdn as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::dmarc::Dmarc;
use mail_auth::hickory_resolver::proto::rr::{Name, RData};
use mail_auth::spf::Spf;
use mail_auth::{DnsError, Error, MX, MessageAuthenticator, Parameters, RecordSet, ResolverCache, Txt};
use tokio::time::{Instant, timeout_at};

use super::records::{self, Wrong};

/// Makes one answer of the texts at a name.
type Read = fn(&[Vec<u8>]) -> Result<Txt, Error>;

/// The texts that were asked for about one mail, for one method.
pub(super) struct Answers<'r> {
    resolver: &'r MessageAuthenticator,
    read: Read,
    held: Mutex<HashMap<Box<str>, Txt>>,
    /// Those that the library found by itself.
    found: Mutex<Vec<Box<str>>>,
}

/// What the library takes beside the question.
type Asked<'x, P> = Parameters<
    'x,
    P,
    Answers<'x>,
    NoCache<Box<str>, RecordSet<MX>>,
    NoCache<Box<str>, RecordSet<std::net::Ipv4Addr>>,
    NoCache<Box<str>, RecordSet<std::net::Ipv6Addr>>,
    NoCache<std::net::IpAddr, RecordSet<Box<str>>>,
>;

impl<'r> Answers<'r> {
    pub(super) fn of_spf(resolver: &'r MessageAuthenticator) -> Self {
        Self::new(resolver, |texts| Ok(Txt::from(Spf::parse(&records::spf(texts)?))))
    }

    pub(super) fn of_dmarc(resolver: &'r MessageAuthenticator) -> Self {
        Self::new(resolver, |texts| Ok(Txt::from(Dmarc::parse(&records::dmarc(texts)?))))
    }

    /// Of several keys at one name the first counts that is one; which does, nothing says (RFC 6376 §3.6.2.2).
    pub(super) fn of_dkim(resolver: &'r MessageAuthenticator) -> Self {
        Self::new(resolver, |texts| {
            let mut keys = texts.iter().map(|text| DomainKey::parse(text));
            let first = keys.next().unwrap_or(Err(Error::Dns(DnsError::InvalidRecordType)));
            Ok(Txt::from(
                std::iter::once(first).chain(keys).reduce(Result::or).unwrap_or(Err(Error::ParseError)),
            ))
        })
    }

    fn new(resolver: &'r MessageAuthenticator, read: Read) -> Self {
        Self { resolver, read, held: Mutex::default(), found: Mutex::default() }
    }

    /// The question with this behind it.
    pub(super) fn with<P>(&self, question: P) -> Asked<'_, P> {
        Parameters {
            params: question,
            cache_txt: Some(self),
            cache_mx: None,
            cache_ptr: None,
            cache_ipv4: None,
            cache_ipv6: None,
        }
    }

    /// Looks up all these names at once. What has no answer at that time has none.
    pub(super) async fn look_up(&self, names: Vec<String>, until: Instant) {
        let answers = all(names.into_iter().map(async |name| {
            let name = name.to_fqdn().into_owned();
            let answer = match timeout_at(until, self.texts(&name)).await {
                Ok(texts) => texts.and_then(|texts| (self.read)(&texts)),
                Err(_) => Err(Error::Dns(DnsError::Resolver("late".into()))),
            };
            (name.into_boxed_str(), answer.unwrap_or_else(Txt::Error))
        }));
        let answers = answers.await;
        lock(&self.held).extend(answers);
    }

    /// Checks what the library found by itself; whether any of it is worth less than it took it for.
    pub(super) async fn correct(&self) -> bool {
        let found = std::mem::take(&mut *lock(&self.found));
        let mut changed = false;
        for name in found {
            let checked =
                self.texts(&name).await.and_then(|texts| (self.read)(&texts)).unwrap_or_else(Txt::Error);
            changed |= matches!(checked, Txt::Error(_) | Txt::Dmarc(_));
            lock(&self.held).insert(name, checked);
        }
        changed
    }

    /// The texts at that name, each in one piece.
    async fn texts(&self, name: &str) -> Result<Vec<Vec<u8>>, Error> {
        let lookup = self.resolver.resolver().txt_lookup(Name::from_str_relaxed(name)?).await?;
        let text = |data: &RData| match data {
            RData::TXT(text) => Some(text.txt_data.concat()),
            _ => None,
        };
        Ok(lookup.answers().iter().filter_map(|record| text(&record.data)).collect())
    }
}

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::NoRecord => Self::Dns(DnsError::InvalidRecordType),
            Wrong::Broken => Self::ParseError,
        }
    }
}

impl ResolverCache<Box<str>, Txt> for Answers<'_> {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        lock(&self.held).get(name).cloned()
    }

    fn remove<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        lock(&self.held).remove(name)
    }

    fn insert(&self, name: Box<str>, value: Txt, _: std::time::Instant) {
        // What a domain says to explain a failure is not read.
        if !matches!(value, Txt::SpfMacro(_)) {
            lock(&self.found).push(name);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does all of it at once, as long as the slowest takes.
async fn all<T>(work: impl Iterator<Item: Future<Output = T>>) -> Vec<T> {
    let mut work: Vec<_> = work.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut open = false;
        for (future, result) in work.iter_mut().filter(|(_, result)| result.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(value) => *result = Some(value),
                Poll::Pending => open = true,
            }
        }
        if open { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    work.into_iter().filter_map(|(_, result)| result).collect()
}
