//! A planner that no rule binds to its choices: every lease may change its hosts at any second, started or not.
//!
//! Invariant: what is held fits at every instant, and a request is accepted exactly if it fits beside it at every
//! instant. Nothing that keeps started leases on their hosts can accept more of one request on the same promises, so
//! this shows what choosing better could gain at most; it is no promise that anything can be built that gains it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use solver::model::{Host, Interval, LeaseId, Request, RequestedReservation, ReservationId, Resource, Seconds};
use solver::predicate::Predicate;

use super::ReplayError;
use super::contender::{Contender, micros};
use super::tally::{Held, Tally};

/// Which kinds of hosts suit, sorted.
type Kinds = Arc<Vec<usize>>;

/// Hosts needed for a while.
#[derive(Debug, Clone)]
struct Need {
    reservation: ReservationId,
    window: Interval,
    occupation: Interval,
    hosts: u32,
    kinds: Kinds,
}

/// The fleet by kinds of equal hosts, and what is promised of it.
#[derive(Debug, Default)]
pub struct Mobile {
    /// A host of each kind, and how many there are.
    kinds: Vec<(Host, u32)>,
    held: BTreeMap<LeaseId, Vec<Need>>,
    suitable: HashMap<Arc<Predicate>, Kinds>,
}

impl Mobile {
    /// Nothing promised of these hosts.
    pub fn new<'a>(hosts: impl IntoIterator<Item = &'a Host>) -> Self {
        let mut mobile = Self::default();
        for host in hosts.into_iter().filter(|host| host.reservable) {
            match mobile.kinds.iter_mut().find(|(kind, _)| is_alike(kind, host)) {
                Some((_, count)) => *count += 1,
                None => mobile.kinds.push((host.clone(), 1)),
            }
        }
        mobile
    }

    fn suitable(&mut self, predicate: &Arc<Predicate>) -> Kinds {
        let kinds = &self.kinds;
        let suitable = self.suitable.entry(Arc::clone(predicate)).or_insert_with(|| {
            let suits = kinds
                .iter()
                .enumerate()
                .filter(|(_, (host, _))| host.matches(predicate));
            Arc::new(suits.map(|(number, _)| number).collect())
        });
        Arc::clone(suitable)
    }

    fn need(&mut self, asked: &RequestedReservation, hosts: u32, now: Seconds) -> Need {
        let occupation = asked.occupation();
        Need {
            reservation: asked.id.clone(),
            window: asked.window,
            occupation: Interval::new(occupation.start.max(now), occupation.end),
            hosts,
            kinds: self.suitable(&asked.predicate),
        }
    }

    /// Whether everything held and these needs fit at every instant of them.
    fn fits(&self, needs: &[Need]) -> bool {
        let beside = |at: Seconds| {
            let held = self.held.values().flatten().chain(needs);
            held.filter(move |need| need.occupation.contains(at))
        };
        let mut instants: BTreeSet<Seconds> = BTreeSet::new();
        for need in needs {
            let begins = self
                .held
                .values()
                .flatten()
                .chain(needs)
                .map(|other| other.occupation.start);
            let blocked = self.kinds.iter().flat_map(|(host, _)| &host.blocks);
            let begins = begins
                .chain(blocked.map(|block| block.start))
                .chain([need.occupation.start]);
            instants.extend(begins.filter(|&at| need.occupation.contains(at)));
        }
        instants.into_iter().all(|at| {
            let in_service = |host: &Host| !host.blocks.iter().any(|block| block.contains(at));
            let kinds = self.kinds.iter();
            let free = kinds.map(|(host, count)| if in_service(host) { *count } else { 0 });
            let mut demands: BTreeMap<&[usize], u32> = BTreeMap::new();
            for need in beside(at) {
                *demands.entry(need.kinds.as_slice()).or_default() += need.hosts;
            }
            is_transportable(free.collect(), &demands.into_iter().collect::<Vec<_>>())
        })
    }
}

/// Whether no expression and no calendar tells two hosts apart.
fn is_alike(one: &Host, other: &Host) -> bool {
    one.properties == other.properties && one.zone == other.zone && one.rack == other.rack && one.blocks == other.blocks
}

/// Whether each demand can be served from the kinds it names (a maximum flow by shortest augmenting paths).
fn is_transportable(mut free: Vec<u32>, demands: &[(&[usize], u32)]) -> bool {
    let mut given: Vec<Vec<u32>> = vec![vec![0; free.len()]; demands.len()];
    for (source, &(_, wanted)) in demands.iter().enumerate() {
        let mut missing = wanted;
        while missing > 0 {
            let Some(path) = augmenting(source, &free, demands, &given) else {
                return false;
            };
            let Some(&(_, last)) = path.last() else { return false };
            // Each demand on the way but the first gives up what the one before it takes.
            let given_up = path.windows(2).map(|pair| given[pair[1].0][pair[0].1]);
            let amount = given_up.fold(missing.min(free[last]), u32::min);
            free[last] -= amount;
            for (place, &(demand, kind)) in path.iter().enumerate() {
                given[demand][kind] += amount;
                if let Some(&(next, _)) = path.get(place + 1) {
                    given[next][kind] -= amount;
                }
            }
            missing -= amount;
        }
    }
    true
}

/// Demands and the kinds each takes more of, from a demand to a kind with free hosts.
fn augmenting(
    source: usize,
    free: &[u32],
    demands: &[(&[usize], u32)],
    given: &[Vec<u32>],
) -> Option<Vec<(usize, usize)>> {
    let mut taker: Vec<Option<usize>> = vec![None; free.len()];
    let mut gives_up: Vec<Option<usize>> = vec![None; demands.len()];
    let mut waiting = VecDeque::from([source]);
    while let Some(demand) = waiting.pop_front() {
        for &kind in demands[demand].0 {
            if taker[kind].is_some() {
                continue;
            }
            taker[kind] = Some(demand);
            if free[kind] > 0 {
                let mut path = vec![(demand, kind)];
                let mut at = demand;
                while at != source {
                    let kind = gives_up[at]?;
                    at = taker[kind]?;
                    path.push((at, kind));
                }
                path.reverse();
                return Some(path);
            }
            for other in 0..demands.len() {
                if other != source && gives_up[other].is_none() && given[other][kind] > 0 {
                    gives_up[other] = Some(kind);
                    waiting.push_back(other);
                }
            }
        }
    }
    None
}

impl Contender for Mobile {
    fn answer(&mut self, request: &Request, now: Seconds, tally: Option<&mut Tally>) -> Result<bool, ReplayError> {
        if request
            .reservations
            .iter()
            .any(|asked| asked.resource != Resource::Host)
        {
            return Err(ReplayError(format!(
                "request `{}`: only whole hosts are looked at here",
                request.id
            )));
        }
        let started = Instant::now();
        let owner = request.replaces.as_ref().unwrap_or(&request.id);
        let before = self.held.remove(owner);
        let known = request.replaces.is_none() || before.is_some();
        let sizes: [fn(&RequestedReservation) -> u32; 2] = [|asked| asked.max, |asked| asked.min];
        let mut accepted = None;
        for size in sizes {
            let parts = request.reservations.iter();
            let needs: Vec<Need> = parts.map(|asked| self.need(asked, size(asked), now)).collect();
            if known && self.fits(&needs) {
                accepted = Some(needs);
                break;
            }
        }
        let is_accepted = accepted.is_some();
        if let Some(held) = accepted.or(before) {
            self.held.insert(owner.clone(), held);
        }
        if let Some(tally) = tally {
            tally.took("flow", micros(started));
            tally.refused += u64::from(!is_accepted);
        }
        Ok(is_accepted)
    }

    fn end(&mut self, lease: &LeaseId) {
        self.held.remove(lease);
    }

    fn held(&self, lease: &LeaseId) -> Held {
        let needs = self.held.get(lease).into_iter().flatten();
        let amount = |need: &Need| u64::from(need.hosts) * need.window.end.abs_diff(need.window.start);
        needs.map(|need| (need.reservation.clone(), amount(need))).collect()
    }

    fn finish(&self, _: &mut Tally) {}
}

#[cfg(test)]
mod tests {
    use super::is_transportable;

    #[test]
    fn a_demand_makes_room_for_one_with_fewer_kinds() {
        assert!(!is_transportable(vec![2, 1, 1], &[(&[0, 1], 2), (&[0], 2)]));
        assert!(is_transportable(vec![2, 1, 1], &[(&[0, 1, 2], 2), (&[0], 2)]));
        assert!(is_transportable(
            vec![2, 1, 1],
            &[(&[0, 1], 2), (&[1, 2], 1), (&[0, 2], 1)]
        ));
        assert!(!is_transportable(vec![2, 1, 1], &[(&[0, 1, 2], 3), (&[0], 2)]));
        assert!(!is_transportable(vec![1], &[(&[], 1)]));
    }
}
