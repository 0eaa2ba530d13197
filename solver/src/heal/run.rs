//! Mode `heal` on documents.

use solver_format::{
    ConflictEntry, DecisionEntry, HeldUnits, Members, MoveEntry, PLAN_FORMAT, Plan, Problem, Summary, UnkeptEntry,
    VerdictName,
};

use super::{Healed, heal};
use crate::admit::held_at;
use crate::decision::Tier;
use crate::planner::{Budget, ModelSolver, Planner, StateError};

/// Heals a problem's state at its `now`; its requests are not looked at. The plan has one decision, which
/// is undecided, with the best found, if the budget ran out before it was proved. `fingerprint` names the
/// problem's text; `micros` is a clock that counts microseconds from any origin.
pub fn run(
    problem: &Problem,
    fingerprint: &str,
    budget: Budget,
    solver: &dyn ModelSolver,
    mut micros: impl FnMut() -> u64,
) -> Result<Plan, StateError> {
    let planner = Planner::of(problem)?;
    let started = micros();
    let healed = heal(&planner, problem.now, budget, solver);
    let spent = micros().saturating_sub(started);
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
