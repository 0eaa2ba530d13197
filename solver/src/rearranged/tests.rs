//! On random fleets of equal hosts: as many hosts as counting shows are given, and the index's gaps stay those of the
//! hosts through everything that is put, exchanged and removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use crate::decision::{Decision, Tier, Verdict};
use crate::model::{
    Host, HostId, Instances, Interval, Lease, Request, RequestedReservation, Reservation, Resource, Seconds,
};
use crate::planner::Planner;
use crate::predicate::Predicate;
use crate::reach::Reach;
use crate::request::Ask;
use crate::tails;

const HOSTS: usize = 9;

fn host(number: usize) -> HostId {
    format!("h{number}").into()
}

fn fleet() -> Planner {
    let mut planner = Planner::new(0);
    for number in 0..HOSTS {
        // One in three hosts is richer, which no expression asks for.
        let properties = (number % 3 == 0).then(|| ("gpu".to_owned(), "True".to_owned()));
        planner.put_host(Host {
            id: host(number),
            properties: properties.into_iter().collect(),
            zone: None,
            rack: None,
            capacity: BTreeMap::from([("VCPU".to_owned(), 8)]),
            blocks: Vec::new(),
            reservable: true,
        });
    }
    planner
}

fn everything() -> Arc<Predicate> {
    Arc::new(Predicate::All(Vec::new()))
}

fn lease(number: usize, window: Interval, resource: Resource, holds: Vec<HostId>) -> Lease {
    let count = u32::try_from(holds.len()).unwrap();
    Lease {
        id: format!("l{number}").into(),
        reservations: vec![Reservation {
            id: format!("r{number}").into(),
            cleaning: if resource == Resource::Host { 2 } else { 0 },
            resource,
            window,
            min: count,
            max: count,
            predicate: everything(),
            holds,
            pinned: false,
        }],
    }
}

fn request(number: usize, window: Interval, wanted: u32) -> Request {
    Request {
        id: format!("l{number}").into(),
        replaces: None,
        reservations: vec![RequestedReservation {
            id: format!("r{number}").into(),
            resource: Resource::Host,
            window,
            cleaning: 2,
            min: wanted,
            max: wanted,
            predicate: everything(),
        }],
    }
}

/// Hosts on which nothing meets the interval.
fn free(planner: &Planner, interval: Interval) -> Vec<HostId> {
    let hosts = planner.hosts.values();
    let free = hosts.filter(|carried| carried.in_use(interval).next().is_none());
    free.map(|carried| Arc::clone(&carried.host.id)).collect()
}

/// The gaps of the index are the time its hosts are not in use.
fn gaps_are_those_of_the_hosts(planner: &Planner) {
    let index = planner.index();
    for class in 0..index.classes() {
        for at in -40..200 {
            let mut found: Vec<(usize, Interval)> = index
                .gaps(class)
                .throughout(Interval::new(at, at))
                .map(|(_, gap)| (gap.host as usize, gap.idle))
                .collect();
            found.sort_unstable();
            let hosts = index.hosts_of(class).iter();
            let idle = hosts.flat_map(|&host| {
                let idle = planner.hosts.at(host as usize).unwrap().idle();
                idle.into_iter().map(move |idle| (host as usize, idle))
            });
            let expected: Vec<_> = idle.filter(|(_, idle)| idle.start <= at && at <= idle.end).collect();
            assert_eq!(found, expected, "class {class} at {at}");
        }
    }
}

proptest! {
    #[test]
    fn gives_what_counting_shows(
        leases in prop::collection::vec((-30i64..150, 1i64..40, 1usize..5), 0..60),
        asked in prop::collection::vec((1i64..120, 1i64..80), 1..6),
    ) {
        let mut planner = fleet();
        for (number, (start, length, count)) in leases.into_iter().enumerate() {
            let window = Interval::new(start, start + length);
            let mut holds = free(&planner, Interval::new(start, start + length + 2));
            // Not always the same hosts.
            let shift = number % holds.len().max(1);
            holds.rotate_left(shift);
            holds.truncate(count);
            holds.sort();
            if !holds.is_empty() {
                planner.put_lease(lease(number, window, Resource::Host, holds)).unwrap();
            }
        }
        for (number, (start, length)) in (1_000..).zip(asked) {
            let window = Interval::new(start, start + length);
            let eligibility = planner.eligibility(&everything());
            let Some(eligibility) = eligibility else { return Ok(()) };
            let room = planner.free_hosts(&eligibility, window, 2, u32::MAX);
            if room == 0 {
                continue;
            }
            let request = request(number, window, room);
            let asks = Ask::read_all(&planner, &request, &request, 0).unwrap();
            let verdict = tails::exchange(&planner, &asks, &request, 0, &Reach::new(&planner, &asks, &request, 0));
            let Some(Verdict::Accepted { ref holds, ref moves }) = verdict else {
                return Err(TestCaseError::fail("counting shows that there is room"));
            };
            prop_assert_eq!(holds[&request.reservations[0].id].len(), room as usize);
            prop_assert!(moves.iter().all(|moved| moved.counted == 0));
            let idle = free(&planner, Interval::new(start, start + length + 2));
            // What is idle anyway needs nobody to move.
            prop_assert!(idle.len() < room as usize || moves.is_empty());
            let decision = Decision { at: 0, verdict: verdict.clone().unwrap(), tier: Tier::Count };
            planner.apply(&request, &decision).unwrap();
            gaps_are_those_of_the_hosts(&planner);
        }
    }

    #[test]
    fn gaps_follow_what_is_put_and_removed(
        changes in prop::collection::vec((-30i64..150, 1i64..40, 1usize..4, 0..8_u8), 1..60),
    ) {
        let mut planner = fleet();
        planner.index();
        let mut held: Vec<Lease> = Vec::new();
        for (number, (start, length, count, kind)) in changes.into_iter().enumerate() {
            let window = Interval::new(start, start + length);
            match kind {
                0 | 1 if !held.is_empty() => {
                    let place = usize::try_from(start + 30).unwrap() % held.len();
                    let gone = held.swap_remove(place);
                    planner.remove_lease(&gone.id);
                }
                2 | 3 => {
                    // Instances may stand beside instances, also of times that overlap.
                    let instances = Instances { resources: BTreeMap::from([("VCPU".to_owned(), 1)]), affinity: None };
                    let resource = Resource::Instances(Arc::new(instances));
                    let first = number % HOSTS;
                    let holds: Vec<HostId> = (first..HOSTS.min(first + count)).map(host).collect();
                    let put = lease(number, window, resource, holds);
                    if planner.put_lease(put.clone()).is_ok() {
                        held.push(put);
                    }
                }
                4 => {
                    // The host is another class from now on.
                    let mut changed = planner.host(&host(number % HOSTS)).unwrap().clone();
                    changed.zone = Some(format!("z{}", count % 2));
                    changed.properties.insert("ssd".to_owned(), "True".to_owned());
                    planner.put_host(changed);
                    planner.index();
                }
                5 => {
                    let Some(before) = held.last() else { continue };
                    let since: Seconds = start;
                    // What it no longer occupied may be somebody else's by now; then nothing changes.
                    planner.put_lease_since(before.clone(), since).ok();
                }
                _ => {
                    let mut holds = free(&planner, Interval::new(start, start + length + 2));
                    holds.truncate(count);
                    let mut put = lease(number, window, Resource::Host, holds);
                    if kind == 7 {
                        // An expression that splits a class.
                        let gpu = crate::predicate::parse(&serde_json::json!(["=", "$gpu", "True"]));
                        put.reservations[0].predicate = Arc::new(gpu.unwrap());
                    }
                    planner.put_lease(put.clone()).unwrap();
                    held.push(put);
                }
            }
            gaps_are_those_of_the_hosts(&planner);
        }
    }
}
