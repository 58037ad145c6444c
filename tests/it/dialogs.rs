//! The wire: recorded and invented milter conversations.
