//! `[[rules.<id>.exceptions]]`: for whom a rule does not hold, by whose decision, and until when.

#![deny(clippy::disallowed_methods)]

use ipnet::IpNet;

use super::context::{RuleContext, place};
use crate::groups::{AddressList, Entry, Side};
use crate::organisation::Organisation;
use crate::policy::{Exception, Scope};
use crate::rules::{ActionSet, Flow, Spec};
use crate::settings::lists::Fits;
use crate::settings::problem::Fault;
use crate::settings::{Settings, Value, parse};

/// The exceptions of a rule.
pub(super) fn exceptions(section: &mut Settings<'_>, spec: &Spec, ground: RuleContext<'_>) -> Vec<Exception> {
    let mut all: Vec<Exception> = Vec::new();
    for value in section.list("exceptions").unwrap_or_default() {
        let read = section.nested("exceptions", value, |s| exception(s, spec, ground)).flatten();
        let Some(exception) = read else { continue };
        // Of a list that is wrong nothing may be left, and there is a problem for that already.
        let whole = [&exception.scope.sender, &exception.scope.author, &exception.scope.mailbox]
            .into_iter()
            .chain([&exception.scope.recipient])
            .flatten()
            .all(|list| !list.is_empty());
        if let Some(same) = all.iter().find(|known| whole && is_same(known, &exception)) {
            let problem = format!("is the same as the exception at {}", same.place);
            section.wrong("exceptions", value.at, Fault::new(problem, "keep one of the two"));
        }
        all.push(exception);
    }
    all
}

fn is_same(one: &Exception, other: &Exception) -> bool {
    one.scope == other.scope && one.until == other.until && one.decision == other.decision
}

fn exception(section: &mut Settings<'_>, spec: &Spec, ground: RuleContext<'_>) -> Option<Exception> {
    let forward = spec.menu == ActionSet::Forward;
    let scope = if forward { of_forward(section, ground) } else { of_mail(section, spec, ground) };
    let text = |value: &Value| parse::text(value).map(str::to_owned);
    // Data of persons may go past a rule only by a decision that somebody answers for.
    let (decided, approved) = (forward || spec.menu.protects_persons(), spec.menu.protects_persons());
    let right = "an exception requires a decision: write decision = \"KS 2026/123\"";
    let decision = wanted(section, "decision", decided.then_some(right), text);
    let right =
        "an exception of this rule requires who approved it: write approved_by = \"kommundirektören\"";
    let approved_by = wanted(section, "approved_by", approved.then_some(right), text);
    let right = "an exception requires an end date: write until = 2027-06-30";
    let until = wanted(section, "until", decided.then_some(right), parse::date);
    let outside = |entry: &Entry| ground.organisation.is_none_or(|own| entry.side(own) != Side::Inside);
    let named_outside = |list: &Option<AddressList>| {
        list.iter().any(|list| list.any(outside) || !list.directories().is_empty())
    };
    let scope = scope?;
    let exception = Exception {
        authenticates: spec.flow != Flow::FromInside
            && (named_outside(&scope.sender) || named_outside(&scope.author)),
        scope,
        decision,
        approved_by,
        until,
        place: place(section),
    };
    warn_of_its_end(section, &exception, ground);
    Some(exception)
}

/// The value; without it `right` says what to write, if it is required.
fn wanted<T>(
    section: &mut Settings<'_>,
    key: &'static str,
    right: Option<&str>,
    parse: impl FnOnce(&Value) -> Result<T, Fault>,
) -> Option<T> {
    match right {
        Some(right) => section.required(key, right, parse),
        None => section.optional(key, parse),
    }
}

/// Of a forward: from which mailboxes, to which targets.
fn of_forward(section: &mut Settings<'_>, ground: RuleContext<'_>) -> Option<Scope> {
    let own = |entry: &Entry| inside(entry, ground, "an exception is for a mailbox inside");
    let fits = Fits { domains: false, entry: &own };
    let mailbox = section.required_addresses("mailbox", "write mailbox = \"anna@exempelby.se\"", fits);
    let other = |entry: &Entry| match ground.organisation.map(|own| entry.side(own)) {
        Some(Side::Inside) => Err(Fault::new(
            format!("{entry} is inside, and forwards inside need no exception"),
            "remove the exception, or write an external address",
        )),
        Some(Side::Outside | Side::Both) | None => Ok(()),
    };
    let right = "write to = \"arkiv@leverantor.se\", or \"@leverantor.se\"";
    let to = section.required_addresses("to", right, Fits { domains: true, entry: &other });
    Some(Scope { mailbox: Some(mailbox?), recipient: Some(to?), ..Scope::default() })
}

/// Of other mail: whatever is named.
fn of_mail(section: &mut Settings<'_>, spec: &Spec, ground: RuleContext<'_>) -> Option<Scope> {
    let party = |entry: &Entry| of_flow(entry, spec, ground);
    let receiver = |entry: &Entry| match spec.flow {
        Flow::FromOutside => inside(entry, ground, "only mailboxes inside receive inbound mail"),
        Flow::FromInside | Flow::All => Ok(()),
    };
    let own = |entry: &Entry| inside(entry, ground, "mailbox is for mailboxes inside");
    let fits = |entry| Fits { domains: true, entry };
    let scope = Scope {
        sender: section.addresses("sender", fits(&party)),
        author: section.addresses("author", fits(&party)),
        mailbox: section.addresses("mailbox", fits(&own)),
        recipient: section.addresses("recipient", fits(&receiver)),
        client: clients(section),
    };
    if scope == Scope::default() {
        let right = "write sender, author, mailbox, recipient or client; or set the rule's mode = \"off\"";
        section.wrong_here(Fault::new("covers all mail, because it names nobody", right));
        return None;
    }
    Some(scope)
}

/// Whether anybody of that name sends mail that the rule looks at.
fn of_flow(entry: &Entry, spec: &Spec, ground: RuleContext<'_>) -> Result<(), Fault> {
    let side = ground.organisation.map(|own| entry.side(own));
    let (is, looks) = match (spec.flow, side) {
        (Flow::FromOutside, Some(Side::Inside)) => ("inside", "from outside"),
        (Flow::FromInside, Some(Side::Outside)) => ("outside", "from inside"),
        (Flow::All | Flow::FromInside | Flow::FromOutside, _) => return Ok(()),
    };
    let problem = format!("{entry} is {is}, and {} looks only at mail {looks}", spec.id);
    Err(Fault::new(problem, "remove it; it would have no effect"))
}

/// An entry that must be inside, and why.
pub(super) fn inside(entry: &Entry, ground: RuleContext<'_>, why: &str) -> Result<(), Fault> {
    let right = "write an address in one of organisation.domains";
    match ground.organisation {
        Some(own) if is_outside(entry, own) => Err(Fault::new(format!("{entry} is outside: {why}"), right)),
        Some(_) | None => Ok(()),
    }
}

fn is_outside(entry: &Entry, own: &Organisation) -> bool {
    match entry {
        Entry::Address(address) => !own.keeps(address),
        Entry::Domain(_) => entry.side(own) == Side::Outside,
    }
}

fn clients(section: &mut Settings<'_>) -> Option<Vec<IpNet>> {
    let values = section.list("client")?;
    if values.is_empty() {
        let at = section.value("client").map_or(0, |value| value.at);
        section.wrong("client", at, Fault::new("is empty", "name a network, or remove the key"));
    }
    let network = |value: &Value| {
        let network = parse::network(value)?;
        let so = "the exception would cover all mail";
        parse::whole_internet(&network, so, "list only the hosts that are meant").map_or(Ok(network), Err)
    };
    Some(values.iter().filter_map(|value| section.accept("client", value.at, network(value))).collect())
}

fn warn_of_its_end(section: &Settings<'_>, exception: &Exception, ground: RuleContext<'_>) {
    let Exception { scope, decision, until: Some(until), .. } = exception else { return };
    let decision = decision.as_ref().map(|decision| format!(" (decision {decision})")).unwrap_or_default();
    if exception.has_ended(ground.today) {
        let problem = format!("the exception for {scope} ended on {until}{decision}");
        section.warn_here(Fault::new(problem, "remove it, or renew it by a new decision"));
    } else if exception.ends_soon(ground.today) {
        let problem = format!("the exception for {scope} ends on {until}{decision}");
        section.warn_here(Fault::new(problem, "remove it then, or renew it by a new decision"));
    }
}
