//! Gathering: facts that the world outside the mail must give.
