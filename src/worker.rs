//! The worker: a process of its own in which documents are read, so that none of them can crash, hang or bloat the
//! filter.
//!
//! It is this program again, under a hidden command. It gives up everything but its pipes before it reads the first
//! octet ([`confine`]), reads one document after the other ([`serve`]) and says what is in them ([`wire`]). The filter
//! keeps as many as there are cores ([`pool`]), and ends those that are late or have served long enough. Programs of others
//! that recognise text in pictures are confined too ([`ocr`]).

pub mod confine;
pub mod ocr;
pub mod pool;
pub mod serve;
pub mod wire;
