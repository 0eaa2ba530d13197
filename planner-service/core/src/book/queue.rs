//! Jobs that wait for the writer.
//!
//! Invariant: events come before everything else, then what was decided apart, then one job of each project in turn. A
//! project that sends many jobs lengthens its own line only.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::job::{Origin, Submitted};

/// Most jobs of one project that wait.
pub(super) const MOST_WAITING: usize = 1_000;

/// Why a job does not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    /// Too many jobs of its project wait already.
    Crowded,
    /// The writer has stopped.
    Stopped,
}

/// The line before the writer.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Submitted>,
    decided: VecDeque<Submitted>,
    /// Never empty.
    projects: HashMap<Arc<str>, VecDeque<Submitted>>,
    /// Each project that waits, once, the one whose turn is next first.
    turns: VecDeque<Arc<str>>,
    closed: bool,
}

impl Waiting {
    fn next(&mut self) -> Option<Submitted> {
        if let Some(first) = self.events.pop_front().or_else(|| self.decided.pop_front()) {
            return Some(first);
        }
        let project = self.turns.pop_front()?;
        let jobs = self.projects.get_mut(&project)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.projects.remove(&project);
        } else {
            self.turns.push_back(project);
        }
        job
    }

    /// Puts a job before the others of its kind.
    fn put_back(&mut self, job: Submitted) {
        match &job.origin {
            _ if job.decided.is_some() => self.decided.push_front(job),
            Origin::Event => self.events.push_front(job),
            Origin::Project(project) => {
                let project = Arc::clone(project);
                self.turns.retain(|waiting| *waiting != project);
                self.turns.push_front(Arc::clone(&project));
                self.projects.entry(project).or_default().push_front(job);
            }
        }
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a job wait.
    pub(super) fn push(&self, job: Submitted) -> Result<(), Turned> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(Turned::Stopped);
        }
        match &job.origin {
            _ if job.decided.is_some() => waiting.decided.push_back(job),
            Origin::Event => waiting.events.push_back(job),
            Origin::Project(project) => {
                let project = Arc::clone(project);
                let own = waiting.projects.get(&project).map_or(0, VecDeque::len);
                if own >= MOST_WAITING {
                    return Err(Turned::Crowded);
                }
                if own == 0 {
                    waiting.turns.push_back(Arc::clone(&project));
                }
                waiting.projects.entry(project).or_default().push_back(job);
            }
        }
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes the jobs whose turn it is, at most so many.
    pub(super) fn take(&self, most: usize) -> Vec<Submitted> {
        let mut waiting = self.waiting();
        std::iter::from_fn(|| waiting.next()).take(most).collect()
    }

    /// Has jobs wait again in the order in which they were taken.
    pub(super) fn put_back(&self, jobs: Vec<Submitted>) {
        if jobs.is_empty() {
            return;
        }
        let mut waiting = self.waiting();
        jobs.into_iter().rev().for_each(|job| waiting.put_back(job));
        drop(waiting);
        self.arrived.notify_one();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let waiting = self.waiting();
        let of_projects = waiting.projects.values().map(VecDeque::len).sum::<usize>();
        waiting.events.len() + waiting.decided.len() + of_projects
    }

    /// Returns when jobs may have arrived.
    pub(super) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Forgets the jobs that wait and takes no more.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting();
        *waiting = Waiting {
            closed: true,
            ..Waiting::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::job::{Draft, Job, Outcome};
    use super::*;

    struct Idle;

    impl Job for Idle {
        fn decide(&mut self, _draft: &mut Draft) -> bool {
            false
        }

        fn finish(&mut self, _outcome: Outcome) {}
    }

    fn event() -> Submitted {
        Submitted::new(Origin::Event, Box::new(Idle))
    }

    fn of(project: &str) -> Submitted {
        Submitted::new(Origin::Project(Arc::from(project)), Box::new(Idle))
    }

    fn taken(queue: &Queue, most: usize) -> Vec<String> {
        names(&queue.take(most))
    }

    fn names(jobs: &[Submitted]) -> Vec<String> {
        let name = |job: &Submitted| match &job.origin {
            Origin::Event => "event".to_owned(),
            Origin::Project(project) => project.to_string(),
        };
        jobs.iter().map(name).collect()
    }

    #[test]
    fn v2_events_go_first_and_projects_take_turns() {
        let queue = Queue::default();
        for job in [of("a"), of("a"), of("a"), of("b"), event(), of("c"), of("c")] {
            assert_eq!(queue.push(job), Ok(()));
        }
        let first = queue.take(4);
        assert_eq!(names(&first), ["event", "a", "b", "c"]);
        assert_eq!(queue.push(event()), Ok(()));
        // What was not got to comes in the order in which it would have come.
        queue.put_back(first.into_iter().skip(2).collect());
        assert_eq!(taken(&queue, 9), ["event", "b", "c", "a", "c", "a"]);
        assert_eq!(queue.take(9).len(), 0);
    }

    #[test]
    fn v2_a_project_lengthens_its_own_line_only() {
        let queue = Queue::default();
        for _ in 0..MOST_WAITING {
            assert_eq!(queue.push(of("busy")), Ok(()));
        }
        assert_eq!(queue.push(of("busy")), Err(Turned::Crowded));
        assert_eq!(queue.push(of("other")), Ok(()));
        assert_eq!(taken(&queue, 2), ["busy", "other"]);
        queue.close();
        assert_eq!(queue.take(9).len(), 0);
        assert_eq!(queue.push(event()), Err(Turned::Stopped));
    }
}
