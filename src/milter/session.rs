//! The session: the protocol as one state machine, without I/O.
