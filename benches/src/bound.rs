//! How many processor-seconds of instances any planner could promise out of a stream, even one that knows
//! all of it from the beginning.
//!
//! A linear program: every request is accepted to a share between none and all; in each hour the accepted
//! shares take no more of any resource class than all hosts in service have, where a host reservation takes
//! its fewest hosts, the smallest that suit. Which host serves whom, which hosts suit instances and that
//! instances are whole is left aside.
//!
//! Invariant: the bound is recounted from the program's prices (weak duality), so it holds even if the
//! solver stops early; without prices it is everything that was asked for.

use std::collections::BTreeMap;

use std::time::Duration;

use solver::model::{Host, Interval, RequestedReservation, Resource, Seconds};
use solver::program::LinearEngine;
use solver_format::HostEntry;
use solver_highs::{Engine, wall_clock};

use crate::random::ratio;
use crate::replay::Stream;

/// Length of the cells into which time is cut.
const CELL: Seconds = 3_600;

/// A capacity: what all hosts have of a resource class during one cell, in amounts times seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    cell: i64,
    resource_class: usize,
}

/// What one request takes and brings.
struct Item {
    /// Processor-seconds.
    value: f64,
    /// Shares of the slots.
    takes: BTreeMap<Slot, f64>,
}

/// No planner promises more processor-seconds of instances to the requests of a stream that are counted.
/// Takes at most about `seconds`.
pub fn processor_seconds(stream: &Stream, seconds: f64) -> f64 {
    let hosts: Vec<Host> = stream.problem.hosts.iter().map(HostEntry::to_host).collect();
    let mut classes: Vec<&str> = hosts
        .iter()
        .flat_map(|host| host.capacity.keys().map(String::as_str))
        .collect();
    classes.sort_unstable();
    classes.dedup();
    let fleet = Fleet {
        hosts: &hosts,
        classes,
        start: stream.problem.now,
    };
    let mut ends: BTreeMap<&str, Seconds> = BTreeMap::new();
    let mut items = Vec::new();
    for (at, request) in &stream.requests {
        let begins = |part: &RequestedReservation| {
            let before = request.replaces.as_ref().and_then(|_| ends.get(&*part.id));
            before.map_or(part.window.start, |&end| end.max(part.window.start))
        };
        let windows: Vec<(Interval, &RequestedReservation)> = request
            .reservations
            .iter()
            .map(|part| (Interval::new(begins(part), part.window.end), part))
            .filter(|(window, _)| window.start < window.end)
            .collect();
        items.push(fleet.item(&windows, *at >= stream.counted_from));
        // A change takes and brings what it is longer than the first request.
        if request.replaces.is_none() {
            ends.extend(request.reservations.iter().map(|part| (&*part.id, part.window.end)));
        }
    }
    items.retain(|item| item.value > 0.0);
    let slots: BTreeMap<Slot, f64> = items
        .iter()
        .flat_map(|item| item.takes.keys())
        .map(|&slot| (slot, fleet.room(slot)))
        .collect();
    let prices = prices(&items, &slots, seconds);
    bound(&items, &slots, &prices)
}

/// What a unit of each slot is worth in the program's optimum; nothing for those that are not known.
fn prices(items: &[Item], slots: &BTreeMap<Slot, f64>, seconds: f64) -> BTreeMap<Slot, f64> {
    let total: f64 = items.iter().map(|item| item.value).sum();
    let mut engine = Engine::new();
    // In shares of the room and of all that is asked for, so that numbers are near one.
    let rows: BTreeMap<Slot, usize> = slots
        .keys()
        .map(|&slot| (slot, engine.add_row((f64::NEG_INFINITY, 1.0), &[])))
        .collect();
    for item in items {
        let entries: Vec<(usize, f64)> = item
            .takes
            .iter()
            .filter(|(slot, _)| slots[slot] > 0.0)
            .map(|(slot, taken)| (rows[slot], taken / slots[slot]))
            .collect();
        engine.add_column(-item.value / total * 1e3, (0.0, 1.0), &entries);
    }
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    engine.solve(&wall_clock().limited(Some(time), None));
    let duals = engine.duals();
    let price = |(slot, row): (&Slot, &usize)| {
        let dual = duals.get(*row).copied().unwrap_or(0.0);
        let room = slots[slot];
        (dual < 0.0 && room > 0.0).then(|| (*slot, -dual * total / 1e3 / room))
    };
    rows.iter().filter_map(price).collect()
}

/// Weak duality: no choice brings more than the room at these prices and what each request brings beyond
/// the price of what it takes.
fn bound(items: &[Item], slots: &BTreeMap<Slot, f64>, prices: &BTreeMap<Slot, f64>) -> f64 {
    let price = |slot: &Slot| prices.get(slot).copied().unwrap_or(0.0);
    let rooms: f64 = slots.iter().map(|(slot, room)| price(slot) * room).sum();
    let beyond = items.iter().map(|item| {
        let paid: f64 = item.takes.iter().map(|(slot, taken)| price(slot) * taken).sum();
        (item.value - paid).max(0.0)
    });
    rooms + beyond.sum::<f64>()
}

struct Fleet<'h> {
    hosts: &'h [Host],
    classes: Vec<&'h str>,
    start: Seconds,
}

impl Fleet<'_> {
    fn item(&self, parts: &[(Interval, &RequestedReservation)], counted: bool) -> Item {
        let mut item = Item {
            value: 0.0,
            takes: BTreeMap::new(),
        };
        for (window, part) in parts {
            let amounts: Vec<u64> = match &part.resource {
                Resource::Instances(instances) => {
                    let amount =
                        |class: &&str| instances.resources.get(*class).copied().unwrap_or(0) * u64::from(part.min);
                    let processors = instances.resources.get("VCPU").copied().unwrap_or(0) * u64::from(part.min);
                    if counted {
                        item.value += ratio(processors * window.seconds().unsigned_abs(), 1);
                    }
                    self.classes.iter().map(amount).collect()
                }
                Resource::Host => self.smallest(part),
                Resource::Units(_) => continue,
            };
            for (resource_class, &amount) in amounts.iter().enumerate().filter(|(_, amount)| **amount > 0) {
                let cells =
                    (window.start - self.start).div_euclid(CELL)..=(window.end - 1 - self.start).div_euclid(CELL);
                for cell in cells {
                    let begin = self.start + cell * CELL;
                    let shared = window.end.min(begin + CELL) - window.start.max(begin);
                    let slot = Slot { cell, resource_class };
                    *item.takes.entry(slot).or_default() += ratio(amount * shared.unsigned_abs(), 1);
                }
            }
        }
        item
    }

    /// What the smallest suitable hosts have, as many as the reservation needs, by class.
    fn smallest(&self, part: &RequestedReservation) -> Vec<u64> {
        let suitable: Vec<&Host> = self.hosts.iter().filter(|host| host.matches(&part.predicate)).collect();
        let of = |class: &&str| {
            let mut amounts: Vec<u64> = suitable
                .iter()
                .map(|host| host.capacity.get(*class).copied().unwrap_or(0))
                .collect();
            amounts.sort_unstable();
            amounts.iter().take(part.min as usize).sum()
        };
        self.classes.iter().map(of).collect()
    }

    /// What all hosts have during a slot.
    fn room(&self, slot: Slot) -> f64 {
        let begin = self.start + slot.cell * CELL;
        let cell = Interval::new(begin, begin + CELL);
        let class = self.classes[slot.resource_class];
        let of = |host: &Host| {
            let blocked = host.blocks.iter().filter(|block| block.overlaps(&cell));
            let blocked: Seconds = blocked
                .map(|block| block.end.min(cell.end) - block.start.max(cell.start))
                .sum();
            let amount = host.capacity.get(class).copied().unwrap_or(0);
            ratio(amount * (CELL - blocked).unsigned_abs(), 1)
        };
        self.hosts.iter().map(of).sum()
    }
}
