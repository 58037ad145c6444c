//! Negotiation: what the MTA offers, what is asked of it, and who waits for whom.
