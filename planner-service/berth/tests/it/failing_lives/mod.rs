//! Random lives of small books in which hosts fail and come back, ends are put off and clocks are set back, while two
//! processes book, change and delete leases of every kind: whatever happens, nothing that was promised is broken silently.
//!
//! `BERTH_LIVES` says how many lives are lived instead of [`LIVES`], `BERTH_LIFE` which one alone.

pub(crate) mod hands;
mod oracle;
pub(crate) mod standalone;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use planner_core::domain::{
    CountableReservation, EventType, FlavorReservation, HostReservation, InstanceObjects, InstanceReservation,
    InstanceSize, Lease, LeaseStatus, ReservationSpec,
};
use planner_core::ports::{Contents, Store};
use planner_core::service::{LeaseChange, LeaseDraft, ReservationChange, Service, ServiceError, Settings};
use planner_core::testing::{ManualClock, MemoryStore};
use plugin_api::SourceFlavor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::world::{NOON, caller, settings};
use hands::Hands;
use oracle::Oracle;

/// Lives that `make test` lives.
const LIVES: u64 = 2_000;
/// Lives lived at once: most of their time they wait for work to be done.
const AT_ONCE: usize = 16;
const STEPS: usize = 14;
const MOST_LEASES: usize = 6;
const RACKS: u64 = 2;

/// The generator `SplitMix64` (Steele, Lea, Flood 2014): a seed gives one life.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn between(&mut self, least: u32, most: u32) -> u32 {
        least + u32::try_from(self.roll(u64::from(most - least) + 1)).expect("it is small")
    }

    fn minutes(&mut self, most: u32) -> i64 {
        60 * i64::from(self.between(0, most))
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.roll(all.len() as u64)).expect("it is small")]
    }
}

/// One life: two processes on one book, and what is outside of them.
struct Life {
    dice: Dice,
    clock: ManualClock,
    store: Arc<dyn Store>,
    hands: Arc<Hands>,
    services: [Service; 2],
    settings: Settings,
    hosts: usize,
    /// What stood on a host when it was marked: nothing else may come to stand there.
    stranded: BTreeSet<(String, String)>,
    context: String,
    tally: Tally,
}

/// What lives have seen.
#[derive(Debug, Default)]
struct Tally {
    moved: usize,
    lost: usize,
    refilled: usize,
    /// Promises found to be out of reach by trying everything.
    searched: usize,
    /// Starts that waited for an end.
    delayed: usize,
}

impl Life {
    async fn begin(seed: u64, tasks: &TaskTracker, shutdown: &CancellationToken) -> Self {
        let mut dice = Dice(seed);
        let (clock, hands) = (ManualClock::at(NOON), Arc::default());
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let settings = Settings {
            shared: true,
            healing_interval: dice.one_of(&[0, 600, 3600]),
            freeze: dice.one_of(&[0, 300]),
            cleaning: dice.one_of(&[0, 120]),
            retry_ceiling: 2,
            polling_interval: 0,
            countables: BTreeMap::from([("licence:cad".to_owned(), ["a", "b", "c"].map(str::to_owned).to_vec())]),
            ..settings()
        };
        let start = async |worker: &str| {
            let settings = Settings {
                worker: worker.to_owned(),
                ..settings.clone()
            };
            standalone::start(&clock, &store, &hands, settings, tasks, shutdown).await
        };
        let services = [start("one").await, start("other").await];
        let hosts = dice.between(3, 4) as usize;
        for number in 0..hosts {
            let rack = format!("r{}", dice.roll(RACKS));
            standalone::register(&services[0], &format!("c{number}"), &rack, dice.one_of(&[2, 4])).await;
        }
        Self {
            dice,
            clock,
            store,
            hands,
            services,
            settings,
            hosts,
            stranded: BTreeSet::new(),
            context: String::new(),
            tally: Tally::default(),
        }
    }

    async fn contents(&self) -> Contents {
        self.store.load().await.expect("it can be read")
    }

    fn service(&mut self) -> Service {
        self.services[usize::from(self.dice.roll(2) == 0)].clone()
    }

    /// A refusal is fine; being unable to decide is not.
    fn decided<T>(&self, result: Result<T, ServiceError>) -> Option<T> {
        match result {
            Err(error @ (ServiceError::Undecided(_) | ServiceError::Unavailable(_))) => {
                panic!("{}: {error}", self.context)
            }
            result => result.ok(),
        }
    }

    fn spec(&mut self) -> ReservationSpec {
        let rack = self.dice.roll(RACKS + 2);
        let expression = if rack < RACKS {
            format!("[\"==\", \"$rack\", \"r{rack}\"]")
        } else {
            String::new()
        };
        let vcpus = self.dice.between(1, 2);
        match self.dice.roll(8) {
            0..=3 => {
                let min = self.dice.between(1, 2);
                ReservationSpec::Host(HostReservation {
                    min,
                    max: min + self.dice.between(0, 1),
                    hypervisor_properties: String::new(),
                    resource_properties: expression,
                    before_end: String::new(),
                })
            }
            4..=5 => ReservationSpec::Instance(InstanceReservation {
                size: InstanceSize {
                    vcpus,
                    memory_mb: 512,
                    disk_gb: 0,
                },
                amount: self.dice.between(1, 3),
                affinity: self.dice.one_of(&[None, Some(true), Some(false)]),
                resource_properties: expression,
                objects: InstanceObjects::default(),
            }),
            6 => ReservationSpec::Flavor(FlavorReservation {
                flavor: SourceFlavor {
                    id: "7".to_owned(),
                    name: "small".to_owned(),
                    vcpus,
                    memory_mb: 512,
                    disk: 0,
                    ephemeral: 0,
                    extra_specs: BTreeMap::new(),
                    others: BTreeMap::new(),
                },
                amount: self.dice.between(1, 2),
                objects: InstanceObjects::default(),
            }),
            _ => ReservationSpec::Countable(CountableReservation {
                resource_type: "licence:cad".to_owned(),
                amount: self.dice.between(1, 2),
            }),
        }
    }

    async fn book(&mut self) {
        let service = self.service();
        let now = service.now();
        let start = now - now.rem_euclid(60) + self.dice.one_of(&[0, 0, 60, 600, 1800, 7200]) + self.dice.minutes(5);
        let mut reservations = vec![self.spec()];
        if self.dice.roll(4) == 0 {
            reservations.push(self.spec());
        }
        let draft = LeaseDraft {
            name: "life".to_owned(),
            start,
            end: start + 300 + self.dice.minutes(60),
            before_end: None,
            reservations,
        };
        self.decided(service.create_lease(&caller(), draft).await);
    }

    async fn pick(&mut self) -> Option<Lease> {
        let leases = self.contents().await.leases;
        (!leases.is_empty()).then(|| {
            let number = self.dice.roll(leases.len() as u64);
            leases[usize::try_from(number).expect("it is small")].clone()
        })
    }

    async fn change(&mut self) {
        let Some(lease) = self.pick().await else { return };
        let service = self.service();
        let now = service.now();
        let mut change = LeaseChange::default();
        match self.dice.roll(3) {
            0 => change.end = Some(now - now.rem_euclid(60)),
            1 => change.end = Some(lease.end + self.dice.minutes(20) - 300),
            _ => {
                let amount = self.dice.between(1, 3);
                change.reservations = vec![ReservationChange {
                    id: lease.reservations[0].id.clone(),
                    max: Some(amount),
                    amount: Some(amount),
                    ..ReservationChange::default()
                }];
            }
        }
        self.decided(service.update_lease(&caller(), &lease.id, change).await);
    }

    /// A host fails or comes back; what must hold right after that is checked.
    async fn turn_host(&mut self) {
        self.settle().await;
        let id = (1 + self.dice.roll(self.hosts as u64)).to_string();
        let before = self.contents().await;
        let host = before
            .hosts
            .iter()
            .find(|host| host.id == id)
            .expect("it is registered");
        let up = !host.reservable;
        let of_host = |pair: &(String, String)| pair.1 == id;
        if up {
            self.stranded.retain(|pair| !of_host(pair));
        } else {
            let held = before.leases.iter().flat_map(|lease| &lease.reservations);
            let held = held.flat_map(|one| {
                one.allocations
                    .iter()
                    .map(|held| (one.id.clone(), held.host_id.clone()))
            });
            self.stranded.extend(held.filter(of_host));
        }
        let service = self.service();
        let told = service.set_reservable(&caller(), &id, up).await;
        assert!(
            told.is_ok(),
            "{}: host {id} could not be marked: {told:?}",
            self.context
        );
        let after = self.contents().await;
        let marked = after.hosts.iter().any(|host| host.id == id && host.reservable == up);
        assert!(marked, "{}: host {id} is not marked", self.context);
        let told = told.expect("it was told");
        self.tally.moved += told.moved;
        self.tally.lost += told.lost.len();
        self.tally.refilled += told.refilled.len();
        // An end that was put off may be carried out meanwhile; what it leaves free was not there to be given.
        let is_over = |contents: &Contents, id: &str| {
            let lease = contents.leases.iter().find(|lease| lease.id == id);
            lease.is_none_or(|lease| lease.status == LeaseStatus::Terminated)
        };
        let mut leases = before.leases.iter();
        let freed = leases.any(|lease| !is_over(&before, &lease.id) && is_over(&after, &lease.id));
        let oracle = Oracle::new(&after, service.now(), &self.settings);
        self.tally.searched += oracle.check_healed(freed, &self.context);
    }

    async fn step(&mut self) {
        match self.dice.roll(12) {
            0..=4 => {
                if self.contents().await.leases.len() < MOST_LEASES {
                    self.book().await;
                }
            }
            5 => self.change().await,
            6 => {
                if let Some(lease) = self.pick().await {
                    let service = self.service();
                    let caller = caller();
                    let clock = self.clock.clone();
                    // A deletion waits for an end that may be put off.
                    let ticking = async {
                        let mut tick = tokio::time::interval(std::time::Duration::from_millis(1));
                        loop {
                            tick.tick().await;
                            clock.advance(10);
                        }
                    };
                    let deleted = tokio::select! {
                        biased;
                        deleted = service.delete_lease(&caller, &lease.id) => deleted,
                        () = ticking => unreachable!("time does not end"),
                    };
                    self.decided(deleted);
                }
            }
            7..=9 => self.turn_host().await,
            10 => {
                self.clock.advance(60 + self.dice.minutes(30));
                self.settle().await;
            }
            _ => match self.dice.roll(3) {
                0 => self.clock.turn_to(self.services[0].now() - self.dice.minutes(10)),
                _ => {
                    self.hands.ends_fail.fetch_xor(true, Ordering::Relaxed);
                }
            },
        }
        let contents = self.contents().await;
        let events = contents.leases.iter().flat_map(|lease| &lease.events);
        self.tally.delayed += events
            .filter(|event| event.waiting.is_some() && event.attempts == 0)
            .count();
        let oracle = Oracle::new(&contents, self.services[0].now(), &self.settings);
        oracle.check_sound(&self.stranded, &self.context);
        self.hands.check(&(&self.context, &contents.leases));
    }

    /// Waits until everything is done that can be.
    async fn settle(&self) {
        let settled = async {
            let mut poll = tokio::time::interval(std::time::Duration::from_millis(1));
            let mut round = 0;
            loop {
                let contents = self.contents().await;
                let now = self.services[0].now();
                if !contents.leases.iter().any(|lease| self.is_due(lease, &contents, now)) {
                    return;
                }
                poll.tick().await;
                round += 1;
                if round % 10 == 0 {
                    self.clock.advance(2);
                }
            }
        };
        let settled = tokio::time::timeout(std::time::Duration::from_mins(1), settled).await;
        assert!(
            settled.is_ok(),
            "{}: work does not end: {:#?}",
            self.context,
            self.contents().await
        );
    }

    fn is_due(&self, lease: &Lease, contents: &Contents, now: i64) -> bool {
        let ends_fail = self.hands.ends_fail.load(Ordering::Relaxed);
        let needs: BTreeSet<&str> = lease
            .reservations
            .iter()
            .flat_map(|reservation| &reservation.allocations)
            .map(|held| held.host_id.as_str())
            .collect();
        let mut others = contents.leases.iter().filter(|other| other.id != lease.id);
        let waits = others.any(|other| {
            let mut reservations = other.reservations.iter();
            reservations.any(|one| one.handover.possible().keys().any(|id| needs.contains(id.as_str())))
        });
        match lease.status {
            LeaseStatus::Pending => lease.start <= now && (lease.end <= now || !waits),
            LeaseStatus::Active => {
                // What was to be handed over is not any more once the lease is over.
                let changes = lease.event(EventType::ApplyChange).is_some() && !lease.is_over(now);
                lease.end <= now && !ends_fail || changes && !waits
            }
            LeaseStatus::Error => lease.reservations.iter().any(|one| !one.allocations.is_empty()) && !ends_fail,
            LeaseStatus::Deleting => !ends_fail,
            LeaseStatus::Creating | LeaseStatus::Starting | LeaseStatus::Updating | LeaseStatus::Terminating => true,
            LeaseStatus::Terminated => false,
        }
    }
}

async fn live(seed: u64, at: Arc<AtomicUsize>) -> Tally {
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let mut life = Life::begin(seed, &tasks, &shutdown).await;
    for step in 0..STEPS {
        at.store(step, Ordering::Relaxed);
        life.context = format!("life {seed}, step {step}");
        life.step().await;
    }
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
    life.tally
}

#[tokio::test(flavor = "multi_thread")]
async fn a1_no_life_breaks_a_promise_silently() {
    let lives = std::env::var("BERTH_LIVES").map_or(LIVES, |lives| lives.parse().expect("a number of lives"));
    let only = std::env::var("BERTH_LIFE")
        .ok()
        .map(|life| life.parse().expect("the seed of a life"));
    let mut seeds = only.map_or(0..lives, |seed: u64| seed..seed + 1);
    let mut running = tokio::task::JoinSet::new();
    let mut all = Tally::default();
    loop {
        while running.len() < AT_ONCE
            && let Some(seed) = seeds.next()
        {
            running.spawn(async move {
                let at = Arc::new(AtomicUsize::new(0));
                let lived = tokio::time::timeout(std::time::Duration::from_mins(2), live(seed, Arc::clone(&at))).await;
                lived.unwrap_or_else(|_| panic!("life {seed} does not end: it is at step {at:?}"))
            });
        }
        let Some(lived) = running.join_next().await else { break };
        let lived = lived.expect("the life is lived");
        all.moved += lived.moved;
        all.lost += lived.lost;
        all.refilled += lived.refilled;
        all.searched += lived.searched;
        all.delayed += lived.delayed;
    }
    let enough = usize::try_from(lives / 20).expect("it is small");
    let least = [all.moved, all.lost, all.refilled, all.searched, all.delayed]
        .into_iter()
        .min();
    assert!(
        only.is_some() || least >= Some(enough),
        "{lives} lives ask too little: {all:?}"
    );
}
