//! The instants at which a request is likeliest to lack hosts.
//!
//! One sweep over the loads of the cells within the requested time. The least that is free of the cells at any of its
//! instants is exact, so an instant at which a whole fleet is full is not missed among thousands at which it nearly is.
//!
//! Invariant: what is given are instants with fewer hosts free, as things stand, than are asked for; where enough
//! are free, nothing can be short.

use std::collections::BTreeSet;

use crate::model::{Interval, Seconds};
use crate::scope::{CellNumber, Scope};

/// The tightest instants of the request, at most `most` of each requested demand, for the cells that suit it and these:
/// those with fewest hosts free first, earlier ones first.
pub(super) fn instants(scope: &mut Scope<'_>, besides: &BTreeSet<CellNumber>, most: usize) -> Vec<Seconds> {
    let asked: Vec<(Interval, i64)> = scope
        .requested()
        .map(|number| scope.demand(number))
        .filter(|demand| demand.least > 0)
        .map(|demand| (demand.occupation, i64::from(demand.least)))
        .collect();
    let mut tight: Vec<(i64, Seconds)> = Vec::new();
    for number in scope.requested() {
        if scope.demand(number).least > 0 {
            let suitable = scope.suitable(number);
            let cells: BTreeSet<CellNumber> = suitable.iter().chain(besides).copied().collect();
            let during = scope.demand(number).occupation;
            let mut own = sweep(scope, &cells, &asked, during);
            if own.len() > most {
                own.select_nth_unstable(most);
                own.truncate(most);
            }
            tight.extend(own);
        }
    }
    tight.sort_unstable();
    let mut seen = BTreeSet::new();
    tight.retain(|&(_, at)| seen.insert(at));
    tight.into_iter().map(|(_, at)| at).collect()
}

/// The instants of an interval at which fewer hosts of the cells are free than are asked for, each as the start of the
/// time in which it stays like that; with how many are left, which is less than none.
fn sweep(
    scope: &Scope<'_>,
    cells: &BTreeSet<CellNumber>,
    asked: &[(Interval, i64)],
    during: Interval,
) -> Vec<(i64, Seconds)> {
    let mut left = 0;
    let mut changes: Vec<(Seconds, i64)> = Vec::new();
    for &number in cells {
        let cell = scope.cell(number);
        let mut before = cell.profile.value_at(during.start);
        left += i64::from(cell.size) - i64::from(before);
        for (at, value) in cell.profile.steps_after(during.start) {
            if at >= during.end {
                break;
            }
            changes.push((at, i64::from(before - value)));
            before = value;
        }
    }
    for &(interval, least) in asked.iter().filter(|(interval, _)| interval.overlaps(&during)) {
        if interval.start <= during.start {
            left -= least;
        } else {
            changes.push((interval.start, -least));
        }
        if interval.end < during.end {
            changes.push((interval.end, least));
        }
    }
    // Those of each cell are in order already, which a stable sort makes use of.
    changes.sort_by_key(|change| change.0);
    let mut tight = Vec::new();
    let mut note = |left: i64, at: Seconds| {
        if left < 0 {
            tight.push((left, at));
        }
    };
    note(left, during.start);
    for same in changes.chunk_by(|one, other| one.0 == other.0) {
        left += same.iter().map(|change| change.1).sum::<i64>();
        note(left, same[0].0);
    }
    tight
}
