//! Whom the operator wants to be told of starts and ends.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use countable_plugin::Countable;
use planner_core::domain::{Notification, Timestamp};
use planner_core::environment::SystemClock;
use planner_core::notification::{NotificationSink, Notifications, SinkError};
use planner_core::ports::Clock;
use plugin_action::{Command, Delivery, Receiver, Secret, Undelivered, Webhook};
use presentation::notification::NoticePayload;
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use crate::file_mode::private_text;
use crate::options::{CloudKind, ServeArguments, WEBHOOK_SECRET, http_url};
use crate::secret::variable;

/// Seconds for which a notice is tried: what happened to a lease a day ago is no news.
const NOTICE_LIFETIME: i64 = 24 * 3600;

/// What a program is given of the service's environment: enough to find other programs, and no secret.
const INHERITED: [&str; 3] = ["PATH", "HOME", "LANG"];

/// The receivers of everything; programs end when `shutdown` is cancelled.
pub(super) fn of_everything(
    arguments: &ServeArguments,
    shutdown: &CancellationToken,
) -> anyhow::Result<Vec<Arc<dyn Receiver>>> {
    let mut receivers: Vec<Arc<dyn Receiver>> = Vec::new();
    if let Some(url) = &arguments.webhook {
        let secret = secret(arguments)?;
        // The URL may hold a password.
        receivers.push(webhook(url.expose_secret(), secret, timeout(arguments)).context("--webhook")?);
    }
    if let Some(command) = &arguments.command {
        let argv: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        if argv.is_empty() {
            bail!("--command is empty; a program with its arguments is allowed");
        }
        if let Some(program) = argv.first().filter(|program| !can_run(program)) {
            bail!(
                "--command: {program} is no program that can be run here; its path, or a name that PATH finds, is allowed"
            );
        }
        receivers.push(Arc::new(Command {
            argv,
            timeout: timeout(arguments),
            environment: INHERITED
                .into_iter()
                .filter_map(|name| Some((name.into(), std::env::var_os(name)?)))
                .collect(),
            stopping: shutdown.clone(),
        }));
    }
    Ok(receivers)
}

/// Whether this is a program, by its path or by a name that `PATH` finds.
fn can_run(program: &str) -> bool {
    let is_program = |path: &Path| {
        let found = std::fs::metadata(path);
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return is_program(Path::new(program));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| is_program(&folder.join(program)))
}

/// The receiver of a resource type, if it has one of its own.
pub(super) fn of_countable(
    countable: &Countable,
    arguments: &ServeArguments,
) -> anyhow::Result<Option<Arc<dyn Receiver>>> {
    let Some(url) = &countable.webhook else { return Ok(None) };
    let option = || format!("--countables, resource type '{}'", countable.resource_type);
    let secret = countable
        .secret_file
        .as_deref()
        .map(|path| secret_of_file(Path::new(path)));
    let secret = secret.transpose().with_context(option)?;
    webhook(url, secret, timeout(arguments)).map(Some).with_context(option)
}

fn timeout(arguments: &ServeArguments) -> Duration {
    Duration::from_secs(u64::from(arguments.action_timeout))
}

fn webhook(url: &str, secret: Option<Secret>, timeout: Duration) -> anyhow::Result<Arc<dyn Receiver>> {
    http_url(url).map_err(anyhow::Error::msg)?;
    let now = Arc::new(|| SystemClock.now());
    Ok(Arc::new(Webhook::new(url.to_owned(), timeout, secret, now)?))
}

/// The secret of --webhook, from its file or from the environment.
fn secret(arguments: &ServeArguments) -> anyhow::Result<Option<Secret>> {
    if let Some(path) = &arguments.webhook_secret_file {
        return secret_of_file(path).context("--webhook-secret-file").map(Some);
    }
    let Some(value) = variable(WEBHOOK_SECRET) else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .with_context(|| format!("{WEBHOOK_SECRET}: it is not UTF-8"))?;
    Secret::read(text).context(WEBHOOK_SECRET).map(Some)
}

fn secret_of_file(path: &Path) -> anyhow::Result<Secret> {
    let name = || path.display().to_string();
    Secret::read(&private_text(path).with_context(name)?).with_context(name)
}

/// Those who are told what happens to leases, each with an outlet of its own, so that none waits for another.
pub(super) fn outlets(
    arguments: &ServeArguments,
    countables: &[Countable],
    shutdown: &CancellationToken,
) -> anyhow::Result<Vec<Notifications>> {
    if arguments.notices.is_empty() {
        return Ok(Vec::new());
    }
    let outlet = |name: String, receiver: Arc<dyn Receiver>, resource_types: BTreeSet<String>| Notifications {
        outlet: name,
        format: Arc::new(NoticePayload {
            resource_types,
            events: arguments.notices.iter().cloned().collect(),
        }),
        sink: Arc::new(Notices {
            receiver,
            now: || SystemClock.now(),
            last: Mutex::default(),
        }),
    };
    let mut of_all = BTreeSet::new();
    if arguments.cloud == CloudKind::Standalone {
        of_all.extend(arguments.resource_types.iter().cloned());
    }
    let mut outlets = Vec::new();
    for countable in countables {
        match of_countable(countable, arguments)? {
            None => {
                of_all.insert(countable.resource_type.clone());
            }
            Some(receiver) => outlets.push(outlet(
                format!("/{}", countable.resource_type),
                receiver,
                BTreeSet::from([countable.resource_type.clone()]),
            )),
        }
    }
    for (place, receiver) in of_everything(arguments, shutdown)?.into_iter().enumerate() {
        outlets.push(outlet(format!("{place}"), receiver, of_all.clone()));
    }
    Ok(outlets)
}

/// Tells one receiver what happens to leases. Unlike starts and ends a notice is not worth being told for ever: one the
/// receiver refuses for good, or that is a day old, is forgotten.
struct Notices {
    receiver: Arc<dyn Receiver>,
    now: fn() -> Timestamp,
    /// The notice tried last, and how often.
    last: Mutex<(String, u32)>,
}

impl Notices {
    fn attempt(&self, id: &str) -> u32 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != id {
            *last = (id.to_owned(), 0);
        }
        last.1 = last.1.saturating_add(1);
        last.1
    }
}

#[async_trait]
impl NotificationSink for Notices {
    async fn send(&self, notification: &Notification) -> Result<(), SinkError> {
        let Notification { id, payload, .. } = notification;
        let delivery = match Delivery::of_notice(payload, id, self.attempt(id)) {
            Ok(delivery) => delivery,
            Err(error) => {
                tracing::error!(%error, notice = %id, "a notice is forgotten");
                return Ok(());
            }
        };
        let Err(error) = self.receiver.deliver(&delivery).await else {
            return Ok(());
        };
        if is_refused(&error) || (self.now)() - notification.time > NOTICE_LIFETIME {
            tracing::warn!(%error, notice = %id, event = %delivery.event, "a notice is forgotten");
            return Ok(());
        }
        Err(SinkError(error.to_string()))
    }
}

/// Whether the receiver says that it will never take it: 4xx, but for those that ask for patience.
const fn is_refused(error: &Undelivered) -> bool {
    matches!(error, Undelivered::Unacknowledged { status: Some(400..=407 | 409..=424 | 426..=428 | 430..=499), .. })
}
