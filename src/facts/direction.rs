//! Direction: which way a mail goes.
