//! `berth serve`: puts the parts together that configuration chooses, and runs them until told to stop.
//!
//! The only place that names concrete types: store, cloud, authentication.

mod authentication;
mod connections;
mod countables;
pub(crate) mod database;
mod drivers;
mod enforcement;
mod fleet;
mod logging;
mod notifications;
mod receivers;
pub(crate) mod reloadable;
mod signals;

use std::future::pending;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use planner_core::book::countables::Countables;
use planner_core::environment::{RandomIdentifiers, SystemClock};
use planner_core::service::{Parts, Service, Settings};
use plugin_api::StepObserver;
use server::{ApiParts, ApiState};
use solver_highs::Highs;
use store::SqlStore;
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::reloadable::Reloadable;
use self::signals::Signals;
use crate::crash::CrashPoint;
use crate::log_writer::LogWriter;
use crate::options::{CloudKind, DatabaseArguments, ServeArguments};
use crate::output::Remarks;

/// Creates or upgrades the schema.
pub(crate) async fn migrate(arguments: &DatabaseArguments) -> anyhow::Result<ExitCode> {
    logging::start_for_command();
    let database = database::open(arguments).await?;
    database.store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Exit code of a service that was told to stop twice, or whose start could not be stopped.
const ENDED: u8 = 1;

/// How long the service waits for its tasks when it is to stop. Each ends sooner, or changes nothing any more.
const LAST_TASKS: Duration = Duration::from_secs(10);

/// How long a start that is to stop may be busy with one step, such as a file of a network drive that does not answer.
const LAST_STEP: Duration = Duration::from_secs(5);

/// A process that is to become the service. From its beginning SIGHUP does not end it, and nobody who should read what it
/// says holds it up.
pub(crate) struct Process {
    runtime: Runtime,
    hangup: Signal,
    log: LogWriter,
}

impl Process {
    /// To be called first of all.
    pub(crate) fn begin() -> anyhow::Result<Self> {
        let log = LogWriter::start(std::io::stderr()).context("the log cannot be started")?;
        let runtime = crate::runtime()?;
        let hangup = {
            let _inside = runtime.enter();
            signals::take_hangup()?
        };
        Ok(Self { runtime, hangup, log })
    }

    /// The way for what is said before there is a log, and after it.
    pub(crate) fn remarks(&self) -> Remarks {
        Remarks::OfService(self.log.clone())
    }

    /// Runs the service until a signal.
    pub(crate) fn serve(self, arguments: ServeArguments) -> anyhow::Result<ExitCode> {
        let Self { runtime, hangup, log } = self;
        logging::start(&arguments, log)?;
        let served = runtime.block_on(until_signal(arguments, hangup));
        // What still blocks a thread changes nothing, and is not waited for.
        runtime.shutdown_background();
        served
    }
}

async fn until_signal(arguments: ServeArguments, hangup: Signal) -> anyhow::Result<ExitCode> {
    let reloadable = Arc::new(Reloadable::read(&arguments)?);
    // Before the database is opened, so that being told to stop never means to die without closing the book.
    let signals = Signals::take_over(hangup)?;
    let progress = Progress::default();
    let (runtime, of_service, known) = (Handle::current(), progress.clone(), Arc::clone(&reloadable));
    let service = move || runtime.block_on(serve(&arguments, &known, &of_service));
    supervise(service, signals.obey(&reloadable, progress.stop.clone()), &progress).await
}

/// How far the service has come. Cheap to clone.
#[derive(Clone, Default)]
struct Progress {
    /// It is to stop.
    stop: CancellationToken,
    /// Its start is over; from then on nothing it does takes long.
    started: CancellationToken,
}

/// Runs the service on a thread that it may block, so that nothing keeps signals from being obeyed.
async fn supervise(
    service: impl FnOnce() -> anyhow::Result<ExitCode> + Send + 'static,
    told_twice: impl Future<Output = ()>,
    progress: &Progress,
) -> anyhow::Result<ExitCode> {
    tokio::select! {
        served = tokio::task::spawn_blocking(service) => served.context("the service failed")?,
        () = told_twice => Ok(ExitCode::from(ENDED)),
        () = start_hangs(progress, LAST_STEP) => {
            tracing::warn!(seconds = LAST_STEP.as_secs(), "the start does not end; ending at once");
            Ok(ExitCode::from(ENDED))
        }
    }
}

/// Returns when the start goes on for this long although it is to stop.
async fn start_hangs(progress: &Progress, patience: Duration) {
    progress.stop.cancelled().await;
    if tokio::time::timeout(patience, progress.started.cancelled())
        .await
        .is_ok()
    {
        pending::<()>().await;
    }
}

/// Starts and serves until it is to stop.
async fn serve(arguments: &ServeArguments, reloadable: &Reloadable, progress: &Progress) -> anyhow::Result<ExitCode> {
    let Progress { stop, started } = progress;
    let tasks = TaskTracker::new();
    let store = OnceLock::new();
    let ready = tokio::select! {
        ready = start(arguments, reloadable, &store, &tasks, stop) => ready.map(Some),
        () = stop.cancelled() => Ok(None),
    };
    started.cancel();
    let served = match ready {
        Ok(Some((listener, state))) => {
            let limits = connections::limits(arguments);
            server::serve(listener, server::router(state), limits, stop.clone()).await;
            Ok(ExitCode::SUCCESS)
        }
        Ok(None) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    };
    stop.cancel();
    tasks.close();
    if tokio::time::timeout(LAST_TASKS, tasks.wait()).await.is_err() {
        tracing::warn!(seconds = LAST_TASKS.as_secs(), "not all tasks have ended");
    }
    if let Some(store) = store.get() {
        SqlStore::close(store).await;
    }
    served
}

/// Puts the parts together. `opened` gets the store as soon as there is one to close.
async fn start(
    arguments: &ServeArguments,
    reloadable: &Reloadable,
    opened: &OnceLock<SqlStore>,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> anyhow::Result<(TcpListener, ApiState)> {
    if arguments.cloud == CloudKind::Openstack {
        database::require(&arguments.database)?;
    }
    let steps: Arc<dyn StepObserver> = Arc::new(CrashPoint::from_environment());
    let countables = countables::listed(arguments)?;
    let drivers = drivers::choose(arguments, Arc::clone(&steps), shutdown)?;
    let plugins = countables::offered(drivers.plugins, &countables, arguments, &steps, shutdown)?;
    let filters = enforcement::choose(arguments)?;
    let authenticator = authentication::choose(arguments, reloadable.tokens.as_ref(), drivers.identity.as_ref())?;
    let mut notifications = receivers::outlets(arguments, &countables, shutdown)?;
    notifications.extend(notifications::choose(&arguments.notifications)?);
    let database = database::open(&arguments.database).await?;
    let store = opened.get_or_init(|| database.store.clone());
    let parts = Parts {
        store: Arc::new(store.clone()),
        clock: Arc::new(SystemClock),
        identifiers: Arc::new(RandomIdentifiers),
        policy: reloadable.policy.clone(),
        solver: Arc::new(Highs),
        plugins,
        inventory: drivers.inventory,
        monitor: drivers.monitor,
        news: notifications::news(arguments)?,
        filters,
        floating_ips: drivers.floating_ips,
        flavors: drivers.flavors,
        settings: settings(arguments, database.shared, countables::units(countables)),
        steps,
        notifications,
    };
    let service = Service::start(parts, tasks, shutdown).await?;
    if let Some(path) = &arguments.fleet {
        fleet::load(&service, path).await?;
    }
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("--listen {}: the address cannot be used", arguments.listen))?;
    let address = listener.local_addr()?;
    let public_url = arguments
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{address}"));
    tracing::info!(%address, %public_url, database = %database.kind, "berth serves");
    tasks.spawn(authentication::say_whether_keystone_answers(
        drivers.identity.clone(),
        SystemClock,
        shutdown.clone(),
    ));
    let state = ApiState::new(ApiParts {
        service,
        authenticator,
        trusts: authentication::trusts(arguments, drivers.identity.as_ref()),
        public_url: Arc::from(public_url),
        tasks: tasks.clone(),
    });
    Ok((listener, state))
}

fn settings(arguments: &ServeArguments, shared: bool, countables: Countables) -> Settings {
    Settings {
        cleaning: arguments.cleaning_time * 60,
        freeze: arguments.freeze,
        before_end_lead: arguments.minutes_before_end_lease * 60,
        decision_seconds: f64::from(arguments.decision_limit),
        most_amount: arguments.max_amount,
        most_project_amount: arguments.max_project_amount,
        region: arguments.region.clone().unwrap_or_default(),
        countables,
        reconcile_interval: arguments.reconcile_interval,
        polling_interval: arguments.polling_interval,
        healing_interval: arguments.healing_interval * 60,
        claim_seconds: arguments.claim_lifetime,
        retry_ceiling: arguments.retry_ceiling,
        shared,
        worker: format!("{}:{}", arguments.listen, std::process::id()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step of the start blocks its thread, for ever as far as anybody can tell.
    #[tokio::test]
    async fn a6_a_start_that_hangs_is_ended_by_a_second_signal_at_once() {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let hangs = move || {
            let _ = held.recv();
            Ok(ExitCode::SUCCESS)
        };
        let ended = supervise(hangs, async {}, &Progress::default()).await.unwrap();
        assert_eq!(ended, ExitCode::from(ENDED));
        drop(release);
    }

    #[tokio::test]
    async fn a6_only_a_start_that_is_to_stop_and_does_not_is_given_up() {
        let is_given_up = async |progress: &Progress| {
            let given_up = start_hangs(progress, Duration::ZERO);
            tokio::time::timeout(Duration::from_millis(50), given_up).await.is_ok()
        };
        let progress = Progress::default();
        assert!(!is_given_up(&progress).await, "nobody wants it to stop");
        progress.stop.cancel();
        assert!(is_given_up(&progress).await);
        progress.started.cancel();
        assert!(!is_given_up(&progress).await, "what serves stops by itself");
    }
}
