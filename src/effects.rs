//! Effects: a decision becomes an answer, a record and a memory.
