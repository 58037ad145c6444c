//! The web console.

mod browser;
mod sign_in;
