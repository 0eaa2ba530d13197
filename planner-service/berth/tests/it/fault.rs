//! Every call to the cloud fails once, before its effect or after it with the answer lost; in the end
//! cloud and book agree all the same.

use cloud::fake::Fault;
use planner_core::domain::LeaseStatus;

use crate::world::{NOON, Outside, World, assert_given_back, assert_running};

const HOSTS: [&str; 2] = ["c1", "c2"];

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_start_and_end_may_fail_once() {
    for fault in [Fault::BeforeEffect, Fault::AfterEffect] {
        for number in 1.. {
            let world = World::start(Outside::new(&HOSTS)).await;
            world.register(&HOSTS).await;
            // A preemptible server that a start removes, and one of the lease's own that the end removes.
            world.outside.cloud.boot("c1", "anyone", "preemptible");
            let lease = world.book(NOON + 60, NOON + 660, 2).await;
            world.outside.cloud.fail_call(number, fault);
            world.outside.clock.set(NOON + 60);
            world
                .advance_to_status(&lease.id, NOON + 600, LeaseStatus::Active)
                .await;
            let running = world.lease(&lease.id).await.unwrap();
            assert_running(&world.outside, &running);
            world.outside.cloud.boot("c2", "physics", "worker");
            world.outside.clock.set(NOON + 660);
            world
                .advance_to_status(&lease.id, NOON + 1200, LeaseStatus::Terminated)
                .await;
            assert_given_back(&world.outside, &[running.reservations[0].id.clone()], &HOSTS);
            assert!(world.outside.cloud.servers().is_empty());
            let calls = world.outside.cloud.calls().len();
            world.stop().await;
            if number > calls {
                assert!(number > 10, "the scenario makes calls: {calls}");
                break;
            }
        }
    }
}
