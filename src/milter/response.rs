//! Responses: edits and the one final reply become bytes.
