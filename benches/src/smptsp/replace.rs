//! Who is in the crew: one member gives way to somebody outside.
//!
//! The tasks of a member with little to lose go to the pool. Then whoever outside can take the heaviest set
//! of disjoint tasks of the pool joins with it, found by dynamic programming over the pool by time. Where
//! most workers stay at home, this decides more than the moves within the crew.

use super::search::Search;

/// Members drawn, of whom the one with the lightest tasks leaves.
const MEMBERS_DRAWN: usize = 8;
/// Replacements after which somebody who left may come back, at most.
const MOST_AWAY: usize = 10;
/// Tasks of the pool that those outside compete for, at most.
const MOST_OPEN: usize = 64;

/// Tasks of the pool by their end, and for each how many of them end before it starts.
struct Open {
    tasks: Vec<usize>,
    before: Vec<usize>,
    /// The greatest weight within the first tasks, for the worker last asked about.
    weight: Vec<i64>,
}

impl Search<'_> {
    /// One replacement. There are members, and somebody is outside.
    pub(super) fn replace(&mut self) {
        self.replacements += 1;
        let place = self.lightest();
        let leaving = self.members[place];
        let released = std::mem::take(&mut self.days[leaving]);
        self.pool.extend(released);
        let mut open = self.open();
        let joining_place = self.strongest(&mut open);
        let joining = self.outside[joining_place];
        let day = self.day(joining, &mut open);
        self.pool.retain(|task| !day.contains(task));
        self.days[joining] = day;
        self.members[place] = joining;
        self.outside[joining_place] = leaving;
        self.in_crew[leaving] = false;
        self.in_crew[joining] = true;
        self.away[leaving] = self.replacements + MOST_AWAY.min(self.outside.len() / 2) as u64;
    }

    /// The place of the member with the lightest tasks among some drawn at random.
    fn lightest(&mut self) -> usize {
        let mut best = (i64::MAX, 0);
        for _ in 0..MEMBERS_DRAWN {
            let place = self.random.place(self.members.len());
            let day = &self.days[self.members[place]];
            let load = day.iter().map(|&task| self.weights[task]).sum();
            best = best.min((load, place));
        }
        best.1
    }

    /// The tasks those outside compete for: the pool, or a part of it from a random place on.
    fn open(&mut self) -> Open {
        let pool = self.pool.len();
        let from = if pool > MOST_OPEN { self.random.place(pool) } else { 0 };
        let mut tasks: Vec<usize> = (0..pool.min(MOST_OPEN))
            .map(|look| self.pool[(from + look) % pool])
            .collect();
        let all = self.instance.tasks();
        tasks.sort_unstable_by_key(|&task| (all[task].end, task));
        let ended = |at: i64| tasks.partition_point(|&task| all[task].end <= at);
        let before = tasks.iter().map(|&task| ended(all[task].start)).collect();
        let weight = vec![0; tasks.len() + 1];
        Open { tasks, before, weight }
    }

    /// The place of whoever outside can take most; those who left just now only if there is nobody else.
    fn strongest(&mut self, open: &mut Open) -> usize {
        let mut best = (-1, 0);
        let mut equals = 0;
        for place in 0..self.outside.len() {
            let worker = self.outside[place];
            if self.away[worker] > self.replacements {
                continue;
            }
            let weight = self.heaviest(worker, open);
            if weight > best.0 {
                best = (weight, place);
                equals = 1;
            } else if weight == best.0 {
                equals += 1;
                if self.random.place(equals) == 0 {
                    best = (weight, place);
                }
            }
        }
        best.1
    }

    /// The greatest weight of disjoint open tasks the worker can do.
    fn heaviest(&self, worker: usize, open: &mut Open) -> i64 {
        for (place, (&task, &before)) in open.tasks.iter().zip(&open.before).enumerate() {
            let without = open.weight[place];
            open.weight[place + 1] = if self.instance.able(worker, task) {
                without.max(open.weight[before] + self.weights[task])
            } else {
                without
            };
        }
        open.weight[open.tasks.len()]
    }

    /// Such tasks, by time.
    fn day(&self, worker: usize, open: &mut Open) -> Vec<usize> {
        self.heaviest(worker, open);
        let mut day = Vec::new();
        let mut place = open.tasks.len();
        while place > 0 {
            if open.weight[place] == open.weight[place - 1] {
                place -= 1;
            } else {
                day.push(open.tasks[place - 1]);
                place = open.before[place - 1];
            }
        }
        day.reverse();
        day
    }
}
