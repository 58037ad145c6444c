//! Who is signed in. Sessions, one-time links and unfinished sign-ins are in memory alone: they end with the process.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::commands::Person;
use crate::config::{Grant, Role};
use crate::limits;
use crate::metrics::CONSOLE;

/// A secret that nobody guesses, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Token(String);

impl Token {
    /// A new one.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut halves = [[0_u8; 16]; 2];
        for half in &mut halves {
            getrandom::fill(half)?;
        }
        let [high, low] = halves.map(u128::from_be_bytes);
        Ok(Self(format!("{high:032x}{low:032x}")))
    }

    /// One that a browser gave, if it has the form of one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == 64 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
        is_one.then(|| Self(text.to_owned()))
    }

    /// As it is given to a browser.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who signed in, with what gives them roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedIn {
    /// Who it is.
    pub(super) subject: String,
    /// Their name.
    pub(super) name: String,
    /// The roles that they have, each with its mailboxes. At least one.
    pub(super) roles: Vec<(Role, Vec<String>)>,
}

impl SignedIn {
    /// Somebody with the roles that these values give; `None` where they give none.
    pub(super) fn with_values<'v>(
        subject: String,
        name: String,
        values: &(impl Iterator<Item = &'v str> + Clone),
        grants: &[Grant],
    ) -> Option<Self> {
        let mut roles: Vec<(Role, Vec<String>)> = Vec::new();
        for grant in grants.iter().filter(|grant| values.clone().any(|value| value == grant.value)) {
            let mailboxes = grant.mailboxes.iter().map(ToString::to_string);
            match roles.iter_mut().find(|(role, _)| *role == grant.role) {
                Some((_, known)) => known.extend(mailboxes),
                None => roles.push((grant.role, mailboxes.collect())),
            }
        }
        roles.sort_unstable_by_key(|(role, _)| *role);
        (!roles.is_empty()).then_some(Self { subject, name, roles })
    }
}

/// What somebody signed in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A one-time link.
    Link,
    /// An OpenID provider.
    Provider,
    /// A reverse proxy, which says with every request who it is.
    Proxy,
}

impl By {
    /// As the operational log has it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Provider => "provider",
            Self::Proxy => "proxy",
        }
    }
}

/// A session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// What they signed in by.
    pub(super) by: By,
    /// Who.
    pub(super) who: SignedIn,
    /// As what, of the roles that they have.
    pub(super) role: Role,
    /// What they said that they look at held mail for, so that they are asked once.
    pub(super) held_purpose: String,
    /// Whether they see mail that was handed over, too.
    pub(super) held_all: bool,
    began: Instant,
    used: Instant,
    minute: (Instant, u32),
}

impl Session {
    /// The person, as commands are carried out for them.
    pub(super) fn person(&self) -> Person {
        let mailboxes = self.who.roles.iter().find(|(role, _)| *role == self.role);
        Person {
            subject: self.who.subject.clone(),
            name: self.who.name.clone(),
            role: self.role,
            mailboxes: mailboxes.map(|(_, mailboxes)| mailboxes.clone()).unwrap_or_default(),
        }
    }
}

/// How long sessions live.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lives {
    /// Without a request.
    pub(super) idle: Duration,
    /// In any case.
    pub(super) longest: Duration,
}

/// Every session.
#[derive(Debug)]
pub(super) struct Sessions {
    lives: Lives,
    all: HashMap<Token, Session>,
}

/// What came of looking for a session.
#[derive(Debug)]
pub(super) enum Looked {
    /// There is none, or no longer.
    Nobody,
    /// It made more requests than a person does.
    TooMany,
    /// There it is, and so long it lives yet.
    There(Box<Session>, Duration),
}

impl Sessions {
    pub(super) fn new(lives: Lives) -> Self {
        Self { lives, all: HashMap::new() }
    }

    /// Begins a session. Its token is new, whatever the browser had before.
    pub(super) fn begin(&mut self, who: SignedIn, by: By, now: Instant) -> Result<Token, getrandom::Error> {
        let token = Token::new()?;
        self.forget_ended(now);
        // Who begins many ends their own.
        let own = |session: &Session| session.who.subject == who.subject;
        if self.all.values().filter(|session| own(session)).count() >= limits::CONSOLE_SESSIONS_OF_ONE {
            CONSOLE.exceeded("sessions_of_one");
            self.end_oldest(own);
        } else if self.all.len() >= limits::CONSOLE_SESSIONS {
            CONSOLE.exceeded("sessions");
            self.end_oldest(|_| true);
        }
        // A person without a role has no session: `SignedIn` has one.
        let role = who.roles.first().map_or(Role::Reader, |(role, _)| *role);
        let session = Session {
            by,
            who,
            role,
            held_purpose: String::new(),
            held_all: false,
            began: now,
            used: now,
            minute: (now, 0),
        };
        self.all.insert(token.clone(), session);
        Ok(token)
    }

    /// How many there are.
    pub(super) fn count(&mut self, now: Instant) -> usize {
        self.forget_ended(now);
        self.all.len()
    }

    /// The session, which is used by that.
    pub(super) fn look(&mut self, token: &Token, now: Instant) -> Looked {
        self.forget_ended(now);
        let Some(session) = self.all.get_mut(token) else { return Looked::Nobody };
        if now.duration_since(session.minute.0) >= Duration::from_mins(1) {
            session.minute = (now, 0);
        }
        session.minute.1 += 1;
        if session.minute.1 > limits::CONSOLE_REQUESTS {
            return Looked::TooMany;
        }
        session.used = now;
        let left = self.lives.longest.saturating_sub(now.duration_since(session.began));
        Looked::There(Box::new(session.clone()), left)
    }

    /// Changes a session, if it still is.
    pub(super) fn change(&mut self, token: &Token, change: impl FnOnce(&mut Session)) {
        self.all.get_mut(token).map(change);
    }

    /// Ends a session.
    pub(super) fn end(&mut self, token: &Token) {
        self.all.remove(token);
    }

    /// Ends the one of these that was used least recently.
    fn end_oldest(&mut self, of: impl Fn(&Session) -> bool) {
        let own = self.all.iter().filter(|(_, session)| of(session));
        let oldest = own.min_by_key(|(_, session)| session.used).map(|(token, _)| token.clone());
        oldest.map(|token| self.all.remove(&token));
    }

    fn forget_ended(&mut self, now: Instant) {
        let Lives { idle, longest } = self.lives;
        self.all.retain(|_, session| {
            now.duration_since(session.used) < idle && now.duration_since(session.began) < longest
        });
    }
}

/// Things that are used once, and within a few minutes: links, unfinished sign-ins.
#[derive(Debug)]
pub(super) struct Once<T> {
    all: Vec<(Token, Instant, T)>,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self { all: Vec::new() }
    }
}

impl<T> Once<T> {
    /// Keeps one under a new token.
    pub(super) fn keep(&mut self, thing: T, now: Instant) -> Result<Token, getrandom::Error> {
        let token = Token::new()?;
        self.forget_old(now);
        if self.all.len() >= limits::CONSOLE_SIGN_INS {
            self.all.remove(0);
        }
        self.all.push((token.clone(), now, thing));
        Ok(token)
    }

    /// Whether there is one under that token.
    pub(super) fn has(&mut self, token: &Token, now: Instant) -> bool {
        self.forget_old(now);
        self.all.iter().any(|(known, ..)| known == token)
    }

    /// Takes the one under that token; nobody gets it again.
    pub(super) fn take(&mut self, token: &Token, now: Instant) -> Option<T> {
        self.forget_old(now);
        let at = self.all.iter().position(|(known, ..)| known == token)?;
        Some(self.all.remove(at).2)
    }

    fn forget_old(&mut self, now: Instant) {
        self.all.retain(|(_, kept, _)| now.duration_since(*kept) < limits::CONSOLE_LINK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna() -> SignedIn {
        SignedIn { subject: "anna".into(), name: String::new(), roles: vec![(Role::Reviewer, Vec::new())] }
    }

    fn sessions() -> Sessions {
        Sessions::new(Lives { idle: Duration::from_mins(1), longest: Duration::from_secs(150) })
    }

    #[test]
    fn a_session_ends_when_it_is_not_used_and_in_any_case() {
        let (mut sessions, start) = (sessions(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let token = sessions.begin(anna(), By::Link, start).unwrap();
        for at in [50, 100, 140] {
            assert!(matches!(sessions.look(&token, after(at)), Looked::There(..)), "{at}");
        }
        assert!(matches!(sessions.look(&token, after(150)), Looked::Nobody), "the longest time is over");
        let token = sessions.begin(anna(), By::Link, start).unwrap();
        assert!(matches!(sessions.look(&token, after(60)), Looked::Nobody), "it was idle");
        let token = sessions.begin(anna(), By::Link, start).unwrap();
        sessions.end(&token);
        assert!(matches!(sessions.look(&token, start), Looked::Nobody));
    }

    #[test]
    fn no_session_makes_more_requests_than_a_person() {
        let (mut sessions, now) = (sessions(), Instant::now());
        let token = sessions.begin(anna(), By::Link, now).unwrap();
        for _ in 0..limits::CONSOLE_REQUESTS {
            assert!(matches!(sessions.look(&token, now), Looked::There(..)));
        }
        assert!(matches!(sessions.look(&token, now), Looked::TooMany));
        // Having asked too often, it was not used: it ends in its time.
        assert!(matches!(sessions.look(&token, now + Duration::from_mins(1)), Looked::Nobody));
    }

    #[test]
    fn who_begins_many_sessions_ends_their_own() {
        let (mut sessions, now) = (sessions(), Instant::now());
        let bo = SignedIn { subject: "bo".into(), ..anna() };
        let other = sessions.begin(bo, By::Link, now).unwrap();
        let first = sessions.begin(anna(), By::Proxy, now).unwrap();
        for _ in 0..limits::CONSOLE_SESSIONS_OF_ONE {
            sessions.begin(anna(), By::Proxy, now + Duration::from_secs(1)).unwrap();
        }
        assert!(matches!(sessions.look(&first, now), Looked::Nobody));
        assert!(matches!(sessions.look(&other, now), Looked::There(..)));
        assert_eq!(sessions.all.len(), 1 + limits::CONSOLE_SESSIONS_OF_ONE);
    }

    #[test]
    fn the_oldest_session_ends_for_a_new_one() {
        let (mut sessions, now) = (sessions(), Instant::now());
        let first = sessions.begin(anna(), By::Link, now).unwrap();
        for number in 0..limits::CONSOLE_SESSIONS {
            let other = SignedIn { subject: number.to_string(), ..anna() };
            sessions.begin(other, By::Link, now + Duration::from_secs(1)).unwrap();
        }
        assert_eq!(sessions.all.len(), limits::CONSOLE_SESSIONS);
        assert!(matches!(sessions.look(&first, now), Looked::Nobody));
    }

    #[test]
    fn a_link_is_used_once_and_soon() {
        let (mut links, now) = (Once::default(), Instant::now());
        let token = links.keep(7, now).unwrap();
        assert!(links.has(&token, now));
        assert_eq!((links.take(&token, now), links.take(&token, now)), (Some(7), None));
        let token = links.keep(8, now).unwrap();
        assert_eq!(links.take(&token, now + limits::CONSOLE_LINK), None);
        assert_eq!(Token::parse(token.as_str()), Some(token));
        assert_eq!(Token::parse("../../etc/passwd"), None);
    }

    #[test]
    fn roles_come_from_values_and_a_registrar_has_mailboxes() {
        let grant = |value: &str, role, mailbox: &[&str]| Grant {
            value: value.to_owned(),
            role,
            mailboxes: mailbox.iter().filter_map(|text| crate::address::Address::parse(text)).collect(),
        };
        let grants = [
            grant("r1", Role::Registrar, &["a@exempelby.se"]),
            grant("r2", Role::Registrar, &["b@exempelby.se"]),
            grant("x", Role::Reader, &[]),
        ];
        let who = |values: &[&str]| {
            SignedIn::with_values("anna".into(), String::new(), &values.iter().copied(), &grants)
        };
        assert_eq!(who(&["other", "R1"]), None, "values are compared as they are");
        let both = who(&["r2", "x", "r1"]).unwrap().roles;
        let mailboxes = vec!["a@exempelby.se".to_owned(), "b@exempelby.se".to_owned()];
        assert_eq!(both, [(Role::Reader, Vec::new()), (Role::Registrar, mailboxes)]);
    }
}
