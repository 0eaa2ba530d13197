//! What a replay counts.

use std::collections::BTreeMap;

use solver::model::{Request, ReservationId, Resource};

use crate::stages::Census;

/// Seconds held by each reservation of a lease, times how many hosts, instances or units hold it.
pub type Held = BTreeMap<ReservationId, u64>;

/// Amounts of time, by what is held. All in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offered {
    /// Hosts times seconds.
    pub host_seconds: u64,
    /// Instances times their processors times seconds.
    pub processor_seconds: u64,
}

/// Microseconds of decisions.
#[derive(Debug, Clone, Default)]
pub struct Latency(pub Vec<f64>);

impl Latency {
    /// The value that this share of the decisions does not exceed, in microseconds; 0 without any.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list"
    )]
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (share * sorted.len() as f64).ceil() as usize;
        sorted
            .get(place.clamp(1, sorted.len().max(1)) - 1)
            .copied()
            .unwrap_or(0.0)
    }
}

/// What became of the requests that are counted.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Requests.
    pub requests: u64,
    /// Accepted ones.
    pub accepted: u64,
    /// Refused ones.
    pub refused: u64,
    /// Feasible ones that were refused because they are not worth what they displace.
    pub declined: u64,
    /// Without an answer in time.
    pub undecided: u64,
    /// Refused ones for which Berth finds an assignment on the very same state.
    pub needless: u64,
    /// Refused ones for which Berth could not say in time.
    pub unknown: u64,
    /// Hosts that left a pending reservation for one of another class.
    pub moves: u64,
    /// What was asked for, at most.
    pub asked: Offered,
    /// What was promised.
    pub promised: Offered,
    /// Accepted requests that got more of a host than it has, over the whole stream.
    pub overbooked: u64,
    /// Time of decisions by the stage that took them.
    pub latency: BTreeMap<&'static str, Latency>,
    /// Decisions by stage and runs of HiGHS, if the contender is Berth.
    pub census: Census,
}

impl Tally {
    /// Counts a request and what it got beyond what its lease had.
    pub(super) fn count(&mut self, request: &Request, accepted: bool, before: &Held, after: &Held) {
        self.requests += 1;
        self.accepted += u64::from(accepted);
        for part in &request.reservations {
            let seconds = part.window.end.abs_diff(part.window.start);
            let had = before.get(&part.id).copied().unwrap_or(0);
            let asked = (u64::from(part.max) * seconds).saturating_sub(had);
            let has = after.get(&part.id).copied().unwrap_or(0).saturating_sub(had);
            match &part.resource {
                Resource::Host => {
                    self.asked.host_seconds += asked;
                    self.promised.host_seconds += if accepted { has } else { 0 };
                }
                Resource::Instances(instances) => {
                    let processors = instances.resources.get("VCPU").copied().unwrap_or(0);
                    self.asked.processor_seconds += asked * processors;
                    self.promised.processor_seconds += if accepted { has * processors } else { 0 };
                }
                Resource::Units(_) => {}
            }
        }
    }

    /// Notes the time of a decision.
    pub fn took(&mut self, stage: &'static str, micros: f64) {
        self.latency.entry(stage).or_default().0.push(micros);
    }

    /// All decision times together.
    pub fn all(&self) -> Latency {
        Latency(
            self.latency
                .values()
                .flat_map(|latency| latency.0.iter().copied())
                .collect(),
        )
    }
}
