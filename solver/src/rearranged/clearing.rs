//! Instances leave a host for equal hosts that instances use already, so that it is idle throughout an interval.
//!
//! Invariant: what leaves fits beside everything that stands where it comes to. Only promises that may move leave, all of
//! their instances on the host together, and instances that stand on different hosts go on doing so. Not finding a host
//! proves nothing.

use std::collections::BTreeSet;

use super::{Holder, Piece, Rearranged};
use crate::hosts::HostNumber;
use crate::index::IndexClass;
use crate::model::Interval;

/// How often it is looked whether instances fit on a host, for one host that is to be idle.
const MOST_LOOKS: u32 = 512;

impl Rearranged<'_> {
    /// Gives a host of the classes that only instances use during an interval, once they have left it.
    pub(crate) fn give_by_clearing(&mut self, holder: Holder, classes: &[IndexClass], during: Interval) -> Option<()> {
        let mut hosts: Vec<(usize, u64, HostNumber)> = Vec::new();
        for host in self.shared(classes, during) {
            let in_the_way = self.in_the_way(host, during);
            if !in_the_way.is_empty() && in_the_way.iter().all(|&other| self.may_clear(other)) {
                hosts.push((in_the_way.len(), self.richness(host), host));
            }
        }
        hosts.sort_unstable();
        // What leaves the emptiest host goes to the fullest ones.
        let fullest_first: Vec<HostNumber> = hosts.iter().rev().map(|&(.., host)| host).collect();
        let mut looks = 0;
        let mut emptiest_first = fullest_first.iter().rev().copied();
        let cleared = emptiest_first.find(|&host| self.clear(host, during, &fullest_first, &mut looks).is_some())?;
        self.give(holder, cleared, during);
        Some(())
    }

    /// Hosts of the classes on which instances stand some time within an interval.
    fn shared(&self, classes: &[IndexClass], during: Interval) -> BTreeSet<HostNumber> {
        let index = self.planner.index();
        let mut shared = BTreeSet::new();
        for &class in classes {
            let holders = index.holders(class).within(during).filter(|holder| holder.instances);
            let held = holders.filter_map(|holder| index.held(holder.number));
            let hosts = held.flat_map(|held| &held.hosts).map(|&host| host as HostNumber);
            shared.extend(hosts.filter(|&host| index.class_of(host) == class));
        }
        shared
    }

    /// Whether a holder is a promise of instances that may be put elsewhere.
    fn may_clear(&self, holder: Holder) -> bool {
        let Holder::Standing(number) = holder else { return false };
        let held = self.planner.index().held(number);
        held.is_some_and(|held| !held.reservation().is_fixed(self.now, self.planner.freeze))
            && self.instances(holder).is_some()
    }

    /// Takes everything that meets an interval away from a host, to others; `None`, and nothing is changed, if that
    /// does not work out.
    fn clear(&mut self, host: HostNumber, during: Interval, others: &[HostNumber], looks: &mut u32) -> Option<()> {
        let pieces = self.pieces(host).into_owned();
        let mut gone: Vec<(Piece, HostNumber)> = Vec::new();
        for piece in pieces.into_iter().filter(|piece| piece.during.overlaps(&during)) {
            let target = others.iter().copied().find(|&other| {
                *looks += 1;
                other != host && *looks <= MOST_LOOKS && self.takes_in(other, &piece)
            });
            if let Some(target) = target {
                self.touch(host).retain(|other| *other != piece);
                self.put(target, piece);
                gone.push((piece, target));
            } else {
                for (piece, target) in gone {
                    self.touch(target).retain(|other| *other != piece);
                    self.put(host, piece);
                }
                return None;
            }
        }
        Some(())
    }

    /// Whether instances fit on a host beside what stands there, none of it of the same promise.
    fn takes_in(&self, host: HostNumber, piece: &Piece) -> bool {
        let pieces = self.pieces(host);
        !pieces.iter().any(|other| other.holder == piece.holder) && self.fits(host, piece, &pieces)
    }
}
