//! Successions that follow from using no more workers than the peak.
//!
//! At an instant where as many tasks run as there are workers, everybody works. If between two such
//! instants one task ends and one starts, whoever ends the one must start the other: the two are one task.
//! Joined, they leave the search fewer ways to go wrong, and its single moves reach further.

use super::bound::profile;
use super::instance::{Instance, InstanceError, Task};

/// An instance whose tasks stand for chains of another's.
#[derive(Debug)]
pub(super) struct Joined {
    /// The joined tasks.
    pub(super) instance: Instance,
    /// The tasks that each stands for.
    pub(super) members: Vec<Vec<usize>>,
}

impl Joined {
    /// The worker of each original task.
    pub(super) fn spread(&self, worker_of: &[usize]) -> Vec<usize> {
        let mut spread = vec![0; self.members.iter().map(Vec::len).sum()];
        for (members, &worker) in self.members.iter().zip(worker_of) {
            for &member in members {
                spread[member] = worker;
            }
        }
        spread
    }
}

/// Joins what `workers` workers must do in succession. With more workers than the peak that is nothing.
pub(super) fn join(instance: &Instance, workers: usize) -> Result<Joined, InstanceError> {
    let tasks = instance.tasks();
    let profile = profile(instance);
    let full: Vec<i64> = profile
        .into_iter()
        .filter_map(|(at, running)| (running == workers).then_some(at))
        .collect();
    let mut next = vec![None; tasks.len()];
    let mut follows = vec![false; tasks.len()];
    for pair in full.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let mut ending = Vec::new();
        let mut starting = Vec::new();
        for (number, task) in tasks.iter().enumerate() {
            if from < task.end && task.end <= to {
                ending.push(number);
            }
            if from < task.start && task.start <= to {
                starting.push(number);
            }
        }
        if let ([before], [after]) = (&ending[..], &starting[..])
            && before != after
        {
            next[*before] = Some(*after);
            follows[*after] = true;
        }
    }
    let mut members = Vec::new();
    let mut joined = Vec::new();
    for first in (0..tasks.len()).filter(|&task| !follows[task]) {
        let mut chain = vec![first];
        let mut last = first;
        while let Some(after) = next[last] {
            chain.push(after);
            last = after;
        }
        joined.push(Task {
            start: tasks[first].start,
            end: tasks[last].end,
        });
        members.push(chain);
    }
    let able = |worker: usize, chain: &[usize]| chain.iter().all(|&task| instance.able(worker, task));
    let skills = (0..instance.workers())
        .map(|worker| {
            (0..members.len())
                .filter(|&chain| able(worker, &members[chain]))
                .collect()
        })
        .collect();
    Ok(Joined {
        instance: Instance::new(joined, skills)?,
        members,
    })
}
