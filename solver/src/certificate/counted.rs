//! A shortage at one instant told from the index alone, without looking at a host.
//!
//! Only where every group is one cell, the request keeps and frees nothing, and no instances stand on the hosts: then
//! every reservation uses as many hosts of a cell as it is counted there, whatever the instant.
//!
//! Invariant: without any one of its members no instant is short for the others. At the instant a member less leaves
//! no shortage (`hall` gives kinds of which none can be missed, `minimal` drops what is superfluous of each), and at
//! any other instant no more of the members need hosts than at this one, where all do.

use std::collections::HashMap;
use std::rc::Rc;

use super::cut::Short;
use super::hall::{Transport, Wanted};
use super::minimal::{Member, minimal};
use super::too_few;
use crate::decision::Conflict;
use crate::model::{Interval, ReservationId, Seconds};
use crate::scope::{CellNumber, DemandNumber, Scope};

/// The minimal part of a shortage; `None` if it has to be looked for host by host.
pub(super) fn shortage(scope: &mut Scope<'_>, at: Seconds, short: &Short) -> Option<Conflict> {
    if !scope.is_plain() {
        return None;
    }
    let cells: Vec<CellNumber> = short.cells.iter().copied().collect();
    let mut by_kind: HashMap<Rc<[CellNumber]>, usize> = HashMap::new();
    let mut kinds: Vec<(Rc<[CellNumber]>, Vec<DemandNumber>)> = Vec::new();
    for &number in &short.demands {
        let suitable = scope.suitable(number);
        let next = kinds.len();
        let kind = *by_kind.entry(Rc::clone(&suitable)).or_insert(next);
        if kind == next {
            kinds.push((suitable, Vec::new()));
        }
        kinds[kind].1.push(number);
    }
    let fixed = cells
        .iter()
        .map(|&cell| scope.fixed_at(cell, at))
        .collect::<Option<Vec<_>>>()?;
    let amount = |number: DemandNumber| u64::from(scope.demand(number).least);
    let place = |cell: &CellNumber| cells.binary_search(cell).ok();
    let transport = Transport {
        room: cells
            .iter()
            .zip(&fixed)
            .map(|(&cell, fixed)| {
                let busy: u64 = fixed.iter().map(|fixed| u64::from(fixed.1)).sum();
                u64::from(scope.cell(cell).size).saturating_sub(busy)
            })
            .collect(),
        wanted: kinds
            .iter()
            .map(|(suitable, demands)| Wanted {
                amount: demands.iter().map(|&number| amount(number)).sum(),
                groups: suitable.iter().filter_map(place).collect(),
            })
            .collect(),
    };
    let violator = transport.violator()?;
    let places = transport.groups_of(&violator);
    let mut intervals: HashMap<&ReservationId, Interval> = HashMap::new();
    let mut members: Vec<Member<'_>> = Vec::new();
    for &kind in &violator {
        for &number in &kinds[kind].1 {
            let demand = scope.demand(number);
            intervals.insert(demand.reservation, demand.occupation);
            members.push(Member {
                reservation: demand.reservation,
                amount: amount(number),
                kind: Some(kind),
                own: demand.requested(),
            });
        }
    }
    let mut standing: HashMap<u32, u64> = HashMap::new();
    for &(number, count) in places.iter().flat_map(|&place| &fixed[place]) {
        *standing.entry(number).or_default() += u64::from(count);
    }
    for (number, amount) in standing {
        let held = scope.reservation(number)?;
        intervals.insert(&held.id, held.occupation);
        members.push(Member {
            reservation: &held.id,
            amount,
            kind: None,
            own: false,
        });
    }
    let hosts = scope.hosts_of(places.iter().map(|&place| cells[place]));
    let members = minimal(members, hosts.len() as u64);
    let mut interval = Interval::new(Seconds::MIN, Seconds::MAX);
    for other in members.iter().filter_map(|member| intervals.get(member.reservation)) {
        interval = Interval::new(interval.start.max(other.start), interval.end.min(other.end));
    }
    let mut requested = short.demands.iter().copied().filter(|&number| {
        let demand = scope.demand(number);
        demand.requested() && members.iter().any(|member| member.reservation == demand.reservation)
    });
    let condition = requested.next().and_then(|first| {
        let one = requested.all(|other| scope.demand(other).predicate == scope.demand(first).predicate);
        let suitable = kinds.iter().find(|(_, demands)| demands.contains(&first))?;
        let all = places
            .iter()
            .all(|&place| suitable.0.binary_search(&cells[place]).is_ok());
        (one && all).then(|| scope.asked(first))
    });
    Some(too_few(&members, hosts, interval, condition))
}
