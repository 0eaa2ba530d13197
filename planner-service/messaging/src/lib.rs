//! Notifications as OpenStack's services send them: oslo.messaging's envelope, over RabbitMQ.
//!
//! Invariant: a notification counts as sent when the broker has confirmed it in every topic's queue, and not before.

mod address;
mod envelope;
mod rabbit;

pub use address::{AddressError, TransportUrl};
pub use rabbit::{RabbitSettings, RabbitSink};
