//! The web console.

mod sign_in;
