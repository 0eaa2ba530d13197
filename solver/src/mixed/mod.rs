//! Leases with instances or units beside hosts, and host requests in a fleet where instances may move.
//!
//! Invariant: an answer is decided for all reservations of the request together; a host serves at one
//! instant either one host reservation or instances whose amounts fit its capacity.

use crate::decision::{Tier, Verdict};
use crate::model::{Request, Resource, Seconds};
use crate::planner::{Budget, ModelSolver, Planner};
use crate::request::Ask;

/// Whether a request asks for more than whole hosts.
pub(crate) fn has_other_kinds(request: &Request) -> bool {
    request
        .reservations
        .iter()
        .any(|asked| asked.resource != Resource::Host)
}

/// Whether instances are promised that may still be put elsewhere.
pub(crate) fn may_move_instances(planner: &Planner, now: Seconds) -> bool {
    planner.leases().flat_map(|lease| &lease.reservations).any(|held| {
        matches!(held.resource, Resource::Instances(_)) && !held.holds.is_empty() && !held.is_fixed(now, planner.freeze)
    })
}

/// Decides such a request.
pub(crate) fn decide(
    _planner: &Planner,
    _asks: &[Ask<'_>],
    _request: &Request,
    _now: Seconds,
    _budget: Budget,
    _solver: &dyn ModelSolver,
) -> (Tier, Verdict) {
    (Tier::Mip, Verdict::Undecided)
}
