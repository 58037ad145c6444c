//! Held mail that its sender releases: what an answer asks for is done, and its sender is told.

use std::sync::Arc;

use crate::config::Config;
use crate::held::overrides::{self as held, Settled, Tried};
use crate::metrics::METRICS;
use crate::pipeline::Pipeline;
use crate::store::overrides;

/// Does what senders of held mail asked for, and tells them what came of it. What failed lately, and is tried later.
pub(super) async fn carry_out(pipeline: &Arc<Pipeline>, config: &Arc<Config>, mut tried: Tried) -> Tried {
    let (store, own) = (pipeline.store.clone(), config.clone());
    let done = tokio::task::spawn_blocking(move || {
        let settled = held::carry_out(&store, &own, &mut tried);
        (settled, tried)
    });
    let (settled, tried) = match done.await {
        Ok((Ok(settled), tried)) => (settled, tried),
        Ok((Err(error), tried)) => {
            tracing::error!(%error, "cannot read the answers of senders of held mail; will retry");
            return tried;
        }
        Err(error) => {
            tracing::error!(%error, "a fault of the program at an answer of a sender of held mail; will retry");
            return Tried::default();
        }
    };
    for Settled { file, notice, result } in settled {
        if let Some(notice) = notice
            && let Err(error) = pipeline.store.send(notice).await
        {
            tracing::error!(%error, "cannot store a notice to a sender of held mail; will retry");
            continue;
        }
        METRICS.held_overrides.with_label_values(&[result.as_str()]).inc();
        tracing::info!(result = result.as_str(), "a sender of held mail answered");
        if let Err(error) = overrides::forget(&file) {
            tracing::error!(file = %file.display(), %error, "cannot remove the file of an answer that was carried out");
        }
    }
    tried
}
