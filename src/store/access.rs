//! The access log: who read the log, what, when and why.
