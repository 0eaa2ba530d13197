//! Looks at every second of every host and unit after a decision.

use std::collections::BTreeMap;

use solver::model::{Host, HostId, Lease, Pool, Request, Reservation, Resource, Seconds};

/// What the state is audited against.
pub(crate) struct Audit<'a> {
    pub(crate) hosts: &'a [Host],
    pub(crate) pool: &'a Pool,
    pub(crate) now: Seconds,
    pub(crate) freeze: Seconds,
}

impl Audit<'_> {
    /// Every rule broken by what the leases hold after a decision.
    pub(crate) fn run(&self, before: &[Lease], after: &[Lease], request: &Request) -> Vec<String> {
        let mut violations = Vec::new();
        for second in self.now..self.now + 50 {
            for host in self.hosts {
                self.host(host, second, after, &mut violations);
            }
            for unit in &self.pool.units {
                let held = after.iter().flat_map(|lease| &lease.reservations).filter(|held| {
                    matches!(held.resource, Resource::Units(_))
                        && held.window.contains(second)
                        && held.holds.contains(unit)
                });
                if held.count() > 1 {
                    violations.push(format!("unit {unit} is held twice at {second}"));
                }
            }
        }
        for held in after.iter().flat_map(|lease| &lease.reservations) {
            rules(held, &mut violations);
        }
        for lease in before
            .iter()
            .filter(|lease| request.replaces.as_ref() != Some(&lease.id))
        {
            let now = after.iter().find(|other| other.id == lease.id);
            for (old, new) in lease
                .reservations
                .iter()
                .zip(now.map_or(&[][..], |lease| &lease.reservations))
            {
                let fixed = old.pinned || old.window.start <= self.now || old.window.start < self.now + self.freeze;
                if (fixed && old.holds != new.holds) || old.holds.len() != new.holds.len() || old.window != new.window {
                    violations.push(format!("the promise {} changed to {new:?}", old.id));
                }
            }
            if now.is_none() {
                violations.push(format!("the lease {} is lost", lease.id));
            }
        }
        violations
    }

    fn host(&self, host: &Host, second: Seconds, leases: &[Lease], violations: &mut Vec<String>) {
        let _ = self.freeze;
        let mut wholes = 0;
        let mut used: BTreeMap<&str, u64> = BTreeMap::new();
        let mut instances = 0;
        for held in leases.iter().flat_map(|lease| &lease.reservations) {
            let here = held.holds.iter().filter(|id| **id == host.id).count() as u64;
            if here == 0 || !(held.window.start..held.window.end + held.cleaning).contains(&second) {
                continue;
            }
            match &held.resource {
                Resource::Host => wholes += here,
                Resource::Instances(kind) => {
                    instances += here;
                    for (class, amount) in &kind.resources {
                        *used.entry(class).or_default() += amount * here;
                    }
                }
                Resource::Units(_) => {}
            }
        }
        if wholes > 1 || wholes == 1 && instances > 0 {
            violations.push(format!(
                "{} serves {wholes} hosts and {instances} instances at {second}",
                host.id
            ));
        }
        for (class, used) in used {
            if used > host.capacity.get(class).copied().unwrap_or(0) {
                violations.push(format!("{} has less than {used} {class} at {second}", host.id));
            }
        }
    }
}

/// Amounts, affinity and required units.
fn rules(held: &Reservation, violations: &mut Vec<String>) {
    let mut distinct: Vec<&HostId> = held.holds.iter().collect();
    distinct.dedup();
    let broken = match &held.resource {
        Resource::Host => distinct.len() != held.holds.len(),
        Resource::Instances(kind) => match kind.affinity {
            None => false,
            Some(true) => distinct.len() > 1,
            Some(false) => distinct.len() != held.holds.len(),
        },
        Resource::Units(kind) => {
            distinct.len() != held.holds.len() || kind.required.iter().any(|unit| !held.holds.contains(unit))
        }
    };
    if broken || !(held.min as usize..=held.max as usize).contains(&held.holds.len()) {
        violations.push(format!("{held:?}"));
    }
}
