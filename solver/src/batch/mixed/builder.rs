//! The world of a batch out of a planner and the candidates.
//!
//! Invariant: resource classes, expressions and spots are numbered in orders that depend on names alone, so equal
//! input gives equal worlds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::super::world::Candidate;
use super::world::{Choice, Group, Kind, Load, Need, NeedNumber, Spot, SpotNumber, Takes, World};
use crate::hosts::HostNumber;
use crate::model::{HostId, Interval, Lease, LeaseId, PoolId, Request, Reservation, Resource, Seconds};
use crate::planner::Planner;
use crate::predicate::Predicate;
use crate::request::Ask;

/// A world under construction.
struct Builder<'a> {
    world: World,
    planner: &'a Planner,
    now: Seconds,
    /// Resource classes by number.
    classes: BTreeMap<&'a str, usize>,
    units: HashMap<(PoolId, HostId), SpotNumber>,
    /// Hosts that satisfy an expression, and those out of service at some time.
    expressions: HashMap<&'a Predicate, usize>,
    blocked: Vec<HostNumber>,
    /// Suitable hosts of an expression, by those that are out of service then.
    suitable: HashMap<(usize, Vec<HostNumber>), Arc<[SpotNumber]>>,
}

impl World {
    /// The world of a batch at a moment.
    pub(super) fn new(planner: &Planner, candidates: &[Candidate<'_>], now: Seconds) -> Self {
        let mut builder = Builder::new(planner, candidates, now);
        let mut chains: BTreeMap<&LeaseId, Vec<(usize, &Candidate<'_>)>> = BTreeMap::new();
        for (number, candidate) in candidates.iter().enumerate() {
            chains.entry(candidate.lease()).or_default().push((number, candidate));
        }
        for lease in planner.leases() {
            let by = chains.remove(&lease.id).unwrap_or_default();
            builder.lease(lease, &by);
        }
        let new = |candidate: &&Candidate<'_>| candidate.request.replaces.is_none() && candidate.earlier.is_empty();
        for first in candidates.iter().filter(new) {
            let chain = chains.remove(first.lease()).unwrap_or_default();
            let options = chain
                .iter()
                .map(|&(number, candidate)| builder.candidate(number, candidate));
            let options = options.collect();
            builder.world.groups.push(Group {
                mandatory: false,
                options,
            });
        }
        builder.world
    }
}

impl<'a> Builder<'a> {
    /// Every host and unit, and nothing on them yet.
    fn new(planner: &'a Planner, candidates: &'a [Candidate<'_>], now: Seconds) -> Self {
        let asks = || candidates.iter().flat_map(|candidate| &candidate.asks);
        let held = || planner.leases().flat_map(|lease| &lease.reservations);
        let resources = asks()
            .map(|ask| &ask.asked.resource)
            .chain(held().map(|held| &held.resource));
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for resource in resources {
            if let Resource::Instances(instances) = resource {
                let taken = instances.resources.iter().filter(|(_, amount)| **amount > 0);
                names.extend(taken.map(|(name, _)| name.as_str()));
            }
        }
        let predicates = asks()
            .map(|ask| &ask.asked.predicate)
            .chain(held().map(|held| &held.predicate));
        let mut list: Vec<&Predicate> = Vec::new();
        let mut expressions: HashMap<&Predicate, usize> = HashMap::new();
        for predicate in predicates {
            expressions.entry(predicate).or_insert_with(|| {
                list.push(predicate);
                list.len() - 1
            });
        }
        let mut spots = Vec::new();
        let mut blocked = Vec::new();
        for (number, carried) in planner.hosts.values().enumerate() {
            let host = &carried.host;
            let amount = |name: &&str| host.capacity.get(*name).copied().unwrap_or(0);
            let matches = |predicate: &&Predicate| host.reservable && host.matches(predicate);
            spots.push(Spot {
                capacity: names.iter().map(amount).collect(),
                richness: carried.richness,
                loads: Vec::new(),
                kind: Kind::Host(list.iter().map(matches).collect(), host.blocks.clone()),
            });
            if !host.blocks.is_empty() {
                blocked.push(number);
            }
        }
        let hosts = spots.len();
        let mut all: Vec<HostId> = planner.hosts().map(|host| host.id.clone()).collect();
        let mut units = HashMap::new();
        for pool in planner.pools.values() {
            for unit in &pool.units {
                units.insert((pool.id.clone(), unit.clone()), spots.len());
                spots.push(Spot {
                    capacity: Arc::from([]),
                    richness: 0,
                    loads: Vec::new(),
                    kind: Kind::Unit(pool.id.clone()),
                });
                all.push(unit.clone());
            }
        }
        Self {
            world: World {
                now,
                names: all,
                resources: names.iter().map(|&name| name.into()).collect(),
                hosts,
                spots,
                needs: Vec::new(),
                groups: Vec::new(),
            },
            planner,
            now,
            classes: names
                .into_iter()
                .enumerate()
                .map(|(number, name)| (name, number))
                .collect(),
            units,
            expressions,
            blocked,
            suitable: HashMap::new(),
        }
    }

    fn takes(&self, resource: &Resource) -> Takes {
        let Resource::Instances(instances) = resource else {
            return Takes::Whole;
        };
        let mut amounts = vec![0; self.classes.len()];
        for (name, &amount) in &instances.resources {
            if let Some(&class) = self.classes.get(name.as_str()) {
                amounts[class] = amount;
            }
        }
        Takes::Part(amounts.into())
    }

    fn spot(&self, resource: &Resource, name: &HostId) -> Option<SpotNumber> {
        match resource {
            Resource::Host | Resource::Instances(_) => self.planner.hosts.number(name),
            Resource::Units(units) => self.units.get(&(units.pool.clone(), name.clone())).copied(),
        }
    }

    /// Spots of names, which are sorted, with how often each stands there.
    fn counts(&self, resource: &Resource, names: &[HostId]) -> Vec<(SpotNumber, u32)> {
        let runs = names.chunk_by(|one, other| one == other);
        let counts = runs.filter_map(|run| {
            let count = u32::try_from(run.len()).ok()?;
            Some((self.spot(resource, run.first()?)?, count))
        });
        counts.collect()
    }

    fn options(&mut self, resource: &Resource, predicate: &Predicate, window: Interval) -> Arc<[SpotNumber]> {
        if let Resource::Units(units) = resource {
            let of_pool = self.planner.pools.get(&units.pool);
            let names = of_pool.into_iter().flat_map(|pool| &pool.units);
            return names.filter_map(|unit| self.spot(resource, unit)).collect();
        }
        let Some(&expression) = self.expressions.get(predicate) else {
            return Arc::from([]);
        };
        let hosts = &self.world.spots[..self.world.hosts];
        let out = |host: &HostNumber| match &hosts[*host].kind {
            Kind::Host(_, blocks) => blocks.iter().any(|block| block.overlaps(&window)),
            Kind::Unit(_) => false,
        };
        let out: Vec<HostNumber> = self.blocked.iter().copied().filter(out).collect();
        let entry = self.suitable.entry((expression, out));
        let suits = |host: &usize, out: &[HostNumber]| match &hosts[*host].kind {
            Kind::Host(truth, _) => truth[expression] && out.binary_search(host).is_err(),
            Kind::Unit(_) => false,
        };
        entry
            .or_insert_with_key(|(_, out)| (0..hosts.len()).filter(|host| suits(host, out)).collect())
            .clone()
    }

    fn push(&mut self, need: Need) -> NeedNumber {
        self.world.needs.push(need);
        self.world.needs.len() - 1
    }

    /// What a candidate needs.
    fn candidate(&mut self, number: usize, candidate: &Candidate<'_>) -> Choice {
        let mut needs = Vec::with_capacity(candidate.asks.len());
        for ask in &candidate.asks {
            let resource = &ask.asked.resource;
            let kept = self.counts(resource, ask.kept);
            let (mut single, mut together) = (true, false);
            let mut required = Vec::new();
            match resource {
                Resource::Host => {}
                Resource::Instances(instances) => {
                    single = instances.affinity == Some(false);
                    together = instances.affinity == Some(true);
                }
                Resource::Units(units) => {
                    let wanted = units.required.iter().filter_map(|unit| self.spot(resource, unit));
                    required = wanted
                        .filter(|spot| !kept.iter().any(|(kept, _)| kept == spot))
                        .collect();
                }
            }
            let mut options = self.options(resource, &ask.asked.predicate, ask.asked.window);
            if !kept.is_empty() && (single || together) {
                let is_kept = |option: &SpotNumber| kept.iter().any(|(kept, _)| kept == option);
                options = options
                    .iter()
                    .copied()
                    .filter(|option| is_kept(option) == together)
                    .collect();
            }
            let need = Need {
                occupation: ask.asked.occupation(),
                takes: self.takes(resource),
                least: ask.least,
                single,
                together,
                options,
                required,
                kept,
                holds: Vec::new(),
                likes: self
                    .counts(resource, ask.before)
                    .into_iter()
                    .map(|(spot, _)| spot)
                    .collect(),
            };
            needs.push(self.push(need));
        }
        Choice {
            candidate: Some(number),
            value: candidate.worth,
            needs,
        }
    }

    /// A reservation that stays what it is: a promise that may be put elsewhere, or one that may not.
    fn held(&mut self, held: &Reservation) -> NeedNumber {
        let resource = &held.resource;
        let holds = self.counts(resource, &held.holds);
        let fixed = held.is_fixed(self.now, self.planner.freeze);
        let affinity = match resource {
            Resource::Instances(instances) => instances.affinity,
            Resource::Host | Resource::Units(_) => Some(false),
        };
        let mut options: Arc<[SpotNumber]> = Arc::from([]);
        let mut required = Vec::new();
        if !fixed {
            let suitable = self.options(resource, &held.predicate, held.window);
            let spots: BTreeSet<SpotNumber> = suitable
                .iter()
                .copied()
                .chain(holds.iter().map(|&(spot, _)| spot))
                .collect();
            options = spots.into_iter().collect();
            if let Resource::Units(units) = resource
                && held.holds.len() >= held.max as usize
            {
                required = units
                    .required
                    .iter()
                    .filter_map(|unit| self.spot(resource, unit))
                    .collect();
            }
        }
        let total = u32::try_from(held.holds.len()).unwrap_or(u32::MAX);
        let need = Need {
            occupation: held.occupation(),
            takes: self.takes(resource),
            least: if fixed { 0 } else { total },
            single: affinity == Some(false),
            together: affinity == Some(true),
            options,
            required,
            likes: holds.iter().map(|&(spot, _)| spot).collect(),
            kept: if fixed { holds.clone() } else { Vec::new() },
            holds: if fixed { Vec::new() } else { holds },
        };
        self.push(need)
    }

    /// A promised lease and the candidates that would replace it.
    fn lease(&mut self, lease: &Lease, by: &[(usize, &Candidate<'_>)]) {
        let now = self.now;
        let frees = |request: &Request, held: &Reservation| Ask::frees_reservation(request, held, now);
        let matters = |held: &&Reservation| held.occupation().end > now && !held.holds.is_empty();
        let (free, stays): (Vec<&Reservation>, Vec<&Reservation>) = lease
            .reservations
            .iter()
            .filter(matters)
            .partition(|held| by.iter().any(|(_, candidate)| frees(candidate.request, held)));
        for held in stays {
            if !held.is_fixed(now, self.planner.freeze) {
                let needs = vec![self.held(held)];
                let option = Choice {
                    candidate: None,
                    value: 0,
                    needs,
                };
                self.world.groups.push(Group {
                    mandatory: true,
                    options: vec![option],
                });
                continue;
            }
            for (spot, count) in self.counts(&held.resource, &held.holds) {
                let load = Load {
                    interval: held.occupation(),
                    takes: self.takes(&held.resource),
                    count,
                    need: None,
                };
                self.world.spots[spot].loads.push(load);
            }
        }
        if by.is_empty() {
            return;
        }
        let needs = free.iter().map(|held| self.held(held)).collect();
        let mut options = vec![Choice {
            candidate: None,
            value: 0,
            needs,
        }];
        for &(number, candidate) in by {
            let mut option = self.candidate(number, candidate);
            let left: Vec<&&Reservation> = free.iter().filter(|held| !frees(candidate.request, held)).collect();
            for held in left {
                option.needs.push(self.held(held));
            }
            options.push(option);
        }
        self.world.groups.push(Group {
            mandatory: true,
            options,
        });
    }
}
