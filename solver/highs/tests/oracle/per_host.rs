//! The same question asked host by host: one yes-or-no variable for each demand and host.
//!
//! Shares only the input types, the property language and the integer-program interface with the
//! planner; states the rules anew, in the plainest form.

use std::collections::{BTreeMap, BTreeSet};

use solver::deadline::Deadline;
use solver::model::{Host, Interval, Lease, Request, Reservation, Seconds};
use solver::predicate::Predicate;
use solver::program::{ModelSolver, Outcome, Program};
use solver_highs::Highs;

/// What the per-host model says about a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Refused,
    Accepted {
        /// Fewest hosts that leave a pending reservation for another class.
        moves: u32,
        /// Most hosts the request can have with so few moves, kept ones included.
        given: u32,
    },
}

/// Everything a decision depends on.
pub(crate) struct World<'a> {
    pub(crate) hosts: &'a [Host],
    pub(crate) leases: &'a [Lease],
    pub(crate) now: Seconds,
    pub(crate) freeze: Seconds,
}

struct Demand<'a> {
    occupation: Interval,
    least: u32,
    most: u32,
    permitted: Vec<bool>,
    held: Vec<usize>,
    requested: bool,
    predicate: &'a Predicate,
}

impl World<'_> {
    fn fixed(&self, reservation: &Reservation) -> bool {
        let start = reservation.window.start;
        reservation.pinned || start <= self.now || start < self.now + self.freeze
    }

    fn position(&self, id: &str) -> usize {
        self.hosts.iter().position(|host| &*host.id == id).unwrap()
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
        let mut fixed: Vec<Vec<Interval>> = vec![Vec::new(); self.hosts.len()];
        let mut demands: Vec<Demand<'_>> = Vec::new();
        let mut kept_hosts = 0;
        for lease in self.leases {
            let replaced = request.replaces.as_ref() == Some(&lease.id);
            for held in &lease.reservations {
                let occupation = Interval::new(held.window.start, held.window.end + held.cleaning);
                let named = request.reservations.iter().any(|asked| asked.id == held.id);
                if occupation.end <= self.now || (replaced && (named || held.window.start > self.now)) {
                    continue;
                }
                let holds: Vec<usize> = held.holds.iter().map(|id| self.position(id)).collect();
                if self.fixed(held) {
                    for host in holds {
                        fixed[host].push(occupation);
                    }
                    continue;
                }
                let size = u32::try_from(holds.len()).unwrap();
                let suits = |host: &Host| Self::suits(host, &held.predicate, held.window);
                let permitted = (0..self.hosts.len())
                    .map(|host| holds.contains(&host) || suits(&self.hosts[host]))
                    .collect();
                demands.push(Demand {
                    occupation,
                    least: size,
                    most: size,
                    permitted,
                    held: holds,
                    requested: false,
                    predicate: &held.predicate,
                });
            }
        }
        let replaced = self
            .leases
            .iter()
            .find(|lease| request.replaces.as_ref() == Some(&lease.id));
        for asked in &request.reservations {
            // What joins a reservation that has started is its own from now on.
            let window = Interval::new(asked.window.start.max(self.now), asked.window.end);
            let occupation = Interval::new(window.start, window.end + asked.cleaning);
            let old = replaced.and_then(|lease| lease.reservations.iter().find(|old| old.id == asked.id));
            let mut kept = Vec::new();
            if let Some(old) = old.filter(|old| self.fixed(old)) {
                kept = old.holds.iter().map(|id| self.position(id)).collect();
                if old.window.start <= self.now && old.window.start != asked.window.start {
                    return Answer::Refused;
                }
                for &host in &kept {
                    let newly_blocked = (asked.window.start..asked.window.end).any(|second| {
                        !old.window.contains(second)
                            && self.hosts[host].blocks.iter().any(|block| block.contains(second))
                    });
                    if newly_blocked || fixed[host].iter().any(|taken| taken.overlaps(&occupation)) {
                        return Answer::Refused;
                    }
                    fixed[host].push(occupation);
                }
            }
            let held = u32::try_from(kept.len()).unwrap();
            if asked.max < held {
                return Answer::Refused;
            }
            kept_hosts += held;
            let permitted = self
                .hosts
                .iter()
                .map(|host| Self::suits(host, &asked.predicate, window))
                .collect();
            demands.push(Demand {
                occupation,
                least: asked.min.saturating_sub(held),
                most: asked.max - held,
                permitted,
                held: Vec::new(),
                requested: true,
                predicate: &asked.predicate,
            });
        }
        self.minimise(&demands, &fixed, &self.classes(request), kept_hosts)
    }

    fn suits(host: &Host, predicate: &Predicate, window: Interval) -> bool {
        host.reservable && host.matches(predicate) && host.blocks.iter().all(|block| !block.overlaps(&window))
    }

    fn minimise(&self, demands: &[Demand<'_>], fixed: &[Vec<Interval>], classes: &[usize], kept: u32) -> Answer {
        let mut program = Program::default();
        let mut columns = BTreeMap::new();
        let (mut departures, mut given) = (Vec::new(), Vec::new());
        for (number, demand) in demands.iter().enumerate() {
            let _ = demand.predicate;
            let free = |host: &usize| fixed[*host].iter().all(|taken| !taken.overlaps(&demand.occupation));
            let hosts = (0..self.hosts.len())
                .filter(|&host| demand.permitted[host])
                .filter(free);
            for host in hosts {
                columns.insert((number, host), program.column(0, 1));
            }
            let own = |class: Option<usize>| -> Vec<(usize, i64)> {
                let mine = columns.range((number, 0)..(number + 1, 0));
                mine.filter(|((_, host), _)| class.is_none_or(|class| classes[*host] == class))
                    .map(|(_, &column)| (column, 1))
                    .collect()
            };
            program.row(Some(demand.least.into()), Some(demand.most.into()), own(None));
            if demand.requested {
                given.extend(own(None));
            }
            for class in demand.held.iter().map(|&host| classes[host]).collect::<BTreeSet<_>>() {
                let count = demand.held.iter().filter(|&&host| classes[host] == class).count();
                let left = program.column(1, u32::try_from(count).unwrap());
                let mut stays = own(Some(class));
                stays.push((left, 1));
                program.row(Some(i64::try_from(count).unwrap()), None, stays);
                departures.push((left, 1));
            }
        }
        for host in 0..self.hosts.len() {
            for at in demands
                .iter()
                .map(|demand| demand.occupation.start)
                .collect::<BTreeSet<_>>()
            {
                let active = (0..demands.len()).filter(|&number| demands[number].occupation.contains(at));
                let entries: Vec<(usize, i64)> = active
                    .filter_map(|number| Some((*columns.get(&(number, host))?, 1)))
                    .collect();
                if entries.len() > 1 {
                    program.row(None, Some(1), entries);
                }
            }
        }
        let Some(values) = solve(&program) else {
            return Answer::Refused;
        };
        let moves = u32::try_from(program.cost(&values)).unwrap();
        program.row(None, Some(moves.into()), departures);
        for column in &mut program.columns {
            column.cost = 0;
        }
        for (column, _) in given {
            program.columns[column].cost = -1;
        }
        let values = solve(&program).expect("what was feasible with these moves still is");
        Answer::Accepted {
            moves,
            given: kept + u32::try_from(-program.cost(&values)).unwrap(),
        }
    }
}

fn solve(program: &Program) -> Option<Vec<u32>> {
    match Highs.solve(program, &Deadline::none()) {
        Outcome::Optimal(values) => Some(values),
        Outcome::Infeasible => None,
        Outcome::TimeLimit | Outcome::WorkLimit | Outcome::Unreliable => panic!("no answer without a limit"),
    }
}
