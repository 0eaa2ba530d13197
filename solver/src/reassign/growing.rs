//! The linear program over departures from what is held, grown lazily on an engine that keeps its basis.
//!
//! A *source* is hosts looking for classes: what a requested demand asks for, what fixed work displaced,
//! or what a pending demand holds in a class. A column gives a number of a source's hosts to a class; for
//! held hosts that is a departure, which relieves the class they come from. So all columns are 0 at what
//! is held, no cost is negative, and the slack basis is dual feasible.
//!
//! Invariant (why growing is exact): a row is the capacity of a class at an instant. A pending demand is
//! no source as long as it holds nothing in any row, because then its departure would relieve none; all
//! other demands have a column for each class they may use. So the program is a relaxation of the whole
//! problem, its infeasibility is the whole problem's, and a point of it that exceeds no capacity is
//! optimal. Classes without a row during a demand are the same to the program and share one column.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use crate::classes::{ClassNumber, Classes};
use crate::model::{Interval, Seconds};
use crate::program::LinearEngine;
use crate::reassign::goals::{Goals, liked};
use crate::reassign::point::Point;
use crate::reassign::standing::Standing;
use crate::scene::{DemandNumber, Scene};

/// Where a source's hosts come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The request asks for them.
    Requested,
    /// Fixed work took them from the demand that held them in this class.
    Displaced(ClassNumber),
    /// The demand holds them in this class.
    Held(ClassNumber),
}

/// Hosts looking for classes.
pub(super) struct Source {
    pub(super) demand: DemandNumber,
    pub(super) occupation: Interval,
    pub(super) origin: Origin,
    pub(super) amount: u32,
    /// The row that fixes or limits how many leave.
    row: Option<usize>,
    columns: Vec<usize>,
}

/// What a column's hosts are given to.
pub(super) enum Target {
    Class(ClassNumber),
    /// Any of these, sorted.
    Shared(Vec<ClassNumber>),
    /// Nothing: the request does without.
    Missing,
}

pub(super) struct Column {
    pub(super) source: usize,
    pub(super) target: Target,
    most: f64,
}

/// The program.
pub(super) struct Growing<'s> {
    pub(super) scene: &'s Scene<'s>,
    pub(super) classes: &'s Classes,
    pub(super) standing: &'s Standing,
    pub(super) goals: Goals,
    pub(super) engine: Box<dyn LinearEngine>,
    pub(super) sources: Vec<Source>,
    pub(super) columns: Vec<Column>,
    /// How many rows the engine has.
    rows: usize,
    /// Per class the instants that are rows, sorted, with the rows' numbers.
    instants: Vec<Vec<(Seconds, usize)>>,
    /// Per class the columns that give hosts of it.
    into: Vec<Vec<usize>>,
    /// Per class the sources held in it.
    from: Vec<Vec<usize>>,
    open: HashSet<(DemandNumber, ClassNumber)>,
    eligible: HashMap<DemandNumber, Rc<[ClassNumber]>>,
    /// What the program's cost is higher by than the goals'.
    pub(super) offset: i64,
}

impl<'s> Growing<'s> {
    pub(super) fn new(
        scene: &'s Scene<'s>,
        classes: &'s Classes,
        standing: &'s Standing,
        goals: Goals,
        engine: Box<dyn LinearEngine>,
    ) -> Self {
        let none = vec![Vec::new(); classes.fine.len()];
        let mut growing = Self {
            scene,
            classes,
            standing,
            goals,
            engine,
            sources: Vec::new(),
            columns: Vec::new(),
            rows: 0,
            instants: vec![Vec::new(); classes.fine.len()],
            into: none.clone(),
            from: none,
            open: HashSet::new(),
            eligible: HashMap::new(),
            offset: 0,
        };
        for number in scene.requested() {
            if scene.demands[number].most > 0 {
                growing.request(number);
            }
        }
        for &(number, class, count) in &standing.displaced {
            let source = growing.source(number, Origin::Displaced(class), count);
            growing.reach(source);
            growing.supply(source);
        }
        growing.grow(&standing.exceeded);
        growing
    }

    /// A requested demand; of a class it would rather have, that many hosts cost nothing.
    fn request(&mut self, number: DemandNumber) {
        let demand = &self.scene.demands[number];
        let source = self.source(number, Origin::Requested, demand.most);
        for (class, count) in liked(self.classes, &demand.likes) {
            if self.goals.leave_cost > 0 && self.eligible(number).contains(&class) {
                let count = u32::try_from(count).unwrap_or(u32::MAX).min(demand.most);
                self.column(source, Target::Class(class), 0, count);
            }
        }
        self.reach(source);
        let mut missing_cost = self.goals.missing_cost;
        if !demand.likes.is_empty() {
            missing_cost += self.goals.leave_cost;
            self.offset += self.goals.leave_cost * i64::from(demand.most);
        }
        if demand.most > demand.least {
            let most = demand.most - demand.least;
            self.column(source, Target::Missing, missing_cost, most);
        }
        self.supply(source);
    }

    fn source(&mut self, demand: DemandNumber, origin: Origin, amount: u32) -> usize {
        self.sources.push(Source {
            demand,
            occupation: self.scene.demands[demand].occupation,
            origin,
            amount,
            row: None,
            columns: Vec::new(),
        });
        self.sources.len() - 1
    }

    /// Classes a demand may use, sorted.
    fn eligible(&mut self, number: DemandNumber) -> Rc<[ClassNumber]> {
        let (scene, classes) = (self.scene, self.classes);
        let all = || {
            (0..classes.fine.len())
                .filter(|&class| classes.eligible(scene, number, class))
                .collect()
        };
        Rc::clone(self.eligible.entry(number).or_insert_with(all))
    }

    /// What it costs to give a source's host to a class.
    fn cost(&self, source: usize, class: ClassNumber) -> i64 {
        let coarse = |class: ClassNumber| self.classes.fine[class].coarse;
        match self.sources[source].origin {
            Origin::Requested if self.scene.demands[self.sources[source].demand].likes.is_empty() => 0,
            Origin::Requested => self.goals.leave_cost,
            Origin::Displaced(from) | Origin::Held(from) if coarse(from) == coarse(class) => self.goals.leave_cost,
            Origin::Displaced(_) | Origin::Held(_) => self.goals.move_cost,
        }
    }

    /// Columns for all classes a new source may use: those with a row their own, the others shared by cost.
    fn reach(&mut self, source: usize) {
        let number = self.sources[source].demand;
        let mut shared: BTreeMap<i64, Vec<ClassNumber>> = BTreeMap::new();
        for &class in self.eligible(number).iter() {
            if self.sources[source].origin == Origin::Held(class) {
                continue;
            }
            let cost = self.cost(source, class);
            if self.rows_during(class, self.sources[source].occupation).is_empty() {
                shared.entry(cost).or_default().push(class);
            } else {
                self.column(source, Target::Class(class), cost, self.sources[source].amount);
            }
        }
        for (cost, classes) in shared {
            self.column(source, Target::Shared(classes), cost, self.sources[source].amount);
        }
    }

    fn rows_during(&self, class: ClassNumber, during: Interval) -> &[(Seconds, usize)] {
        let instants = &self.instants[class];
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
        let mut add = |class: ClassNumber, factor: f64| {
            let instants = self.rows_during(class, occupation).iter();
            entries.extend(instants.filter(|at| at.1 < self.rows).map(|&(_, row)| (row, factor)));
        };
        if let Origin::Held(class) = origin {
            add(class, -1.0);
        }
        if let Target::Class(class) = target {
            add(class, 1.0);
            self.into[class].push(number);
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
    fn grow(&mut self, exceeded: &[(ClassNumber, Seconds)]) {
        let first = self.rows;
        let mut new: Vec<(ClassNumber, Seconds)> = Vec::new();
        for &(class, at) in exceeded {
            let place = self.instants[class].partition_point(|&(other, _)| other < at);
            if self.instants[class].get(place).is_none_or(|&(other, _)| other != at) {
                self.instants[class].insert(place, (at, first + new.len()));
                new.push((class, at));
            }
        }
        if new.is_empty() {
            return;
        }
        self.split(&new);
        for &(class, at) in &new {
            let standing = self.standing;
            for &(demand, count) in &standing.holders[class] {
                let occupation = self.scene.demands[demand].occupation;
                if occupation.start > at {
                    break;
                }
                if occupation.contains(at) && self.open.insert((demand, class)) {
                    let source = self.source(demand, Origin::Held(class), count);
                    self.from[class].push(source);
                    self.reach(source);
                }
            }
        }
        for (class, at) in new {
            let mut entries: Vec<(usize, f64)> = Vec::new();
            for &column in &self.into[class] {
                if self.sources[self.columns[column].source].occupation.contains(at) {
                    entries.push((column, 1.0));
                }
            }
            for &source in &self.from[class] {
                if self.sources[source].occupation.contains(at) {
                    entries.extend(self.sources[source].columns.iter().map(|&column| (column, -1.0)));
                }
            }
            let free = self.standing.free(self.classes, class, at);
            self.engine.add_row((f64::NEG_INFINITY, float(free)), &entries);
            self.rows += 1;
        }
    }

    /// Gives classes that get rows columns of their own.
    fn split(&mut self, new: &[(ClassNumber, Seconds)]) {
        let touched: BTreeSet<ClassNumber> = new.iter().map(|&(class, _)| class).collect();
        for column in 0..self.columns.len() {
            let source = self.columns[column].source;
            let occupation = self.sources[source].occupation;
            for &class in &touched {
                let Target::Shared(classes) = &self.columns[column].target else {
                    break;
                };
                let Ok(place) = classes.binary_search(&class) else {
                    continue;
                };
                if self.rows_during(class, occupation).is_empty() {
                    continue;
                }
                if let Target::Shared(classes) = &mut self.columns[column].target {
                    classes.remove(place);
                    if classes.is_empty() {
                        self.columns[column].most = 0.0;
                        self.engine.set_bounds(column, (0.0, 0.0));
                    }
                }
                let (cost, amount) = (self.cost(source, class), self.sources[source].amount);
                self.column(source, Target::Class(class), cost, amount);
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

    /// The rows that are capacities: class, instant, number.
    pub(super) fn capacities(&self) -> impl Iterator<Item = (ClassNumber, Seconds, usize)> {
        let by_class = self.instants.iter().enumerate();
        by_class.flat_map(|(class, instants)| instants.iter().map(move |&(at, row)| (class, at, row)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "costs and counts of hosts are far below 2^53")]
const fn float(value: i64) -> f64 {
    value as f64
}
