//! How full cells are once something is re-chosen: the loads that stand, and what differs from them.
//!
//! Invariant: between two neighbouring instants at which a load changes it is the same, so one of them tells for
//! all. Where nothing differs the index answers without looking at every change.

use std::collections::BTreeMap;

use crate::model::{Interval, Seconds};
use crate::scope::{Cell, CellNumber, Scope};

/// Tolerance for amounts of a linear program. Sums of whole numbers are exact.
pub(super) const TOLERANCE: f64 = 1e-6;

/// Instants of one cell that are told at a time: relieving the worst often relieves the others.
const MOST_PEAKS: usize = 4;

/// What differs from the standing loads, by cell.
#[derive(Default)]
pub(super) struct Changes {
    by_cell: BTreeMap<CellNumber, Vec<(Interval, f64)>>,
}

/// A part of an interval in which the changes of a cell are the same, and how much they add to its load.
struct Segment {
    during: Interval,
    added: f64,
}

impl Changes {
    /// Adds an amount, positive or negative, to the load of a cell.
    pub(super) fn add(&mut self, cell: CellNumber, during: Interval, amount: f64) {
        self.by_cell.entry(cell).or_default().push((during, amount));
    }

    /// The interval in parts, in order of time.
    fn segments(&self, cell: CellNumber, during: Interval) -> Vec<Segment> {
        let mut added = 0.0;
        let mut steps: Vec<(Seconds, f64)> = Vec::new();
        for &(interval, amount) in self.by_cell.get(&cell).map_or(&[][..], Vec::as_slice) {
            if interval.overlaps(&during) {
                if interval.start <= during.start {
                    added += amount;
                } else {
                    steps.push((interval.start, amount));
                }
                if interval.end < during.end {
                    steps.push((interval.end, -amount));
                }
            }
        }
        steps.sort_unstable_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
        let mut segments = Vec::new();
        let mut start = during.start;
        for same in steps.chunk_by(|one, other| one.0 == other.0) {
            segments.push(Segment {
                during: Interval::new(start, same[0].0),
                added,
            });
            start = same[0].0;
            added += same.iter().map(|step| step.1).sum::<f64>();
        }
        segments.push(Segment {
            during: Interval::new(start, during.end),
            added,
        });
        segments
    }

    /// The amount of a cell that is free during the whole interval, and an instant at which no more is.
    pub(super) fn room(&self, scope: &Scope<'_>, number: CellNumber, during: Interval) -> (f64, Seconds) {
        let cell = scope.cell(number);
        let mut least = (f64::INFINITY, during, 0);
        for segment in self.segments(number, during) {
            let used = cell.profile.greatest_in(segment.during);
            let room = f64::from(cell.size) - f64::from(used) - segment.added;
            if room < least.0 {
                least = (room, segment.during, used);
            }
        }
        let (room, segment, used) = least;
        let mut tightest = segment.start;
        if cell.profile.value_at(tightest) < used {
            let mut first = None;
            cell.profile.each_above(segment, used - 1, |part, _| {
                first.get_or_insert(part.start);
            });
            tightest = first.unwrap_or(tightest);
        }
        (room, tightest)
    }

    /// The first and last instant of the interval at which nothing of a cell is free.
    pub(super) fn tight(&self, scope: &Scope<'_>, cell: CellNumber, during: Interval) -> Option<(Seconds, Seconds)> {
        let mut tight: Option<(Seconds, Seconds)> = None;
        self.fuller(scope, cell, during, TOLERANCE, |part, _| {
            tight = Some((tight.map_or(part.start, |tight| tight.0), part.start));
        });
        tight
    }

    /// Visits the parts of the interval in which less than `room` of a cell is free, with the load.
    fn fuller(
        &self,
        scope: &Scope<'_>,
        number: CellNumber,
        during: Interval,
        room: f64,
        mut visit: impl FnMut(Interval, f64),
    ) {
        let cell = scope.cell(number);
        for segment in self.segments(number, during) {
            let limit = whole_below(f64::from(cell.size) - room - segment.added);
            cell.profile.each_above(segment.during, limit, |part, used| {
                visit(part, f64::from(used) + segment.added);
            });
        }
    }

    /// Instants at which cells are loaded beyond their capacity, where the load is greatest: changed cells, and
    /// those that may be from the first because the request keeps hosts of them.
    pub(super) fn exceeded(&self, scope: &Scope<'_>) -> Vec<(CellNumber, Seconds)> {
        let mut exceeded = Vec::new();
        let keeping = scope.keeping();
        for &cell in &keeping {
            let always = Interval::new(Seconds::MIN, Seconds::MAX);
            self.exceeded_during(scope, cell, always, &mut exceeded);
        }
        for (&cell, changes) in self.by_cell.iter().filter(|(cell, _)| !keeping.contains(cell)) {
            let risen = || changes.iter().filter(|change| change.1 > 0.0).map(|change| change.0);
            let (Some(start), Some(end)) = (risen().map(|i| i.start).min(), risen().map(|i| i.end).max()) else {
                continue;
            };
            self.exceeded_during(scope, cell, Interval::new(start, end), &mut exceeded);
        }
        exceeded
    }

    fn exceeded_during(
        &self,
        scope: &Scope<'_>,
        cell: CellNumber,
        during: Interval,
        exceeded: &mut Vec<(CellNumber, Seconds)>,
    ) {
        // Peaks, by how much is too much there.
        let mut peaks: Vec<(f64, Seconds)> = Vec::new();
        // The last part looked at, with its load; and whether the load has risen to it.
        let mut last: Option<(Interval, f64)> = None;
        let mut rising = false;
        self.fuller(scope, cell, during, -TOLERANCE, |part, load| {
            let before = last.filter(|last| last.0.end == part.start);
            match before {
                Some((_, before)) if load < before - TOLERANCE => {
                    if rising {
                        peaks.extend(last.map(|last| (last.1, last.0.start)));
                    }
                    rising = false;
                }
                Some((_, before)) if load <= before + TOLERANCE => {}
                Some(_) => rising = true,
                None => {
                    if rising {
                        peaks.extend(last.map(|last| (last.1, last.0.start)));
                    }
                    rising = true;
                }
            }
            last = Some((part, load));
        });
        if rising {
            peaks.extend(last.map(|last| (last.1, last.0.start)));
        }
        peaks.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        exceeded.extend(peaks.into_iter().take(MOST_PEAKS).map(|(_, at)| (cell, at)));
    }
}

/// The cell's richness and first host: which of equally good cells comes first.
pub(super) const fn order(cell: &Cell<'_>) -> (u64, usize) {
    (cell.richness, cell.first)
}

/// The greatest whole number that is not greater; sums of a linear program's amounts may be a little less than whole.
fn whole_below(value: f64) -> i32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "casts of reals end at the least and greatest whole numbers"
    )]
    let whole = value.floor() as i32;
    whole
}
