//! Telling the world what happens to leases, through an outbox in the book.
//!
//! Invariants: a notification is written in the commit of the change it tells of, so there is none without
//! the other; the notifications of an outlet leave in the order of their commits, each for the first time after all before
//! it, and is forgotten only after the sink has taken it. A sink that fails delays the notifications of its own outlet and
//! nothing else.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::book::handle::BookHandle;
use crate::domain::{Lease, Notification, NotificationType, Timestamp};
use crate::ports::{Clock, Fence, Identifiers, Store, StoreError};
use crate::service::Settings;

/// What the claim of the broker's sender is called beside those of leases, which are UUIDs, and those of other outlets, which
/// have their names.
const CLAIM: &str = "notifications";

/// Notifications read at once.
const BATCH: u64 = 64;

/// Longest sleep when nothing is waiting, in seconds: a commit of another process may have gone unseen.
const IDLE_SECONDS: i64 = 10;

/// Where notifications go.
#[async_trait]
pub trait NotificationSink: Send + Sync {
    /// Hands one notification over; when this returns it will not be lost any more.
    ///
    /// # Errors
    /// When that is not certain. The same notification is then handed over again.
    async fn send(&self, notification: &Notification) -> Result<(), SinkError>;
}

/// Why a sink did not take a notification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);

/// The form of a lease in notifications.
pub trait NotificationFormat: Send + Sync {
    /// What is told of this event of the lease, as a JSON object; `None`: nothing is.
    ///
    /// # Errors
    /// When a value of the lease has no form.
    fn payload(&self, event_type: NotificationType, lease: &Lease) -> Result<Option<String>, serde_json::Error>;
}

/// An outlet: how notifications are written and where they go.
#[derive(Clone)]
pub struct Notifications {
    /// Its name, at most 64 characters and no UUID, kept with what waits to be sent. The broker's is empty.
    pub outlet: String,
    /// The form of their payload.
    pub format: Arc<dyn NotificationFormat>,
    /// Where they go.
    pub sink: Arc<dyn NotificationSink>,
}

/// Writes notifications, for each outlet that tells of the event; without outlets nothing is written.
#[derive(Clone)]
pub(crate) struct Announcer {
    pub(crate) outlets: Vec<Notifications>,
    pub(crate) identifiers: Arc<dyn Identifiers>,
}

impl Announcer {
    /// What is to be told of the lease. Its values have passed the checks of requests, so that they have a form.
    pub(crate) fn announce(
        &self,
        event_type: NotificationType,
        lease: &Lease,
        now: Timestamp,
    ) -> Vec<Arc<Notification>> {
        let write = |outlet: &Notifications| match outlet.format.payload(event_type, lease) {
            Ok(payload) => Some(Arc::new(Notification {
                id: self.identifiers.next(),
                outlet: outlet.outlet.clone(),
                event_type,
                time: now,
                project_id: lease.project_id.clone(),
                user_id: lease.user_id.clone(),
                payload: payload?,
            })),
            Err(error) => {
                tracing::error!(lease = %lease.id, event = %event_type, %error, "a notification cannot be written");
                None
            }
        };
        self.outlets.iter().filter_map(write).collect()
    }
}

/// The task that empties the outbox of one outlet.
pub(crate) struct Sender {
    pub(crate) outlet: String,
    pub(crate) book: BookHandle,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sink: Arc<dyn NotificationSink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<Settings>,
}

/// How a look into the outbox ended.
enum Look {
    /// Everything is sent.
    Empty,
    /// Another process sends.
    NotMine,
}

/// Why sending stopped before the outbox was empty.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("not delivered: {0}")]
    Sink(#[from] SinkError),
}

impl Sender {
    /// Sends until `shutdown`; what is under way is sent again by whoever comes next.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut held = None;
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.send_forever(&mut held) => {}
        }
        if let Some(fence) = held
            && let Err(error) = self.store.release(&fence).await
        {
            tracing::debug!(%error, "the claim on notifications cannot be given back; it will expire");
        }
    }

    async fn send_forever(&self, held: &mut Option<Fence>) {
        let mut published = self.book.subscribe();
        let mut failures = 0_u32;
        loop {
            published.mark_unchanged();
            let wait = match self.empty(held).await {
                Ok(look) => {
                    if failures > 0 {
                        tracing::info!(outlet = %self.outlet, "notifications are delivered again");
                    }
                    failures = 0;
                    match look {
                        Look::Empty => IDLE_SECONDS,
                        Look::NotMine => self.settings.claim_seconds,
                    }
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    let wait = self.settings.retry_delay(failures);
                    tracing::warn!(outlet = %self.outlet, %error, failures, wait, "notifications are kept and sent later");
                    wait
                }
            };
            let woken = self.clock.sleep_until(self.clock.now() + wait);
            if failures > 0 {
                // Changes of the book do not mend the sink.
                woken.await;
                continue;
            }
            tokio::select! {
                () = woken => {}
                _ = published.changed() => {}
            }
        }
    }

    /// Sends until nothing is waiting.
    async fn empty(&self, held: &mut Option<Fence>) -> Result<Look, SendError> {
        loop {
            let waiting = self.store.outbox(&self.outlet, BATCH).await?;
            if waiting.is_empty() {
                return Ok(Look::Empty);
            }
            if !self.hold(held).await? {
                return Ok(Look::NotMine);
            }
            // What the last holder has sent meanwhile is not to be sent again.
            let waiting = self.store.outbox(&self.outlet, BATCH).await?;
            let (now, lifetime) = (self.clock.now(), self.settings.claim_seconds);
            let (enough, deadline) = (now + (lifetime / 2).max(1), now + (lifetime - 1).max(1));
            let mut last = None;
            let mut failure = None;
            for entry in &waiting {
                if last.is_some() && self.clock.now() >= enough {
                    // Time to renew the claim.
                    break;
                }
                let sent = tokio::select! {
                    sent = self.sink.send(&entry.notification) => sent,
                    () = self.clock.sleep_until(deadline) => Err(SinkError("no answer in time".to_owned())),
                };
                if let Err(error) = sent {
                    failure = Some(error);
                    break;
                }
                last = Some(entry.position);
            }
            if let Some(position) = last {
                self.store.remove_from_outbox(&self.outlet, position).await?;
            }
            if let Some(failure) = failure {
                return Err(failure.into());
            }
        }
    }

    /// Makes sure that this process is the one that sends.
    async fn hold(&self, held: &mut Option<Fence>) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let expires = now + self.settings.claim_seconds;
        if let Some(fence) = held {
            if self.store.renew(fence, expires).await? {
                return Ok(true);
            }
            *held = None;
        }
        let claim = if self.outlet.is_empty() { CLAIM } else { &self.outlet };
        *held = self.store.claim(claim, &self.settings.worker, now, expires).await?;
        Ok(held.is_some())
    }
}
