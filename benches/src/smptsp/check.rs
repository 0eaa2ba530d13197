//! The recount: whether a staffing keeps every rule, and whether a bound holds. It shares nothing with the
//! search but the instance.

use super::bound::{Bound, MOST_PRICE, PRICE_UNIT};
use super::instance::Instance;

/// What is wrong with a staffing or a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Not exactly one worker for every task.
    #[error("{given} tasks are staffed, and there are {tasks}")]
    Count {
        /// How many are.
        given: usize,
        /// How many should be.
        tasks: usize,
    },
    /// A worker who is not there, or cannot do the task.
    #[error("worker {worker} cannot do task {task}")]
    Unqualified {
        /// The worker.
        worker: usize,
        /// The task.
        task: usize,
    },
    /// Two tasks at once.
    #[error("worker {worker} has tasks {first} and {second} at once")]
    Overlap {
        /// The worker.
        worker: usize,
        /// The task that starts first.
        first: usize,
        /// The other.
        second: usize,
    },
    /// A bound that its evidence does not carry.
    #[error("the bound says {claimed}, its evidence {counted}")]
    Bound {
        /// What is claimed.
        claimed: usize,
        /// What the evidence carries.
        counted: usize,
    },
}

/// Counts the workers of a staffing, which names the worker of every task.
pub fn staffing(instance: &Instance, worker_of: &[usize]) -> Result<usize, Violation> {
    let tasks = instance.tasks();
    if worker_of.len() != tasks.len() {
        return Err(Violation::Count {
            given: worker_of.len(),
            tasks: tasks.len(),
        });
    }
    let mut days: Vec<Vec<usize>> = vec![Vec::new(); instance.workers()];
    for (task, &worker) in worker_of.iter().enumerate() {
        if worker >= instance.workers() || !instance.skills(worker).contains(&task) {
            return Err(Violation::Unqualified { worker, task });
        }
        days[worker].push(task);
    }
    for (worker, day) in days.iter_mut().enumerate() {
        day.sort_by_key(|&task| tasks[task].start);
        for pair in day.windows(2) {
            if tasks[pair[1]].start < tasks[pair[0]].end {
                return Err(Violation::Overlap {
                    worker,
                    first: pair[0],
                    second: pair[1],
                });
            }
        }
    }
    Ok(days.iter().filter(|day| !day.is_empty()).count())
}

/// Recounts a bound from its evidence.
pub fn bound(instance: &Instance, bound: &Bound) -> Result<(), Violation> {
    let counted = match bound {
        Bound::Peak { at, .. } => {
            let running = |task: &&super::Task| task.start <= *at && *at < task.end;
            instance.tasks().iter().filter(running).count()
        }
        Bound::Prices { prices, .. } => priced(instance, prices),
    };
    if counted >= bound.workers() {
        return Ok(());
    }
    Err(Violation::Bound {
        claimed: bound.workers(),
        counted,
    })
}

/// The bound that prices carry: what all tasks pay, less what the best days earn beyond a worker's cost.
fn priced(instance: &Instance, prices: &[i64]) -> usize {
    let tasks = instance.tasks();
    if prices.len() != tasks.len() || prices.iter().any(|price| !(0..=MOST_PRICE).contains(price)) {
        return 0;
    }
    let mut total: i64 = prices.iter().sum();
    for worker in 0..instance.workers() {
        // From the last start to the first: the best that can be earned by tasks from here on.
        let mut skill = instance.skills(worker).to_vec();
        skill.sort_by_key(|&task| tasks[task].start);
        let mut best = vec![0; skill.len() + 1];
        for (here, &task) in skill.iter().enumerate().rev() {
            let after = skill.partition_point(|&other| tasks[other].start < tasks[task].end);
            best[here] = i64::max(best[here + 1], prices[task] + best[after]);
        }
        total -= (best[0] - PRICE_UNIT).max(0);
    }
    // Whole workers: round up.
    usize::try_from(total.max(0).unsigned_abs().div_ceil(PRICE_UNIT.unsigned_abs())).unwrap_or(0)
}
