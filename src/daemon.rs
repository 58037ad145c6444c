//! The daemon: start, reload, drain.
