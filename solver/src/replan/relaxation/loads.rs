//! How many hosts of each class are in use at each instant, and where that is too many.
//!
//! Invariant: after [`Loads::settle`] the peaks of a class are those instants at which its load exceeds the
//! room and is greater than before and after.

/// Load beyond room that counts as none.
pub(super) const TOLERANCE: f64 = 1e-7;

/// A capacity that is exceeded.
#[derive(Clone, Copy)]
pub(super) struct Peak {
    pub(super) instant: usize,
    pub(super) excess: f64,
}

#[derive(Clone)]
pub(super) struct Loads {
    pub(super) room: Vec<Vec<f64>>,
    load: Vec<Vec<f64>>,
    pub(super) peaks: Vec<Vec<Peak>>,
    /// Where loads change, by class; empty where they do not.
    changes: Vec<Vec<f64>>,
    changed: Vec<usize>,
    /// Classes whose peaks are not known.
    stale: Vec<usize>,
}

impl Loads {
    /// Nothing is in use.
    pub(super) fn new(room: Vec<Vec<f64>>) -> Self {
        let classes = room.len();
        Self {
            load: room.iter().map(|room| vec![0.0; room.len()]).collect(),
            peaks: vec![Vec::new(); classes],
            changes: vec![Vec::new(); classes],
            changed: Vec::new(),
            stale: Vec::new(),
            room,
        }
    }

    /// Load beyond the room.
    pub(super) fn excess(&self, class: usize, instant: usize) -> f64 {
        self.load[class][instant] - self.room[class][instant]
    }

    /// Forgets all loads, and changes that were not applied.
    pub(super) fn clear(&mut self) {
        for class in self.changed.drain(..) {
            self.changes[class].clear();
        }
        for load in &mut self.load {
            load.fill(0.0);
        }
    }

    /// More of a class is in use from `first` on until `after`.
    pub(super) fn note(&mut self, class: usize, (first, after): (usize, usize), amount: f64) {
        let changes = &mut self.changes[class];
        if changes.is_empty() {
            changes.resize(self.room[class].len() + 1, 0.0);
            self.changed.push(class);
        }
        changes[first] += amount;
        changes[after] -= amount;
    }

    /// Brings loads up to date.
    pub(super) fn apply(&mut self) {
        for class in self.changed.drain(..) {
            let mut sum = 0.0;
            for (load, change) in self.load[class].iter_mut().zip(&self.changes[class]) {
                sum += change;
                *load += sum;
            }
            self.changes[class].clear();
            self.stale.push(class);
        }
    }

    /// Brings loads and peaks up to date.
    pub(super) fn settle(&mut self) {
        self.apply();
        let mut stale = std::mem::take(&mut self.stale);
        stale.sort_unstable();
        stale.dedup();
        for class in stale {
            self.find_peaks(class);
        }
    }

    fn find_peaks(&mut self, class: usize) {
        let (load, room) = (&self.load[class], &self.room[class]);
        let peaks = &mut self.peaks[class];
        peaks.clear();
        let mut before = f64::NEG_INFINITY;
        for (instant, (&load_here, &room_here)) in load.iter().zip(room).enumerate() {
            let excess = load_here - room_here;
            if excess > TOLERANCE && excess >= before - TOLERANCE {
                let after = load
                    .get(instant + 1)
                    .map_or(f64::NEG_INFINITY, |next| next - room[instant + 1]);
                if excess > after + TOLERANCE {
                    peaks.push(Peak { instant, excess });
                }
            }
            before = excess;
        }
    }
}
