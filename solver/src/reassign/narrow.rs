//! The instants at which the fleet that a request reaches has least to spare.
//!
//! Where the request itself lacks most is looked at first of all (see `certificate`). But those who stand in its way may
//! have nowhere to go at an instant at which fewer of them do.
//!
//! Invariant: only cells that somebody has reached so far count, and only instants at which fewer hosts are free, as
//! things stand, than are asked for. What is given is a guess where to look for a proof, never a proof.

use std::collections::BTreeSet;

use crate::model::{Interval, Seconds};
use crate::scope::Scope;

/// Instants that are compared, for each requested demand.
const MOST_COMPARED: usize = 256;

/// At most so many instants, the narrowest first.
pub(super) fn instants(scope: &mut Scope<'_>, most: usize) -> Vec<Seconds> {
    let asked: Vec<(Interval, i64)> = scope
        .requested()
        .map(|number| scope.demand(number))
        .map(|demand| (demand.occupation, i64::from(demand.least)))
        .collect();
    let mut narrow: BTreeSet<(i64, Seconds)> = BTreeSet::new();
    for number in scope.requested() {
        if scope.demand(number).least == 0 {
            continue;
        }
        let (suitable, during) = (scope.suitable(number), scope.demand(number).occupation);
        let scope = &*scope;
        let mut starts: BTreeSet<Seconds> = BTreeSet::from([during.start]);
        for &cell in suitable.iter() {
            let steps = scope.cell(cell).profile.steps_after(during.start);
            starts.extend(steps.map(|step| step.0).take_while(|&at| at < during.end));
        }
        let lacks = |at: &Seconds| {
            let free: i64 = suitable.iter().map(|&cell| scope.cell(cell).free(*at)).sum();
            let wanted = asked.iter().filter(|(during, _)| during.contains(*at));
            free < wanted.map(|(_, least)| least).sum()
        };
        let every = starts.len().div_ceil(MOST_COMPARED).max(1);
        for at in starts.into_iter().step_by(every).filter(lacks) {
            let spare = scope.opened().map(|cell| scope.cell(cell).free(at)).sum();
            narrow.insert((spare, at));
        }
    }
    narrow.into_iter().take(most).map(|(_, at)| at).collect()
}
