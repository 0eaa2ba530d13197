//! Asking the usage filters about a lease before the writer books or changes it.
//!
//! Invariants: the writer never waits for a filter; without filters nothing of this happens. What is changed in the end is
//! what the filters were asked about: a lease that has become another meanwhile is asked about again.

use std::sync::Arc;

use super::{LeaseChange, LeaseDraft, Service, ServiceError, not_written};
use crate::admission::create::{self, LeaseIdentifiers};
use crate::admission::update;
use crate::authority::{Caller, rules};
use crate::book::job::{Draft, WriteError};
use crate::domain::Lease;
use crate::turns::Turns;
use crate::usage::{Amendment, Booking, Denial, Owner, held_resources};

/// Decisions on snapshots at the same time; more wait, so that they leave room for those of the writer.
const AT_ONCE: usize = 2;

/// The line for decisions on snapshots.
pub(super) fn turns() -> Turns {
    Turns::new(AT_ONCE)
}

impl Service {
    /// Asks the filters whether the lease may be booked.
    pub(super) async fn check_create(
        &self,
        caller: &Caller,
        lease: &LeaseDraft,
        identifiers: &Arc<LeaseIdentifiers>,
    ) -> Result<(), ServiceError> {
        let filters = &self.lifecycle.filters;
        if filters.is_empty() {
            return Ok(());
        }
        let resources = {
            let project_id = caller.project_id.clone();
            let (caller, lease, settings) = (caller.clone(), lease.clone(), Arc::clone(&self.settings));
            let identifiers = Arc::clone(identifiers);
            self.rehearse(&project_id, move |draft| {
                let booked = create::create(draft, &caller, &lease, &identifiers, &settings)?;
                Ok(held_resources(draft.book(), &booked))
            })
            .await?
        };
        let booking = Booking {
            owner: Owner {
                user_id: &caller.user_id,
                project_id: &caller.project_id,
            },
            lease,
            resources: &resources,
        };
        filters.check_create(booking).await.map_err(denied)
    }

    /// Asks the filters whether the lease may be changed. Answers the lease they were asked about, `None` if there was
    /// nothing to ask.
    pub(super) async fn check_update(
        &self,
        caller: &Caller,
        id: &str,
        change: &LeaseChange,
        event_id: &str,
    ) -> Result<Option<Arc<Lease>>, ServiceError> {
        let filters = &self.lifecycle.filters;
        if filters.is_empty() || change.is_rename() {
            return Ok(None);
        }
        let (current, current_resources, next, next_resources) = {
            let project_id = caller.project_id.clone();
            let (service, caller, id) = (self.clone(), caller.clone(), id.to_owned());
            let (change, event_id) = (change.clone(), event_id.to_owned());
            self.rehearse(&project_id, move |draft| {
                let current = service.lease_to(draft.book(), rules::LEASES_PUT, &caller, &id)?;
                let current_resources = held_resources(draft.book(), &current);
                let next = update::update(draft, &current, &change, &event_id, &service.settings)?;
                let next_resources = held_resources(draft.book(), &next);
                Ok((current, current_resources, next, next_resources))
            })
            .await?
        };
        let amendment = Amendment {
            current: &current,
            current_resources: &current_resources,
            change,
            next: &next,
            next_resources: &next_resources,
        };
        filters.check_update(amendment).await.map_err(denied)?;
        Ok(Some(current))
    }

    /// Runs `work` on a copy of the newest snapshot that is thrown away.
    async fn rehearse<T: Send + 'static>(
        &self,
        project_id: &str,
        work: impl FnOnce(&mut Draft) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "a decision on a snapshot failed");
            ServiceError::Unavailable("deciding failed; this is a fault of the service".to_owned())
        };
        let latest = self.clock.now() + self.settings.decision_limit();
        let turn = tokio::select! {
            turn = self.rehearsals.take(project_id) => turn,
            () = self.clock.sleep_until(latest) => None,
        };
        let turn = turn.ok_or_else(|| not_written(WriteError::Busy))?;
        let book = self.book.fresh().await;
        let now = self.clock.now();
        let allowance = self.questions.allowances.of(self.settings.decision_seconds);
        let deciding = tokio::task::spawn_blocking(move || {
            let decided = work(&mut Draft::on(&book, now, allowance, None));
            drop(turn);
            decided
        });
        deciding.await.map_err(|error| failed(&error))?
    }
}

fn denied(denial: Denial) -> ServiceError {
    ServiceError::Denied(denial.0)
}

/// Whether a change of the one lease asks for the same as a change of the other.
pub(super) fn is_as_before(before: &Lease, now: &Lease) -> bool {
    let specs = |lease: &Lease| -> Vec<_> {
        let reservations = lease.reservations.iter();
        reservations
            .map(|reservation| (reservation.id.clone(), reservation.spec.clone()))
            .collect()
    };
    (before.start, before.end) == (now.start, now.end) && specs(before) == specs(now)
}
