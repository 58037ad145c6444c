//! `[rules.receipt]`: the function mailboxes, and how their receipts are sent.

#![deny(clippy::disallowed_methods)]

use std::sync::Arc;

use super::context::{RuleContext, mailboxes, too_many};
use crate::address::{Address, DomainSet};
use crate::limits;
use crate::policy::Actions;
use crate::policy::receipts::{Mailbox, Per, Rate, RateLimits, ReceiptPolicy};
use crate::settings::problem::Fault;
use crate::settings::{Settings, Value, parse};
use crate::templates::{Occasion, Template};

/// What the section says beside what the rule itself reads.
pub(super) fn receipts(section: &mut Settings<'_>, ground: RuleContext<'_>) -> Option<Actions> {
    let delay = section.optional("delay", parse::duration_up_to(limits::OUTBOX_FOLD_TIME));
    let echo_subject = section.optional("echo_subject", parse::flag);
    let authorities = section.file("authorities", |file| {
        DomainSet::parse(&file.text)
            .map_err(|(line, wrong)| file.fault(line, wrong, "write one domain on each line"))
    });
    let mut rates = |key| ceiling(section, key).unwrap_or_default();
    let ceilings = RateLimits {
        sender: rates("per_sender"),
        authority: rates("per_authority"),
        authorities: authorities.unwrap_or_else(shipped_authorities),
        domain: rates("per_domain"),
        mailbox: rates("per_mailbox"),
        total: rates("in_all"),
    };
    let right = "write [[rules.receipt.mailboxes]] with address and template";
    let mut all: Vec<Arc<Mailbox>> = Vec::new();
    for value in section.required_list("mailboxes", right).unwrap_or_default() {
        let of_table = section.nested("mailboxes", value, |s| of_table(s, ground)).flatten();
        for mailbox in of_table.unwrap_or_default() {
            if all.iter().any(|known| known.address == mailbox.address) {
                let fault = Fault::new(format!("{} is listed twice", mailbox.address), "keep one of the two");
                section.wrong("mailboxes", value.at, fault);
            }
            all.push(Arc::new(mailbox));
        }
    }
    if !ground.sends {
        let right = "add [smtp] with submit = \"127.0.0.1:10026\"";
        section.wrong_here(Fault::new("requires [smtp]", right));
    }
    Some(Actions::Receipt(ReceiptPolicy {
        mailboxes: all,
        delay: delay?,
        echo_subject: echo_subject?,
        ceilings,
    }))
}

/// The list that comes with the program; a test reads it.
fn shipped_authorities() -> DomainSet {
    DomainSet::parse(include_str!("../../config/authorities.txt")).unwrap_or_default()
}

/// The mailboxes of one table: the one that it names, or several with the same words.
fn of_table(section: &mut Settings<'_>, ground: RuleContext<'_>) -> Option<Vec<Mailbox>> {
    let right = "write address = \"registrator@exempelby.se\"";
    let value = section.required("address", right, |value| Ok(value.clone()))?;
    let why = "receipts are sent for mailboxes inside";
    let one = |value: &Value| section.accept("address", value.at, mailboxes(section, value, ground, why));
    let addresses: Vec<Vec<Address>> = value.one_or_more().iter().filter_map(one).collect();
    let addresses: Vec<Address> = addresses.into_iter().flatten().collect();
    if value.one_or_more().is_empty() {
        section.wrong("address", value.at, Fault::new("is empty", right));
    }
    if addresses.len() > limits::CONFIG_LIST {
        section.wrong("address", value.at, too_many(addresses.len(), limits::CONFIG_LIST));
        return None;
    }
    let name = section.optional("name", |value| parse::text(value).map(str::to_owned));
    let template = section.file("template", |file| Template::parse(Occasion::Receipt, file));
    let template = if section.names("template") { Some(template?) } else { None };
    let of_authority = |address: &Address| {
        let number = ground.organisation?.authority_of(address)?;
        ground.receipts.get(number)?.clone()
    };
    let mailbox = |address: Address| {
        let template = template.clone().or_else(|| of_authority(&address));
        let template = template.unwrap_or_else(|| Template::shipped(Occasion::Receipt));
        Mailbox { address, name: name.clone(), template }
    };
    Some(addresses.into_iter().map(mailbox).collect())
}

fn ceiling(section: &mut Settings<'_>, key: &'static str) -> Option<Vec<Rate>> {
    let values = section.list(key)?;
    Some(values.iter().filter_map(|value| section.accept(key, value.at, rate(value))).collect())
}

fn rate(value: &Value) -> Result<Rate, Fault> {
    let given = parse::text(value)?;
    let wrong =
        || Fault::new(format!("{} is not a rate", parse::shown(given)), "write it as \"5/h\" or \"20/d\"");
    let (count, per) = given.split_once('/').ok_or_else(wrong)?;
    let per = match per.trim() {
        "h" => Per::Hour,
        "d" => Per::Day,
        _ => return Err(wrong()),
    };
    let count: u32 = count.trim().parse().map_err(|_| wrong())?;
    if (1..=limits::LEDGER_RECEIPTS).contains(&(count as usize)) {
        return Ok(Rate { count, per });
    }
    let right = format!("write a number from 1 to {}", limits::LEDGER_RECEIPTS);
    Err(Fault::new(format!("{} is out of range", parse::shown(given)), right))
}
