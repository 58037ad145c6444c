//! What must not be lost when things break.
