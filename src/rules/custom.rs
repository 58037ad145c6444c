//! Custom rules: rules that are data in the config.
