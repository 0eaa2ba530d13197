//! What a reservation displaces, learned from the requests that came before it.
//!
//! A price is the expected number of host-hours of later requests that would no longer fit: for every request seen so
//! far, how many like it arrive while it would matter, and whether it is one that fits now and would not afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use solver::model::{Host, Interval, Request, RequestedReservation, Resource, Seconds};
use solver::planner::Planner;
use solver::predicate::Predicate;

/// Hosts and hours of a request.
#[derive(Debug, Clone, Copy)]
struct Seen {
    hosts: u32,
    hours: f64,
}

/// Prices of host-hours.
#[derive(Debug, Default)]
pub struct Prices {
    /// A request is worth accepting if it is this share of its price or more.
    share: f64,
    seen: BTreeMap<Arc<Predicate>, Vec<Seen>>,
    since: Option<Seconds>,
}

impl Prices {
    /// Prices without any experience.
    pub fn new(share: f64) -> Self {
        Self {
            share,
            ..Self::default()
        }
    }

    /// Remembers what was asked for.
    pub(super) fn learn(&mut self, request: &Request, now: Seconds) {
        self.since.get_or_insert(now);
        for asked in request
            .reservations
            .iter()
            .filter(|asked| asked.resource == Resource::Host)
        {
            let seen = Seen {
                hosts: asked.max,
                hours: hours(asked.window),
            };
            self.seen.entry(Arc::clone(&asked.predicate)).or_default().push(seen);
        }
    }

    /// Whether host-hours on these hosts are worth what they displace.
    pub(super) fn are_met(
        &self,
        planner: &Planner,
        asked: &RequestedReservation,
        hosts: &[&Host],
        now: Seconds,
    ) -> bool {
        let Some(since) = self.since.filter(|&since| since < now) else {
            return true;
        };
        let experience = hours(Interval::new(since, now)).max(24.0);
        let mut price = 0.0;
        for (predicate, seen) in &self.seen {
            let taken = hosts.iter().filter(|host| host.matches(predicate)).count();
            let Some(eligibility) = planner.eligibility(predicate).filter(|_| taken > 0) else {
                continue;
            };
            let free = planner.free_hosts(&eligibility, asked.window, asked.cleaning, u32::MAX);
            let left = free.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX));
            let displaced = seen.iter().filter(|seen| left < seen.hosts && seen.hosts <= free);
            let arrivals = |seen: &Seen| (hours(asked.window) + seen.hours) / experience;
            price += displaced
                .map(|seen| arrivals(seen) * f64::from(seen.hosts) * seen.hours)
                .sum::<f64>();
        }
        let count = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
        f64::from(count) * hours(asked.window) >= self.share * price
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of some decades at most")]
fn hours(window: Interval) -> f64 {
    window.seconds() as f64 / 3_600.0
}
