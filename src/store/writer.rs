//! The writer: one thread, group commit.
