//! The metrics of the web console, which is a process of its own and serves these alone.

#![deny(clippy::disallowed_methods)]

use std::sync::LazyLock;

use super::{IntCounterVec, IntGauge, Maker, Process, Registry, begin};

/// The metrics of the console.
pub static CONSOLE: LazyLock<Console> = LazyLock::new(Console::new);

/// All of them.
pub struct Console {
    registry: Registry,
    pub requests: IntCounterVec,
    pub commands: IntCounterVec,
    pub sign_ins: IntCounterVec,
    pub provider: IntCounterVec,
    pub limits_exceeded: IntCounterVec,
    pub sessions: IntGauge,
    pub connections: IntGauge,
    pub process: Process,
}

impl Console {
    fn new() -> Self {
        let registry = Registry::new();
        let new = Maker { registry: &registry };
        let metrics = Self {
            requests: new.counters(
                "console_requests_total",
                "Requests, by result: ok, role (refused, noted in the access log), host, origin, rate, refused (any other \
                 4xx), failed (5xx).",
                &["result"],
            ),
            commands: new.counters(
                "console_commands_total",
                "Commands, by result: done, refused (also mistakes in a form), broken-off, unreachable.",
                &["result"],
            ),
            sign_ins: new.counters(
                "console_sign_ins_total",
                "Sign-ins, by way (link, provider, proxy) and result (done, no-role, failed).",
                &["by", "result"],
            ),
            provider: new.counters(
                "console_provider_requests_total",
                "Sign-ins for which the OpenID provider was asked, by result: answered, unreachable, wrong.",
                &["result"],
            ),
            limits_exceeded: new.counters(
                "console_limits_exceeded_total",
                "Limits of the console that were exceeded, by limit.",
                &["limit"],
            ),
            sessions: new.gauge("console_sessions", "People signed in."),
            connections: new.gauge("console_connections", "Open connections."),
            process: Process::new(&new),
            registry: registry.clone(),
        };
        new.version();
        metrics.begin_at_zero();
        metrics
    }

    fn begin_at_zero(&self) {
        for (counters, labels) in [
            (&self.requests, &["ok", "role", "host", "origin", "rate", "refused", "failed"][..]),
            (&self.commands, &["done", "refused", "broken-off", "unreachable"]),
            (&self.provider, &["answered", "unreachable", "wrong"]),
            (
                &self.limits_exceeded,
                &[
                    "connections",
                    "sessions",
                    "sessions_of_one",
                    "answer_time",
                    "stall",
                    "answer",
                    "rows",
                    "unread",
                    "attempts",
                    "metrics_connections",
                ],
            ),
        ] {
            for label in labels {
                begin(counters, &[label]);
            }
        }
        for by in ["link", "provider", "proxy"] {
            for result in ["done", "no-role", "failed"] {
                begin(&self.sign_ins, &[by, result]);
            }
        }
    }

    /// Counts that a limit was exceeded.
    pub fn exceeded(&self, limit: &str) {
        self.limits_exceeded.with_label_values(&[limit]).inc();
    }

    /// The text format of Prometheus.
    pub fn render(&self) -> Vec<u8> {
        super::render(&self.registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_tells_of_itself_alone() {
        let text = String::from_utf8(Console::new().render()).unwrap();
        for line in [
            "postvakt_console_requests_total{result=\"role\"} 0",
            "postvakt_console_sign_ins_total{by=\"provider\",result=\"failed\"} 0",
            "postvakt_console_sessions 0",
            "process_cpu_seconds_total 0",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
        // The server's metrics at 0 would be alarms about a server that there is not.
        assert!(!text.contains("postvakt_log_"), "{text}");
    }
}
