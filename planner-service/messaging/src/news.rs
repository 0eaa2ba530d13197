//! Nova's versioned notifications about compute services, heard over RabbitMQ.
//!
//! Invariant: what is heard says only that something has changed, never what: the monitor is asked then. So nothing is
//! lost while the broker is away, and whoever can write to the exchange can make nothing fail. The queue is Berth's own and
//! goes with its connection, so that other listeners miss nothing.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, Consumer, ExchangeKind};
use plugin_api::{HostNews, InventoryError};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::broker::{Broker, BrokerSettings};

/// How long it must be quiet before news is passed on: services of many hosts may change at once.
const QUIET: Duration = Duration::from_millis(200);
/// The longest that news waits for quiet.
const LONGEST: Duration = Duration::from_secs(2);

/// What Nova calls every notification of a compute service.
const EVENTS: &str = "service.";

/// Where Nova tells.
#[derive(Debug, Clone)]
pub struct NewsSettings {
    /// The brokers.
    pub broker: BrokerSettings,
    /// Nova's `control_exchange`.
    pub exchange: String,
    /// Its topics.
    pub topics: Vec<String>,
}

/// An open connection with what comes over it.
struct Open {
    consumer: Consumer,
    // Closes when it is dropped, and the queue goes with it.
    _connection: Connection,
}

/// Nova's notifications as news of hosts.
pub struct RabbitNews {
    broker: Broker,
    exchange: String,
    topics: Vec<String>,
    open: Mutex<Option<Open>>,
}

impl RabbitNews {
    /// News that connects when somebody waits for it.
    pub fn new(settings: NewsSettings) -> Self {
        Self {
            broker: Broker::new(settings.broker, "news of hosts"),
            exchange: settings.exchange,
            topics: settings.topics,
            open: Mutex::new(None),
        }
    }

    async fn connect(&self) -> Result<Open, String> {
        let connection = self.broker.connect().await.map_err(|error| error.to_string())?;
        let consumer = self.consume(&connection).await;
        Ok(Open {
            consumer: consumer.map_err(|error| error.to_string())?,
            _connection: connection,
        })
    }

    /// A queue of our own that gets what the topics get, whatever its priority.
    async fn consume(&self, connection: &Connection) -> Result<Consumer, lapin::Error> {
        let exchange = self.exchange.as_str();
        let channel = connection.create_channel().await?;
        let options = ExchangeDeclareOptions {
            durable: self.broker.settings.url.durable,
            ..ExchangeDeclareOptions::default()
        };
        channel
            .exchange_declare(exchange.into(), ExchangeKind::Topic, options, FieldTable::default())
            .await?;
        let options = QueueDeclareOptions {
            exclusive: true,
            auto_delete: true,
            ..QueueDeclareOptions::default()
        };
        let queue = channel.queue_declare("".into(), options, FieldTable::default()).await?;
        for topic in &self.topics {
            let key = format!("{topic}.*");
            let name = queue.name().as_str();
            channel
                .queue_bind(
                    name.into(),
                    exchange.into(),
                    key.as_str().into(),
                    QueueBindOptions::default(),
                    FieldTable::default(),
                )
                .await?;
        }
        let options = BasicConsumeOptions {
            no_ack: true,
            ..BasicConsumeOptions::default()
        };
        let name = queue.name().as_str();
        channel
            .basic_consume(name.into(), "".into(), options, FieldTable::default())
            .await
    }

    /// Waits for a message about a service; an error if the connection is lost.
    async fn heard(&self) -> Result<(), String> {
        let mut slot = self.open.lock().await;
        let fresh = slot.is_none();
        // Taken out, so that a failure drops it.
        let mut open = match slot.take() {
            Some(open) => open,
            None => self.connect().await?,
        };
        if !fresh {
            loop {
                let delivery = open.consumer.next().await.ok_or("the connection is closed")?;
                if is_about_services(&delivery.map_err(|error| error.to_string())?.data) {
                    break;
                }
            }
        }
        // What has happened before there was a connection is news as well.
        let quiet = async { while let Ok(Some(Ok(_))) = tokio::time::timeout(QUIET, open.consumer.next()).await {} };
        let _ = tokio::time::timeout(LONGEST, quiet).await;
        *slot = Some(open);
        Ok(())
    }
}

#[async_trait]
impl HostNews for RabbitNews {
    async fn next(&self) -> Result<(), InventoryError> {
        let heard = self.heard().await;
        heard.map_err(|error| InventoryError::Unavailable(format!("Nova's notifications: {error}")))
    }
}

/// Whether a message, in oslo.messaging's envelope or bare, is about a service.
fn is_about_services(body: &[u8]) -> bool {
    let read = |text: &[u8]| serde_json::from_slice::<Value>(text).ok();
    let Some(outer) = read(body) else { return false };
    let inner = outer.get("oslo.message").and_then(Value::as_str);
    let message = inner.and_then(|text| read(text.as_bytes())).unwrap_or(outer);
    let event = message.get("event_type").and_then(Value::as_str);
    event.is_some_and(|event| event.starts_with(EVENTS))
}

#[cfg(test)]
mod tests {
    use super::is_about_services;

    #[test]
    fn only_messages_about_services_are_news() {
        let enveloped = |event: &str| {
            let inner = format!(r#"{{"event_type": "{event}", "payload": {{}}}}"#);
            serde_json::json!({"oslo.version": "2.0", "oslo.message": inner}).to_string()
        };
        assert!(is_about_services(enveloped("service.update").as_bytes()));
        assert!(is_about_services(br#"{"event_type": "service.delete"}"#));
        for other in [
            enveloped("instance.update").as_str(),
            "{}",
            "[]",
            "no JSON",
            r#"{"oslo.message": "["}"#,
        ] {
            assert!(!is_about_services(other.as_bytes()), "{other}");
        }
    }
}
