//! Why not, for units.
//!
//! Invariant: everything but a `search` is counted in units of the pool, as the checker does.

use super::{Asked, Pool};
use crate::certificate::minimal::{self, Member};
use crate::decision::{Conflict, Tier, Verdict};
use crate::model::{HostId, ReservationId};
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
            reservations: self.asked.iter().map(|asked| asked.ask.asked.id.clone()).collect(),
            certificate: Vec::new(),
            text: format!(
                "between {} and {} no choice of units of the pool `{}` serves your request and keeps every earlier \
                 lease; all were tried",
                wording::instant(from),
                wording::instant(until),
                self.id
            )
            .into(),
        }
    }

    /// A reservation of more units than the pool has, or of one that it does not have.
    pub(super) fn never_enough(&self) -> Option<Conflict> {
        let exist = self.units.len() as u64;
        let size = |asked: &Asked<'_>| u64::from(asked.ask.asked.min);
        let large = self.asked.iter().find(|asked| size(asked) > exist).map(|asked| {
            let needed = size(asked);
            let needed_text = wording::count_is(needed, "unit", "units");
            let text = format!("{needed_text} needed, the pool `{}` has {exist}", self.id);
            (asked, needed, exist, text)
        });
        let has = |unit: &HostId| self.units.binary_search(unit).is_ok();
        let absent = || {
            let asked = self.asked.iter().find(|asked| !asked.required.iter().all(has))?;
            let exist = asked.required.iter().filter(|unit| has(unit)).count() as u64;
            let needed = asked.required.len() as u64;
            let needed_text = wording::count_is(needed, "unit", "units");
            let text = format!("{needed_text} required, the pool `{}` has {exist} of them", self.id);
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
            let text = format!(
                "enough units of the pool `{}` are free at every single instant, but not the same ones throughout: \
                 between {} and {} your request and earlier leases need more than {} units can give",
                self.id,
                wording::instant(conflict.from),
                wording::instant(conflict.until - 1),
                conflict.hosts_matching.len(),
            );
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
            "between {} and {} {} needed at once of the pool `{}` by your request and by earlier leases, which has {}",
            wording::instant(conflict.from),
            wording::instant(conflict.until),
            wording::count_is(needed, "unit", "units"),
            self.id,
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
