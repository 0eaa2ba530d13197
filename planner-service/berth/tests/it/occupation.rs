//! What occupies a host is the lease that has it, whatever is due and whatever the clock says.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use planner_core::domain::{EventType, Lease, LeaseStatus};
use planner_core::ports::{Clock, Store};
use planner_core::service::{LeaseChange, Service, ServiceError};
use planner_core::testing::{ManualClock, MemoryStore};
use store::SqlStore;
use store::testing::options;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::failing_lives::hands::Hands;
use crate::failing_lives::standalone;
use crate::world::{NOON, caller, draft, settings};

/// A process without a cloud, and what outlives it.
struct Standalone {
    clock: ManualClock,
    store: Arc<dyn Store>,
    hands: Arc<Hands>,
    service: Service,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Standalone {
    async fn start(hosts: &[&str]) -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let started = Self::over(ManualClock::at(NOON), store, Arc::default()).await;
        for host in hosts {
            standalone::register(&started.service, host, "r0", 8).await;
        }
        started
    }

    async fn over(clock: ManualClock, store: Arc<dyn Store>, hands: Arc<Hands>) -> Self {
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let service = standalone::start(&clock, &store, &hands, settings(), &tasks, &shutdown).await;
        Self {
            clock,
            store,
            hands,
            service,
            tasks,
            shutdown,
        }
    }

    async fn restart(self) -> Self {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        Self::over(self.clock, self.store, self.hands).await
    }

    async fn book(&self, start: i64, end: i64, hosts: u32) -> Result<Arc<Lease>, ServiceError> {
        let mut wanted = draft(start, end, hosts);
        if let planner_core::domain::ReservationSpec::Host(spec) = &mut wanted.reservations[0] {
            spec.resource_properties = String::new();
        }
        self.service.create_lease(&caller(), wanted).await
    }

    /// Lets time pass until the lease is as it should be.
    async fn until(&self, id: &str, wanted: impl Fn(&Lease) -> bool) -> Arc<Lease> {
        self.wait(id, 1, wanted).await
    }

    /// Looks at the lease until it is as it should be, and moves the clock by `seconds` now and then.
    async fn wait(&self, id: &str, seconds: i64, wanted: impl Fn(&Lease) -> bool) -> Arc<Lease> {
        let waiting = async {
            let mut poll = tokio::time::interval(Duration::from_millis(2));
            let mut round = 0;
            loop {
                let lease = self.service.lease(&caller(), id).await.unwrap();
                if wanted(&lease) {
                    return lease;
                }
                poll.tick().await;
                round += 1;
                if round % 10 == 0 {
                    self.clock.advance(seconds);
                }
            }
        };
        let waited = tokio::time::timeout(Duration::from_mins(1), waiting).await;
        let lease = self.service.lease(&caller(), id).await;
        waited.unwrap_or_else(|_| panic!("at {} it is {lease:#?}", self.clock.now()))
    }

    async fn until_status(&self, id: &str, status: LeaseStatus) -> Arc<Lease> {
        self.until(id, |lease| lease.status == status).await
    }

    fn ends_fail(&self, fail: bool) {
        self.hands.ends_fail.store(fail, Ordering::Relaxed);
    }
}

fn until(end: i64) -> LeaseChange {
    LeaseChange {
        end: Some(end),
        ..LeaseChange::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn v6_a_start_waits_for_an_end_that_was_put_off() {
    let alone = Standalone::start(&["c1"]).await;
    let first = alone.book(NOON, NOON + 60, 1).await.unwrap();
    let second = alone.book(NOON + 60, NOON + 3600, 1).await.unwrap();
    alone.until_status(&first.id, LeaseStatus::Active).await;
    alone.ends_fail(true);
    alone.clock.set(NOON + 60);
    let put_off = |lease: &Lease| lease.event(EventType::EndLease).is_some_and(|end| end.attempts >= 3);
    alone.until(&first.id, put_off).await;
    let says_so = |lease: &Lease| {
        let start = lease.event(EventType::StartLease).unwrap();
        let reason = start.waiting.as_deref().unwrap_or_default();
        reason.contains("another lease") && start.attempts == 0
    };
    let waiting = alone.until(&second.id, says_so).await;
    assert_eq!(waiting.status, LeaseStatus::Pending);
    // It is as after a crash in between, too.
    let alone = alone.restart().await;
    alone
        .until(&first.id, |lease| {
            lease.event(EventType::EndLease).unwrap().attempts >= 5
        })
        .await;
    let waiting = alone.service.lease(&caller(), &second.id).await.unwrap();
    assert_eq!(waiting.status, LeaseStatus::Pending);
    alone.ends_fail(false);
    let started = alone.until_status(&second.id, LeaseStatus::Active).await;
    assert_eq!(started.event(EventType::StartLease).unwrap().waiting, None);
    let over = alone.service.lease(&caller(), &first.id).await.unwrap();
    assert_eq!(over.status, LeaseStatus::Terminated);
    alone.hands.check(&"one host");
}

/// What a running lease gains waits as a start does.
#[tokio::test(flavor = "multi_thread")]
async fn v6_growth_waits_for_an_end_that_was_put_off() {
    let alone = Standalone::start(&["c1", "c2"]).await;
    let running = alone.book(NOON, NOON + 7200, 1).await.unwrap();
    let over = alone.book(NOON, NOON + 60, 1).await.unwrap();
    for lease in [&running, &over] {
        alone.until_status(&lease.id, LeaseStatus::Active).await;
    }
    alone.ends_fail(true);
    alone.clock.set(NOON + 60);
    alone
        .until(&over.id, |lease| lease.event(EventType::EndLease).unwrap().attempts > 0)
        .await;
    let grown = LeaseChange {
        reservations: vec![planner_core::service::ReservationChange {
            id: running.reservations[0].id.clone(),
            min: Some(2),
            max: Some(2),
            ..Default::default()
        }],
        ..LeaseChange::default()
    };
    alone.service.update_lease(&caller(), &running.id, grown).await.unwrap();
    let says_so = |lease: &Lease| {
        let change = lease.event(EventType::ApplyChange);
        change.is_some_and(|change| change.waiting.is_some() && change.attempts == 0)
    };
    alone.until(&running.id, says_so).await;
    alone.ends_fail(false);
    alone
        .until(&running.id, |lease| lease.event(EventType::ApplyChange).is_none())
        .await;
    alone.hands.check(&"two hosts");
}

#[tokio::test(flavor = "multi_thread")]
async fn v14_a_running_host_is_not_booked_again_when_the_clock_is_set_back() {
    for restarts in [false, true] {
        let mut alone = Standalone::start(&["c1"]).await;
        alone.clock.set(NOON + 7200);
        let running = alone.book(NOON + 7200, NOON + 10_800, 1).await.unwrap();
        alone.until_status(&running.id, LeaseStatus::Active).await;
        alone.clock.turn_to(NOON);
        if restarts {
            alone = alone.restart().await;
        }
        for start in [
            NOON,
            NOON + 3600,
            alone.service.now() - alone.service.now().rem_euclid(60),
        ] {
            let booked = alone.book(start, start + 1800, 1).await;
            assert!(booked.is_err(), "from {start}: {booked:?}");
        }
        // It ends when the clock says so again.
        alone.clock.set(NOON + 10_800);
        alone.until_status(&running.id, LeaseStatus::Terminated).await;
        alone.hands.check(&"one host");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f3_work_goes_on_while_the_clock_is_behind() {
    let alone = Standalone::start(&["c1"]).await;
    alone.clock.set(NOON + 7200);
    let lease = alone.book(NOON + 7200, NOON + 7260, 1).await.unwrap();
    alone.until_status(&lease.id, LeaseStatus::Active).await;
    alone.clock.turn_to(NOON);
    let now = alone.service.now();
    assert!(now >= NOON + 7200);
    alone.ends_fail(true);
    // Its end is due half as fast, and what fails is tried again.
    alone.clock.advance(130);
    alone
        .until(&lease.id, |lease| {
            lease.event(EventType::EndLease).unwrap().attempts >= 2
        })
        .await;
    alone.ends_fail(false);
    alone.until_status(&lease.id, LeaseStatus::Terminated).await;
    assert!(alone.clock.now() < NOON + 3600, "long before the clock has caught up");
}

#[tokio::test(flavor = "multi_thread")]
async fn f4_a_clock_that_cannot_be_right_is_said_at_once() {
    let alone = Standalone::start(&["c1"]).await;
    for wrong in [-86_400, 0, 252_979_200_000] {
        alone.clock.turn_to(wrong);
        let refused = alone.book(NOON + 600, NOON + 1200, 1).await.unwrap_err();
        let ServiceError::Unavailable(text) = &refused else {
            panic!("{refused:?}")
        };
        assert!(text.contains("the clock of this machine is wrong"), "{text}");
        assert!(text.contains(&wrong.to_string()), "{text}");
        let condition = alone.service.condition().await;
        assert!(!condition.is_ready() && condition.clock.is_err(), "{condition:?}");
        // What is read is still read.
        let leases = alone.service.leases(&caller()).await;
        assert_eq!(leases.ok().map(|leases| leases().count()), Some(0));
    }
    alone.clock.turn_to(NOON + 60);
    let lease = alone.book(NOON + 60, NOON + 1200, 1).await.unwrap();
    alone.until_status(&lease.id, LeaseStatus::Active).await;
}

/// The database takes no allocation that ends when it begins.
#[tokio::test(flavor = "multi_thread")]
async fn a3_a_lease_can_be_given_back_in_the_minute_in_which_it_started_or_grew() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("sqlite://{}", folder.path().join("book.db").display());
    let store = SqlStore::connect(&address, options()).await.unwrap();
    store.migrate().await.unwrap();
    let alone = Standalone::over(ManualClock::at(NOON + 10), Arc::new(store), Arc::default()).await;
    for host in ["c1", "c2", "c3"] {
        standalone::register(&alone.service, host, "r0", 8).await;
    }
    for grows in [false, true] {
        let minute = |time: i64| time - time.rem_euclid(60);
        let start = minute(alone.service.now());
        let lease = alone.book(start, start + 7200, 1).await.unwrap();
        alone.until_status(&lease.id, LeaseStatus::Active).await;
        if grows {
            alone.clock.advance(600);
            let more = LeaseChange {
                reservations: vec![planner_core::service::ReservationChange {
                    id: lease.reservations[0].id.clone(),
                    min: Some(3),
                    max: Some(3),
                    ..Default::default()
                }],
                ..LeaseChange::default()
            };
            alone.service.update_lease(&caller(), &lease.id, more).await.unwrap();
            alone
                .until(&lease.id, |lease| lease.event(EventType::ApplyChange).is_none())
                .await;
        }
        let now = alone.service.now();
        assert!(minute(now) == start || grows, "it is the first minute still");
        let changed = alone
            .service
            .update_lease(&caller(), &lease.id, until(minute(now)))
            .await;
        let changed = changed.unwrap();
        assert!(changed.start < changed.end, "{changed:#?}");
        // At once: the clock stands still.
        alone
            .wait(&lease.id, 0, |lease| lease.status == LeaseStatus::Terminated)
            .await;
        // All of it is free.
        let now = minute(alone.service.now());
        let next = alone.book(now, now + 7200, 3).await.unwrap();
        alone
            .wait(&next.id, 0, |lease| lease.status == LeaseStatus::Active)
            .await;
        alone.service.delete_lease(&caller(), &next.id).await.unwrap();
        alone.clock.advance(120);
    }
}

/// Its receiver may have carried out the end already: what it hears again is the same, and it is given nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn f17_a_lease_whose_end_waits_is_neither_changed_nor_given_other_hosts() {
    let alone = Standalone::start(&["c1", "c2"]).await;
    let lease = alone.book(NOON, NOON + 7200, 1).await.unwrap();
    alone.until_status(&lease.id, LeaseStatus::Active).await;
    alone.ends_fail(true);
    // In its first minute, it is given back before its last second.
    let changed = alone.service.update_lease(&caller(), &lease.id, until(NOON)).await;
    assert_eq!(changed.unwrap().end, NOON + 60);
    let tried = |lease: &Lease| lease.event(EventType::EndLease).unwrap().attempts > 0;
    let waiting = alone.wait(&lease.id, 0, tried).await;
    assert!(alone.service.now() < waiting.end, "its window is open still");
    let rename = LeaseChange {
        name: Some("another".to_owned()),
        ..LeaseChange::default()
    };
    for change in [rename.clone(), until(NOON + 3600)] {
        let told = alone.service.update_lease(&caller(), &lease.id, change).await;
        let refused =
            |error: &ServiceError| matches!(error, ServiceError::Conflict(text) if text.contains("given back"));
        assert!(told.as_ref().is_err_and(refused), "{told:?}");
    }
    let host = &waiting.reservations[0].allocations[0].host_id;
    let failed = alone.service.set_reservable(&caller(), host, false).await.unwrap();
    assert_eq!((failed.moved, failed.lost.len()), (0, 0), "{failed:?}");
    let now = alone.service.lease(&caller(), &lease.id).await.unwrap();
    assert_eq!(now.reservations, waiting.reservations);
    alone.ends_fail(false);
    alone.until_status(&lease.id, LeaseStatus::Terminated).await;
    let renamed = alone.service.update_lease(&caller(), &lease.id, rename).await.unwrap();
    assert_eq!(renamed.name, "another");
    alone.hands.check(&"given back at once");
}
