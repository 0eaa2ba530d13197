//! What is told of leases, to a listener that fails, through a process that dies, from several processes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use planner_core::domain::{EventStatus, EventType, LeaseStatus, Notification};
use planner_core::notification::{NotificationSink, Notifications, SinkError};
use planner_core::service::{LeaseChange, LeaseDraft, ServiceError, Settings};
use plugin_api::NoObserver;
use presentation::notification::LeasePayload;
use serde_json::Value;

use crate::world::{NOON, Outside, World, caller, draft, settings};

/// Members of the payload: upstream's.
pub(crate) const MEMBERS: [&str; 13] = [
    "created_at",
    "degraded",
    "end_date",
    "events",
    "lease_id",
    "name",
    "project_id",
    "reservations",
    "start_date",
    "status",
    "trust_id",
    "updated_at",
    "user_id",
];

/// Takes notifications down, unless it is told to fail.
#[derive(Default)]
struct Listener {
    taken: Mutex<Vec<Notification>>,
    down: AtomicBool,
    /// How many are taken before the process dies with the confirmation on its way; 0: it does not.
    dies_after: AtomicUsize,
    dead: AtomicBool,
}

#[async_trait]
impl NotificationSink for Listener {
    async fn send(&self, notification: &Notification) -> Result<(), SinkError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(SinkError("connection refused".to_owned()));
        }
        self.taken.lock().unwrap().push(notification.clone());
        if self.dies_after.load(Ordering::SeqCst) > 0 && self.dies_after.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.dead.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

impl Listener {
    fn taken(&self) -> Vec<Notification> {
        self.taken.lock().unwrap().clone()
    }

    /// Event types and names of leases, repetitions left out.
    fn told(&self) -> Vec<(String, String)> {
        let mut seen = BTreeSet::new();
        let taken = self.taken().into_iter();
        taken
            .filter(|notification| seen.insert(notification.id.clone()))
            .map(|notification| {
                let payload: Value = serde_json::from_str(&notification.payload).unwrap();
                let name = payload["name"].as_str().unwrap().to_owned();
                (notification.event_type.to_string(), name)
            })
            .collect()
    }
}

fn listened(outside: Outside, listener: &Arc<Listener>) -> Outside {
    Outside {
        notifications: Some(Notifications {
            outlet: String::new(),
            format: Arc::new(LeasePayload),
            sink: listener.clone(),
        }),
        ..outside
    }
}

/// Waits, with time going on, until it is so.
async fn wait_until(outside: &Outside, wanted: impl Fn() -> bool) {
    let waiting = async {
        let mut poll = tokio::time::interval(Duration::from_millis(2));
        for round in 1_u32.. {
            if wanted() {
                return;
            }
            poll.tick().await;
            if round % 10 == 0 {
                outside.clock.advance(1);
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting)
        .await
        .expect("it comes about");
}

fn named(name: &str, start: i64, end: i64) -> LeaseDraft {
    LeaseDraft {
        name: name.to_owned(),
        ..draft(start, end, 1)
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(one, other): &(&str, &str)| ((*one).to_owned(), (*other).to_owned());
    expected.iter().map(own).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_life_of_a_lease_is_told() {
    let listener = Arc::new(Listener::default());
    let world = World::start(listened(Outside::new(&["c1"]), &listener)).await;
    world.register(&["c1"]).await;
    let wanted = LeaseDraft {
        before_end: Some(NOON + 600),
        ..named("one", NOON, NOON + 1200)
    };
    let id = world.service.create_lease(&caller(), wanted).await.unwrap().id.clone();
    world.advance_to_status(&id, NOON + 60, LeaseStatus::Active).await;
    // A refused change is not told, nor one that changes nothing.
    let refused = LeaseChange {
        start: Some(NOON + 660),
        ..LeaseChange::default()
    };
    world.service.update_lease(&caller(), &id, refused).await.unwrap_err();
    let nothing = LeaseChange::default();
    world.service.update_lease(&caller(), &id, nothing).await.unwrap();
    world.outside.clock.set(NOON + 600);
    let before_end = |status| {
        move |lease: Option<&planner_core::domain::Lease>| {
            lease.is_some_and(|lease| lease.event(EventType::BeforeEndLease).unwrap().status == status)
        }
    };
    world
        .advance_until(&id, NOON + 660, before_end(EventStatus::Done))
        .await;
    let longer = LeaseChange {
        end: Some(NOON + 2400),
        ..LeaseChange::default()
    };
    world.service.update_lease(&caller(), &id, longer).await.unwrap();
    world.outside.clock.set(NOON + 1800);
    world
        .advance_until(&id, NOON + 1860, before_end(EventStatus::Done))
        .await;
    world.outside.clock.set(NOON + 2400);
    world.advance_to_status(&id, NOON + 2460, LeaseStatus::Terminated).await;
    world.service.delete_lease(&caller(), &id).await.unwrap();
    // One that runs is told to be gone when it is.
    let start = NOON + 3600;
    world.outside.clock.set(start);
    let second = world
        .service
        .create_lease(&caller(), named("two", start, start + 600))
        .await
        .unwrap();
    world
        .advance_to_status(&second.id, start + 60, LeaseStatus::Active)
        .await;
    world.service.delete_lease(&caller(), &second.id).await.unwrap();
    let expected = [
        ("lease.create", "one"),
        ("lease.event.start_lease", "one"),
        ("lease.event.before_end_lease", "one"),
        ("lease.update", "one"),
        ("lease.event.before_end_lease.stop", "one"),
        ("lease.event.before_end_lease", "one"),
        ("lease.event.end_lease", "one"),
        ("lease.delete", "one"),
        ("lease.create", "two"),
        ("lease.event.start_lease", "two"),
        ("lease.delete", "two"),
    ];
    wait_until(&world.outside, || listener.told().len() == expected.len()).await;
    assert_eq!(listener.told(), pairs(&expected));
    assert_eq!(
        listener.taken().len(),
        expected.len(),
        "nothing is told twice without need"
    );
    let statuses: Vec<Value> = listener
        .taken()
        .iter()
        .map(|notification| serde_json::from_str::<Value>(&notification.payload).unwrap()["status"].clone())
        .collect();
    assert_eq!(
        statuses,
        [
            "PENDING",
            "ACTIVE",
            "ACTIVE",
            "ACTIVE",
            "ACTIVE",
            "ACTIVE",
            "TERMINATED",
            "DELETING",
            "PENDING",
            "ACTIVE",
            "DELETING",
        ]
    );
    let payload: Value = serde_json::from_str(&listener.taken()[0].payload).unwrap();
    let mut members: Vec<&str> = payload.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, MEMBERS);
    assert_eq!(payload["lease_id"], id.as_str());
    let outside = world.stop().await;
    assert!(outside.store.outbox("", 1).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_down_disturbs_nobody_and_hears_everything_later() {
    let listener = Arc::new(Listener::default());
    listener.down.store(true, Ordering::SeqCst);
    let world = World::start(listened(Outside::new(&["c1"]), &listener)).await;
    world.register(&["c1"]).await;
    let lease = world
        .service
        .create_lease(&caller(), named("one", NOON, NOON + 120))
        .await
        .unwrap();
    let refused = world
        .service
        .create_lease(&caller(), named("refused", NOON, NOON + 120))
        .await;
    assert!(matches!(refused, Err(ServiceError::Shortage(_))), "{refused:?}");
    world.advance_to_status(&lease.id, NOON + 60, LeaseStatus::Active).await;
    world.outside.clock.set(NOON + 120);
    world
        .advance_to_status(&lease.id, NOON + 180, LeaseStatus::Terminated)
        .await;
    // More than is read at once, and a new process in between.
    let world = World::start(world.stop().await).await;
    let start = NOON + 86_400;
    for number in 0..70 {
        let (begin, name) = (start + number * 600, format!("later {number}"));
        world
            .service
            .create_lease(&caller(), named(&name, begin, begin + 600))
            .await
            .unwrap();
    }
    assert!(listener.taken().is_empty());
    listener.down.store(false, Ordering::SeqCst);
    wait_until(&world.outside, || listener.taken().len() >= 73).await;
    let mut expected = pairs(&[
        ("lease.create", "one"),
        ("lease.event.start_lease", "one"),
        ("lease.event.end_lease", "one"),
    ]);
    expected.extend((0..70).map(|number| ("lease.create".to_owned(), format!("later {number}"))));
    assert_eq!(listener.told(), expected);
    let outside = world.stop().await;
    assert_eq!(listener.taken().len(), 73);
    assert!(outside.store.outbox("", 1).await.unwrap().is_empty());
}

/// The broker has taken a message, and the process dies before it knows.
#[tokio::test(flavor = "multi_thread")]
async fn dying_after_a_delivery_repeats_it_and_loses_nothing() {
    for taken in 1..=4 {
        let listener = Arc::new(Listener::default());
        listener.down.store(true, Ordering::SeqCst);
        let world = World::start(listened(Outside::new(&["c1"]), &listener)).await;
        world.register(&["c1"]).await;
        let names: Vec<String> = (0..4).map(|number| number.to_string()).collect();
        for (name, start) in names.iter().zip([600, 1200, 1800, 2400]) {
            let wanted = named(name, NOON + start, NOON + start + 600);
            world.service.create_lease(&caller(), wanted).await.unwrap();
        }
        listener.dies_after.store(taken, Ordering::SeqCst);
        listener.down.store(false, Ordering::SeqCst);
        wait_until(&world.outside, || listener.dead.load(Ordering::SeqCst)).await;
        let world = World::start(world.kill()).await;
        // What was confirmed unseen is sent again.
        wait_until(&world.outside, || listener.taken().len() == 4 + taken).await;
        let expected: Vec<_> = names
            .iter()
            .map(|name| ("lease.create".to_owned(), name.clone()))
            .collect();
        assert_eq!(listener.told(), expected);
        let outside = world.stop().await;
        assert!(outside.store.outbox("", 1).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_send_in_order() {
    let listener = Arc::new(Listener::default());
    let outside = listened(Outside::new(&["c1"]), &listener);
    let process = |worker: &str| {
        let settings = Settings {
            shared: true,
            worker: worker.to_owned(),
            ..settings()
        };
        World::start_with(outside.clone(), settings, Arc::new(NoObserver))
    };
    let (first, second) = (process("first").await, process("second").await);
    first.register(&["c1"]).await;
    let book = async |world: &World, number: i64| {
        let start = NOON + 86_400 + number * 600;
        let wanted = named(&number.to_string(), start, start + 600);
        world.service.create_lease(&caller(), wanted).await.unwrap();
    };
    for number in 0..10 {
        book(if number % 2 == 0 { &first } else { &second }, number).await;
    }
    let told = |count: usize| {
        let listener = Arc::clone(&listener);
        move || listener.told().len() == count
    };
    wait_until(&outside, told(10)).await;
    assert_eq!(listener.taken().len(), 10, "one at a time sends");
    // Whoever sends, the other one goes on when it is gone.
    first.stop().await;
    for number in 10..15 {
        book(&second, number).await;
    }
    wait_until(&outside, told(15)).await;
    let expected: Vec<_> = (0..15)
        .map(|number| ("lease.create".to_owned(), number.to_string()))
        .collect();
    assert_eq!(listener.told(), expected);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_when_nobody_is_to_be_told() {
    let world = World::start(Outside::new(&["c1"])).await;
    world.register(&["c1"]).await;
    let lease = world.book(NOON, NOON + 120, 1).await;
    world.advance_to_status(&lease.id, NOON + 60, LeaseStatus::Active).await;
    let outside = world.stop().await;
    assert!(outside.store.outbox("", 1).await.unwrap().is_empty());
}
