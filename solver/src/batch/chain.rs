//! What the requests of a batch are to each other.
//!
//! Invariant: requests that decide one lease are a chain in order of arrival, and of a chain a beginning is
//! accepted. The lease is what the last accepted one asks for. Those before it count with their value, as
//! they do when requests are taken one after another; they only have to be possible by themselves, and
//! nothing is kept for them. Nothing of a batch has started, so a replacement of a request of the same batch
//! is free to ask for anything; it keeps what the lease held before the batch.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{Candidate, Holds};
use crate::deadline::Deadline;
use crate::decision::{Conflict, Decision, Tier, Unfinished, Verdict};
use crate::model::{LeaseId, Request, Seconds};
use crate::planner::{ModelSolver, Planner, StateError};
use crate::request::{Ask, malformed};

/// The requests as they stand beside the state: what replaces a request of the batch asks for a new lease
/// of that name.
pub(crate) fn standing(planner: &Planner, requests: &[(Request, u64)]) -> Vec<Request> {
    let mut new: BTreeSet<&LeaseId> = BTreeSet::new();
    let mut standing = Vec::with_capacity(requests.len());
    for (request, _) in requests {
        let mut stands = request.clone();
        match &request.replaces {
            None => _ = new.insert(&request.id),
            Some(lease) if planner.lease(lease).is_none() && new.contains(lease) => {
                stands.id = lease.clone();
                stands.replaces = None;
            }
            Some(_) => {}
        }
        standing.push(stands);
    }
    standing
}

/// The states on which requests are read that replace a lease, where something that may be different in the
/// end is in the way: without the other leases that are replaced too; with no other lease at all if the
/// request may be followed by another. What is chosen is counted without these.
pub(crate) fn readers(planner: &Planner, standing: &[Request], now: Seconds) -> Vec<Option<Planner>> {
    let replaced: BTreeSet<&LeaseId> = standing
        .iter()
        .filter_map(|request| request.replaces.as_ref())
        .collect();
    let reader = |(place, request): (usize, &Request)| -> Option<Planner> {
        let own = planner.lease(request.replaces.as_ref()?)?;
        let mut later = standing[place + 1..].iter();
        let followed = later.any(|other| other.replaces == request.replaces);
        if (replaced.len() < 2 && !followed) || Ask::read_all(planner, request, &request.ahead(now), now).is_ok() {
            return None;
        }
        let mut reader = planner.clone();
        let others = planner
            .leases()
            .map(|lease| &lease.id)
            .filter(|lease| **lease != own.id);
        for lease in others.filter(|lease| followed || replaced.contains(lease)) {
            reader.remove_lease(lease);
        }
        Some(reader)
    };
    standing.iter().enumerate().map(reader).collect()
}

/// Requests as far as each was looked at by itself.
pub(crate) struct Settled<'a> {
    /// What may be accepted, with what comes before it.
    pub(crate) candidates: Vec<Candidate<'a>>,
    /// What cannot be, by its place, and why.
    pub(crate) impossible: Vec<(usize, Conflict)>,
    /// What was not decided in time, by its place.
    pub(crate) open: Vec<usize>,
}

/// A candidate that is not the last of its chain must be possible by itself, and what it replaces too.
pub(crate) fn settle<'a>(
    planner: &Planner,
    requests: &[(Request, u64)],
    readable: Vec<Candidate<'a>>,
    now: Seconds,
    solver: &dyn ModelSolver,
    deadline: &Deadline,
) -> Settled<'a> {
    let bare = bare(planner);
    let mut left: BTreeMap<LeaseId, usize> = BTreeMap::new();
    for candidate in &readable {
        *left.entry(candidate.lease().clone()).or_default() += 1;
    }
    let mut settled = Settled {
        candidates: Vec::with_capacity(readable.len()),
        impossible: Vec::new(),
        open: Vec::new(),
    };
    let mut undecided: BTreeSet<LeaseId> = BTreeSet::new();
    let mut chains: BTreeMap<LeaseId, (Vec<usize>, u64)> = BTreeMap::new();
    for mut candidate in readable {
        let lease = candidate.lease().clone();
        let follows = candidate.request.replaces.is_none() && requests[candidate.place].0.replaces.is_some();
        if follows && undecided.contains(&lease) {
            settled.open.push(candidate.place);
            continue;
        }
        if follows && !chains.contains_key(&lease) {
            settled.impossible.push((
                candidate.place,
                malformed(candidate.request, "the request it replaces cannot be accepted"),
            ));
            continue;
        }
        if let Some(left) = left.get_mut(&lease).filter(|left| **left > 1) {
            *left -= 1;
            let mut decided = by_itself((planner, &bare), candidate.request, None, now, solver, deadline);
            // What is refused on a bare fleet is refused beside everything else, and that reason is told.
            if matches!(decided, Verdict::Refused { .. }) {
                decided = planner.decide(candidate.request, now, deadline, solver).verdict;
            }
            match decided {
                Verdict::Accepted { holds, .. } => candidate.alone = Some(holds),
                Verdict::Refused { conflict } => {
                    settled.impossible.push((candidate.place, conflict));
                    continue;
                }
                Verdict::Undecided(_) => {
                    undecided.insert(lease);
                    settled.open.push(candidate.place);
                    continue;
                }
            }
        }
        let (earlier, worth) = chains.entry(lease).or_default();
        candidate.earlier.clone_from(earlier);
        *worth = worth.saturating_add(candidate.value);
        candidate.worth = *worth;
        earlier.push(settled.candidates.len());
        settled.candidates.push(candidate);
    }
    settled
}

/// A state without any lease.
pub(crate) fn bare(planner: &Planner) -> Planner {
    let mut bare = planner.clone();
    for lease in planner.leases() {
        bare.remove_lease(&lease.id);
    }
    bare
}

/// Hosts for a request that a later one of the batch replaces: those the lease has in the end where they
/// suit it, else those it could have by itself.
pub(crate) fn superseded(
    (planner, bare): (&Planner, &Planner),
    earlier: &Candidate<'_>,
    last: (&Request, &Holds),
    now: Seconds,
    solver: &dyn ModelSolver,
    deadline: &Deadline,
) -> Option<Holds> {
    match by_itself((planner, bare), earlier.request, Some(last), now, solver, deadline) {
        Verdict::Accepted { holds, .. } => Some(holds),
        Verdict::Refused { .. } | Verdict::Undecided(_) => earlier.alone.clone(),
    }
}

/// Whether a request could be granted if there were no other lease, near the hosts of another request for the same one.
fn by_itself(
    (planner, bare): (&Planner, &Planner),
    request: &Request,
    like: Option<(&Request, &Holds)>,
    now: Seconds,
    solver: &dyn ModelSolver,
    deadline: &Deadline,
) -> Verdict {
    let own = request
        .replaces
        .as_ref()
        .and_then(|lease| planner.lease(lease))
        .cloned();
    let mut fleet = bare.clone();
    let mut asked = request.clone();
    let prepared = own
        .map_or(Ok(()), |own| fleet.put_lease(own))
        .and_then(|()| match like {
            Some((last, holds)) => {
                asked.replaces = Some(request.replaces.as_ref().unwrap_or(&request.id).clone());
                grant(&mut fleet, last, holds, now)
            }
            None => Ok(()),
        });
    if prepared.is_err() {
        return Verdict::Undecided(Unfinished::Work);
    }
    fleet.decide(&asked, now, deadline, solver).verdict
}

/// Makes what a request is given part of a state.
pub(crate) fn grant(planner: &mut Planner, request: &Request, holds: &Holds, now: Seconds) -> Result<(), StateError> {
    let decision = Decision {
        at: now,
        verdict: Verdict::Accepted {
            holds: holds.clone(),
            moves: Vec::new(),
        },
        tier: Tier::Mip,
    };
    planner.apply(request, &decision)
}
