//! Why not: rows of several hosts, instants and resource classes that together are too small.
//!
//! An infeasible linear program gives weights to rows (Farkas' lemma). Here they are made whole and added
//! up host by host: what the fixed work takes of the rows, and what each demand costs when it is given the
//! cheapest hosts that it may have.
//!
//! Invariant: a proof was recounted in integers from the world alone, the way the checker does, whatever
//! engine its weights came from; its members are those that it needs.

use std::collections::{BTreeMap, BTreeSet};

use super::measure::Measure;
use super::world::{DemandNumber, Fixed, World};
use crate::deadline::{Deadline, Part};
use crate::hosts::HostNumber;
use crate::model::{ReservationId, Seconds};

/// Weights below this share of the greatest are arithmetic noise.
const NOISE: f64 = 1e-7;
/// The least weight is made each of these, in turn, and the others are rounded.
const FACTORS: [f64; 14] = [
    1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 24.0, 60.0, 120.0, 840.0, 1e4, 1e6,
];
/// The cost of what has no place at all.
const NO_PLACE: u64 = u64::MAX;
/// Work that leaving out members one by one may take, in looks at a host.
const MOST_LOOKS: Part = Part::of_work(4_000_000);

/// Room of hosts at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) hosts: Vec<HostNumber>,
    pub(super) at: Seconds,
    pub(super) measure: Measure,
}

/// Rows that together are too small.
pub(super) struct Proof<'a> {
    /// With weights of at least 1.
    pub(super) rows: Vec<(Row, u64)>,
    pub(super) members: BTreeSet<&'a ReservationId>,
    /// What the members use of the rows at least, weighted; one more than there is if one of them has no place at all.
    pub(super) needed: u64,
    /// What the rows have, weighted.
    pub(super) exist: u64,
}

/// The proof in an engine's weights of rows, if there is one: with those of the demands that the program
/// had.
pub(super) fn of_weights<'a>(
    world: &World<'a>,
    rows: Vec<(Row, f64)>,
    included: &BTreeSet<DemandNumber>,
    deadline: &Deadline,
) -> Option<Proof<'a>> {
    let unnamed = |row: &Row| {
        row.measure
            .resource_class()
            .is_some_and(|class| world.resource_classes[class].is_empty())
    };
    let total: f64 = rows.iter().map(|(_, weight)| weight).sum();
    let greatest = rows
        .iter()
        .map(|(_, weight)| weight * total.signum())
        .fold(0.0, f64::max);
    let rows = rows.into_iter().map(|(row, weight)| (row, weight * total.signum()));
    let (rows, weights): (Vec<Row>, Vec<f64>) = rows.filter(|(_, weight)| *weight > NOISE * greatest).unzip();
    // Nobody knows the class that only counts instances.
    if rows.is_empty() || rows.iter().any(unnamed) {
        return None;
    }
    let least = weights.iter().copied().fold(f64::INFINITY, f64::min);
    // Without fixed work around the demands it is easier to say who is needed.
    [Beside::Nothing, Beside::Fixed].into_iter().find_map(|beside| {
        let count = Count::new(world, &rows, included, beside);
        let scaled = |factor: &f64| -> Option<Vec<u64>> {
            weights.iter().map(|weight| rounded(weight / least * factor)).collect()
        };
        let found = FACTORS.iter().filter_map(scaled).find(|weights| count.proves(weights));
        found.map(|weights| count.proof(&weights, deadline))
    })
}

/// What demands are placed beside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// Nothing: only the rows know of fixed work.
    Nothing,
    /// The fixed work that is listed.
    Fixed,
}

fn rounded(weight: f64) -> Option<u64> {
    let rounded = weight.round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    (1.0..=1e15).contains(&rounded).then_some(rounded as u64)
}

/// Hosts that a demand may have, and how many of it each takes.
type Places = Vec<(HostNumber, u32)>;

/// Rows and what may use them.
struct Count<'w, 'a> {
    world: &'w World<'a>,
    rows: &'w [Row],
    /// The rows of each host.
    by_host: BTreeMap<HostNumber, Vec<usize>>,
    beside: Beside,
    /// The fixed reservations in the rows or, if that matters, beside a demand, and where they are.
    fixed: BTreeMap<&'a ReservationId, BTreeSet<HostNumber>>,
    /// Demands that cannot do without the rows.
    demands: Vec<(DemandNumber, Places)>,
}

/// Which fixed reservations are listed.
type Listed<'a> = BTreeSet<&'a ReservationId>;

impl<'w, 'a> Count<'w, 'a> {
    fn new(world: &'w World<'a>, rows: &'w [Row], included: &BTreeSet<DemandNumber>, beside: Beside) -> Self {
        let mut by_host: BTreeMap<HostNumber, Vec<usize>> = BTreeMap::new();
        for (number, row) in rows.iter().enumerate() {
            for &host in &row.hosts {
                by_host.entry(host).or_default().push(number);
            }
        }
        let mut count = Self {
            world,
            rows,
            by_host,
            beside,
            fixed: BTreeMap::new(),
            demands: Vec::new(),
        };
        let all = |_: &Fixed<'_>| true;
        for &number in included {
            let demand = &world.demands[number];
            let meets = rows.iter().any(|row| demand.occupation.contains(row.at));
            if meets
                && demand.least > 0
                && let Some(places) = count.places(number, &all)
            {
                count.demands.push((number, places));
            }
        }
        for (host, place) in world.places.iter().enumerate() {
            for fixed in &place.fixed {
                let rows = count.by_host.get(&host).into_iter().flatten();
                let in_rows = rows.into_iter().any(|&row| fixed.interval.contains(count.rows[row].at));
                let beside = count.beside == Beside::Fixed
                    && count.demands.iter().any(|(number, _)| {
                        let demand = &world.demands[*number];
                        fixed.interval.overlaps(&demand.occupation)
                            && (world.suits(demand, host) || demand.holds.contains_key(&host))
                    });
                if in_rows || beside {
                    count.fixed.entry(fixed.reservation).or_default().insert(host);
                }
            }
        }
        count
    }

    /// Where a demand may be; `None` if it finds enough room without using any row.
    fn places(&self, number: DemandNumber, stays: &dyn Fn(&Fixed<'_>) -> bool) -> Option<Places> {
        let demand = &self.world.demands[number];
        let unit = demand.unit().max(1);
        let mut free: u32 = 0;
        let mut places = Places::new();
        let is_row = |host: &HostNumber| self.by_host.contains_key(host);
        let hosts = || 0..self.world.places.len();
        for host in hosts().filter(|host| !is_row(host)).chain(hosts().filter(is_row)) {
            let stays: &dyn Fn(&Fixed<'_>) -> bool = match self.beside {
                Beside::Nothing => &|_| false,
                Beside::Fixed => stays,
            };
            let room = self.world.room_beside(number, host, stays);
            if room < unit {
                continue;
            }
            places.push((host, room));
            if !is_row(&host) {
                free = free.saturating_add(room);
                if free >= demand.least {
                    return None;
                }
            }
        }
        Some(places)
    }

    /// What a demand costs at least in these places.
    fn cost(&self, weights: &[u64], number: DemandNumber, places: &[(HostNumber, u32)]) -> u128 {
        let demand = &self.world.demands[number];
        let mut costs: Vec<(u128, u32)> = places
            .iter()
            .map(|&(host, room)| {
                let capacity = &self.world.places[host].capacity;
                let rows = self.by_host.get(&host).into_iter().flatten();
                let during = rows.filter(|&&row| demand.occupation.contains(self.rows[row].at));
                let cost = during.map(|&row| {
                    u128::from(weights[row]) * whole(self.rows[row].measure.used_by(self.world, number, capacity))
                });
                (cost.sum(), room)
            })
            .collect();
        costs.sort_unstable();
        let (mut sum, mut more) = (0_u128, demand.least);
        for (cost, room) in costs {
            if demand.is_together() {
                return cost;
            }
            let here = room.min(more);
            sum = sum.saturating_add(cost.saturating_mul(u128::from(here)));
            more -= here;
            if more == 0 {
                return sum;
            }
        }
        u128::from(NO_PLACE)
    }

    /// What all hosts of the rows have, empty.
    fn exist(&self, weights: &[u64]) -> u128 {
        let rooms = self.rows.iter().zip(weights).map(|(row, &weight)| {
            let capacities = row.hosts.iter().map(|&host| &self.world.places[host].capacity);
            let rooms: u128 = capacities.map(|capacity| whole(row.measure.whole(capacity))).sum();
            rooms * u128::from(weight)
        });
        rooms.sum()
    }

    /// What the listed fixed work takes of the rows that these hosts are in.
    fn taken(&self, weights: &[u64], hosts: &mut dyn Iterator<Item = HostNumber>, listed: &Listed<'_>) -> u128 {
        let stays = |fixed: &Fixed<'_>| listed.contains(fixed.reservation);
        let mut taken = 0;
        for host in hosts {
            let place = &self.world.places[host];
            for &row in self.by_host.get(&host).into_iter().flatten() {
                let Row { at, measure, .. } = self.rows[row];
                let left = measure.whole(&place.capacity) - measure.room_at(self.world, place, at, &stays);
                taken += whole(left) * u128::from(weights[row]);
            }
        }
        taken
    }

    fn needed(&self, weights: &[u64]) -> u128 {
        let listed: Listed<'_> = self.fixed.keys().copied().collect();
        let taken = self.taken(weights, &mut self.by_host.keys().copied(), &listed);
        let costs = self
            .demands
            .iter()
            .map(|(number, places)| self.cost(weights, *number, places));
        costs.fold(taken, u128::saturating_add)
    }

    fn proves(&self, weights: &[u64]) -> bool {
        self.needed(weights) > self.exist(weights)
    }

    /// The proof with these weights, without members it does not need as far as the deadline allows.
    fn proof(&self, weights: &[u64], deadline: &Deadline) -> Proof<'a> {
        let exist = self.exist(weights);
        let mut listed: Listed<'a> = self.fixed.keys().copied().collect();
        let mut placed: Vec<(DemandNumber, u128)> = self
            .demands
            .iter()
            .map(|(number, places)| (*number, self.cost(weights, *number, places)))
            .collect();
        placed.sort_by_key(|&(number, cost)| (number < self.world.requested, cost, number));
        let mut taken = self.taken(weights, &mut self.by_host.keys().copied(), &listed);
        drop_placed(&mut placed, taken, exist);
        // Without fixed work around them the costs of the demands stay as they are.
        let looks = match self.beside {
            Beside::Nothing => 1,
            Beside::Fixed => placed.len().saturating_mul(self.world.places.len()).max(1) as u64,
        };
        let deadline = deadline.part(MOST_LOOKS);
        let own: Vec<&ReservationId> = self.world.demands[..self.world.requested]
            .iter()
            .map(|demand| demand.reservation)
            .collect();
        let mut order: Vec<&'a ReservationId> = listed.iter().copied().filter(|id| !own.contains(id)).collect();
        order.sort_by_key(|reservation| (self.fixed[*reservation].len(), *reservation));
        for reservation in order {
            deadline.spend(looks);
            if deadline.is_over() {
                break;
            }
            let hosts = || self.fixed[reservation].iter().copied();
            let before = self.taken(weights, &mut hosts(), &listed);
            listed.remove(reservation);
            let without = taken - before + self.taken(weights, &mut hosts(), &listed);
            let costs = self.costs(weights, &placed, &listed);
            if costs.iter().fold(without, |sum, (_, cost)| sum.saturating_add(*cost)) > exist {
                (taken, placed) = (without, costs);
            } else {
                listed.insert(reservation);
            }
        }
        drop_placed(&mut placed, taken, exist);
        let beside_listed = Self {
            beside: Beside::Fixed,
            by_host: self.by_host.clone(),
            fixed: BTreeMap::new(),
            demands: Vec::new(),
            ..*self
        };
        // What a listed reservation asks for besides what it keeps is counted with it.
        let beside_kept = (0..self.world.requested).filter(|number| {
            let demand = &self.world.demands[*number];
            let is_placed = || placed.iter().any(|(other, _)| other == number);
            demand.least > 0 && listed.contains(demand.reservation) && !is_placed()
        });
        let beside_kept = beside_kept.map(|number| (number, 0));
        let counted: Vec<(DemandNumber, u128)> = placed.iter().copied().chain(beside_kept).collect();
        let needed = beside_listed
            .costs(weights, &counted, &listed)
            .iter()
            .fold(taken, |sum, (_, cost)| sum.saturating_add(*cost));
        let demands = placed.iter().map(|&(number, _)| self.world.demands[number].reservation);
        let exist = u64::try_from(exist).unwrap_or(u64::MAX);
        // For what has no place at all there is no count.
        let countable = u64::try_from(needed).ok().filter(|&needed| needed < NO_PLACE);
        Proof {
            rows: self.rows.iter().cloned().zip(weights.iter().copied()).collect(),
            members: demands.chain(listed).collect(),
            needed: countable.unwrap_or(exist.saturating_add(1)),
            exist,
        }
    }

    /// The costs of demands beside the listed fixed work, in the same order.
    fn costs(
        &self,
        weights: &[u64],
        placed: &[(DemandNumber, u128)],
        listed: &Listed<'_>,
    ) -> Vec<(DemandNumber, u128)> {
        if self.beside == Beside::Nothing {
            return placed.to_vec();
        }
        let stays = |fixed: &Fixed<'_>| listed.contains(fixed.reservation);
        let cost = |number| {
            self.places(number, &stays)
                .map_or(0, |places| self.cost(weights, number, &places))
        };
        placed.iter().map(|&(number, _)| (number, cost(number))).collect()
    }
}

/// Leaves out demands, in order, as long as the others still need too much.
fn drop_placed(placed: &mut Vec<(DemandNumber, u128)>, taken: u128, exist: u128) {
    let mut needed = placed.iter().fold(taken, |sum, (_, cost)| sum.saturating_add(*cost));
    placed.retain(|&(_, cost)| {
        let superfluous = needed.saturating_sub(cost) > exist;
        if superfluous {
            needed -= cost;
        }
        !superfluous
    });
}

fn whole(count: i64) -> u128 {
    u128::try_from(count).unwrap_or(0)
}
