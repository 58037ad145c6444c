//! What the service manager is told (`sd_notify(3)`): that the program is ready, reloads, stops, and is alive.

use std::time::Duration;

use sd_notify::NotifyState;

/// The sockets are open.
pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The config is read anew; [`ready`] says that it was.
pub(super) fn reloading() {
    let monotonic = NotifyState::monotonic_usec_now().ok();
    notify(&std::iter::once(NotifyState::Reloading).chain(monotonic).collect::<Vec<_>>());
}

/// The program is coming to its end.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Says for ever that the program is alive, where the service manager wants to know (`WatchdogSec=`). A task like those
/// that serve mail says it, and each time another one that was begun for it: where no thread takes tasks any more,
/// where timers stand still or the process is stopped, it is not said, and the service manager starts the program anew.
pub(super) async fn alive() {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    beat(patience / 3, || notify(&[NotifyState::Watchdog])).await;
}

async fn beat(every: Duration, say: impl Fn()) {
    loop {
        // An error is a runtime that ends.
        if tokio::spawn(tokio::time::sleep(every)).await.is_err() {
            return;
        }
        say();
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot notify systemd");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn nothing_is_said_while_no_task_runs() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let said = Arc::new(AtomicUsize::new(0));
        let count = || said.load(Ordering::SeqCst);
        let own = said.clone();
        runtime.spawn(beat(Duration::from_millis(1), move || {
            own.fetch_add(1, Ordering::SeqCst);
        }));
        while count() < 3 {
            std::thread::yield_now();
        }
        // Every thread of the runtime is kept busy by a task that does not give way.
        let (stuck, free) = std::sync::mpsc::channel::<()>();
        let free = Arc::new(std::sync::Mutex::new(free));
        let running = Arc::new(AtomicUsize::new(0));
        for _ in 0..2 {
            let (free, running) = (free.clone(), running.clone());
            runtime.spawn(async move {
                running.fetch_add(1, Ordering::SeqCst);
                let _ = free.lock().unwrap().recv();
            });
        }
        while running.load(Ordering::SeqCst) < 2 {
            std::thread::yield_now();
        }
        let before = count();
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(count(), before);
        drop(stuck);
        while count() == before {
            std::thread::yield_now();
        }
    }
}
