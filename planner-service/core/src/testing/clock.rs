//! A clock that stands still until a test moves it.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::domain::Timestamp;
use crate::ports::Clock;

/// A clock that stands still until a test moves it; sleepers wake when it passes their time, or is turned back.
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

    /// Sets the clock to whatever is asked for, as an operator or a broken battery does.
    pub fn turn_to(&self, now: Timestamp) {
        self.0.send_replace(now);
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

    fn elapsed(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.now()).unwrap_or(0))
    }

    async fn sleep_until(&self, time: Timestamp) {
        let mut clock = self.0.subscribe();
        let begun = *clock.borrow_and_update();
        // The sender lives as long as `self`.
        let _ = clock.wait_for(|now| *now >= time || *now < begun).await;
    }
}
