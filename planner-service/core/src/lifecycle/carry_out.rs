//! Carrying out one event: claim, begin, act, record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use plugin_api::{Assignment, Created, PluginError, ResourcePlugin, foreign_text};

use super::Lifecycle;
use super::claim::Unclaimed;
use super::eligibility::gives_back;
use super::transition::{self, Begun, Skip, UnderWay, Work};
use crate::book::DueEntry;
use crate::book::job::{Origin, WriteError};
use crate::domain::{EventType, Lease, Reservation, ReservationStatus, Timestamp};
use crate::service::Settings;
use crate::usage::{Ending, held_resources};

/// How much of a failure's reason is kept, in characters.
const LONGEST_REASON: usize = 2000;

/// How long the outside world has for its answer when the process is to stop, in seconds.
const GRACE_SECONDS: i64 = 3;

/// Why an event is not carried out yet.
struct Failure {
    error: PluginError,
    /// The reservations whose plugin certainly reached nobody.
    missed: BTreeSet<String>,
}

impl Lifecycle {
    /// Carries one event out. Returns when to look at the lease again if it could not even begin.
    pub(super) async fn carry_out(&self, entry: &DueEntry) -> Option<Timestamp> {
        let carried = self.with_claim(&entry.lease_id, |fence| async move {
            self.steps.reached("event:claimed");
            let work = Work {
                lease_id: entry.lease_id.clone(),
                event_id: entry.event_id.clone(),
                fence,
            };
            self.carry_out_claimed(&work).await
        });
        match carried.await {
            Ok(ask_again) => ask_again,
            Err(Unclaimed::Held | Unclaimed::Lost) => Some(self.clock.now() + 1),
            Err(Unclaimed::Unavailable) => Some(self.clock.now() + 2),
        }
    }

    /// Has a lease say why its work, which is due, has not begun. Returns when to try again if that cannot be recorded.
    pub(super) async fn note_delay(&self, entry: DueEntry, reason: String) -> Option<Timestamp> {
        tracing::warn!(lease = %entry.lease_id, %reason, "due work is delayed");
        let noted = self
            .book
            .submit(Origin::Event, move |draft| transition::delay(draft, &entry, &reason))
            .await;
        match noted {
            Ok(()) | Err(WriteError::Refused(Skip::Nothing)) => None,
            Err(error) => {
                tracing::warn!(%error, "a delay cannot be recorded now");
                Some(self.clock.now() + 1)
            }
        }
    }

    async fn carry_out_claimed(&self, work: &Work) -> Option<Timestamp> {
        let begun = {
            let work = work.clone();
            let (settings, identifiers) = (Arc::clone(&self.settings), Arc::clone(&self.identifiers));
            self.book
                .submit(Origin::Event, move |draft| {
                    transition::begin(draft, &work, &settings, identifiers.as_ref())
                })
                .await
        };
        let (lease, event_type, assignments) = match begun {
            Ok(Begun::CarryOut(lease, event_type, assignments)) => (lease, event_type, assignments),
            Ok(Begun::GivenUp) => {
                tracing::error!(lease = %work.lease_id, "the lease was over before it could start");
                return None;
            }
            Ok(Begun::Delayed) => return None,
            Err(error) => return self.could_not_record(work, &error),
        };
        let under_way = UnderWay::new(work, event_type, &assignments);
        tracing::info!(lease = %lease.id, event = %event_type, "carrying out");
        self.steps.reached("event:begun");
        let carried_out = async {
            tokio::join!(
                self.tell_end(&lease, event_type),
                self.act(&lease, &assignments, event_type)
            )
            .1
        };
        let acted = tokio::select! {
            acted = carried_out => acted,
            () = self.grace_is_over() => Err(Failure {
                error: PluginError::Unavailable {
                    service: "berth",
                    operation: format!("wait for the answer to {event_type}"),
                    reason: "it was stopped".to_owned(),
                },
                missed: BTreeSet::new(),
            }),
        };
        self.steps.reached("event:acted");
        let recorded = match acted {
            Ok(created) => {
                self.book
                    .submit(Origin::Event, move |draft| {
                        transition::succeed(draft, &under_way, &created)
                    })
                    .await
            }
            Err(Failure { error, missed }) => {
                // Whatever a broken service said, in bounds and unable to write lines of its own into a log.
                let reason = foreign_text(&error.to_string(), LONGEST_REASON);
                tracing::warn!(lease = %lease.id, event = %event_type, %reason, "put off");
                let settings = Arc::clone(&self.settings);
                let waiting = matches!(error, PluginError::Waiting(_));
                self.book
                    .submit(Origin::Event, move |draft| {
                        transition::put_off(draft, &under_way, &reason, &missed, |attempts| {
                            if waiting {
                                polling_delay(attempts, &settings)
                            } else {
                                settings.retry_delay(attempts)
                            }
                        })
                    })
                    .await
            }
        };
        match recorded {
            Ok(()) => {
                self.steps.reached("event:recorded");
                tracing::info!(lease = %lease.id, event = %event_type, "recorded");
                None
            }
            Err(error) => self.could_not_record(work, &error),
        }
    }

    /// Returns when the process is to stop and what is under way has had its time.
    async fn grace_is_over(&self) {
        self.shutdown.cancelled().await;
        self.clock.sleep_until(self.clock.now() + GRACE_SECONDS).await;
    }

    /// What to do when the book did not take a transition.
    fn could_not_record(&self, work: &Work, error: &WriteError<Skip>) -> Option<Timestamp> {
        match error {
            WriteError::Refused(Skip::Nothing) => None,
            WriteError::Refused(Skip::Contradiction(_))
            | WriteError::Contended
            | WriteError::Crowded
            | WriteError::Busy
            | WriteError::FenceLost
            | WriteError::Unavailable(_)
            | WriteError::Stopped => {
                tracing::warn!(lease = %work.lease_id, %error, "a transition cannot be recorded now");
                Some(self.clock.now() + 1)
            }
        }
    }

    /// Tells the usage filters that the lease ends. Resources are given back meanwhile. The attempt counts only when the
    /// outcome is recorded: after a crash they are told again, when the end is put off they are not.
    async fn tell_end(&self, lease: &Lease, event_type: EventType) {
        let is_first = lease.event(event_type).is_none_or(|event| event.attempts == 0);
        if is_first && gives_back(event_type) && !self.filters.is_empty() {
            let resources = held_resources(&self.book.snapshot(), lease);
            self.filters
                .on_end(Ending {
                    lease,
                    resources: &resources,
                })
                .await;
        }
    }

    /// Calls the plugins of the lease's reservations, all at once, so that none waits for another's receivers. Gives what
    /// they made, by reservation.
    async fn act(
        &self,
        lease: &Lease,
        assignments: &[Assignment],
        event_type: EventType,
    ) -> Result<BTreeMap<String, Created>, Failure> {
        let parts = assignments.iter().filter_map(|assignment| {
            let mut reservations = lease.reservations.iter();
            let reservation = reservations.find(|reservation| reservation.id == assignment.reservation_id)?;
            Some((reservation, self.act_on(reservation, assignment, event_type)))
        });
        let (reservations, calls): (Vec<_>, Vec<_>) = parts.unzip();
        let mut made = BTreeMap::new();
        let mut missed = BTreeSet::new();
        let mut failed = None;
        for (reservation, outcome) in reservations.into_iter().zip(join_all(calls).await) {
            match outcome {
                Ok(created) => made.extend(created.map(|created| (reservation.id.clone(), created))),
                Err(error) => {
                    if matches!(error, PluginError::Unreached { .. } | PluginError::Rejected(_)) {
                        missed.insert(reservation.id.clone());
                    }
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            None => Ok(made),
            Some(error) => Err(Failure { error, missed }),
        }
    }

    async fn act_on(
        &self,
        reservation: &Reservation,
        assignment: &Assignment,
        event_type: EventType,
    ) -> Result<Option<Created>, PluginError> {
        let plugin = self.plugin_of(reservation)?;
        match event_type {
            EventType::StartLease | EventType::ApplyChange => return plugin.start(assignment).await.map(Some),
            EventType::BeforeEndLease => plugin.before_end(assignment).await?,
            EventType::EndLease | EventType::DeleteLease if reservation.status == ReservationStatus::Deleted => {
                plugin.discard(assignment).await?;
            }
            EventType::EndLease | EventType::DeleteLease => plugin.end(assignment).await?,
        }
        Ok(None)
    }

    /// The plugin that serves a reservation.
    pub(super) fn plugin_of(&self, reservation: &Reservation) -> Result<&Arc<dyn ResourcePlugin>, PluginError> {
        let resource_type = reservation.spec.resource_type();
        self.plugins
            .get(resource_type)
            .ok_or_else(|| PluginError::Rejected(format!("no plugin for {resource_type} is configured")))
    }
}

/// Seconds until the next look while the cloud is busy doing what was asked: few, slowly growing.
fn polling_delay(attempts: u32, settings: &Settings) -> i64 {
    (1 + i64::from(attempts) / 10)
        .min(settings.retry_ceiling.max(1))
        .min(10)
}
