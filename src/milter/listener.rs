//! Listeners: the sockets, the permits, and the drain.
