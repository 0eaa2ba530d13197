//! The linear program over departures from what is held, grown lazily on an engine that keeps its basis.
//!
//! A *source* is hosts looking for classes: what a requested demand asks for, what fixed work displaced,
//! or what a pending demand holds in a cell. A column gives a number of a source's hosts to a cell; for
//! held hosts that is a departure, which relieves the cell they come from. So all columns are 0 at what
//! is held, no cost is negative, and the slack basis is dual feasible.
//!
//! Invariant (why growing is exact): a row is the capacity of a cell at an instant. A pending demand is
//! no source as long as it holds nothing in any row, because then its departure would relieve none; all
//! other demands have a column for each cell they may use. So the program is a relaxation of the whole
//! problem, its infeasibility is the whole problem's, and a point of it that exceeds no capacity is
//! optimal. Classes without a row during a demand are the same to the program and share one column.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::model::{Interval, Seconds};
use crate::program::LinearEngine;
use crate::reassign::goals::Goals;
use crate::reassign::loads::Changes;
use crate::reassign::point::Point;
use crate::scope::{CellNumber, DemandNumber, Scope};

/// Columns that are added at once before whole values are searched for.
const MOST_COMPLETED: usize = 200_000;
/// Where a source's hosts come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The request asks for them.
    Requested,
    /// Fixed work took them from the demand that held them in this cell.
    Displaced(CellNumber),
    /// The demand holds them in this cell.
    Held(CellNumber),
}

/// Hosts looking for classes.
pub(super) struct Source {
    pub(super) demand: DemandNumber,
    pub(super) occupation: Interval,
    pub(super) origin: Origin,
    pub(super) amount: u32,
    /// The row that fixes or limits how many leave.
    pub(super) row: Option<usize>,
    columns: Vec<usize>,
    /// Cells with a column of their own.
    own: Vec<CellNumber>,
    /// Costs with a shared column.
    shared: Vec<i64>,
}

/// What a column's hosts are given to.
pub(super) enum Target {
    Cell(CellNumber),
    /// Any of these, sorted.
    Shared(Vec<CellNumber>),
    /// Nothing: the request does without.
    Missing,
}

pub(super) struct Column {
    pub(super) source: usize,
    pub(super) target: Target,
    most: f64,
}

/// The program.
pub(super) struct Growing<'s, 'a> {
    pub(super) scope: &'s mut Scope<'a>,
    pub(super) goals: Goals,
    pub(super) engine: Box<dyn LinearEngine>,
    pub(super) sources: Vec<Source>,
    pub(super) columns: Vec<Column>,
    /// How many rows the engine has.
    rows: usize,
    pub(super) by_cell: Vec<Rows>,
    open: HashSet<(DemandNumber, CellNumber)>,
    /// Every source gets all its columns at once.
    pub(super) complete: bool,
    /// What the program's cost is higher by than the goals'.
    pub(super) offset: i64,
}

/// What the program has of a cell.
#[derive(Default)]
pub(super) struct Rows {
    /// The instants that are rows, sorted, with the rows' numbers.
    pub(super) instants: Vec<(Seconds, usize)>,
    /// The columns that give hosts of it.
    into: Vec<usize>,
    /// The sources held in it.
    from: Vec<usize>,
}

impl<'s, 'a> Growing<'s, 'a> {
    pub(super) fn new(scope: &'s mut Scope<'a>, goals: Goals, engine: Box<dyn LinearEngine>) -> Self {
        let mut growing = Self {
            scope,
            goals,
            engine,
            sources: Vec::new(),
            columns: Vec::new(),
            rows: 0,
            by_cell: Vec::new(),
            open: HashSet::new(),
            complete: false,
            offset: 0,
        };
        for number in growing.scope.requested() {
            if growing.scope.demand(number).most > 0 {
                growing.request(number);
            }
        }
        for (number, cell, count) in growing.scope.displaced().to_vec() {
            let source = growing.source(number, Origin::Displaced(cell), count);
            growing.reach(source);
            growing.supply(source);
        }
        let exceeded = Changes::default().exceeded(growing.scope);
        growing.grow(&exceeded);
        growing
    }

    /// A requested demand; of a cell it would rather have, that many hosts cost nothing.
    fn request(&mut self, number: DemandNumber) {
        let (most, least) = (self.scope.demand(number).most, self.scope.demand(number).least);
        let source = self.source(number, Origin::Requested, most);
        let liked = self.scope.liked(number);
        for (&cell, &count) in &liked {
            if self.goals.leave_cost > 0 && self.scope.eligible(number).contains(&cell) {
                self.column(source, Target::Cell(cell), 0, count.min(most));
            }
        }
        self.reach(source);
        let mut missing_cost = self.goals.missing_cost;
        if !liked.is_empty() {
            missing_cost += self.goals.leave_cost;
            self.offset += self.goals.leave_cost * i64::from(most);
        }
        if most > least {
            self.column(source, Target::Missing, missing_cost, most - least);
        }
        self.supply(source);
    }

    fn source(&mut self, demand: DemandNumber, origin: Origin, amount: u32) -> usize {
        self.sources.push(Source {
            demand,
            occupation: self.scope.demand(demand).occupation,
            origin,
            amount,
            row: None,
            columns: Vec::new(),
            own: Vec::new(),
            shared: Vec::new(),
        });
        self.sources.len() - 1
    }

    /// What it costs to give a source's host to a cell.
    fn cost(&self, source: usize, cell: CellNumber) -> i64 {
        let group = |cell: CellNumber| self.scope.cell(cell).group;
        match self.sources[source].origin {
            Origin::Requested if self.scope.likes(self.sources[source].demand) == 0 => 0,
            Origin::Requested => self.goals.leave_cost,
            Origin::Displaced(from) | Origin::Held(from) if group(from) == group(cell) => self.goals.leave_cost,
            Origin::Displaced(_) | Origin::Held(_) => self.goals.move_cost,
        }
    }

    /// All columns that a source does not have yet; how many there are.
    fn reach(&mut self, source: usize) -> usize {
        let missing = self.missing(source);
        let count = missing.len();
        for (cost, target) in missing {
            self.give(source, cost, target);
        }
        count
    }

    /// The columns a source does not have yet: to cells with a row their own, to the others shared by cost.
    pub(super) fn missing(&mut self, source: usize) -> Vec<(i64, Target)> {
        let eligible = self.scope.eligible(self.sources[source].demand);
        let Source {
            occupation,
            origin,
            own,
            shared,
            ..
        } = &self.sources[source];
        let mut alike: BTreeMap<i64, Vec<CellNumber>> = BTreeMap::new();
        let mut missing = Vec::new();
        for &cell in eligible.iter() {
            if *origin == Origin::Held(cell) {
                continue;
            }
            let cost = self.cost(source, cell);
            if self.rows_during(cell, *occupation).is_empty() {
                if !shared.contains(&cost) {
                    alike.entry(cost).or_default().push(cell);
                }
            } else if *origin == Origin::Requested || !own.contains(&cell) {
                missing.push((cost, Target::Cell(cell)));
            }
        }
        missing.extend(alike.into_iter().map(|(cost, cells)| (cost, Target::Shared(cells))));
        missing
    }

    pub(super) fn give(&mut self, source: usize, cost: i64, target: Target) {
        if matches!(target, Target::Shared(_)) {
            self.sources[source].shared.push(cost);
        }
        self.column(source, target, cost, self.sources[source].amount);
    }

    /// Gives every held source all its columns, now and from now on; `false` if that would be too many.
    pub(super) fn complete(&mut self) -> bool {
        self.complete = true;
        let mut count = 0;
        for source in 0..self.sources.len() {
            if matches!(self.sources[source].origin, Origin::Held(_)) {
                count += self.reach(source);
            }
            if count > MOST_COMPLETED {
                return false;
            }
        }
        true
    }

    /// Whether every source has all its columns.
    pub(super) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// What the program has of a cell.
    fn of(&mut self, cell: CellNumber) -> &mut Rows {
        if self.by_cell.len() <= cell {
            self.by_cell.resize_with(cell + 1, Rows::default);
        }
        &mut self.by_cell[cell]
    }

    fn rows_during(&self, cell: CellNumber, during: Interval) -> &[(Seconds, usize)] {
        let instants = self.by_cell.get(cell).map_or(&[][..], |rows| &rows.instants);
        let first = instants.partition_point(|&(at, _)| at < during.start);
        let after = instants.partition_point(|&(at, _)| at < during.end);
        &instants[first..after.max(first)]
    }

    /// Adds a column with its coefficients in the rows the engine has.
    fn column(&mut self, source: usize, target: Target, cost: i64, most: u32) {
        let number = self.columns.len();
        let Source {
            occupation,
            origin,
            row,
            ..
        } = self.sources[source];
        let mut entries: Vec<(usize, f64)> = row.into_iter().map(|row| (row, 1.0)).collect();
        let mut add = |cell: CellNumber, factor: f64| {
            let instants = self.rows_during(cell, occupation).iter();
            entries.extend(instants.filter(|at| at.1 < self.rows).map(|&(_, row)| (row, factor)));
        };
        if let Origin::Held(cell) = origin {
            add(cell, -1.0);
        }
        if let Target::Cell(cell) = target {
            add(cell, 1.0);
            self.of(cell).into.push(number);
            self.sources[source].own.push(cell);
        }
        let most = f64::from(most);
        self.engine.add_column(float(cost), (0.0, most), &entries);
        self.columns.push(Column { source, target, most });
        self.sources[source].columns.push(number);
    }

    /// Adds the row that makes all of a source's hosts go somewhere.
    fn supply(&mut self, source: usize) {
        let amount = f64::from(self.sources[source].amount);
        self.bound_source(source, (amount, amount));
    }

    fn bound_source(&mut self, source: usize, bounds: (f64, f64)) {
        let entries: Vec<(usize, f64)> = self.sources[source]
            .columns
            .iter()
            .map(|&column| (column, 1.0))
            .collect();
        self.sources[source].row = Some(self.engine.add_row(bounds, &entries));
        self.rows += 1;
    }

    /// Makes rows of what the point exceeds; `false` if all of it is rows already.
    pub(super) fn extend(&mut self, point: &Point) -> bool {
        let before = self.rows;
        for &source in &point.exhausted {
            if self.sources[source].row.is_none() {
                let amount = f64::from(self.sources[source].amount);
                self.bound_source(source, (f64::NEG_INFINITY, amount));
            }
        }
        self.grow(&point.exceeded);
        self.rows > before
    }

    /// Makes rows of capacities, and sources of all that could relieve them.
    fn grow(&mut self, exceeded: &[(CellNumber, Seconds)]) {
        let first = self.rows;
        let mut new: Vec<(CellNumber, Seconds)> = Vec::new();
        for &(cell, at) in exceeded {
            let instants = &mut self.of(cell).instants;
            let place = instants.partition_point(|&(other, _)| other < at);
            if instants.get(place).is_none_or(|&(other, _)| other != at) {
                instants.insert(place, (at, first + new.len()));
                new.push((cell, at));
            }
        }
        if new.is_empty() {
            return;
        }
        self.split(&new);
        for &(cell, at) in &new {
            for (demand, count) in self.scope.pending_at(cell, at) {
                if self.open.insert((demand, cell)) {
                    let source = self.source(demand, Origin::Held(cell), count);
                    self.of(cell).from.push(source);
                    if self.complete {
                        self.reach(source);
                    }
                }
            }
        }
        for (cell, at) in new {
            let mut entries: Vec<(usize, f64)> = Vec::new();
            for &column in &self.by_cell[cell].into {
                if self.sources[self.columns[column].source].occupation.contains(at) {
                    entries.push((column, 1.0));
                }
            }
            for &source in &self.by_cell[cell].from {
                if self.sources[source].occupation.contains(at) {
                    entries.extend(self.sources[source].columns.iter().map(|&column| (column, -1.0)));
                }
            }
            let free = self.scope.cell(cell).free(at);
            self.engine.add_row((f64::NEG_INFINITY, float(free)), &entries);
            self.rows += 1;
        }
    }

    /// Gives classes that get rows columns of their own.
    fn split(&mut self, new: &[(CellNumber, Seconds)]) {
        let touched: BTreeSet<CellNumber> = new.iter().map(|&(cell, _)| cell).collect();
        for column in 0..self.columns.len() {
            let source = self.columns[column].source;
            let occupation = self.sources[source].occupation;
            for &cell in &touched {
                let Target::Shared(cells) = &self.columns[column].target else {
                    break;
                };
                let Ok(place) = cells.binary_search(&cell) else {
                    continue;
                };
                if self.rows_during(cell, occupation).is_empty() {
                    continue;
                }
                if let Target::Shared(cells) = &mut self.columns[column].target {
                    cells.remove(place);
                    if cells.is_empty() {
                        self.columns[column].most = 0.0;
                        self.engine.set_bounds(column, (0.0, 0.0));
                    }
                }
                // What is held gets such a column when it pays.
                if self.complete || !matches!(self.sources[source].origin, Origin::Held(_)) {
                    let (cost, amount) = (self.cost(source, cell), self.sources[source].amount);
                    self.column(source, Target::Cell(cell), cost, amount);
                }
            }
        }
    }

    /// How many rows and columns there are.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.rows, self.columns.len())
    }

    /// Greatest value of a column.
    pub(super) fn most(&self, column: usize) -> f64 {
        self.columns[column].most
    }

    /// Restores a column's own bounds.
    pub(super) fn release(&mut self, column: usize) {
        self.engine.set_bounds(column, (0.0, self.columns[column].most));
    }

    /// The rows that are capacities: cell, instant, number.
    pub(super) fn capacities(&self) -> impl Iterator<Item = (CellNumber, Seconds, usize)> {
        let by_cell = self.by_cell.iter().enumerate();
        by_cell.flat_map(|(cell, rows)| rows.instants.iter().map(move |&(at, row)| (cell, at, row)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "costs and counts of hosts are far below 2^53")]
pub(super) const fn float(value: i64) -> f64 {
    value as f64
}
