//! Extraction: a mail becomes facts; the only file that names `mail_parser`.
