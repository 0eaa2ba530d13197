//! What has changed hands, recounted host by host and told as an answer.

use std::collections::BTreeMap;

use super::{Holder, Piece, Rearranged, fit_together};
use crate::decision::{Move, Verdict};
use crate::hosts::{HostNumber, Occupation};
use crate::index::Held;
use crate::model::{HostId, Interval, Request, ReservationId};
use crate::predicate::Predicate;
use crate::request::Ask;

/// The hosts a reservation comes to and leaves.
#[derive(Default)]
struct Change {
    given: Counts,
    left: Counts,
}

/// Hosts, each with 1 or how many instances are meant.
type Counts = BTreeMap<HostNumber, u32>;

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
                changes.entry(piece.holder).or_default().given.insert(host, piece.count);
            }
            for piece in before.iter().filter(|piece| !now.contains(piece)) {
                changes.entry(piece.holder).or_default().left.insert(host, piece.count);
            }
        }
        changes
    }

    /// Counts once more, host by host: whoever moves may, has as many hosts as before on hosts that suit, and meets
    /// nobody there.
    fn holds(&self, request: &Request, changes: &Changes) -> bool {
        let mut come: BTreeMap<HostNumber, Vec<Piece>> = BTreeMap::new();
        for (&holder, change) in changes {
            let Some((during, window, predicate)) = self.needs(holder, change) else {
                return false;
            };
            for (&host, &count) in &change.given {
                let suits = self
                    .carried(host)
                    .is_some_and(|carried| carried.host.suits(predicate, window));
                if !suits {
                    return false;
                }
                come.entry(host).or_default().push(Piece { during, holder, count });
            }
        }
        come.into_iter().all(|(host, come)| {
            let gone = |taken: &Occupation| {
                let change = changes.get(&Holder::Standing(taken.number));
                let left = change.is_some_and(|change| change.left.contains_key(&host));
                left || Ask::frees(request, taken, self.now)
            };
            let Some(carried) = self.carried(host) else {
                return false;
            };
            let wholes = carried.occupations.iter().map(|taken| (taken, None, 1));
            let shares = carried.shares.iter();
            let shares = shares.map(|share| (&share.taken, Some(share.instances.as_ref()), share.count));
            let stays = wholes.chain(shares).filter(|(taken, ..)| !gone(taken));
            let stays = stays.filter(|(taken, ..)| come.iter().any(|piece| piece.during.overlaps(&taken.interval)));
            let stays = stays.map(|(taken, instances, count)| (taken.interval, instances, count));
            let arrives = come
                .iter()
                .map(|piece| (piece.during, self.instances(piece.holder), piece.count));
            fit_together(&carried.host.capacity, &stays.chain(arrives).collect::<Vec<_>>())
        })
    }

    /// Occupation, window and expression of a reservation that changes hosts; `None` if it may not, or has too few or
    /// too many then.
    fn needs(&self, holder: Holder, change: &Change) -> Option<(Interval, Interval, &Predicate)> {
        match holder {
            Holder::Requested(number) => {
                let ask = self.asks.get(number)?;
                let enough = (ask.least..=ask.most).contains(&total(&change.given)) && change.left.is_empty();
                enough.then(|| (ask.asked.occupation(), ask.asked.window, ask.asked.predicate.as_ref()))
            }
            Holder::Standing(number) => {
                let held = self.planner.index().held(number)?;
                let stands =
                    |host: &HostNumber| u32::try_from(*host).is_ok_and(|host| held.hosts.binary_search(&host).is_ok());
                let as_many = total(&change.given) == total(&change.left) && !change.given.keys().any(stands);
                let mut left = change.left.iter();
                let may = left.all(|(&host, &count)| self.may_leave(held, host, count));
                let predicate = self.planner.predicate(held.part.predicate)?;
                (as_many && may).then(|| (held.occupation, held.window, predicate.as_ref()))
            }
        }
    }

    /// Whether a reservation holds the whole host, or has so many instances there, and is not fixed.
    fn may_leave(&self, held: &Held, host: HostNumber, count: u32) -> bool {
        let Some(carried) = self.carried(host) else {
            return false;
        };
        let wholes = carried.overlapping(held.occupation).iter().map(|taken| (taken, 1));
        let shares = carried.shares.iter().map(|share| (&share.taken, share.count));
        let own = wholes.chain(shares).find(|(taken, _)| taken.number == held.part.number);
        own.is_some_and(|(taken, all)| all == count && !taken.is_fixed(self.now, self.planner.freeze))
    }

    fn told(&self, changes: &Changes, group: impl Fn(HostNumber) -> usize) -> Verdict {
        let name = |&host: &HostNumber| self.carried(host).map(|carried| carried.host.id.clone());
        let names = |counts: &Counts| -> Vec<HostId> {
            let named = counts
                .iter()
                .filter_map(|(host, &count)| Some((name(host)?, count as usize)));
            named
                .flat_map(|(name, count)| std::iter::repeat_n(name, count))
                .collect()
        };
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
                    for (&host, &count) in &change.left {
                        *balance.entry(group(host)).or_default() += i64::from(count);
                    }
                    for (&host, &count) in &change.given {
                        *balance.entry(group(host)).or_default() -= i64::from(count);
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

fn total(counts: &Counts) -> u32 {
    counts.values().sum()
}
