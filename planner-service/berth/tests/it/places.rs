//! The life of a reservation of instances beside one of hosts and one of a flavor, on a cloud in memory: it starts, grows and ends, and the
//! process may die at any step of that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use planner_core::domain::{
    FlavorReservation, InstanceObjects, InstanceReservation, InstanceSize, Lease, LeaseStatus, ReservationSpec,
};
use planner_core::service::{LeaseChange, LeaseDraft, ReservationChange};
use plugin_api::SourceFlavor;

use crate::crash::{run_to, silence_expected_panics};
use crate::world::{NOON, Outside, World, caller, draft};

const HOSTS: [&str; 3] = ["c1", "c2", "c3"];

/// One whole host, and three places for instances of half a host.
fn mixed(start: i64, end: i64) -> LeaseDraft {
    let mut wanted = draft(start, end, 1);
    wanted.reservations.push(ReservationSpec::Instance(InstanceReservation {
        size: InstanceSize {
            vcpus: 4,
            memory_mb: 1024,
            disk_gb: 0,
        },
        amount: 3,
        affinity: None,
        resource_properties: String::new(),
        objects: InstanceObjects::default(),
    }));
    wanted.reservations.push(ReservationSpec::Flavor(FlavorReservation {
        flavor: SourceFlavor {
            id: "7".to_owned(),
            name: "memory".to_owned(),
            vcpus: 1,
            memory_mb: 512,
            disk: 0,
            ephemeral: 0,
            extra_specs: BTreeMap::from([("resources:VCPU".to_owned(), "0".to_owned())]),
            others: BTreeMap::new(),
        },
        amount: 2,
        objects: InstanceObjects::default(),
    }));
    wanted
}

async fn book(world: &World, start: i64, end: i64) -> Arc<Lease> {
    let booked = world.service.create_lease(&caller(), mixed(start, end)).await;
    booked.expect("the lease is booked")
}

fn resource_class(reservation_id: &str) -> String {
    format!("CUSTOM_RESERVATION_{}", reservation_id.to_uppercase().replace('-', "_"))
}

/// How many places of a reservation the cloud has, host by host.
fn places(outside: &Outside, reservation_id: &str) -> Vec<i64> {
    let of = |host: &&str| {
        outside
            .cloud
            .inventory(&format!("blazar_{host}"), &resource_class(reservation_id))
            .unwrap_or(0)
    };
    HOSTS.iter().map(of).collect()
}

/// Cloud and book agree on the reservation of instances of a lease that runs.
fn assert_places(outside: &Outside, lease: &Lease, amount: i64) {
    let reservation = &lease.reservations[1];
    let places = places(outside, &reservation.id);
    assert_eq!(places.iter().sum::<i64>(), amount, "{places:?}");
    assert!(places.iter().all(|&count| count <= 2), "half a host each: {places:?}");
    let aggregate = outside.cloud.aggregate(&reservation.id).expect("the aggregate exists");
    let used: BTreeSet<&str> = HOSTS
        .into_iter()
        .zip(&places)
        .filter(|(_, count)| **count > 0)
        .map(|(host, _)| host)
        .collect();
    assert_eq!(
        aggregate.hosts.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        used
    );
    let freepool = outside.cloud.aggregate("freepool").expect("there is one");
    assert!(
        used.iter().all(|host| freepool.contains(host)),
        "they stay in the freepool"
    );
    let ReservationSpec::Instance(spec) = &reservation.spec else {
        panic!("it is of instances");
    };
    assert_eq!(spec.objects.aggregate_id, Some(aggregate.id));
    assert!(!outside.cloud.bootable(&reservation.id, &lease.project_id).is_empty());
    assert_flavored(outside, lease);
    let whole = outside.cloud.aggregate(&lease.reservations[0].id).expect("it exists");
    assert!(
        whole.hosts.iter().all(|host| !used.contains(host.as_str())),
        "a whole host is not shared"
    );
}

/// Cloud and book agree on its reservation of instances of a flavor.
fn assert_flavored(outside: &Outside, lease: &Lease) {
    let reservation = &lease.reservations[2];
    assert_eq!(places(outside, &reservation.id).iter().sum::<i64>(), 2);
    let made = outside.cloud.snapshot().flavors[&reservation.id].clone();
    assert_eq!((made.flavor.vcpus, made.flavor.memory_mb), (1, 512));
    assert_eq!(made.extra_specs.get("resources:VCPU").map(String::as_str), Some("0"));
    let ReservationSpec::Flavor(spec) = &reservation.spec else {
        panic!("it is of a flavor");
    };
    let aggregate = outside.cloud.aggregate(&reservation.id).expect("it exists");
    assert_eq!(spec.objects.aggregate_id, Some(aggregate.id));
    assert!(!outside.cloud.bootable(&reservation.id, &lease.project_id).is_empty());
}

/// Nothing of a lease is left in the cloud.
fn assert_gone(outside: &Outside, lease: &Lease) {
    for reservation in &lease.reservations {
        assert!(outside.cloud.aggregate(&reservation.id).is_none(), "{}", reservation.id);
        assert!(outside.cloud.bootable(&reservation.id, &lease.project_id).is_empty());
        assert_eq!(places(outside, &reservation.id), [0, 0, 0]);
    }
    let freepool = outside.cloud.aggregate("freepool").expect("there is one");
    assert!(HOSTS.iter().all(|host| freepool.contains(host)));
    assert!(outside.cloud.servers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_of_instances_starts_grows_and_ends() {
    let world = World::start(Outside::new(&HOSTS)).await;
    world.register(&HOSTS).await;
    let lease = book(&world, NOON + 60, NOON + 6000).await;
    assert!(world.outside.cloud.aggregate(&lease.reservations[1].id).is_none());
    world
        .advance_to_status(&lease.id, NOON + 120, LeaseStatus::Active)
        .await;
    let running = world.lease(&lease.id).await.unwrap();
    assert_places(&world.outside, &running, 3);

    let growing = LeaseChange {
        reservations: vec![ReservationChange {
            id: lease.reservations[1].id.clone(),
            amount: Some(4),
            ..ReservationChange::default()
        }],
        ..LeaseChange::default()
    };
    world.service.update_lease(&caller(), &lease.id, growing).await.unwrap();
    let is_grown = |lease: Option<&Lease>| lease.is_some_and(|lease| lease.events.len() == 2);
    world.advance_until(&lease.id, NOON + 180, is_grown).await;
    let grown = world.lease(&lease.id).await.unwrap();
    assert_places(&world.outside, &grown, 4);

    let reservation = &lease.reservations[1].id;
    let host = world.outside.cloud.bootable(reservation, &lease.project_id)[0].clone();
    world
        .outside
        .cloud
        .boot_of(reservation, &host, &lease.project_id, "worker");
    world.outside.cloud.servers_linger(2);
    world.outside.clock.set(NOON + 6000);
    world
        .advance_to_status(&lease.id, NOON + 6100, LeaseStatus::Terminated)
        .await;
    assert_gone(&world.outside, &lease);
    world.stop().await;
}

/// A reservation of instances of a size of their own, and one of a flavor, both running.
#[tokio::test(flavor = "multi_thread")]
async fn places_of_running_instances_move_away_from_a_host_that_fails() {
    let world = World::start(Outside::new(&HOSTS)).await;
    world.register(&HOSTS).await;
    let mut wanted = mixed(NOON + 60, NOON + 600_000);
    wanted.reservations.remove(0);
    let booked = world.service.create_lease(&caller(), wanted).await.unwrap();
    world
        .advance_to_status(&booked.id, NOON + 120, LeaseStatus::Active)
        .await;
    let running = world.lease(&booked.id).await.unwrap();
    let failed = running.reservations[1].allocations[0].host_id.clone();
    let outcome = world.service.set_reservable(&caller(), &failed, false).await.unwrap();
    assert!(outcome.lost.is_empty() && outcome.moved > 0, "{outcome:?}");
    let name = world
        .service
        .host(&caller(), &failed)
        .await
        .unwrap()
        .hypervisor_hostname
        .clone();
    let place = HOSTS.iter().position(|host| *host == name).expect("it is one of them");
    let settled = || {
        running.reservations.iter().zip([3, 2]).all(|(reservation, amount)| {
            let places = places(&world.outside, &reservation.id);
            places[place] == 0 && places.iter().sum::<i64>() == amount
        })
    };
    let moving = async {
        let mut poll = tokio::time::interval(std::time::Duration::from_millis(2));
        while !settled() {
            world.outside.clock.advance(1);
            // What nobody uses any more is taken back by an audit.
            world.service.lifecycle().reconcile().await;
            poll.tick().await;
        }
    };
    let moved = tokio::time::timeout(std::time::Duration::from_mins(1), moving).await;
    assert!(
        moved.is_ok(),
        "{:?}",
        running
            .reservations
            .iter()
            .map(|one| places(&world.outside, &one.id))
            .collect::<Vec<_>>()
    );
    let after = world.lease(&booked.id).await.unwrap();
    assert!(after.degraded && after.reservations.iter().all(|one| !one.missing_resources));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_at_any_step_of_a_life_with_instances_loses_nothing() {
    silence_expected_panics();
    let mut is_whole = [false, false];
    for step in 1.. {
        let world = World::start(Outside::new(&HOSTS)).await;
        world.register(&HOSTS).await;
        let lease = book(&world, NOON + 60, NOON + 6000).await;
        let outside = world.stop().await;
        outside.clock.set(NOON + 60);
        let (world, died) = run_to(outside, &lease.id, NOON + 90, LeaseStatus::Active, step).await;
        is_whole[0] = !died;
        let running = world.lease(&lease.id).await.unwrap();
        assert_places(&world.outside, &running, 3);
        let reservation = &lease.reservations[1].id;
        let host = world.outside.cloud.bootable(reservation, &lease.project_id)[0].clone();
        world
            .outside
            .cloud
            .boot_of(reservation, &host, &lease.project_id, "worker");
        let outside = world.stop().await;
        outside.clock.set(NOON + 6000);
        let (world, died) = run_to(outside, &lease.id, NOON + 6030, LeaseStatus::Terminated, step).await;
        is_whole[1] = !died;
        assert_gone(&world.outside, &lease);
        world.stop().await;
        if is_whole == [true, true] {
            assert!(step > 12, "a life has steps: {step}");
            return;
        }
    }
}
