//! Watches which hosts work, and has what stands on failed ones chosen anew.
//!
//! Invariant: a monitor that does not answer, or knows no hosts at all, changes nothing. Everything one answer says is
//! marked in one change of the book and healed together, however many hosts failed at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugin_api::{HostMonitor, HostNews, HostState};
use tokio_util::sync::CancellationToken;

use crate::admission::healing::Outcome;
use crate::book::Book;
use crate::domain::Timestamp;
use crate::healing::Healing;
use crate::service::Settings;

/// Seconds until the next attempt to hear news whose source is away.
const NEWS_RETRY: i64 = 5;

/// The loop and what it works with.
pub(crate) struct Monitoring {
    pub(crate) healing: Healing,
    /// `None`: nobody says what works, but what is on failed hosts is tried again.
    pub(crate) monitor: Option<Arc<dyn HostMonitor>>,
    /// `None`: the monitor is asked when it is time.
    pub(crate) news: Option<Arc<dyn HostNews>>,
}

impl Monitoring {
    /// Heals at once what a process before this one left, then asks every `polling_interval` and heals every
    /// `healing_interval` seconds until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let Settings {
            polling_interval,
            healing_interval,
            retry_ceiling,
            ..
        } = *self.healing.settings;
        let clock = Arc::clone(&self.healing.clock);
        tell(&self.healing.heal().await);
        let never = Timestamp::MAX;
        let after = |seconds: i64, now: Timestamp| {
            if seconds > 0 {
                now.saturating_add(seconds)
            } else {
                never
            }
        };
        let polling = if self.monitor.is_some() {
            polling_interval.max(1)
        } else {
            0
        };
        let mut heal_at = after(healing_interval, clock.now());
        let mut news = std::pin::pin!(self.news());
        loop {
            let wake = after(polling, clock.now()).min(heal_at);
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = clock.sleep_until(wake) => {}
                () = self.healing.unfinished.notified() => {
                    heal_at = heal_at.min(after(retry_ceiling.max(1), clock.now()));
                    continue;
                }
                // Kept from one round to the next, because giving up waiting would close its connection.
                () = &mut news => news.set(self.news()),
            }
            let Some(states) = shutdown.run_until_cancelled(self.states()).await else {
                return;
            };
            let now = clock.now();
            let is_due = now >= heal_at;
            if is_due {
                heal_at = after(healing_interval, now);
            }
            let (failed, recovered) = changes(&*self.healing.book.fresh().await, &states);
            if is_due || !failed.is_empty() || !recovered.is_empty() {
                self.apply(failed, recovered).await;
            }
        }
    }

    /// Returns when the monitor is to be asked before its time.
    async fn news(&self) {
        match (&self.monitor, &self.news) {
            (Some(_), Some(news)) => {
                while let Err(error) = news.next().await {
                    tracing::warn!(%error, "news of hosts cannot be heard; they are polled meanwhile");
                    self.healing
                        .clock
                        .sleep_until(self.healing.clock.now() + NEWS_RETRY)
                        .await;
                }
            }
            (None, _) | (_, None) => std::future::pending().await,
        }
    }

    /// What the monitor says; nothing if it says nothing useful.
    async fn states(&self) -> Vec<HostState> {
        let Some(monitor) = &self.monitor else {
            return Vec::new();
        };
        match monitor.states().await {
            Ok(states) => states,
            Err(error) => {
                tracing::warn!(%error, "the monitor of hosts does not answer");
                Vec::new()
            }
        }
    }

    async fn apply(&self, failed: Vec<String>, recovered: Vec<String>) {
        match self.healing.set_reservable(failed, recovered).await {
            Ok(outcome) => tell(&outcome),
            Err(error) => tracing::error!(%error, "which hosts work cannot be recorded now"),
        }
    }
}

fn tell(outcome: &Outcome) {
    let Outcome {
        hosts,
        moved,
        lost,
        refilled,
    } = outcome;
    if *outcome != Outcome::default() {
        tracing::warn!(?hosts, moved, ?lost, ?refilled, "hosts failed or came back");
    }
}

/// Hosts that have failed, and hosts that work again.
fn changes(book: &Book, states: &[HostState]) -> (Vec<String>, Vec<String>) {
    let is_up: BTreeMap<&str, bool> = states.iter().map(|state| (state.id.as_str(), state.is_up)).collect();
    let ids = |wanted: bool| -> Vec<String> {
        let hosts = book.hosts().filter(|host| host.reservable != wanted);
        let hosts = hosts.filter(|host| is_up.get(host.id.as_str()) == Some(&wanted));
        hosts.map(|host| host.id.clone()).collect()
    };
    (ids(false), ids(true))
}
