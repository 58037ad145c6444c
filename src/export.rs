//! Export: records as files for people and programs.
