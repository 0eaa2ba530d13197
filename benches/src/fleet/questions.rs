//! Times of questions on a filled fleet.

use std::time::Instant;

use solver::deadline::Part;
use solver::model::Request;
use solver::planner::{ModelSolver, Planner};
use solver::question::{MOST_DECISIONS, Question};
use solver_highs::wall_clock;

use super::{Budgets, Figures, Filled};

/// Seconds of the earliest-slot question's horizon.
const HORIZON: i64 = 90 * 86_400;
/// One in so many questions asks for half of all hosts that suit.
const LARGE: usize = 10;

/// Asks for earliest starts, without moves for every tenth of the requests that are decided, with moves for fewer.
pub(super) fn questions(
    filled: &Filled,
    planner: &Planner,
    budgets: Budgets,
    solver: &dyn ModelSolver,
    figures: &mut Figures,
) {
    let deadline = wall_clock().limited(Some(budgets.wall), None);
    let question = Question {
        planner,
        now: filled.now,
        deadline: &deadline,
        each: Part {
            time: budgets.decision,
            work: u64::MAX,
        },
        solver,
        decisions: MOST_DECISIONS,
    };
    let latest = filled.now + HORIZON;
    let asked = filled.requests.iter().take(budgets.decisions.div_ceil(10));
    for (number, request) in asked.enumerate() {
        if deadline.is_over() {
            return;
        }
        let started = Instant::now();
        let slot = question.earliest_without_moves(request, latest);
        let micros = started.elapsed().as_secs_f64() * 1e6;
        figures.add("earliest slot, without moves", micros);
        let asked = request.reservations.iter().map(|part| part.window.start).min();
        if slot.start != asked {
            figures.add("earliest slot, without moves, later than asked", micros);
        }
        if number % LARGE == 0 {
            let large = half_of_all(planner, request);
            figures.time("earliest slot, without moves, half of all that suit", || {
                question.earliest_without_moves(&large, latest)
            });
        }
        figures.time("earliest slot, with moves", || question.earliest(request, latest));
    }
}

/// The request for half of all hosts that suit each of its reservations.
fn half_of_all(planner: &Planner, request: &Request) -> Request {
    with_share(planner, request, 2)
}

/// The request for a part of all hosts that suit each of its reservations.
pub(super) fn with_share(planner: &Planner, request: &Request, part: u32) -> Request {
    let mut request = request.clone();
    for asked in &mut request.reservations {
        let mut never = asked.window;
        never.start = i64::MAX - 1;
        never.end = i64::MAX;
        let eligibility = planner.eligibility(&asked.predicate);
        let all = eligibility.map_or(asked.min, |eligibility| {
            planner.free_hosts(&eligibility, never, 0, u32::MAX)
        });
        asked.min = (all / part).max(1);
        asked.max = asked.min;
    }
    request
}
