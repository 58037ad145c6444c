//! The demonstration: the real server, a store of its own, and the corpus through the wire.
