//! One connection: one task, one buffer, the timers, and the last net under a panic.
