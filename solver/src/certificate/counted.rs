//! A shortage at one instant told from the index alone, without looking at a host.
//!
//! Only where every group is one cell, the request keeps and frees nothing, and no instances stand on the hosts: then
//! every reservation uses as many hosts of a cell as it is counted there, whatever the instant.
//!
//! Invariant: without any one of its members no instant is short for the others. At the instant a member less leaves
//! no shortage (`hall` gives kinds of which none can be missed, `minimal` drops what is superfluous of each), and at
//! any other instant no more of the members need hosts than at this one, where all do.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::hall::{Transport, Wanted};
use super::minimal::{Member, minimal, needed_by_others};
use super::{Contest, too_few};
use crate::decision::Conflict;
use crate::hosts::ReservationNumber;
use crate::index::PredicateNumber;
use crate::model::{Interval, ReservationId, Seconds};
use crate::predicate::Predicate;
use crate::scope::{CellNumber, DemandNumber, Scope};

/// Those who may use the same cells; in the order of these once all are known.
type Kind = usize;

/// Who wants hosts of the cells and can use no others.
struct Confined<'c> {
    cells: &'c [CellNumber],
    /// By cells: `None` for those who can use others.
    known: HashMap<Rc<[CellNumber]>, Option<Kind>>,
    kinds: Vec<(Rc<[CellNumber]>, u64)>,
}

impl Confined<'_> {
    fn kind(&mut self, suitable: Rc<[CellNumber]>) -> Option<Kind> {
        if let Some(&known) = self.known.get(&suitable) {
            return known;
        }
        let within = suitable.iter().all(|cell| self.cells.binary_search(cell).is_ok());
        let kind = within.then_some(self.kinds.len());
        if within {
            self.kinds.push((Rc::clone(&suitable), 0));
        }
        self.known.insert(suitable, kind);
        kind
    }

    /// The kinds in order of their cells, which does not depend on who was met first.
    fn order(&self) -> Vec<Kind> {
        let mut order: Vec<Kind> = (0..self.kinds.len()).collect();
        order.sort_unstable_by(|&one, &other| self.kinds[one].0.cmp(&self.kinds[other].0));
        order
    }

    fn wanted(&self, kind: Kind) -> Wanted {
        let (suitable, amount) = &self.kinds[kind];
        let place = |cell: &CellNumber| self.cells.binary_search(cell).ok();
        Wanted {
            amount: *amount,
            groups: suitable.iter().filter_map(place).collect(),
        }
    }
}

/// The minimal part of a shortage of these cells; `None` if it has to be looked for host by host.
pub(super) fn shortage(scope: &mut Scope<'_>, at: Seconds, cells: &BTreeSet<CellNumber>) -> Option<Conflict> {
    if !scope.is_plain() {
        return None;
    }
    let cells: Vec<CellNumber> = cells.iter().copied().collect();
    let mut confined = Confined {
        cells: &cells,
        known: HashMap::new(),
        kinds: Vec::new(),
    };
    let mut requested: Vec<(DemandNumber, Kind)> = Vec::new();
    for number in scope.requested() {
        let least = scope.demand(number).least;
        if least > 0 && scope.demand(number).occupation.contains(at) {
            let suitable = scope.suitable(number);
            if let Some(kind) = confined.kind(suitable) {
                confined.kinds[kind].1 += u64::from(least);
                requested.push((number, kind));
            }
        }
    }
    let mut pending: Vec<(ReservationNumber, Kind, u64)> = Vec::new();
    let mut fixed: Vec<Vec<(ReservationNumber, u64)>> = vec![Vec::new(); cells.len()];
    // By expression, where all who have it may use the same cells.
    let mut common: HashMap<PredicateNumber, Option<Option<Kind>>> = HashMap::new();
    for (&cell, fixed) in cells.iter().zip(&mut fixed) {
        for (holder, is_pending) in scope.holders_at(cell, at) {
            let count = u64::from(holder.count);
            if !is_pending {
                if holder.instances {
                    return None;
                }
                fixed.push((holder.number, count));
                continue;
            }
            let common = *common.entry(holder.predicate).or_insert_with(|| {
                let suitable = scope.at_all_times(holder.predicate)?;
                Some(confined.kind(suitable))
            });
            let kind = if let Some(kind) = common {
                kind
            } else {
                let number = scope.know(holder.number)?;
                confined.kind(scope.suitable(number))
            };
            if let Some(kind) = kind {
                confined.kinds[kind].1 += count;
                pending.push((holder.number, kind, count));
            }
        }
    }
    let order = confined.order();
    let room = cells.iter().zip(&fixed).map(|(&cell, fixed)| {
        let busy: u64 = fixed.iter().map(|fixed| fixed.1).sum();
        u64::from(scope.cell(cell).size).saturating_sub(busy)
    });
    let transport = Transport {
        room: room.collect(),
        wanted: order.iter().map(|&kind| confined.wanted(kind)).collect(),
    };
    let violator = transport.violator()?;
    let places = transport.groups_of(&violator);
    let mut violates = vec![false; order.len()];
    for &place in &violator {
        violates[order[place]] = true;
    }
    // By address: an identifier lies where its reservation does.
    let mut intervals: HashMap<*const ReservationId, Interval> = HashMap::new();
    let mut members: Vec<Member<'_>> = Vec::new();
    for &(number, kind) in requested.iter().filter(|(_, kind)| violates[*kind]) {
        let demand = scope.demand(number);
        intervals.insert(std::ptr::from_ref(demand.reservation), demand.occupation);
        members.push(Member {
            reservation: demand.reservation,
            amount: u64::from(demand.least),
            kind: Some(kind),
            own: true,
        });
    }
    let moving = pending.into_iter().filter(|(_, kind, _)| violates[*kind]);
    let moving = moving.map(|(number, kind, count)| (number, Some(kind), count));
    let standing = places.iter().flat_map(|&place| &fixed[place]);
    let standing = standing.map(|&(number, count)| (number, None, count));
    let mut held: Vec<(ReservationNumber, Option<Kind>, u64)> = moving.chain(standing).collect();
    held.sort_unstable();
    for same in held.chunk_by(|one, other| one.0 == other.0) {
        let standing = scope.reservation(same[0].0)?;
        intervals.insert(std::ptr::from_ref(&standing.id), standing.occupation);
        members.push(Member {
            reservation: &standing.id,
            amount: same.iter().map(|held| held.2).sum(),
            kind: same[0].1,
            own: false,
        });
    }
    let hosts = scope.hosts_of(places.iter().map(|&place| cells[place]));
    let others = needed_by_others(&members);
    let members = minimal(members, hosts.len() as u64);
    let mut interval = Interval::new(Seconds::MIN, Seconds::MAX);
    for member in &members {
        if let Some(other) = intervals.get(&std::ptr::from_ref(member.reservation)) {
            interval = Interval::new(interval.start.max(other.start), interval.end.min(other.end));
        }
    }
    let is_member = |number: DemandNumber| {
        let own = scope.demand(number).reservation;
        members.iter().any(|member| member.own && member.reservation == own)
    };
    let condition = condition(
        scope,
        requested.iter().filter(|(number, _)| is_member(*number)),
        |kind| {
            let suitable = &confined.kinds[kind].0;
            let all = places.iter();
            all.map(|&place| cells[place])
                .all(|cell| suitable.binary_search(&cell).is_ok())
        },
    );
    let contest = Contest {
        at,
        interval,
        others,
        one_each: false,
    };
    Some(too_few(&members, hosts, contest, condition))
}

/// What the contested hosts have in common, if it is what the requested members all ask for.
fn condition<'a, 'r>(
    scope: &Scope<'a>,
    mut requested: impl Iterator<Item = &'r (DemandNumber, Kind)>,
    suits_all: impl Fn(Kind) -> bool,
) -> Option<&'a Predicate> {
    let &(first, kind) = requested.next()?;
    let same = |other: DemandNumber| scope.demand(other).predicate == scope.demand(first).predicate;
    (requested.all(|&(other, _)| same(other)) && suits_all(kind)).then(|| scope.asked(first))
}
