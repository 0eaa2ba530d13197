//! A clock that stands still until a test moves it.

use async_trait::async_trait;
use tokio::sync::watch;

use crate::domain::Timestamp;
use crate::ports::Clock;

/// A clock that stands still until a test moves it; sleepers wake when it passes their time.
#[derive(Debug, Clone)]
pub struct ManualClock(watch::Sender<Timestamp>);

impl ManualClock {
    /// A clock that says `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(watch::channel(now).0)
    }

    /// Moves the clock; never backwards.
    pub fn set(&self, now: Timestamp) {
        self.0.send_modify(|current| *current = (*current).max(now));
    }

    /// Moves the clock forward.
    pub fn advance(&self, seconds: i64) {
        self.0.send_modify(|current| *current += seconds);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    async fn sleep_until(&self, time: Timestamp) {
        let mut now = self.0.subscribe();
        // The sender lives as long as `self`.
        let _ = now.wait_for(|now| *now >= time).await;
    }
}
