//! The receipt of a batch's bound: prices, and sets of requests that exclude each other.
//!
//! Nothing uses more of a row than its hosts have beside what stays. So the value of a subset, times the denominator, is
//! at most what all rows have, weighted, less what promises that may move use of them at least, and for each lease that
//! requests decide its value less what its reservations use at least (Lagrange; least uses as in `rows`). A subset that
//! this leaves more than the bound must contain one of the refuted sets, each refused as one request.

use std::collections::{BTreeMap, BTreeSet};

use solver_format::model::{HostId, LeaseId, Reservation, Resource};
use solver_format::{ConflictEntry, Problem, ReceiptEntry};

use super::Findings;
use super::apart::{Alone, merged};
use super::book::{Book, times};
use super::decided::Decided;
use super::occupied::{Staying, Wanted};
use super::refused;
use super::rows::{ByHost, Placed, Rows, taken, whole};
use super::search::Found;

/// Most beginnings of subsets that are looked at.
const MOST_LOOKS: usize = 500_000;
/// Most looks at a row to work out what reservations use.
const MOST_USES: usize = 200_000_000;

/// One way to decide a lease.
struct Choice {
    /// The request that decides it in the end, by its place among the decided; none if the lease stays as it is.
    last: Option<usize>,
    worth: u64,
    /// Its value times the denominator, less what it uses.
    profit: i128,
}

/// Requests that exclude each other.
struct Refuted {
    /// By their places among the decided.
    members: BTreeSet<usize>,
    /// Leases whose promises the reason names: whatever else replaces them takes the reason away.
    named: BTreeSet<LeaseId>,
}

/// Whether the receipt shows that no subset of these requests is worth more than the bound.
pub(super) fn shows(
    before: &Book,
    problem: &Problem,
    all: &[&Decided<'_>],
    (receipt, bound): (&ReceiptEntry, u64),
    alone: &mut Alone,
    findings: &mut Findings,
) -> bool {
    let Some(by_host) = read(before, receipt, findings) else {
        return false;
    };
    let uses = all.iter().map(|this| this.request.reservations.len()).sum::<usize>() + before.alive().count();
    let entries: usize = by_host.values().map(Vec::len).sum();
    if uses.saturating_mul(entries.max(1)) > MOST_USES {
        return false;
    }
    let frees = |held: &Reservation| all.iter().any(|this| before.frees(&this.request, held));
    let on_hosts = |held: &&Reservation| {
        held.occupation().end > before.now && !held.holds.is_empty() && !matches!(held.resource, Resource::Units(_))
    };
    let mut staying = Staying::on_hosts();
    let mut promised: Vec<&Reservation> = Vec::new();
    for held in before.reservations().filter(on_hosts).filter(|held| !frees(held)) {
        if before.is_fixed(held) {
            staying.add(held);
        } else {
            promised.push(held);
        }
    }
    let rows = Rows {
        book: before,
        by_host,
        staying,
        units: None,
    };
    let denominator = i128::from(receipt.denominator);
    let Some(mut total) = rooms(&rows) else { return false };
    for held in promised {
        total = total.saturating_sub(signed(rows.least(&Placed::held(held))));
    }
    let groups = groups(before, all, &rows, denominator, alone);
    let best = |choices: &Vec<Choice>| choices.iter().map(|choice| choice.profit).max().unwrap_or(0);
    total = groups.iter().map(best).fold(total, i128::saturating_add);
    let refuted = refuted(before, problem, all, receipt, findings);
    let more = (i128::from(bound) + 1).saturating_mul(denominator);
    let mut subsets = Subsets {
        groups: &groups,
        leases: all.iter().map(|this| this.lease()).collect(),
        refuted: &refuted,
        bound,
        looks: 0,
    };
    total < more || subsets.excluded(0, total - more, 0, &mut Vec::new())
}

/// The rows by host, if all of them are what rows must be.
fn read<'a>(before: &'a Book, receipt: &'a ReceiptEntry, findings: &mut Findings) -> Option<ByHost<'a>> {
    let mut sound = findings.require(receipt.denominator > 0, "summary.receipt.denominator", || {
        "must be at least 1".to_owned()
    });
    let mut by_host: ByHost<'_> = BTreeMap::new();
    for (number, row) in receipt.prices.iter().enumerate() {
        let hosts: BTreeSet<&HostId> = row.hosts.iter().collect();
        let known = hosts.iter().all(|host| before.hosts.contains_key(*host)) && hosts.len() == row.hosts.len();
        let counts = row.resource.is_some() == row.divisor.is_some() && row.divisor != Some(0);
        let counts = counts && row.apart.is_none() && row.weight > 0;
        sound &= findings.require(known && counts, &format!("summary.receipt.prices[{number}]"), || {
            "names a host that is unknown or stands twice, or counts nothing".to_owned()
        });
        for host in hosts {
            by_host.entry(host).or_default().push(row);
        }
    }
    sound.then_some(by_host)
}

/// What all rows have beside what stays, weighted.
fn rooms(rows: &Rows<'_>) -> Option<i128> {
    let mut sum: i128 = 0;
    for (&name, of_host) in &rows.by_host {
        let capacity = Some(&rows.book.hosts.get(name)?.capacity);
        for row in of_host {
            let left = whole(row, capacity) - taken(row, capacity, rows.staying.on(name));
            sum = sum.checked_add(signed(u128::from(row.weight).checked_mul(left)?))?;
        }
    }
    Some(sum)
}

fn signed(cost: u128) -> i128 {
    i128::try_from(cost).unwrap_or(i128::MAX)
}

/// The leases that requests decide, and the ways to.
fn groups(
    before: &Book,
    all: &[&Decided<'_>],
    rows: &Rows<'_>,
    denominator: i128,
    alone: &mut Alone,
) -> Vec<Vec<Choice>> {
    let mut chains: BTreeMap<&LeaseId, Vec<usize>> = BTreeMap::new();
    for (place, this) in all.iter().enumerate() {
        chains.entry(this.lease()).or_default().push(place);
    }
    let choice = |last: Option<usize>, worth: u64, cost: u128| Choice {
        last,
        worth,
        profit: i128::from(worth)
            .saturating_mul(denominator)
            .saturating_sub(signed(cost)),
    };
    let groups = chains.into_iter().map(|(lease, chain)| {
        let held = before.leases.get(lease).map_or(&[][..], Vec::as_slice);
        let freed: Vec<&Reservation> = held
            .iter()
            .filter(|held| chain.iter().any(|&place| before.frees(&all[place].request, held)))
            .collect();
        let stays = |held: &&Reservation| uses_at_least(before, rows, held);
        let unchanged = freed.iter().map(stays).fold(0, u128::saturating_add);
        let mut choices = vec![choice(None, 0, unchanged)];
        let last = chain.last().copied();
        let mut earlier: u64 = 0;
        for place in chain {
            let this = all[place];
            let worth = earlier.saturating_add(this.entry.worth());
            // What a later request replaces counts only if it is possible by itself.
            if last != Some(place) && alone.is_possible(before, &this.request) != Found::No {
                earlier = worth;
            }
            let left = freed
                .iter()
                .filter(|held| !before.frees(&this.request, held))
                .map(stays);
            let asked = this.request.reservations.iter().map(|asked| {
                let kept = before.kept(&this.request, asked);
                let placed = Placed::asked(before, asked, kept);
                let least = if matches!(asked.resource, Resource::Units(_)) {
                    0
                } else {
                    rows.least(&placed)
                };
                least.saturating_add(stands(rows, &placed, kept))
            });
            choices.push(choice(
                Some(place),
                worth,
                left.chain(asked).fold(0, u128::saturating_add),
            ));
        }
        choices
    });
    groups.collect()
}

/// What a promise that is not replaced uses at least.
fn uses_at_least(before: &Book, rows: &Rows<'_>, held: &Reservation) -> u128 {
    if held.occupation().end <= before.now || matches!(held.resource, Resource::Units(_)) {
        return 0;
    }
    let mut placed = Placed::held(held);
    if before.is_fixed(held) {
        placed.wanted.occupation = before.ahead(held.occupation());
        return stands(rows, &placed, &held.holds);
    }
    rows.least(&placed)
}

/// What something uses where it stands.
fn stands(rows: &Rows<'_>, placed: &Placed<'_>, hosts: &[HostId]) -> u128 {
    let Wanted { resource, .. } = placed.wanted;
    if matches!(resource, Resource::Units(_)) {
        return 0;
    }
    let mut sum: u128 = 0;
    for same in hosts.chunk_by(|one, other| one == other) {
        let capacity = rows.book.hosts.get(&same[0]).map(|host| &host.capacity);
        sum = sum.saturating_add(rows.cost(placed, &same[0], capacity, times(same, &same[0])));
    }
    sum
}

/// The sets that exclude each other, those of which the reason holds.
fn refuted(
    before: &Book,
    problem: &Problem,
    all: &[&Decided<'_>],
    receipt: &ReceiptEntry,
    findings: &mut Findings,
) -> Vec<Refuted> {
    let names = |conflict: &ConflictEntry, own: &BTreeSet<LeaseId>| -> BTreeSet<LeaseId> {
        let owners = conflict.reservations.iter().filter_map(|id| before.owner(id));
        owners.filter(|lease| !own.contains(*lease)).cloned().collect()
    };
    // What is refused by itself, for a reason that was checked with its decision, is refused beside others.
    let impossible = all.iter().enumerate().filter_map(|(place, this)| {
        let conflict = this.impossible().filter(|_| !this.follows)?;
        let own = BTreeSet::from([this.lease().clone()]);
        Some(Refuted {
            members: BTreeSet::from([place]),
            named: names(conflict, &own),
        })
    });
    let mut sound: Vec<Refuted> = impossible.collect();
    for (number, entry) in receipt.refuted.iter().enumerate() {
        findings.place = format!("summary.receipt.refuted[{number}].");
        let places = entry
            .requests
            .iter()
            .map(|id| all.iter().position(|this| this.entry.id == *id));
        let members: Option<BTreeSet<usize>> = places.collect();
        let leases = |members: &BTreeSet<usize>| -> BTreeSet<LeaseId> {
            members.iter().map(|&place| all[place].lease().clone()).collect()
        };
        let members = members.filter(|members| {
            members.len() == entry.requests.len() && !members.is_empty() && leases(members).len() == members.len()
        });
        let Some(members) = members else {
            findings.add(
                "requests",
                "one is unknown, stands twice or is for the same lease as another",
            );
            continue;
        };
        let (book, together) = merged(before, problem, members.iter().map(|&place| &all[place].request));
        let book = book.as_ref().unwrap_or(before);
        let known = (findings.list.len(), findings.believed.len());
        refused::reason(book, &together, &entry.conflict, findings);
        if known == (findings.list.len(), findings.believed.len()) {
            sound.push(Refuted {
                named: names(&entry.conflict, &leases(&members)),
                members,
            });
        }
    }
    findings.place.clear();
    sound
}

/// A walk through the subsets that are worth more than the bound.
struct Subsets<'s> {
    groups: &'s [Vec<Choice>],
    /// The lease of each of the decided.
    leases: Vec<&'s LeaseId>,
    refuted: &'s [Refuted],
    bound: u64,
    looks: usize,
}

impl Subsets<'_> {
    /// Whether every subset with this beginning that may lose `spare` of the profits has requests in it that exclude
    /// each other.
    fn excluded(&mut self, group: usize, spare: i128, worth: u64, chosen: &mut Vec<usize>) -> bool {
        self.looks += 1;
        if self.looks > MOST_LOOKS {
            return false;
        }
        let decides = |lease: &LeaseId| self.leases.contains(&lease);
        let is_whole = group == self.groups.len();
        let holds = |refuted: &Refuted| {
            let changed = || chosen.iter().any(|&place| refuted.named.contains(self.leases[place]));
            let stands = if is_whole {
                !changed()
            } else {
                !refuted.named.iter().any(decides)
            };
            stands && refuted.members.iter().all(|place| chosen.contains(place))
        };
        if self.refuted.iter().any(holds) {
            return true;
        }
        let Some(choices) = self.groups.get(group) else {
            return worth <= self.bound;
        };
        let best = choices.iter().map(|choice| choice.profit).max().unwrap_or(0);
        for choice in choices {
            let left = spare.saturating_sub(best.saturating_sub(choice.profit));
            if left < 0 {
                continue;
            }
            chosen.extend(choice.last);
            let excluded = self.excluded(group + 1, left, worth.saturating_add(choice.worth), chosen);
            if choice.last.is_some() {
                chosen.pop();
            }
            if !excluded {
                return false;
            }
        }
        true
    }
}
