//! From an instance to a staffing and a bound.
//!
//! Invariant: an answer's staffing and bound have passed [`check`].

use solver::deadline::{Deadline, Part};

use super::bound::{self, Bound};
use super::check;
use super::forced;
use super::instance::Instance;
use super::prices::Pricing;
use super::search::{Ending, Search, Style};

/// Rounds of the first searches for each task; later ones get more.
const ROUNDS_PER_TASK: u64 = 50;
/// Ways to go about a search, one after another.
const STYLES: u64 = 4;
/// Rounds between two replacements, in turn.
const REPLACING: [Option<u64>; 2] = [None, Some(20)];
/// Passes of pricing before the first search.
const FIRST_PASSES: Part = Part::of_work(60);
/// Share of the deadline that prices may take.
const SHARE_OF_PRICING: f64 = 0.4;

/// A staffing, as far as one was found, and a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The worker of each task; `None` if no staffing was found.
    pub worker_of: Option<Vec<usize>>,
    /// How many workers it uses; `None` without one.
    pub workers: Option<usize>,
    /// Fewer than this do not suffice. More than there are: no staffing exists.
    pub bound: Bound,
}

impl Answer {
    /// Whether no staffing has fewer workers.
    pub fn proved(&self) -> bool {
        self.workers == Some(self.bound.workers())
    }
}

/// Looks for a staffing with the fewest workers. Without anybody for one of the tasks there is none, and it answers at
/// once.
pub fn solve(instance: &Instance, seed: u64, deadline: &Deadline) -> Answer {
    let mut answer = Answer {
        worker_of: None,
        workers: None,
        bound: bound::peak(instance),
    };
    if (0..instance.tasks().len()).any(|task| instance.qualified(task).is_empty()) {
        return answer;
    }
    let mut attempts = Attempts {
        instance,
        crew: by_skill(instance),
        seed,
        number: 0,
    };
    if attempts.with_everybody(&mut answer, deadline).is_err() || answer.proved() {
        return answer;
    }
    // A few passes tell whether scarce skills or the peak decide. If it is the peak, it nearly always is the
    // optimum, and a staffing is found before better prices are.
    let impossible = instance.workers() + 1;
    let mut pricing = Pricing::new(instance, seed);
    pricing.run(impossible, &deadline.part(FIRST_PASSES));
    answer.raise(instance, pricing.bound());
    if matches!(answer.bound, Bound::Peak { .. })
        && (attempts.at_bound(&mut answer, deadline).is_err() || answer.proved())
    {
        return answer;
    }
    pricing.run(impossible, &deadline.share(SHARE_OF_PRICING));
    answer.raise(instance, pricing.bound());
    if answer.bound.workers() > instance.workers() {
        return answer;
    }
    attempts.crew = by_earnings(&pricing.earnings());
    // The time being over is no failure: the answer is the best found until then.
    if attempts.upwards(&mut answer, deadline).is_ok() {
        let _ = attempts.downwards(&mut answer, deadline);
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

    /// Keeps a bound if it holds and is better.
    fn raise(&mut self, instance: &Instance, bound: Bound) {
        if bound.workers() > self.bound.workers() && check::bound(instance, &bound).is_ok() {
            self.bound = bound;
        }
    }
}

/// The time is over.
struct OutOfTime;

/// What one search after another has in common.
struct Attempts<'a> {
    instance: &'a Instance,
    /// All workers, the most promising first.
    crew: Vec<usize>,
    seed: u64,
    number: u64,
}

impl Attempts<'_> {
    /// One search with everybody, so that there is an answer early.
    fn with_everybody(&mut self, answer: &mut Answer, deadline: &Deadline) -> Result<(), OutOfTime> {
        if let Some(found) = self.run(self.instance.workers(), self.first_rounds(), deadline)? {
            answer.take(self.instance, found);
        }
        Ok(())
    }

    /// A few searches with no more workers than the bound.
    fn at_bound(&mut self, answer: &mut Answer, deadline: &Deadline) -> Result<(), OutOfTime> {
        for _ in 0..STYLES {
            if let Some(found) = self.run(answer.bound.workers(), self.first_rounds(), deadline)? {
                answer.take(self.instance, found);
                break;
            }
        }
        Ok(())
    }

    /// From the bound upwards, ever more quickly, until something better is found. Short searches: a
    /// staffing with some too many is worth more than none when the time is over.
    fn upwards(&mut self, answer: &mut Answer, deadline: &Deadline) -> Result<(), OutOfTime> {
        let all = self.instance.workers();
        let mut workers = answer.bound.workers();
        let mut stride = 0;
        while answer.workers.is_none_or(|known| workers < known) {
            for _ in 0..STYLES {
                if let Some(found) = self.run(workers, self.first_rounds(), deadline)? {
                    answer.take(self.instance, found);
                    return Ok(());
                }
            }
            stride += 1;
            workers = (workers + stride).min(all);
        }
        Ok(())
    }

    /// One worker fewer, again and again, down to the bound.
    fn downwards(&mut self, answer: &mut Answer, deadline: &Deadline) -> Result<(), OutOfTime> {
        let mut rounds = self.first_rounds();
        while let Some(workers) = answer.workers
            && workers > answer.bound.workers()
        {
            if let Some(found) = self.run(workers - 1, rounds, deadline)? {
                answer.take(self.instance, found);
                rounds = self.first_rounds();
            } else {
                rounds += self.first_rounds();
            }
        }
        Ok(())
    }

    fn first_rounds(&self) -> u64 {
        ROUNDS_PER_TASK * self.instance.tasks().len() as u64
    }

    /// One search with so many workers; each goes about it in another way than the one before.
    fn run(&mut self, workers: usize, rounds: u64, deadline: &Deadline) -> Result<Option<Vec<usize>>, OutOfTime> {
        if deadline.is_over() {
            return Err(OutOfTime);
        }
        let Ok(joined) = forced::join(self.instance, workers) else {
            return Ok(None);
        };
        let style = Style {
            by_length: !self.number.is_multiple_of(2),
            replacing: REPLACING[usize::try_from(self.number / 2 % 2).unwrap_or(0)],
            seed: self.seed.wrapping_add(self.number),
        };
        self.number += 1;
        let crew = &self.crew[..workers.min(self.crew.len())];
        let mut search = Search::new(&joined.instance, crew, style);
        match search.run(rounds, deadline) {
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

/// The workers, those first whose best day earns most.
fn by_earnings(earnings: &[i64]) -> Vec<usize> {
    let mut crew: Vec<usize> = (0..earnings.len()).collect();
    crew.sort_by_key(|&worker| (std::cmp::Reverse(earnings[worker]), worker));
    crew
}
