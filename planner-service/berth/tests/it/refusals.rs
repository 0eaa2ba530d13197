//! Refusals that need the solver, and what is offered instead.

use planner_core::domain::LeaseStatus;
use planner_core::question::Offer;
use planner_core::service::{LeaseChange, ServiceError};

use crate::world::{NOON, Outside, World, caller};

/// A running lease keeps its host, on which the next lease is about to start.
#[tokio::test(flavor = "multi_thread")]
async fn b2_an_extension_is_offered_up_to_the_next_lease() {
    let world = World::start(Outside::new(&["c1"])).await;
    world.register(&["c1"]).await;
    let running = world.book(NOON, NOON + 3600, 1).await;
    world
        .advance_to_status(&running.id, NOON + 60, LeaseStatus::Active)
        .await;
    let next = world.book(NOON + 5400, NOON + 9000, 1).await;
    let until = |end| LeaseChange {
        end: Some(end),
        ..LeaseChange::default()
    };
    let refused = world
        .service
        .update_lease(&caller(), &running.id, until(NOON + 7200))
        .await;
    let Err(ServiceError::Shortage(shortage)) = refused else {
        panic!("the host is booked: {refused:?}");
    };
    // 2030-03-17T17:47Z is NOON.
    assert_eq!(
        shortage.text,
        "the only host that can serve your request is booked by an earlier lease from 2030-03-17T19:17Z; you can have it \
         until 2030-03-17T19:17Z"
    );
    let offered = Offer::End {
        end: next.start,
        without_moves: true,
    };
    assert!(shortage.offers.contains(&offered), "{:?}", shortage.offers);
    world
        .service
        .update_lease(&caller(), &running.id, until(next.start))
        .await
        .expect("what is offered is accepted");
    world.stop().await;
}

/// A running lease of two of three hosts, and two leases in its way: the second of them needs more hosts than the first.
#[tokio::test(flavor = "multi_thread")]
async fn b2_an_extension_is_offered_up_to_the_first_of_two_leases() {
    let hosts = ["c1", "c2", "c3"];
    let world = World::start(Outside::new(&hosts)).await;
    world.register(&hosts).await;
    let running = world.book(NOON, NOON + 3600, 2).await;
    world
        .advance_to_status(&running.id, NOON + 60, LeaseStatus::Active)
        .await;
    let first = world.book(NOON + 4500, NOON + 5100, 2).await;
    world.book(NOON + 5400, NOON + 9000, 3).await;
    let until = |end| LeaseChange {
        end: Some(end),
        ..LeaseChange::default()
    };
    let refused = world
        .service
        .update_lease(&caller(), &running.id, until(NOON + 6000))
        .await;
    let Err(ServiceError::Shortage(shortage)) = refused else {
        panic!("the hosts are booked: {refused:?}");
    };
    // 2030-03-17T17:47Z is NOON.
    assert_eq!(
        shortage.text,
        "from 2030-03-17T19:02Z, your request and 1 earlier lease need more than the 3 hosts that can serve your request; \
         you can have it until 2030-03-17T19:02Z"
    );
    let offered = Offer::End {
        end: first.start,
        without_moves: true,
    };
    assert_eq!(shortage.offers, [offered]);
    world
        .service
        .update_lease(&caller(), &running.id, until(first.start))
        .await
        .expect("what is offered is accepted");
    world.stop().await;
}
