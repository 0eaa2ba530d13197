//! Why a call to a cloud service failed.
//!
//! Invariant: the variant alone decides what a caller may do next; the text is for people only.

/// What failed, in words for operators and owners of leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// `nova`, `placement`, `keystone`, `glance`, `neutron`.
    pub service: &'static str,
    /// What was asked of it, as a verb phrase: `add host c1 to aggregate r1`.
    pub operation: String,
    /// The HTTP status, if there was an answer at all.
    pub status: Option<u16>,
    /// What it answered, or how the transport failed.
    pub reason: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} did not {}: {}",
            self.service, self.operation, self.reason
        )
    }
}

/// A failed call, classified by what the caller may do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// 404: the thing does not exist.
    #[error("{0}")]
    NotFound(Failure),
    /// 409: the state of the thing forbids it, or it exists already.
    #[error("{0}")]
    Conflict(Failure),
    /// 401 or 403, also after a new login: the service's credentials do not suffice.
    #[error("{0}")]
    Unauthorized(Failure),
    /// Any other 4xx: the request is refused and will be refused again in this state.
    #[error("{0}")]
    Refused(Failure),
    /// No connection, no answer in time, 429 or 5xx: worth trying again.
    #[error("{0}")]
    Unavailable(Failure),
    /// An answer that is not the service's API: HTML, truncated JSON, missing fields.
    #[error("{0}")]
    Nonsense(Failure),
}

impl CloudError {
    /// Classifies an answer with an error status.
    pub fn of_status(service: &'static str, operation: &str, status: u16, reason: String) -> Self {
        let failure = Failure {
            service,
            operation: operation.to_owned(),
            status: Some(status),
            reason,
        };
        match status {
            401 | 403 => Self::Unauthorized(failure),
            404 => Self::NotFound(failure),
            409 => Self::Conflict(failure),
            408 | 429 | 500..=599 => Self::Unavailable(failure),
            400..=499 => Self::Refused(failure),
            _ => Self::Nonsense(failure),
        }
    }

    /// An answer that cannot be understood.
    pub fn nonsense(service: &'static str, operation: &str, status: Option<u16>, reason: impl Into<String>) -> Self {
        Self::Nonsense(Failure {
            service,
            operation: operation.to_owned(),
            status,
            reason: reason.into(),
        })
    }

    /// No answer.
    pub fn unavailable(service: &'static str, operation: &str, reason: impl Into<String>) -> Self {
        Self::Unavailable(Failure {
            service,
            operation: operation.to_owned(),
            status: None,
            reason: reason.into(),
        })
    }

    /// What failed, by value.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::NotFound(failure)
            | Self::Conflict(failure)
            | Self::Unauthorized(failure)
            | Self::Refused(failure)
            | Self::Unavailable(failure)
            | Self::Nonsense(failure) => failure,
        }
    }

    /// What failed.
    pub fn failure(&self) -> &Failure {
        match self {
            Self::NotFound(failure)
            | Self::Conflict(failure)
            | Self::Unauthorized(failure)
            | Self::Refused(failure)
            | Self::Unavailable(failure)
            | Self::Nonsense(failure) => failure,
        }
    }

    /// The thing is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// The thing is in the way of itself: it exists already, or its state forbids the call.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// Turns "not there" into success, for deletions that are repeated.
    pub fn missing_is_fine(result: Result<(), Self>) -> Result<(), Self> {
        match result {
            Err(Self::NotFound(_)) => Ok(()),
            other => other,
        }
    }
}
