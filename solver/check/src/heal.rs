//! Mode `heal`: afterwards nothing stands on a host out of order, and what is lost had to be.
//!
//! Only what is still to come of each window counts. Work that cannot move otherwise leaves such hosts
//! and no others. For each promise that is not kept in full the stated shortage is recounted, and where
//! the question is small enough it is searched whether it could be kept beside all that are.

use std::collections::{BTreeMap, BTreeSet};

use solver_format::model::{Host, HostId, Reservation, ReservationId, Resource};
use solver_format::{ConflictEntry, Plan, Summary, UnkeptEntry, VerdictName};

use super::Findings;
use super::book::Book;
use super::moves::{self, Rule, is_out_of_order};
use super::refused::SMALL;
use super::scene::Scene;
use super::search::{Found, search};
use super::shortage;

/// The name under which the decision of this mode stands.
const NAME: &str = "heal";

/// Checks the decision and makes it; `before` is the same book, left alone.
pub(super) fn check(before: &Book, book: &mut Book, plan: &Plan, findings: &mut Findings) -> Summary {
    findings.require(plan.decisions.len() <= 1, "decisions", || {
        format!("{} decisions, one for `{NAME}` is expected", plan.decisions.len())
    });
    let mut sums = Summary::default();
    let mut proved = true;
    if let Some(decision) = plan.decisions.first() {
        "decisions[0].".clone_into(&mut findings.place);
        findings.require(*decision.request == *NAME, "request", || format!("expected `{NAME}`"));
        proved = decision.verdict == VerdictName::Accepted;
        findings.require(decision.verdict != VerdictName::Refused, "verdict", || {
            "there is nothing to refuse".to_owned()
        });
        findings.require(decision.proved == proved, "proved", || {
            format!("{} contradicts the verdict", decision.proved)
        });
        super::tier(decision, findings);
        let superfluous = [
            ("holds", decision.holds.as_ref().is_some_and(|holds| !holds.is_empty())),
            ("conflict", decision.conflict.is_some()),
            ("offers", !decision.offers.is_empty()),
        ];
        for (member, present) in superfluous {
            findings.require(!present, member, || "must not be there in this mode".to_owned());
        }
        let moves = decision.moves.as_deref().unwrap_or_default();
        let predicates = moves::predicates(book, []);
        let mut touched = BTreeSet::new();
        let moved = moves::carry_out(book, &Rule::Heal, moves, &mut touched, findings);
        sums.moves = moves::counted(book, &predicates, &moved);
        for clash in book.clashes(&touched) {
            findings.add(&format!("moves: `{}`", clash.place), clash.reason);
        }
    }
    findings.place.clear();
    for held in book.alive() {
        let left = held.holds.iter().find(|host| is_out_of_order(book, held, host));
        if let Some(host) = left {
            findings.add(
                &format!("final.{}", held.id),
                format!("`{host}` takes no work or is out of service"),
            );
        }
    }
    unkept(before, book, &plan.summary.unkept, proved, findings);
    sums
}

/// Promises that have become smaller, each with its reason.
fn unkept(before: &Book, after: &Book, stated: &[UnkeptEntry], proved: bool, findings: &mut Findings) {
    let size = |book: &Book, id: &ReservationId| book.find(id).map_or(0, |held| held.holds.len() as u64);
    let lost = |held: &&Reservation| size(after, &held.id) < held.holds.len() as u64;
    let mut lost: BTreeMap<&ReservationId, &Reservation> = before
        .reservations()
        .filter(lost)
        .map(|held| (&held.id, held))
        .collect();
    let incomplete: BTreeSet<ReservationId> = lost.keys().copied().cloned().collect();
    for (number, entry) in stated.iter().enumerate() {
        findings.place = format!("summary.unkept[{number}].");
        let Some(held) = lost.remove(&entry.reservation) else {
            findings.add(
                "reservation",
                format!("`{}` is kept, unknown or stands twice", entry.reservation),
            );
            continue;
        };
        let missing = held.holds.len() as u64 - size(after, &held.id);
        findings.require(u64::from(entry.missing) == missing, "missing", || {
            format!("{} is stated, {missing} is counted", entry.missing)
        });
        let listed = entry.conflict.reservations.contains(&held.id);
        findings.require(listed, "conflict.reservations", || {
            format!("`{}` is not listed", held.id)
        });
        let kept = entry.conflict.reservations.iter().filter(|id| **id != held.id);
        for id in kept.filter(|id| incomplete.contains(*id)) {
            findings.add("conflict.reservations", format!("`{id}` is not kept itself"));
        }
        let hosts: BTreeSet<&HostId> = entry.conflict.hosts_matching.iter().collect();
        let known = hosts.iter().all(|host| before.hosts.contains_key(*host));
        let single = hosts.len() == entry.conflict.hosts_matching.len();
        findings.require(known && single, "conflict.hosts_matching", || {
            "a host is unknown or stands twice".to_owned()
        });
        match entry.conflict.reason.as_str() {
            "capacity" => shortage::at_an_instant(before, None, &entry.conflict, &hosts, findings),
            "search" if !proved => findings.add("conflict.reason", "nothing says that all was tried"),
            "undecided" if proved => findings.add("conflict.reason", "a proved answer leaves nothing undecided"),
            "search" | "undecided" => uncounted(before, held, &entry.conflict, &hosts, findings),
            other => findings.add("conflict.reason", format!("no reason is called `{other}`")),
        }
        match keepable(before, &incomplete, held) {
            Found::Yes if proved => findings.add("reservation", "could be kept beside all that are"),
            Found::Unknown if proved && entry.conflict.reason == "search" => {
                findings.believe("conflict.reason", "there is too much to try all of it again");
            }
            Found::Yes | Found::No | Found::Unknown => {}
        }
    }
    findings.place.clear();
    for id in lost.keys() {
        findings.add("summary.unkept", format!("`{id}` has become smaller and is missing"));
    }
}

/// The numbers of a promise that is not kept although no single instant shows why.
fn uncounted(
    before: &Book,
    held: &Reservation,
    conflict: &ConflictEntry,
    hosts: &BTreeSet<&HostId>,
    findings: &mut Findings,
) {
    let window = before.ahead(held.window);
    let stays =
        |host: &HostId| !before.is_fixed(held) && held.holds.contains(host) && !is_out_of_order(before, held, host);
    let suits = |host: &&Host| host.suits(&held.predicate, window) || stays(&host.id);
    let suitable: BTreeSet<&HostId> = before.hosts.values().filter(suits).map(|host| &host.id).collect();
    // A rule may confine instances further, to where others of them are or are not.
    let has_rule = matches!(&held.resource, Resource::Instances(instances) if instances.affinity.is_some());
    let as_stated = *hosts == suitable || has_rule && hosts.is_subset(&suitable);
    findings.require(as_stated, "conflict.hosts_matching", || {
        format!("are not the {} that suit", suitable.len())
    });
    let exist = hosts.len() as u64;
    findings.require(conflict.exist == exist, "conflict.exist", || {
        format!("{} is stated, {exist} are listed", conflict.exist)
    });
    for id in conflict.reservations.iter().filter(|id| before.find(id).is_none()) {
        findings.add(&format!("conflict.reservations.{id}"), "is unknown");
    }
}

/// Whether a promise can be kept beside all that are.
fn keepable(before: &Book, incomplete: &BTreeSet<ReservationId>, wanted: &Reservation) -> Found {
    let promises = before.reservations().filter_map(|held| {
        if matches!(held.resource, Resource::Units(_)) || held.occupation().end <= before.now {
            return None;
        }
        if held.window.end <= before.now {
            return Some((held, held.holds.clone(), 0));
        }
        let in_order = |host: &&HostId| !is_out_of_order(before, held, host);
        let stays: Vec<HostId> = if before.is_fixed(held) {
            held.holds.iter().filter(in_order).cloned().collect()
        } else {
            Vec::new()
        };
        let kept = held.id == wanted.id || !incomplete.contains(&held.id);
        let more = if kept { held.holds.len() - stays.len() } else { 0 };
        Some((held, stays, u32::try_from(more).unwrap_or(u32::MAX)))
    });
    let in_order = |held: &Reservation, host: &HostId| !is_out_of_order(before, held, host);
    let scene = Scene::of_promises(before, promises, &in_order, SMALL);
    scene.map_or(Found::Unknown, search)
}
