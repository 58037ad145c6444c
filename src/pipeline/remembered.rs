//! What later mail needs to know of this one: prepared before its record is stored, and kept only after that.

use crate::config::Config;
use crate::effects;
use crate::facts::identity::Key;
use crate::facts::{Fact, Facts, Needs};
use crate::gather::{Sources, volume};
use crate::limiter::Reservation;
use crate::limits;
use crate::mail::Direction;
use crate::policy::Decision;
use crate::record::SeenRow;
use crate::rules::{Finding, auto_forward};
use crate::verdict::Verdict;

/// What is remembered of one mail, in the store and in memory.
pub struct Remembered<'a> {
    sources: &'a Sources,
    facts: &'a Facts,
    decision: &'a Decision,
    reserved: Option<Reservation<'a>>,
    /// The message, where it came from outside and somebody has it.
    pub seen: Option<SeenRow<'a>>,
    /// Whom people here know from now on.
    pub contacts: Vec<Key>,
}

/// Reserves the receipts for which there is room, and suppresses the others.
pub fn reserve<'a>(
    sources: &'a Sources,
    config: &Config,
    facts: &Facts,
    decision: &mut Decision,
) -> Option<Reservation<'a>> {
    let ceilings = config.receipt_ceilings()?;
    Some(sources.limiter.reserve(facts, ceilings, &mut decision.receipts))
}

impl<'a> Remembered<'a> {
    /// What is to be remembered of a mail with this decision, for which these receipts are reserved.
    pub fn of(
        sources: &'a Sources,
        needs: Needs,
        facts: &'a Facts,
        decision: &'a Decision,
        reserved: Option<Reservation<'a>>,
    ) -> Self {
        let seen = effects::remembered(facts, decision).map(|row| sources.memory.linked(row));
        let contacts = if is_let_in(decision) { met(sources, facts, needs) } else { Vec::new() };
        Self { sources, facts, decision, reserved, seen, contacts }
    }

    /// Its record is stored under this number, or in no store at all.
    pub fn keep(self, seq: Option<u64>) {
        let Self { sources, facts, decision, reserved, seen, contacts } = self;
        if let Some(reserved) = reserved {
            reserved.keep();
        }
        match (seen, seq) {
            (Some(row), Some(seq)) => sources.memory.remember(seq, &row),
            (Some(row), None) => sources.memory.remember_unstored(&row),
            (None, _) => {}
        }
        if let (true, Fact::Known(_), Some(sender)) =
            (is_let_in(decision), &facts.addressed, volume::counted(facts))
        {
            sources.volume.note(sender, volume::people_inside(facts), facts.arrived);
        }
        for key in contacts {
            sources.contacts.remember(&key, facts.arrived);
        }
        if decision.is_deferred_for_now() {
            sources.deferrals.note(facts);
        }
        if let Some(sender) = facts.forwarder().filter(|_| looked_like_a_forward(decision)) {
            let external = facts.recipients.iter().filter(|recipient| !recipient.inside);
            sources.habits.note(&sender, external.map(|recipient| &recipient.address), facts.arrived);
        }
    }
}

fn is_let_in(decision: &Decision) -> bool {
    decision.verdict <= Verdict::Hold
}

/// Whether `auto-forward` matched, with any grade.
fn looked_like_a_forward(decision: &Decision) -> bool {
    let mut rulings = decision.rulings.iter().filter(|ruling| ruling.rule == auto_forward::SPEC.id);
    rulings.any(|ruling| matches!(ruling.finding, Finding::Match(_)))
}

/// Whom people here know from now on: the author of a mail that was let in, and whoever is written to. Each at
/// most once in some weeks.
fn met(sources: &Sources, facts: &Facts, needs: Needs) -> Vec<Key> {
    if !needs.contact {
        return Vec::new();
    }
    match (&facts.contact, facts.direction) {
        (Fact::Known(contact), Direction::Inbound) if !contact.fresh => vec![contact.key],
        (_, Direction::Outbound) => {
            let written_to = facts.recipients.iter().filter(|recipient| !recipient.inside);
            let keys = written_to.map(|recipient| sources.memory.key().of_person(&recipient.address));
            let keys = keys.filter(|key| !sources.contacts.find(*key, facts.arrived).fresh);
            keys.take(limits::CONTACTS_OF_ONE_MAIL).collect()
        }
        (_, Direction::Inbound | Direction::Internal) => Vec::new(),
    }
}
