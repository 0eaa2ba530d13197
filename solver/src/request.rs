//! What a request asks for beyond what it keeps.
//!
//! Invariant: an [`Ask`] exists only if what is kept may be kept and enough hosts suit the rest, taken
//! alone and at any time.

mod kept;

use std::collections::BTreeSet;

use crate::decision::Conflict;
use crate::hosts::{Occupation, ReservationNumber};
use crate::index::IndexClass;
use crate::model::{HostId, Interval, Request, RequestedReservation, Reservation, Resource, Seconds};
use crate::planner::Planner;
use crate::wording;

/// A requested reservation, as far as it is still to come, beside what it holds already.
pub(crate) struct Ask<'a> {
    pub(crate) asked: &'a RequestedReservation,
    /// Hosts it keeps because it has started or is fixed, sorted.
    pub(crate) kept: &'a [HostId],
    /// Hosts it held before, which it gets again if that costs nothing, sorted.
    pub(crate) before: &'a [HostId],
    /// Fewest hosts to find besides the kept ones.
    pub(crate) least: u32,
    /// Most hosts to find besides the kept ones.
    pub(crate) most: u32,
}

impl<'a> Ask<'a> {
    /// Reads all reservations of a request, or says which one can never be granted. `ahead` is what of it is to be
    /// decided (see [`Request::ahead`]).
    pub(crate) fn read_all(
        planner: &'a Planner,
        request: &Request,
        ahead: &'a Request,
        now: Seconds,
    ) -> Result<Vec<Self>, Conflict> {
        let replaced: &[Reservation] = match &request.replaces {
            None => &[],
            Some(lease) => match planner.lease(lease) {
                Some(lease) => &lease.reservations,
                None => {
                    return Err(malformed(
                        request,
                        "the request cannot be read: the lease it replaces does not exist",
                    ));
                }
            },
        };
        let mut names = BTreeSet::new();
        for asked in &request.reservations {
            if asked.min == 0 || asked.min > asked.max || asked.window.start >= asked.window.end || asked.cleaning < 0 {
                return Err(malformed(
                    request,
                    "the request cannot be read: its amounts or times contradict each other",
                ));
            }
            if !names.insert(&asked.id) {
                return Err(malformed(
                    request,
                    "the request cannot be read: two of its reservations have one identifier",
                ));
            }
        }
        let parts = request.reservations.iter().zip(&ahead.reservations);
        let asks = parts.map(|(whole, asked)| Self::read(planner, whole, asked, replaced, now));
        let asks = asks.collect::<Result<Vec<_>, _>>()?;
        kept::kept_twice(planner, &asks, ahead, now).map_or(Ok(asks), Err)
    }

    fn read(
        planner: &'a Planner,
        whole: &RequestedReservation,
        asked: &'a RequestedReservation,
        replaced: &'a [Reservation],
        now: Seconds,
    ) -> Result<Self, Conflict> {
        let old = replaced.iter().find(|old| old.id == asked.id);
        let before: &[HostId] = old.map_or(&[], |old| &old.holds);
        let kept = match old {
            Some(old) if old.is_fixed(now, planner.freeze) => {
                may_keep(planner, old, whole, now)?;
                old.holds.as_slice()
            }
            _ => &[],
        };
        let held = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        let ask = Self {
            asked,
            kept,
            before,
            least: asked.min.saturating_sub(held),
            most: asked.max.saturating_sub(held),
        };
        ask.enough_suit(planner)?;
        Ok(ask)
    }

    fn enough_suit(&self, planner: &Planner) -> Result<(), Conflict> {
        if self.least == 0 || self.asked.resource != Resource::Host {
            return Ok(());
        }
        let index = planner.index();
        let eligible = planner.eligible(&self.asked.predicate);
        let classes = eligible.into_iter().flat_map(|eligible| &eligible.classes);
        let classes: Vec<IndexClass> = classes
            .map(|&class| class as IndexClass)
            .filter(|&class| index.in_service(class, self.asked.window))
            .collect();
        let all: usize = classes.iter().map(|&class| index.hosts_of(class).len()).sum();
        let kept = self.kept.iter().filter_map(|id| planner.hosts.number(id));
        let kept = kept.filter(|&host| classes.contains(&index.class_of(host))).count();
        if all - kept >= self.least as usize {
            return Ok(());
        }
        let others = classes.iter().flat_map(|&class| index.ids_of(class));
        let others = others.filter(|id| self.kept.binary_search(id).is_err());
        let mut hosts: Vec<HostId> = self.kept.iter().chain(others).cloned().collect();
        hosts.sort();
        let (needed, exist) = (u64::from(self.asked.min), hosts.len() as u64);
        let window = self.asked.window;
        Err(Conflict {
            reason: "no_matching_hosts",
            from: window.start,
            until: window.end,
            needed,
            exist,
            hosts_matching: hosts,
            reservations: vec![self.asked.id.clone()],
            certificate: Vec::new(),
            text: format!(
                "{} needed that {} in service from {} to {}, {exist} {}",
                wording::count_is(needed, "host", "hosts"),
                if needed == 1 {
                    "matches the request and is"
                } else {
                    "match the request and are"
                },
                wording::instant(window.start),
                wording::instant(window.end),
                if exist == 1 { "exists" } else { "exist" },
            )
            .into(),
        })
    }

    /// Whether the request itself frees this part of a host's time: it belongs to the replaced lease and
    /// is either decided anew here or has not started.
    pub(crate) fn frees(request: &Request, taken: &Occupation, now: Seconds) -> bool {
        request.replaces.as_ref() == Some(&taken.lease)
            && (taken.interval.start > now || request.reservations.iter().any(|asked| asked.id == taken.reservation))
    }

    /// The reservations of the replaced lease that the request frees.
    pub(crate) fn freed(planner: &Planner, request: &Request, now: Seconds) -> Vec<ReservationNumber> {
        let replaced = request.replaces.as_ref().and_then(|lease| planner.stored_lease(lease));
        let parts = replaced
            .iter()
            .flat_map(|stored| stored.lease.reservations.iter().zip(&stored.parts));
        let freed = parts.filter(|(held, _)| Self::frees_reservation(request, held, now));
        freed.map(|(_, part)| part.number).collect()
    }

    /// As [`Ask::frees`], for a reservation of the replaced lease.
    pub(crate) fn frees_reservation(request: &Request, held: &Reservation, now: Seconds) -> bool {
        held.window.start > now || request.reservations.iter().any(|asked| asked.id == held.id)
    }
}

/// Whether a fixed reservation may be re-decided like this with all of its hosts.
fn may_keep(planner: &Planner, old: &Reservation, asked: &RequestedReservation, now: Seconds) -> Result<(), Conflict> {
    let held = old.holds.len() as u64;
    // Instances name a host once for each of them.
    let mut hosts = old.holds.clone();
    hosts.dedup();
    let conflict = |text: String| Conflict {
        reason: "started",
        from: asked.window.start,
        until: asked.window.end,
        needed: held,
        exist: u64::from(asked.max),
        hosts_matching: hosts.clone(),
        reservations: vec![asked.id.clone()],
        certificate: Vec::new(),
        text: text.into(),
    };
    if u64::from(asked.max) < held {
        return Err(conflict(format!(
            "the reservation has started or is about to and keeps its {}; the request asks for at most {}",
            wording::count(held, "host", "hosts"),
            asked.max
        )));
    }
    if old.window.start <= now && asked.window.start != old.window.start {
        return Err(conflict(format!(
            "the reservation has started; its start stays {}",
            wording::instant(old.window.start)
        )));
    }
    for id in &old.holds {
        let blocks = planner.host(id).map_or(&[][..], |host| &host.blocks);
        let new_block = blocks
            .iter()
            .find(|block| block.overlaps(&asked.window) && !within(**block, old, asked));
        if let Some(block) = new_block {
            let mut conflict = conflict(format!(
                "a host the reservation keeps is out of service from {} to {}",
                wording::instant(block.start),
                wording::instant(block.end)
            ));
            (conflict.needed, conflict.exist) = (1, 0);
            (conflict.from, conflict.until) = (block.start.max(asked.window.start), block.end.min(asked.window.end));
            conflict.hosts_matching = vec![id.clone()];
            return Err(conflict);
        }
    }
    Ok(())
}

/// Whether the part of a block inside the new window lies inside the old window too.
fn within(block: Interval, old: &Reservation, asked: &RequestedReservation) -> bool {
    let (start, end) = (block.start.max(asked.window.start), block.end.min(asked.window.end));
    old.window.start <= start && end <= old.window.end
}

/// Why a request contradicts itself or what it builds on.
pub(crate) fn malformed(request: &Request, text: &str) -> Conflict {
    let starts = request.reservations.iter().map(|asked| asked.window.start);
    let ends = request.reservations.iter().map(|asked| asked.window.end);
    Conflict {
        reason: "malformed",
        from: starts.min().unwrap_or(0),
        until: ends.max().unwrap_or(0),
        needed: 0,
        exist: 0,
        hosts_matching: Vec::new(),
        reservations: request.reservations.iter().map(|asked| asked.id.clone()).collect(),
        certificate: Vec::new(),
        text: text.into(),
    }
}
