//! Whether all that want hosts at one instant can have some.
//!
//! What stands is a flow that serves everybody but the request, so only the request's hosts are pushed along
//! augmenting paths: into a cell with a free host, or into a full one from which somebody goes elsewhere. No cell is
//! looked at that no path reaches.
//!
//! Invariant (Hall's theorem): where no path is left, the reached cells have no free host, everybody counted there
//! can use no other, and the request still lacks some.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use crate::model::Seconds;
use crate::scope::{CellNumber, DemandNumber, Scope};

/// What an instant shows.
pub(super) enum Instant {
    /// These cells are too few for those that can use no others.
    Short(BTreeSet<CellNumber>),
    /// All have some; the cells that were looked at for that.
    Served(BTreeSet<CellNumber>),
}

/// Demands that may use the same cells.
type Kind = usize;

/// A cell at the instant.
struct Place {
    free: i64,
    /// How many of its hosts each kind has.
    taken: Vec<(Kind, i64)>,
}

impl Place {
    fn add(&mut self, kind: Kind, amount: i64) {
        match self.taken.iter_mut().find(|taken| taken.0 == kind) {
            Some(taken) => taken.1 += amount,
            None => self.taken.push((kind, amount)),
        }
    }
}

struct Flow<'s, 'a> {
    scope: &'s mut Scope<'a>,
    at: Seconds,
    places: HashMap<CellNumber, Place>,
    kinds: HashMap<Rc<[CellNumber]>, Kind>,
    cells_of: Vec<Rc<[CellNumber]>>,
}

/// Looks for a shortage at an instant.
pub(super) fn at(scope: &mut Scope<'_>, at: Seconds) -> Instant {
    let mut flow = Flow {
        scope,
        at,
        places: HashMap::new(),
        kinds: HashMap::new(),
        cells_of: Vec::new(),
    };
    let requested = flow
        .scope
        .requested()
        .map(|number| (number, flow.scope.demand(number).least));
    let displaced = flow.scope.displaced().iter().map(|&(number, _, count)| (number, count));
    let unserved: Vec<(DemandNumber, u32)> = requested.chain(displaced).collect();
    for cell in flow.scope.keeping() {
        // More may stand here than there are hosts.
        let missing = -flow.place(cell).free;
        if missing > 0 {
            flow.place(cell).free = 0;
            if let Some(reached) = flow.serve(Start::Cell(cell), missing) {
                return Instant::Short(reached);
            }
        }
    }
    for (number, count) in unserved {
        if count > 0 && flow.scope.demand(number).occupation.contains(at) {
            let cells = flow.scope.suitable(number);
            let kind = flow.kind(cells);
            if let Some(reached) = flow.serve(Start::Kind(kind), i64::from(count)) {
                return Instant::Short(reached);
            }
        }
    }
    Instant::Served(flow.places.into_keys().collect())
}

/// The demands that can use no cells but these, and want some at the instant.
pub(super) fn confined(scope: &mut Scope<'_>, at: Seconds, cells: &BTreeSet<CellNumber>) -> Vec<DemandNumber> {
    let mut demands: BTreeSet<DemandNumber> = scope.requested().collect();
    demands.extend(scope.displaced().iter().map(|displaced| displaced.0));
    for &cell in cells {
        demands.extend(scope.pending_at(cell, at).into_iter().map(|(number, _)| number));
    }
    let confined = |number: &DemandNumber| {
        let active = scope.demand(*number).occupation.contains(at);
        active && scope.suitable(*number).iter().all(|cell| cells.contains(cell))
    };
    demands.into_iter().filter(confined).collect()
}

/// Where hosts are missing.
#[derive(Clone, Copy)]
enum Start {
    Kind(Kind),
    Cell(CellNumber),
}

impl Flow<'_, '_> {
    fn kind(&mut self, cells: Rc<[CellNumber]>) -> Kind {
        let next = self.cells_of.len();
        let kind = *self.kinds.entry(Rc::clone(&cells)).or_insert(next);
        if kind == next {
            self.cells_of.push(cells);
        }
        kind
    }

    fn place(&mut self, cell: CellNumber) -> &mut Place {
        if !self.places.contains_key(&cell) {
            let mut place = Place {
                free: self.scope.cell(cell).free(self.at),
                taken: Vec::new(),
            };
            for (cells, count) in self.pending(cell) {
                place.add(self.kind(cells), count);
            }
            self.places.insert(cell, place);
        }
        self.places.entry(cell).or_insert_with(|| Place {
            free: 0,
            taken: Vec::new(),
        })
    }

    /// Hosts of a cell that pending demands hold, with the cells each of them may use.
    fn pending(&mut self, cell: CellNumber) -> Vec<(Rc<[CellNumber]>, i64)> {
        if self.scope.is_even() {
            let kinds = self.scope.pending_kinds(cell, self.at).into_iter();
            let known = kinds.map(|(predicate, count)| Some((self.scope.at_all_times(predicate)?, count)));
            if let Some(known) = known.collect() {
                return known;
            }
        }
        let pending = self.scope.pending_at(cell, self.at).into_iter();
        pending
            .map(|(number, count)| (self.scope.suitable(number), i64::from(count)))
            .collect()
    }

    /// Finds hosts for as many as are missing; the cells reached if there are too few.
    fn serve(&mut self, start: Start, mut missing: i64) -> Option<BTreeSet<CellNumber>> {
        while missing > 0 {
            match self.path(start) {
                Ok(path) => missing -= self.push(&path, missing),
                Err(reached) => return Some(reached),
            }
        }
        None
    }

    /// A shortest way to a cell with a free host: the kind that comes into each cell, and from which cell.
    fn path(&mut self, start: Start) -> Result<Vec<Step>, BTreeSet<CellNumber>> {
        let mut steps: Vec<Step> = Vec::new();
        let mut reached: BTreeSet<CellNumber> = BTreeSet::new();
        let mut gone: BTreeSet<Kind> = BTreeSet::new();
        let mut queue: VecDeque<usize> = VecDeque::new();
        let first = match start {
            Start::Kind(kind) => {
                gone.insert(kind);
                Rc::clone(&self.cells_of[kind])
            }
            Start::Cell(cell) => Rc::from([cell]),
        };
        for &cell in first.iter() {
            let kind = match start {
                Start::Kind(kind) => Some(kind),
                Start::Cell(_) => None,
            };
            reached.insert(cell);
            queue.push_back(steps.len());
            steps.push(Step { cell, kind, from: None });
        }
        while let Some(number) = queue.pop_front() {
            let cell = steps[number].cell;
            let place = self.place(cell);
            if place.free > 0 {
                let mut path = Vec::new();
                let mut next = Some(number);
                while let Some(step) = next {
                    path.push(steps[step]);
                    next = steps[step].from;
                }
                return Ok(path);
            }
            let leaving: Vec<Kind> = place
                .taken
                .iter()
                .filter(|taken| taken.1 > 0)
                .map(|taken| taken.0)
                .collect();
            for kind in leaving {
                if gone.insert(kind) {
                    let cells = Rc::clone(&self.cells_of[kind]);
                    for &cell in cells.iter() {
                        if reached.insert(cell) {
                            queue.push_back(steps.len());
                            steps.push(Step {
                                cell,
                                kind: Some(kind),
                                from: Some(number),
                            });
                        }
                    }
                }
            }
        }
        Err(reached)
    }

    /// Sends as many as fit, at most `missing`, along a path, which is given from its end; how many.
    fn push(&mut self, path: &[Step], missing: i64) -> i64 {
        let Some(last) = path.first() else { return missing };
        let mut amount = self.place(last.cell).free.min(missing);
        for (step, before) in path.iter().zip(&path[1..]) {
            let taken = &self.place(before.cell).taken;
            let there = taken.iter().find(|taken| Some(taken.0) == step.kind);
            amount = amount.min(there.map_or(0, |taken| taken.1));
        }
        self.place(last.cell).free -= amount;
        for (number, step) in path.iter().enumerate() {
            if let Some(kind) = step.kind {
                self.take(step.cell, kind, amount);
                if let Some(before) = path.get(number + 1) {
                    self.take(before.cell, kind, -amount);
                }
            }
        }
        amount
    }

    fn take(&mut self, cell: CellNumber, kind: Kind, amount: i64) {
        self.place(cell).add(kind, amount);
    }
}

/// A cell on a path.
#[derive(Clone, Copy)]
struct Step {
    cell: CellNumber,
    /// Who comes into it; `None`: the path begins here.
    kind: Option<Kind>,
    /// The step it comes from; `None`: it is only now given a host.
    from: Option<usize>,
}
