//! `credentials`: passwords, codes, private keys and tokens in the clear.

#![deny(clippy::disallowed_methods)]

use super::sensitive_data::unread;
use super::{
    ActionSet, Confidence, Evidence, Finding, Flow, Match, Rule, Section, Sensitivity, Sighting, Spec,
};
use crate::documents::{Scheme, State};
use crate::facts::attachment::Attachment;
use crate::facts::passage::Place;
use crate::facts::{Facts, Needs};
use crate::scan::credentials::{self, Secret};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "credentials",
    summary: "Passwords, codes, private keys and tokens in the clear, and passwords sent beside the file they open.",
    page: PAGE,
    menu: ActionSet::Sensitive,
    flow: Flow::All,
    section: Section::One,
    keys: &[],
    make: |_, _| Some(Box::new(Credentials)),
};

const PAGE: &str = "\
## What it finds
- A word for a password with its value (`Lösenordet till filen är …`, `password: …`, `pwd=…`), and a PIN or one-time
  code with its digits.
- The code of a door or an alarm (`portkod`, `larmkod`, `koden till porten`).
- Keys of cloud services (`AccountKey=`, `aws_secret_access_key =`), and a user name with a password in a URL.
- Private keys (PEM, OpenSSH, PuTTY).
- Tokens with a fixed prefix (AWS, GitHub, GitLab, Slack, Stripe, Google, SendGrid, npm and others), and JSON Web
  Tokens.

Placeholders do not count: asterisks, `<ditt lösenord>`, `skickas separat`, a link to a page where passwords are
changed. A value with several kinds of characters, or alone on its line, is *strong*. A value that may be a word is
*medium*.

A *strong* credential is of class *considerable*, a *medium* one *moderate*. A password or code beside an attachment
that is encrypted with a password makes the encryption worthless; the mail is then of class *serious*, because the
content of the attachment is unknown. If the mail has such an attachment, every `kod` and `nyckel` with a value counts.

## Why it matters
A mailed password is known to everyone on the way and to everyone who ever reads either mailbox.

## What it misses
Passwords that no word announces, and passwords in images without `[ocr]`. A password that follows in a separate mail:
each mail is judged alone. Words in languages other than Swedish and English.

## Settings
They are the same as those of `sensitive-data`.

## References
Gislaved's guidelines 5.2 (passwords are not sent over insecure channels); RFC 7468 (PEM), RFC 7519 (JSON Web Tokens).
";

/// The rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials;

impl Rule for Credentials {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        Needs { body: true, text: true, documents: true, ..Needs::NONE }
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        let mut findings: Vec<Finding> = found(facts).map(Finding::Match).into_iter().collect();
        findings.extend(unread(facts).into_iter().map(Finding::Unknown));
        findings
    }
}

fn found(facts: &Facts) -> Option<Match> {
    let locked: Vec<&Attachment> =
        facts.attachments.iter().filter(|attachment| has_password(attachment)).collect();
    let mut sightings = Vec::new();
    let (mut sure, mut count, mut key) = (Confidence::Weak, 0, false);
    let passages = facts.passages.iter().filter(|passage| passage.place != Place::DisplayName);
    for passage in passages.take_while(|_| facts.work.goes_on()) {
        let folded = passage.folded(&facts.work);
        let all = credentials::find(&folded, !locked.is_empty());
        count += all.len();
        sure = all.iter().map(|credential| credential.sure).fold(sure, Confidence::max);
        key |= all.iter().any(|credential| matches!(credential.secret, Secret::Password | Secret::Code));
        let first = all.iter().max_by_key(|credential| credential.sure);
        sightings.extend(first.map(|first| Sighting::of_credential(first, &folded, passage)));
    }
    let voided = key && !locked.is_empty();
    let (class, grade) = match sure {
        Confidence::Weak => return None,
        _ if voided => (Sensitivity::Serious, Confidence::Strong),
        Confidence::Medium => (Sensitivity::Moderate, Confidence::Medium),
        Confidence::Strong | Confidence::Certain => (Sensitivity::Considerable, Confidence::Strong),
    };
    let mut counts = vec![("credentials", count)];
    let mut beside = Vec::new();
    if voided {
        counts.push(("encryption-void", locked.len()));
        beside.push("its encryption is void");
        sightings.extend(locked.iter().map(|locked| Sighting::of_encrypted(&locked.path, &locked.name)));
    }
    let evidence = Evidence::of_data(class, counts, &sightings, &beside);
    Some(Match { grade, evidence, mailboxes: Vec::new(), recipients: Vec::new() })
}

/// Whether the attachment is encrypted with a password, and not to somebody's key.
fn has_password(attachment: &Attachment) -> bool {
    match attachment.state {
        State::Encrypted(scheme) => match scheme {
            Scheme::Zip
            | Scheme::ZipWeak
            | Scheme::SevenZip
            | Scheme::Rar
            | Scheme::Pdf
            | Scheme::Office
            | Scheme::OpenDocument => true,
            Scheme::Smime | Scheme::Pgp | Scheme::Rights => false,
        },
        State::Plain | State::Readable(_) | State::Uninspectable(_) => false,
    }
}

#[cfg(test)]
mod tests;
