//! Questions about capacity, `/capacity/v1`. Times are RFC 3339.
//!
//! Invariant: answers carry numbers; identifiers of leases, reservations and hosts appear only in members
//! that say they hold what the caller may read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::date::ZonedTime;

/// How many hosts of a kind are free at every instant of a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Availability {
    /// State of the book the answer holds for; it grows with every change.
    #[schema(example = 4711)]
    pub epoch: i64,
    /// The minute it was asked in.
    pub at: ZonedTime,
    /// First second asked about.
    pub start: ZonedTime,
    /// First second after what was asked about.
    pub end: ZonedTime,
    /// Registered hosts that satisfy the expressions, whether or not they take new work.
    #[schema(example = 40)]
    pub hosts_matching: u32,
    /// Why none does; absent if some do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// One after another without gaps; neighbours differ.
    pub steps: Vec<AvailabilityStep>,
    /// If there are more steps than `limit`: where they go on. Ask again with it as `marker`.
    pub next_marker: Option<ZonedTime>,
}

/// From one instant to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AvailabilityStep {
    /// First second.
    pub start: ZonedTime,
    /// First second after.
    pub end: ZonedTime,
    /// Matching hosts that take new work and are in service.
    #[schema(example = 38)]
    pub in_service: u32,
    /// Of these, hosts that nothing uses as the plan stands, nor has to be cleaned after. Between two leases they are
    /// free however little time there is, even if it is too little for a lease and the cleaning after it.
    #[schema(example = 12)]
    pub free: u32,
    /// Of these, hosts that could be free at an instant if leases that have not started were given other hosts. Exact
    /// for each instant taken alone, unless instances could be put together in more ways than one answer can try: then
    /// at least so many. A lease that lasts longer may get fewer (`what-if` tells).
    #[schema(example = 15)]
    pub free_with_moves: u32,
}

/// What is asked: a lease, changes of the fleet, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "lease": {"end": "2030-01-02T10:00:00Z", "reservations": [
        {"resource_type": "physical:host", "min": 4, "max": 8, "resource_properties": "[\"==\", \"$gpu\", \"True\"]"}]},
    "hosts": {"add": [{"count": 2, "like": "gpu07"}], "down": [{"host": "gpu03", "end": "2030-01-03T00:00:00Z"}]}
}))]
pub struct WhatIfRequest {
    /// A lease that might be booked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<WhatIfLease>,
    /// What might happen to the fleet. Only for those whom the rule `berth:capacity:what_if_hosts` allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<HostChanges>,
}

/// A lease that might be booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhatIfLease {
    /// First second, a whole minute; left out: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<ZonedTime>,
    /// First second after, a whole minute.
    pub end: ZonedTime,
    /// Latest start to look for; left out: 90 days after `start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_start: Option<ZonedTime>,
    /// What it reserves, as in `POST /v1/leases`.
    #[schema(value_type = Vec<WhatIfReservation>, min_items = 1, max_items = 100)]
    pub reservations: Vec<Map<String, Value>>,
}

/// What is reserved, as in `POST /v1/leases`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhatIfReservation {
    /// `physical:host`; left out: the same.
    #[schema(example = "physical:host")]
    pub resource_type: Option<String>,
    /// Fewest hosts.
    #[schema(minimum = 1)]
    pub min: u32,
    /// Most hosts; left out: as many as `min`.
    #[schema(minimum = 1)]
    pub max: Option<u32>,
    /// Property expression; left out or empty: every host.
    pub hypervisor_properties: Option<String>,
    /// Property expression; left out or empty: every host.
    #[schema(example = "[\"==\", \"$gpu\", \"True\"]")]
    pub resource_properties: Option<String>,
}

/// What might happen to the fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostChanges {
    /// More hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<AddedHosts>,
    /// Hosts that are gone from now on, by id or hypervisor host name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// Hosts that are down for a time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub down: Vec<DownHost>,
}

/// More hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddedHosts {
    /// How many.
    #[schema(minimum = 1, maximum = 10000)]
    pub count: u32,
    /// Id or hypervisor host name of a host they are like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// Capabilities they have besides those of that host, or instead of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}

/// A host that is down for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DownHost {
    /// Its id or hypervisor host name.
    pub host: String,
    /// First second; left out: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<ZonedTime>,
    /// First second after; left out: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<ZonedTime>,
}

/// What would be. Nothing is reserved by asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhatIf {
    /// State of the book the answer holds for.
    pub epoch: i64,
    /// The minute it was asked in.
    pub at: ZonedTime,
    /// What would become of earlier promises, if changes of the fleet were asked about.
    pub hosts: Option<HostsOutcome>,
    /// What would become of the lease, if one was asked about.
    pub lease: Option<LeaseOutcome>,
}

/// What would become of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseOutcome {
    /// `accepted`, `refused` (proved), or `undecided` (the time ran out; not a "no").
    #[schema(example = "accepted")]
    pub verdict: String,
    /// Why it would be refused.
    pub conflict: Option<Conflict>,
    /// Changed leases that would be accepted, if it would be refused.
    pub offers: Vec<Offer>,
    /// Earlier promises that would change hosts for it.
    pub moves: Moves,
    /// When it could start.
    pub earliest_start: EarliestStart,
    /// Most hosts each reservation could have in this window, the others as asked for.
    pub most_hosts: Vec<MostHosts>,
}

/// The earliest starts of a whole lease, not before the one asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarliestStart {
    /// If no earlier promise gets hosts of another class.
    pub without_moves: Slot,
    /// If leases that have not started may be given other hosts.
    pub with_moves: Slot,
    /// Latest start that was looked at.
    pub latest: ZonedTime,
}

/// A start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Slot {
    /// The start; `null`: none was found.
    pub start: Option<ZonedTime>,
    /// Whether there is no earlier one (or none at all); `false` if the time ran out.
    pub proved: bool,
}

/// Most hosts one reservation could have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MostHosts {
    /// Place of the reservation in the lease, from 0.
    pub reservation: u32,
    /// If no earlier promise gets hosts of another class.
    pub without_moves: Amount,
    /// If leases that have not started may be given other hosts.
    pub with_moves: Amount,
}

/// A number of hosts, or bounds on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Amount {
    /// So many are possible.
    pub hosts: u32,
    /// No more are; greater than `hosts` only if the time ran out.
    pub at_most: u32,
}

/// A shortage in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Conflict {
    /// `no_matching_hosts` (too few suit at any time), `occupied` (too few suit beside work that cannot move),
    /// `capacity` (a shortage of hosts at an instant), `resources` (of processors, memory or disk at an instant),
    /// `rows` (several instants that together are short), `started` (it contradicts what has begun), `search`
    /// (shown by trying everything), `undecided` (of a promise after a failure: nothing was found in time, and not
    /// everything was tried).
    #[schema(example = "capacity")]
    pub reason: String,
    /// The shortage lasts from here ...
    pub start: ZonedTime,
    /// ... to here.
    pub end: ZonedTime,
    /// Hosts needed at once, by the request and by the fewest leases that together are too many for the same hosts. Absent
    /// where something else than hosts is counted: instances, amounts of a resource class, units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts_needed: Option<u64>,
    /// Hosts that exist for them; absent with `hosts_needed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts_exist: Option<u64>,
    /// One sentence for people.
    pub text: String,
    /// Competing leases that the caller may read.
    pub leases: Vec<String>,
    /// How many other reservations compete.
    pub other_reservations: u32,
    /// The hosts they are restricted to, if the caller may read hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<String>>,
}

/// A changed request that would be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Offer {
    /// The whole request at a later time.
    Start {
        /// When it starts.
        start: ZonedTime,
        /// When it ends.
        end: ZonedTime,
        /// Whether no earlier promise gets hosts of another class for it.
        without_moves: bool,
    },
    /// The whole request with an earlier end.
    End {
        /// When it ends.
        end: ZonedTime,
        /// Whether no earlier promise gets hosts of another class for it.
        without_moves: bool,
    },
    /// Fewer hosts.
    Amount {
        /// Place of the reservation in the request, from 0.
        reservation: u32,
        /// `min` and `max` of it.
        amount: u32,
        /// Whether no earlier promise gets hosts of another class for it.
        without_moves: bool,
    },
    /// Another condition in the place of one in which a name or a value is misspelt.
    Replace {
        /// Place of the reservation in the request, from 0.
        reservation: u32,
        /// The condition, as property expressions write it.
        #[schema(example = r#"["==","$gpu","true"]"#)]
        condition: String,
        /// The one that is meant.
        #[schema(example = r#"["==","$gpu","True"]"#)]
        replacement: String,
        /// Whether no earlier promise gets hosts of another class for it.
        without_moves: bool,
    },
    /// One condition on the hosts left out.
    Drop {
        /// Place of the reservation in the request, from 0.
        reservation: u32,
        /// The condition, as property expressions write it.
        #[schema(example = r#"["==","$gpu","True"]"#)]
        condition: String,
        /// Whether no earlier promise gets hosts of another class for it.
        without_moves: bool,
    },
}

/// Earlier promises that would change hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Moves {
    /// Reservations that would get hosts of another class.
    pub reservations: u32,
    /// Hosts of another class they would get.
    pub hosts: u32,
    /// Of these reservations, those without which nothing as good exists.
    pub must: u32,
    /// Changes of reservations that the caller may read, also those inside a class.
    pub leases: Vec<MovedReservation>,
}

/// A reservation that would change hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MovedReservation {
    /// Its lease.
    pub lease_id: String,
    /// The reservation.
    pub reservation_id: String,
    /// Ids of hosts it gives up; empty for those who may not read hosts.
    pub from: Vec<String>,
    /// Ids of hosts it takes instead; empty for those who may not read hosts.
    pub to: Vec<String>,
    /// How many of them are of another class.
    pub hosts_of_another_class: u32,
    /// `must`, `may` (something else could move instead), or `unknown` (the time ran out).
    #[schema(example = "may")]
    pub necessity: String,
}

/// What would become of earlier promises if the fleet changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostsOutcome {
    /// Reservations that stand on hosts that would be gone or down.
    pub displaced: u32,
    /// What would change: displaced reservations, and others that make room.
    pub moves: Moves,
    /// Reservations that could not be kept.
    pub lost: u32,
    /// Those of them that the caller may read.
    pub lost_leases: Vec<LostReservation>,
    /// Whether no fewer could be lost; `false` if the time ran out.
    pub proved: bool,
}

/// A reservation that could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LostReservation {
    /// Its lease.
    pub lease_id: String,
    /// The reservation.
    pub reservation_id: String,
    /// Hosts it would lack.
    pub hosts_missing: u32,
    /// Why.
    pub conflict: Conflict,
}
