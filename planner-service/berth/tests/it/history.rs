//! Random histories of two processes on one book: whatever they are asked, no promise is broken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use planner_core::book::is_bound;
use planner_core::domain::{HostReservation, Lease, LeaseStatus, ReservationSpec, ReservationStatus, Timestamp};
use planner_core::ports::{Clock, Contents};
use planner_core::properties;
use planner_core::service::{LeaseChange, LeaseDraft, ReservationChange, ServiceError, Settings};
use plugin_api::NoObserver;

use crate::world::{Outside, World, caller, settings};

const HOSTS: [&str; 4] = ["c1", "c2", "c3", "c4"];
const HISTORIES: u64 = 100;
const STEPS: usize = 60;

/// The generator `SplitMix64` (Steele, Lea, Flood 2014): a seed gives one history.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    pub(crate) fn minutes(&mut self, most: u64) -> i64 {
        60 * i64::try_from(self.roll(most)).expect("it is small")
    }

    pub(crate) fn hosts(&mut self, most: u64) -> u32 {
        1 + u32::try_from(self.roll(most)).expect("it is small")
    }

    fn expression(&mut self) -> String {
        match self.roll(6) {
            0 => "[\"==\", \"$id\", \"1\"]",
            1 => "[\"or\", [\"==\", \"$hypervisor_hostname\", \"c2\"], [\"==\", \"$hypervisor_hostname\", \"c3\"]]",
            2 => "[\"!=\", \"$hypervisor_hostname\", \"c4\"]",
            3 => "[\"and\", [\">=\", \"$vcpus\", \"8\"], [\"==\", \"$region\", \"north\"]]",
            _ => "",
        }
        .to_owned()
    }
}

/// What the promises made so far demand of the book.
#[derive(Default)]
struct Promises {
    /// Accepted and not deleted.
    leases: BTreeSet<String>,
    /// Hosts of what has started.
    bound: BTreeMap<String, BTreeSet<String>>,
}

impl Promises {
    /// Checks every invariant of the book; `region` as the services know it.
    fn check(&mut self, contents: &Contents, context: &str) {
        let hosts: BTreeMap<&str, _> = contents.hosts.iter().map(|host| (host.id.as_str(), host)).collect();
        let mut occupied: BTreeMap<&str, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
        let present: BTreeSet<String> = contents.leases.iter().map(|lease| lease.id.clone()).collect();
        assert_eq!(
            present, self.leases,
            "{context}: accepted leases are there, deleted ones are not"
        );
        for lease in &contents.leases {
            for reservation in &lease.reservations {
                let ReservationSpec::Host(spec) = &reservation.spec else {
                    panic!("{context}: only hosts were asked for");
                };
                if reservation.status == ReservationStatus::Deleted {
                    assert!(
                        reservation.allocations.is_empty(),
                        "{context}: what is over holds nothing"
                    );
                    continue;
                }
                let held = reservation.amount();
                assert!(
                    (spec.min..=spec.max).contains(&held),
                    "{context}: {held} of {}..{}",
                    spec.min,
                    spec.max
                );
                let predicate = properties::requirement(&reservation.spec.expressions()).expect("it was accepted");
                for allocation in &reservation.allocations {
                    let host = properties::planner_host(hosts[allocation.host_id.as_str()], "north");
                    assert!(
                        predicate.matches(&|name| host.lookup(name)),
                        "{context}: {predicate:?} on {}",
                        host.id
                    );
                    let window = (allocation.start, allocation.occupied_until);
                    occupied.entry(&allocation.host_id).or_default().push(window);
                }
                let ids: BTreeSet<String> = reservation
                    .allocations
                    .iter()
                    .map(|allocation| allocation.host_id.clone())
                    .collect();
                if is_bound(lease) {
                    let before = self.bound.entry(reservation.id.clone()).or_insert_with(|| ids.clone());
                    assert!(before.is_subset(&ids), "{context}: what has started keeps its hosts");
                    *before = ids;
                }
            }
        }
        for (host, mut windows) in occupied {
            windows.sort_unstable();
            assert!(
                windows.windows(2).all(|pair| pair[0].1 <= pair[1].0),
                "{context}: host {host} twice: {windows:?}"
            );
        }
    }
}

fn shared_settings() -> Settings {
    Settings {
        shared: true,
        cleaning: 120,
        freeze: 180,
        region: "north".to_owned(),
        ..settings()
    }
}

fn draft(dice: &mut Dice, now: Timestamp) -> LeaseDraft {
    let start = now - now.rem_euclid(60) + dice.minutes(30);
    let reservation = |dice: &mut Dice| {
        let min = dice.hosts(2);
        ReservationSpec::Host(HostReservation {
            min,
            max: min + dice.hosts(2) - 1,
            hypervisor_properties: dice.expression(),
            resource_properties: String::new(),
            before_end: String::new(),
        })
    };
    let reservations = (0..=dice.roll(2)).map(|_| reservation(dice)).collect();
    LeaseDraft {
        name: "random".to_owned(),
        start,
        end: start + 60 + dice.minutes(20),
        before_end: None,
        reservations,
    }
}

fn change(dice: &mut Dice, lease: &Lease) -> LeaseChange {
    let mut change = LeaseChange::default();
    match dice.roll(4) {
        0 => change.end = Some(lease.end + dice.minutes(20) - 300),
        1 => {
            change.start = Some(lease.start + dice.minutes(20) - 300);
            change.end = Some(lease.end + dice.minutes(20) - 300);
        }
        2 => change.name = Some("renamed".to_owned()),
        _ => {
            change.reservations = vec![ReservationChange {
                id: lease.reservations[0].id.clone(),
                max: Some(dice.hosts(3)),
                resource_properties: Some(dice.expression()),
                ..ReservationChange::default()
            }];
        }
    }
    change
}

/// A refusal is fine; being unable to decide is not.
fn assert_decided<T>(result: &Result<T, ServiceError>, context: &str) {
    if let Err(error @ (ServiceError::Undecided(_) | ServiceError::Unavailable(_))) = result {
        panic!("{context}: {error}");
    }
}

async fn history(seed: u64) {
    let mut dice = Dice(seed);
    let outside = Outside::new(&HOSTS);
    let worlds = [
        World::start_with(outside.clone(), shared_settings(), Arc::new(NoObserver)).await,
        World::start_with(
            outside.clone(),
            Settings {
                worker: "other".to_owned(),
                ..shared_settings()
            },
            Arc::new(NoObserver),
        )
        .await,
    ];
    worlds[0].register(&HOSTS).await;
    let mut promises = Promises::default();
    for step in 0..STEPS {
        let context = format!("seed {seed}, step {step}");
        let pick = |dice: &mut Dice, leases: &BTreeSet<String>| {
            let count = u64::try_from(leases.len()).expect("it is small");
            (count > 0)
                .then(|| {
                    leases
                        .iter()
                        .nth(usize::try_from(dice.roll(count)).expect("it is small"))
                        .cloned()
                })
                .flatten()
        };
        let world = &worlds[usize::from(dice.roll(2) == 0)];
        match dice.roll(10) {
            // Two at once, one through each process.
            0..=4 => {
                let now = outside.clock.now();
                let drafts = (draft(&mut dice, now), draft(&mut dice, now));
                let caller = caller();
                let (first, second) = tokio::join!(
                    worlds[0].service.create_lease(&caller, drafts.0),
                    worlds[1].service.create_lease(&caller, drafts.1)
                );
                for result in [first, second] {
                    assert_decided(&result, &context);
                    promises.leases.extend(result.ok().map(|lease| lease.id.clone()));
                }
            }
            5 | 6 => {
                if let Some(id) = pick(&mut dice, &promises.leases)
                    && let Some(lease) = world.lease(&id).await
                {
                    let result = world
                        .service
                        .update_lease(&caller(), &id, change(&mut dice, &lease))
                        .await;
                    assert_decided(&result, &context);
                }
            }
            7 => {
                if let Some(id) = pick(&mut dice, &promises.leases) {
                    let result = with_time(&outside, world.service.delete_lease(&caller(), &id)).await;
                    assert_decided(&result, &context);
                    if result.is_ok() {
                        promises.leases.remove(&id);
                    }
                }
            }
            _ => {
                outside.clock.advance(60 + dice.minutes(8));
                settle(&worlds[0], &context).await;
            }
        }
        promises.check(&outside.store.load().await.expect("it can be read"), &context);
    }
    for world in worlds {
        world.stop().await;
    }
}

/// Lets time pass for as long as an operation takes: it may wait for work that is tried again later.
async fn with_time<T>(outside: &Outside, operation: impl Future<Output = T>) -> T {
    let ticking = async {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
        loop {
            tick.tick().await;
            outside.clock.advance(1);
        }
    };
    tokio::select! {
        biased;
        result = operation => result,
        () = ticking => unreachable!("time does not end"),
    }
}

/// Waits until everything due is done.
async fn settle(world: &World, context: &str) {
    let settled = async {
        let mut poll = tokio::time::interval(std::time::Duration::from_millis(2));
        let mut round = 0;
        loop {
            let contents = world.outside.store.load().await.expect("it can be read");
            let now = world.outside.clock.now();
            let waits = |lease: &Lease| {
                lease.status.is_transitional()
                    || lease.status == LeaseStatus::Pending && lease.start <= now
                    || lease.status == LeaseStatus::Active && lease.end <= now
            };
            if !contents.leases.iter().any(waits) {
                return;
            }
            poll.tick().await;
            round += 1;
            if round % 20 == 0 {
                world.outside.clock.advance(1);
            }
        }
    };
    let settled = tokio::time::timeout(std::time::Duration::from_mins(1), settled).await;
    assert!(settled.is_ok(), "{context}: work does not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_history_breaks_a_promise() {
    for seed in 0..HISTORIES {
        let told = tokio::time::timeout(std::time::Duration::from_mins(1), history(seed)).await;
        assert!(told.is_ok(), "seed {seed}: the history does not end");
    }
}
