//! Where notifications go.

use std::sync::Arc;

use anyhow::{Context, bail};
use messaging::{RabbitSettings, RabbitSink, TransportUrl};
use planner_core::notification::Notifications;
use presentation::notification::LeasePayload;

use crate::options::NotificationArguments;

/// Makes the sink that the options name, if they name one.
pub(super) fn choose(arguments: &NotificationArguments) -> anyhow::Result<Option<Notifications>> {
    let Some(address) = arguments.transport_url.as_deref().filter(|address| !address.is_empty()) else {
        return Ok(None);
    };
    let url = TransportUrl::parse(address).context("--transport-url")?;
    if arguments.notification_topics.iter().any(String::is_empty) {
        bail!("--notification-topics: a topic is empty");
    }
    let read = |path: &str| {
        std::fs::read_to_string(path).with_context(|| format!("--transport-url: ssl_ca_file {path} cannot be read"))
    };
    let settings = RabbitSettings {
        authority: url.authority_file().map(read).transpose()?,
        url,
        exchange: arguments.control_exchange.clone(),
        topics: arguments.notification_topics.clone(),
        publisher_id: arguments.publisher_id.clone(),
    };
    Ok(Some(Notifications {
        format: Arc::new(LeasePayload),
        sink: Arc::new(RabbitSink::new(settings)),
    }))
}
