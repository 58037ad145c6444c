//! The daemon: start, reload, drain. Errors at the start are fatal, because an admin is watching; later ones are not.

pub mod clock;
mod held;
mod overrides;
mod memory;
pub(crate) mod process;
mod service;
pub(crate) mod web;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use jiff::civil::Date;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

#[cfg(feature = "central")]
use crate::central::claims::Claims;
#[cfg(feature = "central")]
use crate::central::memory::SharedMemory;
#[cfg(feature = "central")]
use crate::central::shipper::{ConfigHash, Shipper};
use crate::config::{Config, Problems};
use crate::courier;
use crate::gather::Sources;
use crate::gather::room::Room;
use crate::limits;
use crate::metrics::METRICS;
use crate::milter::listener::{self, HandedOver, Listener};
use crate::pipeline::{Pipeline, trial};
use crate::policy::Exception;
use crate::store::Store;
use crate::store::access::{AccessLog, ActiveConfig, ConfigChange, Kind, Reader, Via};
use crate::tail::Tail;
use crate::worker::pool::Workers;

/// Runs until SIGTERM or SIGINT, and then [`limits::STOP_TIME`] at the most.
pub fn run(config: Config, path: &Path) -> anyhow::Result<()> {
    raise_descriptor_limit();
    process::started(&METRICS.process);
    let handed = HandedOver::from_environment()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        // Before the sockets are open, so that no signal is missed.
        let mut reload = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let daemon = Daemon::start(config, Workers::own(), handed).await?;
        service::ready();
        tokio::spawn(service::alive());
        loop {
            tokio::select! {
                _ = reload.recv() => tokio::select! {
                    () = daemon.reload(path) => {}
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                },
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            }
        }
        service::stopping();
        if tokio::time::timeout(limits::STOP_TIME, daemon.stop()).await.is_err() {
            tracing::error!("timeout while closing the log; all confirmed records are on disk");
        }
        Ok(())
    });
    // Threads that still read a mail are abandoned: its client was told to try again.
    runtime.shutdown_background();
    ended
}

/// The running program.
pub struct Daemon {
    pipeline: Arc<Pipeline>,
    stopping: watch::Sender<bool>,
    serving: JoinHandle<()>,
    courier: oneshot::Receiver<()>,
    exceptions: JoinHandle<()>,
    clock: JoinHandle<()>,
    look: JoinHandle<()>,
    outcomes: JoinHandle<()>,
    held: JoinHandle<()>,
    tail: Option<Tail>,
    #[cfg(feature = "central")]
    central: (Option<Shipper>, Option<SharedMemory>),
    directory: PathBuf,
}

impl Daemon {
    /// Opens the store, and the sockets that were not handed over; every failure here names what to do about it.
    pub async fn start(mut config: Config, workers: Workers, mut handed: HandedOver) -> anyhow::Result<Self> {
        // They are for a reload, which can keep the config that there is.
        config.tests.clear();
        let heads = config.store.heads.clone();
        let clock = Arc::new(jiff::Timestamp::now);
        let store = Store::open_with(&config.store.directory, &config.server.node, heads, clock)?;
        let mut sources =
            Sources::of(&store, config.needs, workers).context("cannot read the memory of seen messages")?;
        let memory = config.server.memory.unwrap_or_else(memory::share);
        sources.room = Room::of(memory);
        let listen = config.server.listen.iter();
        let listeners: Vec<Listener> =
            listen.map(|listen| listener::bind(listen, &mut handed)).collect::<Result<_, _>>()?;
        let metrics = match config.server.metrics {
            Some(address) => Some(web::bind(address, &mut handed).await?),
            None => None,
        };
        handed.is_taken()?;
        for listener in &listeners {
            tracing::info!(address = %listener.address(), "listening for the MTA");
        }
        if let Some(address) = config.server.metrics {
            tracing::info!(%address, "listening for metrics");
        }
        courier::requests::prepare(&config.store.directory)
            .with_context(|| format!("{}: cannot write", config.store.directory.display()))?;
        announce(&config);
        let directory = config.store.directory.clone();
        let own = directory.clone();
        // What follows a step of the clock stands after the entry that tells of it.
        let clock = clock::Watch::new(&store, own.clone());
        note_config(&store, &own, "started", &config);
        let clock = tokio::spawn(clock.run());
        let look = tokio::spawn(look_after(store.clone()));
        let outcomes = tokio::spawn(follow_outcomes(store.clone()));
        let tail = config.mail_log.clone().map(|log| Tail::start(log, &own)).transpose();
        let tail = tail.context("cannot start the thread that follows Postfix's log")?;
        sources.directories.warm(&config.directories, &config.organisation);
        let pipeline = Arc::new(Pipeline { config: ArcSwap::from_pointee(config), store, sources });
        let exceptions = tokio::spawn(announce_exceptions(pipeline.clone()));
        let held = tokio::spawn(held::watch(pipeline.clone()));
        let (stopping, mut stop) = watch::channel(false);
        let way = pipeline.clone();
        let way: courier::SmtpSettingsSource = Arc::new(move || way.config.load().smtp.clone());
        let means = courier::Means { way, claim: claim(&pipeline) };
        let courier = courier::start(pipeline.store.clone(), directory, means, stop.clone())
            .context("cannot start the courier")?;
        #[cfg(feature = "central")]
        let central = start_central(&pipeline).context("cannot start a thread for the centre")?;
        if let Some(metrics) = metrics {
            tokio::spawn(web::serve_own(metrics, pipeline.clone(), stop.clone()));
        }
        let stopped = async move {
            // An error means that the daemon is gone, and no stop can be announced any more.
            let _ = stop.wait_for(|stopping| *stopping).await;
        };
        let serving = listener::serve(listeners, pipeline.clone(), stopped, listener::Limits::within(memory));
        let serving = tokio::spawn(serving);
        Ok(Self {
            pipeline,
            stopping,
            serving,
            courier,
            exceptions,
            clock,
            look,
            outcomes,
            held,
            tail,
            #[cfg(feature = "central")]
            central,
            directory: own,
        })
    }

    /// Reads the config anew, and runs the tests in it: all of it is taken, or nothing. Connections go on; mail under way
    /// keeps the old one.
    pub async fn reload(&self, path: &Path) {
        service::reloading();
        let taken = match Config::load(path) {
            Ok(config) => self.tested(config).await.map_err(|failed| (failed, "fails its tests")),
            Err(problems) => Err((problems, "is invalid")),
        };
        match taken {
            Ok(config) => self.take(config),
            Err((problems, why)) => {
                METRICS.config_reloads.with_label_values(&["refused"]).inc();
                METRICS.config_reload_success.set(0);
                for problem in problems.to_string().lines() {
                    tracing::error!("{problem}");
                }
                tracing::error!("the new config {why}; the old config stays active");
                self.note("refused");
            }
        }
        service::ready();
    }

    /// The config, if it judges the mail of its own tests as they say.
    async fn tested(&self, mut config: Config) -> Result<Arc<Config>, Problems> {
        let tests = std::mem::take(&mut config.tests);
        let config = Arc::new(config);
        let sources = Sources::volatile(self.pipeline.sources.workers.clone());
        let failed = trial::failures(&tests, &config, sources).await;
        let gauge = |count| i64::try_from(count).unwrap_or(i64::MAX);
        METRICS.config_tests.with_label_values(&["failed"]).set(gauge(failed.len()));
        METRICS.config_tests.with_label_values(&["passed"]).set(gauge(tests.len() - failed.len()));
        if failed.is_empty() { Ok(config) } else { Err(Problems(failed)) }
    }

    fn take(&self, config: Arc<Config>) {
        let old = self.pipeline.config.load();
        let places = |config: &Config| (config.store.directory.clone(), config.store.heads.clone());
        let fixed =
            |config: &Config| (config.server.clone(), config.mail_log.clone(), config.central.clone());
        if fixed(&config) != fixed(&old) || places(&config) != places(&old) {
            tracing::warn!(
                "changes to [server], [postfix], [central], [store] directory and [store.heads] take effect at the next start; all others are active now"
            );
        }
        METRICS.config_reloads.with_label_values(&["taken"]).inc();
        announce(&config);
        self.pipeline.sources.take(&config);
        self.pipeline.config.store(config);
        self.note("reloaded");
    }

    /// Writes what became of a reload into the access log, on a thread of its own: mail does not wait for it.
    fn note(&self, event: &'static str) {
        let (store, config) = (self.pipeline.store.clone(), self.pipeline.config.load_full());
        let directory = self.directory.clone();
        tokio::task::spawn_blocking(move || note_config(&store, &directory, event, &config));
    }

    /// Takes no new connection, lets mail under way come to its end, and closes the store.
    pub async fn stop(self) {
        tracing::info!("stopping: no new connections; mail in progress is finished");
        let letters_by = Instant::now() + limits::LAST_LETTER_TIME;
        // The receivers live as long as the tasks; an error means that all of them have ended.
        let _ = self.stopping.send(true);
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "the listeners did not stop cleanly");
        }
        // A letter under way has a little time: cut off, it might go twice.
        if timeout_at(letters_by, self.courier).await.is_err() {
            tracing::warn!("a delivery was interrupted; it is repeated after the next start");
        }
        self.exceptions.abort();
        self.clock.abort();
        self.look.abort();
        self.outcomes.abort();
        self.held.abort();
        if let Some(tail) = self.tail {
            // An error is a panic that was told of already.
            let _ = tokio::task::spawn_blocking(|| tail.stop()).await;
        }
        note_outcomes(&self.pipeline.store).await;
        self.pipeline.sources.workers.stop().await;
        self.pipeline.store.close().await;
        #[cfg(feature = "central")]
        if let (Some(shipper), memory) = self.central {
            if let Some(memory) = memory {
                memory.stop().await;
            }
            shipper.stop().await;
        }
        tracing::info!("stopped; all records are on disk");
    }
}

/// Sends what is stored to the centre, where the config names one, and shares the memory of seen messages over it.
#[cfg(feature = "central")]
fn start_central(pipeline: &Arc<Pipeline>) -> std::io::Result<(Option<Shipper>, Option<SharedMemory>)> {
    let config = pipeline.config.load();
    let active = pipeline.clone();
    let hash: ConfigHash = Arc::new(move || active.config.load().hash.clone());
    let shipper = Shipper::start(&pipeline.store, config.central.as_ref(), &config.server.node, hash)?;
    Ok((shipper, SharedMemory::start(pipeline, config.central.as_ref())?))
}

/// Who says which gateway sends a receipt; none where there is one gateway.
#[cfg(feature = "central")]
fn claim(pipeline: &Pipeline) -> Option<courier::Claim> {
    let claims = Claims::of(pipeline.config.load().central.as_ref())?;
    let ask = move |key| {
        let claims = claims.clone();
        let asked = async move { claims.claim(key).await.map_err(|error| error.to_string()) };
        Box::pin(asked) as std::pin::Pin<Box<_>>
    };
    Some(Arc::new(ask))
}

#[cfg(not(feature = "central"))]
fn claim(_pipeline: &Pipeline) -> Option<courier::Claim> {
    None
}

/// Has the store looked after, whether or not mail comes.
async fn look_after(store: Store) {
    loop {
        tokio::time::sleep(limits::STORE_LOOK).await;
        store.look();
    }
}

/// Has the access log tell what became of receipts and notices.
async fn follow_outcomes(store: Store) {
    loop {
        tokio::time::sleep(limits::OUTCOMES_LOOK).await;
        note_outcomes(&store).await;
    }
}

async fn note_outcomes(store: &Store) {
    let store = store.clone();
    let noted = tokio::task::spawn_blocking(move || store.note_outcomes()).await;
    if let Err(error) = noted.map_err(anyhow::Error::from).and_then(|noted| Ok(noted?)) {
        METRICS.access_unwritten.inc();
        tracing::error!(
            error = format!("{error:#}"),
            "cannot write into the access log what became of receipts; will retry"
        );
    }
}

fn announce(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    count_exceptions(config, today(config));
    METRICS.config_reload_success.set(1);
    METRICS.config_info.reset();
    METRICS.config_info.with_label_values(&[&config.hash]).set(1);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = config.hash,
        rules = config.rules.len(),
        store = %config.store.directory.display(),
        "config active"
    );
}

/// Writes into the access log which config is active, and what it says of the log: whoever changes the rules changes
/// what the log will say.
fn note_config(store: &Store, directory: &Path, event: &str, config: &Config) {
    let change = ConfigChange {
        reader: Reader::of_this_process(Via::Daemon),
        event: event.to_owned(),
        config: config.hash.clone(),
        postvakt: env!("CARGO_PKG_VERSION").to_owned(),
        part: (event != "refused").then(|| ActiveConfig::of(config)),
    };
    let noted =
        AccessLog::open(directory).and_then(|mut log| log.add(Kind::Config, jiff::Timestamp::now(), &change));
    match noted {
        Ok(_) => store.sign(),
        Err(error) => {
            METRICS.access_unwritten.inc();
            tracing::error!(%error, "cannot write the active config to the access log");
        }
    }
}

/// Today, where the organisation is.
fn today(config: &Config) -> Date {
    jiff::Timestamp::now().to_zoned(config.time_zone.clone()).date()
}

/// Says every day which exceptions have ended or soon will: a start or a reload may be months ago.
async fn announce_exceptions(pipeline: Arc<Pipeline>) {
    let mut last = today(&pipeline.config.load());
    loop {
        tokio::time::sleep(limits::EXCEPTION_LOOK).await;
        let config = pipeline.config.load_full();
        let today = today(&config);
        if today == last {
            continue;
        }
        last = today;
        count_exceptions(&config, today);
        for (rule, exception) in config.exceptions() {
            let (place, scope) = (exception.place.to_string(), exception.scope.to_string());
            let decision = exception.decision.as_deref();
            let until = exception.until.map(|until| until.to_string());
            if exception.has_ended(today) {
                tracing::warn!(rule, place, scope, decision, until, "an exception has ended");
            } else if exception.ends_soon(today) {
                tracing::warn!(rule, place, scope, decision, until, "an exception ends soon");
            }
        }
    }
}

fn count_exceptions(config: &Config, today: Date) {
    let count = |fits: &dyn Fn(&Exception) -> bool| config.exceptions().filter(|(_, e)| fits(e)).count();
    let gauge = |count| i64::try_from(count).unwrap_or(i64::MAX);
    METRICS.exceptions_expired.set(gauge(count(&|exception| exception.has_ended(today))));
    METRICS.exceptions_ending.set(gauge(count(&|exception| exception.ends_soon(today))));
}

/// Each connection needs a descriptor; the soft limit of a shell is 1,024.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the limit on open files");
    }
}
