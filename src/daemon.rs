//! The daemon: start, reload, drain. Loud at the start, where somebody is watching; unmoved later.

mod web;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::gather::seen::Memory;
use crate::metrics::METRICS;
use crate::milter::listener;
use crate::pipeline::Pipeline;
use crate::store::Store;

/// Runs until SIGTERM or SIGINT.
pub fn run(config: Config, path: &Path) -> anyhow::Result<()> {
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before the sockets are open, so that no signal finds nobody listening.
        let mut reload = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let daemon = Daemon::start(config).await?;
        notify(&[sd_notify::NotifyState::Ready]);
        loop {
            tokio::select! {
                _ = reload.recv() => daemon.reload(path),
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            }
        }
        notify(&[sd_notify::NotifyState::Stopping]);
        daemon.stop().await;
        Ok(())
    })
}

/// The running program.
pub struct Daemon {
    pipeline: Arc<Pipeline>,
    stopping: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Daemon {
    /// Opens the store and the sockets; every failure here names what to do about it.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let store = Store::open(&config.store.directory, &config.server.node)?;
        let memory = Memory::of(&store).context("the memory of seen messages cannot be read")?;
        let listeners = config.server.listen.iter().map(listener::bind).collect::<Result<_, _>>()?;
        let metrics = match config.server.metrics {
            Some(address) => Some(web::bind(address).await?),
            None => None,
        };
        announce(&config);
        let pipeline = Arc::new(Pipeline { config: ArcSwap::from_pointee(config), store, memory });
        let (stopping, mut stop) = watch::channel(false);
        if let Some(metrics) = metrics {
            tokio::spawn(web::serve(metrics, pipeline.clone(), stop.clone()));
        }
        let stopped = async move {
            // An error is a daemon that is gone: nobody will tell us any more.
            let _ = stop.wait_for(|stopping| *stopping).await;
        };
        let serving = listener::serve(listeners, pipeline.clone(), stopped, listener::Limits::default());
        let serving = tokio::spawn(serving);
        Ok(Self { pipeline, stopping, serving })
    }

    /// Reads the config anew: all of it is taken, or nothing. Connections go on; mail under way keeps the old one.
    pub fn reload(&self, path: &Path) {
        let monotonic = sd_notify::NotifyState::monotonic_usec_now().ok();
        notify(&std::iter::once(sd_notify::NotifyState::Reloading).chain(monotonic).collect::<Vec<_>>());
        match Config::load(path) {
            Ok(config) => self.take(config),
            Err(problems) => {
                METRICS.config_reloads.with_label_values(&["refused"]).inc();
                METRICS.config_reload_success.set(0);
                for problem in problems.to_string().lines() {
                    tracing::error!("{problem}");
                }
                tracing::error!("the config has mistakes; the old one stays in force");
            }
        }
        notify(&[sd_notify::NotifyState::Ready]);
    }

    fn take(&self, config: Config) {
        let old = self.pipeline.config.load();
        if config.server != old.server || config.store != old.store {
            tracing::warn!("[server] and [store] take effect at the next start only; the rest is taken now");
        }
        METRICS.config_reloads.with_label_values(&["taken"]).inc();
        announce(&config);
        self.pipeline.config.store(Arc::new(config));
    }

    /// Takes no new connection, lets mail under way come to its end, and closes the store.
    pub async fn stop(self) {
        tracing::info!("stopping: no new connections; mail under way is finished");
        // The receivers live as long as the tasks; with none of them left there is nobody to tell.
        let _ = self.stopping.send(true);
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "the listeners did not end well");
        }
        self.pipeline.store.close().await;
        tracing::info!("stopped; every record is on the disk");
    }
}

fn announce(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let today = jiff::Timestamp::now().to_zoned(config.time_zone.clone()).date();
    METRICS.exceptions_expired.set(i64::try_from(config.exceptions_expired(today)).unwrap_or(i64::MAX));
    METRICS.config_reload_success.set(1);
    METRICS.config_info.reset();
    METRICS.config_info.with_label_values(&[&config.hash]).set(1);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = config.hash,
        rules = config.rules.len(),
        store = %config.store.directory.display(),
        "in force"
    );
}

/// Each connection needs a descriptor; the soft limit of a shell is 1,024.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd was not told");
    }
}
