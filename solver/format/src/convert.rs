//! Between the entries of documents and what they are about.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entries::{Condition, Members};
use super::plan::HeldUnits;
use super::problem::{HostEntry, Kind, LeaseEntry, PoolEntry, RequestEntry, ReservationEntry};
use crate::model::{
    Host, HostId, Instances, Interval, Lease, Pool, Request, RequestedReservation, Reservation, Resource, Seconds,
    Units,
};
use crate::predicate::Predicate;

impl HostEntry {
    /// The host as the planner sees it; blocks are sorted and those that touch are joined.
    pub fn to_host(&self) -> Host {
        let named = |members: &Members<String>| {
            members
                .iter()
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect()
        };
        let mut sorted: Vec<Interval> = self
            .blocks
            .iter()
            .map(|&[start, end]| Interval::new(start, end))
            .collect();
        sorted.sort_unstable();
        let mut blocks: Vec<Interval> = Vec::new();
        for block in sorted {
            match blocks.last_mut() {
                Some(last) if block.start <= last.end => last.end = last.end.max(block.end),
                _ => blocks.push(block),
            }
        }
        Host {
            id: self.id.clone(),
            properties: named(&self.properties),
            zone: self.zone.clone(),
            rack: self.rack.clone(),
            capacity: self
                .capacity
                .iter()
                .map(|(name, &amount)| (name.to_string(), amount))
                .collect(),
            blocks,
            reservable: self.reservable,
        }
    }

    /// The entry of a host.
    pub fn of(host: &Host) -> Self {
        Self {
            id: host.id.clone(),
            properties: host
                .properties
                .iter()
                .map(|(name, value)| (name.as_str().into(), value.clone()))
                .collect(),
            zone: host.zone.clone(),
            rack: host.rack.clone(),
            capacity: host
                .capacity
                .iter()
                .map(|(name, &amount)| (name.as_str().into(), amount))
                .collect(),
            blocks: host.blocks.iter().map(|block| [block.start, block.end]).collect(),
            reservable: host.reservable,
        }
    }
}

impl ReservationEntry {
    fn window(&self) -> Interval {
        Interval::new(self.start, self.end)
    }

    fn predicate(&self) -> Arc<Predicate> {
        self.condition.clone().unwrap_or_default().0
    }

    fn resource(&self) -> Resource {
        match self.kind {
            Kind::Host => Resource::Host,
            Kind::Instance => Resource::Instances(Arc::new(Instances {
                resources: self
                    .resources
                    .iter()
                    .flat_map(|resources| resources.iter())
                    .map(|(name, &amount)| (name.to_string(), amount))
                    .collect(),
                affinity: self.affinity,
            })),
            Kind::Units => {
                let mut required: Vec<HostId> = self
                    .required
                    .iter()
                    .flatten()
                    .map(|unit| unit.as_str().into())
                    .collect();
                required.sort();
                Resource::Units(Arc::new(Units {
                    pool: self.pool.as_deref().unwrap_or_default().into(),
                    required,
                }))
            }
        }
    }

    fn to_requested(&self, cleaning: Seconds) -> RequestedReservation {
        RequestedReservation {
            id: self.id.clone(),
            resource: self.resource(),
            window: self.window(),
            cleaning: if self.kind == Kind::Host { cleaning } else { 0 },
            min: self.min.or(self.amount).unwrap_or(1),
            max: self.max.or(self.amount).unwrap_or(1),
            predicate: self.predicate(),
        }
    }

    fn to_reservation(&self, cleaning: Seconds) -> Reservation {
        let asked = self.to_requested(cleaning);
        let mut holds = Vec::new();
        for (host, &count) in self.holds.iter().flat_map(|holds| holds.iter()) {
            holds.extend(std::iter::repeat_n(host.clone(), count as usize));
        }
        Reservation {
            id: asked.id,
            resource: asked.resource,
            window: asked.window,
            cleaning: asked.cleaning,
            min: asked.min,
            max: asked.max,
            predicate: asked.predicate,
            holds,
            pinned: self.pinned.unwrap_or(false),
        }
    }

    /// The entry of a reservation held.
    pub fn held(reservation: &Reservation) -> Self {
        Self {
            holds: Some(units(&reservation.holds)),
            pinned: Some(reservation.pinned),
            ..Self::asked(&reservation.requested())
        }
    }

    /// The entry of a reservation asked for.
    pub fn asked(asked: &RequestedReservation) -> Self {
        let mut entry = Self {
            id: asked.id.clone(),
            kind: Kind::Host,
            start: asked.window.start,
            end: asked.window.end,
            min: None,
            max: None,
            condition: None,
            pool: None,
            amount: None,
            resources: None,
            affinity: None,
            required: None,
            holds: None,
            pinned: None,
        };
        match &asked.resource {
            Resource::Host => {
                (entry.min, entry.max) = (Some(asked.min), Some(asked.max));
                entry.condition = Some(Condition(Arc::clone(&asked.predicate)));
            }
            Resource::Instances(instances) => {
                entry.kind = Kind::Instance;
                entry.amount = Some(asked.min);
                let amounts = instances.resources.iter();
                entry.resources = Some(amounts.map(|(name, &amount)| (name.as_str().into(), amount)).collect());
                entry.affinity = instances.affinity;
                entry.condition = Some(Condition(Arc::clone(&asked.predicate)));
            }
            Resource::Units(units) => {
                entry.kind = Kind::Units;
                entry.pool = Some(units.pool.to_string());
                entry.amount = Some(asked.min);
                entry.required = Some(units.required.iter().map(ToString::to_string).collect());
            }
        }
        entry
    }
}

impl PoolEntry {
    /// The pool as the planner sees it.
    pub fn to_pool(&self) -> Pool {
        let mut units: Vec<HostId> = self.units.iter().map(|unit| unit.as_str().into()).collect();
        units.sort();
        Pool {
            id: self.id.as_str().into(),
            units,
            words: None,
        }
    }

    /// The entry of a pool.
    pub fn of(pool: &Pool) -> Self {
        Self {
            id: pool.id.to_string(),
            units: pool.units.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What is held with how often it stands, as documents write it.
pub fn units(hosts: &[HostId]) -> HeldUnits {
    let mut counts = BTreeMap::new();
    for host in hosts {
        *counts.entry(host.clone()).or_insert(0) += 1;
    }
    Members(counts)
}

impl LeaseEntry {
    /// The lease of the entry, for a problem's cleaning time.
    pub fn to_lease(&self, cleaning: Seconds) -> Lease {
        let reservations = self.reservations.iter();
        Lease {
            id: self.id.clone(),
            reservations: reservations.map(|part| part.to_reservation(cleaning)).collect(),
        }
    }

    /// The entry of a lease.
    pub fn of(lease: &Lease) -> Self {
        Self {
            id: lease.id.clone(),
            reservations: lease.reservations.iter().map(ReservationEntry::held).collect(),
        }
    }
}

impl RequestEntry {
    /// The request as the planner sees it, for a problem's cleaning time.
    pub fn to_request(&self, cleaning: Seconds) -> Request {
        Request {
            id: self.id.clone(),
            replaces: self.replaces.clone(),
            reservations: self
                .reservations
                .iter()
                .map(|part| part.to_requested(cleaning))
                .collect(),
        }
    }

    /// The entry of a request.
    pub fn of(request: &Request) -> Self {
        Self {
            id: request.id.clone(),
            at: None,
            value: None,
            replaces: request.replaces.clone(),
            reservations: request.reservations.iter().map(ReservationEntry::asked).collect(),
        }
    }
}

/// What reservations hold, as plans write it.
pub fn all_units(holds: &BTreeMap<Arc<str>, Vec<HostId>>) -> Members<HeldUnits> {
    holds
        .iter()
        .map(|(reservation, hosts)| (reservation.clone(), units(hosts)))
        .collect()
}
