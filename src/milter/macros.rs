//! Macros: what the MTA tells beside its commands, and for how long it holds.
