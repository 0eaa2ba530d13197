//! Why not, for units.
//!
//! Invariant: everything but a `search` is counted in units of the pool, as the checker does.

use std::collections::BTreeSet;

use super::{Asked, Held, Pool};
use crate::certificate::minimal::{self, Member};
use crate::certificate::short_throughout;
use crate::decision::{Conflict, Tier, Verdict};
use crate::model::{HostId, Interval, ReservationId};
use crate::wording;

impl Pool<'_> {
    /// The refusal when what the request keeps is needed twice, or is not what it requires.
    pub(super) fn kept_twice(&self) -> (Tier, Verdict) {
        let conflict = self.by_search();
        (Tier::Static, Verdict::Refused { conflict })
    }

    fn by_search(&self) -> Conflict {
        let windows = || self.asked.iter().map(|asked| asked.ask.asked.window);
        let from = windows().map(|window| window.start).min().unwrap_or(0);
        let until = windows().map(|window| window.end).max().unwrap_or(0);
        Conflict {
            reason: "search",
            from,
            until,
            needed: self.asked.iter().map(|asked| u64::from(asked.ask.asked.min)).sum(),
            exist: self.units.len() as u64,
            hosts_matching: self.units.to_vec(),
            reservations: self.competing().into_iter().cloned().collect(),
            certificate: Vec::new(),
            text: format!(
                "between {} and {} no choice of {} serves your request and keeps every earlier lease; all were tried",
                wording::instant(from),
                wording::instant(until),
                self.of_pool(&self.words.more),
            )
            .into(),
        }
    }

    /// Who has to do with the request: who has units at the same time as a requested reservation, or as one of these
    /// that may be given others. Without the rest there would be no more room.
    fn competing(&self) -> BTreeSet<&ReservationId> {
        let asked = || self.asked.iter().map(|asked| asked.ask.asked);
        let mut listed: BTreeSet<&ReservationId> = asked().map(|asked| &asked.id).collect();
        let mut reached: Vec<Interval> = asked().map(|asked| asked.window).collect();
        while let Some(during) = reached.pop() {
            for Held { reservation, fixed, .. } in &self.held {
                if reservation.window.overlaps(&during) && listed.insert(&reservation.id) && !fixed {
                    reached.push(reservation.window);
                }
            }
        }
        listed
    }

    /// A reservation of more units than the pool has, or of one that it does not have.
    pub(super) fn never_enough(&self) -> Option<Conflict> {
        let exist = self.units.len() as u64;
        let size = |asked: &Asked<'_>| u64::from(asked.ask.asked.min);
        let large = self.asked.iter().find(|asked| size(asked) > exist).map(|asked| {
            let needed = size(asked);
            let text = format!("{} needed, {} has {exist}", self.count_is(needed), self.words.pool);
            (asked, needed, exist, text)
        });
        let has = |unit: &HostId| self.units.binary_search(unit).is_ok();
        let absent = || {
            let asked = self.asked.iter().find(|asked| !asked.required.iter().all(has))?;
            let exist = asked.required.iter().filter(|unit| has(unit)).count() as u64;
            let needed = asked.required.len() as u64;
            let count = self.count_is(needed);
            let text = format!("{count} required, {} has {exist} of them", self.words.pool);
            Some((asked, needed, exist, text))
        };
        let (asked, needed, exist, text) = large.or_else(absent)?;
        let asked = asked.ask.asked;
        Some(Conflict {
            reason: "no_matching_hosts",
            from: asked.window.start,
            until: asked.window.end,
            needed,
            exist,
            hosts_matching: self.units.to_vec(),
            reservations: vec![asked.id.clone()],
            certificate: Vec::new(),
            text: text.into(),
        })
    }

    /// `1 address is` or `3 addresses are`.
    fn count_is(&self, count: u64) -> String {
        wording::count_is(count, &self.words.one, &self.words.more)
    }

    /// `units of licence:cad`
    fn of_pool(&self, units: &str) -> String {
        format!("{units} of {}", self.words.pool)
    }

    /// How many units a reservation needs.
    fn size(&self, reservation: &ReservationId) -> u64 {
        let asked = self.asked.iter().find(|asked| asked.ask.asked.id == *reservation);
        let held = || self.held.iter().find(|held| held.reservation.id == *reservation);
        asked
            .map(|asked| u64::from(asked.ask.asked.min))
            .or_else(|| held().map(|held| held.reservation.holds.len() as u64))
            .unwrap_or(0)
    }

    /// The nested planner's reason in the names of the request: a shortage at an instant is one here, too.
    pub(super) fn conflict(&self, conflict: Conflict) -> Conflict {
        let has = |unit: &HostId| self.units.binary_search(unit).is_ok();
        if conflict.reason == "rows" && conflict.hosts_matching.iter().all(has) {
            let is_asked = |id: &&ReservationId| self.asked.iter().any(|asked| asked.ask.asked.id == **id);
            let others = conflict.reservations.iter().filter(|id| !is_asked(id)).count() as u64;
            let (one, more) = (self.of_pool(&self.words.one), self.of_pool(&self.words.more));
            let units = (conflict.hosts_matching.len() as u64, one.as_str(), more.as_str());
            let span = Interval::new(conflict.from, conflict.until);
            let text = short_throughout(span, others, units);
            return Conflict {
                text: text.into(),
                ..conflict
            };
        }
        if conflict.reason != "capacity" {
            return self.by_search();
        }
        let mut reservations = conflict.reservations.clone();
        let mut needed = conflict.needed;
        if conflict.hosts_matching.len() == self.units.len() {
            // All parts of a reservation compete for the same units then, so whole ones are dropped or kept.
            let members = conflict.reservations.iter().map(|reservation| Member {
                reservation,
                amount: self.size(reservation),
                kind: None,
                own: self.asked.iter().any(|asked| asked.ask.asked.id == *reservation),
            });
            let members = minimal::minimal(members.collect(), conflict.exist);
            needed = u64::try_from(minimal::needed(&members)).unwrap_or(u64::MAX);
            reservations = members.iter().map(|member| member.reservation.clone()).collect();
        }
        let text = format!(
            "between {} and {} {} needed at once by your request and by earlier leases; {} has {}",
            wording::instant(conflict.from),
            wording::instant(conflict.until),
            self.count_is(needed),
            self.words.pool,
            conflict.exist
        );
        Conflict {
            needed,
            reservations,
            certificate: Vec::new(),
            text: text.into(),
            ..conflict
        }
    }
}
