//! Decisions that take long are taken on a snapshot, away from the writer, which takes over what they change.
//!
//! Invariants: only so many are under way at once, of one project one; what a decision rests on is the same when its
//! changes are taken over as when it was taken, or it is taken anew; and the draft counts everything again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::handle::BookHandle;
use super::job::{Draft, Origin, Outcome, Submitted};
use super::time::BookClock;
use super::{Book, Contradiction};
use crate::admission::{is_final, minute};
use crate::allowance::Allowances;
use crate::domain::{Lease, Timestamp};
use crate::notification::Announcer;
use crate::ports::{Change, Clock, Fence};
use crate::service::Settings;
use crate::turns::Turns;

/// Decisions taken apart at once.
pub(super) const AT_ONCE: usize = 2;

/// How often a decision is taken apart because what it rested on had changed before it was taken over.
const MOST_ATTEMPTS: u32 = 3;

/// What was decided on a snapshot.
pub(super) struct Decided {
    base: Arc<Book>,
    at: Timestamp,
    changes: Vec<Change>,
    fences: Vec<Fence>,
}

impl Decided {
    /// Takes the changes over into a draft; `false` if what they rest on has changed.
    pub(super) fn take_over(&self, draft: &mut Draft, settings: &Settings) -> Result<bool, Contradiction> {
        if !self.is_current(draft.book(), draft.now(), settings) {
            return Ok(false);
        }
        draft.change(self.changes.clone())?;
        for fence in &self.fences {
            draft.require(fence.clone());
        }
        Ok(true)
    }

    fn is_current(&self, book: &Book, now: Timestamp, settings: &Settings) -> bool {
        self.changes.iter().all(|change| match change {
            Change::PutLease(lease) => {
                let before = self.base.lease(&lease.id);
                // A lease that may not be moved any more has not changed, but its time has come.
                let as_free =
                    before.is_none_or(|before| is_final(before, self.at, settings) == is_final(before, now, settings));
                before == book.lease(&lease.id) && as_free && lease.end > minute(now) && self.stands(lease, book)
            }
            Change::DeleteLease(id) => self.base.lease(id) == book.lease(id),
            Change::PutFindings { lease_id, .. } => self.base.findings(lease_id) == book.findings(lease_id),
            Change::Notify(_) => true,
            Change::PutHost(_)
            | Change::DeleteHost(_)
            | Change::PutFloatingIp(_)
            | Change::DeleteFloatingIp(_)
            | Change::PutProperty(_) => self.base.epoch() == book.epoch(),
        })
    }

    /// Whether what a lease holds is as it was.
    fn stands(&self, lease: &Lease, book: &Book) -> bool {
        let held = lease
            .reservations
            .iter()
            .flat_map(|reservation| &reservation.allocations);
        let mut ids = held.map(|allocation| &allocation.host_id);
        ids.all(|id| self.base.host(id) == book.host(id) && self.base.floating_ip(id) == book.floating_ip(id))
    }
}

/// Where decisions are taken apart.
#[derive(Clone)]
pub(super) struct Apart {
    pub(super) handle: BookHandle,
    pub(super) turns: Turns,
    pub(super) clock: BookClock,
    pub(super) allowances: Allowances,
    pub(super) announcer: Option<Announcer>,
    pub(super) settings: Arc<Settings>,
}

impl Apart {
    /// Decides a job of a project with all the time a decision may take, and hands what it changes to the writer. It does
    /// not wait longer than that for its turn.
    pub(super) async fn decide(self, mut submitted: Submitted) {
        let Origin::Project(project) = submitted.origin.clone() else {
            return submitted.finish(Outcome::Contended);
        };
        if submitted.attempts >= MOST_ATTEMPTS {
            return submitted.finish(Outcome::Contended);
        }
        submitted.attempts += 1;
        let latest = self.clock.now() + self.settings.decision_limit();
        let turn = tokio::select! {
            turn = self.turns.take(&project) => turn,
            () = self.clock.sleep_until(latest) => None,
        };
        let Some(turn) = turn else {
            return submitted.finish(Outcome::Busy);
        };
        let base = self.handle.fresh().await;
        let at = self.clock.now();
        let allowance = self.allowances.of(self.settings.decision_seconds);
        let mut draft = Draft::on(&base, at, allowance, self.announcer);
        let deciding = tokio::task::spawn_blocking(move || {
            let keep = catch_unwind(AssertUnwindSafe(|| submitted.job.decide(&mut draft)));
            drop(turn);
            match keep {
                Err(_) => submitted.finish(Outcome::fault()),
                Ok(keep) if !keep || draft.changes.is_empty() => submitted.finish(Outcome::Committed),
                Ok(_) => {
                    let Draft { changes, fences, .. } = draft;
                    submitted.decided = Some(Decided {
                        base,
                        at,
                        changes,
                        fences,
                    });
                    return Some(submitted);
                }
            }
            None
        });
        match deciding.await {
            // Nobody waits for an answer after the writer has stopped.
            Ok(Some(decided)) => {
                let _ = self.handle.queue.push(decided);
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "a decision away from the writer failed"),
        }
    }
}
