//! The integration tests: one binary, one module for each boundary.

mod cases;
mod dialogs;
mod faults;
mod postfix;
mod product;
mod tidy;
