//! What a mixed batch takes from, summed over spots that nothing can tell apart.
//!
//! Invariant: whatever is chosen takes no more of any store at any instant than there is room. Stores leave
//! out on which spot of a class something stands, so they admit more than the spots do, never less: each
//! class of hosts has one store of whole hosts and one of each resource class, of which a whole host takes
//! all that a host has.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::prices::{Bound, DENOMINATOR};
use super::world::{Amounts, Choice, Load, Need, NeedNumber, SpotNumber, Takes, World};
use crate::model::{Interval, Seconds, times_fitting};

/// A store's number.
pub(super) type StoreNumber = usize;

/// Spots of one class as a need may use them.
pub(super) struct Offer {
    /// Most of the need they can serve.
    pub(super) most: u32,
    /// What one of it takes of which store.
    pub(super) takes: Vec<(StoreNumber, u64)>,
}

/// A need as the stores see it.
pub(super) struct Demand {
    /// First instant it is active at.
    pub(super) first: usize,
    /// First instant after.
    pub(super) after: usize,
    /// How many the offers must serve.
    pub(super) least: u32,
    pub(super) offers: Vec<Offer>,
    /// What it takes in any case.
    pub(super) always: Vec<(StoreNumber, u64)>,
}

/// All stores and what is demanded of them.
pub(super) struct Stores {
    pub(super) demands: Vec<Demand>,
    /// Starts of needs from the clock on, sorted, each once.
    pub(super) instants: Vec<Seconds>,
    /// What fixed work leaves, per store and instant.
    pub(super) room: Vec<Vec<u64>>,
    /// What one spot has of the store, at least 1.
    pub(super) of_one: Vec<u64>,
    /// For a store of a resource class the store of whole hosts of the same class.
    pub(super) whole_of: Vec<StoreNumber>,
    /// The spots of each store, ascending, and the resource class it is of, by number; none where whole spots count.
    pub(super) of: Vec<(Vec<SpotNumber>, Option<usize>)>,
    /// Greatest common divisor of all values, at least 1.
    pub(super) unit: u64,
}

/// Spots that nothing can tell apart.
struct Class {
    spots: Vec<SpotNumber>,
    capacity: Amounts,
    /// Fixed work to come, the same on every spot.
    calendar: Vec<Load>,
    /// Its store of whole spots; those of resource classes follow.
    store: StoreNumber,
}

impl Stores {
    pub(super) fn new(world: &World) -> Self {
        let start = |need: &Need| need.occupation.start.max(world.now);
        let mut instants: Vec<Seconds> = world.needs.iter().map(start).collect();
        instants.sort_unstable();
        instants.dedup();
        let first = instants.first().copied().unwrap_or(Seconds::MIN);
        let last = world
            .needs
            .iter()
            .map(|need| need.occupation.end)
            .max()
            .unwrap_or(first);
        let (classes, class_of) = classes(world, Interval::new(first, last));
        let (mut room, mut of_one, mut whole_of, mut of) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for class in &classes {
            let at = |store: Option<usize>| -> Vec<u64> {
                let room = |&at: &Seconds| {
                    class
                        .spots
                        .iter()
                        .map(|&spot| left(world, class, spot, at, store))
                        .sum()
                };
                instants.iter().map(room).collect()
            };
            room.push(at(None));
            of_one.push(1);
            of.push((class.spots.clone(), None));
            for (resource, &amount) in class.capacity.iter().enumerate() {
                room.push(at(Some(resource)));
                of_one.push(amount.max(1));
                of.push((class.spots.clone(), Some(resource)));
            }
            whole_of.resize(room.len(), class.store);
        }
        let position = |at: Seconds| instants.partition_point(|&instant| instant < at);
        let demands = world.needs.iter().map(|need| {
            let always = need
                .kept
                .iter()
                .copied()
                .chain(need.required.iter().map(|&spot| (spot, 1)));
            let always = always.flat_map(|(spot, count)| {
                let class = &classes[class_of[spot]];
                let takes = takes(class, &need.takes).into_iter();
                takes.map(move |(store, amount)| (store, amount.saturating_mul(u64::from(count))))
            });
            Demand {
                first: position(start(need)),
                after: position(need.occupation.end.max(start(need))),
                least: need
                    .least
                    .saturating_sub(u32::try_from(need.required.len()).unwrap_or(u32::MAX)),
                offers: classes.iter().filter_map(|class| offer(class, need)).collect(),
                always: always.collect(),
            }
        });
        let demands = demands.collect();
        let values = world.groups.iter().flat_map(|group| &group.options);
        Self {
            demands,
            instants,
            room,
            of_one,
            whole_of,
            of,
            unit: values
                .map(|option| option.value)
                .fold(0, super::super::model::greatest_common_divisor)
                .max(1),
        }
    }

    /// An option's value in units.
    pub(super) fn value(&self, option: &Choice) -> i64 {
        i64::try_from(option.value / self.unit).unwrap_or(i64::MAX)
    }

    /// What an option is worth beyond what it pays, in units of value times the denominator; `None` if it can
    /// never be served. `sums` are those of the prices before each instant.
    pub(super) fn profit(&self, option: &Choice, sums: &[Vec<i128>]) -> Option<i128> {
        let mut profit = i128::from(self.value(option)) * DENOMINATOR;
        for &need in &option.needs {
            profit -= self.payment(need, sums)?;
        }
        Some(profit)
    }

    fn payment(&self, need: NeedNumber, sums: &[Vec<i128>]) -> Option<i128> {
        let demand = &self.demands[need];
        let cost = |takes: &[(StoreNumber, u64)]| -> i128 {
            let each = takes.iter().map(|&(store, amount)| {
                let price = sums[store][demand.after] - sums[store][demand.first];
                price * i128::from(amount)
            });
            each.sum()
        };
        let mut offers: Vec<(i128, u32)> = demand
            .offers
            .iter()
            .map(|offer| (cost(&offer.takes), offer.most))
            .collect();
        offers.sort_unstable();
        let mut paid = cost(&demand.always);
        let mut left = demand.least;
        for (price, most) in offers {
            let given = left.min(most);
            paid += price * i128::from(given);
            left -= given;
        }
        (left == 0).then_some(paid)
    }

    /// The bound that prices per store and instant prove (see `prices`): nothing takes more of a store than
    /// its room, so a choice is worth at most what all rooms cost and what each group makes beyond its
    /// payment.
    pub(super) fn bound(&self, world: &World, sums: &[Vec<i128>]) -> Bound {
        let mut total = 0;
        for (sums, room) in sums.iter().zip(&self.room) {
            let prices = sums.windows(2).map(|pair| pair[1] - pair[0]);
            total += prices
                .zip(room)
                .map(|(price, &room)| price * i128::from(room))
                .sum::<i128>();
        }
        let profits = world.groups.iter().map(|group| {
            let profits = group.options.iter().map(|option| self.profit(option, sums));
            (group.mandatory, profits.collect())
        });
        Bound::new(total, profits)
    }

    /// Prices of nothing.
    pub(super) fn free(&self) -> Vec<Vec<i128>> {
        vec![vec![0; self.instants.len() + 1]; self.room.len()]
    }
}

/// What a spot of a class has left of a store at an instant: itself, or of a resource class.
fn left(world: &World, class: &Class, spot: SpotNumber, at: Seconds, resource: Option<usize>) -> u64 {
    let there = world.spots[spot].loads.iter().filter(|load| load.interval.contains(at));
    let mut left = resource.map_or(1, |resource| class.capacity[resource]);
    for load in there {
        match (&load.takes, resource) {
            (Takes::Part(amounts), Some(resource)) => {
                left = left.saturating_sub(amounts[resource].saturating_mul(u64::from(load.count)));
            }
            (Takes::Whole, _) | (Takes::Part(_), None) => left = 0,
        }
    }
    left
}

/// What one of something takes of a class's stores.
fn takes(class: &Class, takes: &Takes) -> Vec<(StoreNumber, u64)> {
    match takes {
        Takes::Whole => {
            let amounts = class.capacity.iter().enumerate();
            let all = amounts.map(|(resource, &amount)| (class.store + 1 + resource, amount));
            std::iter::once((class.store, 1)).chain(all).collect()
        }
        Takes::Part(amounts) => {
            let amounts = amounts.iter().enumerate().filter(|(_, amount)| **amount > 0);
            amounts
                .map(|(resource, &amount)| (class.store + 1 + resource, amount))
                .collect()
        }
    }
}

fn offer(class: &Class, need: &Need) -> Option<Offer> {
    need.options.binary_search(class.spots.first()?).ok()?;
    let mut during = class
        .calendar
        .iter()
        .filter(|load| load.interval.overlaps(&need.occupation));
    let fit = match &need.takes {
        Takes::Whole => u64::from(during.next().is_none()),
        Takes::Part(_) if during.any(|load| load.takes == Takes::Whole) => 0,
        Takes::Part(amounts) => {
            let room = class.capacity.iter().copied();
            times_fitting(room.zip(amounts.iter().copied())).unwrap_or(u64::MAX)
        }
    };
    let fit = if need.single { fit.min(1) } else { fit };
    let all = fit.saturating_mul(class.spots.len() as u64);
    let least = u64::from(need.least);
    let most = if need.together && fit < least {
        0
    } else {
        all.min(least)
    };
    (most > 0).then(|| Offer {
        most: u32::try_from(most).unwrap_or(need.least),
        takes: takes(class, &need.takes),
    })
}

/// The classes and the class of each spot. Work that stands when the first need begins does not tell spots
/// apart: what it leaves is summed.
fn classes(world: &World, span: Interval) -> (Vec<Class>, Vec<usize>) {
    let mut lists: HashMap<&[SpotNumber], usize> = HashMap::new();
    for need in &world.needs {
        let required = need.required.chunks(1);
        for list in std::iter::once(&*need.options).chain(required) {
            let next = lists.len();
            lists.entry(list).or_insert(next);
        }
    }
    let mut member_of: Vec<Vec<usize>> = vec![Vec::new(); world.spots.len()];
    for (list, &number) in &lists {
        for &spot in *list {
            member_of[spot].push(number);
        }
    }
    let mut numbers: BTreeMap<(bool, Vec<usize>, Amounts, Vec<Load>), usize> = BTreeMap::new();
    let mut classes: Vec<Class> = Vec::new();
    let mut class_of = Vec::with_capacity(world.spots.len());
    let mut stores = 0;
    for (number, (spot, mut members)) in world.spots.iter().zip(member_of).enumerate() {
        members.sort_unstable();
        let to_come = |load: &&Load| load.interval.start > span.start && load.interval.start < span.end;
        let mut calendar: Vec<Load> = spot.loads.iter().filter(to_come).cloned().collect();
        calendar.sort_unstable();
        let key = (
            number < world.hosts,
            members,
            Arc::clone(&spot.capacity),
            calendar.clone(),
        );
        let class = *numbers.entry(key).or_insert_with(|| {
            classes.push(Class {
                spots: Vec::new(),
                capacity: Arc::clone(&spot.capacity),
                calendar,
                store: stores,
            });
            stores += 1 + spot.capacity.len();
            classes.len() - 1
        });
        classes[class].spots.push(number);
        class_of.push(class);
    }
    (classes, class_of)
}
