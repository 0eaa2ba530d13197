//! When to stop, asked by every stage that may take long.
//!
//! Two limits, either of which may be missing: wall-clock time, read from the clock the caller gives, and work, which
//! is counted: looks at hosts, iterations of a simplex method, nodes of branch and bound. The count is the same on every
//! machine, so where only work is limited, equal input gives equal answers.
//!
//! Invariant: the crate has no clock of its own, and what the clock says only ever decides when to stop. Deadlines derived
//! from one another count their work together.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::decision::Unfinished;

/// Reads a clock: the time since any origin.
type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// What one of several steps may take of a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Ignored by a deadline without a limit in time: the answer must not depend on the machine there.
    pub time: Duration,
    /// Holds for every deadline.
    pub work: u64,
}

impl Part {
    /// All there is.
    pub const WHOLE: Self = Self::of_work(u64::MAX);

    /// So much work, whatever time it takes.
    pub const fn of_work(work: u64) -> Self {
        Self {
            time: Duration::MAX,
            work,
        }
    }
}

/// When to stop. Clones and parts share the count of work.
#[derive(Clone)]
pub struct Deadline {
    /// `None`: time stands still.
    clock: Option<Clock>,
    /// The limits it was given, for [`Deadline::restarted`].
    limits: (Option<Duration>, Option<u64>),
    /// What the clock says when time is up.
    end: Option<Duration>,
    done: Arc<AtomicU64>,
    /// The count at which no work is left.
    most: Option<u64>,
    /// What the clock says when the time of the whole is up.
    whole: Option<Duration>,
    /// Something was left undone because the time of the whole was up.
    ran_out: Arc<AtomicBool>,
}

impl fmt::Debug for Deadline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = formatter.debug_struct("Deadline");
        written.field("left", &self.left()).field("work", &self.work_left());
        written.finish_non_exhaustive()
    }
}

impl Deadline {
    /// Without a limit, and without a clock.
    pub fn none() -> Self {
        Self {
            clock: None,
            limits: (None, None),
            end: None,
            done: Arc::default(),
            most: None,
            whole: None,
            ran_out: Arc::default(),
        }
    }

    /// Without a limit.
    pub fn by(clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            clock: Some(Arc::new(clock)),
            ..Self::none()
        }
    }

    /// With these limits, from now on.
    #[must_use]
    pub fn limited(&self, time: Option<Duration>, work: Option<u64>) -> Self {
        let end = time.map(|time| self.now().saturating_add(time));
        Self {
            clock: self.clock.clone(),
            limits: (time, work),
            end,
            done: Arc::default(),
            most: work,
            whole: end,
            ran_out: Arc::default(),
        }
    }

    /// With the limits this one was given, from now on: for one of several decisions of which each has its own.
    #[must_use]
    pub fn restarted(&self) -> Self {
        self.limited(self.limits.0, self.limits.1)
    }

    /// Part of what is left.
    #[must_use]
    pub fn part(&self, part: Part) -> Self {
        let later = self.now().saturating_add(part.time);
        let more = self.done().saturating_add(part.work);
        Self {
            end: self.end.map(|end| end.min(later)),
            most: Some(self.most.unwrap_or(u64::MAX).min(more)),
            ..self.clone()
        }
    }

    /// A share of what is left of every limit, between 0 and 1.
    #[must_use]
    pub fn share(&self, share: f64) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of work need not be exact, and the conversion saturates"
        )]
        let of_work = |left: u64| (left as f64 * share) as u64;
        Self {
            end: self.left().map(|left| self.now().saturating_add(left.mul_f64(share))),
            most: self.work_left().map(|left| self.done().saturating_add(of_work(left))),
            ..self.clone()
        }
    }

    /// What the clock says.
    pub fn now(&self) -> Duration {
        self.clock.as_ref().map_or(Duration::ZERO, |clock| clock())
    }

    /// Microseconds since a moment of the clock, for plans.
    pub fn micros_since(&self, begun: Duration) -> u64 {
        u64::try_from(self.now().saturating_sub(begun).as_micros()).unwrap_or(u64::MAX)
    }

    /// Time that is left; `None` without a limit.
    pub fn left(&self) -> Option<Duration> {
        self.end.map(|end| end.saturating_sub(self.now()))
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Work that is left; `None` without a limit.
    pub fn work_left(&self) -> Option<u64> {
        self.most.map(|most| most.saturating_sub(self.done()))
    }

    /// Whether there is a limit that does not come from [`Deadline::part`].
    pub const fn is_limited(&self) -> bool {
        self.limits.0.is_some() || self.limits.1.is_some()
    }

    /// Counts work.
    pub fn spend(&self, work: u64) {
        self.done.fetch_add(work, Ordering::Relaxed);
    }

    /// Which limit is reached, if one is: time or work.
    pub fn over(&self) -> Option<Unfinished> {
        let now = self.now();
        if self.end.is_some_and(|end| now >= end) {
            if self.whole.is_some_and(|end| now >= end) {
                self.run_out();
            }
            Some(Unfinished::Time)
        } else if self.work_left() == Some(0) {
            Some(Unfinished::Work)
        } else {
            None
        }
    }

    /// Something is left undone for lack of time.
    pub fn run_out(&self) {
        self.ran_out.store(true, Ordering::Relaxed);
    }

    /// Whether more time might have led to another answer: a stage asked after the end, or was stopped by it.
    pub fn has_run_out(&self) -> bool {
        self.ran_out.load(Ordering::Relaxed)
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.over().is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn clock() -> (Arc<AtomicU64>, impl Fn() -> Duration + Send + Sync + 'static) {
        let seconds = Arc::new(AtomicU64::new(1_000));
        let read = Arc::clone(&seconds);
        (seconds, move || Duration::from_secs(read.load(Ordering::Relaxed)))
    }

    #[test]
    fn time_and_work_end_it() {
        let (seconds, read) = clock();
        let deadline = Deadline::by(read).limited(Some(Duration::from_secs(10)), Some(100));
        assert_eq!(deadline.left(), Some(Duration::from_secs(10)));
        let half = deadline.share(0.5);
        let part = deadline.part(Part {
            time: Duration::from_secs(2),
            work: 80,
        });
        part.spend(60);
        assert_eq!((deadline.work_left(), part.work_left()), (Some(40), Some(20)));
        assert_eq!(half.over(), Some(Unfinished::Work));
        seconds.fetch_add(2, Ordering::Relaxed);
        assert_eq!(part.over(), Some(Unfinished::Time));
        assert_eq!(deadline.over(), None);
        seconds.fetch_add(8, Ordering::Relaxed);
        assert!(!deadline.has_run_out(), "only a part was over when it was asked");
        assert_eq!(deadline.over(), Some(Unfinished::Time));
        assert!(deadline.has_run_out());
        let again = deadline.restarted();
        assert!(again.over().is_none() && !again.has_run_out());
    }

    #[test]
    fn without_a_limit_in_time_no_part_asks_the_clock() {
        let (seconds, read) = clock();
        let deadline = Deadline::by(read).limited(None, Some(100));
        let part = deadline.part(Part {
            time: Duration::ZERO,
            work: 10,
        });
        seconds.fetch_add(1_000, Ordering::Relaxed);
        assert_eq!(part.over(), None);
        part.spend(10);
        assert_eq!((part.over(), deadline.over()), (Some(Unfinished::Work), None));
        let endless = Deadline::none();
        endless.spend(u64::MAX);
        assert!(!endless.is_over() && !endless.is_limited());
    }
}
