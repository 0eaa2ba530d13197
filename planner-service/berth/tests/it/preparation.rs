//! What clients may name before a lease starts: the server group of a rule of affinity.

use std::sync::Arc;

use cloud::fake::Fault;
use planner_core::domain::{InstanceObjects, InstanceReservation, InstanceSize, Lease, LeaseStatus, ReservationSpec};
use planner_core::service::{LeaseChange, LeaseDraft, NewAffinity, ReservationChange};

use crate::world::{NOON, Outside, World, caller, draft};

const HOSTS: [&str; 2] = ["c1", "c2"];

async fn world() -> World {
    let world = World::start(Outside::new(&HOSTS)).await;
    world.register(&HOSTS).await;
    world
}

/// Two small instances, an hour from now.
fn instances(affinity: Option<bool>) -> LeaseDraft {
    let mut wanted = draft(NOON + 3600, NOON + 7200, 1);
    wanted.reservations = vec![ReservationSpec::Instance(InstanceReservation {
        size: InstanceSize {
            vcpus: 1,
            memory_mb: 512,
            disk_gb: 0,
        },
        amount: 2,
        affinity,
        resource_properties: String::new(),
        objects: InstanceObjects::default(),
    })];
    wanted
}

async fn book(world: &World, affinity: Option<bool>) -> Arc<Lease> {
    let booked = world.service.create_lease(&caller(), instances(affinity)).await;
    booked.expect("the lease is booked")
}

/// The id of the group as the lease says it.
fn group_of(lease: &Lease) -> Option<String> {
    let ReservationSpec::Instance(spec) = &lease.reservations[0].spec else {
        panic!("it is of instances");
    };
    spec.objects.server_group_id.clone()
}

/// Ids and rules of the groups there are.
fn groups(world: &World) -> Vec<(String, String)> {
    let groups = world.outside.cloud.server_groups().into_iter();
    groups.map(|group| (group.id, group.policies.concat())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_the_group_of_a_rule_exists_when_the_booking_is_answered() {
    let world = world().await;
    assert_eq!(group_of(&*book(&world, None).await), None);
    assert!(groups(&world).is_empty());
    for (affinity, rule) in [(true, "affinity"), (false, "anti-affinity")] {
        let lease = book(&world, Some(affinity)).await;
        let id = group_of(&lease).expect("the answer names it");
        assert!(groups(&world).contains(&(id.clone(), rule.to_owned())));
        let shown = world.lease(&lease.id).await.unwrap();
        assert_eq!((group_of(&shown), shown.status), (Some(id), LeaseStatus::Pending));
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_the_start_keeps_the_group_and_the_end_deletes_it() {
    let world = world().await;
    let lease = book(&world, Some(false)).await;
    world.outside.clock.set(NOON + 3600);
    world
        .advance_to_status(&lease.id, NOON + 3700, LeaseStatus::Active)
        .await;
    let running = world.lease(&lease.id).await.unwrap();
    assert_eq!(group_of(&running), group_of(&lease));
    assert_eq!(groups(&world).len(), 1);
    world.outside.clock.set(NOON + 7200);
    world
        .advance_to_status(&lease.id, NOON + 7300, LeaseStatus::Terminated)
        .await;
    assert!(groups(&world).is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_a_lease_that_goes_before_its_start_takes_its_group_along() {
    let world = world().await;
    let lease = book(&world, Some(true)).await;
    world.service.delete_lease(&caller(), &lease.id).await.unwrap();
    assert!(world.lease(&lease.id).await.is_none());
    assert!(groups(&world).is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_another_rule_has_another_group() {
    let world = world().await;
    let lease = book(&world, Some(true)).await;
    for (rule, expected) in [(Some(false), "anti-affinity"), (None, ""), (Some(true), "affinity")] {
        let change = LeaseChange {
            reservations: vec![ReservationChange {
                id: lease.reservations[0].id.clone(),
                affinity: Some(NewAffinity(rule)),
                ..ReservationChange::default()
            }],
            ..LeaseChange::default()
        };
        let changed = world.service.update_lease(&caller(), &lease.id, change).await.unwrap();
        let wanted: Vec<(String, String)> = group_of(&changed)
            .map(|id| (id, expected.to_owned()))
            .into_iter()
            .collect();
        assert_eq!(wanted.len(), usize::from(rule.is_some()));
        assert_eq!(groups(&world), wanted);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_a_booking_does_not_depend_on_nova_and_the_group_follows() {
    for fault in [Fault::BeforeEffect, Fault::AfterEffect] {
        let world = world().await;
        world
            .outside
            .cloud
            .on_call(move |_, call| call.starts_with("create server group").then_some(fault));
        let lease = book(&world, Some(true)).await;
        assert_eq!(group_of(&lease), None);
        world.outside.cloud.heal();
        world.audit(&lease.id).await;
        let id = group_of(&world.lease(&lease.id).await.unwrap()).expect("an audit makes it");
        assert_eq!(groups(&world), [(id, "affinity".to_owned())]);
        world.service.delete_lease(&caller(), &lease.id).await.unwrap();
        assert!(groups(&world).is_empty());
        world.stop().await;
    }
}
