//! Frames: a length, a command byte and its payload.
