//! The time of the book: what the machine's clock says, as long as that goes forward.
//!
//! Invariants: it never goes back, neither with the clock nor with a restart, because every change recorded in the book
//! says when it was made; while the clock is behind, it goes on at half its pace, so that what is tried again or expires
//! still does, until the clock has caught up. It stands still while the clock says what cannot be, and nothing is decided
//! then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::Timestamp;
use crate::ports::Clock;

/// The first second of 2020: no clock that is right says less.
pub const EARLIEST: Timestamp = 1_577_836_800;

/// The first second of 2200: no clock that is right says more.
pub const LATEST: Timestamp = 7_258_118_400;

/// Seconds that the clock may be ahead of what was last recorded in the book: ten years.
pub const MOST_AHEAD: i64 = 315_576_000;

/// The machine's clock says what cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock of this machine is wrong: it says {clock} seconds since 1970, and only {EARLIEST} (the year 2020) to {latest} \
     can be right; set the clock"
)]
pub struct ClockError {
    /// What it says, Unix seconds.
    pub clock: Timestamp,
    /// The most that can be right: the year 2200, or ten years after the last change of the book.
    pub latest: Timestamp,
}

/// Whether a clock can be right, whatever the book says.
///
/// # Errors
/// When it says a year before 2020 or after 2199.
pub const fn check_clock(clock: Timestamp) -> Result<(), ClockError> {
    if EARLIEST <= clock && clock < LATEST {
        return Ok(());
    }
    Err(ClockError { clock, latest: LATEST })
}

/// The book's time. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct BookClock {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

struct State {
    /// Latest moment recorded in the book; [`Timestamp::MIN`] if nothing is.
    recorded: Timestamp,
    /// The latest this has said, in half seconds.
    half_seconds: i64,
    /// What the clock said then; [`Timestamp::MAX`] before it first said what can be.
    clock: Timestamp,
}

impl BookClock {
    /// The time of a book on a clock.
    pub fn new(clock: Arc<dyn Clock>, recorded: Timestamp) -> Self {
        let mut state = State {
            recorded,
            half_seconds: recorded.max(EARLIEST).saturating_mul(2),
            clock: Timestamp::MAX,
        };
        let begun = clock.now();
        if state.check(begun).is_ok() {
            state.clock = begun;
            state.half_seconds = state.half_seconds.max(begun.saturating_mul(2));
        }
        Self {
            clock,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Notes the latest moment recorded in the book, which another process may have written.
    pub fn record(&self, recorded: Timestamp) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.recorded = state.recorded.max(recorded);
        state.half_seconds = state.half_seconds.max(state.recorded.saturating_mul(2));
    }

    /// Whether anything may be decided now.
    ///
    /// # Errors
    /// When the machine's clock says what cannot be.
    pub fn check(&self) -> Result<(), ClockError> {
        let clock = self.clock.now();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.check(clock)
    }

    /// Seconds by which the clock is behind what is recorded in the book.
    pub fn behind(&self) -> i64 {
        let clock = self.clock.now();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.recorded.saturating_sub(clock).max(0)
    }
}

impl State {
    fn check(&self, clock: Timestamp) -> Result<(), ClockError> {
        let latest = match self.recorded {
            Timestamp::MIN => LATEST,
            recorded => recorded.saturating_add(MOST_AHEAD).min(LATEST),
        };
        if (EARLIEST..latest).contains(&clock) {
            return Ok(());
        }
        Err(ClockError { clock, latest })
    }
}

#[async_trait]
impl Clock for BookClock {
    fn now(&self) -> Timestamp {
        let clock = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.check(clock).is_ok() {
            let passed = clock.saturating_sub(state.clock).max(0);
            state.half_seconds = (state.half_seconds.saturating_add(passed)).max(clock.saturating_mul(2));
            state.clock = clock;
        }
        state.half_seconds.div_euclid(2)
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Sleeps for as many seconds of the machine as are left until `time`. That may be before the book's time gets there:
    /// nobody waits longer for a clock that is behind.
    async fn sleep_until(&self, time: Timestamp) {
        let left = time.saturating_sub(self.now());
        self.clock.sleep_until(self.clock.now().saturating_add(left)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ManualClock;

    const NOON: Timestamp = 1_900_000_020;

    #[test]
    fn f3_time_goes_on_slowly_until_the_clock_has_caught_up() {
        let machine = ManualClock::at(NOON);
        let clock = BookClock::new(Arc::new(machine.clone()), Timestamp::MIN);
        assert_eq!(clock.now(), NOON);
        machine.turn_to(NOON - 7200);
        assert_eq!(clock.now(), NOON, "it never goes back");
        for second in 1..=14_400 {
            machine.advance(1);
            let caught_up = NOON - 7200 + second;
            assert_eq!(clock.now(), (NOON + second / 2).max(caught_up), "second {second}");
        }
        machine.advance(60);
        assert_eq!(clock.now(), NOON + 7260, "and is the clock's again");
    }

    #[test]
    fn f3_a_restart_does_not_go_back_before_what_is_recorded() {
        let clock = BookClock::new(Arc::new(ManualClock::at(NOON - 3600)), NOON);
        assert_eq!((clock.now(), clock.behind()), (NOON, 3600));
        // Another process has written later.
        clock.record(NOON + 30);
        assert_eq!(clock.now(), NOON + 30);
    }

    #[test]
    fn f4_what_no_clock_can_say_is_refused_and_moves_nothing() {
        let machine = ManualClock::at(NOON);
        let clock = BookClock::new(Arc::new(machine.clone()), NOON - 60);
        for wrong in [
            i64::MIN,
            -1,
            0,
            EARLIEST - 1,
            NOON + MOST_AHEAD,
            252_979_200_000,
            i64::MAX,
        ] {
            machine.turn_to(wrong);
            assert_eq!(clock.check().map_err(|error| error.clock), Err(wrong));
            assert_eq!(clock.now(), NOON);
        }
        machine.turn_to(NOON + 1);
        assert_eq!((clock.check(), clock.now()), (Ok(()), NOON + 1));
    }
}
