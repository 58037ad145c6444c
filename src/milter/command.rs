//! Commands: what an MTA's frame says.
