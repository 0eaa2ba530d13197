//! The real clock and the real source of identifiers.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;

use crate::domain::Timestamp;
use crate::ports::{Clock, Identifiers};

/// What the time that has passed is counted from.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// Milliseconds since 1970; negative before. A clock may say anything, and must not end the program.
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port's real side")]
    fn milliseconds() -> i64 {
        let whole = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => whole(since),
            Err(before) => -whole(before.duration()),
        }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Self::milliseconds().div_euclid(1000)
    }

    fn elapsed(&self) -> Duration {
        BEGINNING.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the Clock port's real side")]
    async fn sleep_until(&self, time: Timestamp) {
        let milliseconds = time.saturating_mul(1000).saturating_sub(Self::milliseconds());
        if let Ok(milliseconds @ 1..) = u64::try_from(milliseconds) {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
    }
}

/// Random (version 4) UUIDs.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIdentifiers;

impl Identifiers for RandomIdentifiers {
    fn next(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}
