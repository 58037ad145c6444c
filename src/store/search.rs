//! Search: records by what is known of them.
