//! What the configuration tells the service.

use crate::book::countables::Countables;

/// What the service is told by its configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Seconds a host must stay free after a lease.
    pub cleaning: i64,
    /// Seconds before its start from which a lease keeps its hosts.
    pub freeze: i64,
    /// Default lead of the before-end event in seconds; 0: no such event unless asked for.
    pub before_end_lead: i64,
    /// Wall seconds one decision may take.
    pub decision_seconds: f64,
    /// Most hosts, instances, addresses and units that the reservations of one lease may have in sum.
    pub most_amount: u32,
    /// Most of them that the leases of one project may have in sum.
    pub most_project_amount: u32,
    /// Name of this cloud's region, for `$region` in property expressions.
    pub region: String,
    /// Units of resource types that the operator has named.
    pub countables: Countables,
    /// Seconds between two runs of the reconciler.
    pub reconcile_interval: i64,
    /// Seconds between two questions to the monitor of hosts.
    pub polling_interval: i64,
    /// Promises that start within so many seconds are flagged when a failed host cannot be replaced; later ones wait
    /// where they are. 0: all are. Also the seconds between two attempts at what is still on failed hosts.
    pub healing_interval: i64,
    /// Seconds a claim on due work lasts without being renewed.
    pub claim_seconds: i64,
    /// Longest wait of a retry in seconds.
    pub retry_ceiling: i64,
    /// Whether other processes share the database.
    pub shared: bool,
    /// Name of this process in claims.
    pub worker: String,
}

impl Settings {
    /// Whole seconds one decision, or one question, may take.
    pub(crate) fn decision_limit(&self) -> i64 {
        let whole = self.decision_seconds.ceil();
        (1..=3600)
            .find(|&seconds| f64::from(seconds) >= whole)
            .map_or(3600, i64::from)
    }

    /// Seconds until the next attempt at something that has failed so many times in a row: doubling, up to the ceiling.
    pub(crate) fn retry_delay(&self, failures: u32) -> i64 {
        (1_i64 << failures.saturating_sub(1).min(20)).min(self.retry_ceiling.max(1))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cleaning: 0,
            freeze: 0,
            before_end_lead: 3600,
            decision_seconds: 10.0,
            most_amount: 10_000,
            most_project_amount: 100_000,
            region: String::new(),
            countables: Countables::new(),
            reconcile_interval: 60,
            polling_interval: 60,
            healing_interval: 3600,
            claim_seconds: 15,
            retry_ceiling: 60,
            shared: false,
            worker: "berth".to_owned(),
        }
    }
}
