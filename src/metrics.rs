//! Every metric, declared once; the only file that names `prometheus`.
//!
//! No label ever holds an address or anything else from a mail. `docs/operating.md` has the sentence for each
//! failure that is counted here.

use std::sync::LazyLock;

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// The metrics of this process.
pub static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// All of them.
#[expect(missing_docs, reason = "each metric's help text stands in `Metrics::new`, once")]
pub struct Metrics {
    registry: Registry,
    pub messages: IntCounterVec,
    pub rule_hits: IntCounterVec,
    pub sensitive: IntCounterVec,
    pub message_seconds: Histogram,
    pub message_cpu_seconds: Histogram,
    pub message_octets: Histogram,
    pub connections: IntGauge,
    pub connections_total: IntCounter,
    pub milter_errors: IntCounterVec,
    pub limits_exceeded: IntCounterVec,
    pub edits_not_granted: IntCounterVec,
    pub verdicts_undelivered: IntCounter,
    pub panics: IntCounter,
    pub store_commits: IntCounterVec,
    pub store_commit_seconds: Histogram,
    pub store_batch_records: Histogram,
    pub store_queue_records: IntGauge,
    pub store_free_octets: IntGauge,
    pub store_displaced: IntGauge,
    pub store_unlogged: IntCounter,
    pub outbox_pending: IntGauge,
    pub outbox_oldest: IntGauge,
    pub receipts: IntCounterVec,
    pub receipts_breaker: IntGauge,
    pub letters: IntCounterVec,
    pub letter_tries: IntCounterVec,
    pub letter_faults: IntCounter,
    pub letters_unmarked: IntCounter,
    pub heads: IntCounterVec,
    pub head_time: IntGauge,
    pub head_copies: IntCounterVec,
    pub head_copy_time: IntGaugeVec,
    pub log_rollbacks: IntCounter,
    pub memory_damaged: IntCounterVec,
    pub index_segments: IntCounterVec,
    pub access_unwritten: IntCounter,
    pub clock_steps: IntCounterVec,
    pub fact_unavailable: IntCounterVec,
    pub scans: IntCounterVec,
    pub config_reloads: IntCounterVec,
    pub config_reload_success: IntGauge,
    pub config_info: IntGaugeVec,
    pub exceptions_expired: IntGauge,
    pub exceptions_ending: IntGauge,
    pub stage_seconds: HistogramVec,
    pub documents: IntCounterVec,
    pub turns_waiting: IntGauge,
    pub document_seconds: Histogram,
    pub workers_started: IntCounter,
}

impl Metrics {
    #[expect(clippy::too_many_lines, reason = "a list, with a few lines for each metric")]
    fn new() -> Self {
        let registry = Registry::new();
        let new = Maker { registry: &registry };
        let fast = vec![0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0];
        let octets = vec![1e3, 1e4, 1e5, 1e6, 1e7, 5e7];
        let batch = vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
        Self {
            messages: new.counters(
                "messages_total",
                "Mails by direction and verdict.",
                &["direction", "verdict"],
            ),
            rule_hits: new.counters("rule_hits_total", "Findings of rules.", &["rule", "grade", "mode"]),
            sensitive: new.counters(
                "sensitive_messages_total",
                "Mails with sensitive data, by direction and class.",
                &["direction", "class"],
            ),
            message_seconds: new.histogram(
                "message_duration_seconds",
                "From the end of a message to its answer.",
                &fast,
            ),
            message_cpu_seconds: new.histogram(
                "message_cpu_seconds",
                "Processor time that was spent on a message, its documents included.",
                &fast,
            ),
            message_octets: new.histogram("message_size_bytes", "Size of messages.", &octets),
            connections: new.gauge("connections", "Open milter connections."),
            connections_total: new.counter("connections_total", "Milter connections since the start."),
            milter_errors: new.counters(
                "milter_errors_total",
                "Connections ended by a fault, by its name.",
                &["kind"],
            ),
            limits_exceeded: new.counters(
                "limits_exceeded_total",
                "Limits that a mail went over.",
                &["limit"],
            ),
            edits_not_granted: new.counters(
                "edits_not_granted_total",
                "Edits that the MTA did not allow, by their name.",
                &["edit"],
            ),
            verdicts_undelivered: new.counter(
                "verdicts_undelivered_total",
                "Verdicts that the MTA no longer waited for; it puts the mail off.",
            ),
            panics: new.counter(
                "panics_total",
                "Faults of this program while it read a mail; each was answered 451.",
            ),
            store_commits: new.counters("log_commits_total", "Transactions of the log.", &["result"]),
            store_commit_seconds: new.histogram(
                "log_commit_duration_seconds",
                "Time of a durable commit.",
                &fast,
            ),
            store_batch_records: new.histogram("log_batch_records", "Records in one commit.", &batch),
            store_queue_records: new.gauge("log_queue_records", "Records waiting for the writer."),
            store_free_octets: new.gauge("log_disk_free_bytes", "Free space where the log is."),
            store_displaced: new.gauge(
                "log_displaced",
                "1 while a file of the log is not where it was opened; mail is put off.",
            ),
            store_unlogged: new.counter(
                "log_incomplete_lost_total",
                "Incomplete mails without a record, because the queue was full or their commit failed.",
            ),
            outbox_pending: new.gauge("outbox_pending", "Receipts and notices that wait to be sent."),
            outbox_oldest: new.gauge(
                "outbox_oldest_timestamp_seconds",
                "When the mail came that the oldest waiting receipt or notice is about; 0 where none waits.",
            ),
            receipts: new.counters(
                "receipts_total",
                "Receipts that were due: queued, would_queue, or suppressed with the reason.",
                &["outcome", "reason"],
            ),
            receipts_breaker: new.gauge("receipts_breaker_open", "1 while no receipts are sent because there are too many in all."),
            letters: new.counters(
                "letters_total",
                "Receipts and notices, by what came of a try: sent, again (it is tried later), failed.",
                &["kind", "outcome"],
            ),
            letter_tries: new.counters(
                "letter_tries_total",
                "Tries to hand a letter over: sent, later, unknown (it may have been taken), refused, unreachable.",
                &["result"],
            ),
            letter_faults: new.counter(
                "letter_faults_total",
                "Receipts and notices that could not be written as the config says.",
            ),
            letters_unmarked: new.counter(
                "letters_unmarked_total",
                "Letters that were taken and could not be marked so at once: killed before the log has them, the \
                 program sends them again.",
            ),
            heads: new.counters("log_heads_total", "Tree heads: signed, failed.", &["result"]),
            head_time: new.gauge("log_last_head_timestamp_seconds", "When the newest tree head was signed."),
            head_copies: new.counters(
                "log_head_copies_total",
                "Tries to copy tree heads to a file, to syslog, into a letter: copied, failed.",
                &["to", "result"],
            ),
            head_copy_time: new.gauges(
                "log_last_head_copy_timestamp_seconds",
                "When the newest tree head was copied there.",
                &["to"],
            ),
            access_unwritten: new.counter(
                "access_log_failed_total",
                "Changes of the config or the clock that the access log does not tell of, because it could not be written.",
            ),
            clock_steps: new.counters("clock_steps_total", "Steps of the system's clock.", &["direction"]),
            log_rollbacks: new.counter(
                "log_rollbacks_total",
                "Starts at which the log was not what its newest tree head says.",
            ),
            memory_damaged: new.counters(
                "memory_damaged_total",
                "What was remembered and is damaged in the log: seen (messages), contacts.",
                &["of"],
            ),
            index_segments: new.counters(
                "log_index_segments_total",
                "Segments of the log's side files for search, by result.",
                &["result"],
            ),
            fact_unavailable: new.counters(
                "facts_unavailable_total",
                "Facts that could not be had.",
                &["fact", "cause"],
            ),
            scans: new.counters(
                "scans_total",
                "Questions to scanners: answered, or why not.",
                &["scanner", "result"],
            ),
            config_reloads: new.counters("config_reloads_total", "Reloads of the config.", &["result"]),
            config_reload_success: new.gauge(
                "config_reload_success",
                "1 if the last reload was taken, 0 if the old config was kept.",
            ),
            config_info: new.gauges("config_info", "The config in force, by its hash.", &["hash"]),
            exceptions_expired: new
                .gauge("exceptions_expired", "Exceptions in the config that are past their `until`."),
            exceptions_ending: new.gauge(
                "exceptions_ending",
                "Exceptions in the config that hold today and end within 30 days.",
            ),
            stage_seconds: new.histograms(
                "stage_duration_seconds",
                "Time of one step of a mail.",
                &["stage"],
                &fast,
            ),
            documents: new.counters(
                "documents_total",
                "Documents given to workers, by what came of it.",
                &["result"],
            ),
            document_seconds: new.histogram(
                "document_duration_seconds",
                "Time of one document at a worker.",
                &fast,
            ),
            turns_waiting: new.gauge("turns_waiting", "Steps of work on mail that wait for a processor core."),
            workers_started: new.counter("workers_started_total", "Processes started to read documents."),
            registry,
        }
    }

    /// The text format of Prometheus.
    pub fn render(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 << 10);
        // Writing into memory does not fail; an empty answer would show as a failed scrape.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut out);
        out
    }
}

/// Registers metrics under the program's prefix. A metric that cannot be made is a fault of this file alone and is
/// caught by its test, so the process that meets one ends at its start.
struct Maker<'a> {
    registry: &'a Registry,
}

#[expect(clippy::expect_used, reason = "the names above are constants; the test below makes every metric")]
impl Maker<'_> {
    fn register<C: prometheus::core::Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let metric = made.expect("a valid metric");
        self.registry.register(Box::new(metric.clone())).expect("a metric declared once");
        metric
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::with_opts(opts(name, help)))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(opts(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::with_opts(opts(name, help)))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.register(IntGaugeVec::new(opts(name, help), labels))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.register(Histogram::with_opts(HistogramOpts::from(opts(name, help)).buckets(buckets.to_vec())))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        self.register(HistogramVec::new(
            HistogramOpts::from(opts(name, help)).buckets(buckets.to_vec()),
            labels,
        ))
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("postvakt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_can_be_made_and_rendered() {
        METRICS.messages.with_label_values(&["inbound", "accepted"]).inc();
        let text = String::from_utf8(METRICS.render()).unwrap();
        assert!(text.contains("postvakt_messages_total{direction=\"inbound\",verdict=\"accepted\"} 1"));
    }
}
