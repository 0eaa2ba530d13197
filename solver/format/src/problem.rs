//! The problem document as it is written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entries::{Condition, Members};
use crate::model::{HostId, LeaseId, ReservationId, Seconds};

/// The `format` member of a problem.
pub const PROBLEM_FORMAT: &str = "berth-problem/1";

/// Hosts, promises and requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// [`PROBLEM_FORMAT`].
    pub format: String,
    /// The clock.
    pub now: Seconds,
    /// Seconds a host stays free after a reservation.
    #[serde(default)]
    pub cleaning: Seconds,
    /// Seconds before its start in which a pending reservation keeps its hosts.
    #[serde(default)]
    pub freeze: Seconds,
    /// The fleet.
    pub hosts: Vec<HostEntry>,
    /// Sets of addresses and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<PoolEntry>,
    /// Promises made before.
    #[serde(default)]
    pub leases: Vec<LeaseEntry>,
    /// What is asked for, in order of arrival.
    #[serde(default)]
    pub requests: Vec<RequestEntry>,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    /// Its identifier.
    pub id: HostId,
    /// What expressions may ask for.
    #[serde(default)]
    pub properties: Members<String>,
    /// Availability zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Rack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// Amounts by resource class.
    #[serde(default)]
    pub capacity: Members<u64>,
    /// Out-of-service intervals.
    #[serde(default, deserialize_with = "super::entries::start_and_end")]
    pub blocks: Vec<[Seconds; 2]>,
    /// Whether it takes new work.
    #[serde(default = "yes")]
    pub reservable: bool,
}

const fn yes() -> bool {
    true
}

/// A pool of units such as addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolEntry {
    /// Its identifier.
    pub id: String,
    /// Its units.
    pub units: Vec<String>,
}

/// A lease accepted before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseEntry {
    /// Its identifier.
    pub id: LeaseId,
    /// Its reservations.
    pub reservations: Vec<ReservationEntry>,
}

/// What a reservation is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Whole hosts.
    Host,
    /// Instances on hosts.
    Instance,
    /// Units of a pool.
    Units,
}

/// A reservation, held or asked for. Which members it has depends on its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservationEntry {
    /// Its identifier.
    pub id: ReservationId,
    /// What it is of.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// First second.
    pub start: Seconds,
    /// First second after.
    pub end: Seconds,
    /// Fewest hosts (`host`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// Most hosts (`host`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Which hosts are suitable (`host`, `instance`).
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// The pool (`units`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// How many (`instance`, `units`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<u32>,
    /// What one instance takes (`instance`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Members<u64>>,
    /// Whether instances share a host (`instance`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<bool>,
    /// Units that must be among those given (`units`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<Vec<String>>,
    /// What a lease holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<Members<u32>>,
    /// Whether what it holds may not change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
}

/// A lease that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestEntry {
    /// Its identifier.
    pub id: LeaseId,
    /// When it arrives; `now` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Seconds>,
    /// What accepting it is worth; its host-seconds if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// The lease it re-decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<LeaseId>,
    /// What is asked for.
    pub reservations: Vec<ReservationEntry>,
}

impl RequestEntry {
    /// Hosts held times duration, over its host reservations.
    pub fn host_seconds(&self, holds: &BTreeMap<ReservationId, Vec<HostId>>) -> u64 {
        let of = |part: &ReservationEntry| {
            let hosts = holds.get(&part.id).map_or(0, Vec::len) as u64;
            hosts.saturating_mul(part.end.abs_diff(part.start))
        };
        let parts = self.reservations.iter().filter(|part| part.kind == Kind::Host);
        parts.map(of).fold(0, u64::saturating_add)
    }

    /// What accepting it is worth: as stated, else the host-seconds of the least count.
    pub fn worth(&self) -> u64 {
        let least = |entry: &ReservationEntry| {
            u64::from(entry.min.unwrap_or(0)).saturating_mul(entry.end.abs_diff(entry.start))
        };
        self.value
            .unwrap_or_else(|| self.reservations.iter().map(least).fold(0, u64::saturating_add))
    }
}
