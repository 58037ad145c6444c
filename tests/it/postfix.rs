//! A real Postfix in front of the real program.

mod operation;
mod passing;
mod rules;
mod sessions;
mod verdicts;
