//! What people note beside the records: labels, and acts on held mail; and how a session shows addresses.

use jiff::Timestamp;

use super::Session;
use crate::store::access::{AccessError, AccessLog, Kind};
use crate::store::held::{self, OnHold};
use crate::store::labels::{Label, Labels};
use crate::store::search::Searched;

impl Session {
    /// Writes that a person judged a finding. The number of the entry.
    pub fn label(&mut self, label: &Label) -> Result<u64, AccessError> {
        self.accesses.add(Kind::Label, Timestamp::now(), label)
    }

    /// The access log, for what is noted of held mail.
    pub fn entries(&mut self) -> &mut AccessLog {
        &mut self.accesses
    }

    /// The records of mails in the MTA's hold queue, by queue id and by when the MTA took them, with the rules that hold them;
    /// nothing of a mail that no rule holds.
    pub fn held(&mut self, mails: &[(&str, Timestamp)]) -> Vec<Option<OnHold>> {
        let mut searched = Searched::default();
        let Self { log, veil, own, rows, .. } = self;
        let find = |(queue_id, arrived): &(&str, Timestamp)| {
            let mut on_hold = held::look(log, queue_id, *arrived, &mut searched)?;
            if !super::is_of(own, &on_hold.found.record) {
                return None;
            }
            *rows += 1;
            if let Some(veil) = veil {
                veil.hide(&mut on_hold.found.record);
            }
            Some(on_hold)
        };
        let found = mails.iter().map(find).collect();
        self.leave_out(searched.left_out);
        searched.unused.retain(|file| !self.unused().contains(file));
        searched.unused.dedup();
        self.searched.unused.append(&mut searched.unused);
        found
    }

    /// How people judged findings: of each record and rule the newest judgement.
    pub fn labels(&self) -> Result<Labels, AccessError> {
        Labels::read(&self.accesses)
    }

    /// An address as this session shows it.
    pub fn shown_address(&self, address: &str) -> String {
        self.veil.as_ref().map_or_else(|| address.to_owned(), |veil| veil.address(address))
    }

    /// Whether the reason opens fewer rows than there are.
    pub fn is_capped(&self) -> bool {
        self.capped
    }

    /// Whether people inside are shown as pseudonyms.
    pub fn is_veiled(&self) -> bool {
        self.veil.is_some()
    }
}
