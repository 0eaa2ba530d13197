//! What goes wrong, as HTTP: the one place that chooses status codes and error bodies.
//!
//! Invariant: [`ApiError::Internal`] (500) is only for defects of this program, never for what a
//! client sent nor for a dependency that is down.

use api_types::error::{
    ErrorName, FrameworkError, Problem, ServiceError as ServiceBody, Unauthorized, UnauthorizedBody,
};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use planner_core::question::Scarce;
use planner_core::service::ServiceError;
use plugin_api::echo::{cut, shortened};

use crate::convert::capacity;
use crate::respond::{json, typed};
use crate::trusts::TrustError;

/// Longest text of an error, in characters. What is quoted in it is shorter: see [`plugin_api::echo`].
const LONGEST_MESSAGE: usize = 4_000;

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The service's own answer.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// 400: a change of a host without any change.
    #[error("No data to update")]
    NothingToUpdate,
    /// 404: no such route.
    #[error(
        "The requested URL was not found on the server. If you entered the URL manually please check your spelling \
         and try again."
    )]
    NoRoute,
    /// 405: the route does not know the method.
    #[error("The method is not allowed for the requested URL.")]
    MethodNotAllowed,
    /// 400: the body is not of a type that is read here.
    #[error("Content type '{}' isn't supported", shortened(.0))]
    ContentType(String),
    /// 400: the body cannot be read.
    #[error("{0}")]
    Body(String),
    /// 408: the body did not arrive in time.
    #[error("The request body did not arrive within {0} seconds.")]
    BodyTimeout(u64),
    /// 413: the body is too long.
    #[error("The request body is larger than {0} bytes.")]
    BodyTooLarge(usize),
    /// 406: a microversion that does not exist.
    #[error("Version {} is not supported by the API. Minimum is 1.0 and maximum is 1.0.", shortened(.0))]
    VersionNotSupported(String),
    /// 400: not a microversion.
    #[error("API Version String {} is of invalid format. Must be of format MajorNum.MinorNum.", shortened(.0))]
    VersionMalformed(String),
    /// 401: no valid token.
    #[error("The request you have made requires authentication.")]
    Unauthenticated {
        /// Value of `WWW-Authenticate`.
        challenge: String,
    },
    /// 403: the token is valid but cannot be used here.
    #[error("{0}")]
    Forbidden(String),
    /// 503: whoever decides about tokens or trusts does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// 500: a defect of this program.
    #[error("Internal Server Error")]
    Internal,
}

impl ApiError {
    /// 400 with a text for the user.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Service(ServiceError::Invalid(text.into()))
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Service(error) => match error {
                ServiceError::NotFound { .. } | ServiceError::Missing(_) => StatusCode::NOT_FOUND,
                ServiceError::Forbidden { .. } | ServiceError::OutOfLimits(_) => StatusCode::FORBIDDEN,
                ServiceError::Invalid(_) | ServiceError::NotOffered { .. } | ServiceError::Denied(_) => {
                    StatusCode::BAD_REQUEST
                }
                // Upstream's answer, and what is short is in the text.
                ServiceError::Shortage(shortage) if shortage.of == Scarce::FloatingIps => StatusCode::BAD_REQUEST,
                ServiceError::Conflict(_) | ServiceError::Shortage(_) => StatusCode::CONFLICT,
                ServiceError::Undecided(_) | ServiceError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            },
            Self::NothingToUpdate | Self::ContentType(_) | Self::Body(_) | Self::VersionMalformed(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout(_) => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::VersionNotSupported(_) => StatusCode::NOT_ACCEPTABLE,
            Self::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The text for the caller: of bounded length whatever is quoted in it, and without addresses of services that
    /// failed, which the log has.
    fn message(&self) -> String {
        let text = self.to_string();
        let is_of_others = matches!(self, Self::Service(ServiceError::Unavailable(_)) | Self::Unavailable(_));
        let text = if is_of_others { without_addresses(&text) } else { text };
        cut(&text, LONGEST_MESSAGE)
    }

    fn log(&self) {
        let status = self.status();
        if status.is_server_error() {
            tracing::warn!(status = status.as_u16(), error = %self, "request failed");
        } else {
            tracing::debug!(status = status.as_u16(), error = %self, "request refused");
        }
    }
}

impl From<TrustError> for ApiError {
    fn from(error: TrustError) -> Self {
        match error {
            TrustError::Refused(text) => Self::Forbidden(text),
            TrustError::Unavailable(text) => Self::Unavailable(text),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let status = self.status();
        let code = status.as_u16();
        let message = self.message();
        match self {
            Self::Service(ServiceError::Shortage(shortage)) => {
                let conflict = shortage.conflict.as_ref().map(capacity::conflict);
                let body = ServiceBody {
                    error_code: code,
                    error_message: message,
                    error_name: ErrorName::Code(code),
                    offers: conflict
                        .is_some()
                        .then(|| shortage.offers.iter().map(capacity::offer).collect()),
                    conflict: conflict.map(Box::new),
                };
                json(status, &body)
            }
            Self::Service(_) | Self::Forbidden(_) | Self::Unavailable(_) => {
                service_shape(status, message, ErrorName::Code(code))
            }
            Self::NothingToUpdate | Self::Internal => {
                service_shape(status, message, ErrorName::Name("INTERNAL_SERVER_ERROR".to_owned()))
            }
            Self::Unauthenticated { challenge } => {
                let error = Unauthorized {
                    code,
                    title: "Unauthorized".to_owned(),
                    message,
                };
                let mut response = json(status, &UnauthorizedBody { error });
                if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                }
                response
            }
            Self::NoRoute
            | Self::MethodNotAllowed
            | Self::ContentType(_)
            | Self::Body(_)
            | Self::BodyTimeout(_)
            | Self::BodyTooLarge(_)
            | Self::VersionNotSupported(_)
            | Self::VersionMalformed(_) => json(
                status,
                &FrameworkError {
                    error: code,
                    error_message: message,
                },
            ),
        }
    }
}

/// The text without the addresses that the HTTP client adds to what went wrong.
fn without_addresses(text: &str) -> String {
    const BEFORE: &str = " for url (";
    let mut parts = text.split(BEFORE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once(')').map_or("", |(_, after)| after)
    })
}

fn service_shape(status: StatusCode, error_message: String, error_name: ErrorName) -> Response {
    json(
        status,
        &ServiceBody {
            error_code: status.as_u16(),
            error_message,
            error_name,
            conflict: None,
            offers: None,
        },
    )
}

/// An error of `/capacity/v1`: the same status and text in the shape of RFC 9457.
#[derive(Debug)]
pub(crate) struct ProblemError(ApiError);

impl<E: Into<ApiError>> From<E> for ProblemError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for ProblemError {
    fn into_response(self) -> Response {
        self.0.log();
        let status = self.0.status();
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: self.0.message(),
        };
        typed(status, "application/problem+json", &problem)
    }
}
