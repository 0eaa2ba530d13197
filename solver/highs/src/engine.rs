//! A program that stays in HiGHS's memory and grows between solves.
//!
//! Invariant: the pointer is a live HiGHS object from creation to drop and is used by one thread at a
//! time, because it belongs to one engine or to none; every array passed has the length HiGHS reads or writes;
//! every return code is looked at, and after the first error the engine only answers [`Status::Unreliable`].
//!
//! Objects of several threads run at the same time. HiGHS 1.15 keeps one scheduler for each thread that calls it
//! (`HighsTaskExecutor`, `thread_local`) and with the option `threads` at 1 gives it no workers, so that destroying an object,
//! which resets the scheduler of the calling thread, concerns nobody else. An object knows nothing of the thread that made
//! it, so an engine may take one that another thread left ([`IDLE`]).

#![allow(
    unsafe_code,
    reason = "HiGHS is a C library; good_lp, which wraps it, keeps no basis between solves and gives no dual ray"
)]

use std::ffi::{CStr, c_void};
use std::sync::{Mutex, PoisonError};

use highs_sys::{self as highs, HighsInt};
use solver::deadline::Deadline;
use solver::program::{LinearEngine, Status};

use crate::runs;

/// Objects without a program that wait for the next engine. To make one, set its options and give the thread a scheduler
/// takes longer than to solve a program of some rows. What an object solved before changes nothing of what it answers:
/// with the program HiGHS forgets basis, weights and the state of its random numbers.
static IDLE: Mutex<Vec<Object>> = Mutex::new(Vec::new());
/// Most objects that wait.
const MOST_IDLE: usize = 16;
/// Greatest number of columns and rows of a program whose object is kept: HiGHS does not give its memory back.
const MOST_KEPT: usize = 20_000;

/// A HiGHS object of one thread, no gaps, without presolve.
#[derive(Debug)]
struct Object(*mut c_void);

// SAFETY: HiGHS keeps nothing about the thread that calls it in an object; see the head of this file.
unsafe impl Send for Object {}

impl Drop for Object {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the object lives until here.
            unsafe { highs::Highs_destroy(self.0) };
        }
    }
}

/// A growing program on HiGHS.
#[derive(Debug)]
pub struct Engine {
    object: Object,
    /// An error code was returned: HiGHS's program may not be the one that was asked for.
    failed: bool,
    /// What HiGHS was told to solve with, if this engine told it.
    method: Option<Method>,
    /// A linear program was solved, so the basis may hold columns.
    started: bool,
    /// Since the last optimum of a linear program only columns were added, so that it is a point of this one too.
    feasible: bool,
    /// Columns were integer at some time.
    was_integer: bool,
    added: Added,
    columns: usize,
    /// Lower and upper bound of every row: an infeasible row without columns is found here.
    rows: Vec<(f64, f64)>,
    integer: bool,
    /// The columns HiGHS knows to be as `integer` says.
    typed: usize,
    proposed: Vec<f64>,
    values: Vec<f64>,
    duals: Vec<f64>,
    bound: f64,
}

/// Columns or rows that HiGHS has not been given yet, in its compressed form; never both kinds.
#[derive(Debug, Default)]
struct Added {
    kind: Kind,
    costs: Vec<f64>,
    least: Vec<f64>,
    most: Vec<f64>,
    starts: Vec<HighsInt>,
    indices: Vec<HighsInt>,
    factors: Vec<f64>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Columns,
    Rows,
}

impl Added {
    fn push(&mut self, cost: f64, (least, most): (f64, f64), entries: &[(usize, f64)]) {
        self.costs.push(cost);
        self.least.push(least);
        self.most.push(most);
        self.starts.push(number(self.indices.len()));
        for &(index, factor) in entries {
            self.indices.push(number(index));
            self.factors.push(factor);
        }
    }
}

pub(crate) const TIME: &CStr = c"time_limit";
pub(crate) const ITERATIONS: &CStr = c"simplex_iteration_limit";
pub(crate) const NODES: &CStr = c"mip_max_nodes";
/// Iterations that a node of branch and bound is taken for when work is limited.
const ITERATIONS_OF_A_NODE: u64 = 100;

/// Seconds, and share of what is left, in which HiGHS may not notice that the time of an integer program is up: it does
/// not ask during presolve and some heuristics.
const UNRESPONSIVE: (f64, f64) = (0.5, 0.5);

/// What is left of a deadline in HiGHS's terms.
pub(crate) struct Limits {
    pub(crate) seconds: f64,
    pub(crate) iterations: HighsInt,
    pub(crate) nodes: HighsInt,
}

impl Limits {
    pub(crate) fn of(deadline: &Deadline, integer: bool) -> Self {
        let most = |work: u64| HighsInt::try_from(work).unwrap_or(HighsInt::MAX);
        let work = deadline.work_left().unwrap_or(u64::MAX);
        let (iterations, nodes) = if integer {
            (u64::MAX, work.div_ceil(ITERATIONS_OF_A_NODE))
        } else {
            (work, u64::MAX)
        };
        Self {
            seconds: deadline.left().map_or(f64::INFINITY, |left| {
                let left = left.as_secs_f64();
                let (seconds, share) = UNRESPONSIVE;
                if integer {
                    left - seconds.min(share * left)
                } else {
                    left
                }
            }),
            iterations: most(iterations),
            nodes: most(nodes),
        }
    }

    /// Counts the iterations of a run; all that is left, if it ended at a limit of work, which may have been one of nodes.
    pub(crate) fn spend(deadline: &Deadline, iterations: i64, is_limit: bool) {
        deadline.spend(iterations.try_into().unwrap_or(0));
        if is_limit {
            deadline.spend(deadline.work_left().unwrap_or(0));
        }
    }
}

/// Whether HiGHS ended at a limit of iterations or nodes.
const fn is_work_limit(status: HighsInt) -> bool {
    matches!(
        status,
        highs::MODEL_STATUS_REACHED_ITERATION_LIMIT | highs::MODEL_STATUS_REACHED_SOLUTION_LIMIT
    )
}

/// A number of rows, columns or entries in HiGHS's type. Programs are far smaller than its range; one
/// beyond it becomes an index that HiGHS refuses.
fn number(count: usize) -> HighsInt {
    HighsInt::try_from(count).unwrap_or(-1)
}

const SWITCHES: [(&CStr, bool); 2] = [(c"output_flag", false), (c"mip_detect_symmetry", false)];
const NUMBERS: [(&CStr, HighsInt); 2] = [
    (c"threads", 1),
    // Every coefficient is a small whole number.
    (c"simplex_scale_strategy", 0),
];
const REALS: [(&CStr, f64); 3] = [
    (c"mip_rel_gap", 0.0),
    (c"mip_abs_gap", 0.0),
    // Answers are recounted; looking for the error of an inverse costs as much as a pivot.
    (c"rebuild_refactor_solution_error_tolerance", 0.0),
];
const WORDS: [(&CStr, &CStr); 3] = [(c"presolve", c"off"), (c"solver", c"simplex"), (c"parallel", c"off")];

/// A simplex method. HiGHS forgets weights of rows whenever the program has grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// The dual one from slack rows, with steepest edge, whose weights are then all one.
    Cold,
    /// The dual one from a basis, with Devex: steepest edge would compute a weight for every row first.
    Hot,
    /// The primal one, where columns were priced into an optimum: the dual one would put them to their other bounds and
    /// repair what that breaks.
    Priced,
}

impl Method {
    /// `simplex_strategy` and `simplex_dual_edge_weight_strategy`.
    const fn options(self) -> (HighsInt, HighsInt) {
        match self {
            Self::Cold => (1, -1),
            Self::Hot => (1, 1),
            Self::Priced => (4, 1),
        }
    }
}

impl Engine {
    /// An empty program.
    pub fn new() -> Self {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(Self::fresh, Self::on)
    }

    /// An empty program on an object of its own.
    pub fn fresh() -> Self {
        // SAFETY: makes a new object that nothing else knows.
        let mut engine = Self::on(Object(unsafe { highs::Highs_create() }));
        for (name, value) in SWITCHES {
            // SAFETY: the object lives and the name ends with a zero.
            engine.call(|highs| unsafe { highs::Highs_setBoolOptionValue(highs, name.as_ptr(), value.into()) });
        }
        for (name, value) in NUMBERS {
            engine.set_number(name, value);
        }
        for (name, value) in REALS {
            engine.set_real(name, value);
        }
        for (name, value) in WORDS {
            engine.set_word(name, value);
        }
        engine
    }

    fn on(object: Object) -> Self {
        Self {
            failed: object.0.is_null(),
            object,
            method: None,
            started: false,
            feasible: false,
            was_integer: false,
            added: Added::default(),
            columns: 0,
            rows: Vec::new(),
            integer: false,
            typed: 0,
            proposed: Vec::new(),
            values: Vec::new(),
            duals: Vec::new(),
            bound: f64::NEG_INFINITY,
        }
    }

    /// Calls HiGHS unless it failed before, and remembers whether it fails now.
    fn call(&mut self, function: impl FnOnce(*mut c_void) -> HighsInt) {
        if !self.failed {
            self.failed = function(self.object.0) == highs::STATUS_ERROR;
        }
    }

    fn set_number(&mut self, name: &CStr, value: HighsInt) {
        // SAFETY: the object lives and the name ends with a zero.
        self.call(|highs| unsafe { highs::Highs_setIntOptionValue(highs, name.as_ptr(), value) });
    }

    fn set_real(&mut self, name: &CStr, value: f64) {
        // SAFETY: as above.
        self.call(|highs| unsafe { highs::Highs_setDoubleOptionValue(highs, name.as_ptr(), value) });
    }

    fn set_word(&mut self, name: &CStr, value: &CStr) {
        // SAFETY: the object lives, both strings end with a zero.
        self.call(|highs| unsafe { highs::Highs_setStringOptionValue(highs, name.as_ptr(), value.as_ptr()) });
    }

    fn real(&mut self, name: &CStr) -> Option<f64> {
        let mut value = 0.0;
        // SAFETY: the object lives, the name ends with a zero, one value is written.
        self.call(|highs| unsafe { highs::Highs_getDoubleInfoValue(highs, name.as_ptr(), &raw mut value) });
        (!self.failed).then_some(value)
    }

    fn whole(&mut self, name: &CStr) -> Option<HighsInt> {
        let mut value = 0;
        // SAFETY: the object lives, the name ends with a zero, one value is written.
        self.call(|highs| unsafe { highs::Highs_getIntInfoValue(highs, name.as_ptr(), &raw mut value) });
        (!self.failed).then_some(value)
    }

    /// Gives HiGHS what was added since the last time.
    fn flush(&mut self) {
        let mut added = std::mem::take(&mut self.added);
        if !added.costs.is_empty() {
            let (count, entries) = (number(added.costs.len()), number(added.indices.len()));
            self.call(|highs| {
                // SAFETY: the object lives; costs, bounds and starts have `count` elements, indices and
                // factors `entries`. HiGHS checks the indices itself.
                unsafe {
                    match added.kind {
                        Kind::Columns => highs::Highs_addCols(
                            highs,
                            count,
                            added.costs.as_ptr(),
                            added.least.as_ptr(),
                            added.most.as_ptr(),
                            entries,
                            added.starts.as_ptr(),
                            added.indices.as_ptr(),
                            added.factors.as_ptr(),
                        ),
                        Kind::Rows => highs::Highs_addRows(
                            highs,
                            count,
                            added.least.as_ptr(),
                            added.most.as_ptr(),
                            entries,
                            added.starts.as_ptr(),
                            added.indices.as_ptr(),
                            added.factors.as_ptr(),
                        ),
                    }
                }
            });
            added.costs.clear();
            added.least.clear();
            added.most.clear();
            added.starts.clear();
            added.indices.clear();
            added.factors.clear();
        }
        self.added = added;
    }

    /// Gives HiGHS what was added, if it is of the other kind.
    fn adding(&mut self, kind: Kind) {
        if self.added.kind != kind {
            self.flush();
            self.added.kind = kind;
        }
    }

    fn forget(&mut self) {
        self.values.clear();
        self.duals.clear();
        self.bound = f64::NEG_INFINITY;
    }

    /// Tells HiGHS which columns are integer, and what to start from.
    fn declare(&mut self) {
        if self.integer && self.typed < self.columns {
            let types = vec![highs::VAR_TYPE_INTEGER; self.columns - self.typed];
            let (first, last) = (number(self.typed), number(self.columns - 1));
            // SAFETY: the object lives and has that many columns; there is a type for each of the range.
            self.call(|highs| unsafe { highs::Highs_changeColsIntegralityByRange(highs, first, last, types.as_ptr()) });
            self.typed = self.columns;
        }
        let proposed = std::mem::take(&mut self.proposed);
        if self.integer && proposed.len() == self.columns {
            let none = std::ptr::null();
            // SAFETY: the object lives; there is a value for each column, and HiGHS takes null for an array
            // that is not given.
            self.call(|highs| unsafe { highs::Highs_setSolution(highs, proposed.as_ptr(), none, none, none) });
        }
    }

    /// Tells HiGHS what to solve with.
    fn choose(&mut self) {
        let method = match (self.integer, self.feasible, self.started) {
            (true, ..) | (_, false, false) => Method::Cold,
            (false, true, _) => Method::Priced,
            (false, false, true) => Method::Hot,
        };
        if self.method != Some(method) {
            self.method = Some(method);
            let (strategy, weights) = method.options();
            self.set_number(c"simplex_strategy", strategy);
            self.set_number(c"simplex_dual_edge_weight_strategy", weights);
        }
        self.started |= !self.integer;
        self.feasible = false;
    }

    /// Solves; in numerical trouble once more from the beginning, with presolve if that was off and without if it was on.
    fn run(&mut self, deadline: &Deadline) -> Status {
        if self.failed {
            return Status::Unreliable;
        }
        if let Some(why) = deadline.over() {
            return Status::unfinished(why);
        }
        let status = self.attempt(deadline);
        if status != Status::Unreliable || self.failed || deadline.is_over() {
            return status;
        }
        self.forget();
        self.started = false;
        let (usual, other) = if self.integer { (c"on", c"off") } else { (c"off", c"on") };
        self.set_word(c"presolve", other);
        // SAFETY: the object lives.
        self.call(|highs| unsafe { highs::Highs_clearSolver(highs) });
        let status = self.attempt(deadline);
        self.set_word(c"presolve", usual);
        status
    }

    fn attempt(&mut self, deadline: &Deadline) -> Status {
        let limits = Limits::of(deadline, self.integer);
        self.set_real(TIME, limits.seconds);
        self.set_number(ITERATIONS, limits.iterations);
        self.set_number(NODES, limits.nodes);
        self.choose();
        // HiGHS measures a limit from when its clocks were set to zero.
        // SAFETY: the object lives.
        self.call(|highs| unsafe { highs::Highs_zeroAllClocks(highs) });
        runs::count(self.integer);
        // SAFETY: the object lives.
        self.call(|highs| unsafe { highs::Highs_run(highs) });
        if self.failed {
            return Status::Unreliable;
        }
        let iterations = self.whole(c"simplex_iteration_count");
        // SAFETY: the object lives.
        let status = unsafe { highs::Highs_getModelStatus(self.object.0) };
        Limits::spend(deadline, iterations.unwrap_or(0).into(), is_work_limit(status));
        if status == highs::MODEL_STATUS_INFEASIBLE {
            return Status::Infeasible;
        }
        let feasible = self.whole(c"primal_solution_status") == Some(highs::SOLUTION_STATUS_FEASIBLE);
        if feasible {
            self.read();
        }
        let name = if self.integer {
            c"mip_dual_bound"
        } else {
            c"objective_function_value"
        };
        let proved = self.integer || status == highs::MODEL_STATUS_OPTIMAL;
        if let Some(bound) = self.real(name).filter(|bound| proved && bound.is_finite()) {
            self.bound = bound;
        }
        if status == highs::MODEL_STATUS_OPTIMAL && feasible && !self.failed {
            self.feasible = !self.integer;
            Status::Optimal
        } else if status == highs::MODEL_STATUS_REACHED_TIME_LIMIT {
            deadline.run_out();
            Status::TimeLimit
        } else if is_work_limit(status) {
            Status::WorkLimit
        } else {
            Status::Unreliable
        }
    }

    fn read(&mut self) {
        let mut values = vec![0.0; self.columns];
        let mut duals = vec![0.0; self.rows.len()];
        let none = std::ptr::null_mut();
        self.call(|highs| {
            // SAFETY: the object lives; the arrays have as many elements as it has columns and rows, and
            // HiGHS takes null for an array that is not wanted.
            unsafe { highs::Highs_getSolution(highs, values.as_mut_ptr(), none, none, duals.as_mut_ptr()) }
        });
        if !self.failed {
            self.values = values;
            if !self.integer {
                self.duals = duals;
            }
        }
    }

    /// Without columns every row's total is 0, and HiGHS has nothing to run.
    fn solve_empty(&mut self) -> Status {
        if self.rows.iter().any(|&(least, most)| least > 0.0 || most < 0.0) {
            return Status::Infeasible;
        }
        self.duals = vec![0.0; self.rows.len()];
        self.bound = 0.0;
        Status::Optimal
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Engine {
    /// Leaves the object to the next engine, unless it may differ from a new one.
    fn drop(&mut self) {
        if self.was_integer || self.columns.max(self.rows.len()) > MOST_KEPT {
            return;
        }
        // SAFETY: the object lives.
        self.call(|highs| unsafe { highs::Highs_clearModel(highs) });
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.failed && idle.len() < MOST_IDLE {
            idle.push(Object(std::mem::replace(&mut self.object.0, std::ptr::null_mut())));
        }
    }
}

impl LinearEngine for Engine {
    fn add_column(&mut self, cost: f64, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize {
        self.adding(Kind::Columns);
        self.added.push(cost, bounds, entries);
        self.columns += 1;
        self.columns - 1
    }

    fn add_row(&mut self, bounds: (f64, f64), entries: &[(usize, f64)]) -> usize {
        self.feasible = false;
        self.adding(Kind::Rows);
        self.added.push(0.0, bounds, entries);
        self.rows.push(bounds);
        self.rows.len() - 1
    }

    fn set_cost(&mut self, column: usize, cost: f64) {
        self.flush();
        // SAFETY: the object lives. HiGHS checks the index itself.
        self.call(|highs| unsafe { highs::Highs_changeColCost(highs, number(column), cost) });
    }

    fn set_bounds(&mut self, column: usize, (least, most): (f64, f64)) {
        self.feasible = false;
        self.flush();
        // SAFETY: as above.
        self.call(|highs| unsafe { highs::Highs_changeColBounds(highs, number(column), least, most) });
    }

    fn set_row_bounds(&mut self, row: usize, (least, most): (f64, f64)) {
        self.feasible = false;
        self.flush();
        if let Some(bounds) = self.rows.get_mut(row) {
            *bounds = (least, most);
        }
        // SAFETY: as above.
        self.call(|highs| unsafe { highs::Highs_changeRowBounds(highs, number(row), least, most) });
    }

    fn set_integer(&mut self, integer: bool) {
        if self.integer == integer {
            return;
        }
        self.integer = integer;
        self.was_integer = true;
        self.feasible = false;
        // Presolve undoes the basis, which only linear programs start from.
        self.set_word(c"presolve", if integer { c"on" } else { c"off" });
        if !integer && self.typed > 0 {
            self.typed = 0;
            // SAFETY: the object lives.
            self.call(|highs| unsafe { highs::Highs_clearIntegrality(highs) });
        }
    }

    fn propose(&mut self, values: &[f64]) {
        self.proposed = values.to_vec();
    }

    fn solve(&mut self, deadline: &Deadline) -> Status {
        self.flush();
        self.forget();
        if self.columns == 0 {
            return self.solve_empty();
        }
        self.declare();
        self.run(deadline)
    }

    fn values(&self) -> &[f64] {
        &self.values
    }

    fn duals(&self) -> &[f64] {
        &self.duals
    }

    fn bound(&self) -> f64 {
        self.bound
    }

    fn ray(&mut self) -> Option<Vec<f64>> {
        if self.integer || self.failed || self.rows.is_empty() || !self.added.costs.is_empty() {
            return None;
        }
        let mut weights = vec![0.0; self.rows.len()];
        if self.columns == 0 {
            let broken = self.rows.iter().position(|&(least, most)| least > 0.0 || most < 0.0)?;
            *weights.get_mut(broken)? = 1.0;
            return Some(weights);
        }
        let mut exists: HighsInt = 0;
        // HiGHS may have to solve for it.
        // SAFETY: the object lives; there is an element for each row.
        self.call(|highs| unsafe { highs::Highs_getDualRay(highs, &raw mut exists, weights.as_mut_ptr()) });
        (!self.failed && exists != 0).then_some(weights)
    }
}
