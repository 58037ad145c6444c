//! What follows from sensitive data: the part of a rule's section that is not the rule's own.

#![deny(clippy::disallowed_methods)]

use super::context::{RuleContext, inside};
use crate::address::DomainPattern;
use crate::limits;
use crate::policy::{Actions, ClassAction, ClassPolicy, Inbound, NotifySender, SensitivePolicy};
use crate::rules::Sensitivity;
use crate::settings::problem::Fault;
use crate::settings::{Settings, parse};

/// The policy in the section; only the rule that `may_override` has `allow_override`.
pub(super) fn policy(
    section: &mut Settings<'_>,
    ground: RuleContext<'_>,
    may_override: bool,
) -> Option<Actions> {
    let words = [ClassAction::Mark, ClassAction::Hold, ClassAction::Reject];
    let action = section.optional("action", parse::one_of(&words, ClassAction::as_str));
    let classes = section.table_or_defaults("class", |classes| {
        ["moderate", "considerable", "serious"]
            .map(|name| classes.table_or_defaults(name, |section| class(section, action)).flatten())
    });
    let inbound = section.optional("inbound", parse::one_of(&Inbound::ALL, Inbound::as_str));
    let secure_alternative = section.optional("secure_alternative", |value| {
        let text = parse::text(value)?;
        if text.len() <= limits::ALTERNATIVE_OCTETS {
            return Ok(text.to_owned());
        }
        let problem = format!(
            "has {} bytes, more than the {} that fit in a rejection",
            text.len(),
            limits::ALTERNATIVE_OCTETS
        );
        Err(Fault::new(problem, "write a name, or the address of a page"))
    });
    let mut tls_routes = Vec::new();
    for value in section.list("tls_routes").unwrap_or_default() {
        let route = parse::text(value).and_then(|text| {
            let right = "write a domain, such as \"regionen.se\", or \"*.regionen.se\" for those below it";
            DomainPattern::parse(text)
                .map_err(|problem| Fault::new(format!("{} {problem}", parse::shown(text)), right))
        });
        tls_routes.extend(section.accept("tls_routes", value.at, route));
    }
    let notify = section.optional("notify", parse::one_of(&NotifySender::ALL, NotifySender::as_str));
    let tip = section.optional("tip", |value| match parse::flag(value)? {
        true if !ground.sends => Err(Fault::new("requires [smtp]", "add [smtp] with submit")),
        tip => Ok(tip),
    });
    let outbound_header = section.optional("outbound_header", parse::flag);
    let copy_to = section.optional("copy_to", |value| {
        if !ground.sends {
            return Err(Fault::new("requires [smtp]", "add [smtp] with submit"));
        }
        inside(value, ground, "findings must not be sent outside")
    });
    // Class none stands for no class.
    let allow_override = if may_override {
        allow_override(section, ground, notify == Some(NotifySender::Nobody))
    } else {
        Some(Sensitivity::None)
    };
    let [moderate, considerable, serious] = classes?;
    for (milder, graver, names) in [
        (&moderate, &considerable, ["moderate", "considerable"]),
        (&considerable, &serious, ["considerable", "serious"]),
    ] {
        if let (Some(milder), Some(graver)) = (milder, graver)
            && milder.action > graver.action
        {
            let [milder_name, graver_name] = names;
            let problem = format!(
                "class {graver_name} has the action {:?}, which does less than {:?} for the lower class {milder_name}",
                graver.action.as_str(),
                milder.action.as_str()
            );
            section.warn_here(Fault::new(problem, "check [rules.sensitive-data.class]"));
        }
    }
    Some(Actions::Sensitive(SensitivePolicy {
        moderate: moderate?,
        considerable: considerable?,
        serious: serious?,
        inbound: inbound?,
        secure_alternative,
        tls_routes,
        notify: notify?,
        tip: tip?,
        outbound_header: outbound_header?,
        copy_to,
        allow_override: allow_override?,
    }))
}

/// The highest class whose mail its sender may release.
fn allow_override(
    section: &mut Settings<'_>,
    ground: RuleContext<'_>,
    nobody_is_told: bool,
) -> Option<Sensitivity> {
    let words = [Sensitivity::None, Sensitivity::Moderate, Sensitivity::Considerable];
    section.optional("allow_override", |value| {
        if parse::text(value)? == Sensitivity::Serious.as_str() {
            return Err(Fault::new(
                "must not be \"serious\": such data must be encrypted, whatever its sender writes",
                "write \"moderate\" or \"considerable\"; an operator can release mail with serious data",
            ));
        }
        let most = parse::one_of(&words, Sensitivity::as_str)(value)?;
        if most == Sensitivity::None {
            return Ok(most);
        }
        if !ground.sends {
            return Err(Fault::new("requires [smtp]", "add [smtp] with submit"));
        }
        if nobody_is_told {
            let problem = "has no effect with notify = \"nobody\"";
            return Err(Fault::new(
                problem,
                "write notify = \"sender\": the notice says how to release the mail",
            ));
        }
        Ok(most)
    })
}

/// What the table says of one class; `of_rule` is the rule's own action.
fn class(section: &mut Settings<'_>, of_rule: Option<ClassAction>) -> Option<ClassPolicy> {
    let action =
        section.optional("action", parse::one_of(&ClassAction::ALL, ClassAction::as_str)).or(of_rule);
    let recorded = action == Some(ClassAction::Accept);
    let subject_tag = section.optional("subject_tag", |value| {
        let tag = parse::text(value)?;
        if recorded {
            let problem = "has no effect, because data of this class is only logged";
            return Err(Fault::new(problem, "add action = \"mark\""));
        }
        if tag.len() <= limits::SUBJECT_TAG_OCTETS {
            return Ok(tag.to_owned());
        }
        let problem = format!("has {} bytes and would hide the subject", tag.len());
        Err(Fault::new(problem, "write a short word in brackets, such as \"[KÄNSLIGT]\""))
    });
    Some(ClassPolicy { action: action?, subject_tag })
}
