//! Work that only the holder of a lease's claim may do.
//!
//! Invariant: the claim is kept for as long as the work takes, and given back after it; where it cannot be kept, the
//! work stops.

use std::future::Future;

use super::Lifecycle;
use crate::ports::Fence;

/// Why the work was not done, or not to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unclaimed {
    /// Another worker holds the claim.
    Held,
    /// The store gives no claims now.
    Unavailable,
    /// The claim was lost during the work, which belongs to its new holder.
    Lost,
}

impl Lifecycle {
    /// Does `work` while the claim of the lease is held; what it writes into the book demands the claim's fence.
    ///
    /// # Errors
    /// When the work was not done, or not to its end.
    pub(super) async fn with_claim<Done, Working>(
        &self,
        lease_id: &str,
        work: impl FnOnce(Fence) -> Working,
    ) -> Result<Done, Unclaimed>
    where
        Working: Future<Output = Done>,
    {
        let now = self.clock.now();
        let expires = now + self.settings.claim_seconds;
        let fence = match self.store.claim(lease_id, &self.settings.worker, now, expires).await {
            Ok(Some(fence)) => fence,
            Ok(None) => return Err(Unclaimed::Held),
            Err(error) => {
                tracing::warn!(lease = lease_id, %error, "the lease cannot be claimed");
                return Err(Unclaimed::Unavailable);
            }
        };
        let outcome = tokio::select! {
            done = work(fence.clone()) => Ok(done),
            () = self.keep_claim(&fence) => {
                tracing::warn!(lease = lease_id, "the claim was lost; leaving the work to its new holder");
                Err(Unclaimed::Lost)
            }
        };
        if let Err(error) = self.store.release(&fence).await {
            tracing::warn!(lease = lease_id, %error, "a claim cannot be given back; it will expire");
        }
        outcome
    }

    /// Renews the claim for as long as it can; returns when it is lost.
    async fn keep_claim(&self, fence: &Fence) {
        let lifetime = self.settings.claim_seconds;
        let mut expires = self.clock.now() + lifetime;
        loop {
            self.clock.sleep_until(self.clock.now() + (lifetime / 3).max(1)).await;
            let now = self.clock.now();
            match self.store.renew(fence, now + lifetime).await {
                Ok(true) => expires = now + lifetime,
                // The store does not answer: nobody else can claim either, until the claim has expired.
                Err(_) if now < expires => {}
                Ok(false) | Err(_) => return,
            }
        }
    }
}
