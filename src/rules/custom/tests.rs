//! Tests of custom rules.
