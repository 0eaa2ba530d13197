//! Why the service did not do what it was asked.

use plugin_api::echo::shortened;

use crate::comparable::NotComparable;
use crate::limits::Excess;
use crate::question::Shortage;

/// Why the service did not do it. `Display` is the text for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// 404: no such object, e.g. kind `lease_id`.
    #[error("Object with {{'{kind}': '{}'}} not found", shortened(.id))]
    NotFound {
        /// `lease_id`, `host_id`, `property_name`
        kind: &'static str,
        /// What was asked for.
        id: String,
    },
    /// 403: the rule does not allow it.
    #[error("Policy doesn't allow {rule} to be performed")]
    Forbidden {
        /// The rule.
        rule: &'static str,
    },
    /// 400: the request is wrong; the text names field, value and what is allowed.
    #[error("{0}")]
    Invalid(String),
    /// 400: a resource type that nothing is configured for.
    #[error("The {} resource type is not supported (resource_type must be one of {offered})", shortened(.resource_type))]
    NotOffered {
        /// What was asked for.
        resource_type: String,
        /// The resource types that there are.
        offered: String,
    },
    /// 400: a usage filter does not allow it.
    #[error("{0}")]
    Denied(String),
    /// 403: the request is wrong in a way upstream answers with 403.
    #[error("{0}")]
    OutOfLimits(String),
    /// 404 from the inventory, with its own text.
    #[error("{0}")]
    Missing(String),
    /// 409: the state of the lease or host does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// 409, or 400 where floating IPs are short: proved that no assignment exists.
    #[error("Not enough {} available: {}", .0.of, .0)]
    Shortage(Box<Shortage>),
    /// 503: not decided in time; not a "no".
    #[error("{0}")]
    Undecided(String),
    /// 503: something the service depends on does not answer.
    #[error("{0}")]
    Unavailable(String),
}

impl From<NotComparable> for ServiceError {
    fn from(error: NotComparable) -> Self {
        Self::Invalid(format!("Malformed requirements: {error}"))
    }
}

impl From<Excess> for ServiceError {
    fn from(excess: Excess) -> Self {
        match excess {
            Excess::Amount { .. } | Excess::Conditions { .. } | Excess::Expressions { .. } => {
                Self::Invalid(excess.to_string())
            }
            Excess::Project { .. } => Self::OutOfLimits(excess.to_string()),
        }
    }
}
