//! Chooses hosts for every demand with the fewest moves, by integer programs that grow and refine.
//!
//! Three goals in lexicographic order, as weights of one cost: fewest counted moves, most hosts for the
//! request, least disturbance. A program says how much of each demand goes to each group of hosts. It
//! starts with the requested demands, one group for each class and no capacity. Where the answer exceeds
//! the room of a group at an instant it gets a row, together with every pending demand that holds something
//! there; where a group cannot be turned into hosts it is split.
//!
//! Invariant (why this is exact): every program is a relaxation of the whole problem. Rows sum what holds
//! on each host; and a pending demand outside the program has no coefficient in its rows that could be
//! anything but a further load, so leaving it out only takes conditions away. A proof that a program has no
//! solution is therefore one for the whole problem, and an answer that is turned into hosts with the same
//! counts is optimal. Groups can be split only so often, and on single hosts the rows are exact. That a solver says
//! there is no solution is no proof.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::{GroupNumber, Groups};
use super::measure::Measure;
use super::pack;
use super::proof::{self, Proof, Row};
use super::relax::{self, Relaxed};
use super::world::{Counts, DemandNumber, World};
use super::{answer, exhaustive};
use crate::deadline::Deadline;
use crate::decision::Unfinished;
use crate::model::Seconds;
use crate::planner::ModelSolver;
use crate::program::{Outcome, Program};

/// Weights beyond this strain the solver's arithmetic; the least goal is dropped then.
const GREATEST_WEIGHT: i64 = 1_000_000;
/// Columns beyond this would take memory and time without an answer.
const MOST_COLUMNS: usize = 300_000;

/// What the programs showed.
pub(super) enum Searched<'a> {
    /// Hosts of every demand.
    Counts(Vec<Counts>),
    /// There are none.
    Infeasible(Proof<'a>),
    /// There are none: all were tried.
    Exhausted,
    /// Neither was shown.
    Open(Unfinished),
}

/// Units of choice per group, for the demands of a program; of its linear relaxation maybe fractions.
pub(super) type Chosen = BTreeMap<DemandNumber, BTreeMap<GroupNumber, f64>>;
/// The column of each demand in each group.
type Columns = BTreeMap<(DemandNumber, GroupNumber), usize>;

/// A row of a program that is room of a group.
struct RoomRow {
    /// Its number in the program.
    number: usize,
    group: GroupNumber,
    at: Seconds,
    measure: usize,
}

fn chosen<V: Copy + Into<f64>>(included: &BTreeSet<DemandNumber>, columns: &Columns, values: &[V]) -> Chosen {
    let mut chosen: Chosen = included.iter().map(|&number| (number, BTreeMap::new())).collect();
    for (&(number, group), &column) in columns {
        let value: f64 = values[column].into();
        if value > relax::TOLERANCE {
            chosen.entry(number).or_default().insert(group, value);
        }
    }
    chosen
}

/// Grows and solves until the answer is one of hosts.
pub(super) fn solve<'a>(
    world: &World<'a>,
    measures: &[Measure],
    deadline: &Deadline,
    solver: &dyn ModelSolver,
) -> Searched<'a> {
    // The linear relaxation alone decides which rows are worth having; it is far cheaper than the integers.
    let mut search = Search::new(world, measures);
    let mut tried = false;
    loop {
        if search.included.len().saturating_mul(search.groups.hosts.len()) > MOST_COLUMNS {
            return Searched::Open(Unfinished::Work);
        }
        if let Some(why) = deadline.over() {
            return Searched::Open(why);
        }
        let Some((program, columns, rows)) = search.program(deadline) else {
            continue;
        };
        match relax::solve(&program, deadline, solver) {
            Relaxed::Values(values) => {
                if search.grow(&chosen(&search.included, &columns, &values), relax::TOLERANCE) {
                    continue;
                }
            }
            Relaxed::Infeasible(weights) => {
                if let Some(proof) = search.proof(&rows, &weights, deadline) {
                    return Searched::Infeasible(proof);
                }
            }
            Relaxed::Open => {}
        }
        if !std::mem::replace(&mut tried, true) {
            match exhaustive::search(world, deadline.part(exhaustive::FEW_LOOKS)) {
                exhaustive::Found::Nothing => return Searched::Exhausted,
                exhaustive::Found::Counts(counts) if is_best(world, &counts) => return Searched::Counts(counts),
                exhaustive::Found::Counts(_) | exhaustive::Found::Open => {}
            }
        }
        let values = match solver.solve(&program, deadline) {
            Outcome::Optimal(values) if program.admits(&values) => values,
            Outcome::Optimal(_) | Outcome::Unreliable => return Searched::Open(Unfinished::Arithmetic),
            Outcome::TimeLimit => return Searched::Open(Unfinished::Time),
            Outcome::WorkLimit | Outcome::Infeasible => return Searched::Open(Unfinished::Work),
        };
        let chosen = chosen(&search.included, &columns, &values);
        if search.grow(&chosen, 0.5) {
            continue;
        }
        match search.hosts(&chosen, deadline) {
            Ok(counts) => return Searched::Counts(counts),
            Err(_) if deadline.is_over() => {}
            Err(groups) => {
                for group in groups {
                    search.split(group);
                }
            }
        }
    }
}

/// Whether nothing can be better: no move counts, and nothing more is wanted.
fn is_best(world: &World<'_>, counts: &[Counts]) -> bool {
    let requested = &world.demands[..world.requested];
    requested.iter().all(|demand| demand.most == demand.least) && !answer::answer(world, counts).moves_count()
}

/// A search under way.
pub(super) struct Search<'w, 'a> {
    pub(super) world: &'w World<'a>,
    pub(super) measures: &'w [Measure],
    pub(super) groups: Groups<'w, 'a>,
    /// Demands that have columns.
    pub(super) included: BTreeSet<DemandNumber>,
    /// Room that is a row: when, and how it is counted.
    pub(super) rows: BTreeMap<GroupNumber, BTreeSet<(Seconds, usize)>>,
    /// What demands could have of groups, once it was needed.
    rooms_alone: BTreeMap<(DemandNumber, GroupNumber), u32>,
}

impl<'w, 'a> Search<'w, 'a> {
    fn new(world: &'w World<'a>, measures: &'w [Measure]) -> Self {
        let included =
            (0..world.demands.len()).filter(|number| *number < world.requested || world.is_displaced(*number));
        Self {
            world,
            measures,
            groups: Groups::new(world, measures),
            included: included.collect(),
            rows: BTreeMap::new(),
            rooms_alone: BTreeMap::new(),
        }
    }

    fn split(&mut self, group: GroupNumber) {
        self.rows.remove(&group);
        self.rooms_alone.retain(|&(_, of), _| of != group);
        self.groups.split(group);
    }

    /// What a counted move and a host missing from the request cost, when leaving a host costs 1; the
    /// last is 0 if the weights would grow too large.
    fn weights(&self) -> (i64, i64, i64) {
        let included = || self.included.iter().map(|&number| &self.world.demands[number]);
        let disturbance: i64 = included()
            .flat_map(|demand| demand.likes.values())
            .map(|&count| i64::from(count))
            .sum();
        let filling: i64 = included().map(|demand| i64::from(demand.most - demand.least)).sum();
        if (disturbance + 1).saturating_mul(filling + 1) > GREATEST_WEIGHT {
            return (filling + 1, 1, 0);
        }
        ((disturbance + 1) * (filling + 1), disturbance + 1, 1)
    }

    /// The program over the included demands, and which of its rows are room; `None` if the deadline ends.
    fn program(&mut self, deadline: &Deadline) -> Option<(Program, Columns, Vec<RoomRow>)> {
        let weights = self.weights();
        let mut program = Program::default();
        let mut columns = Columns::new();
        for &number in &self.included {
            if deadline.is_over() {
                return None;
            }
            let demand = &self.world.demands[number];
            if demand.most == 0 {
                continue;
            }
            let cost = if demand.requested { -weights.1 } else { 0 };
            let mut own = Vec::new();
            for group in 0..self.groups.hosts.len() {
                let groups = &self.groups;
                let most = *self
                    .rooms_alone
                    .entry((number, group))
                    .or_insert_with(|| groups.room_alone(number, group));
                if most > 0 {
                    let column = program.column(cost, most);
                    columns.insert((number, group), column);
                    own.push((group, column));
                }
            }
            let (least, most) = if demand.is_together() {
                (1, 1)
            } else {
                (demand.least, demand.most)
            };
            let all = own.iter().map(|&(_, column)| (column, 1)).collect();
            program.row(Some(i64::from(least)), Some(i64::from(most)), all);
            self.departures(&mut program, number, &own, weights);
        }
        let mut room_rows = Vec::new();
        for (&group, rows) in &self.rows {
            let capacity = self.groups.capacity(group);
            let mut limits = Vec::new();
            for &(at, measure) in rows {
                limits.push((at, measure, self.groups.rooms(group).at(at)[measure]));
            }
            for (at, measure, room) in limits {
                let entries = self.included.iter().filter_map(|&number| {
                    let demand = &self.world.demands[number];
                    let used = self.measures[measure].used_by(self.world, number, capacity);
                    let column = *columns.get(&(number, group))?;
                    (used > 0 && demand.occupation.contains(at)).then_some((column, used))
                });
                let entries = entries.collect();
                let number = program.rows.len();
                program.row(None, Some(room), entries);
                room_rows.push(RoomRow {
                    number,
                    group,
                    at,
                    measure,
                });
            }
        }
        Some((program, columns, room_rows))
    }

    /// The proof in an engine's weights of the rows of a program, if it can be written down.
    fn proof(&self, rows: &[RoomRow], ray: &[f64], deadline: &Deadline) -> Option<Proof<'a>> {
        let weighted = rows.iter().map(|row| {
            let weight = ray.get(row.number).copied().unwrap_or(0.0);
            let row = Row {
                hosts: self.groups.hosts[row.group].clone(),
                at: row.at,
                measure: self.measures[row.measure],
            };
            (row, weight)
        });
        proof::of_weights(self.world, weighted.collect(), &self.included, deadline)
    }

    /// Columns for what a demand leaves: per class for the moves, per group for the disturbance. What the
    /// request held before is only a preference.
    fn departures(
        &self,
        program: &mut Program,
        number: DemandNumber,
        own: &[(GroupNumber, usize)],
        (move_cost, _, leave_cost): (i64, i64, i64),
    ) {
        let demand = &self.world.demands[number];
        let unit = i64::from(demand.unit());
        let mut leave = |cost: i64, count: u32, mut stays: Vec<(usize, i64)>| {
            stays.push((program.column(cost, count), 1));
            program.row(Some(i64::from(count)), None, stays);
        };
        let mut held: BTreeMap<usize, u32> = BTreeMap::new();
        for (&group, &count) in &self.groups.held[number] {
            *held.entry(self.groups.class(group)).or_default() += count;
        }
        for (class, count) in held {
            let stays = own.iter().filter(|(group, _)| self.groups.class(*group) == class);
            leave(move_cost, count, stays.map(|&(_, column)| (column, unit)).collect());
        }
        if leave_cost > 0 {
            let mut liked: BTreeMap<GroupNumber, u32> = BTreeMap::new();
            for (&host, &count) in &demand.likes {
                *liked.entry(self.groups.of(host)).or_default() += count;
            }
            for &(group, column) in own {
                if let Some(&count) = liked.get(&group) {
                    leave(leave_cost, count, vec![(column, unit)]);
                }
            }
        }
    }

    /// Turns units per group into hosts; the groups for which that did not work out otherwise.
    fn hosts(&self, chosen: &Chosen, deadline: &Deadline) -> Result<Vec<Counts>, Vec<GroupNumber>> {
        let mut counts: Vec<Counts> = self.world.demands.iter().map(|demand| demand.holds.clone()).collect();
        let mut failed = Vec::new();
        for group in self.touched(chosen) {
            if deadline.is_over() {
                return Err(Vec::new());
            }
            let standing = self.standing(chosen, group);
            let wanted = standing.into_iter().filter_map(|(number, units)| {
                let units = relax::whole(units)?;
                Some((number, units.saturating_mul(self.world.demands[number].unit())))
            });
            let hosts = &self.groups.hosts[group];
            let Some(packed) = pack::pack(self.world, hosts, &wanted.collect(), deadline) else {
                failed.push(group);
                continue;
            };
            for &number in self.included.iter().chain(&self.groups.holders[group]) {
                counts[number].retain(|host, _| hosts.binary_search(host).is_err());
            }
            for (number, here) in packed {
                counts[number].extend(here);
            }
        }
        if failed.is_empty() { Ok(counts) } else { Err(failed) }
    }
}
