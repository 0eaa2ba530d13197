//! Holds what runs against the plan, for as long as it runs.
//!
//! Invariant: takes no input. Each pass reads the plan and the outside world, closes what gaps can be
//! closed safely, and puts on record what cannot.

use std::sync::Arc;

use plugin_api::Finding;

use super::Lifecycle;
use super::assignment::assignment;
use super::preparation::is_unprepared;
use crate::admission::shortfall::MISSING;
use crate::book::job::{Origin, WriteError};
use crate::domain::{Lease, LeaseStatus};
use crate::ports::Change;

/// Leases that end within this many seconds are left to their end.
const LEAVE_TO_END: i64 = 20;

impl Lifecycle {
    /// Runs a pass every `reconcile_interval` seconds until the process is to stop. A pass may end anywhere.
    pub async fn reconcile_forever(self) {
        let forever = async {
            loop {
                let next = self.clock.now() + self.settings.reconcile_interval.max(1);
                self.clock.sleep_until(next).await;
                self.reconcile().await;
            }
        };
        self.shutdown.run_until_cancelled(forever).await;
    }

    /// One pass over everything that runs.
    pub async fn reconcile(&self) {
        let book = self.book.fresh().await;
        for lease in book.leases() {
            let now = self.clock.now();
            if is_unprepared(lease) {
                self.prepare(&lease.id).await;
            }
            if lease.status == LeaseStatus::Active && !lease.is_over(now + LEAVE_TO_END) {
                self.reconcile_lease(lease).await;
            }
        }
    }

    async fn reconcile_lease(&self, lease: &Arc<Lease>) {
        let reconciled = self.with_claim(&lease.id, |_| async {
            // The lease may have changed since the pass began.
            let current = self.book.snapshot();
            if let Some(lease) = current.lease(&lease.id)
                && lease.status == LeaseStatus::Active
                // What it gains is not to be taken from a lease that has not given it back.
                && current.not_given_back(lease) == 0
            {
                let findings = self.compare(lease).await;
                self.put_on_record(lease, findings).await;
            }
        });
        // What was not reconciled is looked at in the next pass.
        let _ = reconciled.await;
    }

    /// What disagrees with the plan; `None` if the outside world could not be read.
    async fn compare(&self, lease: &Lease) -> Option<Vec<Finding>> {
        let book = self.book.snapshot();
        let mut findings = Vec::new();
        for reservation in &lease.reservations {
            let plugin = self.plugins.get(reservation.spec.resource_type())?;
            match plugin.reconcile(&assignment(&book, lease, reservation)).await {
                Ok(found) => findings.extend(found),
                Err(error) => {
                    tracing::warn!(lease = %lease.id, %error, "the lease cannot be audited now");
                    return None;
                }
            }
        }
        // What a failure took is no drift: it stays on record until it is found again.
        let on_record = book.findings(&lease.id);
        findings.extend(on_record.iter().filter(|finding| finding.kind == MISSING).cloned());
        findings.sort();
        Some(findings)
    }

    async fn put_on_record(&self, lease: &Lease, findings: Option<Vec<Finding>>) {
        let Some(findings) = findings else { return };
        for finding in findings.iter().filter(|finding| finding.kind != MISSING) {
            tracing::warn!(
                lease = %lease.id, kind = %finding.kind, host = %finding.host, repaired = finding.repaired,
                detail = %finding.detail, "the cloud disagreed with the plan"
            );
        }
        if *self.book.snapshot().findings(&lease.id) == findings {
            return;
        }
        let (lease_id, findings) = (lease.id.clone(), Arc::new(findings));
        let written: Result<(), WriteError<crate::book::Contradiction>> = self
            .book
            .submit(Origin::Event, move |draft| {
                if draft.book().lease(&lease_id).is_none() {
                    return Ok(());
                }
                draft.change(vec![Change::PutFindings {
                    lease_id: lease_id.clone(),
                    findings: Arc::clone(&findings),
                }])
            })
            .await;
        if let Err(error) = written {
            tracing::warn!(lease = %lease.id, %error, "findings cannot be recorded now");
        }
    }
}
