//! The plan document of a batch.
//!
//! Invariant: decisions stand in the order of the requests. All moves stand with the first accepted one,
//! because the accepted requests need them together. What is left out is refused if nothing is worth more
//! than what is accepted, otherwise it is undecided.

use solver_format::{
    ConflictEntry, DecisionEntry, MoveEntry, PLAN_FORMAT, Plan, Problem, ReceiptEntry, RefutedEntry, RequestEntry,
    RowEntry, Summary, VerdictName, all_units,
};

use super::choose::{Batch, Chosen, choose};
use crate::admit::held_at;
use crate::deadline::Deadline;
use crate::decision::{Conflict, Tier};
use crate::model::Request;
use crate::planner::{ModelSolver, Planner, StateError};

/// Chooses among the requests of a problem at its `now`. `fingerprint` names the problem's text.
///
/// # Errors
/// The problem's leases contradict each other.
pub fn run(
    problem: &Problem,
    fingerprint: &str,
    deadline: &Deadline,
    solver: &dyn ModelSolver,
) -> Result<Plan, StateError> {
    let planner = Planner::of(problem)?;
    let requests: Vec<(Request, u64)> = problem
        .requests
        .iter()
        .map(|entry| (entry.to_request(problem.cleaning), entry.worth()))
        .collect();
    let begun = deadline.now();
    let batch = choose(&planner, &requests, problem.now, deadline, solver)?;
    let spent = deadline.micros_since(begun);
    let everything = requests.iter().map(|(_, value)| *value).fold(0, u64::saturating_add);
    let mut summary = Summary {
        moves: batch.moves.iter().map(|change| u64::from(change.counted)).sum(),
        value: batch.value,
        bound: Some(batch.bound),
        proved: Some(batch.proved() && batch.fewest),
        receipt: batch
            .receipt
            .as_ref()
            .filter(|_| batch.bound < everything)
            .map(|receipt| ReceiptEntry {
                denominator: receipt.denominator,
                prices: receipt.prices.iter().map(RowEntry::from).collect(),
                refuted: receipt
                    .refuted
                    .iter()
                    .map(|(places, conflict)| RefutedEntry {
                        requests: places.iter().map(|&place| problem.requests[place].id.clone()).collect(),
                        conflict: ConflictEntry::from(conflict),
                    })
                    .collect(),
            }),
        ..Summary::default()
    };
    let mut moves = Some(&batch.moves);
    let mut decisions = Vec::with_capacity(requests.len());
    for ((entry, (request, _)), chosen) in problem.requests.iter().zip(&requests).zip(&batch.requests) {
        let mut written = DecisionEntry {
            request: entry.id.clone(),
            verdict: VerdictName::Undecided,
            proved: true,
            tier: Tier::Mip.name().to_owned(),
            micros: spent,
            holds: None,
            moves: None,
            conflict: None,
            offers: Vec::new(),
            unfinished: None,
        };
        match chosen {
            Chosen::Accepted(holds) | Chosen::Superseded(holds) => {
                written.verdict = VerdictName::Accepted;
                written.holds = Some(all_units(holds));
                written.moves = Some(moves.take().into_iter().flatten().map(MoveEntry::from).collect());
                summary.accepted += 1;
                let seconds = entry.host_seconds(holds);
                summary.host_seconds_accepted = summary.host_seconds_accepted.saturating_add(seconds);
            }
            Chosen::Impossible(conflict) => {
                written.verdict = VerdictName::Refused;
                Tier::Static.name().clone_into(&mut written.tier);
                written.conflict = Some(ConflictEntry::from(conflict));
                summary.refused += 1;
            }
            Chosen::LeftOut if batch.proved() => {
                written.verdict = VerdictName::Refused;
                written.conflict = Some(ConflictEntry::from(&left_out(entry, request, &batch)));
                summary.refused += 1;
            }
            Chosen::LeftOut => {
                written.proved = false;
                summary.undecided += 1;
            }
        }
        decisions.push(written);
    }
    Ok(Plan {
        format: PLAN_FORMAT.to_owned(),
        problem: fingerprint.to_owned(),
        mode: "batch".to_owned(),
        decisions,
        last: held_at(&batch.planner, problem.now),
        summary,
    })
}

/// Why a request is not part of the best choice.
fn left_out(entry: &RequestEntry, request: &Request, batch: &Batch) -> Conflict {
    let starts = request.reservations.iter().map(|asked| asked.window.start);
    let ends = request.reservations.iter().map(|asked| asked.window.end);
    Conflict {
        reason: "value",
        from: starts.min().unwrap_or(0),
        until: ends.max().unwrap_or(0),
        needed: entry.worth(),
        exist: 0,
        hosts_matching: Vec::new(),
        reservations: request.reservations.iter().map(|asked| asked.id.clone()).collect(),
        certificate: Vec::new(),
        text: format!(
            "the requests accepted are worth {} together, the greatest possible; none of it can be given up for this \
             one, worth {}",
            batch.value,
            entry.worth()
        )
        .into(),
    }
}
