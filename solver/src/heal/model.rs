//! The most promises that can be kept, with the fewest changes, as integer programs over counts per place.
//!
//! Two goals one after the other: first the fewest promises broken, among those the fewest that have lost
//! no host, then the fewest hosts missing; then, with as few, the fewest moves and the least disturbance. The program has a shortage for
//! every promise, so that it always has values. It starts with the jobs that must leave hosts and without
//! capacities, and gets a capacity when the answer exceeds it, together with every job that holds
//! something there.
//!
//! Invariant (why growing is exact): a job outside the program keeps what it holds at no cost, and holds
//! nothing in any row. So the program's optimum bounds the whole problem's from below, and an answer that
//! exceeds no capacity attains it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::places::Places;
use super::world::{Job, World, counted};
use crate::deadline::Deadline;
use crate::model::Seconds;
use crate::program::{ModelSolver, Outcome, Program};

/// Weights beyond this strain the solver's arithmetic; the lesser goal is dropped then.
const GREATEST_WEIGHT: i64 = 1_000_000;

/// What it takes at most to write down a column of a program and give it to the solver, which looks at no clock meanwhile.
const COLUMN: Duration = Duration::from_micros(3);

/// Count per place of every job.
pub(super) type Counts = Vec<BTreeMap<usize, u32>>;

/// Grows and solves until the answer exceeds no capacity, and says whether it is proved best; `None` if the deadline ended
/// before it was known how many promises can be kept. If it runs out afterwards, as many are kept with more moves than
/// may be needed: a promise is worth more than the peace of those that have not started.
pub(super) fn solve(
    world: &World<'_>,
    places: &Places,
    deadline: &Deadline,
    solver: &dyn ModelSolver,
) -> Option<(Counts, bool)> {
    let mut search = Search::new(world, places);
    let run = |search: &mut Search<'_>, goal: Goal| loop {
        let columns: usize = search.usable.values().map(Vec::len).sum();
        let writing = COLUMN.saturating_mul(u32::try_from(columns).unwrap_or(u32::MAX));
        if deadline.is_over() || deadline.left().is_some_and(|left| left < writing) {
            return None;
        }
        let (program, columns) = search.program(goal);
        let Outcome::Optimal(values) = solver.solve(&program, deadline) else {
            return None;
        };
        if !program.admits(&values) {
            return None;
        }
        let counts = search.counts(&columns, &values);
        if !search.grow(&counts) {
            let losses = Losses {
                broken: sum(&columns.broken, &values, |_| true),
                unharmed: sum(&columns.broken, &values, |job| world.jobs[job].is_unharmed()),
                missing: sum(&columns.missing, &values, |_| true),
            };
            return Some((counts, losses));
        }
    };
    let (kept, losses) = run(&mut search, Goal::Keep)?;
    let settled = run(&mut search, Goal::Settle(losses));
    Some(settled.map_or((kept, false), |(counts, ..)| (counts, true)))
}

/// What the columns of some jobs come to.
fn sum(columns: &BTreeMap<usize, usize>, values: &[u32], counts: impl Fn(usize) -> bool) -> u32 {
    let counted = columns.iter().filter(|(job, _)| counts(**job));
    counted.map(|(_, &column)| values[column]).sum()
}

/// What a program minimises.
#[derive(Clone, Copy)]
enum Goal {
    /// What is lost.
    Keep,
    /// Moves, then disturbance, with no more lost than this.
    Settle(Losses),
}

/// What an answer loses; each member counts for more than all that follow.
#[derive(Clone, Copy)]
struct Losses {
    /// Promises that are not kept in full.
    broken: u32,
    /// Those of them that stood on hosts in order: they make room for others.
    unharmed: u32,
    /// Hosts or instances that are missing.
    missing: u32,
}

/// The columns of a program.
#[derive(Default)]
struct Columns {
    given: BTreeMap<(usize, usize), usize>,
    /// By job: hosts it lacks.
    missing: BTreeMap<usize, usize>,
    /// By job: 1 if it lacks any.
    broken: BTreeMap<usize, usize>,
}

struct Search<'s> {
    world: &'s World<'s>,
    places: &'s Places,
    /// What each job may keep, per place.
    stays: Vec<BTreeMap<usize, u32>>,
    /// Places a job may use and the most it may have there; found when it is included.
    usable: BTreeMap<usize, Vec<(usize, u32)>>,
    /// Jobs by the places they hold something in.
    holders: Vec<Vec<usize>>,
    /// Capacities that are rows.
    rows: BTreeMap<usize, BTreeSet<Seconds>>,
}

impl<'s> Search<'s> {
    fn new(world: &'s World<'s>, places: &'s Places) -> Self {
        let per_place = |job: &Job<'_>| {
            let stays = job.stays.iter().map(|&host| places.of[host]);
            counted(&stays.collect::<Vec<_>>())
        };
        let mut search = Self {
            world,
            places,
            stays: world.jobs.iter().map(per_place).collect(),
            usable: BTreeMap::new(),
            holders: vec![Vec::new(); places.list.len()],
            rows: BTreeMap::new(),
        };
        for (number, stays) in search.stays.iter().enumerate() {
            for &place in stays.keys() {
                search.holders[place].push(number);
            }
        }
        for (number, job) in world.jobs.iter().enumerate() {
            if !job.leaves.is_empty() {
                search.include(number);
            }
        }
        search
    }

    fn include(&mut self, number: usize) {
        let (world, places) = (self.world, self.places);
        self.usable.entry(number).or_insert_with(|| {
            let most = |place| places.most(world, &world.jobs[number], place);
            let all = (0..places.list.len()).map(|place| (place, most(place)));
            all.filter(|&(_, most)| most > 0).collect()
        });
    }

    fn program(&self, goal: Goal) -> (Program, Columns) {
        let mut program = Program::default();
        let mut columns = Columns::default();
        let sizes = self
            .usable
            .keys()
            .map(|&number| i64::from(self.world.jobs[number].size));
        let total: i64 = sizes.sum::<i64>() + 1;
        let heavy = if total > GREATEST_WEIGHT { 1 } else { total };
        let light = i64::from(heavy > 1);
        let jobs = i64::try_from(self.usable.len()).unwrap_or(i64::MAX);
        // Above all that is missing, and above that as often as there are promises.
        let grave = if total.saturating_mul(jobs + 1) > GREATEST_WEIGHT {
            1
        } else {
            total
        };
        for (&number, usable) in &self.usable {
            let job = &self.world.jobs[number];
            let (broken_cost, missing_cost) = match goal {
                Goal::Keep => (
                    grave * (jobs + 1) + if job.is_unharmed() { grave } else { 0 },
                    i64::from(grave > 1),
                ),
                Goal::Settle(_) => (0, 0),
            };
            let mut all = Vec::new();
            for &(place, most) in usable {
                let column = program.column(0, most);
                columns.given.insert((number, place), column);
                all.push((column, 1));
            }
            if job.is_together() {
                let hosts: Vec<(usize, i64)> = all
                    .iter()
                    .map(|&(given, _)| {
                        let used = program.column(0, 1);
                        program.row(None, Some(0), vec![(given, 1), (used, -i64::from(job.size))]);
                        (used, 1)
                    })
                    .collect();
                program.row(None, Some(1), hosts);
            }
            let missing = program.column(missing_cost, job.size);
            let broken = program.column(broken_cost, 1);
            all.push((missing, 1));
            program.row(Some(job.size.into()), Some(job.size.into()), all);
            program.row(None, Some(0), vec![(missing, 1), (broken, -i64::from(job.size))]);
            columns.missing.insert(number, missing);
            columns.broken.insert(number, broken);
            if let Goal::Settle(_) = goal {
                self.departures(&mut program, &columns, number, (heavy, light));
            }
        }
        if let Goal::Settle(losses) = goal {
            let all = |columns: &BTreeMap<usize, usize>| columns.values().map(|&column| (column, 1)).collect();
            let unharmed = columns
                .broken
                .iter()
                .filter(|(job, _)| self.world.jobs[**job].is_unharmed());
            let unharmed = unharmed.map(|(_, &column)| (column, 1)).collect();
            program.row(None, Some(losses.broken.into()), all(&columns.broken));
            program.row(None, Some(losses.unharmed.into()), unharmed);
            program.row(None, Some(losses.missing.into()), all(&columns.missing));
        }
        for (&place, instants) in &self.rows {
            for &at in instants {
                self.capacity(&mut program, &columns, place, at);
            }
        }
        (program, columns)
    }

    /// Columns for what a job gives up although it might stay: per class for the moves, per place for the
    /// disturbance.
    fn departures(&self, program: &mut Program, columns: &Columns, number: usize, (heavy, light): (i64, i64)) {
        let mut leave = |cost: i64, count: u32, stays: Vec<(usize, i64)>| {
            let left = program.column(cost, count);
            let entries = stays.into_iter().chain([(left, 1)]).collect();
            program.row(Some(i64::from(count)), None, entries);
        };
        let own = || columns.given.range((number, 0)..=(number, usize::MAX));
        let class_of = |place: usize| self.places.list[place].class;
        let mut per_class: BTreeMap<usize, u32> = BTreeMap::new();
        for (&place, &count) in &self.stays[number] {
            *per_class.entry(class_of(place)).or_default() += count;
            let here = columns.given.get(&(number, place)).map(|&column| (column, 1));
            if light > 0 {
                leave(light, count, here.into_iter().collect());
            }
        }
        for (class, count) in per_class {
            let here = own().filter(|((_, place), _)| class_of(*place) == class);
            leave(heavy, count, here.map(|(_, &column)| (column, 1)).collect());
        }
    }

    /// What a place has at an instant, for the jobs in the program.
    fn capacity(&self, program: &mut Program, columns: &Columns, place: usize, at: Seconds) {
        let jobs = &self.world.jobs;
        let active: Vec<(&Job<'_>, usize)> = self
            .usable
            .keys()
            .filter(|&&number| jobs[number].occupation.contains(at))
            .filter_map(|&number| Some((&jobs[number], *columns.given.get(&(number, place))?)))
            .collect();
        let whole: Vec<(usize, i64)> = active
            .iter()
            .filter(|(job, _)| job.instances().is_none())
            .map(|&(_, column)| (column, 1))
            .collect();
        let room = i64::from(self.places.list[place].room(at));
        let parts: Vec<(&Job<'_>, usize)> = active
            .into_iter()
            .filter(|(job, _)| job.instances().is_some())
            .collect();
        if !whole.is_empty() {
            program.row(None, Some(room), whole.clone());
        }
        if parts.is_empty() {
            return;
        }
        let host = self.places.list[place].hosts[0];
        if !whole.is_empty() {
            // Either the host as a whole, or instances.
            let all: i64 = parts.iter().map(|(job, _)| i64::from(job.size)).sum();
            let entries = whole.iter().map(|&(column, _)| (column, all));
            let entries = entries.chain(parts.iter().map(|&(_, column)| (column, 1)));
            program.row(None, Some(all), entries.collect());
        }
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for (job, _) in &parts {
            let resources = job.instances().into_iter().flat_map(|instances| &instances.resources);
            names.extend(resources.map(|(name, _)| name.as_str()));
        }
        let amount = |job: &Job<'_>, name: &str| {
            let amount = job.instances().and_then(|instances| instances.resources.get(name));
            i64::try_from(amount.copied().unwrap_or(0)).unwrap_or(i64::MAX)
        };
        for name in names {
            let left = self.world.fixed.left(host, at, name);
            let entries = parts.iter().map(|(job, column)| (*column, amount(job, name)));
            let entries: Vec<(usize, i64)> = entries.filter(|&(_, amount)| amount > 0).collect();
            program.row(None, Some(i64::try_from(left).unwrap_or(i64::MAX)), entries);
        }
    }

    /// Counts of all jobs; those outside the program keep what they hold.
    fn counts(&self, columns: &Columns, values: &[u32]) -> Counts {
        let mut counts = self.stays.clone();
        for number in self.usable.keys() {
            counts[*number].clear();
        }
        for (&(number, place), &column) in &columns.given {
            if values[column] > 0 {
                counts[number].insert(place, values[column]);
            }
        }
        counts
    }

    /// Makes rows of the capacities that are exceeded and includes the jobs that hold something there;
    /// `false` if none is.
    fn grow(&mut self, counts: &Counts) -> bool {
        let mut by_place: BTreeMap<usize, Vec<(usize, u32)>> = BTreeMap::new();
        for (number, counts) in counts.iter().enumerate() {
            for (&place, &count) in counts {
                by_place.entry(place).or_default().push((number, count));
            }
        }
        let mut exceeded: Vec<(usize, Seconds)> = Vec::new();
        let mut crowded: BTreeSet<usize> = BTreeSet::new();
        for (&place, users) in &by_place {
            if !users.iter().any(|(number, _)| self.usable.contains_key(number)) {
                continue;
            }
            for at in self.exceeded(place, users) {
                exceeded.push((place, at));
                let active = users.iter().filter(|(number, _)| self.contains(*number, at));
                crowded.extend(active.map(|&(number, _)| number));
            }
        }
        // What has to leave a full place goes to the next one: look ahead at those that would be full too.
        for number in crowded {
            let job = &self.world.jobs[number];
            let at = job.occupation.start;
            for &(place, _) in self.usable.get(&number).into_iter().flatten() {
                let users = by_place.get(&place).map_or(&[][..], Vec::as_slice);
                let active = users.iter().filter(|(number, _)| self.contains(*number, at));
                let load: u32 = active.map(|&(_, count)| count).sum();
                if load > 0 && load.saturating_add(job.size) > self.places.list[place].room(at) {
                    exceeded.push((place, at));
                }
            }
        }
        let grown = !exceeded.is_empty();
        for (place, at) in exceeded {
            self.rows.entry(place).or_default().insert(at);
            let active: Vec<usize> = self.holders[place]
                .iter()
                .copied()
                .filter(|&number| self.contains(number, at))
                .collect();
            for number in active {
                self.include(number);
            }
        }
        grown
    }

    fn contains(&self, number: usize, at: Seconds) -> bool {
        self.world.jobs[number].occupation.contains(at)
    }

    /// Instants at which a place has too little for its users.
    fn exceeded(&self, place: usize, users: &[(usize, u32)]) -> Vec<Seconds> {
        let jobs = &self.world.jobs;
        if users.iter().all(|&(number, _)| jobs[number].instances().is_none()) {
            let mut changes: BTreeMap<Seconds, i64> = BTreeMap::new();
            for &(number, count) in users {
                let occupation = jobs[number].occupation;
                *changes.entry(occupation.start).or_default() += i64::from(count);
                *changes.entry(occupation.end).or_default() -= i64::from(count);
            }
            let mut load = 0;
            let loads = changes.into_iter().filter_map(|(at, change)| {
                load += change;
                (load > i64::from(self.places.list[place].room(at))).then_some(at)
            });
            return loads.collect();
        }
        let mut instants: BTreeSet<Seconds> = users.iter().map(|(number, _)| jobs[*number].occupation.start).collect();
        instants.extend(self.places.begins(self.world, place));
        let host = self.places.list[place].hosts[0];
        let over = |at: &Seconds| {
            let active = || users.iter().filter(|(number, _)| self.contains(*number, *at));
            let whole: u32 = active()
                .filter(|(number, _)| jobs[*number].instances().is_none())
                .map(|&(_, count)| count)
                .sum();
            let mut used: BTreeMap<&str, u64> = BTreeMap::new();
            let mut parts = 0;
            for &(number, count) in active() {
                for (name, amount) in jobs[number].instances().into_iter().flat_map(|part| &part.resources) {
                    let sum = used.entry(name).or_default();
                    *sum = sum.saturating_add(amount.saturating_mul(u64::from(count)));
                }
                parts += u32::from(jobs[number].instances().is_some());
            }
            let overfull = || {
                used.iter()
                    .any(|(name, used)| *used > self.world.fixed.left(host, *at, name))
            };
            whole > 1 || (whole == 1 && parts > 0) || overfull()
        };
        instants.into_iter().filter(over).collect()
    }
}
