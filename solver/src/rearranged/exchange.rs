//! Equal hosts exchange what they carry, so that one of them is idle throughout.
//!
//! A host idle at the start of an interval has work to come too early: from the instant that begins it exchanges
//! everything with an equal host that is idle then, the one that stays so longest, until that is long enough. After the
//! interval, at the first instant at which both are idle, they exchange again, so that what comes later stays where
//! it was.
//!
//! Invariant: if fewer hosts of the classes are in use at every instant of the interval than there are, this succeeds.
//! An exchange changes no count. At the instant at which the host's work begins somebody is idle, and it is not the host
//! itself, which is in use then; so the host becomes idle for longer. Nothing may start after the interval's start
//! that has to stay where it is, or does not suit all hosts of the classes.

use std::cmp::Reverse;

use super::{Holder, Piece, Rearranged};
use crate::hosts::HostNumber;
use crate::index::IndexClass;
use crate::model::{Interval, Seconds};

impl Rearranged<'_> {
    /// Makes a host of the classes idle throughout an interval and gives it; `None` if none is idle at some instant.
    pub(crate) fn give_by_exchange(&mut self, holder: Holder, classes: &[IndexClass], during: Interval) -> Option<()> {
        let (host, mut idle) = self.longest(classes, during.start)?;
        let mut partners: Vec<HostNumber> = Vec::new();
        while idle.end < during.end {
            let (other, longer) = self.longest(classes, idle.end)?;
            if other == host || longer.end <= idle.end {
                return None;
            }
            self.exchange(host, other, idle.end);
            partners.push(other);
            idle.end = longer.end;
        }
        self.give(holder, host, during);
        let mut at = during.end;
        for &other in partners.iter().rev() {
            at = self.both_idle(host, other, at);
            self.exchange(host, other, at);
        }
        Some(())
    }

    /// Of the hosts of the classes that are idle at an instant the one that is idle longest from there.
    fn longest(&self, classes: &[IndexClass], at: Seconds) -> Option<(HostNumber, Interval)> {
        let index = self.planner.index();
        let untouched = |host: HostNumber| !self.hosts.contains_key(&host);
        let others = classes.iter().filter_map(|&class| {
            let (richness, gap) = index.gaps(class).longest(at, untouched)?;
            Some((richness, gap.host as HostNumber, gap.idle))
        });
        let touched = self.touched(classes, at);
        let touched = touched.map(|(host, idle)| (self.richness(host), host, idle));
        let best = others
            .chain(touched)
            .max_by_key(|&(richness, host, idle)| (idle.end, Reverse(richness), idle.start, Reverse(host)));
        best.map(|(_, host, idle)| (host, idle))
    }

    /// Two hosts idle at an instant exchange everything from there on.
    fn exchange(&mut self, one: HostNumber, other: HostNumber, at: Seconds) {
        let mut rest = |host: HostNumber| {
            let pieces = self.touch(host);
            let later = pieces.partition_point(|piece| piece.during.start < at);
            pieces.split_off(later)
        };
        let (of_one, of_other): (Vec<Piece>, Vec<Piece>) = (rest(one), rest(other));
        self.touch(one).extend(of_other);
        self.touch(other).extend(of_one);
    }

    /// The first instant, no earlier than this, at which both hosts are idle.
    fn both_idle(&mut self, one: HostNumber, other: HostNumber, from: Seconds) -> Seconds {
        let mut pieces: Vec<Interval> = self.touch(one).iter().map(|piece| piece.during).collect();
        pieces.extend(self.touch(other).iter().map(|piece| piece.during));
        pieces.sort_unstable();
        let after = |at: Seconds, during: Interval| if during.contains(at) { during.end } else { at };
        pieces.into_iter().fold(from, after)
    }
}
