//! RabbitMQ as the sink of notifications.
//!
//! Invariants: a message is published as mandatory and confirmed by the broker, so that "sent" means that it is in a
//! queue; after any failure the connection is thrown away, and exchange and queues are looked at afresh. What exists
//! is used as it is: only what is missing is made, as oslo.messaging would.

use async_trait::async_trait;
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ErrorKind, ExchangeKind};
use planner_core::domain::Notification;
use planner_core::notification::{NotificationSink, SinkError};
use tokio::sync::Mutex;

use crate::broker::{Broker, BrokerSettings, ConnectError};
use crate::envelope::{PRIORITY, envelope};

/// A message that survives a restart of the broker, if its queue does.
const PERSISTENT: u8 = 2;

/// Why a notification is not known to be in its queues.
#[derive(Debug, thiserror::Error)]
enum BrokerError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("exchange or queue cannot be used: {0}")]
    Declare(lapin::Error),
    #[error("the broker did not answer: {0}")]
    Publish(lapin::Error),
    #[error("the broker did not take the message for {0}")]
    Refused(String),
    #[error("nothing receives {0}")]
    Unroutable(String),
    #[error("the payload is no JSON: {0}")]
    Payload(#[from] serde_json::Error),
}

/// What is sent where.
#[derive(Debug, Clone)]
pub struct RabbitSettings {
    /// The brokers.
    pub broker: BrokerSettings,
    /// The exchange: `control_exchange` of oslo.messaging.
    pub exchange: String,
    /// Topics; each gets every notification, in the queue `TOPIC.info`.
    pub topics: Vec<String>,
    /// Who sends.
    pub publisher_id: String,
}

/// An open connection.
struct Open {
    channel: Channel,
    // Closes when it is dropped.
    _connection: Connection,
}

/// RabbitMQ as the sink of notifications.
pub struct RabbitSink {
    broker: Broker,
    exchange: String,
    topics: Vec<String>,
    publisher_id: String,
    open: Mutex<Option<Open>>,
}

impl RabbitSink {
    /// A sink that connects when there is something to send.
    pub fn new(settings: RabbitSettings) -> Self {
        Self {
            broker: Broker::new(settings.broker, "notifications"),
            exchange: settings.exchange,
            topics: settings.topics,
            publisher_id: settings.publisher_id,
            open: Mutex::new(None),
        }
    }

    async fn connect(&self) -> Result<Open, BrokerError> {
        let connection = self.broker.connect().await?;
        let channel = self.declare(&connection).await.map_err(BrokerError::Declare)?;
        Ok(Open {
            channel,
            _connection: connection,
        })
    }

    /// A channel on which exchange and queues are known to exist.
    async fn declare(&self, connection: &Connection) -> Result<Channel, lapin::Error> {
        let exchange = self.exchange.as_str();
        let mut channel = connection.create_channel().await?;
        let declare = async |channel: &Channel, passive: bool| {
            let options = ExchangeDeclareOptions {
                passive,
                durable: self.broker.settings.url.durable,
                ..ExchangeDeclareOptions::default()
            };
            let arguments = FieldTable::default();
            channel
                .exchange_declare(exchange.into(), ExchangeKind::Topic, options, arguments)
                .await
        };
        if is_found(declare(&channel, true).await)?.is_none() {
            // The answer "not found" has closed the channel.
            channel = connection.create_channel().await?;
            declare(&channel, false).await?;
        }
        for queue in self.queues() {
            let declare = async |channel: &Channel, passive: bool| {
                let options = QueueDeclareOptions {
                    passive,
                    durable: self.broker.settings.url.durable,
                    ..QueueDeclareOptions::default()
                };
                channel
                    .queue_declare(queue.as_str().into(), options, FieldTable::default())
                    .await
            };
            if is_found(declare(&channel, true).await)?.is_none() {
                channel = connection.create_channel().await?;
                declare(&channel, false).await?;
            }
            let (name, key) = (queue.as_str(), queue.as_str());
            let options = QueueBindOptions::default();
            channel
                .queue_bind(name.into(), exchange.into(), key.into(), options, FieldTable::default())
                .await?;
        }
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(channel)
    }

    /// Names of the queues, which are the routing keys as well.
    fn queues(&self) -> impl Iterator<Item = String> {
        self.topics.iter().map(|topic| format!("{topic}.{PRIORITY}"))
    }

    async fn publish(&self, channel: &Channel, queue: &str, body: &[u8]) -> Result<(), BrokerError> {
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_content_encoding("utf-8".into())
            .with_delivery_mode(PERSISTENT)
            .with_priority(0);
        let exchange = self.exchange.as_str().into();
        let confirmation = channel
            .basic_publish(exchange, queue.into(), options, body, properties)
            .await
            .map_err(BrokerError::Publish)?
            .await
            .map_err(BrokerError::Publish)?;
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(_)) => Err(BrokerError::Unroutable(queue.to_owned())),
            Confirmation::Nack(_) | Confirmation::NotRequested => Err(BrokerError::Refused(queue.to_owned())),
        }
    }

    async fn try_send(&self, notification: &Notification) -> Result<(), BrokerError> {
        let body = envelope(notification, &self.publisher_id)?;
        let mut slot = self.open.lock().await;
        // Taken out, so that a failure, or a caller that stops waiting, drops it.
        let open = match slot.take() {
            Some(open) if open.channel.status().connected() => open,
            _ => self.connect().await?,
        };
        for queue in self.queues() {
            self.publish(&open.channel, &queue, &body).await?;
        }
        *slot = Some(open);
        Ok(())
    }
}

/// Whether a passive declaration found its object; other errors pass through.
fn is_found<T>(declared: Result<T, lapin::Error>) -> Result<Option<T>, lapin::Error> {
    match declared {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_absence(error: &lapin::Error) -> bool {
    let absent = AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND);
    matches!(error.kind(), ErrorKind::ProtocolError(answer) if *answer.kind() == absent)
}

#[async_trait]
impl NotificationSink for RabbitSink {
    async fn send(&self, notification: &Notification) -> Result<(), SinkError> {
        let sent = self.try_send(notification).await;
        sent.map_err(|error| SinkError(error.to_string()))
    }
}
