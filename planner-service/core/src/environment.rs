//! The real clock and the real source of identifiers.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::Timestamp;
use crate::ports::{Clock, Identifiers};

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port's real side")]
    fn now(&self) -> Timestamp {
        chrono::Utc::now().timestamp()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the Clock port's real side")]
    async fn sleep_until(&self, time: Timestamp) {
        let milliseconds = time
            .saturating_mul(1000)
            .saturating_sub(chrono::Utc::now().timestamp_millis());
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
