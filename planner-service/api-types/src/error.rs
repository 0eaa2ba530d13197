//! Errors on the wire: upstream's two shapes, Keystone's, and RFC 9457.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::capacity::{Conflict, Offer};

/// An error of the service itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceError {
    /// The HTTP status.
    pub error_code: u16,
    /// The text for the user.
    pub error_message: String,
    /// The HTTP status again, or a name for what is unexpected.
    pub error_name: ErrorName,
    /// Why there are not enough hosts; not in upstream's bodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Box<Conflict>>,
    /// What would be accepted instead; not in upstream's bodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offers: Option<Vec<Offer>>,
}

/// `error_name` of [`ServiceError`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ErrorName {
    /// The HTTP status.
    Code(u16),
    /// e.g. `INTERNAL_SERVER_ERROR`
    Name(String),
}

/// An error of the HTTP framework: no such route, unreadable body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkError {
    /// The HTTP status.
    pub error: u16,
    /// The text for the user.
    pub error_message: String,
}

/// No valid token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnauthorizedBody {
    /// The error.
    pub error: Unauthorized,
}

/// The error of [`UnauthorizedBody`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unauthorized {
    /// 401
    pub code: u16,
    /// `Unauthorized`
    pub title: String,
    /// The text for the user.
    pub message: String,
}

/// RFC 9457 problem details, the errors of `/capacity/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the status says what kind it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The text for the user.
    pub detail: String,
}
