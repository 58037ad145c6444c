//! The integration tests: one binary, one module for each boundary.

mod dialogs;
mod faults;
mod postfix;
mod product;
mod store;
mod tidy;
