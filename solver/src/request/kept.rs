//! Hosts a request keeps that are needed elsewhere too.

use super::Ask;
use crate::decision::Conflict;
use crate::model::{Interval, Request, Resource, Seconds};
use crate::planner::Planner;
use crate::wording;

/// A host the request keeps that other fixed work, or the request itself, needs at the same time.
pub(super) fn kept_twice(planner: &Planner, asks: &[Ask<'_>], request: &Request, now: Seconds) -> Option<Conflict> {
    let is_whole = |ask: &Ask<'_>| ask.asked.resource == Resource::Host;
    for (position, ask) in asks.iter().enumerate().filter(|(_, ask)| is_whole(ask)) {
        let occupation = ask.asked.occupation();
        for host in ask.kept {
            let others = planner.hosts.get(host).map(|carried| carried.in_use(occupation));
            let fixed = others
                .into_iter()
                .flatten()
                .filter(|taken| !Ask::frees(request, taken, now) && taken.is_fixed(now, planner.freeze))
                .map(|taken| (&taken.reservation, taken.interval));
            let own = asks[..position]
                .iter()
                .filter(|other| is_whole(other) && other.kept.binary_search(host).is_ok())
                .map(|other| (&other.asked.id, other.asked.occupation()));
            if let Some((other, interval)) = fixed.chain(own).find(|(_, interval)| interval.overlaps(&occupation)) {
                let shared = Interval::new(interval.start.max(occupation.start), interval.end.min(occupation.end));
                let mut reservations = vec![ask.asked.id.clone(), other.clone()];
                reservations.sort();
                return Some(Conflict {
                    reason: "capacity",
                    from: shared.start,
                    until: shared.end,
                    needed: 2,
                    exist: 1,
                    hosts_matching: vec![host.clone()],
                    reservations,
                    certificate: Vec::new(),
                    text: format!(
                        "at {} (until {}), a host your reservation keeps is needed by it and by an earlier lease \
                         that cannot move",
                        wording::instant(shared.start),
                        wording::instant(shared.end)
                    )
                    .into(),
                });
            }
        }
    }
    None
}
