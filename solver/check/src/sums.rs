//! What a plan ends with: what is held, and the sums.

use solver_format::{DecisionEntry, HeldUnits, Kind, Members, RequestEntry, Summary};

use super::Findings;
use super::book::{Book, times};

/// Adds an acceptance.
pub(super) fn add(sums: &mut Summary, entry: &RequestEntry, decision: &DecisionEntry, moves: u64) {
    sums.accepted += 1;
    sums.moves = sums.moves.saturating_add(moves);
    sums.value = sums.value.saturating_add(entry.worth());
    for part in entry.reservations.iter().filter(|part| part.kind == Kind::Host) {
        let hosts = decision
            .holds
            .as_ref()
            .and_then(|holds| holds.get(&part.id))
            .map_or(0, |hosts| hosts.len());
        let seconds = (hosts as u64).saturating_mul(part.end.abs_diff(part.start));
        sums.host_seconds_accepted = sums.host_seconds_accepted.saturating_add(seconds);
    }
}

/// `final` is what the decisions lead to.
pub(super) fn last(book: &Book, last: &Members<HeldUnits>, findings: &mut Findings) {
    let mut expected = book.last();
    for (reservation, units) in last.iter() {
        let place = format!("final.{reservation}");
        match expected.remove(reservation) {
            None => findings.add(&place, "no reservation of an unfinished lease has this identifier"),
            Some(holds) => {
                let total: u64 = units.values().map(|&count| u64::from(count)).sum();
                let equal = total == holds.len() as u64
                    && units
                        .iter()
                        .all(|(name, &count)| count > 0 && times(holds, name) == count);
                findings.require(equal, &place, || "differs from what the decisions lead to".to_owned());
            }
        }
    }
    for reservation in expected.keys() {
        findings.add(&format!("final.{reservation}"), "missing");
    }
}

/// `summary` is what was counted. What a mode adds to it is checked where the mode is.
pub(super) fn summary(expected: &Summary, found: &Summary, findings: &mut Findings) {
    let pairs = [
        ("accepted", expected.accepted, found.accepted),
        ("refused", expected.refused, found.refused),
        ("undecided", expected.undecided, found.undecided),
        (
            "host_seconds_accepted",
            expected.host_seconds_accepted,
            found.host_seconds_accepted,
        ),
        ("moves", expected.moves, found.moves),
        ("value", expected.value, found.value),
    ];
    for (member, expected, found) in pairs {
        findings.require(expected == found, &format!("summary.{member}"), || {
            format!("{found} is stated, {expected} is counted")
        });
    }
}
