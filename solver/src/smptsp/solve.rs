//! From an instance to a staffing and a bound.
//!
//! Invariant: an answer's staffing and bound have passed [`check`].

use super::bound::{self, Bound};
use super::check;
use super::forced;
use super::instance::Instance;
use super::search::{Ending, Search, Style};

/// Rounds of the first searches for each task; later ones get more.
const ROUNDS_PER_TASK: u64 = 50;
/// Ways to go about a search, one after another.
const STYLES: u64 = 4;
/// Searches with one number of workers on the way up; each style gets twice the rounds it had before.
const ASCENDING_ATTEMPTS: u64 = 16;

/// What the answer may cost.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Seconds on the caller's clock.
    pub seconds: f64,
    /// Seed of all random choices.
    pub seed: u64,
}

/// A staffing, as far as one was found, and a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The worker of each task; `None` if no staffing was found.
    pub worker_of: Option<Vec<usize>>,
    /// How many workers it uses; `None` without one.
    pub workers: Option<usize>,
    /// Fewer than this do not suffice.
    pub bound: Bound,
}

impl Answer {
    /// Whether no staffing has fewer workers.
    pub fn proved(&self) -> bool {
        self.workers == Some(self.bound.workers())
    }
}

/// Looks for a staffing with the fewest workers. `clock` counts seconds from any origin.
pub fn solve(instance: &Instance, settings: Settings, clock: &mut dyn FnMut() -> f64) -> Answer {
    let deadline = clock() + settings.seconds;
    let mut expired = || clock() >= deadline;
    let mut answer = Answer {
        worker_of: None,
        workers: None,
        bound: bound::peak(instance),
    };
    if (0..instance.tasks().len()).any(|task| instance.qualified(task).is_empty()) {
        return answer;
    }
    let crew = by_skill(instance);
    let mut attempt = Attempt {
        instance,
        crew: &crew,
        seed: settings.seed,
        number: 0,
        expired: &mut expired,
    };
    // From the bound upwards until something is found, ever more quickly; then down again.
    let first_rounds = ROUNDS_PER_TASK * instance.tasks().len() as u64;
    let lower = answer.bound.workers();
    let mut workers = lower;
    let mut stride = 0;
    while answer.workers.is_none() {
        for doublings in (0..ASCENDING_ATTEMPTS).map(|number| number / STYLES) {
            match attempt.run(workers, first_rounds << doublings) {
                Ok(Some(found)) => answer.take(instance, found),
                Ok(None) => continue,
                Err(OutOfTime) => return answer,
            }
            break;
        }
        if workers < instance.workers() {
            stride += 1;
            workers = (workers + stride).min(instance.workers());
        }
    }
    let mut rounds = first_rounds;
    while let Some(workers) = answer.workers
        && workers > lower
    {
        match attempt.run(workers - 1, rounds) {
            Ok(Some(found)) => {
                answer.take(instance, found);
                rounds = first_rounds;
            }
            Ok(None) => rounds += first_rounds,
            Err(OutOfTime) => return answer,
        }
    }
    answer
}

impl Answer {
    /// Keeps a staffing if it is right and better.
    fn take(&mut self, instance: &Instance, worker_of: Vec<usize>) {
        if let Ok(workers) = check::staffing(instance, &worker_of)
            && self.workers.is_none_or(|known| workers < known)
        {
            self.worker_of = Some(worker_of);
            self.workers = Some(workers);
        }
    }
}

/// The time is over.
struct OutOfTime;

/// What one search after another has in common.
struct Attempt<'a> {
    instance: &'a Instance,
    crew: &'a [usize],
    seed: u64,
    number: u64,
    expired: &'a mut dyn FnMut() -> bool,
}

impl Attempt<'_> {
    /// One search with so many workers; each goes about it in another way than the one before.
    fn run(&mut self, workers: usize, rounds: u64) -> Result<Option<Vec<usize>>, OutOfTime> {
        if (self.expired)() {
            return Err(OutOfTime);
        }
        let Ok(joined) = forced::join(self.instance, workers) else {
            return Ok(None);
        };
        let style = Style {
            by_length: !self.number.is_multiple_of(2),
            replacing: !(self.number / 2).is_multiple_of(2),
            seed: self.seed.wrapping_add(self.number),
        };
        self.number += 1;
        let mut search = Search::new(&joined.instance, &self.crew[..workers.min(self.crew.len())], style);
        match search.run(rounds, self.expired) {
            Ending::Found => Ok(Some(joined.spread(&search.worker_of()))),
            Ending::Exhausted => Ok(None),
            Ending::Expired => Err(OutOfTime),
        }
    }
}

/// The workers, those first who can do most.
fn by_skill(instance: &Instance) -> Vec<usize> {
    let tasks = instance.tasks();
    let reach = |worker: usize| -> i64 { instance.skills(worker).iter().map(|&task| tasks[task].length()).sum() };
    let mut crew: Vec<usize> = (0..instance.workers()).collect();
    crew.sort_by_key(|&worker| (-reach(worker), worker));
    crew
}
