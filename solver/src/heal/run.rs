//! Mode `heal` on documents.

use solver_format::{
    ConflictEntry, DecisionEntry, HeldUnits, Members, MoveEntry, PLAN_FORMAT, Plan, Problem, Summary, UnkeptEntry,
    VerdictName,
};

use super::{Healed, heal};
use crate::admit::held_at;
use crate::deadline::Deadline;
use crate::decision::Tier;
use crate::planner::{ModelSolver, Planner, StateError};

/// Heals a problem's state at its `now`; its requests are not looked at. The plan has one decision, which
/// is undecided, with the best found, if the deadline ended before it was proved. `fingerprint` names the
/// problem's text.
pub fn run(
    problem: &Problem,
    fingerprint: &str,
    deadline: &Deadline,
    solver: &dyn ModelSolver,
) -> Result<Plan, StateError> {
    let planner = Planner::of(problem)?;
    let begun = deadline.now();
    let healed = heal(&planner, problem.now, deadline, solver);
    let spent = deadline.micros_since(begun);
    let counted: u64 = healed.moves.iter().map(|change| u64::from(change.counted)).sum();
    let unkept = healed.unkept.iter().map(|unkept| UnkeptEntry {
        reservation: unkept.reservation.clone(),
        missing: unkept.missing,
        conflict: ConflictEntry::from(&unkept.conflict),
    });
    let tier = if counted == 0 { Tier::Count } else { Tier::Mip };
    Ok(Plan {
        format: PLAN_FORMAT.to_owned(),
        problem: fingerprint.to_owned(),
        mode: "heal".to_owned(),
        decisions: vec![DecisionEntry {
            request: "heal".into(),
            verdict: if healed.proved {
                VerdictName::Accepted
            } else {
                VerdictName::Undecided
            },
            proved: healed.proved,
            tier: tier.name().to_owned(),
            micros: spent,
            holds: Some(Members::default()),
            moves: Some(healed.moves.iter().map(MoveEntry::from).collect()),
            conflict: None,
            offers: Vec::new(),
            unfinished: None,
        }],
        last: after(held_at(&planner, problem.now), &healed),
        summary: Summary {
            moves: counted,
            unkept: unkept.collect(),
            ..Summary::default()
        },
    })
}

/// What is held once the moves are made.
fn after(mut held: Members<HeldUnits>, healed: &Healed) -> Members<HeldUnits> {
    for change in &healed.moves {
        let Some(units) = held.0.get_mut(&change.reservation) else {
            continue;
        };
        for host in &change.from {
            if let Some(count) = units.0.get_mut(host) {
                *count = count.saturating_sub(1);
            }
        }
        for host in &change.to {
            *units.0.entry(host.clone()).or_insert(0) += 1;
        }
        units.0.retain(|_, count| *count > 0);
    }
    held
}
