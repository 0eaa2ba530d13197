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
mod log_writer;
mod logging;
mod notifications;
mod receivers;
pub(crate) mod reloadable;
mod signals;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use planner_core::book::countables::Countables;
use planner_core::environment::{RandomIdentifiers, SystemClock};
use planner_core::service::{Parts, Service, Settings};
use plugin_api::StepObserver;
use server::{ApiParts, ApiState};
use solver_highs::Highs;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::reloadable::Reloadable;
use self::signals::Signals;
use crate::crash::CrashPoint;
use crate::options::{CloudKind, DatabaseArguments, ServeArguments};

/// Creates or upgrades the schema.
pub(crate) async fn migrate(arguments: &DatabaseArguments) -> anyhow::Result<ExitCode> {
    logging::start_for_command();
    let database = database::open(arguments).await?;
    database.store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Exit code of a service that was told to stop twice.
const ENDED: u8 = 1;

/// How long the service waits for its tasks when it is to stop. Each ends sooner, or changes nothing any more.
const LAST_TASKS: Duration = Duration::from_secs(10);

/// Runs the service until a signal.
pub(crate) async fn run(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    let _logging = logging::start(arguments)?;
    // Before the database is opened, so that being told to stop never means to die without closing the book.
    let signals = Signals::take_over()?;
    let reloadable = Reloadable::read(arguments)?;
    let shutdown = CancellationToken::new();
    tokio::select! {
        served = serve(arguments, &reloadable, shutdown.clone()) => served,
        () = signals.obey(&reloadable, shutdown.clone()) => Ok(ExitCode::from(ENDED)),
    }
}

/// Serves until `shutdown`.
async fn serve(
    arguments: &ServeArguments,
    reloadable: &Reloadable,
    shutdown: CancellationToken,
) -> anyhow::Result<ExitCode> {
    if arguments.cloud == CloudKind::Openstack {
        database::require(&arguments.database)?;
    }
    let tasks = TaskTracker::new();
    let steps: Arc<dyn StepObserver> = Arc::new(CrashPoint::from_environment());
    let countables = countables::listed(arguments)?;
    let drivers = drivers::choose(arguments, Arc::clone(&steps), &shutdown)?;
    let plugins = countables::offered(drivers.plugins, &countables, arguments, &steps, &shutdown)?;
    let filters = enforcement::choose(arguments)?;
    let authenticator = authentication::choose(arguments, reloadable.tokens.as_ref(), drivers.identity.as_ref())?;
    let mut notifications = receivers::outlets(arguments, &countables, &shutdown)?;
    notifications.extend(notifications::choose(&arguments.notifications)?);
    let database = tokio::select! {
        opened = database::open(&arguments.database) => opened?,
        () = shutdown.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    let parts = Parts {
        store: Arc::new(database.store.clone()),
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
    let service = Service::start(parts, &tasks, &shutdown).await?;
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
    let state = ApiState::new(ApiParts {
        service,
        authenticator,
        trusts: authentication::trusts(arguments, drivers.identity.as_ref()),
        public_url: Arc::from(public_url),
        tasks: tasks.clone(),
    });
    tasks.spawn(authentication::say_whether_keystone_answers(
        drivers.identity.clone(),
        SystemClock,
        shutdown.clone(),
    ));
    let limits = connections::limits(arguments);
    server::serve(listener, server::router(state), limits, shutdown.clone()).await;
    shutdown.cancel();
    tasks.close();
    if tokio::time::timeout(LAST_TASKS, tasks.wait()).await.is_err() {
        tracing::warn!(seconds = LAST_TASKS.as_secs(), "not all tasks have ended");
    }
    database.store.close().await;
    Ok(ExitCode::SUCCESS)
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
