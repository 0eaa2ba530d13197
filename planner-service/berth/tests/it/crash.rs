//! The process dies between any two steps of a start or an end and is started again; cloud and book
//! agree afterwards, nothing is lost and nothing is done twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use planner_core::domain::{EventStatus, LeaseStatus};
use plugin_api::StepObserver;

use crate::world::{NOON, Outside, World, assert_given_back, assert_running, settings};

const HOSTS: [&str; 2] = ["c1", "c2"];

/// Lets the N-th step be the last thing the process does.
pub(crate) struct DieAt {
    left: AtomicUsize,
    pub(crate) died: AtomicBool,
}

impl DieAt {
    pub(crate) fn new(step: usize) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(step),
            died: AtomicBool::new(false),
        })
    }
}

impl StepObserver for DieAt {
    fn reached(&self, step: &'static str) {
        if self.died.load(Ordering::SeqCst) || self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.died.store(true, Ordering::SeqCst);
            // The worker's task ends here, without any clean-up that a living process would do.
            std::panic::panic_any(step);
        }
    }
}

/// Runs the lease to the status, restarting the process if it dies; answers whether it died.
pub(crate) async fn run_to(
    outside: Outside,
    lease_id: &str,
    until: i64,
    status: LeaseStatus,
    step: usize,
) -> (World, bool) {
    let observer = DieAt::new(step);
    let world = World::start_with(outside, settings(), observer.clone()).await;
    world
        .advance_until(lease_id, until, |lease| {
            observer.died.load(Ordering::SeqCst) || lease.is_some_and(|lease| lease.status == status)
        })
        .await;
    if !observer.died.load(Ordering::SeqCst) {
        return (world, false);
    }
    let world = World::start(world.kill()).await;
    world.advance_to_status(lease_id, until + 600, status).await;
    (world, true)
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_at_any_step_of_a_start_loses_nothing() {
    silence_expected_panics();
    for step in 1.. {
        let world = World::start(Outside::new(&HOSTS)).await;
        world.register(&HOSTS).await;
        world.outside.cloud.boot("c1", "anyone", "preemptible");
        let lease = world.book(NOON + 60, NOON + 6000, 2).await;
        let outside = world.stop().await;
        outside.clock.set(NOON + 60);
        let (world, died) = run_to(outside, &lease.id, NOON + 90, LeaseStatus::Active, step).await;
        let running = world.lease(&lease.id).await.unwrap();
        assert_running(&world.outside, &running);
        assert!(
            running
                .events
                .iter()
                .all(|event| event.status != EventStatus::InProgress)
        );
        world.stop().await;
        if !died {
            assert!(step > 6, "a start has steps: {step}");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_at_any_step_of_an_end_loses_nothing() {
    silence_expected_panics();
    for step in 1.. {
        let world = World::start(Outside::new(&HOSTS)).await;
        world.register(&HOSTS).await;
        let lease = world.book(NOON, NOON + 600, 2).await;
        world.advance_to_status(&lease.id, NOON + 60, LeaseStatus::Active).await;
        world.outside.cloud.boot("c1", "physics", "worker");
        let outside = world.stop().await;
        outside.clock.set(NOON + 600);
        let (world, died) = run_to(outside, &lease.id, NOON + 630, LeaseStatus::Terminated, step).await;
        assert_given_back(&world.outside, &[lease.reservations[0].id.clone()], &HOSTS);
        let over = world.lease(&lease.id).await.unwrap();
        assert!(over.events.iter().all(|event| event.status == EventStatus::Done));
        world.stop().await;
        if !died {
            assert!(step > 6, "an end has steps: {step}");
            return;
        }
    }
}

/// The deaths are panics in tasks; their traces would drown the output.
pub(crate) fn silence_expected_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info
                .payload()
                .downcast_ref::<&'static str>()
                .is_none_or(|step| !step.contains(':'))
            {
                usual(info);
            }
        }));
    });
}
