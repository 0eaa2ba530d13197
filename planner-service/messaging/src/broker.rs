//! Ways into RabbitMQ.
//!
//! Invariant: whoever waits for a connection may give up in the middle; the next attempt begins with the next node.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Connection, ConnectionProperties};

use crate::address::{Host, TransportUrl};

/// How long one node may take to let us in.
const PATIENCE: Duration = Duration::from_secs(5);

/// Seconds between two signs of life.
const HEARTBEAT: u16 = 30;

/// No node lets us in; why each does not.
#[derive(Debug, thiserror::Error)]
#[error("no broker lets us in: {0}")]
pub(crate) struct ConnectError(String);

/// Where the brokers are, and how to speak to them.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// The brokers.
    pub url: TransportUrl,
    /// Certificates of the brokers' authority in PEM form; `None`: the system's.
    pub authority: Option<String>,
}

/// The brokers of one transport URL.
pub(crate) struct Broker {
    pub(crate) settings: BrokerSettings,
    /// What the brokers show of who is connected.
    purpose: &'static str,
    /// Which node is tried first.
    first: AtomicUsize,
}

impl Broker {
    pub(crate) const fn new(settings: BrokerSettings, purpose: &'static str) -> Self {
        Self {
            settings,
            purpose,
            first: AtomicUsize::new(0),
        }
    }

    /// A connection to the first node that lets us in.
    pub(crate) async fn connect(&self) -> Result<Connection, ConnectError> {
        let mut failures = Vec::new();
        let hosts = self.settings.url.hosts.iter().enumerate();
        let count = hosts.len();
        let first = self.first.load(Ordering::Relaxed) % count.max(1);
        for (index, host) in hosts.cycle().skip(first).take(count) {
            self.first.store(index + 1, Ordering::Relaxed);
            let opened = tokio::time::timeout(PATIENCE, self.connect_to(host)).await;
            let failure = match opened {
                Ok(Ok(connection)) => {
                    self.first.store(index, Ordering::Relaxed);
                    tracing::info!(broker = %host.place(), "connected for {}", self.purpose);
                    return Ok(connection);
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            failures.push(format!("{}: {failure}", host.place()));
        }
        Err(ConnectError(failures.join("; ")))
    }

    async fn connect_to(&self, host: &Host) -> Result<Connection, lapin::Error> {
        let url = &self.settings.url;
        let uri = AMQPUri {
            scheme: if url.tls { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: host.user.clone(),
                    password: host.password.clone(),
                },
                host: host.name.clone(),
                port: host.port,
            },
            vhost: url.virtual_host.clone(),
            query: AMQPQueryString {
                heartbeat: Some(HEARTBEAT),
                ..AMQPQueryString::default()
            },
        };
        let name = format!("berth {}", self.purpose);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let tls = OwnedTLSConfig {
            identity: None,
            cert_chain: self.settings.authority.clone(),
        };
        Connection::connect_uri_with_config(uri, properties, tls, lapin::runtime::default_runtime()?).await
    }
}
