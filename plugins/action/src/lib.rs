//! Telling the operator's machinery what happens to reservations.
//!
//! Invariant: done means that the receiver said so: a 2xx answer, or exit code 0, in time. Everything else is tried again
//! with the same key. Whatever a receiver does, it costs Berth bounded time and memory, and what it says is escaped.

mod command;
mod delivery;
mod signature;
mod standalone;
#[cfg(test)]
mod tests;
mod webhook;

use async_trait::async_trait;
use plugin_api::PluginError;

pub use command::Command;
pub use delivery::{Delivery, DeliveryError, VARIABLE_LIMIT};
pub use signature::{Secret, UnusableSecret};
pub use standalone::{Check, Receivers, Standalone};
pub use webhook::{Now, Webhook};

/// How much of a receiver's complaint is passed on, in characters.
pub const LONGEST_COMPLAINT: usize = 300;

/// How much of a receiver's complaint is read, in bytes.
pub const COMPLAINT_BYTES: usize = 4096;

/// Somebody who is told.
#[async_trait]
pub trait Receiver: Send + Sync {
    /// Tells one thing; done when the receiver says that it is.
    ///
    /// # Errors
    /// Says whether the receiver may have heard of it.
    async fn deliver(&self, delivery: &Delivery) -> Result<(), Undelivered>;
}

/// Why a delivery was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// It certainly did not arrive.
    #[error("{reason}")]
    Unreached {
        /// `webhook` or `command`.
        service: &'static str,
        /// Why, escaped.
        reason: String,
    },
    /// It may have arrived.
    #[error("{reason}")]
    Unacknowledged {
        /// `webhook` or `command`.
        service: &'static str,
        /// Why, escaped.
        reason: String,
        /// The HTTP status of the answer, if there was one.
        status: Option<u16>,
    },
}

impl Undelivered {
    /// What the lifecycle is told. `is_first`: nobody else was told before.
    fn of_reservation(self, delivery: &Delivery, is_first: bool) -> PluginError {
        let operation = format!("carry out the {} of {}", delivery.event, delivery.subject);
        match self {
            Self::Unreached { service, reason } if is_first => PluginError::Unreached {
                service,
                operation,
                reason,
            },
            Self::Unreached { service, reason } | Self::Unacknowledged { service, reason, .. } => {
                PluginError::Unavailable {
                    service,
                    operation,
                    reason,
                }
            }
        }
    }
}
