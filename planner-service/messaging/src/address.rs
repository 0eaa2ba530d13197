//! oslo.messaging's transport URL: `rabbit://user:password@host:port,user:password@host:port/vhost?option=value`.
//!
//! Invariant: neither an error nor the debug form shows what the URL says, because it holds passwords.

use percent_encoding::percent_decode_str;
use url::form_urlencoded;

/// Schemes that mean RabbitMQ.
const SCHEMES: [&str; 2] = ["rabbit", "kombu"];

/// RabbitMQ's ports without and with TLS.
const PORTS: [u16; 2] = [5672, 5671];

/// What is wrong with a transport URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme, or none.
    #[error("the transport URL must begin with rabbit://")]
    Scheme,
    /// A host is empty.
    #[error("host {0} of the transport URL has no name")]
    Host(usize),
    /// A port is no port.
    #[error("host {0} of the transport URL has a port that is no number from 1 to 65535")]
    Port(usize),
    /// Percent signs that encode no text.
    #[error("the transport URL has percent signs that do not stand for UTF-8 text")]
    Encoding,
}

/// Which brokers, and how to speak to them.
#[derive(Clone, PartialEq, Eq)]
pub struct TransportUrl {
    /// The nodes, in the order in which they are tried; at least one.
    pub(crate) hosts: Vec<Host>,
    /// The virtual host, `/` if none is named.
    pub(crate) virtual_host: String,
    /// Whether to speak TLS.
    pub(crate) tls: bool,
    /// PEM file with the certificates of the brokers' authority; `None`: the system's.
    pub(crate) authority_file: Option<String>,
    /// Whether exchange and queues that do not exist yet are made to survive a restart of the broker.
    pub(crate) durable: bool,
}

/// One node.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl std::fmt::Debug for TransportUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hosts: Vec<String> = self.hosts.iter().map(Host::place).collect();
        formatter
            .debug_struct("TransportUrl")
            .field("hosts", &hosts)
            .finish_non_exhaustive()
    }
}

impl Host {
    /// The node without credentials, for messages.
    pub(crate) fn place(&self) -> String {
        let name = &self.name;
        let port = self.port;
        if name.contains(':') {
            format!("[{name}]:{port}")
        } else {
            format!("{name}:{port}")
        }
    }
}

impl TransportUrl {
    /// Reads a URL as oslo.messaging does. A host without user and password takes those of the host before it, the
    /// first one RabbitMQ's `guest`. Of the options after `?`, `ssl`, `ssl_ca_file` and `amqp_durable_queues` are used.
    ///
    /// # Errors
    /// As [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        if !SCHEMES.contains(&scheme) {
            return Err(AddressError::Scheme);
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let option = |wanted: &str| {
            form_urlencoded::parse(query.as_bytes())
                .filter(|(name, _)| name == wanted)
                .map(|(_, value)| value.into_owned())
                .last()
        };
        let is_on = |wanted: &str| {
            option(wanted)
                .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"))
        };
        let tls = is_on("ssl");
        let mut credentials = ("guest".to_owned(), "guest".to_owned());
        let mut read = Vec::new();
        for (index, host) in hosts.split(',').enumerate() {
            let (user, place) = match host.rsplit_once('@') {
                Some((user, place)) => (Some(user), place),
                None => (None, host),
            };
            if let Some(user) = user {
                let (user, password) = user.split_once(':').unwrap_or((user, ""));
                credentials = (decoded(user)?, decoded(password)?);
            }
            let (name, port) = name_and_port(place, index + 1)?;
            read.push(Host {
                name,
                port: port.unwrap_or(PORTS[usize::from(tls)]),
                user: credentials.0.clone(),
                password: credentials.1.clone(),
            });
        }
        let virtual_host = match decoded(path)? {
            path if path.is_empty() => "/".to_owned(),
            path => path,
        };
        Ok(Self {
            hosts: read,
            virtual_host,
            tls,
            authority_file: option("ssl_ca_file"),
            durable: is_on("amqp_durable_queues"),
        })
    }

    /// File with the certificates of the brokers' authority, if one is named.
    pub fn authority_file(&self) -> Option<&str> {
        self.authority_file.as_deref()
    }
}

fn decoded(text: &str) -> Result<String, AddressError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| AddressError::Encoding)
}

fn name_and_port(place: &str, number: usize) -> Result<(String, Option<u16>), AddressError> {
    let (name, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, rest)) => (name, rest.strip_prefix(':')),
        None => match place.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (place, None),
        },
    };
    if name.is_empty() {
        return Err(AddressError::Host(number));
    }
    let port = match port {
        None | Some("") => None,
        Some(port) => match port.parse::<u16>() {
            Ok(port @ 1..) => Some(port),
            _ => return Err(AddressError::Port(number)),
        },
    };
    Ok((name.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Vec<(String, String, String)> {
        let url = TransportUrl::parse(text).unwrap();
        let hosts = url.hosts.into_iter();
        hosts.map(|host| (host.place(), host.user, host.password)).collect()
    }

    fn entry(place: &str, user: &str, password: &str) -> (String, String, String) {
        (place.to_owned(), user.to_owned(), password.to_owned())
    }

    #[test]
    fn several_hosts_share_what_is_said_once() {
        assert_eq!(
            hosts("rabbit://blazar:p%40ss@one:5000,[::1],other:x@three:6000/cloud"),
            [
                entry("one:5000", "blazar", "p@ss"),
                entry("[::1]:5672", "blazar", "p@ss"),
                entry("three:6000", "other", "x"),
            ]
        );
        assert_eq!(hosts("kombu://one"), [entry("one:5672", "guest", "guest")]);
    }

    #[test]
    fn virtual_host_and_options_are_read() {
        let virtual_host = |text: &str| TransportUrl::parse(text).unwrap().virtual_host;
        assert_eq!(virtual_host("rabbit://one"), "/");
        assert_eq!(virtual_host("rabbit://one/"), "/");
        assert_eq!(virtual_host("rabbit://one//"), "/");
        assert_eq!(virtual_host("rabbit://one/cloud"), "cloud");
        let url = TransportUrl::parse("rabbit://one/?ssl=True&ssl_ca_file=/etc/ca.pem&amqp_durable_queues=1").unwrap();
        assert_eq!((url.tls, url.durable, url.hosts[0].port), (true, true, 5671));
        assert_eq!(url.authority_file(), Some("/etc/ca.pem"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (text, error) in [
            ("fake://one", AddressError::Scheme),
            ("one:5672", AddressError::Scheme),
            ("rabbit://", AddressError::Host(1)),
            ("rabbit://one,u:secret@/", AddressError::Host(2)),
            ("rabbit://u:secret@one:65536", AddressError::Port(1)),
            ("rabbit://u:%ff@one", AddressError::Encoding),
        ] {
            assert_eq!(TransportUrl::parse(text), Err(error), "{text}");
        }
        let shown = format!("{:?}", TransportUrl::parse("rabbit://u:secret@one").unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
