//! What a decision has looked at of the fleet so far.
//!
//! A decision begins with the classes that serve its request and looks further only where it has to: a class is
//! opened when somebody may be sent there, a pending promise becomes known when it holds hosts of a class at an
//! instant somebody else needs. How full a class is and who holds its hosts is read off the index, not off hosts.
//!
//! A *group* is a class in which moves are not counted: classes of the index that no expression alive tells apart.
//! A *cell* is a group, or part of it where fixed work to come makes its hosts unequal; see `classes`, whose fine
//! classes the cells of such a group are.
//!
//! Invariant: what is known is exact. Everything not yet known stands on hosts of its own, as the index counts
//! them; so cells' loads are those of the whole fleet, whatever of it was looked at. The order in which things
//! become known depends on the state alone, not on how it came about.

mod cells;
mod holding;
mod part;
mod place;
mod suiting;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

pub(crate) use cells::Cell;

use crate::hosts::{HostNumber, ReservationNumber};
use crate::index::{Groups, Held, Index, PredicateNumber};
use crate::model::{HostId, Interval, Request, ReservationId, Seconds};
use crate::planner::Planner;
use crate::predicate::Predicate;
use crate::reach::{Aside, Reach, Reached};
use crate::request::Ask;

/// A cell's number, in the order in which they were opened.
pub(crate) type CellNumber = usize;
/// A demand's number: the requested ones first, then pending ones in the order in which they became known.
pub(crate) type DemandNumber = usize;

/// Hosts per cell or class, for every demand that may differ from what it holds.
pub(crate) type Counts = BTreeMap<DemandNumber, BTreeMap<CellNumber, u32>>;

/// A reservation whose hosts are to be chosen.
pub(crate) struct Demand<'a> {
    pub(crate) reservation: &'a ReservationId,
    pub(crate) window: Interval,
    pub(crate) occupation: Interval,
    pub(crate) predicate: PredicateNumber,
    /// Fewest hosts.
    pub(crate) least: u32,
    /// Most hosts.
    pub(crate) most: u32,
    /// What the planner calls it; `None`: it is requested.
    pub(crate) number: Option<ReservationNumber>,
    /// Hosts a requested one would rather have than others.
    likes: Vec<HostNumber>,
    /// What a pending one holds of each cell, once it was asked for.
    held: Option<Rc<[(CellNumber, u32)]>>,
    eligible: Option<Rc<[CellNumber]>>,
}

impl Demand<'_> {
    /// `false`: pending, so that leaving a group is a move.
    pub(crate) const fn requested(&self) -> bool {
        self.number.is_none()
    }
}

/// From when on nobody can come to hosts of a group.
fn until(groups: &Groups, reached: &Reached, group: usize) -> Seconds {
    let spans = groups.classes(group).iter().filter_map(|&class| reached.span(class));
    spans.map(|span| span.end).max().unwrap_or(Seconds::MIN)
}

/// The part of a decision's world that was looked at.
pub(crate) struct Scope<'a> {
    planner: &'a Planner,
    index: &'a Index,
    asks: &'a [Ask<'a>],
    request: &'a Request,
    now: Seconds,
    groups: Groups,
    /// No demand starts earlier.
    earliest: Seconds,
    /// Reservations that the request frees.
    freed: Vec<ReservationNumber>,
    /// What the request frees and keeps, by group.
    adjusted: BTreeMap<usize, Vec<(Interval, i32)>>,
    /// Groups with hosts the request keeps, sorted.
    keeping: Vec<usize>,
    /// Groups in which fixed work to come, or work that does not suit them any more, makes hosts unequal.
    uneven: Vec<bool>,
    /// What the request reaches, where not everything may move that is to come: nobody else is a demand then.
    reached: Option<&'a Reached>,
    /// Which promised instances that may move are left aside: a refusal holds beside them, and an answer once they have
    /// made room. The others are demands for whole hosts. `None`: no instances may move.
    aside: Option<Aside>,
    opened: Vec<Option<Rc<[CellNumber]>>>,
    cells: Vec<Cell<'a>>,
    /// The cells of hosts in uneven groups.
    cell_of: HashMap<HostNumber, CellNumber>,
    demands: Vec<Demand<'a>>,
    known: HashMap<ReservationNumber, DemandNumber>,
    /// By expression: the groups that satisfy it, poorest first.
    satisfying: HashMap<PredicateNumber, Rc<[usize]>>,
    /// By expression: the cells for whoever has it, if they are the same at all times.
    always: HashMap<PredicateNumber, Option<Rc<[CellNumber]>>>,
    /// What pending demands hold in cells that the request's fixed work has taken from them.
    displaced: Vec<(DemandNumber, CellNumber, u32)>,
}

impl<'a> Scope<'a> {
    /// The scope of a request on a planner that knows its expressions (see [`Planner::knowing`]).
    pub(crate) fn new(
        planner: &'a Planner,
        asks: &'a [Ask<'a>],
        request: &'a Request,
        now: Seconds,
        reach: &'a Reach<'a>,
    ) -> Self {
        let index = planner.index();
        let predicate = |ask: &Ask<'_>| planner.predicate_number(&ask.asked.predicate).unwrap_or_default();
        let predicates: Vec<PredicateNumber> = asks.iter().map(predicate).collect();
        let groups = index.groups(now, &predicates);
        let movable = planner.movable_from(now);
        let earliest = asks
            .iter()
            .map(|ask| ask.asked.window.start)
            .fold(movable, Seconds::min);
        let aside = reach.aside();
        let is_even = |until: &dyn Fn(usize) -> Seconds| -> Vec<bool> {
            let even = (0..groups.len()).map(|group| {
                let mut classes = groups.classes(group).iter();
                classes.all(|&class| {
                    index
                        .holders(class)
                        .is_even(earliest, movable, until(group), aside.is_some())
                })
            });
            even.collect()
        };
        let at_all_times = is_even(&|_| Seconds::MAX);
        // What begins when nobody can be there any more makes no difference.
        let reached = at_all_times.contains(&false).then(|| reach.reached());
        let even = reached.map_or(at_all_times, |reached| is_even(&|group| until(&groups, reached, group)));
        let demands = asks.iter().zip(predicates).map(|(ask, predicate)| Demand {
            reservation: &ask.asked.id,
            window: ask.asked.window,
            occupation: ask.asked.occupation(),
            predicate,
            least: ask.least,
            most: ask.most,
            number: None,
            likes: ask.before.iter().filter_map(|id| planner.hosts.number(id)).collect(),
            held: None,
            eligible: None,
        });
        let mut scope = Self {
            planner,
            index,
            asks,
            request,
            now,
            earliest,
            freed: Vec::new(),
            adjusted: BTreeMap::new(),
            keeping: Vec::new(),
            uneven: even.into_iter().map(|even| !even).collect(),
            reached,
            aside,
            opened: vec![None; groups.len()],
            cells: Vec::new(),
            cell_of: HashMap::new(),
            demands: demands.collect(),
            known: HashMap::new(),
            satisfying: HashMap::new(),
            always: HashMap::new(),
            displaced: Vec::new(),
            groups,
        };
        scope.replace();
        scope
    }

    /// Frees what the request replaces and fixes what it keeps.
    fn replace(&mut self) {
        let replaced = self
            .request
            .replaces
            .as_ref()
            .and_then(|lease| self.planner.stored_lease(lease));
        for (held, part) in replaced
            .iter()
            .flat_map(|stored| stored.lease.reservations.iter().zip(&stored.parts))
        {
            let Some(standing) = self.index.held(part.number) else {
                continue;
            };
            if Ask::frees_reservation(self.request, held, self.now) {
                self.freed.push(part.number);
                for &host in &standing.hosts {
                    let group = self.group_of(host as HostNumber);
                    self.adjusted.entry(group).or_default().push((held.occupation(), -1));
                }
            }
        }
        for ask in self.asks {
            let occupation = ask.asked.occupation();
            for host in ask.kept.iter().filter_map(|id| self.planner.hosts.number(id)) {
                let group = self.group_of(host);
                self.adjusted.entry(group).or_default().push((occupation, 1));
                self.keeping.push(group);
                self.uneven[group] |= occupation.start > self.earliest;
            }
        }
        self.keeping.sort_unstable();
        self.keeping.dedup();
        for group in self.keeping.clone() {
            self.open(group);
        }
    }

    /// From when on nobody can come to hosts of a group.
    fn until(&self, group: usize) -> Seconds {
        self.reached
            .map_or(Seconds::MAX, |reached| until(&self.groups, reached, group))
    }

    fn group_of(&self, host: HostNumber) -> usize {
        self.groups.of(self.index.class_of(host))
    }

    /// Numbers of the requested demands.
    pub(crate) fn requested(&self) -> std::ops::Range<DemandNumber> {
        0..self.asks.len()
    }

    pub(crate) fn demand(&self, number: DemandNumber) -> &Demand<'a> {
        &self.demands[number]
    }

    pub(crate) fn cell(&self, number: CellNumber) -> &Cell<'a> {
        &self.cells[number]
    }

    /// The cells that somebody has reached so far.
    pub(crate) fn opened(&self) -> std::ops::Range<CellNumber> {
        0..self.cells.len()
    }

    /// Whether every group is one cell, the same for all who may use it.
    pub(crate) fn is_even(&self) -> bool {
        !self.uneven.contains(&true)
    }

    /// Whether moreover the request frees and keeps nothing, so that all loads are the index's.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_even() && self.adjusted.is_empty()
    }

    /// What a requested demand asks of its hosts.
    pub(crate) fn asked(&self, number: DemandNumber) -> &'a Predicate {
        &self.asks[number].asked.predicate
    }

    /// A reservation by the planner's number.
    pub(crate) fn reservation(&self, number: ReservationNumber) -> Option<&'a Held> {
        self.index.held(number)
    }

    /// The identifiers of all hosts of the groups of cells, in order.
    pub(crate) fn hosts_of(&self, cells: impl Iterator<Item = CellNumber>) -> Vec<HostId> {
        let groups = cells.map(|cell| self.cells[cell].group);
        let classes = groups.flat_map(|group| self.groups.classes(group));
        let mut hosts: Vec<(u32, &HostId)> = classes
            .flat_map(|&class| self.index.hosts_of(class).iter().copied().zip(self.index.ids_of(class)))
            .collect();
        // Those of each class are in order already, which a stable sort makes use of.
        hosts.sort_by_key(|host| host.0);
        hosts.into_iter().map(|(_, id)| id.clone()).collect()
    }

    /// Hosts that all reservations hold together, at least those of pending ones.
    pub(crate) fn allocations(&self) -> usize {
        self.index.allocations()
    }

    /// What fixed work of the request took from pending demands.
    pub(crate) fn displaced(&self) -> &[(DemandNumber, CellNumber, u32)] {
        &self.displaced
    }

    /// Cells in which more hosts may be in use than there are, before anything is re-chosen.
    pub(crate) fn keeping(&self) -> Vec<CellNumber> {
        let cells = self.keeping.iter().filter_map(|&group| self.opened[group].as_ref());
        cells.flat_map(|cells| cells.iter().copied()).collect()
    }

    /// The cell of a host, which is opened.
    fn cell_of(&mut self, host: HostNumber) -> CellNumber {
        let group = self.group_of(host);
        let cells = self.open(group);
        match cells.as_ref() {
            [cell] => *cell,
            _ => self.cell_of.get(&host).copied().unwrap_or_default(),
        }
    }

    /// How many hosts of each cell a requested demand would rather have than others.
    pub(crate) fn liked(&mut self, number: DemandNumber) -> BTreeMap<CellNumber, u32> {
        let mut liked = BTreeMap::new();
        for host in self.demands[number].likes.clone() {
            *liked.entry(self.cell_of(host)).or_default() += 1;
        }
        liked
    }

    /// How many hosts a requested demand would rather have than others.
    pub(crate) fn likes(&self, number: DemandNumber) -> usize {
        self.demands[number].likes.len()
    }
}
