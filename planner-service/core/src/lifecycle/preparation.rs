//! Making what clients may name before a lease starts.
//!
//! Invariant: a lease is prepared only by the holder of its claim and only while it waits for its start, so that neither
//! its start nor its deletion runs beside it. What was made and not recorded is found again by the next attempt.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plugin_api::{Created, PluginError};

use super::Lifecycle;
use super::assignment::assignment;
use super::claim::Unclaimed;
use super::transition::note_created;
use crate::book::job::{Draft, Origin};
use crate::domain::{Lease, LeaseStatus, Reservation, ReservationSpec};
use crate::ports::{Change, Fence};

/// Seconds a booking waits at most for its preparation. What is not ready by then, an audit or the start makes.
const LONGEST_WAIT: i64 = 5;

/// How often a booking asks for the claim while another worker holds it.
const CLAIM_POLL: Duration = Duration::from_millis(50);

/// Whether something of the lease has yet to be prepared.
pub(super) fn is_unprepared(lease: &Lease) -> bool {
    let differs = |reservation: &Reservation| match &reservation.spec {
        ReservationSpec::Instance(spec) => spec.affinity.is_some() != spec.objects.server_group_id.is_some(),
        ReservationSpec::Host(_)
        | ReservationSpec::Flavor(_)
        | ReservationSpec::FloatingIp(_)
        | ReservationSpec::Countable(_) => false,
    };
    lease.status == LeaseStatus::Pending && lease.reservations.iter().any(differs)
}

fn asks_the_same(lease: &Lease, before: &Lease) -> bool {
    let mut reservations = lease.reservations.iter().zip(&before.reservations);
    lease.status == before.status && reservations.all(|(now, then)| now.spec == then.spec)
}

impl Lifecycle {
    /// The lease with what clients may name before its start, if that could be made in time, else as it is.
    pub(crate) async fn prepared(&self, lease: Arc<Lease>) -> Arc<Lease> {
        if !is_unprepared(&lease) {
            return lease;
        }
        let preparing = async {
            let mut poll = tokio::time::interval(CLAIM_POLL);
            while !self.prepare(&lease.id).await {
                poll.tick().await;
            }
        };
        tokio::select! {
            () = preparing => {}
            () = self.clock.sleep_until(self.clock.now() + LONGEST_WAIT) => {}
        }
        self.book.snapshot().lease(&lease.id).cloned().unwrap_or(lease)
    }

    /// Prepares a lease once. Returns false if another worker holds its claim.
    pub(super) async fn prepare(&self, lease_id: &str) -> bool {
        let prepared = self.with_claim(lease_id, |fence| async move {
            let current = self.book.snapshot().lease(lease_id).cloned();
            if let Some(lease) = current.filter(|lease| is_unprepared(lease)) {
                let made = self.make(&lease).await;
                self.record(&fence, &lease, made).await;
            }
        });
        !matches!(prepared.await, Err(Unclaimed::Held))
    }

    async fn make(&self, lease: &Lease) -> Result<BTreeMap<String, Created>, PluginError> {
        let book = self.book.snapshot();
        let mut made = BTreeMap::new();
        for reservation in &lease.reservations {
            if reservation.spec.is_prepared_early() {
                let plugin = self.plugin_of(reservation)?;
                let created = plugin.prepare(&assignment(&book, lease, reservation)).await?;
                made.insert(reservation.id.clone(), created);
            }
        }
        Ok(made)
    }

    async fn record(&self, fence: &Fence, lease: &Lease, made: Result<BTreeMap<String, Created>, PluginError>) {
        let made = match made {
            Ok(made) => made,
            Err(error) => {
                tracing::warn!(lease = %lease.id, %error, "the lease is not prepared yet");
                return;
            }
        };
        let (fence, before) = (fence.clone(), lease.clone());
        let recorded = self.book.submit(Origin::Event, move |draft: &mut Draft| {
            let current = draft.book().lease(&before.id);
            // An update does not need the claim: what was made for another rule is not recorded.
            let Some(current) = current.filter(|lease| asks_the_same(lease, &before)) else {
                return Ok(());
            };
            let mut next = (**current).clone();
            note_created(&mut next, &made);
            if next == **current {
                return Ok(());
            }
            draft.require(fence.clone());
            draft.change(vec![Change::PutLease(Arc::new(next))])
        });
        if let Err(error) = recorded.await {
            tracing::warn!(lease = %lease.id, %error, "what was prepared cannot be recorded yet");
        }
    }
}
