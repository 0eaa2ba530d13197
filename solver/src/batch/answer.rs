//! Turns what was chosen into hosts, decisions and the state after them.
//!
//! Invariant: nothing leaves this module that `verify` did not count once more, host by host.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::chain;
use super::model::Model;
use super::packing::Packing;
use super::world::{Candidate, Holds, World};
use crate::classes::Classes;
use crate::decision::Move;
use crate::model::{HostId, Lease, LeaseId, ReservationId, Seconds};
use crate::planner::{Planner, StateError};
use crate::scene::{ClassNumber, DemandNumber, HostNumber};
use crate::scope::Counts;
use crate::{decode, verify};

/// A batch's outcome in hosts.
pub(crate) struct Answer {
    /// Hosts of every requested reservation of the candidates that are the last accepted for their lease, by
    /// the candidate's number.
    pub(crate) holds: BTreeMap<usize, Holds>,
    /// Every change of what pending reservations hold.
    pub(crate) moves: Vec<Move>,
}

/// The hosts of a packing, `None` if they do not come out right.
pub(crate) fn hosts(
    world: &mut World<'_>,
    classes: &Classes,
    model: &Model,
    packing: &Packing<'_>,
    candidates: &[Candidate<'_>],
) -> Option<Answer> {
    let mut counts: Counts = (0..world.scene.demands.len())
        .map(|demand| (demand, BTreeMap::new()))
        .collect();
    let mut chosen: BTreeMap<DemandNumber, Option<usize>> = BTreeMap::new();
    let mut accepted: Vec<usize> = Vec::new();
    for (number, group) in world.groups.iter().enumerate() {
        let Some(taken) = packing.taken(number) else { continue };
        let option = &group.options[taken.option];
        accepted.extend(option.candidate);
        for (&demand, split) in option.demands.iter().zip(&taken.splits) {
            counts.insert(demand, split.iter().copied().collect());
            chosen.insert(demand, option.candidate);
        }
    }
    for (number, demand) in world.scene.demands.iter_mut().enumerate() {
        if !chosen.contains_key(&number) {
            (demand.least, demand.most) = (0, 0);
        }
    }
    let placed = decode::decode(&world.scene, classes, &counts)?;
    if !verify::holds(&world.scene, &placed) {
        return None;
    }
    let mut answer = read(world, model, classes, &chosen, &placed);
    // A reservation of which everything was kept before the deadline, or nothing more is wanted, has no demand.
    for number in accepted {
        let holds = answer.holds.entry(number).or_default();
        for ask in &candidates[number].asks {
            let hosts = holds.entry(ask.asked.id.clone()).or_default();
            hosts.extend(ask.kept.iter().cloned());
            hosts.sort();
            hosts.dedup();
        }
    }
    Some(answer)
}

fn read(
    world: &World<'_>,
    model: &Model,
    classes: &Classes,
    chosen: &BTreeMap<DemandNumber, Option<usize>>,
    placed: &[BTreeSet<HostNumber>],
) -> Answer {
    let name = |host: &HostNumber| world.scene.hosts[*host].id.clone();
    let mut holds: BTreeMap<usize, Holds> = BTreeMap::new();
    let mut moves = Vec::new();
    for (&number, candidate) in chosen {
        let demand = &world.scene.demands[number];
        if demand.requested {
            let Some(candidate) = *candidate else { continue };
            let of_candidate = holds.entry(candidate).or_default();
            let hosts = of_candidate.entry(demand.reservation.clone()).or_default();
            hosts.extend(placed[number].iter().map(name));
            continue;
        }
        let kept = |host: &HostNumber| demand.holds.binary_search(host).is_ok();
        let from: Vec<HostId> = demand
            .holds
            .iter()
            .filter(|host| !placed[number].contains(host))
            .map(name)
            .collect();
        if from.is_empty() {
            continue;
        }
        let mut split: BTreeMap<ClassNumber, u32> = BTreeMap::new();
        for &host in &placed[number] {
            *split.entry(classes.fine_of[host]).or_default() += 1;
        }
        moves.push(Move {
            reservation: demand.reservation.clone(),
            from,
            to: placed[number].iter().filter(|host| !kept(host)).map(name).collect(),
            counted: u32::try_from(model.moves(number, &split.into_iter().collect())).unwrap_or(u32::MAX),
        });
    }
    moves.sort_by(|one, other| one.reservation.cmp(&other.reservation));
    Answer { holds, moves }
}

/// The state with the answer carried out. `seen` is the state it was found on.
pub(crate) fn apply(
    seen: &Planner,
    candidates: &[Candidate<'_>],
    now: Seconds,
    answer: &Answer,
) -> Result<Planner, StateError> {
    let mut owners: HashMap<&ReservationId, &Lease> = HashMap::new();
    let mut fleet = seen.clone();
    for lease in seen.leases() {
        owners.extend(lease.reservations.iter().map(|part| (&part.id, lease)));
        fleet.remove_lease(&lease.id);
    }
    let mut changed: BTreeMap<LeaseId, Lease> = BTreeMap::new();
    for change in &answer.moves {
        let Some(&lease) = owners.get(&change.reservation) else {
            continue;
        };
        let lease = changed.entry(lease.id.clone()).or_insert_with(|| lease.clone());
        for part in lease
            .reservations
            .iter_mut()
            .filter(|part| part.id == change.reservation)
        {
            // A host stands once for each instance on it: each one named leaves one.
            for left in &change.from {
                if let Ok(place) = part.holds.binary_search(left) {
                    part.holds.remove(place);
                }
            }
            part.holds.extend(change.to.iter().cloned());
            part.holds.sort();
        }
    }
    for (&number, holds) in &answer.holds {
        let request = candidates[number].request;
        // On a fleet without other leases: those that make room for this one may change after it.
        let mut alone = fleet.clone();
        if let Some(replaced) = request.replaces.as_ref().and_then(|lease| seen.lease(lease)) {
            alone.put_lease(replaced.clone())?;
        }
        chain::grant(&mut alone, request, holds, now)?;
        changed.extend(alone.leases().map(|lease| (lease.id.clone(), lease.clone())));
    }
    let mut next = seen.clone();
    for lease in changed.keys() {
        next.remove_lease(lease);
    }
    for lease in changed.into_values() {
        next.put_lease_since(lease, now)?;
    }
    Ok(next)
}
