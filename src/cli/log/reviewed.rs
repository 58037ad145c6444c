//! How the records of a request for public records are disclosed: masked or left out, as its review and the config say.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::one_of;
use crate::config::Config;
use crate::export::profile::{Mask, Profile};
use crate::export::shape::{Headings, Shape};
use crate::export::{Format, local};
use crate::record::columns::{COLUMNS, Column, Value as Holds};
use crate::record::{Record, RecordId};
use crate::store::disclosure::{Case, Choice, Chosen};
use crate::store::query::Party;
use crate::store::search::Found;

/// The files of a request.
#[derive(Debug, clap::Args)]
pub(super) struct Files {
    /// Reference of the request.
    #[arg(value_name = "DNR")]
    pub(super) reference: String,
    /// Format of the file.
    #[arg(long, value_name = "F", default_value = "csv", value_parser = one_of(&Format::ALL.map(Format::as_str)))]
    pub(super) format: String,
    /// Output file. The manifest, the proof and the review list are written beside it.
    #[arg(long, value_name = "F")]
    pub(super) output: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    pub(super) force: bool,
    /// Headings of csv and xlsx: the names of the columns (id), Swedish or English.
    #[arg(long, value_name = "H", default_value = "sv", value_parser = one_of(&Headings::ALL.map(Headings::as_str)))]
    pub(super) headings: String,
}

/// How a record of a request would be disclosed.
pub(super) struct Disclosure<'a> {
    case: &'a Case,
    config: &'a Config,
    protected: Vec<Party>,
    /// The columns that are disclosed.
    pub(super) shape: Shape,
}

impl<'a> Disclosure<'a> {
    /// That of a request.
    pub(super) fn new(case: &'a Case, config: &'a Config) -> anyhow::Result<Self> {
        let shape = Shape::with(case.asked.columns.iter().map(String::as_str));
        let shape = shape.map_err(|name| anyhow::anyhow!("the request is for an unknown column, {name}"))?;
        let mailboxes = config.disclosure.mailboxes.iter();
        let protected = mailboxes.filter_map(|covered| Party::parse(&covered.to_string()).ok()).collect();
        Ok(Self { case, config, protected, shape })
    }

    /// What was chosen for a record.
    pub(super) fn chosen(&self, id: &RecordId) -> Option<&'a Chosen> {
        self.case.chosen.get(&id.to_string()).map(|(chosen, _)| chosen)
    }

    /// What masks a record for which this was chosen.
    pub(super) fn mask(&self, chosen: Option<&Chosen>) -> Mask<'_> {
        let columns = chosen.map_or(&[][..], |chosen| &chosen.columns);
        Mask::new(Profile::Disclose, columns, &self.config.disclosure.words, None).protecting(&self.protected)
    }

    /// Whether the config says that the record is not disclosed, whatever was chosen.
    pub(super) fn leaves_out(&self, record: &Record) -> bool {
        self.config.disclosure.leaves_out && self.mask(None).protects(record)
    }

    /// A record as it is logged and as it would be disclosed, with what was chosen.
    pub(super) fn row(&self, mut found: Found) -> Value {
        let (id, zone) = (found.id.to_string(), &self.config.time_zone);
        let told = self.case.chosen.get(&id);
        let chosen = told.map(|(chosen, _)| chosen);
        let protected = self.leaves_out(&found.record);
        let asked = self.columns(&found.record);
        let time = local(found.record.time, zone);
        let mut marks = self.mask(chosen).apply(&mut found);
        marks.retain(|mark| self.shape.has(mark.column));
        let is_left_out = protected || chosen.is_some_and(|chosen| chosen.choice == Choice::LeaveOut);
        let marks: Vec<Value> = marks
            .iter()
            .map(|mark| json!({ "column": mark.column, "what": mark.what, "masked": mark.masked }))
            .collect();
        json!({
            "record": id, "time": time, "asked": asked, "protected": protected, "marks": marks,
            "given": (!is_left_out).then(|| self.columns(&found.record)),
            "chosen": told.map(|(chosen, done)| json!({
                "choice": chosen.choice.as_str(), "columns": chosen.columns, "section": chosen.section,
                "why": chosen.why, "by": done.by.subject, "at": local(done.at, zone), "entry": done.n,
            })),
        })
    }

    /// The columns that are asked for, as people read them.
    fn columns(&self, record: &Record) -> Value {
        let named = |name: &String| COLUMNS.iter().find(|column| column.name == name);
        let columns = self.case.asked.columns.iter().filter_map(named);
        let cell = |column: &Column| match column.value {
            Holds::Time => json!(local(record.time, &self.config.time_zone)),
            Holds::List(of, _) => json!(of(record)),
            Holds::Attachments => {
                json!(record.attachments.iter().map(|(name, _)| name).collect::<Vec<_>>())
            }
            _ => json!(column.text(record)),
        };
        let cells: Map<String, Value> =
            columns.map(|column| (column.name.to_owned(), cell(column))).collect();
        Value::Object(cells)
    }
}
