//! How often HiGHS ran, for those who measure.

use std::ops::{AddAssign, Sub};
use std::sync::atomic::{AtomicU64, Ordering};

static LINEAR: AtomicU64 = AtomicU64::new(0);
static INTEGER: AtomicU64 = AtomicU64::new(0);

/// Runs of HiGHS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Runs {
    /// Of linear programs.
    pub linear: u64,
    /// Of mixed-integer programs.
    pub integer: u64,
}

impl AddAssign for Runs {
    fn add_assign(&mut self, other: Self) {
        self.linear += other.linear;
        self.integer += other.integer;
    }
}

impl Sub for Runs {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            linear: self.linear - other.linear,
            integer: self.integer - other.integer,
        }
    }
}

/// All runs of this process so far.
pub fn runs() -> Runs {
    Runs {
        linear: LINEAR.load(Ordering::Relaxed),
        integer: INTEGER.load(Ordering::Relaxed),
    }
}

/// Counts one run.
pub(crate) fn count(integer: bool) {
    let runs = if integer { &INTEGER } else { &LINEAR };
    runs.fetch_add(1, Ordering::Relaxed);
}
