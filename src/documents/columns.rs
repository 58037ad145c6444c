//! Columns of a sheet's row: a cell stands under its heading, also where others before it are empty.

#![deny(clippy::disallowed_methods)]

use crate::markup::cells;

/// How far a row is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Columns {
    next: usize,
}

impl Columns {
    /// What stands between the last cell and the one in that column, each of which ends with a tab.
    pub(super) fn gap(&mut self, column: usize) -> &'static str {
        let gap = cells::gap(column.saturating_sub(self.next));
        self.next = column + 1;
        gap
    }
}
