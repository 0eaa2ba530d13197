//! Taking demands and capacities into the program.
//!
//! Invariant: a demand is in the program with a row, or outside it with splits that the load outside
//! counts; every row's room is what the load outside leaves.

use super::{ALTERNATIVES, LACKING, Part, Sifting, float};
use crate::batch::model::Split;
use crate::classes::ClassNumber;
use crate::scene::DemandNumber;

impl Sifting<'_> {
    pub(super) fn shift(&mut self, demand: DemandNumber, split: &Split, sign: i64) {
        let need = &self.timeline.needs[demand];
        for &(class, count) in split {
            for load in &mut self.outside[class][need.first..need.after] {
                *load += sign * i64::from(count);
            }
        }
    }

    /// Takes demands into the program with these classes, or gives those inside more classes.
    pub(super) fn join(&mut self, wanted: Vec<(DemandNumber, Vec<ClassNumber>)>) {
        let mut freed = false;
        for (demand, _) in &wanted {
            let least = f64::from(self.timeline.needs[*demand].least);
            if let Part::Outside(split) = &self.parts[*demand] {
                let split = split.clone();
                self.shift(*demand, &split, -1);
                freed |= !split.is_empty();
                let row = self.engine.add_row((least, least), &[]);
                self.parts[*demand] = Part::Inside {
                    row,
                    columns: Vec::new(),
                    lacking: usize::MAX,
                };
            }
        }
        if freed {
            self.refresh();
        }
        for (demand, classes) in wanted {
            let need = &self.timeline.needs[demand];
            let Part::Inside { row, columns, lacking } = &mut self.parts[demand] else {
                continue;
            };
            if *lacking == usize::MAX {
                let cost = LACKING * float(self.charges.dearest(demand));
                *lacking = self
                    .engine
                    .add_column(cost, (0.0, f64::from(need.least)), &[(*row, 1.0)]);
                self.columns += 1;
            }
            for class in classes {
                let limits = self.rows[class]
                    .range(need.first..need.after)
                    .map(|(_, &row)| (row, 1.0));
                let entries: Vec<(usize, f64)> = limits.chain([(*row, 1.0)]).collect();
                let most = self.timeline.most(demand, class).min(need.least);
                let cost = float(self.charges.one(demand, class));
                let column = self.engine.add_column(cost, (0.0, f64::from(most)), &entries);
                columns.push((class, column));
                self.users[class].push((demand, column));
                self.columns += 1;
            }
        }
    }

    pub(super) fn room(&self, class: ClassNumber, instant: usize) -> f64 {
        float(i64::from(self.timeline.room[class][instant]) - self.outside[class][instant])
    }

    /// Tells the engine what the demands outside leave.
    pub(super) fn refresh(&mut self) {
        let rows: Vec<(usize, f64)> = self
            .rows
            .iter()
            .enumerate()
            .flat_map(|(class, rows)| rows.iter().map(move |(&instant, &row)| (class, instant, row)))
            .map(|(class, instant, row)| (row, self.room(class, instant)))
            .collect();
        for (row, room) in rows {
            self.engine.set_row_bounds(row, (f64::NEG_INFINITY, room));
        }
    }

    pub(super) fn limit(&mut self, instants: &[(ClassNumber, usize)]) {
        for &(class, instant) in instants {
            if self.rows[class].contains_key(&instant) {
                continue;
            }
            let active = self.users[class].iter().filter(|&&(demand, _)| {
                let need = &self.timeline.needs[demand];
                (need.first..need.after).contains(&instant)
            });
            let entries: Vec<(usize, f64)> = active.map(|&(_, column)| (column, 1.0)).collect();
            let room = self.room(class, instant);
            let row = self.engine.add_row((f64::NEG_INFINITY, room), &entries);
            self.rows[class].insert(instant, row);
        }
    }

    /// Takes demands into the program that overfill a row without it: no program could.
    pub(super) fn unburden(&mut self, sums: &[Vec<f64>]) {
        let mut overfull: Vec<(ClassNumber, usize)> = Vec::new();
        for (class, rows) in self.rows.iter().enumerate() {
            let instants = rows.keys().filter(|&&instant| self.room(class, instant) < 0.0);
            overfull.extend(instants.map(|&instant| (class, instant)));
        }
        if overfull.is_empty() {
            return;
        }
        let mut wanted = Vec::new();
        for (demand, part) in self.parts.iter().enumerate() {
            let Part::Outside(split) = part else { continue };
            let need = &self.timeline.needs[demand];
            let burdens = overfull.iter().any(|&(class, instant)| {
                (need.first..need.after).contains(&instant) && split.iter().any(|&(own, _)| own == class)
            });
            if burdens {
                let mut classes = need.eligible.clone();
                let price = |class: &ClassNumber| self.price(demand, *class, sums);
                classes.sort_by(|one, other| price(one).total_cmp(&price(other)).then(one.cmp(other)));
                let own = |class: &ClassNumber| split.iter().any(|(own, _)| own == class);
                classes.sort_by_key(|class| !own(class));
                classes.truncate(ALTERNATIVES);
                wanted.push((demand, classes));
            }
        }
        self.join(wanted);
    }
}
