//! Decisions go before questions at the model solver, which serves one at a time in a process.
//!
//! Invariant: a question is with the solver for at most [`SLICE`] seconds at a time, no two are there at once, and none begins
//! while a decision is there or waits. So a decision waits for no more than one slice. A question whose time is over gets no
//! more of it, also in the midst of a decision it takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use solver::planner::ModelSolver;
use solver::program::{LinearEngine, Outcome, Program, Solved, Status, Step};

/// Seconds a question is with the solver at a time.
pub(crate) const SLICE: f64 = 0.25;
/// How often a waiting question looks whether its time is over.
const LOOK: Duration = Duration::from_millis(20);

/// A model solver as decisions or one question may use it.
#[derive(Clone)]
pub(crate) struct Precedence {
    solver: Arc<dyn ModelSolver>,
    line: Arc<Line>,
    role: Role,
}

#[derive(Clone)]
enum Role {
    Decision,
    /// Whether its time is over.
    Question(Arc<AtomicBool>),
}

/// The line before the solver.
#[derive(Default)]
struct Line {
    here: Mutex<Here>,
    /// Somebody has left.
    left: Condvar,
}

#[derive(Default)]
struct Here {
    /// Decisions with the solver or waiting for it.
    decisions: usize,
    /// Whether a question is with the solver.
    question: bool,
}

/// A decision in the line.
struct Deciding<'a>(&'a Line);

/// A question with the solver.
struct Asking<'a>(&'a Line);

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Deciding<'a> {
    fn new(line: &'a Line) -> Self {
        held(&line.here).decisions += 1;
        Self(line)
    }
}

impl<'a> Asking<'a> {
    /// Waits until nobody is there; `None` if the time of the question is over before.
    fn new(line: &'a Line, expired: &AtomicBool) -> Option<Self> {
        let mut here = held(&line.here);
        loop {
            if expired.load(Ordering::Relaxed) {
                return None;
            }
            if here.decisions == 0 && !here.question {
                here.question = true;
                return Some(Self(line));
            }
            let waited = line.left.wait_timeout(here, LOOK);
            here = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        held(&self.0.here).question = false;
        self.0.left.notify_all();
    }
}

impl Drop for Deciding<'_> {
    fn drop(&mut self) {
        held(&self.0.here).decisions -= 1;
        self.0.left.notify_all();
    }
}

impl Precedence {
    /// The solver for decisions.
    pub(crate) fn new(solver: Arc<dyn ModelSolver>) -> Self {
        Self {
            solver,
            line: Arc::default(),
            role: Role::Decision,
        }
    }

    /// The same solver for a question.
    pub(crate) fn for_question(&self, expired: Arc<AtomicBool>) -> Self {
        Self {
            role: Role::Question(expired),
            ..self.clone()
        }
    }

    /// Works with the solver for at most the seconds that `work` is told; `None` if the time of the question is over.
    fn served<T>(&self, seconds: Option<f64>, work: impl FnOnce(Option<f64>) -> T) -> Option<T> {
        let Role::Question(expired) = &self.role else {
            let _deciding = Deciding::new(&self.line);
            return Some(work(seconds));
        };
        let _asking = Asking::new(&self.line, expired)?;
        Some(work(Some(seconds.map_or(SLICE, |seconds| seconds.min(SLICE)))))
    }
}

impl ModelSolver for Precedence {
    fn solve(&self, program: &Program, seconds: Option<f64>) -> Solved {
        let solved = self.served(seconds, |seconds| self.solver.solve(program, seconds));
        solved.unwrap_or(Solved {
            outcome: Outcome::Limit,
            seconds: 0.0,
        })
    }

    fn engine(&self) -> Option<Box<dyn LinearEngine>> {
        let inner = self.solver.engine()?;
        Some(Box::new(Engine {
            inner,
            integer: false,
            precedence: self.clone(),
        }))
    }

    fn observe(&self, step: Step) {
        self.solver.observe(step);
    }
}

/// An engine whose solves wait for their turn.
struct Engine {
    inner: Box<dyn LinearEngine>,
    integer: bool,
    precedence: Precedence,
}

impl Engine {
    /// Solves in slices. A linear program goes on from where the slice before left it; a mixed-integer one would begin anew, so it
    /// has one slice.
    fn sliced(&mut self, seconds: Option<f64>, solve: fn(&mut dyn LinearEngine, Option<f64>) -> Status) -> Status {
        let Self {
            inner,
            integer,
            precedence,
        } = self;
        let begun = inner.elapsed();
        loop {
            let left = seconds.map(|seconds| seconds - (inner.elapsed() - begun));
            let started = inner.elapsed();
            let status = precedence.served(left, |seconds| solve(inner.as_mut(), seconds));
            let spent = inner.elapsed() - started;
            let over = left.is_some_and(|left| left <= spent);
            match (status, &precedence.role) {
                // What stops before its slice is over has not run out of time.
                (Some(Status::Limit), Role::Question(_)) if !*integer && !over && spent >= SLICE => {}
                (status, _) => return status.unwrap_or(Status::Limit),
            }
        }
    }
}

impl LinearEngine for Engine {
    fn add_column(&mut self, cost: f64, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize {
        self.inner.add_column(cost, bounds, entries)
    }

    fn add_row(&mut self, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize {
        self.inner.add_row(bounds, entries)
    }

    fn set_cost(&mut self, column: usize, cost: f64) {
        self.inner.set_cost(column, cost);
    }

    fn set_bounds(&mut self, column: usize, bounds: (f64, f64)) {
        self.inner.set_bounds(column, bounds);
    }

    fn set_row_bounds(&mut self, row: usize, bounds: (f64, f64)) {
        self.inner.set_row_bounds(row, bounds);
    }

    fn set_integer(&mut self, integer: bool) {
        self.integer = integer;
        self.inner.set_integer(integer);
    }

    fn propose(&mut self, values: &[f64]) {
        self.inner.propose(values);
    }

    fn solve(&mut self, seconds: Option<f64>) -> Status {
        self.sliced(seconds, |engine, seconds| engine.solve(seconds))
    }

    fn values(&self) -> &[f64] {
        self.inner.values()
    }

    fn duals(&self) -> &[f64] {
        self.inner.duals()
    }

    fn bound(&self) -> f64 {
        self.inner.bound()
    }

    fn ray(&mut self) -> Option<Vec<f64>> {
        self.precedence.served(None, |_| self.inner.ray()).flatten()
    }

    fn elapsed(&self) -> f64 {
        self.inner.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// Serves one at a time, as HiGHS does, and remembers for how long and for whom: programs of decisions have a column.
    #[derive(Default)]
    struct OneAtATime {
        served: Mutex<Vec<(bool, Option<f64>)>>,
        alone: Mutex<()>,
    }

    impl ModelSolver for OneAtATime {
        fn solve(&self, program: &Program, seconds: Option<f64>) -> Solved {
            let _alone = held(&self.alone);
            held(&self.served).push((!program.columns.is_empty(), seconds));
            // Long enough for others to line up.
            for _ in 0..100 {
                thread::yield_now();
            }
            Solved {
                outcome: Outcome::Limit,
                seconds: 0.0,
            }
        }
    }

    fn of_decision() -> Program {
        let mut program = Program::default();
        program.column(0, 1);
        program
    }

    #[test]
    fn a_question_has_one_slice_at_a_time_and_nothing_when_its_time_is_over() {
        let solver = Arc::new(OneAtATime::default());
        let decisions = Precedence::new(solver.clone());
        let expired = Arc::new(AtomicBool::new(false));
        let question = decisions.for_question(Arc::clone(&expired));
        for seconds in [None, Some(10.0), Some(0.1)] {
            question.solve(&Program::default(), seconds);
        }
        decisions.solve(&of_decision(), Some(10.0));
        expired.store(true, Ordering::Relaxed);
        assert_eq!(question.solve(&Program::default(), None).outcome, Outcome::Limit);
        let slices = [Some(SLICE), Some(SLICE), Some(0.1), Some(10.0)];
        assert!(held(&solver.served).iter().map(|(_, seconds)| *seconds).eq(slices));
    }

    /// However many questions crowd in, at most one is served between a decision's arrival and its turn.
    #[test]
    fn a_decision_waits_for_one_slice_at_most() {
        let solver = Arc::new(OneAtATime::default());
        let decisions = Precedence::new(solver.clone());
        let expired = Arc::new(AtomicBool::new(false));
        let asking: Vec<_> = (0..4)
            .map(|_| {
                let question = decisions.for_question(Arc::clone(&expired));
                let expired = Arc::clone(&expired);
                thread::spawn(move || {
                    while !expired.load(Ordering::Relaxed) {
                        question.solve(&Program::default(), None);
                    }
                })
            })
            .collect();
        for _ in 0..50 {
            let so_far = held(&solver.served).len();
            while held(&solver.served).len() == so_far {
                thread::yield_now();
            }
            let _here = Deciding::new(&decisions.line);
            let before = held(&solver.served).len();
            decisions.solve(&of_decision(), None);
            let served = held(&solver.served);
            let turn = served.iter().skip(before).position(|(decision, _)| *decision);
            assert!(turn.is_some_and(|others| others <= 1), "{turn:?}");
        }
        expired.store(true, Ordering::Relaxed);
        for thread in asking {
            thread.join().expect("it ends");
        }
        assert!(held(&solver.served).len() > 60, "questions were served, too");
    }

    #[test]
    fn a_question_that_waits_for_a_decision_stops_with_its_time() {
        let decisions = Precedence::new(Arc::new(OneAtATime::default()));
        let expired = Arc::new(AtomicBool::new(false));
        let question = decisions.for_question(Arc::clone(&expired));
        let deciding = Deciding::new(&decisions.line);
        let (sender, answers) = mpsc::channel();
        let asking = thread::spawn(move || sender.send(question.solve(&Program::default(), None).outcome));
        assert!(answers.recv_timeout(Duration::from_millis(100)).is_err(), "it waits");
        expired.store(true, Ordering::Relaxed);
        assert_eq!(answers.recv(), Ok(Outcome::Limit));
        asking.join().expect("it ends").expect("it was heard");
        drop(deciding);
    }
}
