//! A real Postfix in front of the real program.
