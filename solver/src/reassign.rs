//! Chooses how many hosts of which class every demand gets, with the fewest moves.
//!
//! Three goals in lexicographic order, as weights of one cost: fewest counted moves, most hosts for the
//! request, least disturbance. The choice is an integer program over counts per fine class, grown
//! lazily. It starts with the requested demands and no capacity, and gets the capacity of a class at an
//! instant only when the answer so far exceeds it, together with every pending demand that holds hosts
//! of the class then.
//!
//! Invariant (why growing is exact): a pending demand outside the program holds nothing in any row of
//! it, so it cannot relieve one. The program is therefore a relaxation of the whole problem, its
//! infeasibility is the whole problem's, and an answer of it that exceeds no capacity is optimal.
//!
//! Classes without a row during a demand, and of another coarse class than anything it holds, are the
//! same to the program; they share one column, whose value is spread over them by room, poorest first.

use std::collections::{BTreeMap, BTreeSet};

use crate::classes::{ClassNumber, Classes};
use crate::model::{Interval, Seconds};
use crate::planner::Budget;
use crate::program::{ModelSolver, Outcome, Program};
use crate::scene::{DemandNumber, Scene};

/// Hosts per fine class, for every demand that may differ from what it holds.
pub(crate) type Counts = BTreeMap<DemandNumber, BTreeMap<ClassNumber, u32>>;

/// Weights beyond this strain the solver's arithmetic; the least goal is dropped then.
const GREATEST_WEIGHT: i64 = 1_000_000;

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

/// Grows and solves until the answer exceeds no capacity.
pub(crate) fn solve(scene: &Scene<'_>, classes: &Classes, budget: Budget, solver: &dyn ModelSolver) -> Reassigned {
    let mut search = Search::new(scene, classes);
    let mut seconds_left = budget.seconds;
    loop {
        let (program, columns) = search.program();
        let solved = solver.solve(&program, seconds_left);
        seconds_left = seconds_left.map(|left| (left - solved.seconds).max(0.0));
        let values = match solved.outcome {
            Outcome::Optimal(values) if program.admits(&values) => values,
            Outcome::Optimal(_) | Outcome::Limit => return Reassigned::Limit,
            Outcome::Infeasible => {
                let instants: BTreeSet<Seconds> = search.capacities.values().flatten().copied().collect();
                return Reassigned::Infeasible {
                    instants: instants.into_iter().collect(),
                };
            }
        };
        let mut counts: Counts = search
            .included
            .iter()
            .map(|&number| (number, BTreeMap::new()))
            .collect();
        for (&(demand, class), &column) in &columns.single {
            if values[column] > 0 {
                counts.entry(demand).or_default().insert(class, values[column]);
            }
        }
        let mut load = Load::new(scene, classes, &search.held, &counts);
        let mut exceeded = Vec::new();
        for (&number, (column, shared)) in &columns.shared {
            if values[*column] > 0 {
                let spread = search.spread(&mut load, number, values[*column], shared, &mut exceeded);
                counts.entry(number).or_default().extend(spread);
            }
        }
        exceeded.extend(load.exceeded(classes));
        if exceeded.is_empty() {
            return Reassigned::Counts(counts);
        }
        search.grow(&exceeded);
    }
}

/// The columns of a program.
#[derive(Default)]
struct Columns {
    /// One class of one demand.
    single: BTreeMap<(DemandNumber, ClassNumber), usize>,
    /// All classes of one demand that are the same to the program.
    shared: BTreeMap<DemandNumber, (usize, Vec<ClassNumber>)>,
}

struct Search<'s> {
    scene: &'s Scene<'s>,
    classes: &'s Classes,
    /// What each demand holds, per fine class.
    held: Vec<BTreeMap<ClassNumber, u32>>,
    /// Demands that have columns.
    included: BTreeSet<DemandNumber>,
    /// Capacities that are rows.
    capacities: BTreeMap<ClassNumber, BTreeSet<Seconds>>,
    /// Pending demands by the fine classes they hold hosts of.
    holders: Vec<Vec<DemandNumber>>,
}

impl<'s> Search<'s> {
    fn new(scene: &'s Scene<'s>, classes: &'s Classes) -> Self {
        let held: Vec<BTreeMap<ClassNumber, u32>> = scene
            .demands
            .iter()
            .map(|demand| per_class(classes, &demand.holds))
            .collect();
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
            held,
            included,
            capacities: BTreeMap::new(),
            holders,
        }
    }

    /// Makes rows of capacities and includes every demand that could relieve them.
    fn grow(&mut self, exceeded: &[(ClassNumber, Seconds)]) {
        for &(class, at) in exceeded {
            self.capacities.entry(class).or_default().insert(at);
            let active = |number: &&DemandNumber| self.scene.demands[**number].occupation.contains(at);
            self.included.extend(self.holders[class].iter().filter(active));
        }
    }

    /// Classes a demand would rather stay in, with how many hosts: what it holds, or held before.
    fn liked(&self, number: DemandNumber) -> BTreeMap<ClassNumber, u32> {
        per_class(self.classes, &self.scene.demands[number].likes)
    }

    /// What a counted move and a host missing from the request cost, when leaving a host costs 1; the
    /// last is 0 if the weights would grow too large.
    fn weights(&self) -> (i64, i64, i64) {
        let included = || self.included.iter().map(|&number| &self.scene.demands[number]);
        let disturbance: i64 = included()
            .map(|demand| i64::try_from(demand.likes.len()).unwrap_or(i64::MAX))
            .sum();
        let filling: i64 = included().map(|demand| i64::from(demand.most - demand.least)).sum();
        if (disturbance + 1).saturating_mul(filling + 1) > GREATEST_WEIGHT {
            return (filling + 1, 1, 0);
        }
        ((disturbance + 1) * (filling + 1), disturbance + 1, 1)
    }

    /// The program over the included demands.
    fn program(&self) -> (Program, Columns) {
        let (move_cost, missing_cost, leave_cost) = self.weights();
        let mut program = Program::default();
        let mut columns = Columns::default();
        for &number in &self.included {
            let demand = &self.scene.demands[number];
            let liked = self.liked(number);
            let coarse = |class: ClassNumber| self.classes.fine[class].coarse;
            let held_coarse: BTreeSet<ClassNumber> = self.held[number].keys().map(|&class| coarse(class)).collect();
            let cost = if demand.requested { -missing_cost } else { 0 };
            let size = |class: ClassNumber| u32::try_from(self.classes.fine[class].hosts.len()).unwrap_or(u32::MAX);
            let mut all = Vec::new();
            let mut shared = Vec::new();
            for class in 0..self.classes.fine.len() {
                if !self.classes.eligible(self.scene, number, class) {
                    continue;
                }
                if liked.contains_key(&class)
                    || held_coarse.contains(&coarse(class))
                    || self.has_row(class, demand.occupation)
                {
                    let column = program.column(cost, size(class).min(demand.most));
                    columns.single.insert((number, class), column);
                    all.push((column, 1));
                } else {
                    shared.push(class);
                }
            }
            if !shared.is_empty() {
                let sizes = shared.iter().map(|&class| size(class)).fold(0, u32::saturating_add);
                let column = program.column(cost, sizes.min(demand.most));
                columns.shared.insert(number, (column, shared));
                all.push((column, 1));
            }
            program.row(Some(i64::from(demand.least)), Some(i64::from(demand.most)), all);
            self.departures(&mut program, &columns, number, &liked, (move_cost, leave_cost));
        }
        for (&class, instants) in &self.capacities {
            for &at in instants {
                let active = self
                    .included
                    .iter()
                    .filter(|&&number| self.scene.demands[number].occupation.contains(at));
                let entries = active
                    .filter_map(|&number| Some((*columns.single.get(&(number, class))?, 1)))
                    .collect();
                program.row(None, Some(i64::from(self.classes.fine[class].room(at))), entries);
            }
        }
        (program, columns)
    }

    fn has_row(&self, class: ClassNumber, during: Interval) -> bool {
        let rows = self.capacities.get(&class);
        rows.is_some_and(|instants| instants.range(during.start..during.end).next().is_some())
    }

    /// Columns for hosts a demand leaves: per coarse class for the moves, per fine class for the
    /// disturbance. What the request held before is only a preference.
    fn departures(
        &self,
        program: &mut Program,
        columns: &Columns,
        number: DemandNumber,
        liked: &BTreeMap<ClassNumber, u32>,
        (move_cost, leave_cost): (i64, i64),
    ) {
        let mut leave = |cost: i64, count: u32, stays: Vec<(usize, i64)>| {
            let left = program.column(cost, count);
            let entries = stays.into_iter().chain([(left, 1)]).collect();
            program.row(Some(i64::from(count)), None, entries);
        };
        let mut coarse: BTreeMap<ClassNumber, u32> = BTreeMap::new();
        for (&class, &count) in &self.held[number] {
            *coarse.entry(self.classes.fine[class].coarse).or_default() += count;
        }
        for (coarse, count) in coarse {
            let own = columns.single.range((number, 0)..=(number, ClassNumber::MAX));
            let stays = own.filter(|((_, class), _)| self.classes.fine[*class].coarse == coarse);
            leave(move_cost, count, stays.map(|(_, &column)| (column, 1)).collect());
        }
        for (&class, &count) in liked.iter().filter(|_| leave_cost > 0) {
            if let Some(&column) = columns.single.get(&(number, class)) {
                leave(leave_cost, count, vec![(column, 1)]);
            }
        }
    }

    /// Spreads a shared count over its classes: poor classes first as far as they have room. If that is
    /// not far enough, all of them are full: their tightest instants are reported at once, rather than
    /// one class after another in as many programs.
    fn spread(
        &self,
        load: &mut Load,
        number: DemandNumber,
        count: u32,
        shared: &[ClassNumber],
        exceeded: &mut Vec<(ClassNumber, Seconds)>,
    ) -> BTreeMap<ClassNumber, u32> {
        let occupation = self.scene.demands[number].occupation;
        let mut by_richness: Vec<(u64, ClassNumber, i64, Seconds)> = shared
            .iter()
            .map(|&class| {
                let (room, tightest) = load.room(self.classes, class, occupation);
                (
                    self.scene.richness[self.classes.fine[class].hosts[0]],
                    class,
                    room,
                    tightest,
                )
            })
            .collect();
        by_richness.sort_unstable();
        let mut spread: BTreeMap<ClassNumber, u32> = BTreeMap::new();
        let mut left = count;
        for &(_, class, room, _) in &by_richness {
            let given = left.min(u32::try_from(room).unwrap_or(0));
            if given > 0 {
                spread.insert(class, given);
                left -= given;
            }
        }
        if left > 0 {
            exceeded.extend(by_richness.iter().map(|&(_, class, _, tightest)| (class, tightest)));
        }
        for (&class, &count) in &spread {
            load.add(class, occupation, count);
        }
        spread
    }
}

fn per_class(classes: &Classes, hosts: &[usize]) -> BTreeMap<ClassNumber, u32> {
    let mut counts = BTreeMap::new();
    for &host in hosts {
        *counts.entry(classes.fine_of[host]).or_insert(0) += 1;
    }
    counts
}

/// How many hosts of each class the demands use at each instant.
struct Load {
    /// Per class: instants at which the load changes and by how much up and down, sorted.
    changes: Vec<BTreeMap<Seconds, (i64, i64)>>,
}

impl Load {
    fn new(scene: &Scene<'_>, classes: &Classes, held: &[BTreeMap<ClassNumber, u32>], counts: &Counts) -> Self {
        let mut load = Self {
            changes: vec![BTreeMap::new(); classes.fine.len()],
        };
        for (number, demand) in scene.demands.iter().enumerate() {
            for (&class, &count) in counts.get(&number).unwrap_or(&held[number]) {
                load.add(class, demand.occupation, count);
            }
        }
        load
    }

    fn add(&mut self, class: ClassNumber, occupation: Interval, count: u32) {
        let changes = &mut self.changes[class];
        changes.entry(occupation.start).or_default().0 += i64::from(count);
        changes.entry(occupation.end).or_default().1 += i64::from(count);
    }

    /// Hosts of a class that are free during the whole interval, and an instant at which no more are.
    fn room(&self, classes: &Classes, class: ClassNumber, during: Interval) -> (i64, Seconds) {
        let fine = &classes.fine[class];
        let room = |at: Seconds, load: i64| (i64::from(fine.room(at)) - load, at);
        let changes = &self.changes[class];
        let mut load: i64 = changes.range(..=during.start).map(|(_, (up, down))| up - down).sum();
        let mut least = room(during.start, load);
        for (&at, &(up, down)) in changes
            .range(during.start..during.end)
            .filter(|(at, _)| **at > during.start)
        {
            load += up - down;
            least = least.min(room(at, load));
        }
        least
    }

    /// Capacities that are exceeded, at instants where the load rises: it only falls between them.
    fn exceeded(&self, classes: &Classes) -> Vec<(ClassNumber, Seconds)> {
        let mut exceeded = Vec::new();
        for (class, changes) in self.changes.iter().enumerate() {
            let mut load = 0;
            // The room at the instant found last, as long as nothing has ended since: a later instant
            // with as much room says everything that one says.
            let mut covered: Option<u32> = None;
            for (&at, &(up, down)) in changes {
                load += up - down;
                if down > 0 {
                    covered = None;
                }
                let room = classes.fine[class].room(at);
                if up > 0 && load > i64::from(room) {
                    if covered == Some(room) {
                        exceeded.pop();
                    }
                    exceeded.push((class, at));
                    covered = Some(room);
                }
            }
        }
        exceeded
    }
}
