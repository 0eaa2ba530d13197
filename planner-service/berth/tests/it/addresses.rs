//! The life of a reservation of floating IPs beside one of hosts, on a cloud in memory: it starts, grows and ends, and
//! the process may die at any step of that.

use std::sync::Arc;

use cloud::Subnet;
use planner_core::domain::{FloatingIpReservation, Lease, LeaseStatus, ReservationSpec};
use planner_core::service::{LeaseChange, LeaseDraft, ReservationChange, ServiceError};

use crate::crash::{run_to, silence_expected_panics};
use crate::world::{NOON, Outside, World, caller, draft};

const HOSTS: [&str; 2] = ["c1", "c2"];

/// A cloud with a network of which three addresses may be registered.
fn outside() -> Outside {
    let outside = Outside::new(&HOSTS);
    let address = |text: &str| text.parse().unwrap();
    let subnet = Subnet {
        id: "subnet".to_owned(),
        cidr: (address("192.0.2.0"), 24),
        gateway: Some(address("192.0.2.1")),
        allocation_pools: vec![(address("192.0.2.100"), address("192.0.2.200"))],
    };
    outside.cloud.add_network("public", vec![subnet]);
    outside
}

async fn world() -> World {
    let world = World::start(outside()).await;
    world.register(&HOSTS).await;
    for last in 7..10 {
        let address = format!("192.0.2.{last}").parse().unwrap();
        let registered = world.service.register_floating_ip(&caller(), "public", address).await;
        registered.expect("the address registers");
    }
    world
}

/// One whole host, and two addresses of which one is required.
fn mixed(start: i64, end: i64) -> LeaseDraft {
    let mut wanted = draft(start, end, 1);
    wanted
        .reservations
        .push(ReservationSpec::FloatingIp(FloatingIpReservation {
            network_id: "public".to_owned(),
            amount: 2,
            required_floatingips: vec!["192.0.2.9".to_owned()],
        }));
    wanted
}

async fn book(world: &World, start: i64, end: i64) -> Arc<Lease> {
    let booked = world.service.create_lease(&caller(), mixed(start, end)).await;
    booked.expect("the lease is booked")
}

/// The project has exactly the addresses of the reservation, with its tags.
fn assert_given(outside: &Outside, lease: &Lease, amount: usize) {
    let given = outside.cloud.addresses();
    assert_eq!(given.len(), amount, "{given:?}");
    assert_eq!(lease.reservations[1].allocations.len(), amount);
    assert!(given.iter().any(|address| address.address == "192.0.2.9"), "{given:?}");
    let tags = ["blazar".to_owned(), format!("reservation:{}", lease.reservations[1].id)];
    for address in given {
        assert_eq!(address.project_id, lease.project_id);
        assert_eq!(address.tags, tags);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_of_floating_ips_starts_grows_and_ends() {
    let world = world().await;
    let lease = book(&world, NOON + 60, NOON + 6000).await;
    assert!(world.outside.cloud.addresses().is_empty());
    world
        .advance_to_status(&lease.id, NOON + 120, LeaseStatus::Active)
        .await;
    let running = world.lease(&lease.id).await.unwrap();
    assert_given(&world.outside, &running, 2);

    let growing = |amount| LeaseChange {
        reservations: vec![ReservationChange {
            id: lease.reservations[1].id.clone(),
            amount: Some(amount),
            ..ReservationChange::default()
        }],
        ..LeaseChange::default()
    };
    let refused = world.service.update_lease(&caller(), &lease.id, growing(4)).await;
    assert!(matches!(refused, Err(ServiceError::Shortage(_))), "{refused:?}");
    world
        .service
        .update_lease(&caller(), &lease.id, growing(3))
        .await
        .unwrap();
    let is_grown = |lease: Option<&Lease>| lease.is_some_and(|lease| lease.events.len() == 2);
    world.advance_until(&lease.id, NOON + 180, is_grown).await;
    let grown = world.lease(&lease.id).await.unwrap();
    assert_given(&world.outside, &grown, 3);

    world.outside.cloud.drop_address("192.0.2.9");
    world.audit(&lease.id).await;
    assert_given(&world.outside, &grown, 3);

    world.outside.cloud.attach_addresses("physics", "port");
    world.outside.clock.set(NOON + 6000);
    world
        .advance_to_status(&lease.id, NOON + 6100, LeaseStatus::Terminated)
        .await;
    assert!(world.outside.cloud.addresses().is_empty());
    // What has ended holds nothing, so that its addresses can be deregistered.
    let registered = world.service.floating_ips(&caller()).await.unwrap();
    for address in registered() {
        world.service.delete_floating_ip(&caller(), &address.id).await.unwrap();
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn back_to_back_leases_pass_an_address_on() {
    let world = world().await;
    let first = book(&world, NOON + 60, NOON + 600).await;
    let second = book(&world, NOON + 600, NOON + 1200).await;
    world
        .advance_to_status(&first.id, NOON + 120, LeaseStatus::Active)
        .await;
    world.outside.clock.set(NOON + 600);
    world
        .advance_to_status(&second.id, NOON + 700, LeaseStatus::Active)
        .await;
    let running = world.lease(&second.id).await.unwrap();
    assert_given(&world.outside, &running, 2);
    world.service.delete_lease(&caller(), &second.id).await.unwrap();
    assert!(world.outside.cloud.addresses().is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_at_any_step_of_a_life_with_floating_ips_loses_nothing() {
    silence_expected_panics();
    let mut is_whole = [false, false];
    for step in 1.. {
        let world = world().await;
        let lease = book(&world, NOON + 60, NOON + 6000).await;
        let outside = world.stop().await;
        outside.clock.set(NOON + 60);
        let (world, died) = run_to(outside, &lease.id, NOON + 90, LeaseStatus::Active, step).await;
        is_whole[0] = !died;
        let running = world.lease(&lease.id).await.unwrap();
        assert_given(&world.outside, &running, 2);
        world.outside.cloud.attach_addresses("physics", "port");
        let outside = world.stop().await;
        outside.clock.set(NOON + 6000);
        let (world, died) = run_to(outside, &lease.id, NOON + 6030, LeaseStatus::Terminated, step).await;
        is_whole[1] = !died;
        assert!(world.outside.cloud.addresses().is_empty());
        world.stop().await;
        if is_whole == [true, true] {
            assert!(step > 8, "a life has steps: {step}");
            return;
        }
    }
}
