//! Notifications as OpenStack's services send them: oslo.messaging's envelope, over RabbitMQ.
//!
//! Invariant: a notification counts as sent when the broker has confirmed it in every topic's queue, and not before.

mod address;
mod broker;
mod envelope;
mod news;
mod rabbit;

pub use address::{AddressError, TransportUrl};
pub use broker::BrokerSettings;
pub use news::{NewsSettings, RabbitNews};
pub use rabbit::{RabbitSettings, RabbitSink};
