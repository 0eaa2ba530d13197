//! Random lives of leases before a receiver that obeys keys strictly: whatever happens between, what was started is ended
//! exactly once.
//!
//! The service runs in a runtime of its own, which is dropped where it stands: the process has crashed. The receiver
//! refuses, is away, does not answer, or does what it is told and loses the answer; hosts fail and return; leases grow,
//! move, and are deleted. `BERTH_LIVES` says how many lives are lived.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use flavor_plugin::ListedFlavors;
use floatingip_plugin::AnyAddress;
use host_plugin::StandaloneHosts;
use planner_core::authority::Caller;
use planner_core::domain::{
    CountableReservation, EventStatus, EventType, HostReservation, InstanceObjects, InstanceReservation, InstanceSize,
    Lease, LeaseStatus, ReservationSpec, Timestamp,
};
use planner_core::environment::RandomIdentifiers;
use planner_core::ports::{Clock, Store};
use planner_core::service::{LeaseChange, LeaseDraft, Parts, ReservationChange, Service, ServiceError, Settings};
use planner_core::testing::{AllowAll, ManualClock, MemoryStore};
use plugin_action::{Delivery, Receiver, Receivers, Standalone, Undelivered};
use plugin_api::{HostRegistration, NoObserver, Plugins};
use serde_json::Value;
use solver_highs::Highs;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::history::Dice;
use crate::world::{NOON, caller, settings};

const HOSTS: [&str; 4] = ["c1", "c2", "c3", "c4"];
const STEPS: usize = 16;

/// Lives in the usual run of the tests.
const LIVES: u64 = 2_000;

/// How the receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Obliging,
    /// Does nothing and says so.
    Refusing,
    /// Is not there.
    Away,
    /// Does what it is told; nobody hears that it has.
    Mute,
    /// Does nothing and does not answer.
    Hanging,
    /// Does what it is told and does not answer.
    Stuck,
}

const MOODS: [Mood; 10] = [
    Mood::Obliging,
    Mood::Obliging,
    Mood::Obliging,
    Mood::Obliging,
    Mood::Refusing,
    Mood::Refusing,
    Mood::Away,
    Mood::Mute,
    Mood::Hanging,
    Mood::Stuck,
];

/// What a reservation has of a resource: whole, or so many places.
type Held = BTreeMap<String, u64>;

/// What the receiver knows.
#[derive(Default)]
struct Ledger {
    mood: Option<Mood>,
    /// What was carried out under each key.
    done: BTreeSet<String>,
    /// Everything that was ever said under a key, without the number of the attempt.
    said: BTreeMap<String, Value>,
    /// Last attempt of each key.
    attempts: BTreeMap<String, u64>,
    /// Key of each delivery.
    deliveries: BTreeMap<String, String>,
    /// Reservations of whose start it has heard, in vain or not, or may have.
    heard: BTreeSet<String>,
    /// Greatest number carried out of each reservation.
    sequences: BTreeMap<String, u64>,
    has: BTreeMap<String, Held>,
    ended: BTreeSet<String>,
    faults: Vec<String>,
    /// What happened, for whoever has to understand a fault.
    story: Vec<String>,
}

#[derive(Default)]
struct Strict(Mutex<Ledger>);

impl Strict {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().expect("nothing panics while it is held")
    }
}

impl Ledger {
    fn fault(&mut self, text: String) {
        self.story.push(format!("FAULT: {text}"));
        self.faults.push(text);
    }

    /// Hears a document; what is said under one key is the same each time.
    fn hear(&mut self, delivery: &Delivery) -> Value {
        let mut document: Value = serde_json::from_slice(&delivery.document).expect("it is JSON");
        let attempt = document["attempt"].take().as_u64().expect("it is a number");
        let key = delivery.key.clone();
        if *self.said.entry(key.clone()).or_insert_with(|| document.clone()) != document {
            self.fault(format!("key {key} for another content: {document}"));
        }
        let id = document["delivery_id"].as_str().expect("text").to_owned();
        if *self.deliveries.entry(id.clone()).or_insert_with(|| key.clone()) != key {
            self.fault(format!("delivery {id} has two keys"));
        }
        if self.attempts.insert(key, attempt).is_some_and(|last| last >= attempt) {
            self.fault(format!("attempts of {id} do not count up: {attempt}"));
        }
        if document["event"] == "start" {
            self.heard
                .insert(document["reservation_id"].as_str().expect("text").to_owned());
        }
        document
    }

    /// Carries out what is told under a new key.
    fn carry_out(&mut self, key: &str, told: &Value) {
        if !self.done.insert(key.to_owned()) {
            return;
        }
        let reservation = told["reservation_id"].as_str().expect("text").to_owned();
        let sequence = told["sequence"].as_u64().expect("it is a number");
        if self
            .sequences
            .insert(reservation.clone(), sequence)
            .is_some_and(|last| last >= sequence)
        {
            self.fault(format!("what is told of {reservation} comes in another order: {told}"));
        }
        if self.ended.contains(&reservation) {
            self.fault(format!("{reservation} has ended and is told more: {told}"));
        }
        let mut has = self.has.remove(&reservation).unwrap_or_default();
        let wanted = resources(told);
        match told["event"].as_str() {
            Some("start" | "change") => {
                for (id, count) in resources(&told["removed"]) {
                    give_back(&mut has, &id, count);
                }
                let gained = if told["event"] == "start" {
                    wanted.clone()
                } else {
                    resources(&told["added"])
                };
                for (id, count) in gained {
                    begin(&mut has, &id, count, wanted.get(&id).copied().unwrap_or(0));
                }
                if has != wanted {
                    self.fault(format!("{reservation} has {has:?} after {told}"));
                }
            }
            Some("end") => {
                for (id, count) in wanted {
                    give_back(&mut has, &id, count);
                }
                if !has.is_empty() {
                    self.fault(format!("{reservation} is left with {has:?} by {told}"));
                }
                self.ended.insert(reservation.clone());
            }
            Some(_) | None => self.fault(format!("no such event: {told}")),
        }
        if !has.is_empty() {
            self.has.insert(reservation, has);
        }
    }
}

/// One gets a resource, or places on it, up to `most`.
fn begin(has: &mut Held, id: &str, count: u64, most: u64) {
    let held = has.entry(id.to_owned()).or_default();
    *held = (*held + count).min(most);
}

/// One loses a resource, or places on it; what it has not it cannot lose.
fn give_back(has: &mut Held, id: &str, count: u64) {
    let Some(held) = has.get_mut(id) else { return };
    *held = held.saturating_sub(count);
    if *held == 0 {
        has.remove(id);
    }
}

/// Hosts with the places on them, and units, of a document or a part of it.
fn resources(of: &Value) -> Held {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let hosts = of["hosts"].as_array().into_iter().flatten();
    let hosts = hosts.map(|host| (text(&host["id"]), host["places"].as_u64().unwrap_or(1)));
    let units = of["units"].as_array().into_iter().flatten();
    hosts.chain(units.map(|unit| (text(unit), 1))).collect()
}

#[async_trait]
impl Receiver for Strict {
    async fn deliver(&self, delivery: &Delivery) -> Result<(), Undelivered> {
        let mood = self.ledger().mood.unwrap_or(Mood::Obliging);
        let service = "webhook";
        if mood == Mood::Away {
            let reason = "it is away".to_owned();
            let missed = format!("away: attempt {} of {}", delivery.attempt, delivery.id);
            self.ledger().story.push(missed);
            return Err(Undelivered::Unreached { service, reason });
        }
        {
            let mut ledger = self.ledger();
            let document = ledger.hear(delivery);
            ledger.story.push(format!(
                "{mood:?}: attempt {} of {}: {:?}, added {:?}, removed {:?}",
                delivery.attempt,
                delivery.id,
                resources(&document),
                resources(&document["added"]),
                resources(&document["removed"])
            ));
            if matches!(mood, Mood::Obliging | Mood::Mute | Mood::Stuck) {
                ledger.carry_out(&delivery.key, &document);
            }
        }
        match mood {
            Mood::Obliging | Mood::Away => Ok(()),
            Mood::Hanging | Mood::Stuck => pending().await,
            Mood::Refusing | Mood::Mute => Err(Undelivered::Unacknowledged {
                service,
                reason: "it refuses".to_owned(),
                status: Some(500),
            }),
        }
    }
}

/// What outlives a process.
#[derive(Clone)]
struct Outside {
    store: Arc<MemoryStore>,
    clock: ManualClock,
    receiver: Arc<Strict>,
}

/// A running service that can be cut off at any moment.
struct Process {
    runtime: Runtime,
    service: Service,
}

fn life_settings() -> Settings {
    Settings {
        countables: BTreeMap::from([(
            "licence".to_owned(),
            vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
        )]),
        retry_ceiling: 20,
        ..settings()
    }
}

impl Process {
    fn start(outside: &Outside) -> Self {
        let Outside { store, clock, receiver } = outside.clone();
        Self::on(store, clock, receiver, life_settings())
    }

    fn on(store: Arc<MemoryStore>, clock: ManualClock, receiver: Arc<dyn Receiver>, settings: Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let receivers = move || Receivers::new(vec![Arc::clone(&receiver)], Arc::new(NoObserver));
        let hosts = Arc::new(StandaloneHosts::new(receivers(), String::new()));
        let parts = Parts {
            store,
            clock: Arc::new(clock),
            identifiers: Arc::new(RandomIdentifiers),
            policy: Arc::new(AllowAll),
            solver: Arc::new(Highs),
            plugins: Plugins::default()
                .with(hosts.clone())
                .with(Arc::new(instance_plugin::standalone("virtual:instance", receivers())))
                .with(Arc::new(Standalone::new("licence", |_| Ok(()), receivers()))),
            news: None,
            monitor: None,
            inventory: hosts,
            filters: Vec::new(),
            floating_ips: Arc::new(AnyAddress),
            flavors: Arc::new(ListedFlavors::default()),
            settings,
            steps: Arc::new(NoObserver),
            notifications: Vec::new(),
        };
        let service = runtime.block_on(async {
            Service::start(parts, &TaskTracker::new(), &CancellationToken::new())
                .await
                .expect("the service starts")
        });
        Self { runtime, service }
    }

    /// Everything stops where it stands. Nobody can know then whether a start under way has been heard of.
    fn crash(self, outside: &Outside) {
        let contents = self.runtime.block_on(outside.store.load()).expect("it is read");
        let is_starting = |lease: &&Lease| {
            let start = lease.event(EventType::StartLease).expect("it has a start");
            start.status == EventStatus::InProgress
        };
        let mut ledger = outside.receiver.ledger();
        ledger.story.push("crash".to_owned());
        for lease in contents.leases.iter().filter(is_starting) {
            ledger
                .heard
                .extend(lease.reservations.iter().map(|reservation| reservation.id.clone()));
        }
        drop(ledger);
        drop(self.service);
        self.runtime.shutdown_background();
    }

    /// Lets the process work for a while.
    fn work(&self, turns: u64) {
        self.runtime.block_on(async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Does something for a client who may go away before it is answered.
    fn ask<T>(&self, turns: u64, asked: impl Future<Output = Result<T, ServiceError>>) -> Option<T> {
        let patience = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        };
        let answer = self.runtime.block_on(async {
            tokio::select! {
                biased;
                answer = asked => Some(answer),
                () = patience => None,
            }
        });
        if let Some(Err(error @ (ServiceError::Undecided(_) | ServiceError::Unavailable(_)))) = &answer {
            panic!("{error}");
        }
        answer.and_then(Result::ok)
    }
}

/// More turns than anything takes that does not wait for the clock.
const LONG: u64 = 200_000;

fn spec(dice: &mut Dice) -> ReservationSpec {
    match dice.roll(4) {
        0 => ReservationSpec::Instance(InstanceReservation {
            size: InstanceSize {
                vcpus: 3,
                memory_mb: 1,
                disk_gb: 0,
            },
            amount: dice.hosts(4),
            affinity: None,
            resource_properties: String::new(),
            objects: InstanceObjects::default(),
        }),
        1 => ReservationSpec::Countable(CountableReservation {
            resource_type: "licence".to_owned(),
            amount: dice.hosts(2),
        }),
        _ => {
            let hosts = dice.hosts(2);
            ReservationSpec::Host(HostReservation {
                min: hosts,
                max: hosts,
                hypervisor_properties: String::new(),
                resource_properties: String::new(),
                before_end: String::new(),
            })
        }
    }
}

fn draft(dice: &mut Dice, now: Timestamp) -> LeaseDraft {
    let start = now - now.rem_euclid(60) + dice.minutes(3);
    LeaseDraft {
        name: "life".to_owned(),
        start,
        end: start + 60 + dice.minutes(6),
        before_end: None,
        reservations: (0..=dice.roll(2)).map(|_| spec(dice)).collect(),
    }
}

fn change(dice: &mut Dice, lease: &Lease) -> LeaseChange {
    let mut change = LeaseChange::default();
    match dice.roll(5) {
        0 => change.end = Some(lease.end + dice.minutes(6) - 120),
        1 => change.name = Some("renamed".to_owned()),
        _ => {
            let reservation = &lease.reservations[0];
            let more = reservation.amount() + dice.hosts(2);
            let is_of_hosts = matches!(reservation.spec, ReservationSpec::Host(_));
            change.reservations = vec![ReservationChange {
                id: reservation.id.clone(),
                min: is_of_hosts.then_some(more),
                max: is_of_hosts.then_some(more),
                amount: (!is_of_hosts).then_some(more),
                ..ReservationChange::default()
            }];
        }
    }
    change
}

fn life(seed: u64) {
    let mut dice = Dice(seed);
    let outside = Outside {
        store: Arc::new(MemoryStore::default()),
        clock: ManualClock::at(NOON),
        receiver: Arc::default(),
    };
    let mut process = Process::start(&outside);
    for host in HOSTS {
        let registration = HostRegistration {
            reference: host.to_owned(),
            values: BTreeMap::from([
                ("vcpus".to_owned(), "8".to_owned()),
                ("memory_mb".to_owned(), "64".to_owned()),
            ]),
        };
        process
            .ask(LONG, process.service.register_host(&caller(), registration))
            .expect("it registers");
    }
    let mut leases: Vec<String> = Vec::new();
    for step in 0..STEPS {
        let count = u64::try_from(leases.len()).expect("it is small");
        let picked = (count > 0).then(|| leases[usize::try_from(dice.roll(count)).expect("it is small")].clone());
        let lease = picked.and_then(|id| process.ask(LONG, process.service.lease(&caller(), &id)));
        let turns = if dice.roll(3) == 0 { dice.roll(60) } else { LONG };
        match dice.roll(12) {
            0 | 1 => {
                let wanted = draft(&mut dice, outside.clock.now());
                let booked = process.ask(LONG, process.service.create_lease(&caller(), wanted));
                leases.extend(booked.map(|lease| lease.id.clone()));
            }
            2 | 3 => {
                if let Some(lease) = lease {
                    let change = change(&mut dice, &lease);
                    outside
                        .receiver
                        .ledger()
                        .story
                        .push(format!("{}: {change:?}", lease.id));
                    process.ask(turns, process.service.update_lease(&caller(), &lease.id, change));
                }
            }
            4 | 5 => {
                let host = (1 + dice.roll(4)).to_string();
                let is_up = dice.roll(2) == 0;
                outside
                    .receiver
                    .ledger()
                    .story
                    .push(format!("host {host} is up: {is_up}"));
                process.ask(turns, process.service.set_reservable(&caller(), &host, is_up));
            }
            6 => {
                if let Some(lease) = lease.filter(|_| dice.roll(2) == 0) {
                    process.ask(1_000, process.service.delete_lease(&caller(), &lease.id));
                }
            }
            7 | 8 => {
                let mood = MOODS[usize::try_from(dice.roll(10)).expect("it is small")];
                outside.receiver.ledger().mood = Some(mood);
            }
            9 => {
                process.work(dice.roll(40));
                process.crash(&outside);
                process = Process::start(&outside);
            }
            _ => outside
                .clock
                .advance(10 + i64::try_from(dice.roll(110)).expect("it is small")),
        }
        process.work(dice.roll(80));
        let ledger = outside.receiver.ledger();
        assert!(
            ledger.faults.is_empty(),
            "life {seed}, step {step}: {:#?}",
            ledger.story
        );
    }
    finish(seed, &outside, process);
}

/// Everything heals, and everything comes to its end.
fn finish(seed: u64, outside: &Outside, process: Process) {
    process.crash(outside);
    outside.receiver.ledger().mood = Some(Mood::Obliging);
    let process = Process::start(outside);
    for host in 1..=HOSTS.len() {
        process.ask(LONG, process.service.set_reservable(&caller(), &host.to_string(), true));
    }
    let mut waited = 0;
    while process.runtime.block_on(is_open(outside)) {
        process.work(20);
        waited += 1;
        if waited % 10 == 0 {
            outside.clock.advance(7);
        }
        assert!(
            waited < 20_000,
            "life {seed}: it does not end: {:#?}",
            process.runtime.block_on(outside.store.load())
        );
    }
    process.crash(outside);
    let ledger = outside.receiver.ledger();
    assert!(ledger.faults.is_empty(), "life {seed}: {:#?}", ledger.story);
    assert!(ledger.has.is_empty(), "life {seed}: never ended: {:?}", ledger.has);
    let started: BTreeSet<&String> = ledger.sequences.keys().collect();
    let unended: Vec<_> = started.iter().filter(|id| !ledger.ended.contains(**id)).collect();
    assert!(unended.is_empty(), "life {seed}: no end of {unended:?}");
    let unheard: Vec<_> = ledger.ended.iter().filter(|id| !ledger.heard.contains(*id)).collect();
    assert!(
        unheard.is_empty(),
        "life {seed}: the end of what never started: {unheard:?}"
    );
}

/// Whether anything is still to be done.
async fn is_open(outside: &Outside) -> bool {
    let contents = outside.store.load().await.expect("it is read");
    contents.leases.iter().any(|lease| {
        let mut events = lease.events.iter();
        lease.status != LeaseStatus::Terminated
            && events.any(|event| matches!(event.status, EventStatus::Undone | EventStatus::InProgress))
    })
}

#[test]
fn f17_a4_a5_whatever_was_started_is_ended_exactly_once() {
    let asked = std::env::var("BERTH_LIVES").ok();
    let lives = asked.map_or(LIVES, |text| text.parse().expect("BERTH_LIVES is a number"));
    let first = std::env::var("BERTH_FIRST_LIFE").map_or(0, |text| text.parse().expect("it is a number"));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|worker| scope.spawn(move || (first..first + lives).filter(|seed| seed % 2 == worker).for_each(life)))
            .collect();
        for worker in workers {
            if let Err(panicked) = worker.join() {
                std::panic::resume_unwind(panicked);
            }
        }
    });
}

/// Hangs for one project, and writes down what it is told for others.
#[derive(Default)]
struct HangsFor {
    project: &'static str,
    told: Mutex<Vec<String>>,
}

#[async_trait]
impl Receiver for HangsFor {
    async fn deliver(&self, delivery: &Delivery) -> Result<(), Undelivered> {
        let document: Value = serde_json::from_slice(&delivery.document).expect("it is JSON");
        if document["project_id"] == self.project {
            pending::<()>().await;
        }
        self.told.lock().expect("nothing panics").push(delivery.event.clone());
        Ok(())
    }
}

#[test]
fn v7_receivers_that_hang_for_one_project_do_not_delay_another() {
    let receiver = Arc::new(HangsFor {
        project: "physics",
        ..HangsFor::default()
    });
    let (store, clock) = (Arc::new(MemoryStore::default()), ManualClock::at(NOON));
    let units = (0..100).map(|unit| unit.to_string()).collect();
    let settings = Settings {
        countables: BTreeMap::from([("licence".to_owned(), units)]),
        ..settings()
    };
    let process = Process::on(store, clock.clone(), receiver.clone(), settings);
    let lease = |start| LeaseDraft {
        name: "one".to_owned(),
        start,
        end: start + 3_600,
        before_end: None,
        reservations: vec![ReservationSpec::Countable(CountableReservation {
            resource_type: "licence".to_owned(),
            amount: 1,
        })],
    };
    for _ in 0..90 {
        process
            .ask(LONG, process.service.create_lease(&caller(), lease(NOON)))
            .expect("it is booked");
    }
    let other = Caller {
        project_id: "chemistry".to_owned(),
        ..caller()
    };
    let booked = process.ask(LONG, process.service.create_lease(&other, lease(NOON)));
    let id = booked.expect("it is booked").id.clone();
    let is_running = |process: &Process| {
        let lease = process.ask(LONG, process.service.lease(&other, &id));
        lease.is_some_and(|lease| lease.status == LeaseStatus::Active)
    };
    let mut waited = 0;
    while !is_running(&process) {
        process.work(20);
        waited += 1;
        assert!(waited < 20_000, "the other project's lease does not start");
    }
    assert_eq!(clock.now(), NOON, "no time has passed");
    assert_eq!(*receiver.told.lock().expect("nothing panics"), ["start"]);
}

/// Writes down what it is told, and takes its time for changes until it is let go.
struct Slow {
    told: Mutex<Vec<Value>>,
    may_answer: Semaphore,
    answer: fn() -> Result<(), Undelivered>,
}

#[async_trait]
impl Receiver for Slow {
    async fn deliver(&self, delivery: &Delivery) -> Result<(), Undelivered> {
        let document: Value = serde_json::from_slice(&delivery.document).expect("it is JSON");
        self.told.lock().expect("nothing panics").push(document);
        if delivery.event != "change" {
            return Ok(());
        }
        self.may_answer.acquire().await.expect("it is not closed").forget();
        (self.answer)()
    }
}

/// A host of a running lease fails, and while the receiver is being told of it the host that took its place fails, too.
/// Gives what was removed by each `change`, and the first two hosts.
fn two_failures(answer: fn() -> Result<(), Undelivered>) -> (Vec<BTreeSet<String>>, [String; 2]) {
    let receiver = Arc::new(Slow {
        told: Mutex::default(),
        may_answer: Semaphore::new(0),
        answer,
    });
    let (store, clock) = (Arc::new(MemoryStore::default()), ManualClock::at(NOON));
    let process = Process::on(store, clock, receiver.clone(), life_settings());
    for host in HOSTS {
        let registration = HostRegistration {
            reference: host.to_owned(),
            values: BTreeMap::new(),
        };
        process
            .ask(LONG, process.service.register_host(&caller(), registration))
            .expect("it registers");
    }
    let draft = LeaseDraft {
        name: "one".to_owned(),
        start: NOON,
        end: NOON + 3_600,
        before_end: None,
        reservations: vec![ReservationSpec::Host(HostReservation {
            min: 1,
            max: 1,
            hypervisor_properties: String::new(),
            resource_properties: String::new(),
            before_end: String::new(),
        })],
    };
    let lease = process.ask(LONG, process.service.create_lease(&caller(), draft));
    let id = lease.expect("it is booked").id.clone();
    let until = |wanted: &dyn Fn(&Lease) -> bool| {
        let mut waited = 0;
        while !process
            .ask(LONG, process.service.lease(&caller(), &id))
            .is_some_and(|lease| wanted(&lease))
        {
            process.work(20);
            waited += 1;
            assert!(waited < 20_000, "it does not come");
        }
    };
    let changes = || -> Vec<BTreeSet<String>> {
        let told = receiver.told.lock().expect("nothing panics");
        let changes = told.iter().filter(|document| document["event"] == "change");
        changes
            .map(|change| resources(&change["removed"]).into_keys().collect())
            .collect()
    };
    let fail_its_host = || {
        let lease = process
            .ask(LONG, process.service.lease(&caller(), &id))
            .expect("it is there");
        let host = lease.reservations[0].allocations[0].host_id.clone();
        process
            .ask(LONG, process.service.set_reservable(&caller(), &host, false))
            .expect("it is marked");
        host
    };
    until(&|lease| lease.status == LeaseStatus::Active);
    let first = fail_its_host();
    until(&|_| changes().len() == 1);
    let second = fail_its_host();
    receiver.may_answer.add_permits(2);
    until(&|lease| {
        changes().len() == 2
            && lease
                .events
                .iter()
                .all(|event| event.event_type != EventType::ApplyChange)
    });
    (changes(), [first, second])
}

#[test]
fn a4_a_host_whose_removal_was_acknowledged_is_not_removed_again() {
    let (removed, [first, second]) = two_failures(|| Ok(()));
    assert_eq!(removed, [BTreeSet::from([first]), BTreeSet::from([second])]);
}

/// What certainly did not arrive is not allowed for, either: the host that took the first one's place was never handed over.
#[test]
fn a4_a_host_that_was_certainly_never_handed_over_is_not_removed() {
    static WAS_AWAY: AtomicBool = AtomicBool::new(false);
    let (removed, [first, _]) = two_failures(|| {
        if WAS_AWAY.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        Err(Undelivered::Unreached {
            service: "webhook",
            reason: "it is away".to_owned(),
        })
    });
    let first = BTreeSet::from([first]);
    assert_eq!(removed, [first.clone(), first]);
}

#[test]
fn a5_a_lease_that_passed_while_the_service_was_down_is_never_told_of() {
    let outside = Outside {
        store: Arc::new(MemoryStore::default()),
        clock: ManualClock::at(NOON),
        receiver: Arc::default(),
    };
    let process = Process::start(&outside);
    let draft = LeaseDraft {
        name: "missed".to_owned(),
        start: NOON + 60,
        end: NOON + 120,
        before_end: None,
        reservations: vec![ReservationSpec::Countable(CountableReservation {
            resource_type: "licence".to_owned(),
            amount: 1,
        })],
    };
    process
        .ask(LONG, process.service.create_lease(&caller(), draft))
        .expect("it is booked");
    process.crash(&outside);
    outside.clock.advance(600);
    let process = Process::start(&outside);
    let mut waited = 0;
    while process.runtime.block_on(is_open(&outside)) {
        process.work(20);
        waited += 1;
        assert!(waited < 20_000, "it does not end");
    }
    assert!(
        outside.receiver.ledger().said.is_empty(),
        "{:?}",
        outside.receiver.ledger().story
    );
}
