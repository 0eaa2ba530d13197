//! No lease lasts longer than a limit.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{Amendment, Booking, Denial, Ending, NotTold, Owner, UsageFilter};
use crate::domain::Timestamp;

/// Limits how long a lease may last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaxLeaseDuration {
    /// Most seconds from start to end; `None`: no limit.
    pub seconds: Option<i64>,
    /// Projects that no limit holds for.
    pub exempt_projects: BTreeSet<String>,
}

impl MaxLeaseDuration {
    fn check(&self, owner: Owner<'_>, start: Timestamp, end: Timestamp) -> Result<(), Denial> {
        let asked = end.saturating_sub(start);
        match self.seconds {
            Some(most) if asked > most && !self.exempt_projects.contains(owner.project_id) => Err(Denial(format!(
                "Lease duration of {asked} seconds must be less than or equal to the maximum lease duration of {most} \
                 seconds."
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

#[async_trait]
impl UsageFilter for MaxLeaseDuration {
    fn name(&self) -> &'static str {
        "MaxLeaseDurationFilter"
    }

    async fn check_create(&self, booking: Booking<'_>) -> Result<(), Denial> {
        self.check(booking.owner, booking.lease.start, booking.lease.end)
    }

    async fn check_update(&self, amendment: Amendment<'_>) -> Result<(), Denial> {
        let Amendment { current, next, .. } = amendment;
        self.check(Owner::of(current), next.start, next.end)
    }

    async fn on_end(&self, _ending: Ending<'_>) -> Result<(), NotTold> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_allowed_and_exempt_projects_have_none() {
        let filter = MaxLeaseDuration {
            seconds: Some(3600),
            exempt_projects: BTreeSet::from(["free".to_owned()]),
        };
        let owner = |project_id| Owner {
            user_id: "user",
            project_id,
        };
        assert_eq!(filter.check(owner("bound"), 60, 3660), Ok(()));
        let denial = filter.check(owner("bound"), 60, 3720).unwrap_err();
        assert_eq!(
            denial.to_string(),
            "Lease duration of 3660 seconds must be less than or equal to the maximum lease duration of 3600 seconds."
        );
        assert_eq!(filter.check(owner("free"), 60, 3720), Ok(()));
        assert_eq!(MaxLeaseDuration::default().check(owner("bound"), 0, i64::MAX), Ok(()));
    }
}
