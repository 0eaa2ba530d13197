//! Chooses how many hosts of which class every demand gets, with the fewest moves.
//!
//! Three goals in lexicographic order: fewest counted moves, most hosts for the request, least
//! disturbance. Each is an integer program over counts per fine class, grown lazily: it starts with the
//! requested demands and no capacity, and gets the capacity of a class at an instant only when the
//! answer so far exceeds it, together with every pending demand that holds hosts of the class then.
//!
//! Invariant (why growing is exact): a pending demand outside the program holds nothing in any row of
//! it, so it cannot relieve one. The program is therefore a relaxation of the whole problem, its
//! infeasibility is the whole problem's, and an answer of it that exceeds no capacity is optimal.

use std::collections::{BTreeMap, BTreeSet};

use crate::classes::{ClassNumber, Classes};
use crate::model::Seconds;
use crate::planner::Budget;
use crate::program::{ModelSolver, Outcome, Program};
use crate::scene::{DemandNumber, Scene};

/// Hosts per fine class, for every demand that may differ from what it holds.
pub(crate) type Counts = BTreeMap<DemandNumber, BTreeMap<ClassNumber, u32>>;

/// What the programs showed.
pub(crate) enum Reassigned {
    /// Best counts; demands that are not listed keep what they hold.
    Counts(Counts),
    /// No counts exist. The instants are those whose capacity the proof uses.
    Infeasible {
        /// Sorted, each once.
        instants: Vec<Seconds>,
    },
    /// The budget ran out.
    Limit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    FewestMoves,
    MostHosts,
    LeastDisturbance,
}

/// Solves the three programs one after another.
pub(crate) fn solve(scene: &Scene<'_>, classes: &Classes, budget: Budget, solver: &dyn ModelSolver) -> Reassigned {
    let mut search = Search::new(scene, classes, budget.seconds);
    let mut best = match search.reach(Goal::FewestMoves, solver) {
        Reassigned::Counts(counts) => counts,
        other => return other,
    };
    search.most_moves = Some(search.moves(&best));
    if scene
        .requested()
        .any(|number| scene.demands[number].least < scene.demands[number].most)
    {
        // A better filling is a wish: without an answer in time the one at hand stands.
        let Reassigned::Counts(counts) = search.reach(Goal::MostHosts, solver) else {
            return Reassigned::Counts(best);
        };
        best = counts;
    }
    search.least_given = Some(search.given(&best));
    match search.reach(Goal::LeastDisturbance, solver) {
        Reassigned::Counts(counts) => Reassigned::Counts(counts),
        Reassigned::Infeasible { .. } | Reassigned::Limit => Reassigned::Counts(best),
    }
}

struct Search<'s> {
    scene: &'s Scene<'s>,
    classes: &'s Classes,
    seconds_left: Option<f64>,
    /// What each demand holds, per fine class.
    held: Vec<BTreeMap<ClassNumber, u32>>,
    /// Demands that have columns.
    included: BTreeSet<DemandNumber>,
    /// Capacities that are rows.
    capacities: BTreeSet<(ClassNumber, Seconds)>,
    /// Pending demands by the fine classes they hold hosts of.
    holders: Vec<Vec<DemandNumber>>,
    /// Result of the first goal.
    most_moves: Option<u32>,
    /// Result of the second goal.
    least_given: Option<u32>,
}

impl<'s> Search<'s> {
    fn new(scene: &'s Scene<'s>, classes: &'s Classes, seconds_left: Option<f64>) -> Self {
        let per_class = |hosts: &[usize]| {
            let mut counts = BTreeMap::new();
            for &host in hosts {
                *counts.entry(classes.fine_of[host]).or_insert(0) += 1;
            }
            counts
        };
        let held: Vec<BTreeMap<ClassNumber, u32>> =
            scene.demands.iter().map(|demand| per_class(&demand.holds)).collect();
        let mut holders = vec![Vec::new(); classes.fine.len()];
        let mut included: BTreeSet<DemandNumber> = scene.requested().collect();
        for (number, counts) in held.iter().enumerate() {
            for &class in counts.keys() {
                holders[class].push(number);
                if classes.fine[class].is_taken(scene.demands[number].occupation) {
                    included.insert(number);
                }
            }
        }
        Self {
            scene,
            classes,
            seconds_left,
            held,
            included,
            capacities: BTreeSet::new(),
            holders,
            most_moves: None,
            least_given: None,
        }
    }

    /// Grows and solves until the answer exceeds no capacity.
    fn reach(&mut self, goal: Goal, solver: &dyn ModelSolver) -> Reassigned {
        loop {
            let (program, columns) = self.program(goal);
            let solved = solver.solve(&program, self.seconds_left);
            if let Some(left) = &mut self.seconds_left {
                *left = (*left - solved.seconds).max(0.0);
            }
            let values = match solved.outcome {
                Outcome::Optimal(values) if program.admits(&values) => values,
                Outcome::Optimal(_) | Outcome::Limit => return Reassigned::Limit,
                Outcome::Infeasible => {
                    let instants: BTreeSet<Seconds> = self.capacities.iter().map(|&(_, at)| at).collect();
                    return Reassigned::Infeasible {
                        instants: instants.into_iter().collect(),
                    };
                }
            };
            let mut counts: Counts = self.included.iter().map(|&number| (number, BTreeMap::new())).collect();
            for (&(demand, class), &column) in &columns {
                if values[column] > 0 {
                    counts.entry(demand).or_default().insert(class, values[column]);
                }
            }
            let exceeded = self.exceeded(&counts);
            if exceeded.is_empty() {
                return Reassigned::Counts(counts);
            }
            self.grow(&exceeded);
        }
    }

    /// Makes rows of capacities and includes every demand that could relieve them.
    fn grow(&mut self, exceeded: &[(ClassNumber, Seconds)]) {
        for &(class, at) in exceeded {
            self.capacities.insert((class, at));
            let active = |number: &&DemandNumber| self.scene.demands[**number].occupation.contains(at);
            self.included.extend(self.holders[class].iter().filter(active));
        }
    }

    /// Capacities the counts exceed, at starts of demands: the load only falls between them.
    fn exceeded(&self, counts: &Counts) -> Vec<(ClassNumber, Seconds)> {
        let mut changes: Vec<Vec<(Seconds, i64)>> = vec![Vec::new(); self.classes.fine.len()];
        for (number, demand) in self.scene.demands.iter().enumerate() {
            for (&class, &count) in counts.get(&number).unwrap_or(&self.held[number]) {
                changes[class].push((demand.occupation.start, i64::from(count)));
                changes[class].push((demand.occupation.end, -i64::from(count)));
            }
        }
        let mut exceeded = Vec::new();
        for (class, mut changes) in changes.into_iter().enumerate() {
            changes.sort_unstable();
            let mut load = 0;
            // The instant found last, the room then, and whether nothing has ended since: then a later
            // instant with as much room says everything this one says.
            let mut last: Option<(u32, bool)> = None;
            let mut position = 0;
            while let Some(&(at, _)) = changes.get(position) {
                let same = changes[position..].iter().take_while(|change| change.0 == at);
                let (mut rises, mut falls, mut events) = (0, 0, 0);
                for &(_, change) in same {
                    events += 1;
                    if change > 0 { rises += change } else { falls += change }
                }
                position += events;
                load += rises + falls;
                if falls < 0 {
                    last = last.map(|(room, _)| (room, false));
                }
                let room = self.classes.fine[class].room(at);
                if rises > 0 && load > i64::from(room) {
                    if let Some((before, true)) = last
                        && before == room
                    {
                        exceeded.pop();
                    }
                    exceeded.push((class, at));
                    last = Some((room, true));
                }
            }
        }
        exceeded
    }

    /// The program over the included demands; also the column of each demand and class.
    fn program(&self, goal: Goal) -> (Program, BTreeMap<(DemandNumber, ClassNumber), usize>) {
        let mut program = Program::default();
        let mut columns = BTreeMap::new();
        let mut moves = Vec::new();
        let mut given = Vec::new();
        for &number in &self.included {
            let demand = &self.scene.demands[number];
            let mut all = Vec::new();
            for class in 0..self.classes.fine.len() {
                if !self.classes.eligible(self.scene, number, class) {
                    continue;
                }
                let size = u32::try_from(self.classes.fine[class].hosts.len()).unwrap_or(u32::MAX);
                let cost = match goal {
                    Goal::MostHosts if demand.requested => -1,
                    Goal::FewestMoves | Goal::MostHosts | Goal::LeastDisturbance => 0,
                };
                let column = program.column(cost, size.min(demand.most));
                columns.insert((number, class), column);
                all.push((column, 1));
            }
            if demand.requested {
                given.extend(all.iter().copied());
            }
            program.row(Some(i64::from(demand.least)), Some(i64::from(demand.most)), all);
            self.departures(&mut program, &columns, number, goal, &mut moves);
        }
        for &(class, at) in &self.capacities {
            let active = self
                .included
                .iter()
                .filter(|&&number| self.scene.demands[number].occupation.contains(at));
            let entries = active
                .filter_map(|&number| Some((*columns.get(&(number, class))?, 1)))
                .collect();
            program.row(None, Some(i64::from(self.classes.fine[class].room(at))), entries);
        }
        if let Some(most) = self.most_moves {
            program.row(None, Some(i64::from(most)), moves);
        }
        if let Some(least) = self.least_given {
            program.row(Some(i64::from(least)), None, given);
        }
        (program, columns)
    }

    /// Columns for hosts a demand leaves: per coarse class for the moves, per fine class for the
    /// disturbance. What the request held before is only a preference.
    fn departures(
        &self,
        program: &mut Program,
        columns: &BTreeMap<(DemandNumber, ClassNumber), usize>,
        number: DemandNumber,
        goal: Goal,
        moves: &mut Vec<(usize, i64)>,
    ) {
        let demand = &self.scene.demands[number];
        let mut coarse: BTreeMap<ClassNumber, u32> = BTreeMap::new();
        for (&class, &count) in &self.held[number] {
            *coarse.entry(self.classes.fine[class].coarse).or_default() += count;
        }
        for (coarse, count) in coarse {
            let left = program.column(i64::from(goal == Goal::FewestMoves), count);
            let stays = columns
                .range((number, 0)..=(number, ClassNumber::MAX))
                .filter(|((_, class), _)| self.classes.fine[*class].coarse == coarse)
                .map(|(_, &column)| (column, 1));
            let entries = stays.chain([(left, 1)]).collect();
            program.row(Some(i64::from(count)), None, entries);
            moves.push((left, 1));
        }
        if goal == Goal::LeastDisturbance {
            let mut liked: BTreeMap<ClassNumber, u32> = BTreeMap::new();
            for &host in &demand.likes {
                *liked.entry(self.classes.fine_of[host]).or_default() += 1;
            }
            for (class, count) in liked {
                if let Some(&column) = columns.get(&(number, class)) {
                    let left = program.column(1, count);
                    program.row(Some(i64::from(count)), None, vec![(column, 1), (left, 1)]);
                }
            }
        }
    }

    /// Counted moves of these counts.
    fn moves(&self, counts: &Counts) -> u32 {
        let mut moves = 0;
        for (&number, counts) in counts {
            let mut balance: BTreeMap<ClassNumber, i64> = BTreeMap::new();
            for (&class, &count) in &self.held[number] {
                *balance.entry(self.classes.fine[class].coarse).or_default() += i64::from(count);
            }
            for (&class, &count) in counts {
                *balance.entry(self.classes.fine[class].coarse).or_default() -= i64::from(count);
            }
            moves += balance.values().filter(|&&left| left > 0).sum::<i64>();
        }
        u32::try_from(moves).unwrap_or(u32::MAX)
    }

    /// Hosts these counts give to the request.
    fn given(&self, counts: &Counts) -> u32 {
        self.scene
            .requested()
            .filter_map(|number| counts.get(&number))
            .flat_map(BTreeMap::values)
            .sum()
    }
}
