//! Samples: mails of a period, chosen by a seed and told under pseudonyms.

use std::io;

use super::period::Period;
use crate::export::profile::{Mask, Profile, Pseudonyms};
use crate::organisation::Organisation;
use crate::store::search::Found;
use crate::store::session::Session;

/// A sample.
#[derive(Debug)]
pub struct Sample {
    /// The records, in the order of the log.
    pub chosen: Vec<Found>,
    /// How many there were to choose from.
    pub all: u64,
}

impl Sample {
    /// Chooses among the records that were asked for. The same seed gives the same mails and the same pseudonyms, on this
    /// store and on no other.
    pub fn choose(
        session: &mut Session,
        organisation: &Organisation,
        period: Period,
        count: usize,
        seed: &str,
    ) -> io::Result<Self> {
        let key = session.key(&format!("sample {} {seed}", period.code()))?;
        let mask = Mask::new(Profile::Pseudonym, &[], &[], Some(Pseudonyms { key, organisation }));
        let (mut chosen, all) = session.sample(count, seed);
        for found in &mut chosen {
            mask.apply(found);
        }
        Ok(Self { chosen, all })
    }
}
