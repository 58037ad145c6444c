//! Intake: the commands of one transaction become a mail.
