//! Counts become hosts without a look at hosts that do not change.
//!
//! In each cell whose counts change, whoever gets more takes hosts that are free, or that somebody gives up who gets
//! less. Where that does not work out, because no host is free throughout, or where groups are no single cells, the
//! classes have to be swept instead (see `decode`).
//!
//! Invariant: every host given was looked at: it suits, and all that is in the way on it is given up.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{CellNumber, DemandNumber, Scope};
use crate::decision::{Move, Verdict};
use crate::hosts::HostNumber;
use crate::model::{HostId, Interval, ReservationId, Seconds};
use crate::reassign::Counts;

/// What differs in one cell.
#[derive(Default)]
struct Change {
    growing: Vec<(DemandNumber, u32)>,
    shrinking: BTreeMap<DemandNumber, u32>,
}

/// Hosts that change hands.
#[derive(Default)]
struct Hands {
    given: BTreeMap<DemandNumber, BTreeSet<HostNumber>>,
    left: BTreeMap<DemandNumber, BTreeSet<HostNumber>>,
}

impl Hands {
    fn has_left(&self, number: DemandNumber, host: HostNumber) -> bool {
        self.left.get(&number).is_some_and(|hosts| hosts.contains(&host))
    }
}

/// A host that could be given.
type Candidate = (usize, u64, Reverse<Seconds>, HostNumber);

impl Scope<'_> {
    /// The answer these counts are, if it can be read off like that.
    pub(crate) fn place(&mut self, counts: &Counts) -> Option<Verdict> {
        if !self.is_plain() {
            return None;
        }
        let mut changes: BTreeMap<CellNumber, Change> = BTreeMap::new();
        for (&number, counts) in counts {
            let before: BTreeMap<CellNumber, u32> = self.held(number).iter().copied().collect();
            let both: BTreeSet<CellNumber> = before.keys().chain(counts.keys()).copied().collect();
            for cell in both {
                let of = |counts: &BTreeMap<CellNumber, u32>| counts.get(&cell).copied().unwrap_or(0);
                let (old, new) = (of(&before), of(counts));
                if new > old {
                    changes.entry(cell).or_default().growing.push((number, new - old));
                } else if old > new {
                    changes.entry(cell).or_default().shrinking.insert(number, old - new);
                }
            }
        }
        let mut hands = Hands::default();
        for (cell, change) in changes {
            self.exchange(cell, change, &mut hands)?;
        }
        self.holds(&hands).then(|| self.told(&hands))
    }

    /// Gives and takes hosts of one cell.
    fn exchange(&mut self, cell: CellNumber, mut change: Change, hands: &mut Hands) -> Option<()> {
        change
            .growing
            .sort_by_key(|&(number, _)| (self.demands[number].occupation.start, self.demands[number].reservation));
        let mut surplus = change.shrinking;
        for (number, count) in change.growing {
            let occupation = self.demands[number].occupation;
            let mut free = self.could_have(cell, occupation, &surplus, hands);
            free.sort_unstable();
            let mut missing = count;
            for (.., host) in free {
                if missing == 0 {
                    break;
                }
                let in_the_way = self.in_the_way(host, occupation, hands)?;
                // An earlier choice may have used up what such a demand gives up.
                if !in_the_way
                    .iter()
                    .all(|other| surplus.get(other).is_some_and(|&left| left > 0))
                {
                    continue;
                }
                for other in in_the_way {
                    surplus.entry(other).and_modify(|left| *left -= 1);
                    hands.left.entry(other).or_default().insert(host);
                }
                hands.given.entry(number).or_default().insert(host);
                missing -= 1;
            }
            if missing > 0 {
                return None;
            }
        }
        for (number, left) in surplus {
            // What nobody asked for is given up from the far end, richest host first.
            let mut own: Vec<(u64, HostNumber)> = Vec::new();
            for host in self.standing(number) {
                if self.group_of(host) == self.cells[cell].group && !hands.has_left(number, host) {
                    own.push((self.planner.hosts.at(host)?.richness, host));
                }
            }
            own.sort_unstable_by_key(|&own| Reverse(own));
            let gone = own.into_iter().take(left as usize).map(|(_, host)| host);
            hands.left.entry(number).or_default().extend(gone);
        }
        Some(())
    }

    fn standing(&self, number: DemandNumber) -> Vec<HostNumber> {
        let held = self.demands[number].number.and_then(|number| self.index.held(number));
        held.map_or(&[][..], |held| held.hosts.as_slice())
            .iter()
            .map(|&host| host as HostNumber)
            .collect()
    }

    /// Hosts of a cell on which nothing is in the way that is not given up, or may be.
    fn could_have(
        &self,
        cell: CellNumber,
        occupation: Interval,
        surplus: &BTreeMap<DemandNumber, u32>,
        hands: &Hands,
    ) -> Vec<Candidate> {
        let classes = self.groups.classes(self.cells[cell].group);
        let mut taken = vec![false; self.planner.hosts.len()];
        let gives = |number: DemandNumber| surplus.get(&number).is_some_and(|&left| left > 0);
        for holder in classes
            .iter()
            .flat_map(|&class| self.index.holders(class).during(occupation))
        {
            let demand = self.known.get(&holder.number).copied();
            if demand.is_some_and(|number| gives(number) || hands.left.contains_key(&number)) {
                continue;
            }
            let held = self.index.held(holder.number);
            for &host in held.map_or(&[][..], |held| held.hosts.as_slice()) {
                taken[host as usize] = true;
            }
        }
        let hosts = classes.iter().flat_map(|&class| self.index.hosts_of(class));
        let mut options = Vec::new();
        for host in hosts.map(|&host| host as HostNumber).filter(|&host| !taken[host]) {
            let Some(in_the_way) = self.in_the_way(host, occupation, hands) else {
                continue;
            };
            if let (true, Some(carried)) = (
                in_the_way.iter().all(|&other| gives(other)),
                self.planner.hosts.at(host),
            ) {
                let earlier = carried
                    .occupations
                    .partition_point(|taken| taken.interval.end <= occupation.start);
                let idle_since = earlier
                    .checked_sub(1)
                    .map_or(Seconds::MIN, |last| carried.occupations[last].interval.end);
                options.push((in_the_way.len(), carried.richness, Reverse(idle_since), host));
            }
        }
        options
    }

    /// The pending demands that stand on a host during the time; `None` if something stands there that may not go.
    fn in_the_way(&self, host: HostNumber, occupation: Interval, hands: &Hands) -> Option<Vec<DemandNumber>> {
        let mut others = Vec::new();
        for taken in self.planner.hosts.at(host)?.in_use(occupation) {
            let number = self.known.get(&taken.number).copied()?;
            if !hands.has_left(number, host) {
                others.push(number);
            }
        }
        let given = |(number, hosts): (&DemandNumber, &BTreeSet<HostNumber>)| {
            hosts.contains(&host) && self.demands[*number].occupation.overlaps(&occupation)
        };
        (!hands.given.iter().any(given)).then_some(others)
    }

    /// Counts once more, host by host.
    fn holds(&self, hands: &Hands) -> bool {
        let mut on_host: BTreeMap<HostNumber, Vec<Interval>> = BTreeMap::new();
        let mut sizes = true;
        let changed = self
            .requested()
            .chain(hands.given.keys().chain(hands.left.keys()).copied());
        for number in changed.collect::<BTreeSet<DemandNumber>>() {
            let (given, left) = (hands.given.get(&number), hands.left.get(&number));
            let standing = self.standing(number);
            let (come, gone) = (given.map_or(0, BTreeSet::len), left.map_or(0, BTreeSet::len));
            let demand = &self.demands[number];
            sizes &= left.is_none_or(|left| left.iter().all(|host| standing.binary_search(host).is_ok()))
                && given.is_none_or(|given| given.iter().all(|host| standing.binary_search(host).is_err()));
            sizes &= (demand.least as usize..=demand.most as usize).contains(&(standing.len() + come - gone));
            for &host in given.into_iter().flatten() {
                on_host.entry(host).or_default().push(demand.occupation);
            }
        }
        let suits = hands.given.iter().all(|(&number, hosts)| {
            let demand = &self.demands[number];
            let predicate = self.planner.predicate(demand.predicate);
            hosts.iter().all(|&host| {
                let carried = self.planner.hosts.at(host);
                carried
                    .zip(predicate)
                    .is_some_and(|(carried, predicate)| carried.host.suits(predicate, demand.window))
            })
        });
        let disjoint = on_host.into_iter().all(|(host, mut times)| {
            let Some(carried) = self.planner.hosts.at(host) else {
                return false;
            };
            let stays = |number: &u32| {
                self.known
                    .get(number)
                    .is_none_or(|&number| !hands.has_left(number, host))
            };
            times.extend(
                carried
                    .all()
                    .filter(|taken| stays(&taken.number))
                    .map(|taken| taken.interval),
            );
            times.sort_unstable();
            times.windows(2).all(|pair| !pair[0].overlaps(&pair[1]))
        });
        sizes && suits && disjoint
    }

    fn told(&self, hands: &Hands) -> Verdict {
        let name = |&host: &HostNumber| self.planner.hosts.at(host).map(|carried| carried.host.id.clone());
        let names = |hosts: Option<&BTreeSet<HostNumber>>| hosts.into_iter().flatten().filter_map(name).collect();
        let requested = self.requested().map(|number| {
            let holds: Vec<HostId> = names(hands.given.get(&number));
            (self.demands[number].reservation.clone(), holds)
        });
        let holds: BTreeMap<ReservationId, Vec<HostId>> = requested.collect();
        let mut moves = Vec::new();
        for (number, left) in hands.left.iter().filter(|(_, left)| !left.is_empty()) {
            let mut balance: BTreeMap<usize, i64> = BTreeMap::new();
            for &host in left {
                *balance.entry(self.group_of(host)).or_default() += 1;
            }
            for &host in hands.given.get(number).into_iter().flatten() {
                *balance.entry(self.group_of(host)).or_default() -= 1;
            }
            let counted: i64 = balance.values().filter(|&&missing| missing > 0).sum();
            moves.push(Move {
                reservation: self.demands[*number].reservation.clone(),
                from: names(Some(left)),
                to: names(hands.given.get(number)),
                counted: u32::try_from(counted).unwrap_or(u32::MAX),
            });
        }
        moves.sort_by(|one, other| one.reservation.cmp(&other.reservation));
        Verdict::Accepted { holds, moves }
    }
}
