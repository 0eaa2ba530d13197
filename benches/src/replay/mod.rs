//! The same stream of requests through Berth's planner and through the baselines, while the clock moves.
//!
//! Invariant: every planner sees every request at its arrival, after the leases that have ended by then are gone. What Berth
//! promises is held against [`crate::ledger::Ledger`] decision by decision.

mod contender;
mod mobile;
mod prices;
mod tally;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use solver::model::{LeaseId, Request, Seconds};
use solver_format::{Kind, Problem};

pub use contender::{Berth, Contender, Rival};
pub use mobile::Mobile;
pub use prices::Prices;
pub use tally::{Held, Latency, Offered, Tally};

/// A stream that may not be replayed, or a promise that was broken on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayError(pub String);

impl std::fmt::Display for ReplayError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for ReplayError {}

/// The stream of a problem.
pub struct Stream {
    /// The problem, without its requests.
    pub problem: Problem,
    /// When each request arrives, and the request.
    pub requests: Vec<(Seconds, Request)>,
    /// Requests that arrive earlier are decided and not counted.
    pub counted_from: Seconds,
}

impl Stream {
    /// The stream of a problem without leases. The first quarter of the time over which requests arrive warms up.
    pub fn of(mut problem: Problem) -> Result<Self, ReplayError> {
        if !problem.leases.is_empty() {
            return Err(ReplayError(
                "a stream begins with an empty fleet; the problem has leases".to_owned(),
            ));
        }
        let entries = std::mem::take(&mut problem.requests);
        let mut clock = problem.now;
        let mut requests = Vec::with_capacity(entries.len());
        for entry in entries {
            clock = clock.max(entry.at.unwrap_or(clock));
            requests.push((clock, entry.to_request(problem.cleaning)));
        }
        let counted_from = problem.now + (clock - problem.now) / 4;
        Ok(Self {
            problem,
            requests,
            counted_from,
        })
    }

    /// Whether any request asks for instances.
    pub fn has_instances(problem: &Problem) -> bool {
        let mut parts = problem.requests.iter().flat_map(|request| &request.reservations);
        parts.any(|part| part.kind == Kind::Instance)
    }
}

/// Puts a stream through a contender. `progress` hears of every request done.
pub fn run(stream: &Stream, contender: &mut dyn Contender, mut progress: impl FnMut()) -> Result<Tally, ReplayError> {
    let mut tally = Tally::default();
    let mut ends: BinaryHeap<Reverse<(Seconds, LeaseId)>> = BinaryHeap::new();
    let mut until: HashMap<LeaseId, Seconds> = HashMap::new();
    for (at, request) in &stream.requests {
        while ends.peek().is_some_and(|Reverse((end, _))| *end <= *at) {
            let Some(Reverse((end, lease))) = ends.pop() else { break };
            // An extended lease has a later end by now.
            if until.get(&lease) == Some(&end) {
                until.remove(&lease);
                contender.end(&lease);
            }
        }
        let counted = *at >= stream.counted_from;
        let owner = request.replaces.as_ref().unwrap_or(&request.id);
        let already = contender.held(owner);
        let accepted = contender.answer(request, *at, counted.then_some(&mut tally))?;
        if accepted {
            // Cleaning included: until then its hosts serve nobody else.
            let ends_of = request.reservations.iter().map(|part| part.occupation().end);
            let end = ends_of.max().unwrap_or(*at);
            until.insert(owner.clone(), end);
            ends.push(Reverse((end, owner.clone())));
        }
        if counted {
            tally.count(request, accepted, &already, &contender.held(owner));
        }
        progress();
    }
    contender.finish(&mut tally);
    Ok(tally)
}
