//! The model that looks at every host and unit on its own, with a binary for every rule: slow, and with
//! nothing in common with the planner but the document's words.

use solver::model::{Host, Interval, Lease, Pool, Request, Reservation, Resource, Seconds};
use solver::predicate::Predicate;

/// What the model says about a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Refused,
    Accepted {
        /// Fewest hosts and instances that leave a pending reservation for another class.
        moves: u32,
        /// Most hosts, instances and units the request can have with so few moves.
        given: u32,
    },
}

/// Everything a decision depends on.
pub(crate) struct World<'a> {
    pub(crate) hosts: &'a [Host],
    pub(crate) pool: &'a Pool,
    pub(crate) leases: &'a [Lease],
    pub(crate) now: Seconds,
    pub(crate) freeze: Seconds,
}

/// Work that cannot move.
pub(super) struct Fixed<'a> {
    pub(super) resource: &'a Resource,
    pub(super) interval: Interval,
    pub(super) places: Vec<usize>,
}

/// Work whose place is to be chosen. Places are hosts, or units for a reservation of units.
pub(super) struct Demand<'a> {
    pub(super) resource: &'a Resource,
    pub(super) occupation: Interval,
    pub(super) least: u32,
    pub(super) most: u32,
    /// Most that may stand on each place by the rules for new and old work.
    pub(super) permitted: Vec<u32>,
    pub(super) held: Vec<usize>,
    /// What it keeps and what it needs besides, for affinity.
    pub(super) kept: Vec<usize>,
    pub(super) requested: bool,
    pub(super) required: Vec<usize>,
}

impl Demand<'_> {
    pub(super) fn affinity(&self) -> Option<bool> {
        match self.resource {
            Resource::Instances(instances) => instances.affinity,
            Resource::Host | Resource::Units(_) => None,
        }
    }
}

pub(super) fn takes(resource: &Resource, class: &str) -> i64 {
    match resource {
        Resource::Instances(instances) => i64::try_from(instances.resources.get(class).copied().unwrap_or(0)).unwrap(),
        Resource::Host | Resource::Units(_) => 0,
    }
}

pub(super) fn count(places: &[usize], place: usize) -> u32 {
    u32::try_from(places.iter().filter(|&&other| other == place).count()).unwrap()
}

pub(super) const CLASSES: [&str; 3] = ["VCPU", "MEMORY_MB", "DISK_GB"];

impl World<'_> {
    fn fixed(&self, reservation: &Reservation) -> bool {
        let start = reservation.window.start;
        reservation.pinned || start <= self.now || start < self.now + self.freeze
    }

    fn places(&self, resource: &Resource, holds: &[solver::model::HostId]) -> Vec<usize> {
        let position = |id: &str| match resource {
            Resource::Units(_) => self.pool.units.iter().position(|unit| &**unit == id).unwrap(),
            Resource::Host | Resource::Instances(_) => self.hosts.iter().position(|host| &*host.id == id).unwrap(),
        };
        holds.iter().map(|id| position(id)).collect()
    }

    fn required(&self, resource: &Resource) -> Option<Vec<usize>> {
        let Resource::Units(units) = resource else {
            return Some(Vec::new());
        };
        let position = |id: &solver::model::HostId| self.pool.units.iter().position(|unit| unit == id);
        units.required.iter().map(position).collect()
    }

    fn permitted(
        &self,
        resource: &Resource,
        predicate: &Predicate,
        window: Interval,
        held: &[usize],
        most: u32,
    ) -> Vec<u32> {
        if let Resource::Units(_) = resource {
            return vec![1; self.pool.units.len()];
        }
        let suits = |host: &Host| {
            host.reservable && host.matches(predicate) && host.blocks.iter().all(|block| !block.overlaps(&window))
        };
        let limit = |place: usize| {
            if suits(&self.hosts[place]) {
                most
            } else {
                count(held, place)
            }
        };
        (0..self.hosts.len()).map(limit).collect()
    }

    /// Classes for counting: equal in everything the format names.
    fn classes(&self, request: &Request) -> Vec<usize> {
        let alive = self
            .leases
            .iter()
            .flat_map(|lease| &lease.reservations)
            .filter(|held| held.window.end > self.now);
        let mut predicates: Vec<&Predicate> = alive.map(|held| &*held.predicate).collect();
        predicates.extend(request.reservations.iter().map(|asked| &*asked.predicate));
        let same = |one: &Host, other: &Host| {
            predicates
                .iter()
                .all(|predicate| one.matches(predicate) == other.matches(predicate))
                && (&one.zone, &one.rack, &one.blocks) == (&other.zone, &other.rack, &other.blocks)
                && (one.reservable, &one.capacity) == (other.reservable, &other.capacity)
        };
        let first_alike = |host: &Host| self.hosts.iter().position(|other| same(host, other)).unwrap();
        self.hosts.iter().map(first_alike).collect()
    }

    pub(crate) fn answer(&self, request: &Request) -> Answer {
        self.read(request).map_or(Answer::Refused, |(demands, fixed, kept)| {
            self.minimise(&demands, &fixed, &self.classes(request), kept)
        })
    }

    /// Demands, fixed work and how much the request keeps; `None` if that alone contradicts a rule.
    fn read<'r>(&'r self, request: &'r Request) -> Option<(Vec<Demand<'r>>, Vec<Fixed<'r>>, u32)> {
        let (mut demands, mut fixed, mut kept_total) = (Vec::new(), Vec::new(), 0);
        let mut replaced: &[Reservation] = &[];
        for lease in self.leases {
            let is_replaced = request.replaces.as_ref() == Some(&lease.id);
            if is_replaced {
                replaced = &lease.reservations;
            }
            for held in &lease.reservations {
                let occupation = Interval::new(held.window.start, held.window.end + held.cleaning);
                let named = request.reservations.iter().any(|asked| asked.id == held.id);
                if occupation.end <= self.now || (is_replaced && (named || held.window.start > self.now)) {
                    continue;
                }
                let places = self.places(&held.resource, &held.holds);
                if self.fixed(held) {
                    fixed.push(Fixed {
                        resource: &held.resource,
                        interval: occupation,
                        places,
                    });
                    continue;
                }
                let size = u32::try_from(places.len()).unwrap();
                demands.push(Demand {
                    resource: &held.resource,
                    occupation,
                    least: size,
                    most: size,
                    permitted: self.permitted(&held.resource, &held.predicate, held.window, &places, size),
                    held: places,
                    kept: Vec::new(),
                    requested: false,
                    required: self.required(&held.resource)?,
                });
            }
        }
        for asked in &request.reservations {
            // What joins a reservation that has started is its own from now on.
            let window = Interval::new(asked.window.start.max(self.now), asked.window.end);
            let occupation = Interval::new(window.start, window.end + asked.cleaning);
            let mut kept = Vec::new();
            if let Some(old) = replaced
                .iter()
                .find(|old| old.id == asked.id)
                .filter(|old| self.fixed(old))
            {
                kept = self.places(&asked.resource, &old.holds);
                if old.window.start <= self.now && old.window.start != asked.window.start {
                    return None;
                }
                let newly = |second: &Seconds| !old.window.contains(*second);
                if !matches!(asked.resource, Resource::Units(_))
                    && (asked.window.start..asked.window.end).filter(newly).any(|at| {
                        kept.iter()
                            .any(|&host| self.hosts[host].blocks.iter().any(|block| block.contains(at)))
                    })
                {
                    return None;
                }
                fixed.push(Fixed {
                    resource: &asked.resource,
                    interval: occupation,
                    places: kept.clone(),
                });
            }
            let held = u32::try_from(kept.len()).unwrap();
            let mut required = self.required(&asked.resource)?;
            required.retain(|unit| !kept.contains(unit));
            if asked.max < held {
                return None;
            }
            kept_total += held;
            demands.push(Demand {
                resource: &asked.resource,
                occupation,
                least: asked.min.saturating_sub(held),
                most: asked.max - held,
                permitted: self.permitted(&asked.resource, &asked.predicate, window, &[], asked.max),
                held: Vec::new(),
                kept,
                requested: true,
                required,
            });
        }
        self.sound(&fixed).then_some((demands, fixed, kept_total))
    }

    /// Whether fixed work alone breaks no rule.
    fn sound(&self, fixed: &[Fixed<'_>]) -> bool {
        let is_units = |resource: &Resource| matches!(resource, Resource::Units(_));
        let is_instances = |resource: &Resource| matches!(resource, Resource::Instances(_));
        for (position, one) in fixed.iter().enumerate() {
            for other in fixed[..position]
                .iter()
                .filter(|other| other.interval.overlaps(&one.interval))
            {
                let same_kind_of_place = is_units(one.resource) == is_units(other.resource);
                let share = is_instances(one.resource) && is_instances(other.resource);
                if same_kind_of_place && !share && one.places.iter().any(|place| other.places.contains(place)) {
                    return false;
                }
            }
            for (place, host) in self.hosts.iter().enumerate().filter(|_| is_instances(one.resource)) {
                for class in CLASSES {
                    let used: i64 = fixed
                        .iter()
                        .filter(|other| other.interval.contains(one.interval.start) && is_instances(other.resource))
                        .map(|other| takes(other.resource, class) * i64::from(count(&other.places, place)))
                        .sum();
                    if used > i64::try_from(host.capacity.get(class).copied().unwrap_or(0)).unwrap()
                        && one.places.contains(&place)
                    {
                        return false;
                    }
                }
            }
        }
        true
    }
}
