//! The rules of a config: what every rule's section says (mode, action, `on_unknown`), by the menu of its spec; the
//! rest of the section is the rule's own.

#![deny(clippy::disallowed_methods)]

use super::context::{RuleContext, inside, place, tag};
use super::custom;
use super::exceptions;
use super::held;
use super::receipts;
use super::sensitive;
use super::told::told;
use crate::address::DomainSet;
use crate::groups::Entry as Member;
use crate::limits;
use crate::policy::{
    Actions, AttachmentPolicy, ClassAction, ContentAction, ForwardAction, ForwardPolicy, Label, MarkPolicy,
    Mode, Notify, NotifySender, OVERRIDABLE, OnLikely, OnUnknown, Response, RulePolicy, SenderAction,
    SenderPolicy, TellSender, Told, VirusAction,
};
use crate::rules::{self, ActionSet, Relied, RelyOn, Rule, Section, Spec};
use crate::settings::lists::Fits;
use crate::settings::problem::Fault;
use crate::settings::{Settings, Value, parse};
use crate::templates::Occasion;

pub(super) type Configured = (Box<dyn Rule>, RulePolicy);

/// The section of a rule, read.
pub(super) struct Read {
    /// Its name.
    pub(super) id: String,
    /// Absent where it is wrong.
    pub(super) rule: Option<Box<dyn Rule>>,
    pub(super) policy: RulePolicy,
}

/// `[rules]`: what every section says, in the order of the file.
pub(super) fn sections(section: &mut Settings<'_>, ground: RuleContext<'_>) -> Vec<Read> {
    let mut all = Vec::new();
    for entry in section.entries() {
        match rules::ALL.iter().find(|spec| spec.id == entry.key) {
            None => section.wrong(&parse::shown_key(&entry.key), entry.at, no_such_rule(&entry.key)),
            Some(spec) => match spec.section {
                Section::One => {
                    all.extend(
                        section.nested(spec.id, &entry.value, |s| rule(s, spec, spec.id, ground)).flatten(),
                    );
                }
                Section::Named(_) => {
                    all.extend(
                        section.nested(spec.id, &entry.value, |s| named(s, spec, ground)).unwrap_or_default(),
                    );
                }
            },
        }
    }
    all
}

/// The rules in the order in which they are asked; what relies on something that there is not is reported.
pub(super) fn in_order(section: &Settings<'_>, mut all: Vec<Configured>) -> Vec<Configured> {
    // Custom rules see what the others found.
    all.sort_by_key(|(rule, _)| rule.id().starts_with(CUSTOM));
    relied(section, &all);
    all
}

const CUSTOM: &str = "custom.";

/// Reports conditions on what a rule found that is not enabled: they would never be met.
fn relied(section: &Settings<'_>, all: &[Configured]) {
    for (rule, policy) in all {
        for Relied { key, at, on } in rule.relies_on() {
            let RelyOn::Rules(rules) = on else { continue };
            if !all.iter().any(|(other, _)| rules.contains(&other.id())) {
                let problem =
                    format!("relies on [rules.{}], which is not enabled", rules.join("] or [rules."));
                let right = "enable it, at least with mode = \"observe\", or remove the condition";
                section.wrong(&format!("{}.when.{key}", rule.id()), at, Fault::new(problem, right));
            }
        }
        let stops = |policy: &RulePolicy| match &policy.actions {
            Actions::Content(content) => {
                content.action != ContentAction::Mark || policy.on_unknown != OnUnknown::Accept
            }
            _ => false,
        };
        if let Some(at) = rule.is_about_spam()
            && policy.all().any(stops)
        {
            let problem =
                "spam may be a public record, so a rule about it must not hold, reject or defer mail";
            let right =
                "write action = \"mark\", with reroute_to or subject_tag, and on_unknown = \"accept\"";
            section.wrong(rule.id(), at, Fault::new(problem, right));
        }
    }
}

pub(super) fn no_such_rule(id: &str) -> Fault {
    let there_are: Vec<String> = rules::ALL
        .iter()
        .map(|spec| match spec.section {
            Section::One => spec.id.to_owned(),
            Section::Named(_) => format!("{}.<name>", spec.id),
        })
        .collect();
    let there_are = there_are.join(", ");
    let right = match parse::nearest(id, rules::ALL.iter().map(|spec| spec.id)) {
        Some(near) => format!("did you mean `{near}`? Known rules: {there_are}"),
        None => format!("known rules: {there_are}"),
    };
    Fault::new("unknown rule", right)
}

/// `[rules.<id>.<name>]`, as many as there are.
fn named(section: &mut Settings<'_>, spec: &Spec, ground: RuleContext<'_>) -> Vec<Read> {
    let entries = section.entries();
    if entries.len() > limits::CUSTOM_RULES {
        let most = limits::CUSTOM_RULES;
        let problem = format!("has {} rules, more than the maximum of {most}", entries.len());
        section.wrong_here(Fault::new(problem, "combine some of them"));
    }
    let mut all = Vec::new();
    for entry in entries {
        if is_name(&entry.key) {
            let id = format!("{}.{}", spec.id, entry.key);
            all.extend(section.nested(&entry.key, &entry.value, |s| rule(s, spec, &id, ground)).flatten());
        } else {
            let fault =
                Fault::new("is not a valid rule name", "write letters, digits and `-`, such as no-exe");
            section.wrong(&parse::shown_key(&entry.key), entry.at, fault);
        }
    }
    all
}

fn is_name(name: &str) -> bool {
    (1..=limits::RULE_NAME_OCTETS).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The section of one rule; `None` where it is wrong, or off and says too little.
pub(super) fn rule(
    section: &mut Settings<'_>,
    spec: &Spec,
    id: &str,
    ground: RuleContext<'_>,
) -> Option<Read> {
    let right = "write mode = \"observe\" to see what the rule would do, then \"enforce\"";
    let word = parse::one_of(&Mode::ALL, Mode::as_str);
    let mode = match spec.menu {
        // These rules stop no mail, so their mode has a default.
        ActionSet::Spam | ActionSet::Receipt => section.optional("mode", word),
        ActionSet::Forward
        | ActionSet::Content
        | ActionSet::Sensitive
        | ActionSet::Virus
        | ActionSet::Sender(_)
        | ActionSet::Attachment
        | ActionSet::Mark => section.required("mode", right, word),
    };
    let off = mode == Some(Mode::Off);
    if off {
        section.ask_for_nothing();
    }
    let ground = RuleContext { sends: ground.sends || off, ..ground };
    // A rule that can only mark has no `on_unknown`.
    let on_unknown = match spec.menu {
        ActionSet::Mark | ActionSet::Spam | ActionSet::Sender(_) => Some(OnUnknown::Accept),
        // A mail that is deferred for ever comes back to its sender, as one that is rejected.
        ActionSet::Attachment => section
            .optional("on_unknown", parse::one_of(&[OnUnknown::Accept, OnUnknown::Hold], OnUnknown::as_str)),
        ActionSet::Forward
        | ActionSet::Content
        | ActionSet::Virus
        | ActionSet::Receipt
        | ActionSet::Sensitive => {
            section.optional("on_unknown", parse::one_of(&OnUnknown::ALL, OnUnknown::as_str))
        }
    };
    let actions = match spec.menu {
        ActionSet::Forward => forward(section, ground),
        ActionSet::Content => custom::policy(section, ground),
        ActionSet::Virus => virus(section),
        ActionSet::Sender(occasion) => sender(section, occasion),
        ActionSet::Mark => Some(Actions::Mark(mark(section, ground, Label::Suspicious))),
        ActionSet::Attachment => attachment(section, ground),
        ActionSet::Spam => Some(Actions::Mark(mark(section, ground, Label::Spam))),
        ActionSet::Receipt => receipts::receipts(section, ground),
        ActionSet::Sensitive => sensitive::policy(section, ground, spec.id == OVERRIDABLE),
    };
    let exceptions = exceptions::exceptions(section, spec, ground);
    let owner = match spec.menu {
        ActionSet::Mark | ActionSet::Spam => None,
        ActionSet::Forward
        | ActionSet::Content
        | ActionSet::Sensitive
        | ActionSet::Virus
        | ActionSet::Sender(_)
        | ActionSet::Attachment
        | ActionSet::Receipt => section.optional("owner", |value| inside(value, ground, held::WHY)),
    };
    let rule = (spec.make)(id, section);
    let place = place(section);
    let (mode, on_unknown, actions) = (mode?, on_unknown?, actions?);
    let authorities = Vec::new();
    let policy = RulePolicy { mode, on_unknown, actions, exceptions, owner, place, authorities };
    if policy.mode == Mode::Enforce && !ground.sends && would_tell(&policy.actions, section.names("notify")) {
        let problem = "stops mail, and nobody is told: there is no [smtp]";
        let right = "add [smtp] with submit = \"127.0.0.1:10026\", or write notify = \"nobody\"";
        section.warn_here(Fault::new(problem, right));
    }
    Some(Read { id: id.to_owned(), rule, policy })
}

/// Whether the rule tells somebody of the mail that it stops.
fn would_tell(actions: &Actions, asked_to: bool) -> bool {
    match actions {
        Actions::Forward(forward) => {
            let told = |response: &Response| response.action != ForwardAction::Reject;
            forward.notify == Notify::Owner && (told(&forward.private) || told(&forward.others))
        }
        Actions::Sensitive(sensitive) => {
            let classes = [&sensitive.moderate, &sensitive.considerable, &sensitive.serious];
            sensitive.notify == NotifySender::Sender
                && classes.iter().any(|class| class.action == ClassAction::Hold)
        }
        Actions::Sender(sender) => {
            sender.notify == TellSender::Sender && (asked_to || sender.action == SenderAction::Hold)
        }
        Actions::Attachment(attachment) => {
            attachment.action == SenderAction::Hold && (asked_to || !attachment.notify.is_nobody())
        }
        Actions::Content(content) => asked_to && !content.notify.is_nobody(),
        Actions::Receipt(_) | Actions::Virus(_) | Actions::Mark(_) => false,
    }
}

fn virus(section: &mut Settings<'_>) -> Option<Actions> {
    let action = section.optional("action", parse::one_of(&VirusAction::ALL, VirusAction::as_str));
    action.map(Actions::Virus)
}

fn sender(section: &mut Settings<'_>, occasion: Occasion) -> Option<Actions> {
    let action = section.optional("action", parse::one_of(&SenderAction::ALL, SenderAction::as_str));
    let notify = section.optional("notify", parse::one_of(&TellSender::ALL, TellSender::as_str));
    Some(Actions::Sender(SenderPolicy { action: action?, notify: notify?, occasion }))
}

/// Whoever waits for a mail that is held must be able to ask for it, so they are told.
fn attachment(section: &mut Settings<'_>, ground: RuleContext<'_>) -> Option<Actions> {
    let action = section.optional("action", parse::one_of(&SenderAction::ALL, SenderAction::as_str));
    let held = action == Some(SenderAction::Hold);
    let notify = told(section, ground).unwrap_or(Told { owner: held, ..Told::default() });
    let mark = mark(section, ground, Label::Suspicious);
    Some(Actions::Attachment(AttachmentPolicy { action: action?, mark, notify }))
}

fn mark(section: &mut Settings<'_>, ground: RuleContext<'_>, label: Label) -> MarkPolicy {
    let subject_tag = section.optional("subject_tag", tag);
    let receiver =
        |entry: &Member| exceptions::inside(entry, ground, "only mailboxes inside receive inbound mail");
    let headers_only = section.addresses("headers_only", Fits { domains: true, entry: &receiver });
    if subject_tag.is_none() && section.names("headers_only") && !section.names("subject_tag") {
        let fault = Fault::new(
            "headers_only has no effect without subject_tag",
            "add subject_tag, or remove headers_only",
        );
        section.wrong_here(fault);
    }
    MarkPolicy { label, subject_tag, headers_only: headers_only.unwrap_or_default() }
}

fn forward(section: &mut Settings<'_>, ground: RuleContext<'_>) -> Option<Actions> {
    let others = response(section, None);
    let private = section.table("private", |private| response(private, others)).unwrap_or(others);
    let to = |value: &Value| inside(value, ground, "rerouted mail must stay inside");
    let reroutes =
        [others, private].iter().flatten().any(|response| response.action == ForwardAction::Reroute);
    let reroute_to = if reroutes {
        let right = "action = \"reroute\" requires it: write reroute_to = \"registrator@exempelby.se\"";
        section.required("reroute_to", right, to)
    } else {
        section.optional("reroute_to", to)
    };
    let private_domains = section.file("private_domains", |file| {
        DomainSet::parse(&file.text)
            .map_err(|(line, wrong)| file.fault(line, wrong, "write one domain on each line"))
    });
    let notify = section.optional("notify", parse::one_of(&Notify::ALL, Notify::as_str));
    Some(Actions::Forward(ForwardPolicy {
        private: private?,
        others: others?,
        private_domains: private_domains.unwrap_or_else(shipped_private_domains),
        reroute_to,
        notify: notify?,
    }))
}

/// What a table says of one kind of target, and what holds where it says nothing.
fn response(section: &mut Settings<'_>, otherwise: Option<Response>) -> Option<Response> {
    let action = section.optional("action", parse::one_of(&ForwardAction::ALL, ForwardAction::as_str));
    let strong = section.optional("strong", parse::one_of(&OnLikely::ALL, OnLikely::as_str));
    let action = action.or(otherwise.map(|otherwise| otherwise.action));
    let strong = strong.or(otherwise.map(|otherwise| otherwise.strong));
    Some(Response { action: action?, strong: strong? })
}

/// The list that comes with the program; a test reads it.
fn shipped_private_domains() -> DomainSet {
    DomainSet::parse(include_str!("../../config/private-domains.txt")).unwrap_or_default()
}
