//! The integration tests: one binary, one module for each boundary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may end so"
)]

mod audit;
mod authorities;
mod backup;
mod bounds;
mod cases;
#[cfg(feature = "central")]
mod central;
mod config;
mod console;
mod content;
mod cookbook;
mod courier;
mod custom_rules;
mod deliveries;
mod dependencies;
mod dialogs;
mod directory;
mod documents;
mod exchange;
mod faults;
mod follow;
mod forwarding;
mod fuzz;
mod heads;
mod held;
mod incoming;
mod init;
mod installed;
mod lab;
mod mail_cases;
mod mail_tests;
mod minimise;
mod monitoring;
mod operation;
mod ocr;
mod oracles;
mod passes;
mod planted;
mod postfix;
mod product;
mod protected;
mod receipts;
mod redaction;
mod replay;
mod rules_report;
mod sensitive;
mod setup;
mod show;
mod store;
mod storm;
mod swedish;
mod tidy;
mod worker;
