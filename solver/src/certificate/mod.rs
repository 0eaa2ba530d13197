//! Why not: more hosts are needed than exist, at one instant or at several together.
//!
//! Invariant: every `capacity` conflict can be recounted from the problem alone. At each second of its
//! interval, the listed reservations that may move or are asked for can use no host outside the list,
//! the fixed ones stand on hosts of the list, and together they need more hosts than it has. Every
//! `rows` conflict can be added up from its rows (see [`crate::decision::CapacityRow`]).

mod contradiction;
mod counted;
mod cut;
pub(crate) mod hall;
mod instant;
pub(crate) mod minimal;
mod rows;
mod tight;

use std::collections::{BTreeMap, BTreeSet};

use contradiction::Contradiction;
use cut::Instant;
use instant::{Instants, Shortage};
use minimal::{Member, needed_by_others};
use rows::Proof;

use crate::classes::Classes;
use crate::deadline::Deadline;
use crate::decision::Conflict;
use crate::model::{HostId, Interval, ReservationId, Seconds};
use crate::predicate::Predicate;
use crate::scene::{ClassNumber, DemandNumber, HostNumber, Scene};
use crate::scope::{CellNumber, Scope};
use crate::wording;

/// Tight instants that are looked at before anything is solved.
const LIKELY_INSTANTS: usize = 8;
/// Instants of a proof that are looked at.
const MOST_INSTANTS: usize = 256;

/// Looks for a proof without solving anything: an instant at which too few hosts exist, or too few hosts
/// without fixed work during a requested reservation.
///
/// An instant that is not short shows which cells those could use who are in the way; the next is the one at which
/// these cells are tightest together.
pub(crate) fn at_likely(scope: &mut Scope<'_>, deadline: &Deadline) -> Option<Conflict> {
    let mut seen: BTreeSet<CellNumber> = BTreeSet::new();
    let mut tried: BTreeSet<Seconds> = BTreeSet::new();
    while tried.len() < LIKELY_INSTANTS && (tried.is_empty() || !deadline.is_over()) {
        let mut untried = |seen: &BTreeSet<CellNumber>| {
            let mut likely = tight::instants(scope, seen, tried.len() + 1).into_iter();
            likely.find(|at| !tried.contains(at))
        };
        // Others may stand in the way at another instant, who could use other cells.
        let Some(at) = untried(&seen).or_else(|| untried(&BTreeSet::new())) else {
            break;
        };
        tried.insert(at);
        deadline.spend(1);
        match cut::at(scope, at) {
            Instant::Short(cells) => {
                if let Some(conflict) = explained(scope, at, cells, deadline) {
                    return Some(conflict);
                }
            }
            Instant::Served(cells) => seen.extend(cells),
        }
    }
    of_fixed(scope)
}

/// The conflict at the first of these instants that has one.
pub(crate) fn at_instants(
    scope: &mut Scope<'_>,
    instants: impl IntoIterator<Item = Seconds>,
    deadline: &Deadline,
) -> Option<Conflict> {
    let goes_on = |_: &Seconds| {
        deadline.spend(1);
        !deadline.is_over()
    };
    let mut instants = instants.into_iter().take(MOST_INSTANTS).take_while(goes_on);
    instants.find_map(|at| match cut::at(scope, at) {
        Instant::Short(cells) => explained(scope, at, cells, deadline),
        Instant::Served(_) => None,
    })
}

/// The conflict that cells too few at an instant are.
fn explained(scope: &mut Scope<'_>, at: Seconds, cells: BTreeSet<CellNumber>, deadline: &Deadline) -> Option<Conflict> {
    if let Some(conflict) = counted::shortage(scope, at, &cells) {
        return Some(conflict);
    }
    let demands = cut::confined(scope, at, &cells);
    let opened = scope.confined(cells, &demands);
    let shortage = Instants::new(&opened.scene, &opened.classes).shortage_at(at, deadline)?;
    let condition = condition(&opened.scene, &shortage);
    Some(of_shortage(&opened.scene, &shortage, false, condition))
}

/// The conflict if some requested demand has too few hosts without fixed work to come.
fn of_fixed(scope: &mut Scope<'_>) -> Option<Conflict> {
    // Where all fixed work has begun, it is in the way at one instant, the first.
    if scope.is_even() {
        return None;
    }
    scope.requested().find_map(|number| {
        let suitable = scope.suitable(number);
        let opened = scope.confined(suitable.iter().copied(), &[number]);
        let proof = rows::of_fixed(&opened.scene, &opened.classes)?;
        Some(of_proof(&opened.scene, proof))
    })
}

/// The conflict that weights of capacities at several instants show, if they do.
pub(crate) fn of_rows(scope: &mut Scope<'_>, rows: &[(CellNumber, Seconds, f64)]) -> Option<Conflict> {
    let mut cells: BTreeSet<CellNumber> = rows.iter().map(|row| row.0).collect();
    let mut demands: BTreeSet<DemandNumber> = scope.requested().collect();
    for &(cell, at, _) in rows {
        demands.extend(scope.pending_at(cell, at).into_iter().map(|(number, _)| number));
    }
    demands.retain(|&number| scope.eligible(number).iter().all(|cell| cells.contains(cell)));
    for &number in &demands {
        cells.extend(scope.suitable(number).iter());
    }
    let demands: Vec<DemandNumber> = demands.into_iter().collect();
    let opened = scope.confined(cells, &demands);
    let mut by_class: BTreeMap<(ClassNumber, Seconds), f64> = BTreeMap::new();
    for &(cell, at, weight) in rows {
        *by_class.entry((opened.class(cell)?, at)).or_default() += weight;
    }
    let rows: Vec<_> = by_class
        .into_iter()
        .map(|((class, at), weight)| (class, at, weight))
        .collect();
    let contradiction = Contradiction::from_ray(&opened.scene, &opened.classes, &rows)?;
    let proof = rows::of_contradiction(&opened.scene, &opened.classes, &contradiction)?;
    Some(of_proof(&opened.scene, proof))
}

fn named(scene: &Scene<'_>, hosts: impl IntoIterator<Item = HostNumber>) -> Vec<HostId> {
    hosts.into_iter().map(|host| scene.hosts[host].id.clone()).collect()
}

/// The conflict if those in the scene need more hosts at an instant than they may use. Instances on different hosts may
/// be among them, those of one reservation, `apart`.
pub(crate) fn at_instant(
    scene: &Scene<'_>,
    at: Seconds,
    apart: Option<&ReservationId>,
    deadline: &Deadline,
) -> Option<Conflict> {
    let classes = Classes::new(scene);
    let shortage = Instants::new(scene, &classes).shortage_at(at, deadline)?;
    let one_each = |member: &Member<'_>| member.own && apart == Some(member.reservation);
    let one_each = shortage.members.iter().any(one_each);
    Some(of_shortage(scene, &shortage, one_each, None))
}

fn of_shortage(scene: &Scene<'_>, shortage: &Shortage<'_>, one_each: bool, condition: Option<&Predicate>) -> Conflict {
    let contest = Contest {
        at: shortage.at,
        interval: shortage.interval,
        others: shortage.others,
        one_each,
    };
    let hosts = named(scene, shortage.hosts.iter().copied());
    too_few(&shortage.members, hosts, contest, condition)
}

/// When hosts are too few.
#[derive(Clone, Copy)]
struct Contest {
    /// The instant that was counted.
    at: Seconds,
    /// Around it: while all members need hosts.
    interval: Interval,
    /// What everything but the request needs at the instant, beyond the members of a minimal conflict, too.
    others: u64,
    /// Whether the request is of instances of which each needs a host of its own.
    one_each: bool,
}

/// More hosts needed at once by the members than these, which are all that any of them can use.
///
/// The numbers of the conflict and of its text are those of its members, a minimal set. Where more reservations than
/// these compete, the text says besides what they leave of the hosts, because so much the request could have.
fn too_few(members: &[Member<'_>], hosts: Vec<HostId>, contest: Contest, condition: Option<&Predicate>) -> Conflict {
    let Contest {
        at,
        interval,
        others,
        one_each,
    } = contest;
    let needed: u64 = members.iter().map(|member| member.amount).sum();
    let earlier = needed_by_others(members);
    let asked = needed - earlier;
    let exist = hosts.len() as u64;
    let mut reservations: Vec<ReservationId> = members.iter().map(|member| member.reservation.clone()).collect();
    reservations.dedup();
    let wanted = wording::hosts(needed, condition);
    let are = if needed == 1 { "is" } else { "are" };
    let each = if one_each { ", one for each instance" } else { "" };
    let by = if earlier == 0 {
        "your request".to_owned()
    } else {
        format!("your request ({asked}{each}) and by earlier leases ({earlier})")
    };
    let all = if others == earlier {
        String::new()
    } else {
        format!("; all earlier leases together need {others}")
    };
    let left = match exist.saturating_sub(others) {
        0 => "none is left for your request".to_owned(),
        left => format!("at most {left} can be yours"),
    };
    Conflict {
        reason: "capacity",
        from: interval.start,
        until: interval.end,
        needed,
        exist,
        hosts_matching: hosts,
        reservations,
        certificate: Vec::new(),
        text: format!(
            "at {}, {wanted} {are} needed by {by}; {exist} {}{all}, so {left} (too few until {})",
            wording::instant(at),
            if exist == 1 { "exists" } else { "exist" },
            wording::instant(interval.end),
        )
        .into(),
    }
}

/// What the contested hosts have in common, if it is what the request asks for.
fn condition<'s>(scene: &'s Scene<'_>, shortage: &Shortage<'_>) -> Option<&'s Predicate> {
    let (first, others) = shortage.requested.split_first()?;
    let predicate = |number: &DemandNumber| scene.demands[*number].predicate;
    let one = others.iter().all(|other| predicate(other) == predicate(first));
    let all = scene.predicates[predicate(first)];
    (one && shortage.hosts.iter().all(|&host| scene.hosts[host].matches(all))).then_some(all)
}

fn of_proof(scene: &Scene<'_>, proof: Proof<'_>) -> Conflict {
    let own = proof.members.iter().filter(|member| member.own).count();
    let others = (proof.members.len() - own) as u64;
    let hosts = proof.hosts.len() as u64;
    Conflict {
        reason: "rows",
        from: proof.span.start,
        until: proof.span.end,
        needed: proof.needed,
        exist: proof.exist,
        reservations: proof.members.iter().map(|member| member.reservation.clone()).collect(),
        text: short_throughout(proof.span, others, (hosts, "host", "hosts")).into(),
        hosts_matching: named(scene, proof.hosts),
        certificate: proof.rows,
    }
}

/// What rows say, each of the hosts or units standing in them: how many there are, and the names of one and of more.
pub(crate) fn short_throughout(span: Interval, others: u64, (exist, one, more): (u64, &str, &str)) -> String {
    let (first, last) = (span.start, span.end - 1);
    let all = wording::count(exist, one, more);
    let earlier = wording::earlier(others);
    if first < last {
        format!(
            "enough {more} are free at every single instant, but not the same ones throughout: between {} and {} your \
             request and {earlier} need more than {all} can give",
            wording::instant(first),
            wording::instant(last),
        )
    } else if exist == 1 && others == 1 {
        format!(
            "the only {one} that can serve your request is booked by an earlier lease from {}",
            wording::instant(first)
        )
    } else {
        format!(
            "from {}, your request and {earlier} need more than the {all} that can serve your request",
            wording::instant(first),
        )
    }
}
