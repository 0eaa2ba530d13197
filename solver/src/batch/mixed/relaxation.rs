//! The linear relaxation over stores, grown row by row.
//!
//! Invariant: what leaves this module as proved are prices, and they prove their bound in whole numbers
//! whatever the linear program says (see `stores`).

use super::super::formulation::float;
use super::super::prices::{Bound, DENOMINATOR};
use super::stores::{StoreNumber, Stores};
use super::world::World;
use crate::deadline::Deadline;
use crate::program::{LinearEngine, Status};

/// Part of a spot beyond the room that counts as none.
const TOLERANCE: f64 = 1e-6;
/// Most rounds of growing; the prices of any of them are good for something.
const MOST_ROUNDS: usize = 200;

/// What the relaxation showed.
pub(super) struct Relaxed {
    /// Sums of the best prices found before each instant, per store.
    pub(super) sums: Vec<Vec<i128>>,
    /// What they prove, in units of value.
    pub(super) bound: Bound,
}

/// Solves the relaxation as far as the deadline allows.
pub(super) fn solve(
    world: &World,
    stores: &Stores,
    engine: Option<Box<dyn LinearEngine>>,
    deadline: &Deadline,
) -> Relaxed {
    let sums = stores.free();
    let mut relaxed = Relaxed {
        bound: stores.bound(world, &sums),
        sums,
    };
    let Some(engine) = engine else { return relaxed };
    let mut program = Growing::new(world, stores, engine);
    for _ in 0..MOST_ROUNDS {
        if deadline.is_over() || program.engine.solve(deadline) != Status::Optimal {
            break;
        }
        let sums = program.sums();
        let bound = stores.bound(world, &sums);
        if bound.value() <= relaxed.bound.value() {
            (relaxed.sums, relaxed.bound) = (sums, bound);
        }
        let exceeded = program.exceeded();
        if exceeded.is_empty() {
            break;
        }
        program.add(&exceeded);
    }
    relaxed
}

/// Columns with their coefficients.
type Entries = Vec<(usize, f64)>;

/// What a column takes of a store, in spots, and when.
struct Use {
    first: usize,
    after: usize,
    column: usize,
    spots: f64,
}

/// The linear program so far.
struct Growing<'s> {
    stores: &'s Stores,
    engine: Box<dyn LinearEngine>,
    /// What one unit of the objective is worth.
    scale: f64,
    uses: Vec<Vec<Use>>,
    /// Row, store and instant of every capacity.
    capacities: Vec<(usize, StoreNumber, usize)>,
}

impl<'s> Growing<'s> {
    fn new(world: &World, stores: &'s Stores, mut engine: Box<dyn LinearEngine>) -> Self {
        let values = world.groups.iter().flat_map(|group| &group.options);
        let scale = float(values.map(|option| stores.value(option)).max().unwrap_or(1).max(1)) / 1000.0;
        let mut uses: Vec<Vec<Use>> = stores.room.iter().map(|_| Vec::new()).collect();
        let mut note = |store: StoreNumber, demand: &super::stores::Demand, column: usize, amount: u64| {
            uses[store].push(Use {
                first: demand.first,
                after: demand.after,
                column,
                spots: real(amount) / real(stores.of_one[store]),
            });
        };
        let mut rows: Vec<((f64, f64), Entries)> = Vec::new();
        for group in &world.groups {
            let mut taken = Vec::new();
            for option in &group.options {
                let column = engine.add_column(-float(stores.value(option)) / scale, (0.0, 1.0), &[]);
                taken.push((column, 1.0));
                for &need in &option.needs {
                    let demand = &stores.demands[need];
                    for &(store, amount) in &demand.always {
                        note(store, demand, column, amount);
                    }
                    let mut entries = vec![(column, -f64::from(demand.least))];
                    for offer in demand.offers.iter().filter(|_| demand.least > 0) {
                        let given = engine.add_column(0.0, (0.0, f64::from(offer.most)), &[]);
                        entries.push((given, 1.0));
                        for &(store, amount) in &offer.takes {
                            note(store, demand, given, amount);
                        }
                    }
                    if demand.least > 0 {
                        rows.push(((0.0, 0.0), entries));
                    }
                }
            }
            let least = if group.mandatory { 1.0 } else { f64::NEG_INFINITY };
            rows.push(((least, 1.0), taken));
        }
        for (bounds, entries) in rows {
            engine.add_row(bounds, &entries);
        }
        Self {
            stores,
            engine,
            scale,
            uses,
            capacities: Vec::new(),
        }
    }

    fn add(&mut self, capacities: &[(StoreNumber, usize)]) {
        for &(store, instant) in capacities {
            let uses = self.uses[store].iter();
            let active = uses.filter(|taken| (taken.first..taken.after).contains(&instant));
            let mut entries: Entries = active.map(|taken| (taken.column, taken.spots)).collect();
            let room = real(self.stores.room[store][instant]) / real(self.stores.of_one[store]);
            // Several needs of one option may take of a store at once.
            entries.sort_by_key(|&(column, _)| column);
            entries.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 += next.1;
                }
                same
            });
            let row = self.engine.add_row((f64::NEG_INFINITY, room), &entries);
            self.capacities.push((row, store, instant));
        }
    }

    /// Minimising the negative value makes the dual values of capacities negative prices.
    fn sums(&self) -> Vec<Vec<i128>> {
        let duals = self.engine.duals();
        let mut sums = self.stores.free();
        for &(row, store, instant) in &self.capacities {
            let price = -duals.get(row).copied().unwrap_or(0.0) * self.scale / real(self.stores.of_one[store]);
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "any price proves a bound; the conversion saturates"
            )]
            let whole = (price.max(0.0) * DENOMINATOR as f64).round().min(1e24) as i128;
            sums[store][instant + 1] += whole;
        }
        for sums in &mut sums {
            let mut sum = 0;
            for price in sums {
                sum += *price;
                *price = sum;
            }
        }
        sums
    }

    /// Peaks of the load that exceed the room: of whole spots, and where those suffice of resource classes.
    fn exceeded(&self) -> Vec<(StoreNumber, usize)> {
        let values = self.engine.values();
        let instants = self.stores.instants.len();
        let mut found = Vec::new();
        let mut whole = vec![false; instants];
        for (store, uses) in self.uses.iter().enumerate() {
            let is_whole = self.stores.whole_of[store] == store;
            if is_whole {
                whole = vec![false; instants];
            }
            let mut changes = vec![0.0; instants + 1];
            for taken in uses {
                let spots = values.get(taken.column).copied().unwrap_or(0.0) * taken.spots;
                changes[taken.first] += spots;
                changes[taken.after] -= spots;
            }
            let mut load = 0.0;
            let mut excess = Vec::with_capacity(instants);
            for (change, &room) in changes.iter().zip(&self.stores.room[store]) {
                load += change;
                excess.push(load - real(room) / real(self.stores.of_one[store]));
            }
            for (instant, &here) in excess.iter().enumerate() {
                let before = instant
                    .checked_sub(1)
                    .map_or(f64::NEG_INFINITY, |before| excess[before]);
                let after = excess.get(instant + 1).copied().unwrap_or(f64::NEG_INFINITY);
                if is_whole {
                    whole[instant] = here > TOLERANCE;
                }
                if here > TOLERANCE && here >= after && here > before && (is_whole || !whole[instant]) {
                    found.push((store, instant));
                }
            }
        }
        found
    }
}

/// What floating point makes of an amount.
#[expect(
    clippy::cast_precision_loss,
    reason = "for a linear program, from which only prices are taken"
)]
const fn real(amount: u64) -> f64 {
    amount as f64
}
