//! A lease from booking to its end, and what may happen on the way.

use planner_core::domain::{EventStatus, EventType, LeaseStatus, ReservationStatus};
use planner_core::ports::Clock;
use planner_core::service::{LeaseChange, ReservationChange, ServiceError};

use crate::world::{NOON, Outside, World, assert_given_back, assert_running, caller, draft};

const HOSTS: [&str; 3] = ["c1", "c2", "c3"];

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_starts_and_ends_on_time() {
    let world = World::start(Outside::new(&HOSTS)).await;
    world.register(&HOSTS).await;
    let lease = world.book(NOON + 600, NOON + 1200, 2).await;
    assert_eq!(lease.status, LeaseStatus::Pending);
    world.outside.clock.set(NOON + 600);
    world
        .advance_to_status(&lease.id, NOON + 602, LeaseStatus::Active)
        .await;
    let running = world.lease(&lease.id).await.unwrap();
    assert_running(&world.outside, &running);
    let host = world
        .outside
        .cloud
        .aggregate(&running.reservations[0].id)
        .unwrap()
        .hosts[0]
        .clone();
    world.outside.cloud.boot(&host, "physics", "worker");
    world.outside.clock.set(NOON + 1200);
    world
        .advance_to_status(&lease.id, NOON + 1210, LeaseStatus::Terminated)
        .await;
    let over = world.lease(&lease.id).await.unwrap();
    assert_eq!(over.reservations[0].status, ReservationStatus::Deleted);
    assert!(over.reservations[0].allocations.is_empty());
    assert_eq!(over.event(EventType::EndLease).unwrap().status, EventStatus::Done);
    assert_given_back(&world.outside, &[over.reservations[0].id.clone()], &HOSTS);
    assert!(world.outside.cloud.servers().is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_is_down_delays_a_start_and_says_why() {
    let world = World::start(Outside::new(&HOSTS)).await;
    world.register(&HOSTS).await;
    world.outside.cloud.go_down("connection refused");
    let lease = world.book(NOON, NOON + 3600, 1).await;
    world
        .advance_until(&lease.id, NOON + 60, |lease| {
            lease.is_some_and(|lease| {
                let start = lease.event(EventType::StartLease).unwrap();
                start.attempts >= 3
                    && start.status == EventStatus::Undone
                    && lease.status == LeaseStatus::Pending
                    && start
                        .waiting
                        .as_ref()
                        .is_some_and(|reason| reason.contains("connection refused"))
            })
        })
        .await;
    // Bookings go on meanwhile.
    world.book(NOON + 7200, NOON + 10_800, 3).await;
    world.outside.cloud.heal();
    world
        .advance_to_status(&lease.id, NOON + 600, LeaseStatus::Active)
        .await;
    let running = world.lease(&lease.id).await.unwrap();
    assert_eq!(running.event(EventType::StartLease).unwrap().waiting, None);
    assert_running(&world.outside, &running);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_whose_window_is_over_is_given_up_and_cleaned_up() {
    let world = World::start(Outside::new(&HOSTS)).await;
    world.register(&HOSTS).await;
    world.outside.cloud.go_down("connection refused");
    let lease = world.book(NOON, NOON + 120, 2).await;
    world
        .advance_until(&lease.id, NOON + 200, |lease| {
            lease.is_some_and(|lease| lease.event(EventType::StartLease).unwrap().status == EventStatus::Error)
        })
        .await;
    world.outside.cloud.heal();
    world
        .advance_until(&lease.id, NOON + 600, |lease| {
            lease.is_some_and(|lease| lease.event(EventType::EndLease).unwrap().status == EventStatus::Done)
        })
        .await;
    let over = world.lease(&lease.id).await.unwrap();
    assert_eq!(over.status, LeaseStatus::Error);
    assert_eq!(over.reservations[0].status, ReservationStatus::Deleted);
    assert_given_back(&world.outside, &[over.reservations[0].id.clone()], &HOSTS);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn back_to_back_leases_share_a_host() {
    let world = World::start(Outside::new(&["c1"])).await;
    world.register(&["c1"]).await;
    let first = world.book(NOON, NOON + 600, 1).await;
    let second = world.book(NOON + 600, NOON + 1200, 1).await;
    world.advance_to_status(&first.id, NOON + 60, LeaseStatus::Active).await;
    world.outside.cloud.boot("c1", "physics", "worker");
    world.outside.cloud.servers_linger(3);
    world.outside.clock.set(NOON + 600);
    world
        .advance_to_status(&second.id, NOON + 660, LeaseStatus::Active)
        .await;
    assert_eq!(world.lease(&first.id).await.unwrap().status, LeaseStatus::Terminated);
    assert_running(&world.outside, &world.lease(&second.id).await.unwrap());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_an_active_lease_gives_its_hosts_back_first() {
    let world = World::start(Outside::new(&HOSTS)).await;
    world.register(&HOSTS).await;
    let lease = world.book(NOON, NOON + 3600, 2).await;
    world.advance_to_status(&lease.id, NOON + 60, LeaseStatus::Active).await;
    world.service.delete_lease(&caller(), &lease.id).await.unwrap();
    assert!(world.lease(&lease.id).await.is_none());
    assert_given_back(&world.outside, &[lease.reservations[0].id.clone()], &HOSTS);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_lease_grows_and_keeps_its_hosts() {
    let world = World::start(Outside::new(&HOSTS)).await;
    world.register(&HOSTS).await;
    let lease = world.book(NOON, NOON + 3600, 2).await;
    world.advance_to_status(&lease.id, NOON + 60, LeaseStatus::Active).await;
    let before = world.lease(&lease.id).await.unwrap().reservations[0]
        .allocations
        .clone();
    let change = |min, max| LeaseChange {
        reservations: vec![ReservationChange {
            id: lease.reservations[0].id.clone(),
            min: Some(min),
            max: Some(max),
            ..ReservationChange::default()
        }],
        ..LeaseChange::default()
    };
    let refused = world
        .service
        .update_lease(&caller(), &lease.id, change(1, 1))
        .await
        .unwrap_err();
    assert!(matches!(refused, ServiceError::Shortage(_)), "{refused}");
    world
        .service
        .update_lease(&caller(), &lease.id, change(3, 3))
        .await
        .unwrap();
    world
        .advance_until(&lease.id, NOON + 120, |lease| {
            lease.is_some_and(|lease| lease.event(EventType::ApplyChange).is_none())
        })
        .await;
    let running = world.lease(&lease.id).await.unwrap();
    assert_running(&world.outside, &running);
    for allocation in &before {
        assert!(
            running.reservations[0].allocations.contains(allocation),
            "what has started keeps its hosts"
        );
    }
    world.stop().await;
}

/// A host is free from the end of its lease on, even while that end is still to be carried out.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_lease_grows_onto_the_host_of_one_that_has_ended() {
    let hosts = ["c1", "c2"];
    let world = World::start(Outside::new(&hosts)).await;
    world.register(&hosts).await;
    let lease = world.book(NOON, NOON + 3600, 1).await;
    let over = world.book(NOON, NOON + 600, 1).await;
    world.advance_to_status(&lease.id, NOON + 60, LeaseStatus::Active).await;
    world.advance_to_status(&over.id, NOON + 60, LeaseStatus::Active).await;
    let grown = || LeaseChange {
        reservations: vec![ReservationChange {
            id: lease.reservations[0].id.clone(),
            min: Some(2),
            max: Some(2),
            ..ReservationChange::default()
        }],
        ..LeaseChange::default()
    };
    let refused = world
        .service
        .update_lease(&caller(), &lease.id, grown())
        .await
        .unwrap_err();
    assert!(matches!(refused, ServiceError::Shortage(_)), "{refused}");
    world.outside.cloud.go_down("connection refused");
    world.outside.clock.set(NOON + 600);
    world.service.update_lease(&caller(), &lease.id, grown()).await.unwrap();
    let held = world.lease(&lease.id).await.unwrap().reservations[0]
        .allocations
        .clone();
    let starts: Vec<_> = held.iter().map(|allocation| allocation.start).collect();
    assert!(starts.contains(&NOON) && starts.contains(&(NOON + 600)), "{held:?}");
    world.outside.cloud.heal();
    world
        .advance_until(&lease.id, NOON + 900, |lease| {
            lease.is_some_and(|lease| lease.event(EventType::ApplyChange).is_none())
        })
        .await;
    assert_running(&world.outside, &world.lease(&lease.id).await.unwrap());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_change_leaves_the_lease_as_it_was() {
    let world = World::start(Outside::new(&["c1"])).await;
    world.register(&["c1"]).await;
    let lease = world.book(NOON + 600, NOON + 1200, 1).await;
    let other = world.book(NOON + 1200, NOON + 1800, 1).await;
    let longer = LeaseChange {
        end: Some(NOON + 1260),
        ..LeaseChange::default()
    };
    let refused = world
        .service
        .update_lease(&caller(), &lease.id, longer)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().starts_with("Not enough hosts available"),
        "{refused}"
    );
    assert_eq!(world.lease(&lease.id).await.unwrap(), lease);
    world.service.delete_lease(&caller(), &other.id).await.unwrap();
    let moved = LeaseChange {
        start: Some(NOON + 900),
        end: Some(NOON + 2400),
        name: Some("later".to_owned()),
        ..LeaseChange::default()
    };
    let moved = world.service.update_lease(&caller(), &lease.id, moved).await.unwrap();
    assert_eq!(
        (moved.start, moved.end, moved.name.as_str()),
        (NOON + 900, NOON + 2400, "later")
    );
    assert_eq!(moved.event(EventType::StartLease).unwrap().time, NOON + 900);
    assert_eq!(moved.event(EventType::EndLease).unwrap().time, NOON + 2400);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_lease_is_moved_for_one_that_would_not_fit_otherwise() {
    let hosts = ["c1", "c2"];
    let world = World::start(Outside::new(&hosts)).await;
    world.register(&hosts).await;
    // Whichever host the flexible lease sits on is the one asked for by name.
    let flexible = world.book(NOON + 600, NOON + 1200, 1).await;
    let held = flexible.reservations[0].allocations[0].host_id.clone();
    let mut wanted = draft(NOON + 600, NOON + 1200, 1);
    let planner_core::domain::ReservationSpec::Host(spec) = &mut wanted.reservations[0] else {
        panic!("hosts were asked for");
    };
    spec.hypervisor_properties = format!("[\"==\", \"$id\", \"{held}\"]");
    let named = world.service.create_lease(&caller(), wanted).await.unwrap();
    assert_eq!(named.reservations[0].allocations[0].host_id, held);
    let moved = world.lease(&flexible.id).await.unwrap();
    assert_ne!(moved.reservations[0].allocations[0].host_id, held);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_repaired_and_foreign_servers_are_reported() {
    let world = World::start(Outside::new(&HOSTS)).await;
    world.register(&HOSTS).await;
    let lease = world.book(NOON, NOON + 7200, 2).await;
    world.advance_to_status(&lease.id, NOON + 60, LeaseStatus::Active).await;
    let reservation = lease.reservations[0].id.clone();
    world.outside.cloud.drop_aggregate(&reservation);
    world.audit(&lease.id).await;
    assert_running(&world.outside, &world.lease(&lease.id).await.unwrap());
    let host = world.outside.cloud.aggregate(&reservation).unwrap().hosts[0].clone();
    world
        .outside
        .cloud
        .tamper(&reservation, |aggregate| aggregate.hosts.retain(|name| *name != host));
    world.audit(&lease.id).await;
    assert_running(&world.outside, &world.lease(&lease.id).await.unwrap());
    world.outside.cloud.boot(&host, "intruders", "miner");
    world.audit(&lease.id).await;
    let report = world.service.lease_report(&caller(), &lease.id).await.unwrap();
    let foreign = report
        .findings
        .iter()
        .find(|finding| finding.kind == "foreign_server")
        .expect("it is reported");
    assert_eq!(foreign.host, host);
    assert!(!foreign.repaired);
    assert!(
        world
            .outside
            .cloud
            .servers()
            .iter()
            .any(|server| server.name == "miner"),
        "it is left alone"
    );
    assert!(world.outside.clock.now() < NOON + 120);
    world.stop().await;
}
