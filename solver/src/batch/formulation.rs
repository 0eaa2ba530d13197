//! A choice among some groups as an integer program (F1 with acceptance, solver-design.md section 3).
//!
//! Invariant: values that the program admits are a packing of its groups as far as the capacities that are
//! rows are concerned; with all peaks as rows, a packing.

use std::collections::BTreeMap;

use super::model::Model;
use super::packing::Taken;
use super::timeline::Split;
use crate::program::{LinearEngine, Program};
use crate::scene::{ClassNumber, DemandNumber};

/// What is sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The greatest value.
    Value,
    /// The fewest moves.
    Moves,
}

/// Which options take part, and how much room there is for them.
pub(crate) struct Part<'p> {
    /// The groups, ascending.
    pub(crate) groups: &'p [usize],
    /// Whether an option may be part of the answer.
    pub(crate) allowed: &'p dyn Fn(usize, usize) -> bool,
    /// Whether a group may stay unserved.
    pub(crate) dispensable: &'p dyn Fn(usize) -> bool,
}

/// The program and the meaning of its columns.
pub(crate) struct Formulation {
    pub(crate) program: Program,
    /// Group, option and column of all that take part.
    pub(crate) options: Vec<(usize, usize, usize)>,
    /// Columns of each demand that takes part, classes ascending.
    pub(crate) splits: BTreeMap<DemandNumber, Vec<(ClassNumber, usize)>>,
    /// Per class the demands that have a column of it.
    users: Vec<Vec<(DemandNumber, usize)>>,
}

impl Formulation {
    /// The program without capacities.
    pub(crate) fn new(model: &Model, part: &Part<'_>, goal: Goal) -> Self {
        let mut this = Self {
            program: Program::default(),
            options: Vec::new(),
            splits: BTreeMap::new(),
            users: vec![Vec::new(); model.timeline.room.len()],
        };
        for &group in part.groups {
            let mut of_group = Vec::new();
            for (number, option) in model.groups[group].options.iter().enumerate() {
                if !(part.allowed)(group, number) {
                    continue;
                }
                let cost = if goal == Goal::Value { -option.value } else { 0 };
                let column = this.program.column(cost, 1);
                this.options.push((group, number, column));
                of_group.push((column, 1));
                for &demand in &option.demands {
                    this.demand(model, demand, column, goal);
                }
            }
            let least = if (part.dispensable)(group) { None } else { Some(1) };
            if least.is_some() || of_group.len() > 1 {
                this.program.row(least, Some(1), of_group);
            }
        }
        this
    }

    /// Leaves only choices worth at least so much.
    pub(crate) fn demand_worth(&mut self, model: &Model, worth: i64) {
        let value = |&(group, option, column): &(usize, usize, usize)| {
            let value = model.groups[group].options[option].value;
            (value != 0).then_some((column, value))
        };
        let entries = self.options.iter().filter_map(value).collect();
        self.program.row(Some(worth), None, entries);
    }

    fn demand(&mut self, model: &Model, demand: DemandNumber, taken: usize, goal: Goal) {
        let need = model.need(demand);
        let mut columns = Vec::with_capacity(need.eligible.len());
        for &class in &need.eligible {
            let most = model.timeline.most(demand, class).min(need.least);
            if most > 0 {
                let column = self.program.column(0, most);
                columns.push((class, column));
                self.users[class].push((demand, column));
            }
        }
        let mut entries: Vec<(usize, i64)> = columns.iter().map(|&(_, column)| (column, 1)).collect();
        entries.push((taken, -i64::from(need.least)));
        self.program.row(Some(0), Some(0), entries);
        if goal != Goal::Value {
            for (class, count) in model.held_for_moves(demand) {
                let left = self.program.column(1, count);
                let stays = columns.iter().filter(|&&(fine, _)| model.move_class(fine) == class);
                let mut entries: Vec<(usize, i64)> = stays.map(|&(_, column)| (column, 1)).collect();
                entries.extend([(left, 1), (taken, -i64::from(count))]);
                self.program.row(Some(0), None, entries);
            }
        }
        self.splits.insert(demand, columns);
    }

    /// Columns that count at an instant of a class.
    pub(crate) fn active(&self, model: &Model, class: ClassNumber, instant: usize) -> Vec<(usize, i64)> {
        let active = self.users[class].iter().filter(|&&(demand, _)| {
            let need = model.need(demand);
            (need.first..need.after).contains(&instant)
        });
        active.map(|&(_, column)| (column, 1)).collect()
    }

    /// Makes a capacity a row.
    pub(crate) fn limit(&mut self, model: &Model, class: ClassNumber, instant: usize, room: i64) {
        let entries = self.active(model, class, instant);
        self.program.row(None, Some(room), entries);
    }

    /// Makes rows of all capacities that could be exceeded: at each peak, which is an instant after which
    /// something ends before anything starts, where all that may be there exceeds the room.
    pub(crate) fn limit_all(&mut self, model: &Model, room: impl Fn(ClassNumber, usize) -> i64) {
        let instants = model.timeline.instants.len();
        for class in 0..self.users.len() {
            let mut rise = vec![0_i64; instants + 1];
            let mut fall = vec![0_i64; instants + 1];
            for &(demand, column) in &self.users[class] {
                let need = model.need(demand);
                let most = i64::from(self.program.columns[column].most);
                rise[need.first] += most;
                fall[need.after] += most;
            }
            let mut load = 0;
            // Room, instant and load of the tightest instant since something ended: until something ends,
            // all that is there stays, so a later instant with no more room stands for an earlier one.
            let mut peak: Option<(i64, usize, i64)> = None;
            for instant in 0..instants {
                if fall[instant] > 0 {
                    self.limit_peak(model, class, peak.take());
                    load -= fall[instant];
                }
                load += rise[instant];
                if load == 0 {
                    continue;
                }
                let here = room(class, instant);
                match peak {
                    Some((before, ..)) if rise[instant] == 0 && before <= here => {}
                    Some((before, ..)) if before < here => {
                        self.limit_peak(model, class, peak);
                        peak = Some((here, instant, load));
                    }
                    _ => peak = Some((here, instant, load)),
                }
            }
            self.limit_peak(model, class, peak);
        }
    }

    /// Makes a peak a row if the load can exceed the room there.
    fn limit_peak(&mut self, model: &Model, class: ClassNumber, peak: Option<(i64, usize, i64)>) {
        if let Some((room, instant, load)) = peak
            && load > room
        {
            self.limit(model, class, instant, room);
        }
    }

    /// What the values take, if the program admits them.
    pub(crate) fn read(&self, model: &Model, values: &[u32]) -> Option<Vec<(usize, Taken)>> {
        if !self.program.admits(values) {
            return None;
        }
        let chosen = self.options.iter().filter(|&&(.., column)| values[column] == 1);
        let taken = chosen.map(|&(group, option, _)| {
            let demands = &model.groups[group].options[option].demands;
            let split = |demand: &DemandNumber| -> Split {
                let columns = self.splits.get(demand).map_or(&[][..], Vec::as_slice);
                let counts = columns.iter().map(|&(class, column)| (class, values[column]));
                counts.filter(|&(_, count)| count > 0).collect()
            };
            let splits = demands.iter().map(split).collect();
            (group, Taken { option, splits })
        });
        Some(taken.collect())
    }

    /// The values that take this.
    pub(crate) fn values<'t>(&self, model: &Model, taken: impl Fn(usize) -> Option<&'t Taken>) -> Vec<f64> {
        let mut values = vec![0.0; self.program.columns.len()];
        for &(group, number, column) in &self.options {
            let Some(taken) = taken(group).filter(|taken| taken.option == number) else {
                continue;
            };
            values[column] = 1.0;
            let demands = &model.groups[group].options[number].demands;
            for (demand, split) in demands.iter().zip(&taken.splits) {
                for &(class, column) in self.splits.get(demand).into_iter().flatten() {
                    let count = split.iter().find(|&&(other, _)| other == class);
                    values[column] = count.map_or(0.0, |&(_, count)| f64::from(count));
                }
            }
        }
        values
    }

    /// Gives the program to an engine. Costs are divided by `scale`.
    pub(crate) fn load(&self, engine: &mut dyn LinearEngine, scale: f64) {
        for column in &self.program.columns {
            engine.add_column(float(column.cost) / scale, (0.0, f64::from(column.most)), &[]);
        }
        for row in &self.program.rows {
            let bounds = (
                row.least.map_or(f64::NEG_INFINITY, float),
                row.most.map_or(f64::INFINITY, float),
            );
            let entries: Vec<(usize, f64)> = row
                .entries
                .iter()
                .map(|&(column, factor)| (column, float(factor)))
                .collect();
            engine.add_row(bounds, &entries);
        }
    }
}

/// What floating point makes of a whole number.
#[expect(
    clippy::cast_precision_loss,
    reason = "for solvers that count in floating point; what they answer is recounted"
)]
pub(crate) const fn float(value: i64) -> f64 {
    value as f64
}
