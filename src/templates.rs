//! Templates: the texts that people are sent, in files that admins edit.
//!
//! A template is text with `Subject: …` as its first line, then an empty line, then the body. It is rendered with sample
//! fields when the config is read, so that a mistake in it is a mistake of the config, with its line. Absent: any way
//! for a field to reach the header, or to become more than one line.

#![deny(clippy::disallowed_methods)]

use std::collections::HashMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};

use crate::settings::files::NamedFile;
use crate::settings::problem::Fault;
use crate::text::words;
use crate::{limits, text};

words! {
    /// What a text is for. Each has its own fields, a text that comes with the program, and a sample to check it by.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Occasion {
        /// A mail to a function mailbox has arrived; to its sender.
        Receipt = "receipt",
        /// An automatic forward was stopped; to the mailbox that forwards.
        ForwardStopped = "forward-stopped",
        /// A forward was stopped because the exception for it has ended; to who approved that.
        ExceptionEnded = "exception-ended",
        /// A mail left, or waits, with large attachments; to its sender.
        LargeAttachment = "large-attachment",
        /// Somebody wrote to very many people inside; to the sender.
        MassMailing = "mass-mailing",
        /// A mail with sensitive data was held; to its sender.
        SensitiveStopped = "sensitive-stopped",
        /// What came of the answer by which a sender wants their held mail released; to the sender.
        SensitiveOverride = "sensitive-override",
        /// A mail with sensitive data was sent; to its sender, once a day.
        SensitiveMarked = "sensitive-marked",
        /// A mail with sensitive data was held or refused; to the function that answers for such data.
        SensitiveFound = "sensitive-found",
        /// A rule marked or stopped a mail; to its sender, to whom it is for, or to a function.
        RuleFound = "rule-found",
        /// A held mail goes back to its sender, with a reason; to the sender.
        MailReturned = "mail-returned",
        /// Mail is on hold and somebody has to decide; to the owner of the rule that held it.
        HeldMail = "held-mail",
        /// What the log's trees are; to the mailbox that keeps their heads, which stand below the text.
        TreeHead = "tree-head",
    }
}

impl Occasion {
    /// Those that people inside are told of.
    pub const NOTICES: [Self; 12] = [
        Self::ForwardStopped,
        Self::ExceptionEnded,
        Self::LargeAttachment,
        Self::MassMailing,
        Self::SensitiveStopped,
        Self::SensitiveOverride,
        Self::SensitiveMarked,
        Self::SensitiveFound,
        Self::RuleFound,
        Self::MailReturned,
        Self::HeldMail,
        Self::TreeHead,
    ];

    /// The text that comes with the program.
    fn shipped(self) -> &'static str {
        match self {
            Self::Receipt => include_str!("../config/templates/receipt.sv.txt"),
            Self::ForwardStopped => include_str!("../config/templates/forward-stopped.txt"),
            Self::ExceptionEnded => include_str!("../config/templates/exception-ended.txt"),
            Self::LargeAttachment => include_str!("../config/templates/large-attachment.txt"),
            Self::MassMailing => include_str!("../config/templates/mass-mailing.txt"),
            Self::SensitiveStopped => include_str!("../config/templates/sensitive-stopped.txt"),
            Self::SensitiveOverride => include_str!("../config/templates/sensitive-override.txt"),
            Self::SensitiveMarked => include_str!("../config/templates/sensitive-marked.txt"),
            Self::SensitiveFound => include_str!("../config/templates/sensitive-found.txt"),
            Self::RuleFound => include_str!("../config/templates/rule-found.txt"),
            Self::MailReturned => include_str!("../config/templates/mail-returned.txt"),
            Self::HeldMail => include_str!("../config/templates/held-mail.txt"),
            Self::TreeHead => include_str!("../config/templates/tree-head.txt"),
        }
    }

    /// Every field that a text may name, with a value to check it by. `organisation` is one of each.
    fn sample(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Receipt => &[
                ("mailbox", "registrator@exempelby.se"),
                ("mailbox_name", "Registrator"),
                ("reference", "PV-2026-7K3M9Q"),
                ("date", "2026-03-02"),
                ("time", "10:00"),
                ("subject", "Ansökan om bygglov"),
            ],
            Self::LargeAttachment | Self::MassMailing => {
                &[("mailbox", "anna@exempelby.se"), ("subject", "Bilder från festen"), ("action", "held")]
            }
            Self::ForwardStopped => &[
                ("mailbox", "anna@exempelby.se"),
                ("target", "anna@example.net"),
                ("action", "held"),
                ("reroute_to", "registrator@exempelby.se"),
            ],
            Self::ExceptionEnded => &[
                ("mailbox", "kommundirektoren@exempelby.se"),
                ("forwarder", "anna@exempelby.se"),
                ("target", "arkiv@leverantor.se"),
                ("decision", "KS 2026/123"),
                ("until", "2027-06-30"),
            ],
            Self::SensitiveOverride => &[
                ("mailbox", "anna@exempelby.se"),
                ("result", "released"),
                ("queue_id", "4ABCDE12345"),
                ("date", "2026-03-02"),
                ("time", "10:00"),
            ],
            Self::SensitiveStopped => &[
                ("mailbox", "anna@exempelby.se"),
                ("sender", "anna@exempelby.se"),
                ("recipients", "x@example.net"),
                ("action", "held"),
                ("class", "moderate"),
                ("kinds", "personnummer (1)"),
                ("class_sv", "måttlig"),
                ("kinds_sv", "personnummer (1)"),
                ("queue_id", "4ABCDE12345"),
                ("secure_alternative", "https://exempelby.se/saker-post"),
                ("override", "yes"),
                ("date", "2026-03-02"),
                ("time", "10:00"),
            ],
            Self::SensitiveMarked | Self::SensitiveFound => &[
                ("mailbox", "anna@exempelby.se"),
                ("sender", "anna@exempelby.se"),
                ("recipients", "x@example.net"),
                ("action", "held"),
                ("class", "serious"),
                ("kinds", "personnummer (2), health (1)"),
                ("class_sv", "allvarlig"),
                ("kinds_sv", "personnummer (2), hälsa (1)"),
                ("queue_id", "4ABCDE12345"),
                ("secure_alternative", "https://exempelby.se/saker-post"),
                ("date", "2026-03-02"),
                ("time", "10:00"),
            ],
            Self::RuleFound => &[
                ("mailbox", "anna@exempelby.se"),
                ("sender", "x@example.net"),
                ("recipients", "anna@exempelby.se"),
                ("subject", "Faktura"),
                ("rule", "suspicious-attachment"),
                ("rule_sv", "misstänkt bilaga"),
                ("action", "held"),
                ("text_sv", "Meddelandet har en bilaga som kan vara skadlig."),
                ("text_en", "The message has an attachment that may be harmful."),
                ("queue_id", "4ABCDE12345"),
                ("date", "2026-03-02"),
                ("time", "10:00"),
            ],
            Self::MailReturned => &[
                ("mailbox", "anna@exempelby.se"),
                ("recipients", "x@example.net"),
                ("subject", "Underlag"),
                ("text", "Skicka uppgifterna med säker e-post."),
                ("queue_id", "4ABCDE12345"),
                ("date", "2026-03-02"),
                ("time", "10:00"),
            ],
            Self::HeldMail => &[
                ("mailbox", "it-support@exempelby.se"),
                ("count", "3"),
                ("oldest", "2026-03-01 16:20"),
                ("limit", "2026-03-08 16:20"),
                ("date", "2026-03-02"),
                ("time", "10:00"),
            ],
            Self::TreeHead => &[
                ("mailbox", "arkiv@exempelby.se"),
                ("node", "gw1"),
                ("date", "2026-03-02"),
                ("time", "10:00"),
            ],
        }
    }
}

/// The values of a template's fields, by name.
pub type Fields = Vec<(&'static str, String)>;

/// A text, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    occasion: Occasion,
    source: String,
}

/// A text with its fields filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// Lines that end in LF.
    pub body: String,
}

/// Why a template gives no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Unrendered {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

impl Template {
    /// The text that comes with the program.
    pub fn shipped(occasion: Occasion) -> Self {
        Self { occasion, source: occasion.shipped().to_owned() }
    }

    /// The text in a file, if it gives a mail with the sample's fields, full and empty ones.
    pub fn parse(occasion: Occasion, file: &NamedFile) -> Result<Self, Fault> {
        let template = Self { occasion, source: file.text.replace("\r\n", "\n") };
        let sample = |value: fn(&str) -> String| -> Fields {
            let all = occasion.sample().iter().chain(&[("organisation", "Exempelby kommun")]);
            all.map(|(name, sample)| (*name, value(sample))).collect()
        };
        for fields in [sample(str::to_owned), sample(|_| String::new())] {
            if let Err(Unrendered { line, problem }) = template.render(&fields) {
                let names: Vec<&str> = occasion.sample().iter().map(|(name, _)| *name).collect();
                let right = format!(
                    "fix that line; {} has the fields organisation, {}",
                    occasion.as_str(),
                    names.join(", ")
                );
                return Err(file.fault(line, problem, right));
            }
        }
        Ok(template)
    }

    /// What it is for.
    pub fn occasion(&self) -> Occasion {
        self.occasion
    }

    /// The text with these fields; where this one gives none with just them, that of the one that comes with the
    /// program. What went wrong is added to `faults`.
    pub fn render_or_shipped(&self, fields: &Fields, faults: &mut Vec<String>) -> Option<Rendered> {
        for template in [self, &Self::shipped(self.occasion)] {
            match template.render(fields) {
                Ok(text) => return Some(text),
                Err(Unrendered { line, problem }) => {
                    faults.push(format!("template {}:{line}: {problem}", self.occasion.as_str()));
                }
            }
        }
        None
    }

    /// The text with these fields. What stands in a field is one line of plain text, whatever it was.
    pub fn render(&self, fields: &Fields) -> Result<Rendered, Unrendered> {
        let wrong = |error: &minijinja::Error| Unrendered {
            line: error.line().unwrap_or(1),
            problem: match error.detail() {
                Some(detail) => format!("{}: {detail}", error.kind()),
                None => error.kind().to_string(),
            },
        };
        let environment = environment().map_err(|error| wrong(&error))?;
        let values = fields.iter().map(|(name, value)| (*name, Value::from(one_line(value))));
        let text = environment
            .template_from_str(&self.source)
            .and_then(|template| template.render(Value::from_pairs(values)))
            .map_err(|error| wrong(&error))?;
        split(&text).ok_or_else(|| Unrendered {
            line: 1,
            problem: "the text must begin with `Subject: …` and an empty line".to_owned(),
        })
    }
}

/// No file can be included, nothing is fetched, and no loop is without an end.
fn environment<'a>() -> Result<Environment<'a>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(limits::TEMPLATE_STEPS));
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    Ok(environment)
}

/// The value as one line of visible text, cut at its limit.
fn one_line(value: &str) -> String {
    let bad = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}')
    };
    let plain = value.replace(bad, " ");
    text::truncate(plain.trim(), limits::TEMPLATE_FIELD_OCTETS).to_owned()
}

fn split(text: &str) -> Option<Rendered> {
    let (first, rest) = text.trim_start().split_once('\n')?;
    let subject = first.strip_prefix("Subject:")?.trim();
    let body = rest.strip_prefix('\n')?.trim_end();
    if subject.is_empty() || body.is_empty() {
        return None;
    }
    Some(Rendered { subject: one_line(subject), body: format!("{body}\n") })
}

/// The texts of notices: the organisation's own where it has one, else those that come with the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(HashMap<Occasion, Template>);

impl Texts {
    /// Takes a text of the organisation's own.
    pub fn set(&mut self, template: Template) {
        self.0.insert(template.occasion, template);
    }

    /// Takes those that the other has of its own.
    pub fn take(&mut self, own: Self) {
        self.0.extend(own.0);
    }

    /// The text for an occasion.
    pub fn of(&self, occasion: Occasion) -> Template {
        self.0.get(&occasion).cloned().unwrap_or_else(|| Template::shipped(occasion))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> NamedFile {
        NamedFile { name: "templates/receipt.sv.txt".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn the_texts_that_come_with_the_program_are_whole() {
        for occasion in Occasion::NOTICES.into_iter().chain([Occasion::Receipt]) {
            let template = Template::parse(occasion, &file(occasion.shipped()));
            let rendered = template.unwrap().render(
                &occasion
                    .sample()
                    .iter()
                    .chain(&[("organisation", "Exempelby kommun")])
                    .map(|(name, value)| (*name, (*value).to_owned()))
                    .collect(),
            );
            let Rendered { subject, body } = rendered.unwrap();
            assert!(!subject.contains('{') && !body.contains('{') && !body.contains('}'), "{body}");
            assert!(body.contains("Exempelby kommun") && !body.contains("\n\n\n"), "{body}");
            assert!(body.lines().all(|line| line.chars().count() <= 78), "{body}");
        }
    }

    #[test]
    fn what_came_of_an_answer_is_told_in_both_languages() {
        for (result, sv, en) in [
            ("released", "har släppts och skickas", "is on its way"),
            ("proposed", "en person till", "a second person"),
            ("short", "ingen motivering", "no justification"),
            ("gone", "inte längre stoppat", "no longer on hold"),
            ("not-allowed", "inte tillåtet", "not allowed"),
        ] {
            let sample =
                Occasion::SensitiveOverride.sample().iter().chain(&[("organisation", "Exempelby kommun")]);
            let fields = sample
                .map(|(name, value)| (*name, if *name == "result" { result } else { value }.to_owned()));
            let text = Template::shipped(Occasion::SensitiveOverride).render(&fields.collect()).unwrap().body;
            assert!(text.contains(sv) && text.contains(en) && !text.contains("\n\n\n"), "{result}: {text}");
        }
    }

    #[test]
    fn a_mistake_in_a_template_has_its_line() {
        for (text, line, words) in [
            ("Subject: a\n\n{{ refrence }}\n", 3, "undefined"),
            ("Subject: a\n\nHej\n{% if %}\n", 4, "syntax"),
            ("Subject: a\n\n{{ mailbox\n", 3, "syntax"),
            ("Hej!\n\nVi har\n", 1, "Subject"),
            ("Subject:\n\nHej\n", 1, "Subject"),
            ("Subject: a\nHej\n", 1, "Subject"),
            (
                "Subject: a\n\n{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}\n",
                3,
                "fuel",
            ),
            ("Subject: a\n\n{% include \"/etc/passwd\" %}\n", 3, ""),
        ] {
            let fault = Template::parse(Occasion::Receipt, &file(text)).unwrap_err();
            assert!(fault.problem.starts_with(&format!("templates/receipt.sv.txt:{line}: ")), "{fault:?}");
            assert!(fault.problem.contains(words), "{fault:?}");
        }
    }

    #[test]
    fn a_field_stays_one_line_wherever_it_stands() {
        let template = Template::parse(Occasion::Receipt, &file("Subject: {{ subject }}\n\n{{ subject }}\n"));
        let fields = vec![("subject", "a\r\nBcc: x@example.net\n\n{{ 7 * 7 }}\u{202E}\0".to_owned())];
        let rendered = template.map(|template| template.render(&fields));
        // An empty subject gives no subject line, so this template is refused; a field may be empty.
        assert!(rendered.is_err());
        let template =
            Template::parse(Occasion::Receipt, &file("Subject: Re: {{ subject }}\n\n[{{ subject }}]\n"));
        let rendered = template.unwrap().render(&fields).unwrap();
        assert_eq!(rendered.subject, "Re: a  Bcc: x@example.net  {{ 7 * 7 }}");
        assert_eq!(rendered.body, "[a  Bcc: x@example.net  {{ 7 * 7 }}]\n");
    }
}
