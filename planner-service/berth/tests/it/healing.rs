//! Hosts fail and come back: everything they touch is chosen anew in one decision, losses are flagged with their reason,
//! and what was lost is found again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use planner_core::domain::{
    HostReservation, InstanceObjects, InstanceReservation, InstanceSize, Lease, LeaseStatus, ReservationSpec,
    ReservationStatus,
};
use planner_core::service::{HealingOutcome, LeaseDraft, Settings};
use plugin_api::{HostNews, HostRegistration, InventoryError, NoObserver};

use crate::crash::{run_to, silence_expected_panics};
use crate::world::{NOON, Outside, World, assert_given_back, assert_running, caller, draft, settings};

const HOSTS: [&str; 3] = ["c1", "c2", "c3"];
const HOUR: i64 = 3600;

async fn register(world: &World, racks: &[(&str, &str)]) {
    for (host, rack) in racks {
        let registration = HostRegistration {
            reference: (*host).to_owned(),
            values: BTreeMap::from([("rack".to_owned(), (*rack).to_owned())]),
        };
        world.service.register_host(&caller(), registration).await.unwrap();
    }
}

/// A lease of hosts, in one rack or anywhere.
fn wanted(start: i64, end: i64, hosts: u32, rack: Option<&str>) -> LeaseDraft {
    let mut wanted = draft(start, end, hosts);
    wanted.reservations = vec![ReservationSpec::Host(HostReservation {
        min: hosts,
        max: hosts,
        hypervisor_properties: String::new(),
        resource_properties: rack.map_or_else(String::new, |rack| format!("[\"==\", \"$rack\", \"{rack}\"]")),
        before_end: "default".to_owned(),
    })];
    wanted
}

async fn host_id(world: &World, name: &str) -> String {
    let mut hosts = world.service.hosts(&caller()).await.unwrap()();
    let host = hosts.find(|host| host.hypervisor_hostname == name);
    host.expect("the host is registered").id.clone()
}

async fn set(world: &World, host: &str, reservable: bool) -> HealingOutcome {
    let id = host_id(world, host).await;
    world.service.set_reservable(&caller(), &id, reservable).await.unwrap()
}

async fn holds(world: &World, lease: &Lease) -> Vec<String> {
    let lease = world.lease(&lease.id).await.unwrap();
    let held = lease
        .reservations
        .iter()
        .flat_map(|reservation| &reservation.allocations);
    held.map(|allocation| allocation.host_id.clone()).collect()
}

/// Whether a promise stands on a host that is marked as failed.
async fn holds_failed_hosts(world: &World) -> bool {
    let contents = world.outside.store.load().await.unwrap();
    let failed: BTreeSet<&str> = (contents.hosts.iter().filter(|host| !host.reservable))
        .map(|host| host.id.as_str())
        .collect();
    let mut reservations = contents.leases.iter().flat_map(|lease| &lease.reservations);
    reservations.any(|reservation| {
        let mut held = reservation.allocations.iter();
        held.any(|held| failed.contains(held.host_id.as_str()))
    })
}

/// Every promise stands on hosts that work, suits them, and has them to itself.
async fn assert_sound(world: &World) {
    let contents = world.outside.store.load().await.unwrap();
    let hosts: BTreeMap<&str, _> = contents.hosts.iter().map(|host| (host.id.as_str(), host)).collect();
    let mut windows: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
    for lease in &contents.leases {
        let mut flagged = false;
        for reservation in &lease.reservations {
            let ReservationSpec::Host(spec) = &reservation.spec else {
                panic!("only hosts were asked for")
            };
            let held: BTreeSet<&str> = reservation
                .allocations
                .iter()
                .map(|held| held.host_id.as_str())
                .collect();
            let lacks = held.len() < spec.min as usize;
            if reservation.status != ReservationStatus::Deleted {
                assert_eq!(reservation.missing_resources, lacks, "{lease:#?}");
            }
            flagged |= reservation.missing_resources || reservation.resources_changed;
            for allocation in &reservation.allocations {
                let host = hosts[allocation.host_id.as_str()];
                assert!(host.reservable, "{lease:#?} stands on a host that failed");
                let rack = &spec.resource_properties;
                assert!(
                    rack.is_empty() || rack.contains(&format!("\"{}\"", host.capabilities["rack"])),
                    "{lease:#?}"
                );
                let window = (allocation.start, allocation.occupied_until);
                windows.entry(&allocation.host_id).or_default().push(window);
            }
        }
        assert_eq!(lease.degraded, flagged, "{lease:#?}");
    }
    for (host, mut windows) in windows {
        windows.sort_unstable();
        assert!(
            windows.windows(2).all(|pair| pair[0].1 <= pair[1].0),
            "{host} twice: {windows:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_host_of_a_running_lease_is_replaced_in_the_cloud_too() {
    let settings = Settings {
        reconcile_interval: 30,
        ..settings()
    };
    let world = World::start_with(Outside::new(&HOSTS), settings, Arc::new(NoObserver)).await;
    register(&world, &[("c1", "r1"), ("c2", "r1"), ("c3", "r2")]).await;
    let lease = world
        .service
        .create_lease(&caller(), wanted(NOON, NOON + HOUR, 1, Some("r1")))
        .await
        .unwrap();
    world.advance_to_status(&lease.id, NOON + 30, LeaseStatus::Active).await;
    let (failed, other) = if holds(&world, &lease).await == [host_id(&world, "c1").await] {
        ("c1", "c2")
    } else {
        ("c2", "c1")
    };
    let outcome = set(&world, failed, false).await;
    assert_eq!((outcome.moved, outcome.lost.len()), (1, 0));
    assert_sound(&world).await;
    let cloud = world.outside.cloud.clone();
    let reservation = lease.reservations[0].id.clone();
    let follows = |_: Option<&Lease>| {
        cloud
            .aggregate(&reservation)
            .is_some_and(|own| own.hosts == [other.to_owned()])
    };
    world.advance_until(&lease.id, NOON + 600, follows).await;
    assert_eq!(cloud.aggregates_of(failed), ["freepool"]);
    let healed = world.lease(&lease.id).await.unwrap();
    assert!(healed.degraded && healed.reservations[0].resources_changed && !healed.reservations[0].missing_resources);
    assert_running(&world.outside, &healed);
    world.outside.clock.set(NOON + HOUR);
    world
        .advance_to_status(&lease.id, NOON + HOUR + 60, LeaseStatus::Terminated)
        .await;
    assert_given_back(&world.outside, &[reservation], &HOSTS);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_affected_leases_are_healed_in_one_decision() {
    let world = World::start(Outside::new(&HOSTS)).await;
    register(&world, &[("c1", "r1"), ("c2", "r1"), ("c3", "r2")]).await;
    // In each hour one lease needs the rack and one does not. With a host of the rack gone, every one that does not
    // must be in the other rack: whoever heals one lease after the other, with what happens to be free, loses some.
    for hour in 1..=40_i64 {
        let start = NOON + hour * HOUR;
        for rack in if hour % 2 == 0 {
            [None, Some("r1")]
        } else {
            [Some("r1"), None]
        } {
            world
                .service
                .create_lease(&caller(), wanted(start, start + HOUR, 1, rack))
                .await
                .unwrap();
        }
    }
    let mut affected = BTreeMap::new();
    for name in ["c1", "c2"] {
        let id = host_id(&world, name).await;
        let contents = world.outside.store.load().await.unwrap();
        let held = contents.leases.iter().flat_map(|lease| &lease.reservations);
        let held = held.filter(|reservation| reservation.allocations.iter().any(|held| held.host_id == id));
        affected.insert(held.count(), name);
    }
    let (count, failed) = affected.last_key_value().unwrap();
    assert!(*count >= 20, "{affected:?}");
    let before = world.outside.store.epoch().await.unwrap();
    let outcome = set(&world, failed, false).await;
    let commits = world.outside.store.epoch().await.unwrap() - before;
    assert_eq!(commits, 2, "the mark, and everything that it touches");
    assert_eq!(outcome.lost, Vec::<String>::new());
    assert!(outcome.moved >= *count, "{outcome:?} for {count}");
    assert_sound(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_is_said_why_and_found_again() {
    let world = World::start(Outside::new(&HOSTS[..1])).await;
    register(&world, &[("c1", "r1")]).await;
    let near = world
        .service
        .create_lease(&caller(), wanted(NOON + 60, NOON + HOUR, 1, None))
        .await
        .unwrap();
    let far = world
        .service
        .create_lease(&caller(), wanted(NOON + 9 * HOUR, NOON + 10 * HOUR, 1, None))
        .await
        .unwrap();
    let outcome = set(&world, "c1", false).await;
    assert_eq!(outcome.lost, [near.id.clone(), far.id.clone()]);
    let lost = world.lease(&near.id).await.unwrap();
    assert!(lost.degraded && lost.reservations[0].missing_resources && lost.reservations[0].allocations.is_empty());
    let report = world.service.lease_report(&caller(), &near.id).await.unwrap();
    let reason = report
        .findings
        .iter()
        .find(|finding| finding.kind == "resources_missing")
        .unwrap();
    assert!(reason.detail.contains("lacks 1"), "{reason:?}");
    // What starts later than the healing interval is flagged, and waits where it is.
    let waiting = world.lease(&far.id).await.unwrap();
    assert!(waiting.degraded && waiting.reservations[0].allocations.len() == 1);
    // It starts with what it has: nothing.
    world.advance_to_status(&near.id, NOON + 120, LeaseStatus::Active).await;
    let outcome = set(&world, "c1", true).await;
    assert_eq!(outcome.refilled, [near.id.clone(), far.id.clone()]);
    assert!(outcome.lost.is_empty());
    let found = world.lease(&near.id).await.unwrap();
    assert!(!found.reservations[0].missing_resources && found.reservations[0].resources_changed);
    let report = world.service.lease_report(&caller(), &near.id).await.unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    let cloud = world.outside.cloud.clone();
    let reservation = near.reservations[0].id.clone();
    let follows = |_: Option<&Lease>| {
        cloud
            .aggregate(&reservation)
            .is_some_and(|own| own.hosts == ["c1".to_owned()])
    };
    world.advance_until(&near.id, NOON + 600, follows).await;
    assert_sound(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a1_later_promises_are_flagged_at_once_and_give_hosts_up_when_they_come_near() {
    let world = World::start(Outside::new(&HOSTS[..1])).await;
    register(&world, &[("c1", "r1")]).await;
    let far = world
        .service
        .create_lease(&caller(), wanted(NOON + 2 * HOUR, NOON + 3 * HOUR, 1, None))
        .await
        .unwrap();
    set(&world, "c1", false).await;
    let waiting = world.lease(&far.id).await.unwrap();
    assert!(waiting.degraded && waiting.reservations[0].amount() == 1);
    // Every healing looks at it again and changes nothing.
    set(&world, "c1", false).await;
    assert_eq!(world.lease(&far.id).await.unwrap(), waiting);
    world.outside.clock.set(NOON + HOUR + 60);
    let given_up = |lease: Option<&Lease>| lease.is_some_and(|lease| lease.reservations[0].amount() == 0);
    world.advance_until(&far.id, NOON + 2 * HOUR - 60, given_up).await;
    assert_sound(&world).await;
    world.stop().await;
}

/// Two far promises, of which only one can be kept, and then none: what is lost never keeps what is given to the other.
#[tokio::test(flavor = "multi_thread")]
async fn a1_a_host_is_marked_whatever_becomes_of_the_promises_on_it() {
    let world = World::start(Outside::new(&HOSTS)).await;
    register(&world, &[("c1", "r1"), ("c2", "r1"), ("c3", "r1")]).await;
    let (start, end) = (NOON + 2 * HOUR, NOON + 3 * HOUR);
    let mut leases = Vec::new();
    for hosts in [2, 1] {
        let booked = world
            .service
            .create_lease(&caller(), wanted(start, end, hosts, None))
            .await;
        leases.push(booked.unwrap());
    }
    let mut failed = Vec::new();
    for lease in [&leases[0], &leases[1]] {
        let held = holds(&world, lease).await;
        let id = held
            .iter()
            .find(|id| !failed.contains(*id))
            .expect("it holds one that works");
        let told = world.service.set_reservable(&caller(), id, false).await.unwrap();
        assert_eq!(told.hosts, std::slice::from_ref(id));
        assert!(!world.service.host(&caller(), id).await.unwrap().reservable);
        failed.push(id.clone());
        let contents = world.outside.store.load().await.unwrap();
        let mut taken = BTreeSet::new();
        for lease in &contents.leases {
            for reservation in &lease.reservations {
                let of_promise = if *lease.id == leases[0].id { 2 } else { 1 };
                let in_order = reservation
                    .allocations
                    .iter()
                    .filter(|held| !failed.contains(&held.host_id));
                let lacks = in_order.count() < of_promise;
                assert_eq!(reservation.missing_resources, lacks, "{lease:#?}");
                assert!(
                    reservation
                        .allocations
                        .iter()
                        .all(|held| taken.insert(held.host_id.clone())),
                    "{lease:#?}"
                );
            }
        }
    }
    // Nothing new is booked on them.
    let refused = world.service.create_lease(&caller(), wanted(start, end, 1, None)).await;
    assert!(refused.is_err());
    for id in &failed {
        world.service.set_reservable(&caller(), id, true).await.unwrap();
    }
    let contents = world.outside.store.load().await.unwrap();
    assert!(contents.leases.iter().all(|lease| !lease.degraded), "all is well again");
    assert_sound(&world).await;
    world.stop().await;
}

/// Five instances that belong together, on the only host with room for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn a2_instances_that_belong_together_stay_together_or_are_flagged() {
    for healing_interval in [0, 3600] {
        let settings = Settings {
            healing_interval,
            ..settings()
        };
        let world = World::start_with(Outside::new(&HOSTS), settings, Arc::new(NoObserver)).await;
        register(&world, &[("c1", "r1"), ("c2", "r1"), ("c3", "r1")]).await;
        let instances = |amount, vcpus, affinity| {
            ReservationSpec::Instance(InstanceReservation {
                size: InstanceSize {
                    vcpus,
                    memory_mb: 1,
                    disk_gb: 0,
                },
                amount,
                affinity,
                resource_properties: String::new(),
                objects: InstanceObjects::default(),
            })
        };
        // Half of two hosts is in use all the time.
        let mut busy = draft(NOON, NOON + 99 * HOUR, 1);
        busy.reservations = vec![instances(2, 4, Some(false))];
        let busy = world.service.create_lease(&caller(), busy).await.unwrap();
        world.advance_to_status(&busy.id, NOON + 60, LeaseStatus::Active).await;
        let mut together = draft(NOON + 2 * HOUR, NOON + 3 * HOUR, 1);
        together.reservations = vec![instances(5, 1, Some(true))];
        let lease = world.service.create_lease(&caller(), together).await.unwrap();
        let big = holds(&world, &lease).await[0].clone();
        let check = async |is_well: bool| {
            let lease = world.lease(&lease.id).await.unwrap();
            let held: BTreeSet<String> = holds(&world, &lease).await.into_iter().collect();
            assert_eq!(held.len(), 1, "{lease:#?}");
            let host = held.first().expect("it has one");
            let works = world.service.host(&caller(), host).await.unwrap().reservable;
            let is_whole = works && lease.reservations[0].amount() == 5;
            assert_eq!(lease.degraded, !is_whole, "{lease:#?}");
            assert!(is_whole || !is_well, "{lease:#?}");
        };
        world.service.set_reservable(&caller(), &big, false).await.unwrap();
        check(false).await;
        world.service.set_reservable(&caller(), &big, true).await.unwrap();
        check(true).await;
        assert_eq!(holds(&world, &lease).await, [big]);
        world.outside.clock.set(NOON + 2 * HOUR);
        let until = NOON + 2 * HOUR + 60;
        world.advance_to_status(&lease.id, until, LeaseStatus::Active).await;
        check(true).await;
        world.stop().await;
    }
}

/// News that a test rings in.
#[derive(Default)]
struct Bell(tokio::sync::Notify);

#[async_trait]
impl HostNews for Bell {
    async fn next(&self) -> Result<(), InventoryError> {
        self.0.notified().await;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn news_has_the_monitor_asked_before_its_time() {
    let bell = Arc::new(Bell::default());
    let mut outside = Outside::new(&HOSTS);
    outside.is_monitored = true;
    outside.news = Some(bell.clone());
    let settings = Settings {
        polling_interval: 86_400,
        ..settings()
    };
    let world = World::start_with(outside, settings, Arc::new(NoObserver)).await;
    register(&world, &[("c1", "r1"), ("c2", "r1"), ("c3", "r2")]).await;
    for down in [true, false] {
        world.outside.cloud.set_down("c1", down);
        bell.0.notify_one();
        let follows = async {
            let mut poll = tokio::time::interval(std::time::Duration::from_millis(2));
            let first = async || world.service.hosts(&caller()).await.unwrap()().next().unwrap();
            while first().await.reservable == down {
                poll.tick().await;
            }
        };
        // The clock stands still.
        let followed = tokio::time::timeout(std::time::Duration::from_mins(1), follows).await;
        followed.expect("the host follows");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_monitor_follows_nova_and_believes_no_silence() {
    let mut outside = Outside::new(&HOSTS);
    outside.is_monitored = true;
    let settings = Settings {
        polling_interval: 5,
        ..settings()
    };
    let world = World::start_with(outside, settings, Arc::new(NoObserver)).await;
    register(&world, &[("c1", "r1"), ("c2", "r1"), ("c3", "r2")]).await;
    let lease = world
        .service
        .create_lease(&caller(), wanted(NOON + HOUR, NOON + 2 * HOUR, 1, Some("r1")))
        .await
        .unwrap();
    let id = host_id(&world, "c1").await;
    let by_hand = world.service.set_reservable(&caller(), &id, false).await;
    assert!(by_hand.unwrap_err().to_string().contains("monitor"));
    let reservable = async || -> Vec<bool> {
        let hosts = world.service.hosts(&caller()).await.unwrap();
        hosts().map(|host| host.reservable).collect()
    };
    let until = async |expected: [bool; 3]| {
        let waiting = async {
            let mut poll = tokio::time::interval(std::time::Duration::from_millis(2));
            // A host is marked in a commit of its own; what stood on it is settled after that.
            while reservable().await != expected || holds_failed_hosts(&world).await {
                world.outside.clock.advance(1);
                poll.tick().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_mins(1), waiting)
            .await
            .expect("the hosts follow");
    };
    world.outside.cloud.set_down("c1", true);
    until([false, true, true]).await;
    assert_sound(&world).await;
    // Nova does not answer for a while; then it works again, and another host fails.
    world.outside.cloud.go_down("maintenance");
    world.outside.cloud.set_down("c1", false);
    world.outside.cloud.set_down("c2", true);
    let asked = world.outside.cloud.calls().len();
    let mut poll = tokio::time::interval(std::time::Duration::from_millis(2));
    while world.outside.cloud.calls().len() < asked + 2 {
        world.outside.clock.advance(1);
        poll.tick().await;
    }
    assert_eq!(reservable().await, [false, true, true]);
    world.outside.cloud.heal();
    until([true, false, true]).await;
    assert_sound(&world).await;
    assert_eq!(holds(&world, &lease).await, [id]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_at_any_step_after_a_failure_loses_nothing() {
    silence_expected_panics();
    for step in 1.. {
        let world = World::start(Outside::new(&HOSTS)).await;
        register(&world, &[("c1", "r1"), ("c2", "r1"), ("c3", "r1")]).await;
        let lease = world
            .service
            .create_lease(&caller(), wanted(NOON, NOON + 600, 1, None))
            .await
            .unwrap();
        world.advance_to_status(&lease.id, NOON + 60, LeaseStatus::Active).await;
        let held = holds(&world, &lease).await;
        world.until_unclaimed(&lease.id).await;
        let id = held[0].clone();
        world.service.set_reservable(&caller(), &id, false).await.unwrap();
        let outside = world.stop().await;
        outside.clock.set(NOON + 600);
        let (world, died) = run_to(outside, &lease.id, NOON + 630, LeaseStatus::Terminated, step).await;
        assert_given_back(&world.outside, &[lease.reservations[0].id.clone()], &HOSTS);
        world.stop().await;
        if !died {
            assert!(step > 6, "there are steps: {step}");
            return;
        }
    }
}

/// `SplitMix64` (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        i64::try_from((mixed ^ (mixed >> 31)) % sides).unwrap()
    }
}

/// A promise of one host: its hours, and the rack it needs (3: any).
type Promise = (i64, i64, i64);

/// Most promises that hosts, given by their racks, can keep.
fn most_kept(promises: &[Promise], racks: &[i64], placed: &mut Vec<(usize, Promise)>) -> usize {
    let Some((promise, rest)) = promises.split_first() else {
        return 0;
    };
    let mut best = most_kept(rest, racks, placed);
    for (host, rack) in racks.iter().enumerate() {
        let is_free = placed
            .iter()
            .all(|(other, held)| *other != host || held.1 <= promise.0 || promise.1 <= held.0);
        if best <= rest.len() && is_free && (promise.2 == 3 || promise.2 == *rack) {
            placed.push((host, *promise));
            best = best.max(1 + most_kept(rest, racks, placed));
            placed.pop();
        }
    }
    best
}

#[tokio::test(flavor = "multi_thread")]
async fn no_failure_costs_more_promises_than_it_must() {
    let (mut lost, mut moved) = (0, 0);
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let settings = Settings {
            healing_interval: 0,
            ..settings()
        };
        let names = ["c1", "c2", "c3", "c4"];
        let racks = [0, 0, 1, 2];
        let world = World::start_with(Outside::new(&names), settings, Arc::new(NoObserver)).await;
        for (name, rack) in names.iter().zip(racks) {
            register(&world, &[(name, &format!("r{rack}"))]).await;
        }
        let mut promises: Vec<Promise> = Vec::new();
        for _ in 0..9 {
            let start = 1 + dice.roll(5);
            let promise = (start, start + 1 + dice.roll(3), dice.roll(4));
            let rack = (promise.2 < 3).then(|| format!("r{}", promise.2));
            let hours = (NOON + promise.0 * HOUR, NOON + promise.1 * HOUR);
            let asked = wanted(hours.0, hours.1, 1, rack.as_deref());
            if world.service.create_lease(&caller(), asked).await.is_ok() {
                promises.push(promise);
            }
        }
        let failed = usize::try_from(dice.roll(4)).unwrap();
        let outcome = set(&world, names[failed], false).await;
        assert_sound(&world).await;
        let mut left = racks.to_vec();
        left.remove(failed);
        let kept = most_kept(&promises, &left, &mut Vec::new());
        assert_eq!(
            promises.len() - outcome.lost.len(),
            kept,
            "seed {seed}: {promises:?} without {failed}"
        );
        lost += outcome.lost.len();
        moved += outcome.moved;
        let outcome = set(&world, names[failed], true).await;
        assert_sound(&world).await;
        assert!(outcome.lost.is_empty());
        let contents = world.outside.store.load().await.unwrap();
        assert!(
            contents.leases.iter().all(|lease| !lease.degraded),
            "seed {seed}: all is well again"
        );
        world.stop().await;
    }
    assert!(
        lost > 200 && moved > 100,
        "{lost} lost, {moved} moved: the cases ask too little"
    );
}
