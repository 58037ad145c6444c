//! `auto-forward`: automatic forwarding to an external address.

#![deny(clippy::disallowed_methods)]

use super::{Finding, Menu, Rule, Section, Spec};
use crate::facts::{Facts, Needs};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "auto-forward",
    summary: "Automatic forwarding from a mailbox inside to an external address.",
    page: "",
    menu: Menu::Forward,
    section: Section::One,
    keys: &[],
    make: |_, _| Some(Box::new(AutoForward)),
};

/// The rule.
#[derive(Clone, Copy, Debug)]
pub struct AutoForward;

impl Rule for AutoForward {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        Needs { seen: true, ..Needs::default() }
    }

    fn check(&self, _: &Facts) -> Vec<Finding> {
        Vec::new()
    }
}
