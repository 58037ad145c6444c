//! What follows from sensitive data: the part of a rule's section that is not the rule's own.

#![deny(clippy::disallowed_methods)]

use super::context::{RuleContext, inside};
use crate::address::DomainPattern;
use crate::limits;
use crate::policy::{Actions, ClassAction, ClassPolicy, Inbound, NotifySender, SensitivePolicy};
use crate::settings::problem::Fault;
use crate::settings::{Settings, parse};

/// The policy in the section.
pub(super) fn policy(section: &mut Settings<'_>, ground: RuleContext<'_>) -> Actions {
    // `action` is for what does harm; what may be nothing passes unless its class says otherwise.
    let words = [ClassAction::Mark, ClassAction::Hold, ClassAction::Reject];
    let action = section.optional("action", parse::one_of(&words, ClassAction::as_str)).unwrap_or_default();
    let all = |action| ClassPolicy { action, subject_tag: None };
    let mut policy = SensitivePolicy {
        moderate: all(ClassAction::Accept),
        considerable: all(action),
        serious: all(action),
        ..SensitivePolicy::default()
    };
    section.table("class", |classes| {
        for (name, policy) in [
            ("moderate", &mut policy.moderate),
            ("considerable", &mut policy.considerable),
            ("serious", &mut policy.serious),
        ] {
            classes.table(name, |section| class(section, policy));
        }
    });
    policy.inbound =
        section.optional("inbound", parse::one_of(&Inbound::ALL, Inbound::as_str)).unwrap_or_default();
    policy.secure_alternative = section.optional("secure_alternative", |value| {
        let text = parse::text(value)?;
        if text.len() <= limits::ALTERNATIVE_OCTETS {
            return Ok(text.to_owned());
        }
        let problem =
            format!("has {} octets, and a refusal has room for {}", text.len(), limits::ALTERNATIVE_OCTETS);
        Err(Fault::new(problem, "write a name or an address of a page that says more"))
    });
    for value in section.list("tls_routes").unwrap_or_default() {
        let route = parse::text(value).and_then(|text| {
            let right = "write a domain, as \"regionen.se\", or \"*.regionen.se\" for those below it";
            DomainPattern::parse(text)
                .map_err(|problem| Fault::new(format!("{} {problem}", parse::shown(text)), right))
        });
        policy.tls_routes.extend(section.accept("tls_routes", value.at, route));
    }
    let notify = section.optional("notify", parse::one_of(&NotifySender::ALL, NotifySender::as_str));
    policy.notify = notify.unwrap_or_default();
    policy.copy_to = section.optional("copy_to", |value| {
        if !ground.sends {
            return Err(Fault::new("has nothing to be told by", "write [smtp] with submit too"));
        }
        inside(value, ground, "what was found must not be told outside")
    });
    Actions::Sensitive(policy)
}

fn class(section: &mut Settings<'_>, policy: &mut ClassPolicy) {
    if let Some(action) = section.optional("action", parse::one_of(&ClassAction::ALL, ClassAction::as_str)) {
        policy.action = action;
    }
    let recorded = policy.action == ClassAction::Accept;
    policy.subject_tag = section.optional("subject_tag", |value| {
        let tag = parse::text(value)?;
        if recorded {
            let problem = "is put before no subject: such data is a line in the log";
            return Err(Fault::new(problem, "write action = \"mark\" beside it"));
        }
        if tag.len() <= limits::SUBJECT_TAG_OCTETS {
            return Ok(tag.to_owned());
        }
        let problem = format!("has {} octets, and nobody would see the subject behind it", tag.len());
        Err(Fault::new(problem, "write a short word in brackets, as \"[KÄNSLIGT]\""))
    });
}
