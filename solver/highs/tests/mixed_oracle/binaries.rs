//! The program of the per-host model: a column for every demand on every place.

use std::collections::{BTreeMap, BTreeSet};

use solver::deadline::Deadline;
use solver::model::{Resource, Seconds};
use solver::program::{ModelSolver, Outcome, Program};
use solver_highs::Highs;

use super::per_host::{Answer, CLASSES, Demand, Fixed, World, count, takes};

impl World<'_> {
    /// The fewest moves, and the most that can be given with them.
    pub(super) fn minimise(&self, demands: &[Demand<'_>], fixed: &[Fixed<'_>], classes: &[usize], kept: u32) -> Answer {
        let is_units = |resource: &Resource| matches!(resource, Resource::Units(_));
        let is_instances = |resource: &Resource| matches!(resource, Resource::Instances(_));
        let mut program = Program::default();
        let mut columns: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let (mut departures, mut given) = (Vec::new(), Vec::new());
        for (number, demand) in demands.iter().enumerate() {
            let mut used = Vec::new();
            for (place, &permitted) in demand.permitted.iter().enumerate() {
                let in_the_way = fixed.iter().any(|fixed| {
                    fixed.interval.overlaps(&demand.occupation)
                        && is_units(fixed.resource) == is_units(demand.resource)
                        && fixed.places.contains(&place)
                        && !(is_instances(fixed.resource) && is_instances(demand.resource))
                });
                let most = match demand.resource {
                    Resource::Instances(_) => permitted,
                    Resource::Host | Resource::Units(_) => permitted.min(1),
                };
                let column = program.column(0, if in_the_way { 0 } else { most });
                columns.insert((number, place), column);
                used.push(column);
                if demand.required.contains(&place) {
                    program.row(Some(1), None, vec![(column, 1)]);
                }
            }
            let all: Vec<(usize, i64)> = used.iter().map(|&column| (column, 1)).collect();
            program.row(Some(demand.least.into()), Some(demand.most.into()), all.clone());
            if demand.requested {
                given.extend(all);
            }
            affinity(&mut program, demand, &used);
            if is_units(demand.resource) {
                continue;
            }
            for class in demand.held.iter().map(|&host| classes[host]).collect::<BTreeSet<_>>() {
                let held = demand.held.iter().filter(|&&host| classes[host] == class).count();
                let left = program.column(1, u32::try_from(held).unwrap());
                let mut stays: Vec<(usize, i64)> = (0..used.len())
                    .filter(|&host| classes[host] == class)
                    .map(|host| (used[host], 1))
                    .collect();
                stays.push((left, 1));
                program.row(Some(i64::try_from(held).unwrap()), None, stays);
                departures.push((left, 1));
            }
        }
        exclusive(&mut program, demands, &columns);
        self.capacity(&mut program, demands, fixed, &columns);
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

    /// Instances fit, at every second at which any begins.
    fn capacity(
        &self,
        program: &mut Program,
        demands: &[Demand<'_>],
        fixed: &[Fixed<'_>],
        columns: &BTreeMap<(usize, usize), usize>,
    ) {
        let starts = demands.iter().map(|demand| demand.occupation.start);
        let instants: BTreeSet<Seconds> = starts.chain(fixed.iter().map(|fixed| fixed.interval.start)).collect();
        for (place, host) in self.hosts.iter().enumerate() {
            for &at in &instants {
                for class in CLASSES {
                    let used: i64 = fixed
                        .iter()
                        .filter(|fixed| fixed.interval.contains(at) && matches!(fixed.resource, Resource::Instances(_)))
                        .map(|fixed| takes(fixed.resource, class) * i64::from(count(&fixed.places, place)))
                        .sum();
                    let active = (0..demands.len()).filter(|&number| {
                        demands[number].occupation.contains(at) && takes(demands[number].resource, class) > 0
                    });
                    let entries: Vec<(usize, i64)> = active
                        .map(|number| (columns[&(number, place)], takes(demands[number].resource, class)))
                        .collect();
                    let capacity = i64::try_from(host.capacity.get(class).copied().unwrap_or(0)).unwrap();
                    if !entries.is_empty() {
                        program.row(None, Some((capacity - used).max(0)), entries);
                    }
                }
            }
        }
    }
}

/// A binary for every host a reservation with affinity uses.
fn affinity(program: &mut Program, demand: &Demand<'_>, used: &[usize]) {
    let Some(together) = demand.affinity() else { return };
    if !together {
        for (host, &column) in used.iter().enumerate() {
            let room = 1 - i64::from(count(&demand.kept, host));
            program.row(None, Some(room), vec![(column, 1)]);
        }
        return;
    }
    let uses: Vec<usize> = used.iter().map(|_| program.column(0, 1)).collect();
    for (host, &column) in used.iter().enumerate() {
        program.row(None, Some(0), vec![(column, 1), (uses[host], -1_000)]);
        if demand.kept.contains(&host) {
            program.row(Some(1), None, vec![(uses[host], 1)]);
        }
    }
    program.row(None, Some(1), uses.into_iter().map(|column| (column, 1)).collect());
}

/// Two reservations of whole places never meet, nor do one of whole hosts and one of instances.
fn exclusive(program: &mut Program, demands: &[Demand<'_>], columns: &BTreeMap<(usize, usize), usize>) {
    let is_units = |demand: &Demand<'_>| matches!(demand.resource, Resource::Units(_));
    for (one, first) in demands.iter().enumerate() {
        if matches!(first.resource, Resource::Instances(_)) {
            continue;
        }
        for (other, second) in demands.iter().enumerate() {
            let after = other > one || matches!(second.resource, Resource::Instances(_));
            if !after || is_units(first) != is_units(second) || !first.occupation.overlaps(&second.occupation) {
                continue;
            }
            for place in 0..first.permitted.len() {
                let entries = vec![(columns[&(one, place)], 1_000), (columns[&(other, place)], 1)];
                let most = if matches!(second.resource, Resource::Instances(_)) {
                    1_000
                } else {
                    1
                };
                let entries = if most == 1 {
                    entries.into_iter().map(|(column, _)| (column, 1)).collect()
                } else {
                    entries
                };
                program.row(None, Some(most), entries);
            }
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
