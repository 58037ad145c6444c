//! The schema of the store's files, and what makes a file fit to be written to.
