//! Postvakt: a mail-gateway policy filter.
//!
//! *A mail becomes facts, facts become a decision, a decision becomes effects; only the first and the last step
//! touch the world.* `ARCHITECTURE.md` tells why; this page is the map, in reading order. Every module may use
//! those above it and none below it; the tidy test names the line that breaks this.

// Vocabulary: values, pure.
pub mod address;
pub mod answer;
pub mod limits;
pub mod mail;
pub mod metrics;
pub mod organisation;
pub mod reply;
pub mod settings;
pub mod text;
pub mod texts;

// The wire.
pub mod milter;

// What is true of a mail.
pub mod facts;

// What is to be found in it.
pub mod rules;

// Judgement.
pub mod effects;
pub mod policy;
pub mod record;
pub mod verdict;

// The shell: the world.
pub mod export;
pub mod gather;
pub mod pipeline;
pub mod store;

// The house.
pub mod cli;
pub mod config;
pub mod daemon;
pub mod demo;
