//! Where notifications go.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use messaging::{BrokerSettings, NewsSettings, RabbitNews, RabbitSettings, RabbitSink, TransportUrl};
use planner_core::notification::Notifications;
use plugin_api::HostNews;
use presentation::notification::LeasePayload;
use regular_file::{LONGEST, RegularFile};
use secrecy::{ExposeSecret as _, SecretString};

use crate::options::{NotificationArguments, ServeArguments};

/// Makes the outlet of the broker that the options name, if they name one.
pub(super) fn choose(arguments: &NotificationArguments) -> anyhow::Result<Option<Notifications>> {
    let given = arguments.transport_url.as_ref().map(SecretString::expose_secret);
    let Some(address) = given.filter(|address| !address.is_empty()) else {
        return Ok(None);
    };
    if arguments.notification_topics.iter().any(String::is_empty) {
        bail!("--notification-topics: a topic is empty");
    }
    let settings = RabbitSettings {
        broker: broker(address)?,
        exchange: arguments.control_exchange.clone(),
        topics: arguments.notification_topics.clone(),
        publisher_id: arguments.publisher_id.clone(),
    };
    Ok(Some(Notifications {
        outlet: String::new(),
        format: Arc::new(LeasePayload),
        sink: Arc::new(RabbitSink::new(settings)),
    }))
}

/// Nova's notifications, if they are to be heard.
pub(super) fn news(arguments: &ServeArguments) -> anyhow::Result<Option<Arc<dyn HostNews>>> {
    if !arguments.enable_notification_monitor {
        return Ok(None);
    }
    let Some(address) = &arguments.notifications.transport_url else {
        bail!("--enable-notification-monitor needs --transport-url, the broker that Nova notifies");
    };
    Ok(Some(Arc::new(RabbitNews::new(NewsSettings {
        broker: broker(address.expose_secret())?,
        exchange: arguments.nova_exchange.clone(),
        topics: arguments.nova_topics.clone(),
    }))))
}

fn broker(address: &str) -> anyhow::Result<BrokerSettings> {
    let url = TransportUrl::parse(address).context("--transport-url")?;
    let read = |path: &str| {
        RegularFile::open(Path::new(path))
            .and_then(|file| file.text(LONGEST))
            .with_context(|| format!("--transport-url: ssl_ca_file {path} cannot be read"))
    };
    Ok(BrokerSettings {
        authority: url.authority_file().map(read).transpose()?,
        url,
    })
}
