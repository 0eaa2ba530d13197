//! Leases with instances or units beside hosts, and host requests in a fleet where instances may move.
//!
//! Invariant: an answer is decided for all reservations of the request together; a host serves at one
//! instant either one host reservation or instances whose amounts fit its capacity.
//!
//! Each step only when the one before left it open: [`greedy`] looks for room as everything stands, at first
//! on the hosts at hand alone, [`occupied`], [`apart`] and [`shortage`] count why there can be none ([`whole`] where
//! whole hosts are short), [`repair`] tries to put a few promises elsewhere, [`search`] chooses counts per group of hosts
//! by growing integer programs, [`pack`] turns them into hosts, [`exhaustive`] settles in whole numbers what only the
//! solver's word supports ([`competing`] names who took part), [`verify`] counts the result once more. [`units`] of pools
//! are decided apart, as they depend on no host.

mod answer;
mod apart;
mod competing;
mod exhaustive;
mod greedy;
mod groups;
mod grow;
mod measure;
mod occupied;
mod pack;
mod proof;
mod refusal;
mod relax;
mod repair;
mod resource_classes;
mod search;
mod shortage;
mod standing;
mod units;
mod verify;
mod whole;
mod world;

use answer::Answer;
use search::Searched;
use world::{Counts, World};

use crate::deadline::Deadline;
use crate::decision::{Conflict, Tier, Unfinished, Verdict};
use crate::model::{Request, Resource, Seconds};
use crate::planner::{ModelSolver, Planner};
use crate::reach::Reach;
use crate::request::Ask;

/// Whether a request asks for more than whole hosts.
pub(crate) fn has_other_kinds(request: &Request) -> bool {
    request
        .reservations
        .iter()
        .any(|asked| asked.resource != Resource::Host)
}

/// Decides such a request.
pub(crate) fn decide(
    planner: &Planner,
    asks: &[Ask<'_>],
    request: &Request,
    now: Seconds,
    reach: &Reach<'_>,
    deadline: &Deadline,
    solver: &dyn ModelSolver,
) -> (Tier, Verdict) {
    if let Some(conflict) = refusal::contradiction(planner, asks, request) {
        return (Tier::Static, Verdict::Refused { conflict });
    }
    let of_units = match units::decide(planner, asks, request, now, deadline, solver) {
        Ok(found) => found,
        Err(verdict) => return verdict,
    };
    let is_units = |ask: &Ask<'_>| matches!(ask.asked.resource, Resource::Units(_));
    let of_hosts = if asks.iter().all(is_units) {
        Ok((Tier::Count, Answer::default()))
    } else {
        let at_hand = as_things_stand(&World::at_hand(planner, asks, request, now), deadline);
        at_hand.map_or_else(
            || {
                on_hosts(
                    &World::reached(planner, asks, request, now, reach.reached()),
                    deadline,
                    solver,
                )
            },
            |answer| Ok((Tier::Count, answer)),
        )
    };
    match of_hosts {
        Ok((mut tier, mut answer)) => {
            if of_units.0 == Tier::Mip {
                tier = Tier::Mip;
            }
            answer.join(of_units.1);
            let Answer { holds, moves } = answer;
            (tier, Verdict::Accepted { holds, moves })
        }
        Err(verdict) => verdict,
    }
}

/// Room that is there without looking at what may move, if it is for all that is asked at most.
fn as_things_stand(world: &World<'_>, deadline: &Deadline) -> Option<Answer> {
    let free = greedy::search(world, deadline)?;
    let mut given = world.demands.iter().zip(&free.counts);
    let all = given.all(|(demand, counts)| counts.values().sum::<u32>() == demand.most);
    all.then(|| answer::answer(world, &free.counts))
}

/// Decides everything but units.
fn on_hosts(
    world: &World<'_>,
    deadline: &Deadline,
    solver: &dyn ModelSolver,
) -> Result<(Tier, Answer), (Tier, Verdict)> {
    let refused = |tier: Tier, conflict: Conflict| Err((tier, Verdict::Refused { conflict }));
    // First what the request is refused for whatever anybody else has.
    if let Some(conflict) = refusal::never_enough(world) {
        return refused(Tier::Static, conflict);
    }
    if let Some(conflict) = refusal::kept_without_room(world, deadline) {
        return refused(Tier::Certificate, conflict);
    }
    let free = greedy::search(world, deadline);
    let found = |counts: &[Counts]| {
        let answer = answer::answer(world, counts);
        let tier = if answer.moves_count() { Tier::Mip } else { Tier::Count };
        Ok((tier, answer))
    };
    if let Some(free) = free.as_ref().filter(|free| free.complete) {
        return found(&free.counts);
    }
    if free.is_none()
        && let Some(conflict) = refusal::counted(world, deadline)
    {
        return refused(Tier::Certificate, conflict);
    }
    let mut fallback = free.map(|free| free.counts);
    let fills = world.demands[..world.requested]
        .iter()
        .any(|demand| demand.most > demand.least);
    if fallback.is_none()
        && let Some(counts) = repair::search(world, deadline).filter(|counts| verify::holds(world, counts))
    {
        if !fills && !answer::answer(world, &counts).moves_count() {
            return found(&counts);
        }
        fallback = Some(counts);
    }
    let measures = measure::measures(world);
    match search::solve(world, &measures, deadline, solver) {
        Searched::Counts(counts) if verify::holds(world, &counts) => found(&counts),
        Searched::Infeasible(proof) => refused(Tier::Certificate, refusal::proved(world, &proof, deadline)),
        Searched::Exhausted => {
            let displaced = refusal::displaced(world, deadline);
            refused(Tier::Mip, displaced.unwrap_or_else(|| refusal::by_search(world)))
        }
        // Without the best answer, one that was found on the way is an answer still.
        searched @ (Searched::Counts(_) | Searched::Open(_)) => {
            if let Some(counts) = fallback {
                return found(&counts);
            }
            let why = match searched {
                Searched::Open(why) => why,
                Searched::Counts(_) | Searched::Infeasible(_) | Searched::Exhausted => Unfinished::Arithmetic,
            };
            match recounted(world, deadline, why) {
                Recounted::Counts(counts) => found(&counts),
                Recounted::Nothing(conflict) => refused(Tier::Mip, conflict),
                Recounted::Open(why) => Err((Tier::Mip, Verdict::Undecided(why))),
            }
        }
    }
}

/// What whole numbers make of a question that a solver left open or answered without a proof.
enum Recounted {
    Counts(Vec<Counts>),
    Nothing(Conflict),
    Open(Unfinished),
}

/// Settles it by counting, or by trying everything if that is little.
fn recounted(world: &World<'_>, deadline: &Deadline, why: Unfinished) -> Recounted {
    if let Some(conflict) = refusal::displaced(world, deadline) {
        return Recounted::Nothing(conflict);
    }
    match exhaustive::search(world, deadline.part(exhaustive::MOST_LOOKS)) {
        exhaustive::Found::Counts(counts) if verify::holds(world, &counts) => Recounted::Counts(counts),
        exhaustive::Found::Nothing => Recounted::Nothing(refusal::by_search(world)),
        exhaustive::Found::Counts(_) | exhaustive::Found::Open => Recounted::Open(deadline.over().unwrap_or(why)),
    }
}

/// Decides a request for whole hosts of which a solver said without a proof that it cannot be granted.
pub(crate) fn settle(
    planner: &Planner,
    asks: &[Ask<'_>],
    request: &Request,
    now: Seconds,
    reach: &Reach<'_>,
    deadline: &Deadline,
    why: Unfinished,
) -> (Tier, Verdict) {
    if deadline.is_over() {
        return (Tier::Mip, Verdict::Undecided(why));
    }
    let world = World::reached(planner, asks, request, now, reach.reached());
    let verdict = match recounted(&world, deadline, why) {
        Recounted::Counts(counts) => {
            let Answer { holds, moves } = answer::answer(&world, &counts);
            Verdict::Accepted { holds, moves }
        }
        Recounted::Nothing(conflict) => Verdict::Refused { conflict },
        Recounted::Open(why) => Verdict::Undecided(why),
    };
    (Tier::Mip, verdict)
}
