//! What may be held: the rules of each type for one reservation, whatever else there is.

use solver_format::HeldUnits;
use solver_format::model::{HostId, Interval, Resource};
use solver_format::predicate::Predicate;

use super::Findings;
use super::book::{Book, less, times};

/// Reads a `holds`, `from` or `to` for a reservation of this resource: everything named exists, hosts and
/// units stand once, and there are at most `most`. Sorted; a host stands once for each instance on it.
pub(super) fn read(
    book: &Book,
    resource: &Resource,
    member: &str,
    units: &HeldUnits,
    most: u64,
    findings: &mut Findings,
) -> Option<Vec<HostId>> {
    let mut sound = true;
    let mut total: u64 = 0;
    for (name, &count) in units.iter() {
        let member = format!("{member}.{name}");
        match resource {
            Resource::Host | Resource::Instances(_) => {
                sound &= findings.require(book.hosts.contains_key(name), &member, || "no such host".to_owned());
            }
            Resource::Units(wanted) => {
                let known = book.pools.get(&wanted.pool).is_some_and(|pool| pool.contains(name));
                sound &= findings.require(known, &member, || "no such unit in the pool".to_owned());
            }
        }
        let once = count == 1 || (count > 1 && matches!(resource, Resource::Instances(_)));
        sound &= findings.require(once, &member, || match resource {
            Resource::Host => format!("{count}; a host is held once, so 1"),
            Resource::Units(_) => format!("{count}; a unit is held once, so 1"),
            Resource::Instances(_) => "0; a host without instances is not named".to_owned(),
        });
        total += u64::from(count);
    }
    if total > most {
        findings.add(
            member,
            format!("{total} {}, at most {most} are allowed", plural(resource)),
        );
        return None;
    }
    let expand = |(name, &count): (&HostId, &u32)| std::iter::repeat_n(name.clone(), count as usize);
    sound.then(|| units.iter().flat_map(expand).collect())
}

/// What a resource consists of.
pub(super) const fn plural(resource: &Resource) -> &'static str {
    match resource {
        Resource::Host => "hosts",
        Resource::Instances(_) => "instances",
        Resource::Units(_) => "units",
    }
}

/// Affinity of instances, and units that must be there. What is not held in full need not have them all.
pub(super) fn together(resource: &Resource, holds: &[HostId], full: bool, member: &str, findings: &mut Findings) {
    match resource {
        Resource::Host => {}
        Resource::Instances(instances) => {
            let one = holds.windows(2).all(|pair| pair[0] == pair[1]);
            findings.require(one || instances.affinity != Some(true), member, || {
                "`affinity` true means one host for all instances".to_owned()
            });
            let apart = holds.windows(2).all(|pair| pair[0] != pair[1]);
            findings.require(apart || instances.affinity != Some(false), member, || {
                "`affinity` false means one instance on each host".to_owned()
            });
        }
        Resource::Units(units) => {
            for unit in units.required.iter().filter(|_| full) {
                findings.require(times(holds, unit) == 1, member, || {
                    format!("the required unit `{unit}` is missing")
                });
            }
        }
    }
}

/// The rules for work that was not on a host before.
pub(super) fn new_work(
    book: &Book,
    resource: &Resource,
    host: &HostId,
    predicate: &Predicate,
    window: Interval,
    member: &str,
    findings: &mut Findings,
) {
    if matches!(resource, Resource::Units(_)) {
        return;
    }
    let Some(host) = book.hosts.get(host) else { return };
    findings.require(host.reservable, member, || "the host takes no new work".to_owned());
    findings.require(host.matches(predicate), member, || "the host does not match".to_owned());
    findings.require(host.in_service(window), member, || {
        "the host is out of service in the window".to_owned()
    });
}

/// What `after` has beyond `before`: each is new work.
pub(super) fn added(before: &[HostId], after: &[HostId]) -> Vec<HostId> {
    let mut added = less(after, before);
    added.dedup();
    added
}
