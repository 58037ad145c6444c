//! Postvakt: a mail-gateway policy filter.
//!
//! *A mail becomes facts, facts become a decision, a decision becomes effects; only the first and the last step
//! touch the world.* `ARCHITECTURE.md` tells why; this page is the map, in reading order. Every module may use
//! those above it and none below it; the tidy test names the line that breaks this.

// Vocabulary: values, pure.
pub mod limits;
pub mod work;
pub mod metrics;
pub mod text;
pub mod texts;
pub mod swedish;
pub mod address;
pub mod organisation;
pub mod groups;
pub mod reply;
pub mod answer;
pub mod mail;
pub mod settings;
pub mod templates;
pub mod notice;
pub mod merkle;
pub mod note;

// The wire.
pub mod milter;

// What can be read: of a message, of the documents it carries.
pub mod markup;
pub mod mime;
pub mod documents;
pub mod maillog;

// What is true of a mail.
pub mod facts;

// What is to be found in it.
pub mod scan;
pub mod rules;

// Judgement.
pub mod verdict;
pub mod policy;
pub mod record;
pub mod effects;

// What the admin set.
pub mod config;

// The shell: the world.
pub mod store;
pub mod tail;
pub mod limiter;
pub mod export;
pub mod report;
pub mod worker;
pub mod gather;
pub mod pipeline;
#[cfg(feature = "central")]
pub mod central;
pub mod courier;
pub mod held;

// The house.
pub mod daemon;
pub mod console;
pub mod cli;
