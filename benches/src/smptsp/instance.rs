//! What is to be staffed: tasks with fixed intervals, and workers who can do some of them.
//!
//! Invariant: every task ends after it starts, every time lies within [`MOST_TIME`] of zero, and the two
//! directions of the qualification relation and its table agree.

/// A time is at most this far from zero, so that no sum of lengths or weights overflows.
pub const MOST_TIME: i64 = 1_000_000_000;
/// Most pairs of a task and a worker; the search keeps nine bytes for each.
pub const MOST_PAIRS: usize = 50_000_000;

/// A piece of work that occupies one worker from `start` up to, not including, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// First instant.
    pub start: i64,
    /// First instant after it.
    pub end: i64,
}

impl Task {
    /// How long it takes.
    pub fn length(self) -> i64 {
        self.end - self.start
    }

    /// Whether nobody can do both.
    pub fn overlaps(self, other: Task) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// Why tasks and skills make no instance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstanceError {
    /// A task that ends at or before its start.
    #[error("task {task} starts at {start} and ends at {end}")]
    Empty {
        /// Number of the task.
        task: usize,
        /// Its start.
        start: i64,
        /// Its end.
        end: i64,
    },
    /// A time beyond [`MOST_TIME`].
    #[error("task {task} has a time beyond {MOST_TIME}")]
    Far {
        /// Number of the task.
        task: usize,
    },
    /// More pairs than [`MOST_PAIRS`].
    #[error("{tasks} tasks and {workers} workers are more than {MOST_PAIRS} pairs")]
    Large {
        /// Number of tasks.
        tasks: usize,
        /// Number of workers.
        workers: usize,
    },
    /// A skill for a task that is not there.
    #[error("worker {worker} is qualified for task {task}, and there are {tasks}")]
    Unknown {
        /// Number of the worker.
        worker: usize,
        /// Number of the task.
        task: usize,
        /// Number of tasks.
        tasks: usize,
    },
    /// A skill named twice.
    #[error("worker {worker} is qualified for task {task} twice")]
    Twice {
        /// Number of the worker.
        worker: usize,
        /// Number of the task.
        task: usize,
    },
}

/// Tasks, workers and who can do what. Tasks and workers are numbered from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    tasks: Vec<Task>,
    skills: Vec<Vec<usize>>,
    qualified: Vec<Vec<usize>>,
    able: Vec<bool>,
}

impl Instance {
    /// An instance from its tasks and, for each worker, the tasks he can do.
    pub fn new(tasks: Vec<Task>, skills: Vec<Vec<usize>>) -> Result<Self, InstanceError> {
        let workers = skills.len();
        for (number, task) in tasks.iter().enumerate() {
            if task.start.abs().max(task.end.abs()) > MOST_TIME {
                return Err(InstanceError::Far { task: number });
            }
            if task.end <= task.start {
                return Err(InstanceError::Empty {
                    task: number,
                    start: task.start,
                    end: task.end,
                });
            }
        }
        let pairs = tasks.len().checked_mul(workers).filter(|&pairs| pairs <= MOST_PAIRS);
        let Some(pairs) = pairs else {
            return Err(InstanceError::Large {
                tasks: tasks.len(),
                workers,
            });
        };
        let mut able = vec![false; pairs];
        let mut qualified = vec![Vec::new(); tasks.len()];
        for (worker, skill) in skills.iter().enumerate() {
            for &task in skill {
                let Some(list) = qualified.get_mut(task) else {
                    return Err(InstanceError::Unknown {
                        worker,
                        task,
                        tasks: tasks.len(),
                    });
                };
                if std::mem::replace(&mut able[task * workers + worker], true) {
                    return Err(InstanceError::Twice { worker, task });
                }
                list.push(worker);
            }
        }
        Ok(Self {
            tasks,
            skills,
            qualified,
            able,
        })
    }

    /// The tasks.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.skills.len()
    }

    /// The tasks a worker can do.
    pub fn skills(&self, worker: usize) -> &[usize] {
        &self.skills[worker]
    }

    /// The workers who can do a task.
    pub fn qualified(&self, task: usize) -> &[usize] {
        &self.qualified[task]
    }

    /// Whether the worker can do the task.
    pub fn able(&self, worker: usize, task: usize) -> bool {
        self.able[task * self.skills.len() + worker]
    }
}
