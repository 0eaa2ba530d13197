//! Tests of how long jobs wait for each other, without a planner: the work of a job asks the model solver itself, and the
//! solver does what the test tells it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use solver::deadline::Deadline;
use solver::planner::ModelSolver;
use solver::program::{Outcome, Program};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handle::BookHandle;
use super::job::{Draft, Origin, WriteError};
use super::time::BookClock;
use super::writer::{Writer, WriterParts};
use super::{Book, Premises};
use crate::allowance::Allowances;
use crate::domain::{Lease, LeaseStatus, Timestamp};
use crate::ports::Change;
use crate::service::Settings;
use crate::testing::{ManualClock, MemoryStore};

/// A whole minute.
const NOON: Timestamp = 1_900_000_020;

/// Finds nothing in a slice; given longer, waits until it is let go and finds that there is nothing.
struct Gate {
    /// Says that somebody waits here.
    waiting: Notify,
    go_on: Mutex<mpsc::Receiver<()>>,
    asked: Mutex<Vec<Duration>>,
}

impl ModelSolver for Gate {
    fn solve(&self, _: &Program, deadline: &Deadline) -> Outcome {
        let left = deadline.left().unwrap_or(Duration::MAX);
        self.asked.lock().unwrap().push(left);
        if left < Duration::from_secs(1) {
            return Outcome::TimeLimit;
        }
        self.waiting.notify_one();
        self.go_on.lock().unwrap().recv().ok();
        Outcome::Infeasible
    }
}

/// A writer over an empty book.
struct Desk {
    book: BookHandle,
    gate: Arc<Gate>,
    let_go: mpsc::Sender<()>,
    clock: ManualClock,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    writer: Option<Writer>,
}

impl Desk {
    fn new() -> Self {
        let (let_go, go_on) = mpsc::channel();
        let gate = Arc::new(Gate {
            waiting: Notify::new(),
            go_on: Mutex::new(go_on),
            asked: Mutex::default(),
        });
        let (clock, tasks, shutdown) = (ManualClock::at(NOON), TaskTracker::new(), CancellationToken::new());
        let parts = WriterParts {
            store: Arc::new(MemoryStore::default()),
            clock: BookClock::new(Arc::new(clock.clone()), NOON),
            allowances: Allowances {
                solver: gate.clone(),
                clock: Arc::new(clock.clone()),
                shutdown: shutdown.clone(),
            },
            announcer: None,
            settings: Arc::new(Settings::default()),
            tasks: tasks.clone(),
        };
        let (writer, book) = Writer::new(Book::empty(Premises::default()), parts);
        Self {
            book,
            gate,
            let_go,
            clock,
            tasks,
            shutdown,
            writer: Some(writer),
        }
    }

    fn start(mut self) -> Self {
        if let Some(writer) = self.writer.take() {
            self.tasks.spawn(writer.run(self.shutdown.clone()));
        }
        self
    }

    /// Puts a lease into the book in one job, after a decision that takes long.
    fn book_after_long(&self, id: &'static str) -> tokio::task::JoinHandle<Result<(), WriteError<&'static str>>> {
        let book = self.book.clone();
        self.tasks.spawn(async move {
            book.submit(Origin::of("hard"), move |draft| {
                if draft.solver().solve(&Program::default(), draft.deadline()) == Outcome::TimeLimit {
                    draft.deadline().run_out();
                    return Err("undecided");
                }
                put(draft, id, "hard")
            })
            .await
        })
    }

    async fn put(&self, origin: Origin, id: &'static str) -> Result<(), WriteError<&'static str>> {
        self.book.submit(origin, move |draft| put(draft, id, "quick")).await
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn put(draft: &mut Draft, id: &str, name: &str) -> Result<(), &'static str> {
    let before = draft
        .book()
        .lease(id)
        .map_or_else(String::new, |lease| format!("{}, ", lease.name));
    let lease = Lease {
        id: id.to_owned(),
        name: format!("{before}{name}"),
        user_id: "user".to_owned(),
        project_id: "project".to_owned(),
        trust_id: None,
        start: NOON + 3_600,
        end: NOON + 7_200,
        status: LeaseStatus::Pending,
        degraded: false,
        created_at: 0,
        updated_at: None,
        reservations: Vec::new(),
        events: Vec::new(),
    };
    draft
        .change(vec![Change::PutLease(Arc::new(lease))])
        .map_err(|_| "a contradiction")
}

fn name(book: &BookHandle, id: &str) -> Option<String> {
    book.snapshot().lease(id).map(|lease| lease.name.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn v2_a_long_decision_holds_up_neither_events_nor_other_projects() {
    let desk = Desk::new().start();
    let long = desk.book_after_long("long");
    desk.gate.waiting.notified().await;
    assert_eq!(desk.put(Origin::Event, "event").await, Ok(()));
    assert_eq!(desk.put(Origin::of("other"), "other").await, Ok(()));
    assert_eq!(desk.put(Origin::of("hard"), "own").await, Ok(()));
    assert!(name(&desk.book, "event").is_some() && name(&desk.book, "other").is_some());
    assert_eq!(name(&desk.book, "long"), None);
    desk.let_go.send(()).unwrap();
    assert_eq!(long.await.unwrap(), Ok(()));
    assert!(name(&desk.book, "long").is_some(), "the writer has taken it over");
    let asked = [Duration::from_millis(250), Duration::from_secs(10)];
    assert_eq!(*desk.gate.asked.lock().unwrap(), asked);
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v2_a_long_decision_is_taken_anew_when_what_it_changes_was_changed() {
    let desk = Desk::new().start();
    let long = desk.book_after_long("lease");
    desk.gate.waiting.notified().await;
    assert_eq!(desk.put(Origin::Event, "lease").await, Ok(()));
    desk.let_go.send(()).unwrap();
    desk.gate.waiting.notified().await;
    assert_eq!(
        name(&desk.book, "lease").as_deref(),
        Some("quick"),
        "the first decision was thrown away"
    );
    desk.let_go.send(()).unwrap();
    assert_eq!(long.await.unwrap(), Ok(()));
    assert_eq!(name(&desk.book, "lease").as_deref(), Some("quick, hard"));
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v2_a_batch_commits_what_it_has_and_events_come_next() {
    let desk = Desk::new();
    let (order, done) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let mut jobs = tokio::task::JoinSet::new();
    for number in 0..3 {
        let (book, clock, order, done) = (desk.book.clone(), desk.clock.clone(), order.clone(), done.clone());
        let waits = desk.book.clone();
        jobs.spawn(async move {
            let work = move |draft: &mut Draft| {
                order.lock().unwrap().push("booking");
                if done.fetch_add(1, Ordering::Relaxed) == 0 {
                    // An event arrives while the first booking is decided, which takes a second.
                    let (order, inner) = (order.clone(), waits.clone());
                    tokio::runtime::Handle::current().spawn(async move {
                        let event = move |draft: &mut Draft| {
                            order.lock().unwrap().push("event");
                            put(draft, "event", "event")
                        };
                        inner.submit(Origin::Event, event).await
                    });
                    while waits.waiting() == 0 {
                        std::thread::yield_now();
                    }
                    clock.advance(1);
                }
                put(draft, ["one", "two", "three"][number], "booking")
            };
            book.submit(Origin::of("busy"), work).await
        });
    }
    while desk.book.waiting() < 3 {
        tokio::task::yield_now().await;
    }
    let desk = desk.start();
    while let Some(answer) = jobs.join_next().await {
        assert_eq!(answer.unwrap(), Ok(()));
    }
    assert_eq!(*order.lock().unwrap(), ["booking", "event", "booking", "booking"]);
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v5_a_service_that_stops_waits_for_no_long_decision() {
    let desk = Desk::new().start();
    let long = desk.book_after_long("long");
    desk.gate.waiting.notified().await;
    desk.shutdown.cancel();
    desk.tasks.close();
    // Nobody lets the solver go.
    let stopped = tokio::time::timeout(Duration::from_mins(1), desk.tasks.wait()).await;
    assert!(stopped.is_ok());
    assert_eq!(long.await.unwrap(), Err(WriteError::Stopped));
    desk.let_go.send(()).unwrap();
}
