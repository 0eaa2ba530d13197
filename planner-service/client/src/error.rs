//! What can go wrong with a client command, and what the user can do about it.
//!
//! Invariant: every error has an exit code a script can rely on: 1 refused by the service, 2 wrong
//! command line, 3 the service did not answer.

use crate::api::ApiError;
use crate::condition::ConditionError;
use crate::endpoint::EndpointError;
use crate::keystone::KeystoneError;
use crate::moment::MomentError;
use crate::request::{Request, accepted};

/// Why a client command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The service refused or did not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The service refused and offers something else.
    #[error("{refusal}")]
    Offered {
        /// Why.
        refusal: ApiError,
        /// What it would accept, in lines.
        accepted: Vec<String>,
    },
    /// The service could not be found.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// A time cannot be meant.
    #[error(transparent)]
    Moment(#[from] MomentError),
    /// A condition on hosts cannot be read.
    #[error("--where: {0}")]
    Condition(#[from] ConditionError),
    /// Options contradict each other or lack something.
    #[error("{0}")]
    Usage(String),
    /// No object of this kind has this name.
    #[error("no {kind} is called '{name}'")]
    NoSuchName {
        /// `lease` or `host`
        kind: &'static str,
        /// As written.
        name: String,
    },
    /// Several objects have this name.
    #[error("{count} {kind}s are called '{name}': {ids}")]
    AmbiguousName {
        /// `lease` or `host`
        kind: &'static str,
        /// As written.
        name: String,
        /// How many.
        count: usize,
        /// Their ids.
        ids: String,
    },
    /// The answer lacks what the API promises.
    #[error("the service answered without '{0}'; is this the address of a reservation service?")]
    Answer(&'static str),
    /// The output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
}

impl ClientError {
    /// A call that failed; what the service offers is shown as a change of the request.
    pub(crate) fn refused(error: ApiError, request: &impl Request) -> Self {
        let accepted = match &error {
            ApiError::Refused { offers, .. } => accepted(request, offers),
            ApiError::Unreachable { .. }
            | ApiError::Gateway { .. }
            | ApiError::Redirected { .. }
            | ApiError::TooLong { .. }
            | ApiError::NotJson { .. }
            | ApiError::Address { .. }
            | ApiError::Client { .. } => Vec::new(),
        };
        if accepted.is_empty() {
            Self::Api(error)
        } else {
            Self::Offered {
                refusal: error,
                accepted,
            }
        }
    }

    /// The exit code: 1 refused or not found, 2 usage, 3 not reachable.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Api(ApiError::Unreachable { .. } | ApiError::Gateway { .. })
            | Self::Endpoint(EndpointError::Keystone(KeystoneError::Unreachable { .. })) => 3,
            Self::Api(ApiError::Address { .. } | ApiError::Client { .. })
            | Self::Moment(_)
            | Self::Condition(_)
            | Self::Usage(_)
            | Self::Endpoint(
                EndpointError::Keystone(
                    KeystoneError::Missing { .. }
                    | KeystoneError::Certificate { .. }
                    | KeystoneError::Client { .. }
                    | KeystoneError::Method { .. },
                )
                | EndpointError::Address { .. },
            ) => 2,
            Self::Api(
                ApiError::Refused { .. }
                | ApiError::NotJson { .. }
                | ApiError::Redirected { .. }
                | ApiError::TooLong { .. },
            )
            | Self::Endpoint(EndpointError::Keystone(
                KeystoneError::Refused { .. } | KeystoneError::Answer(_) | KeystoneError::NotInCatalog { .. },
            ))
            | Self::Offered { .. }
            | Self::NoSuchName { .. }
            | Self::AmbiguousName { .. }
            | Self::Answer(_)
            | Self::Output(_) => 1,
        }
    }

    /// What the user can do next, a line each.
    pub fn next_steps(&self) -> Vec<String> {
        if let Self::Offered { accepted, .. } = self {
            return accepted.clone();
        }
        self.next_step().into_iter().collect()
    }

    /// What the user can do next, in one sentence.
    fn next_step(&self) -> Option<String> {
        let text = match self {
            Self::Api(ApiError::Unreachable { .. }) => {
                "Start one with `berth serve`, or set BERTH_URL (or --url) to the address of a running service."
            }
            Self::Api(ApiError::Gateway { .. }) => "The service behind this address is down; try again later.",
            Self::Api(ApiError::Refused { status, message, .. }) => return refusal_hint(*status, message),
            Self::Api(ApiError::NotJson { .. } | ApiError::Redirected { .. } | ApiError::TooLong { .. })
            | Self::Answer(_) => {
                "Check BERTH_URL: it is the address given to `berth serve --listen`, with or without /v1."
            }
            Self::Endpoint(EndpointError::Keystone(error)) => return Some(error.next_step()),
            Self::NoSuchName { kind, .. } => return Some(format!("`berth {kind} list` shows what there is.")),
            Self::AmbiguousName { .. } => "Say which one by its id.",
            Self::Usage(_) | Self::Condition(_) | Self::Moment(_) => "Add --help to see what the command takes.",
            Self::Api(ApiError::Address { .. } | ApiError::Client { .. })
            | Self::Endpoint(EndpointError::Address { .. })
            | Self::Offered { .. }
            | Self::Output(_) => return None,
        };
        Some(text.to_owned())
    }
}

fn refusal_hint(status: u16, message: &str) -> Option<String> {
    let text = match status {
        401 => "Set BERTH_TOKEN (or --token) to a valid token, or the OS_* variables to log in with Keystone.",
        403 if message.contains("Policy") => "Your role does not allow this; ask an operator of the service.",
        404 => "It may have ended or been deleted; `berth lease list` and `berth host list` show what there is.",
        409 if message.contains("Not enough hosts") => {
            "Ask for fewer hosts, another time or a weaker condition; `berth what-if` with the same options tells what fits."
        }
        409 => "`berth lease show` tells the state it is in now.",
        503 => "This is no refusal: try again in a moment.",
        500..=599 => "The service failed; its log names the reason under the request id.",
        _ => return None,
    };
    Some(text.to_owned())
}
