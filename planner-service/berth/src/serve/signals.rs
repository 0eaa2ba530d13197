//! Signals: SIGINT and SIGTERM stop the service, SIGHUP has files read again.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::reloadable::Reloadable;

/// Signals that no longer end the process by themselves.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes the signals over from now on.
    pub(super) fn take_over() -> anyhow::Result<Self> {
        let take = |kind| signal(kind).context("signals cannot be received");
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            hangup: take(SignalKind::hangup())?,
        })
    }

    /// Reloads at each SIGHUP until the service is to stop, and says so then.
    pub(super) async fn obey(mut self, reloadable: Reloadable, stop: CancellationToken) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => break,
                _ = self.terminate.recv() => break,
                Some(()) = self.hangup.recv() => reloadable.reload(),
                () = stop.cancelled() => return,
            }
        }
        tracing::info!("stopping");
        stop.cancel();
    }
}
