//! Signals: SIGINT and SIGTERM stop the service, a second one ends it at once, SIGHUP has files read again.
//!
//! Invariant: SIGHUP never ends the process. SIGINT and SIGTERM end it by themselves until there is something to close.

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

/// Takes SIGHUP over from now on; what comes before it is asked for is kept.
pub(super) fn take_hangup() -> anyhow::Result<Signal> {
    take(SignalKind::hangup())
}

fn take(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("signals cannot be received")
}

impl Signals {
    /// Takes the others over from now on.
    pub(super) fn take_over(hangup: Signal) -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            hangup,
        })
    }

    /// Reloads at each SIGHUP, cancels `stop` at the first signal to stop, and returns at the second.
    pub(super) async fn obey(mut self, reloadable: &Reloadable, stop: CancellationToken) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                Some(()) = self.hangup.recv() => {
                    reloadable.reload();
                    continue;
                }
            }
            if stop.is_cancelled() {
                tracing::warn!("ending at once");
                return;
            }
            tracing::info!("stopping; another signal ends the service at once");
            stop.cancel();
        }
    }
}
