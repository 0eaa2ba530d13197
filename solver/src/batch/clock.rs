//! How long to search, in a crate that has no clock of its own.
//!
//! Invariant: time is read through the function the caller gave, and only ever decides when to stop.

/// How long and how hard to search.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Wall seconds for the whole batch, `None` without limit.
    pub seconds: Option<f64>,
    /// Rounds of the search: with no time limit the search ends after so many.
    pub rounds: u32,
    /// Seed of the search.
    pub seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            seconds: None,
            rounds: 8,
            seed: 1,
        }
    }
}

/// How much of the time is left.
pub(crate) struct Clock<'c> {
    seconds: Option<f64>,
    started: u64,
    micros: &'c mut dyn FnMut() -> u64,
}

impl<'c> Clock<'c> {
    /// Starts now. `micros` counts microseconds from any origin.
    pub(crate) fn new(seconds: Option<f64>, micros: &'c mut dyn FnMut() -> u64) -> Self {
        Self {
            seconds,
            started: micros(),
            micros,
        }
    }

    /// Seconds left, `None` without limit.
    pub(crate) fn left(&mut self) -> Option<f64> {
        let spent = (self.micros)().saturating_sub(self.started);
        let spent = std::time::Duration::from_micros(spent).as_secs_f64();
        self.seconds.map(|seconds| (seconds - spent).max(0.0))
    }

    /// Whether nothing is left.
    pub(crate) fn is_over(&mut self) -> bool {
        self.left().is_some_and(|left| left <= 0.0)
    }
}
