//! The use cases: everything a route or a client command can ask of the service.
//!
//! Walk of a booking: [`Service::create_lease`] checks the draft and the caller, hands the decision to
//! the [`crate::book::writer`], which decides on the newest snapshot, commits, and publishes the next
//! snapshot. Nova is called only afterwards, for what clients may name before the start ([`crate::lifecycle`]).

mod enforcement;
mod error;
mod floating_ips;
mod hosts;
mod leases;
mod listings;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use plugin_api::{
    FlavorSource, FloatingIpInventory, HostInventory, HostMonitor, HostNews, InventoryError, Plugins, StepObserver,
};
use solver::planner::ModelSolver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use crate::admission::healing::Outcome as HealingOutcome;
pub use error::ServiceError;
pub use leases::{LeaseChange, LeaseDraft, LeaseReport, NewAffinity, ReservationChange, ReservationDraft};
pub use listings::{AllocationFilter, HostAllocations, HostUse, Listing, PropertyListing, ReservationOfLease};
pub use settings::Settings;

use crate::allowance::Allowances;
use crate::authority::{Caller, Policy, Target, rules};
use crate::book::handle::BookHandle;
use crate::book::job::{Draft, Origin, WriteError};
use crate::book::time::{BookClock, ClockError};
use crate::book::writer::{Writer, WriterParts};
use crate::book::{Book, Contradiction, Premises};
use crate::condition::{Condition, Examiner};
use crate::domain::{Lease, Timestamp};
use crate::healing::Healing;
use crate::lifecycle::Lifecycle;
use crate::monitoring::Monitoring;
use crate::notification::{Announcer, Notifications, Sender};
use crate::ports::{Clock, Identifiers, Store, StoreError};
use crate::question::Questions;
use crate::turns::Turns;
use crate::usage::{UsageFilter, UsageFilters};

/// Everything the service works with, chosen by configuration.
pub struct Parts {
    /// The book's database.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers of new objects.
    pub identifiers: Arc<dyn Identifiers>,
    /// Who may do what.
    pub policy: Arc<dyn Policy>,
    /// Integer models.
    pub solver: Arc<dyn ModelSolver>,
    /// Resource types.
    pub plugins: Plugins,
    /// Where hosts come from.
    pub inventory: Arc<dyn HostInventory>,
    /// Says which hosts work; `None`: operators do.
    pub monitor: Option<Arc<dyn HostMonitor>>,
    /// Says when the monitor is to be asked before its time, if somebody does.
    pub news: Option<Arc<dyn HostNews>>,
    /// Asked about leases, in this order.
    pub filters: Vec<Arc<dyn UsageFilter>>,
    /// Where floating IPs come from.
    pub floating_ips: Arc<dyn FloatingIpInventory>,
    /// Where flavors come from.
    pub flavors: Arc<dyn FlavorSource>,
    /// Configuration.
    pub settings: Settings,
    /// Is told how far the work on an event has come.
    pub steps: Arc<dyn StepObserver>,
    /// Who is told what happens to leases; nobody: nothing is kept for later.
    pub notifications: Vec<Notifications>,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be read.
    #[error("the book cannot be loaded")]
    Load(#[source] StoreError),
    /// The store contradicts itself.
    #[error("the stored book contradicts itself")]
    Contradiction(#[source] Contradiction),
    /// The clock says what cannot be.
    #[error(transparent)]
    Clock(ClockError),
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    book: BookHandle,
    /// The book's time.
    clock: Arc<dyn Clock>,
    machine_clock: Arc<dyn Clock>,
    identifiers: Arc<dyn Identifiers>,
    policy: Arc<dyn Policy>,
    inventory: Arc<dyn HostInventory>,
    floating_ip_inventory: Arc<dyn FloatingIpInventory>,
    flavors: Arc<dyn FlavorSource>,
    settings: Arc<Settings>,
    lifecycle: Lifecycle,
    healing: Healing,
    questions: Questions,
    /// Whether a monitor, not the operator, says which hosts work.
    is_monitored: bool,
    examiner: Examiner,
    /// Decisions on snapshots for usage filters wait here.
    rehearsals: Turns,
}

impl Service {
    /// Loads the book and starts the writer, the lifecycle and the reconciler on `tasks`; they stop
    /// with `shutdown`.
    ///
    /// # Errors
    /// When the book cannot be loaded.
    pub async fn start(parts: Parts, tasks: &TaskTracker, shutdown: &CancellationToken) -> Result<Self, StartError> {
        let Parts {
            store,
            clock,
            identifiers,
            policy,
            solver,
            plugins,
            inventory,
            monitor,
            news,
            filters,
            floating_ips,
            flavors,
            settings,
            steps,
            notifications,
        } = parts;
        if !settings.shared {
            // Alone on the store: whoever held claims before is dead.
            store.release_all("").await.map_err(StartError::Load)?;
        }
        let contents = store.load().await.map_err(StartError::Load)?;
        let premises = Premises {
            region: Arc::from(settings.region.as_str()),
            freeze: settings.freeze,
            countables: Arc::new(settings.countables.clone()),
        };
        let book = Book::from_contents(contents, premises).map_err(StartError::Contradiction)?;
        let machine_clock = clock;
        let book_clock = BookClock::new(Arc::clone(&machine_clock), book.latest());
        book_clock.check().map_err(StartError::Clock)?;
        if book_clock.behind() > 0 {
            let behind = book_clock.behind();
            tracing::warn!(
                behind,
                "the clock is seconds behind the last change of the book, which waits for it"
            );
        }
        let settings = Arc::new(settings);
        let allowances = Allowances {
            solver,
            clock: Arc::clone(&machine_clock),
            shutdown: shutdown.clone(),
        };
        let writing = WriterParts {
            store: Arc::clone(&store),
            clock: book_clock.clone(),
            allowances: allowances.clone(),
            announcer: (!notifications.is_empty()).then(|| Announcer {
                outlets: notifications.clone(),
                identifiers: Arc::clone(&identifiers),
            }),
            settings: Arc::clone(&settings),
            tasks: tasks.clone(),
        };
        let (writer, handle) = Writer::new(book, writing);
        let examiner = Examiner {
            book: handle.clone(),
            store: Arc::clone(&store),
            clock: book_clock.clone(),
        };
        // The writer stops last, so that it is on record how the work that is under way ends.
        let no_work = CancellationToken::new();
        tasks.spawn(writer.run(no_work.clone()));
        let clock: Arc<dyn Clock> = Arc::new(book_clock);
        for Notifications { outlet, sink, .. } in notifications {
            let sender = Sender {
                outlet,
                book: handle.clone(),
                store: Arc::clone(&store),
                sink,
                clock: Arc::clone(&clock),
                settings: Arc::clone(&settings),
            };
            tasks.spawn(sender.run(shutdown.clone()));
        }
        let lifecycle = Lifecycle {
            book: handle.clone(),
            store,
            plugins,
            filters: UsageFilters::new(filters),
            clock: Arc::clone(&clock),
            identifiers: Arc::clone(&identifiers),
            settings: Arc::clone(&settings),
            steps,
            shutdown: shutdown.clone(),
        };
        let (working, no_work) = (lifecycle.clone().run(tasks.clone()), no_work.drop_guard());
        tasks.spawn(async move {
            let _no_work = no_work;
            working.await;
        });
        tasks.spawn(lifecycle.clone().reconcile_forever());
        let healing = Healing {
            book: handle.clone(),
            clock: Arc::clone(&clock),
            identifiers: Arc::clone(&identifiers),
            settings: Arc::clone(&settings),
            unfinished: Arc::default(),
        };
        let monitoring = Monitoring {
            healing: healing.clone(),
            monitor: monitor.clone(),
            news,
        };
        tasks.spawn(monitoring.run(shutdown.clone()));
        let questions = Questions {
            book: handle.clone(),
            clock: Arc::clone(&clock),
            policy: Arc::clone(&policy),
            allowances,
            settings: Arc::clone(&settings),
            turns: Questions::turns(),
        };
        Ok(Self {
            questions,
            book: handle,
            clock,
            machine_clock,
            identifiers,
            policy,
            inventory,
            floating_ip_inventory: floating_ips,
            flavors,
            settings,
            lifecycle,
            healing,
            is_monitored: monitor.is_some(),
            examiner,
            rehearsals: enforcement::turns(),
        })
    }

    /// The lifecycle, for one pass of the reconciler on demand.
    pub const fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// Questions about capacity.
    pub const fn questions(&self) -> &Questions {
        &self.questions
    }

    /// Whether bookings can be kept now, and why not; found out within a few seconds by writing.
    pub async fn condition(&self) -> Condition {
        self.examiner.examine().await
    }

    /// How old the answers to questions may be, while the database does not say what is new.
    pub fn snapshot_age(&self) -> Option<Duration> {
        self.book.snapshot_age()
    }

    /// Whether a plugin serves this resource type.
    pub fn offers(&self, resource_type: &str) -> bool {
        self.lifecycle.plugins.get(resource_type).is_some()
    }

    /// The resource types that plugins serve, in order.
    pub fn resource_types(&self) -> impl Iterator<Item = &str> {
        self.lifecycle.plugins.resource_types()
    }

    /// Unix seconds now, by the book's time: it never goes back.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Unix seconds now by the clock of this machine, for what others have dated.
    pub fn machine_time(&self) -> Timestamp {
        self.machine_clock.now()
    }

    fn enforce(&self, rule: &'static str, caller: &Caller, target: Target<'_>) -> Result<(), ServiceError> {
        if self.policy.allows(rule, caller, target) {
            Ok(())
        } else {
            Err(ServiceError::Forbidden { rule })
        }
    }

    /// Asks a rule about the caller's own project: for objects that nobody owns, and lists.
    fn enforce_own(&self, rule: &'static str, caller: &Caller) -> Result<(), ServiceError> {
        self.enforce(
            rule,
            caller,
            Target {
                project_id: &caller.project_id,
                user_id: &caller.user_id,
            },
        )
    }

    /// The only way to a lease: found, and the rule asked about it.
    fn lease_for(
        &self,
        book: &Book,
        rule: &'static str,
        caller: &Caller,
        id: &str,
    ) -> Result<Arc<Lease>, ServiceError> {
        let lease = book.lease(id).ok_or_else(|| ServiceError::NotFound {
            kind: "lease_id",
            id: id.to_owned(),
        })?;
        self.enforce(rule, caller, Target::of(lease))?;
        Ok(Arc::clone(lease))
    }

    /// The lease to do something to; as upstream, whether it may be read is asked first.
    fn lease_to(&self, book: &Book, rule: &'static str, caller: &Caller, id: &str) -> Result<Arc<Lease>, ServiceError> {
        self.lease_for(book, rules::LEASES_GET, caller, id)?;
        self.lease_for(book, rule, caller, id)
    }

    /// Has a request of the caller's project decided in its turn.
    async fn submit<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnMut(&mut Draft) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let origin = Origin::of(&caller.project_id);
        self.book.submit(origin, work).await.map_err(not_written)
    }
}

pub(crate) fn not_written(error: WriteError<ServiceError>) -> ServiceError {
    match error {
        WriteError::Refused(refusal) => refusal,
        WriteError::Busy => ServiceError::Undecided(error.to_string()),
        WriteError::Contended
        | WriteError::Crowded
        | WriteError::FenceLost
        | WriteError::Unavailable(_)
        | WriteError::Stopped => ServiceError::Unavailable(error.to_string()),
    }
}

fn inventory_error(error: InventoryError) -> ServiceError {
    match error {
        InventoryError::NotFound(text) => ServiceError::Missing(text),
        InventoryError::Conflict(text) => ServiceError::Conflict(text),
        InventoryError::Invalid(text) => ServiceError::Invalid(text),
        InventoryError::Forbidden(text) => ServiceError::OutOfLimits(text),
        InventoryError::Unavailable(text) => ServiceError::Unavailable(text),
    }
}
