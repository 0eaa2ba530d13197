//! What is done when hosts fail or come back: the mark first, then whatever it touches.
//!
//! Invariants: the mark is a change of the book of its own, so that nothing which stands on a host can keep it in
//! planning; each later step is one, too, and one that fails stops no other. What was not finished is tried again.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::admission::healing::{Outcome, heal_alone, heal_together, mark, unsettled};
use crate::admission::shortfall::Seen;
use crate::book::handle::BookHandle;
use crate::book::job::{Origin, WriteError};
use crate::ports::{Clock, Identifiers};
use crate::service::{ServiceError, Settings};

/// Marks hosts and heals. Cheap to clone; clones share what is unfinished.
#[derive(Clone)]
pub(crate) struct Healing {
    pub(crate) book: BookHandle,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) identifiers: Arc<dyn Identifiers>,
    pub(crate) settings: Arc<Settings>,
    /// Rung when healing has to be tried again before its time.
    pub(crate) unfinished: Arc<Notify>,
}

impl Healing {
    /// Takes hosts out of planning or back into it, then heals.
    ///
    /// # Errors
    /// When a host does not exist or the book cannot be written; nothing is changed then. That something cannot be healed
    /// is no error.
    pub(crate) async fn set_reservable(
        &self,
        failed: Vec<String>,
        recovered: Vec<String>,
    ) -> Result<Outcome, WriteError<ServiceError>> {
        let hosts = self
            .book
            .submit(Origin::Event, move |draft| mark(draft, &failed, &recovered))
            .await?;
        Ok(Outcome {
            hosts,
            ..self.heal().await
        })
    }

    /// Heals whatever stands on hosts that do not work, and finds what reservations lack.
    pub(crate) async fn heal(&self) -> Outcome {
        let (settings, identifiers) = (Arc::clone(&self.settings), Arc::clone(&self.identifiers));
        let together = self
            .book
            .submit(Origin::Event, move |draft| {
                heal_together(draft, &settings, identifiers.as_ref())
            })
            .await;
        let mut is_finished = together.is_ok();
        let (mut outcome, is_healed) = together.unwrap_or_else(|error| {
            tracing::error!(%error, "the failure cannot be healed in one decision; each lease is settled by itself");
            (Outcome::default(), false)
        });
        let leases = unsettled(
            Seen {
                book: &self.book.snapshot(),
                now: self.clock.now(),
                settings: &self.settings,
            },
            is_healed,
        );
        for lease_id in leases {
            let (settings, identifiers) = (Arc::clone(&self.settings), Arc::clone(&self.identifiers));
            let alone = {
                let lease_id = lease_id.clone();
                self.book
                    .submit(Origin::Event, move |draft| {
                        heal_alone(draft, &lease_id, &settings, identifiers.as_ref())
                    })
                    .await
            };
            match alone {
                Ok(alone) => {
                    outcome.lost.extend(alone.lost);
                    outcome.refilled.extend(alone.refilled);
                }
                Err(error) => {
                    tracing::error!(lease = %lease_id, %error, "the lease cannot be settled now");
                    is_finished = false;
                }
            }
        }
        if !is_finished {
            self.unfinished.notify_one();
        }
        // What was lost in one step and found in a later one is as before.
        let Outcome { lost, refilled, .. } = &mut outcome;
        let found: Vec<String> = lost.extract_if(.., |id| refilled.contains(id)).collect();
        refilled.retain(|id| !found.contains(id));
        outcome
    }
}
