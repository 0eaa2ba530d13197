//! The timeline-flow program F2 in one piece.
//!
//! `level[c,i]`: hosts of class `c` in use from its `i`-th event on; starts raise it, ends lower it, and its
//! upper bound is the least room until the next event.
//!
//! Invariant: splits read from the program satisfy it in whole numbers.

use std::collections::BTreeMap;

use super::charges::{Charges, Found};
use crate::batch::timeline::Split;
use crate::batch::timeline::Timeline;
use crate::deadline::Deadline;
use crate::program::{ModelSolver, Outcome, Program};
use crate::scene::ClassNumber;

/// Solves the program as a whole.
pub(crate) fn solve(
    timeline: &Timeline,
    charges: &Charges,
    solver: &dyn ModelSolver,
    deadline: &Deadline,
) -> Option<Found> {
    let mut program = Program::default();
    let mut columns: Vec<Vec<(ClassNumber, usize)>> = Vec::with_capacity(timeline.needs.len());
    let mut events: Vec<BTreeMap<usize, Vec<(usize, i64)>>> = vec![BTreeMap::new(); timeline.room.len()];
    for (demand, need) in timeline.needs.iter().enumerate() {
        let mut of_demand = Vec::with_capacity(need.eligible.len());
        for &class in &need.eligible {
            let column = program.column(charges.one(demand, class), timeline.most(demand, class));
            of_demand.push((class, column));
            events[class].entry(need.first).or_default().push((column, 1));
            events[class].entry(need.after).or_default().push((column, -1));
        }
        let entries = of_demand.iter().map(|&(_, column)| (column, 1)).collect();
        program.row(Some(need.least.into()), Some(need.least.into()), entries);
        columns.push(of_demand);
    }
    for (class, events) in events.into_iter().enumerate() {
        let mut before: Option<usize> = None;
        for (instant, changes) in events {
            // Room never falls: it is least at the event.
            let room = timeline.room[class].get(instant).copied().unwrap_or(0);
            let level = program.column(0, room);
            let mut entries: Vec<(usize, i64)> = changes.into_iter().map(|(column, sign)| (column, -sign)).collect();
            entries.push((level, 1));
            entries.extend(before.map(|before| (before, -1)));
            program.row(Some(0), Some(0), entries);
            before = Some(level);
        }
    }
    let Outcome::Optimal(values) = solver.solve(&program, deadline) else {
        return None;
    };
    if !program.admits(&values) {
        return None;
    }
    let split = |columns: &Vec<(ClassNumber, usize)>| -> Split {
        let counts = columns.iter().map(|&(class, column)| (class, values[column]));
        counts.filter(|&(_, count)| count > 0).collect()
    };
    Some(Found {
        splits: columns.iter().map(split).collect(),
        bound: 0,
        optimal: true,
    })
}
