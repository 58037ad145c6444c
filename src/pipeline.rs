//! The story of a mail, on one screen.
