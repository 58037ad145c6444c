//! Every metric, declared once; the only file that names `prometheus`.
//!
//! No label ever holds an address or anything else from a mail. `docs/operating.md` has the sentence for each
//! failure that is counted here.

mod console;

use std::sync::LazyLock;

use prometheus::{
    Counter, Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

pub use self::console::CONSOLE;

/// The metrics of the server.
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
    pub held_messages: IntGaugeVec,
    pub held_oldest: IntGauge,
    pub held_looks: IntCounterVec,
    pub held_acts: IntCounterVec,
    pub held_overrides: IntCounterVec,
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
    pub central_connected: IntGauge,
    pub central_lag_records: IntGaugeVec,
    pub central_lag_seconds: IntGaugeVec,
    pub central_shipped: IntCounterVec,
    pub central_failures: IntCounterVec,
    pub central_heads_disagree: IntGauge,
    pub central_keys: IntCounter,
    pub follow_lag: IntGaugeVec,
    pub follow_even: IntGaugeVec,
    pub follow_refused: IntGaugeVec,
    pub delivery_log_lines: IntCounterVec,
    pub delivery_log_read: IntGauge,
    pub delivery_log_gaps: IntCounter,
    pub delivery_log_failing: IntGauge,
    pub memory_damaged: IntCounterVec,
    pub second_passes: IntCounterVec,
    pub index_segments: IntCounterVec,
    pub access_unwritten: IntCounter,
    pub clock_steps: IntCounterVec,
    pub dns_unavailable: IntGauge,
    pub fact_unavailable: IntCounterVec,
    pub recalls: IntCounterVec,
    pub scans: IntCounterVec,
    pub config_reloads: IntCounterVec,
    pub config_reload_success: IntGauge,
    pub config_tests: IntGaugeVec,
    pub config_info: IntGaugeVec,
    pub exceptions_expired: IntGauge,
    pub directory_asked: IntCounterVec,
    pub directory_members: IntGaugeVec,
    pub exceptions_ending: IntGauge,
    pub stage_seconds: HistogramVec,
    pub documents: IntCounterVec,
    pub turns_waiting: IntGauge,
    pub document_seconds: Histogram,
    pub ocr: IntCounterVec,
    pub workers_started: IntCounter,
    pub process: Process,
}

/// What Prometheus' own libraries tell of a process, under their names.
#[expect(missing_docs, reason = "as above")]
pub struct Process {
    pub cpu_seconds: Counter,
    pub resident_octets: IntGauge,
    pub virtual_octets: IntGauge,
    pub open_descriptors: IntGauge,
    pub descriptors_at_most: IntGauge,
    pub started: Gauge,
}

impl Metrics {
    #[expect(clippy::too_many_lines, reason = "a list, with a few lines for each metric")]
    fn new() -> Self {
        let registry = Registry::new();
        let new = Maker { registry: &registry };
        let fast = vec![0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0];
        let octets = vec![1e3, 1e4, 1e5, 1e6, 1e7, 5e7];
        let batch = vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
        let metrics = Self {
            messages: new.counters(
                "messages_total",
                "Messages, by direction and verdict.",
                &["direction", "verdict"],
            ),
            rule_hits: new.counters("rule_hits_total", "Findings, by rule, grade and mode.", &["rule", "grade", "mode"]),
            sensitive: new.counters(
                "sensitive_messages_total",
                "Messages with sensitive data, by direction and class.",
                &["direction", "class"],
            ),
            message_seconds: new.histogram(
                "message_duration_seconds",
                "Time from the end of a message to its answer.",
                &fast,
            ),
            message_cpu_seconds: new.histogram(
                "message_cpu_seconds",
                "CPU time spent on a message, including its documents.",
                &fast,
            ),
            message_octets: new.histogram("message_size_bytes", "Size of messages.", &octets),
            connections: new.gauge("connections", "Open milter connections."),
            connections_total: new.counter("connections_total", "Milter connections since the start."),
            milter_errors: new.counters(
                "milter_errors_total",
                "Milter connections ended by an error, by kind of error.",
                &["kind"],
            ),
            limits_exceeded: new.counters(
                "limits_exceeded_total",
                "Limits exceeded, by limit.",
                &["limit"],
            ),
            edits_not_granted: new.counters(
                "edits_not_granted_total",
                "Edits that the MTA did not allow, by edit.",
                &["edit"],
            ),
            verdicts_undelivered: new.counter(
                "verdicts_undelivered_total",
                "Verdicts that the MTA did not wait for; it defers the mail.",
            ),
            panics: new.counter(
                "panics_total",
                "Internal errors while processing a mail; each mail was deferred with 451.",
            ),
            store_commits: new.counters("log_commits_total", "Transactions of the log, by result.", &["result"]),
            store_commit_seconds: new.histogram(
                "log_commit_duration_seconds",
                "Duration of a durable commit.",
                &fast,
            ),
            store_batch_records: new.histogram("log_batch_records", "Records per commit.", &batch),
            store_queue_records: new.gauge("log_queue_records", "Records waiting for the writer thread."),
            store_free_octets: new.gauge("log_disk_free_bytes", "Free disk space in the log's directory."),
            store_displaced: new.gauge(
                "log_displaced",
                "1 while a file of the log is not where it was opened; mail is deferred.",
            ),
            store_unlogged: new.counter(
                "log_incomplete_lost_total",
                "Incomplete mails without a record, because the queue was full or the commit failed.",
            ),
            outbox_pending: new.gauge("outbox_pending", "Receipts and notices waiting to be sent."),
            outbox_oldest: new.gauge(
                "outbox_oldest_timestamp_seconds",
                "Arrival of the mail that the oldest waiting receipt or notice is about; 0 if none is waiting.",
            ),
            held_messages: new.gauges(
                "held_messages",
                "Mails on hold that wait for a decision, by the rule that holds them; a mail that several hold counts for each.",
                &["rule"],
            ),
            held_oldest: new.gauge(
                "held_oldest_timestamp_seconds",
                "Arrival of the oldest mail on hold that waits for a decision; 0 if none waits.",
            ),
            held_looks: new.counters(
                "held_looks_total",
                "Looks at Postfix's hold queue through the queue helper, by result (seen, failed).",
                &["result"],
            ),
            held_acts: new.counters(
                "held_acts_total",
                "What the server did with held mail by itself: hand-over, and acts that were cut off and settled; by result (done, failed).",
                &["act", "result"],
            ),
            held_overrides: new.counters(
                "held_overrides_total",
                "Answers by which senders want their held mail released, by result (released, proposed, short, not-allowed, gone, not-theirs, ignored, failed).",
                &["result"],
            ),
            receipts: new.counters(
                "receipts_total",
                "Receipts, by outcome (queued, would_queue, suppressed) and reason.",
                &["outcome", "reason"],
            ),
            receipts_breaker: new.gauge("receipts_breaker_open", "1 while no receipts are sent because the limit of all receipts was exceeded."),
            letters: new.counters(
                "letters_total",
                "Receipts and notices, by outcome of a delivery: sent, again (will retry), failed, other-gateway (which sends it).",
                &["kind", "outcome"],
            ),
            letter_tries: new.counters(
                "letter_tries_total",
                "Delivery attempts, by result: sent, later, unknown (possibly delivered), refused, unreachable.",
                &["result"],
            ),
            letter_faults: new.counter(
                "letter_faults_total",
                "Receipts and notices that could not be written from their template.",
            ),
            letters_unmarked: new.counter(
                "letters_unmarked_total",
                "Receipts and notices that were delivered but could not be marked as sent at once; they are sent twice if \
                 the process is killed now.",
            ),
            heads: new.counters("log_heads_total", "Tree heads, by result: signed, failed.", &["result"]),
            head_time: new.gauge("log_last_head_timestamp_seconds", "Time of the newest tree head."),
            head_copies: new.counters(
                "log_head_copies_total",
                "Copies of tree heads to a file, to syslog and by mail, by result: copied, failed.",
                &["to", "result"],
            ),
            head_copy_time: new.gauges(
                "log_last_head_copy_timestamp_seconds",
                "Time of the newest copied tree head, by destination.",
                &["to"],
            ),
            access_unwritten: new.counter(
                "access_log_failed_total",
                "Changes of config or clock that could not be written to the access log.",
            ),
            clock_steps: new.counters("clock_steps_total", "Steps of the system clock, by direction.", &["direction"]),
            follow_lag: new.gauges(
                "log_follow_lag_records",
                "Records that a follower of the log has not handed over yet, by its name.",
                &["name"],
            ),
            follow_even: new.gauges(
                "log_follow_even_timestamp_seconds",
                "Time at which a follower of the log last had no record left, by its name.",
                &["name"],
            ),
            follow_refused: new.gauges(
                "log_follow_refused_records",
                "Records that the sink of a follower refused for good, by its name.",
                &["name"],
            ),
            delivery_log_lines: new.counters(
                "delivery_log_lines_total",
                "Lines read of Postfix's log: told (of a mail or a connection), other, unclear (left out).",
                &["result"],
            ),
            delivery_log_read: new.gauge(
                "delivery_log_read_timestamp_seconds",
                "Time up to which Postfix's log was read; 0 if it is not followed.",
            ),
            delivery_log_gaps: new.counter(
                "delivery_log_gaps_total",
                "Parts of Postfix's log that were gone before they were read.",
            ),
            delivery_log_failing: new.gauge(
                "delivery_log_failing",
                "1 while Postfix's log cannot be followed.",
            ),
            log_rollbacks: new.counter(
                "log_rollbacks_total",
                "Starts at which the log did not match its newest tree head.",
            ),
            central_connected: new.gauge(
                "central_connected",
                "1 while this node sends to the central log.",
            ),
            central_lag_records: new.gauges(
                "central_lag_records",
                "Records, or entries of the access log, that the central log does not have yet, by kind.",
                &["kind"],
            ),
            central_lag_seconds: new.gauges(
                "central_lag_seconds",
                "Time since the central log last had all records, or all entries of the access log, by kind.",
                &["kind"],
            ),
            central_shipped: new.counters(
                "central_shipped_total",
                "What the central log has taken, by kind.",
                &["kind"],
            ),
            central_failures: new.counters(
                "central_failures_total",
                "Failures to send to the central log, by error.",
                &["error"],
            ),
            central_heads_disagree: new.gauge(
                "central_heads_disagree",
                "Tree heads of this node that do not have the root of the records at the centre.",
            ),
            central_keys: new.counter(
                "central_memory_keys_total",
                "Keys of messages that other nodes have seen, learned from the centre.",
            ),
            memory_damaged: new.counters(
                "memory_damaged_total",
                "Damaged rows ignored in the memory of seen messages or contacts.",
                &["of"],
            ),
            second_passes: new.counters(
                "second_passes_total",
                "Mail from inside with a marked X-Postvakt-Id: recognised as mail that came through before, or why not.",
                &["result"],
            ),
            index_segments: new.counters(
                "log_index_segments_total",
                "Segments of the search index files, by result.",
                &["result"],
            ),
            dns_unavailable: new.gauge(
                "dns_unavailable",
                "1 while no DNS resolver answers; inbound mail is not authenticated.",
            ),
            fact_unavailable: new.counters(
                "facts_unavailable_total",
                "Checks that could not be completed, by fact and cause.",
                &["fact", "cause"],
            ),
            recalls: new.counters(
                "recalls_total",
                "Questions to other nodes' memory of seen messages, by result: `answered`, or why there was no answer.",
                &["result"],
            ),
            scans: new.counters(
                "scans_total",
                "Requests to scanners, by result.",
                &["scanner", "result"],
            ),
            config_reloads: new.counters("config_reloads_total", "Config reloads, by result.", &["result"]),
            config_reload_success: new.gauge(
                "config_reload_success",
                "1 if the last reload succeeded, 0 if the old config was kept.",
            ),
            config_tests: new.gauges(
                "config_tests",
                "Mail tests of the config that the last reload read, by result.",
                &["result"],
            ),
            config_info: new.gauges("config_info", "The active config, by its hash.", &["hash"]),
            directory_asked: new.counters(
                "directory_requests_total",
                "Requests to directories for the members of a group, by result.",
                &["group", "result"],
            ),
            directory_members: new.gauges(
                "directory_members",
                "Addresses that a directory knows of a group's members.",
                &["group"],
            ),
            exceptions_expired: new
                .gauge("exceptions_expired", "Exceptions in the config that have ended."),
            exceptions_ending: new.gauge(
                "exceptions_ending",
                "Exceptions in the config that end within 30 days.",
            ),
            stage_seconds: new.histograms(
                "stage_duration_seconds",
                "Duration of one processing step of a mail, by step.",
                &["stage"],
                &fast,
            ),
            documents: new.counters(
                "documents_total",
                "Documents given to document workers, by result.",
                &["result"],
            ),
            document_seconds: new.histogram(
                "document_duration_seconds",
                "Duration of reading one document.",
                &fast,
            ),
            ocr: new.counters("ocr_total", "Pages and documents given to OCR, by result.", &["result"]),
            turns_waiting: new.gauge("turns_waiting", "Processing steps waiting for a CPU core."),
            workers_started: new.counter("workers_started_total", "Document workers started."),
            process: Process::new(&new),
            registry: registry.clone(),
        };
        new.version();
        metrics.begin_at_zero();
        metrics
    }

    /// Makes the counters whose labels are known beforehand. One that first appears at 1 has not grown, for whoever looks
    /// at how it grows.
    fn begin_at_zero(&self) {
        for direction in ["inbound", "outbound", "internal"] {
            for verdict in ["accepted", "marked", "held", "deferred", "rejected", "incomplete"] {
                begin(&self.messages, &[direction, verdict]);
            }
            for class in ["moderate", "considerable", "serious"] {
                begin(&self.sensitive, &[direction, class]);
            }
        }
        for (counters, results) in [
            (&self.store_commits, &["stored", "failed"][..]),
            (&self.heads, &["signed", "failed"]),
            (
                &self.held_overrides,
                &["released", "proposed", "short", "not-allowed", "gone", "not-theirs", "ignored", "failed"],
            ),
            (&self.central_shipped, &["record", "access", "head", "run", "contact", "taken-letter"]),
            (
                &self.central_failures,
                &[
                    "password",
                    "certificates",
                    "unreachable",
                    "late",
                    "lost",
                    "login",
                    "node",
                    "schema",
                    "refused",
                    "leaf",
                    "data",
                    "forked",
                    "ahead",
                    "local",
                    "untold",
                    "young",
                ],
            ),
            (&self.index_segments, &["made", "failed", "damaged"]),
            (&self.memory_damaged, &["seen", "contacts"]),
            (&self.delivery_log_lines, &["told", "other", "unclear"]),
            (&self.second_passes, &["recognised", "mismatch", "other", "unavailable"]),
            (&self.clock_steps, &["back", "forward"]),
            (&self.config_reloads, &["taken", "refused"]),
            (&self.letter_tries, &["sent", "later", "unknown", "refused", "unreachable"]),
            (&self.documents, &["read", "busy", "memory", "cpu", "crash", "unavailable"]),
            (
                &self.limits_exceeded,
                &["verdict_time", "mail_cpu", "connections", "message", "outbox", "forged_fields"],
            ),
        ] {
            for result in results {
                begin(counters, &[result]);
            }
        }
        for to in ["file", "syslog", "mail"] {
            for result in ["copied", "failed"] {
                begin(&self.head_copies, &[to, result]);
            }
        }
        for kind in ["receipt", "notice"] {
            for outcome in ["sent", "again", "failed", "other-gateway"] {
                begin(&self.letters, &[kind, outcome]);
            }
        }
        for cause in ["dns", "deadline", "paused", "fault"] {
            begin(&self.fact_unavailable, &["authentication", cause]);
        }
    }

    /// The text format of Prometheus.
    pub fn render(&self) -> Vec<u8> {
        render(&self.registry)
    }
}

impl Process {
    fn new(new: &Maker<'_>) -> Self {
        Self {
            cpu_seconds: new.register(Counter::with_opts(Opts::new(
                "process_cpu_seconds_total",
                "CPU time of this process, without the processes that it starts.",
            ))),
            resident_octets: new.of_process("resident_memory_bytes", "Resident memory."),
            virtual_octets: new.of_process("virtual_memory_bytes", "Virtual memory."),
            open_descriptors: new.of_process("open_fds", "Open file descriptors."),
            descriptors_at_most: new.of_process("max_fds", "Limit on open file descriptors."),
            started: new.register(Gauge::with_opts(Opts::new(
                "process_start_time_seconds",
                "Start of this process.",
            ))),
        }
    }
}

fn render(registry: &Registry) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 << 10);
    // Writing into memory does not fail; an empty answer would show as a failed scrape.
    let _ = TextEncoder::new().encode(&registry.gather(), &mut out);
    out
}

/// Makes a counter, at 0.
fn begin(counters: &IntCounterVec, labels: &[&str]) {
    drop(counters.with_label_values(labels));
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

    fn version(&self) {
        let info = self.gauges("build_info", "The running version.", &["version"]);
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
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

    /// A gauge of the process, whose name is not ours.
    fn of_process(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::with_opts(Opts::new(format!("process_{name}"), help)))
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
        let text = String::from_utf8(Metrics::new().render()).unwrap();
        for line in [
            "postvakt_messages_total{direction=\"outbound\",verdict=\"held\"} 0",
            "postvakt_log_commits_total{result=\"failed\"} 0",
            concat!("postvakt_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "process_cpu_seconds_total 0",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
        METRICS.messages.with_label_values(&["inbound", "accepted"]).inc();
        let text = String::from_utf8(METRICS.render()).unwrap();
        assert!(text.contains("postvakt_messages_total{direction=\"inbound\",verdict=\"accepted\"} 1"));
    }
}
