//! The config's meaning: everything that is wrong with it, at once.
