//! The web console.

mod browser;
