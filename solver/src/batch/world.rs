//! The state and all requests of a batch as one scene, and what may be chosen in it.
//!
//! Invariant: every demand of the scene belongs to exactly one option of one group, and whatever is chosen
//! takes at most one option of each group: a new lease as one of the requests for it wants it, or none; a
//! pending promise; a lease as it was or as one of the requests that replace it wants it. Only whole hosts are demands; where instances or units take part
//! the scene is a relaxation, good for a bound (see `mixed`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::columns::Columns;
use crate::model::{Host, HostId, Interval, Lease, LeaseId, Request, Reservation, ReservationId, Resource, Seconds};
use crate::planner::Planner;
use crate::predicate::Predicate;
use crate::request::Ask;
use crate::scene::{ClassNumber, Demand, DemandNumber, Fixed, HostNumber, Scene};

/// Hosts by reservation.
pub(crate) type Holds = BTreeMap<ReservationId, Vec<HostId>>;

/// A request that may be accepted as far as it alone is looked at.
pub(crate) struct Candidate<'a> {
    /// Its place among the requests of the batch.
    pub(crate) place: usize,
    /// As it stands beside the state: see `chain`.
    pub(crate) request: &'a Request,
    pub(crate) asks: Vec<Ask<'a>>,
    /// What accepting it is worth.
    pub(crate) value: u64,
    /// The candidates for the same lease before it, which are accepted with it.
    pub(crate) earlier: Vec<usize>,
    /// What it is worth with them.
    pub(crate) worth: u64,
    /// Hosts it could have if there were no other lease, where that was asked.
    pub(crate) alone: Option<Holds>,
}

impl Candidate<'_> {
    /// The lease it decides.
    pub(crate) fn lease(&self) -> &LeaseId {
        self.request.replaces.as_ref().unwrap_or(&self.request.id)
    }
}

/// One way to serve a group.
pub(crate) struct Choice {
    /// The last accepted candidate for the lease, `None` if what is promised stays as it is.
    pub(crate) candidate: Option<usize>,
    pub(crate) value: u64,
    pub(crate) demands: Vec<DemandNumber>,
}

/// Options that exclude each other.
pub(crate) struct Group {
    /// Whether one of them must be taken.
    pub(crate) mandatory: bool,
    pub(crate) options: Vec<Choice>,
}

/// Stands in the place of an expression where a reservation keeps its hosts and suits no others. No expression says
/// "these hosts", because it takes two identifiers for one if they are the same number.
static KEPT: Predicate = Predicate::Any(Vec::new());

/// The scene and its choices.
pub(crate) struct World<'a> {
    pub(crate) scene: Scene<'a>,
    pub(crate) groups: Vec<Group>,
    /// For every host the class that moves are counted between: of hosts that no reservation can tell
    /// apart. That hosts are kept is no reservation's wish and makes no such classes.
    pub(crate) move_class_of: Vec<ClassNumber>,
}

impl<'a> World<'a> {
    /// Everything the batch depends on. `candidates` were read on this planner at this moment.
    pub(crate) fn new(planner: &'a Planner, candidates: &'a [Candidate<'a>], now: Seconds) -> Self {
        let hosts: Vec<_> = planner.hosts.values().map(|carried| carried.host.as_ref()).collect();
        let mut builder = Builder {
            numbers: hosts
                .iter()
                .enumerate()
                .map(|(number, host)| (&host.id, number))
                .collect(),
            predicates: Vec::new(),
            predicate_numbers: HashMap::new(),
            kept: BTreeMap::new(),
            fixed: hosts.iter().map(|_| Vec::new()).collect(),
            demands: Vec::new(),
            now,
            freeze: planner.freeze,
        };
        for ask in candidates.iter().flat_map(|candidate| &candidate.asks) {
            builder.predicate(&ask.asked.predicate);
        }
        let alive = planner
            .leases()
            .flat_map(|lease| &lease.reservations)
            .filter(|held| held.window.end > now);
        for held in alive {
            builder.predicate(&held.predicate);
        }
        let real_predicates = builder.predicates.len();
        let mut chains: BTreeMap<&LeaseId, Vec<(usize, &Candidate<'_>)>> = BTreeMap::new();
        for (number, candidate) in candidates.iter().enumerate() {
            chains.entry(candidate.lease()).or_default().push((number, candidate));
        }
        let mut groups = Vec::new();
        let new = |candidate: &&Candidate<'_>| candidate.request.replaces.is_none() && candidate.earlier.is_empty();
        for first in candidates.iter().filter(new) {
            let chain = chains.get(first.lease()).into_iter().flatten();
            groups.push(Group {
                mandatory: false,
                options: chain
                    .map(|&(number, candidate)| builder.candidate(number, candidate))
                    .collect(),
            });
        }
        for lease in planner.leases() {
            let by = chains.remove(&lease.id).unwrap_or_default();
            builder.lease(lease, &by, &mut groups);
        }
        let richness = planner.hosts.values().map(|carried| carried.richness).collect();
        let (move_class_of, _) = coarse(&hosts, &builder.predicates[..real_predicates], &BTreeMap::new());
        let (coarse_of, truth) = coarse(&hosts, &builder.predicates, &builder.kept);
        let scene = Scene {
            hosts,
            richness,
            fixed: builder.fixed.into_iter().collect(),
            demands: builder.demands,
            predicates: builder.predicates,
            coarse_of,
            truth,
        };
        Self {
            scene,
            groups,
            move_class_of,
        }
    }
}

/// Class of every host, and which predicates each class satisfies: hosts of a class satisfy the same and
/// are equal in everything else a reservation can ask for. `kept` names the hosts for which some predicates stand.
fn coarse(
    hosts: &[&Host],
    predicates: &[&Predicate],
    kept: &BTreeMap<&[HostId], usize>,
) -> (Vec<ClassNumber>, Vec<Vec<bool>>) {
    let admitted = Columns::default().admitted(hosts, predicates);
    let mut numbers = HashMap::new();
    let mut truths: Vec<Vec<bool>> = Vec::new();
    let of = hosts.iter().enumerate().map(|(number, host)| {
        let mut truth: Vec<bool> = admitted.iter().map(|set| set.contains(number)).collect();
        for (&hosts, &number) in kept {
            truth[number] = hosts.binary_search(&host.id).is_ok();
        }
        let equal = (&host.zone, &host.rack, &host.blocks, host.reservable, &host.capacity);
        *numbers.entry((truth, equal)).or_insert_with_key(|(truth, _)| {
            truths.push(truth.clone());
            truths.len() - 1
        })
    });
    (of.collect(), truths)
}

struct Builder<'a> {
    numbers: HashMap<&'a HostId, HostNumber>,
    predicates: Vec<&'a Predicate>,
    predicate_numbers: HashMap<&'a Predicate, usize>,
    /// The predicates that stand for hosts some reservation keeps, by those hosts, which are sorted.
    kept: BTreeMap<&'a [HostId], usize>,
    fixed: Vec<Vec<Fixed<'a>>>,
    demands: Vec<Demand<'a>>,
    now: Seconds,
    freeze: Seconds,
}

impl<'a> Builder<'a> {
    fn predicate(&mut self, predicate: &'a Predicate) -> usize {
        *self.predicate_numbers.entry(predicate).or_insert_with(|| {
            self.predicates.push(predicate);
            self.predicates.len() - 1
        })
    }

    fn hosts(&self, ids: &[HostId]) -> Vec<HostNumber> {
        let mut hosts: Vec<HostNumber> = ids.iter().filter_map(|id| self.numbers.get(id).copied()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    fn push(&mut self, demand: Demand<'a>) -> DemandNumber {
        self.demands.push(demand);
        self.demands.len() - 1
    }

    /// A demand for exactly these hosts. What of it lies before the clock is theirs already, and would only
    /// make the past of other hosts matter.
    fn exactly(
        &mut self,
        reservation: &'a Arc<str>,
        ids: &'a [HostId],
        window: Interval,
        occupation: Interval,
        requested: bool,
    ) -> Option<DemandNumber> {
        let occupation = Interval::new(occupation.start.max(self.now), occupation.end);
        let holds = self.hosts(ids);
        let size = u32::try_from(holds.len()).ok().filter(|&size| size > 0)?;
        if occupation.start >= occupation.end {
            return None;
        }
        let predicate = *self.kept.entry(ids).or_insert_with(|| {
            self.predicates.push(&KEPT);
            self.predicates.len() - 1
        });
        Some(self.push(Demand {
            reservation,
            window,
            occupation,
            predicate,
            least: size,
            most: size,
            likes: holds.clone(),
            holds,
            requested,
        }))
    }

    fn candidate(&mut self, number: usize, candidate: &'a Candidate<'a>) -> Choice {
        let mut demands = Vec::new();
        for ask in &candidate.asks {
            if ask.asked.resource != Resource::Host {
                continue;
            }
            let occupation = ask.asked.occupation();
            demands.extend(self.exactly(&ask.asked.id, ask.kept, ask.asked.window, occupation, true));
            if ask.most == 0 {
                continue;
            }
            let predicate = self.predicate(&ask.asked.predicate);
            let likes = self.hosts(ask.before);
            demands.push(self.push(Demand {
                reservation: &ask.asked.id,
                window: ask.asked.window,
                occupation,
                predicate,
                least: ask.least,
                most: ask.most,
                holds: Vec::new(),
                likes,
                requested: true,
            }));
        }
        Choice {
            candidate: Some(number),
            value: candidate.worth,
            demands,
        }
    }

    /// A reservation that stays what it is if the option is taken.
    fn kept(&mut self, held: &'a Reservation) -> Option<DemandNumber> {
        if held.resource != Resource::Host {
            return None;
        }
        if held.is_fixed(self.now, self.freeze) {
            return self.exactly(&held.id, &held.holds, held.window, held.occupation(), false);
        }
        let holds = self.hosts(&held.holds);
        let size = u32::try_from(holds.len()).ok().filter(|&size| size > 0)?;
        let predicate = self.predicate(&held.predicate);
        Some(self.push(Demand {
            reservation: &held.id,
            window: held.window,
            occupation: held.occupation(),
            predicate,
            least: size,
            most: size,
            likes: holds.clone(),
            holds,
            requested: false,
        }))
    }

    /// A promised lease and the candidates that would replace it.
    fn lease(&mut self, lease: &'a Lease, by: &[(usize, &'a Candidate<'a>)], groups: &mut Vec<Group>) {
        let now = self.now;
        let frees =
            |candidate: &Candidate<'_>, held: &Reservation| Ask::frees_reservation(candidate.request, held, now);
        // Instances that may move, or go, take nothing here: see `mixed`.
        let freeze = self.freeze;
        let on_hosts = |held: &&Reservation| {
            let whole = match held.resource {
                Resource::Host => true,
                Resource::Instances(_) => held.is_fixed(now, freeze),
                Resource::Units(_) => false,
            };
            held.occupation().end > now && whole && !held.holds.is_empty()
        };
        let (free, stays): (Vec<&Reservation>, Vec<&Reservation>) = lease
            .reservations
            .iter()
            .filter(on_hosts)
            .partition(|held| by.iter().any(|(_, candidate)| frees(candidate, held)));
        for held in stays {
            if held.is_fixed(now, self.freeze) {
                for host in self.hosts(&held.holds) {
                    self.fixed[host].push(Fixed {
                        reservation: &held.id,
                        interval: held.occupation(),
                    });
                }
            } else {
                let demands = self.kept(held).into_iter().collect();
                groups.push(Group {
                    mandatory: true,
                    options: vec![Choice {
                        candidate: None,
                        value: 0,
                        demands,
                    }],
                });
            }
        }
        if by.is_empty() {
            return;
        }
        let unchanged = Choice {
            candidate: None,
            value: 0,
            demands: free.iter().filter_map(|held| self.kept(held)).collect(),
        };
        let mut options = vec![unchanged];
        for &(number, candidate) in by {
            let mut option = self.candidate(number, candidate);
            let left = free.iter().filter(|held| !frees(candidate, held));
            option.demands.extend(left.filter_map(|held| self.kept(held)));
            options.push(option);
        }
        groups.push(Group {
            mandatory: true,
            options,
        });
    }
}
