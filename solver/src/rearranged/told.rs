//! What has changed hands, recounted host by host and told as an answer.

use std::collections::{BTreeMap, BTreeSet};

use super::{Holder, Rearranged};
use crate::decision::{Move, Verdict};
use crate::hosts::{HostNumber, Occupation};
use crate::index::Held;
use crate::model::{HostId, Interval, Request, ReservationId};
use crate::predicate::Predicate;
use crate::request::Ask;

/// The hosts a reservation comes to and leaves.
#[derive(Default)]
struct Change {
    given: BTreeSet<HostNumber>,
    left: BTreeSet<HostNumber>,
}

type Changes = BTreeMap<Holder, Change>;

impl Rearranged<'_> {
    /// The answer, if it holds. Moves are counted between what `group` tells apart.
    pub(crate) fn verdict(&self, request: &Request, group: impl Fn(HostNumber) -> usize) -> Option<Verdict> {
        let changes = self.changes();
        self.holds(request, &changes).then(|| self.told(&changes, group))
    }

    fn changes(&self) -> Changes {
        let mut changes: Changes = (0..self.asks.len())
            .map(|number| (Holder::Requested(number), Change::default()))
            .collect();
        for (&host, now) in &self.hosts {
            let before = self.before(host);
            for piece in now.iter().filter(|piece| !before.contains(piece)) {
                changes.entry(piece.holder).or_default().given.insert(host);
            }
            for piece in before.iter().filter(|piece| !now.contains(piece)) {
                changes.entry(piece.holder).or_default().left.insert(host);
            }
        }
        changes
    }

    /// Counts once more, host by host: whoever moves may, has as many hosts as before on hosts that suit, and meets
    /// nobody there.
    fn holds(&self, request: &Request, changes: &Changes) -> bool {
        let mut come: BTreeMap<HostNumber, Vec<Interval>> = BTreeMap::new();
        for (&holder, change) in changes {
            let Some((occupation, window, predicate)) = self.needs(holder, change) else {
                return false;
            };
            for &host in &change.given {
                let suits = self
                    .carried(host)
                    .is_some_and(|carried| carried.host.suits(predicate, window));
                if !suits {
                    return false;
                }
                come.entry(host).or_default().push(occupation);
            }
        }
        come.into_iter().all(|(host, mut times)| {
            times.sort_unstable();
            let gone = |taken: &Occupation| {
                let change = changes.get(&Holder::Standing(taken.number));
                let left = change.is_some_and(|change| change.left.contains(&host));
                left || Ask::frees(request, taken, self.now)
            };
            let disjoint = times.windows(2).all(|pair| !pair[0].overlaps(&pair[1]));
            let beside = |time: &Interval| {
                let mut met = self.carried(host).into_iter().flat_map(|carried| carried.in_use(*time));
                met.all(gone)
            };
            disjoint && times.iter().all(beside)
        })
    }

    /// Occupation, window and expression of a reservation that changes hosts; `None` if it may not, or has too few or
    /// too many then.
    fn needs(&self, holder: Holder, change: &Change) -> Option<(Interval, Interval, &Predicate)> {
        match holder {
            Holder::Requested(number) => {
                let ask = self.asks.get(number)?;
                let amounts = ask.least as usize..=ask.most as usize;
                let enough = amounts.contains(&change.given.len()) && change.left.is_empty();
                enough.then(|| (ask.asked.occupation(), ask.asked.window, ask.asked.predicate.as_ref()))
            }
            Holder::Standing(number) => {
                let held = self.planner.index().held(number)?;
                let stands =
                    |host: &HostNumber| u32::try_from(*host).is_ok_and(|host| held.hosts.binary_search(&host).is_ok());
                let as_many = change.given.len() == change.left.len()
                    && change.left.iter().all(stands)
                    && !change.given.iter().any(stands);
                let may = change.left.iter().all(|&host| self.may_leave(held, host));
                let predicate = self.planner.predicate(held.part.predicate)?;
                (as_many && may).then(|| (held.occupation, held.window, predicate.as_ref()))
            }
        }
    }

    /// Whether a reservation holds the whole host and is not fixed there.
    fn may_leave(&self, held: &Held, host: HostNumber) -> bool {
        let occupations = self.carried(host).map(|carried| carried.overlapping(held.occupation));
        let own = occupations
            .into_iter()
            .flatten()
            .find(|taken| taken.number == held.part.number);
        own.is_some_and(|taken| !taken.is_fixed(self.now, self.planner.freeze))
    }

    fn told(&self, changes: &Changes, group: impl Fn(HostNumber) -> usize) -> Verdict {
        let name = |&host: &HostNumber| self.carried(host).map(|carried| carried.host.id.clone());
        let names = |hosts: &BTreeSet<HostNumber>| hosts.iter().filter_map(name).collect::<Vec<HostId>>();
        let mut holds: BTreeMap<ReservationId, Vec<HostId>> = BTreeMap::new();
        let mut moves: Vec<Move> = Vec::new();
        for (&holder, change) in changes {
            match holder {
                Holder::Requested(number) => {
                    let ask = &self.asks[number];
                    let mut all = names(&change.given);
                    all.extend(ask.kept.iter().cloned());
                    all.sort();
                    holds.insert(ask.asked.id.clone(), all);
                }
                Holder::Standing(number) => {
                    let mut balance: BTreeMap<usize, i64> = BTreeMap::new();
                    for &host in &change.left {
                        *balance.entry(group(host)).or_default() += 1;
                    }
                    for &host in &change.given {
                        *balance.entry(group(host)).or_default() -= 1;
                    }
                    let counted: i64 = balance.values().filter(|&&missing| missing > 0).sum();
                    let held = self.planner.index().held(number);
                    moves.extend(held.map(|held| Move {
                        reservation: held.id.clone(),
                        from: names(&change.left),
                        to: names(&change.given),
                        counted: u32::try_from(counted).unwrap_or(u32::MAX),
                    }));
                }
            }
        }
        moves.sort_by(|one, other| one.reservation.cmp(&other.reservation));
        Verdict::Accepted { holds, moves }
    }
}
