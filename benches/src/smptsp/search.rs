//! Tabu search for a staffing with a given number of workers.
//!
//! The state is a partial staffing: a crew of that many workers, disjoint tasks for each, and a pool of
//! tasks that nobody has. A move gives one task of the pool to a qualified member of the crew and throws
//! what it overlaps back into the pool; what was thrown out may not return to that worker for a while
//! (Blöchliger and Zufferey's `PartialCol` for graph colouring, on interval graphs with lists of colours).
//! Tasks that stay in the pool grow heavier, so that the cost of a move learns which tasks are hard.
//! Now and then a member of the crew is replaced; see [`super::replace`].
//!
//! Invariant: every task is either in the pool or with one member of the crew, who can do it and has
//! nothing else at that time.

use solver::deadline::Deadline;

use super::instance::Instance;
use crate::random::Random;

/// Tasks of the pool looked at in one round.
const MOST_LOOKED_AT: usize = 20;
/// Rounds between two questions whether the time is over.
const ROUNDS_PER_QUESTION: u64 = 256;
/// A task's first weight, if all weigh the same.
const EVEN_WEIGHT: i64 = 100;

/// How a search goes about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Whether tasks weigh as much as they are long, at first, rather than all the same.
    pub(super) by_length: bool,
    /// Rounds between two replacements of a member of the crew, if any.
    pub(super) replacing: Option<u64>,
    /// Seed of its random choices.
    pub(super) seed: u64,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Every task is staffed.
    Found,
    /// The rounds are used up.
    Exhausted,
    /// The time is over.
    Expired,
}

/// A running search.
#[derive(Debug)]
pub(super) struct Search<'a> {
    pub(super) instance: &'a Instance,
    pub(super) random: Random,
    replacing: Option<u64>,
    pub(super) in_crew: Vec<bool>,
    /// The crew.
    pub(super) members: Vec<usize>,
    /// Everybody else.
    pub(super) outside: Vec<usize>,
    /// For each worker the replacement until which he may not come back.
    pub(super) away: Vec<u64>,
    pub(super) replacements: u64,
    /// The tasks of each worker, by time.
    pub(super) days: Vec<Vec<usize>>,
    pub(super) pool: Vec<usize>,
    pub(super) weights: Vec<i64>,
    growth: Vec<i64>,
    /// For each task and worker the round until which it may not go there.
    forbidden: Vec<u64>,
    round: u64,
}

impl<'a> Search<'a> {
    /// Starts with this crew and what best fit gives them.
    pub(super) fn new(instance: &'a Instance, crew: &[usize], style: Style) -> Self {
        let tasks = instance.tasks();
        let weight = |length: i64| if style.by_length { length } else { EVEN_WEIGHT };
        let mut in_crew = vec![false; instance.workers()];
        for &worker in crew {
            in_crew[worker] = true;
        }
        let mut search = Self {
            instance,
            random: Random::new(style.seed),
            replacing: style
                .replacing
                .filter(|_| !crew.is_empty() && crew.len() < instance.workers()),
            members: crew.to_vec(),
            outside: (0..instance.workers()).filter(|&worker| !in_crew[worker]).collect(),
            away: vec![0; instance.workers()],
            replacements: 0,
            in_crew,
            days: vec![Vec::new(); instance.workers()],
            pool: Vec::new(),
            weights: tasks.iter().map(|task| weight(task.length())).collect(),
            growth: tasks.iter().map(|task| (weight(task.length()) / 100).max(1)).collect(),
            forbidden: vec![0; tasks.len() * instance.workers()],
            round: 0,
        };
        search.fill();
        search
    }

    /// Gives tasks in order of start to whoever has waited least; the others go to the pool.
    fn fill(&mut self) {
        let tasks = self.instance.tasks();
        let mut order: Vec<usize> = (0..tasks.len()).collect();
        order.sort_by_key(|&task| (tasks[task].start, task));
        for task in order {
            let start = tasks[task].start;
            let free_since = |worker: usize| self.days[worker].last().map_or(i64::MIN, |&last| tasks[last].end);
            let free = self.instance.qualified(task).iter().copied();
            let free = free.filter(|&worker| self.in_crew[worker] && free_since(worker) <= start);
            match free.max_by_key(|&worker| free_since(worker)) {
                Some(worker) => self.days[worker].push(task),
                None => self.pool.push(task),
            }
        }
    }

    /// Searches for at most so many rounds.
    pub(super) fn run(&mut self, rounds: u64, deadline: &Deadline) -> Ending {
        let last = self.round.saturating_add(rounds);
        while !self.pool.is_empty() {
            if self.round >= last {
                return Ending::Exhausted;
            }
            self.round += 1;
            deadline.spend(1);
            if self.round.is_multiple_of(ROUNDS_PER_QUESTION) && deadline.is_over() {
                return Ending::Expired;
            }
            if self.replacing.is_some_and(|rounds| self.round.is_multiple_of(rounds)) {
                self.replace();
            } else {
                self.step();
            }
        }
        Ending::Found
    }

    /// The worker of each task, once all are staffed.
    pub(super) fn worker_of(&self) -> Vec<usize> {
        let mut worker_of = vec![0; self.instance.tasks().len()];
        for (worker, day) in self.days.iter().enumerate() {
            for &task in day {
                worker_of[task] = worker;
            }
        }
        worker_of
    }

    /// One round: the best move that is not forbidden, even if it makes things worse.
    fn step(&mut self) {
        let pool = self.pool.len();
        let from = self.random.place(pool);
        let mut best: Option<(i64, usize, usize)> = None;
        let mut equals = 0;
        for look in 0..pool.min(MOST_LOOKED_AT) {
            let place = (from + look) % pool;
            let task = self.pool[place];
            for &worker in self.instance.qualified(task) {
                if !self.in_crew[worker] || self.forbidden[task * self.days.len() + worker] > self.round {
                    continue;
                }
                let cost = self.cost(task, worker, best.map_or(i64::MAX, |(cost, _, _)| cost));
                match best {
                    Some((least, _, _)) if cost > least => {}
                    Some((least, _, _)) if cost == least => {
                        equals += 1;
                        if self.random.place(equals) == 0 {
                            best = Some((cost, place, worker));
                        }
                    }
                    _ => {
                        equals = 1;
                        best = Some((cost, place, worker));
                    }
                }
            }
        }
        let Some((cost, place, worker)) = best else { return };
        if cost >= 0 {
            for &task in &self.pool {
                self.weights[task] += self.growth[task];
            }
        }
        self.insert(place, worker);
    }

    /// What the pool would gain in weight; no more exact than is needed to see that it exceeds `enough`.
    fn cost(&self, task: usize, worker: usize, enough: i64) -> i64 {
        let tasks = self.instance.tasks();
        let new = tasks[task];
        let mut cost = -self.weights[task];
        for &other in &self.days[worker] {
            if tasks[other].end <= new.start {
                continue;
            }
            if tasks[other].start >= new.end || cost > enough {
                break;
            }
            cost += self.weights[other];
        }
        cost
    }

    /// Gives a task of the pool to a worker.
    fn insert(&mut self, place: usize, worker: usize) {
        let tasks = self.instance.tasks();
        let task = self.pool.swap_remove(place);
        let day = &mut self.days[worker];
        let from = day.partition_point(|&other| tasks[other].end <= tasks[task].start);
        let to = day.partition_point(|&other| tasks[other].start < tasks[task].end);
        let thrown = self.pool.len();
        self.pool.extend(day.splice(from..to, [task]));
        let away = 10 + self.random.place(10) + thrown * 6 / 10;
        for &out in &self.pool[thrown..] {
            self.forbidden[out * self.days.len() + worker] = self.round + away as u64;
        }
    }
}
