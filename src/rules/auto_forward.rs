//! `auto-forward`: automatic forwarding to an external address.

use super::{Menu, Spec};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "auto-forward",
    summary: "Automatic forwarding from a mailbox inside to an external address.",
    page: "",
    menu: Menu::Forward,
};
