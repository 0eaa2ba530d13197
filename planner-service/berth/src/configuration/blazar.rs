//! Blazar's own configuration file, as options of `berth serve`.
//!
//! Invariant: every option of the file is used or named as ignored; none is taken for something else. The database of
//! the file is Blazar's and is never opened by the service.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use oslo_config::{DEFAULT_GROUP, Document};
use toml::{Table, Value};

use super::Key;

/// Group of Berth's own options in the file; names are the flags', with underscores.
const OWN_GROUP: &str = "berth";

/// Options that mean the same under another name: group, name, Berth's name.
const SAME: [(&str, &str, &str); 29] = [
    (DEFAULT_GROUP, "os_admin_username", "os_username"),
    (DEFAULT_GROUP, "os_admin_password", "os_password"),
    (DEFAULT_GROUP, "os_admin_project_name", "os_project_name"),
    (DEFAULT_GROUP, "os_admin_user_domain_name", "os_user_domain_name"),
    (DEFAULT_GROUP, "os_admin_project_domain_name", "os_project_domain_name"),
    (DEFAULT_GROUP, "os_region_name", "region"),
    (DEFAULT_GROUP, "cafile", "os_cacert"),
    (DEFAULT_GROUP, "endpoint_type", "endpoint_type"),
    ("placement", "endpoint_type", "endpoint_type"),
    ("nova", "endpoint_type", "endpoint_type"),
    (DEFAULT_GROUP, "cleaning_time", "cleaning_time"),
    ("manager", "minutes_before_end_lease", "minutes_before_end_lease"),
    ("physical:host", "blazar_az_prefix", "blazar_az_prefix"),
    ("physical:host", "before_end", "before_end"),
    ("physical:host", "polling_interval", "polling_interval"),
    ("physical:host", "healing_interval", "healing_interval"),
    // Where it was before Blazar moved it.
    ("physical:host", "aggregate_freepool_name", "aggregate_freepool_name"),
    ("nova", "aggregate_freepool_name", "aggregate_freepool_name"),
    ("nova", "image_prefix", "image_prefix"),
    ("nova", "blazar_owner", "blazar_owner"),
    ("oslo_policy", "policy_file", "policy_file"),
    ("enforcement", "max_lease_duration", "max_lease_duration"),
    (
        "enforcement",
        "external_service_base_endpoint",
        "external_service_base_endpoint",
    ),
    (
        "enforcement",
        "external_service_check_create_endpoint",
        "external_service_check_create_endpoint",
    ),
    (
        "enforcement",
        "external_service_check_update_endpoint",
        "external_service_check_update_endpoint",
    ),
    (
        "enforcement",
        "external_service_on_end_endpoint",
        "external_service_on_end_endpoint",
    ),
    ("enforcement", "external_service_token", "external_service_token"),
    (DEFAULT_GROUP, "control_exchange", "control_exchange"),
    ("notifications", "publisher_id", "publisher_id"),
];

/// Options for which a blank is a value of its own, the empty text. For all others it means that they are not set.
const MAY_BE_EMPTY: [&str; 2] = ["blazar_az_prefix", "image_prefix"];

/// What needs a filter of usage enforcement.
const OF_FILTERS: [(&str, &str); 2] = [
    ("max_lease_duration", "MaxLeaseDurationFilter"),
    ("external_service_", "ExternalServiceFilter"),
];

/// Lists of the group `enforcement` that mean the same under the same name.
const SAME_LISTS: [&str; 2] = ["enabled_filters", "max_lease_duration_exempt_project_ids"];

/// Parts of Keystone's URL with upstream's defaults, in the order in which they stand in it.
const AUTHENTICATION: [(&str, &str); 5] = [
    ("os_auth_protocol", "http"),
    ("os_auth_host", "127.0.0.1"),
    ("os_auth_port", "5000"),
    ("os_auth_prefix", ""),
    ("os_auth_version", "v3"),
];

/// Address and port of the API with upstream's defaults.
const LISTEN: [(&str, &str); 2] = [("host", "0.0.0.0"), ("port", "1234")];

/// Group of the options of notifications.
const NOTIFICATIONS: &str = "oslo_messaging_notifications";

/// Options of notifications that are looked at by name.
const NOTIFYING: [(&str, &str); 4] = [
    (DEFAULT_GROUP, "transport_url"),
    (NOTIFICATIONS, "transport_url"),
    (NOTIFICATIONS, "topics"),
    (NOTIFICATIONS, "driver"),
];

/// Group of RabbitMQ's options, and those that are used.
const RABBIT: &str = "oslo_messaging_rabbit";
const RABBIT_OPTIONS: [&str; 3] = ["ssl", "ssl_ca_file", "amqp_durable_queues"];

/// Drivers that send notifications over the transport.
const DRIVERS: [&str; 2] = ["messaging", "messagingv2"];

/// Blazar's plugins and the resource types they stand for.
const PLUGINS: [(&str, &str); 4] = [
    ("physical.host.plugin", "physical:host"),
    ("virtual.instance.plugin", "virtual:instance"),
    ("flavor.instance.plugin", "flavor:instance"),
    ("virtual.floatingip.plugin", "virtual:floatingip"),
];

/// What a file says.
#[derive(Debug)]
pub(super) struct Read {
    /// Berth's options.
    pub(super) options: Table,
    /// Where they stand in the file.
    pub(super) keys: BTreeMap<String, Key>,
    /// What of the file is not used, each with a reason or just its name.
    pub(super) ignored: Vec<String>,
}

/// Reads the text of a `blazar.conf`.
pub(super) fn read(text: &str) -> anyhow::Result<Read> {
    let document = Document::parse(text).context("it is not a configuration file of OpenStack")?;
    let mut read = Read {
        options: Table::new(),
        keys: BTreeMap::new(),
        ignored: Vec::new(),
    };
    read.set("cloud", "openstack", "its contents");
    read.set("auth", "keystone", "its contents");
    let [host, port] = parts(&document, LISTEN)?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    read.set("listen", format!("{host}:{port}"), "[DEFAULT] host and port");
    let [protocol, host, port, prefix, version] = parts(&document, AUTHENTICATION)?;
    let prefix = match prefix.trim_matches('/') {
        "" => String::new(),
        prefix => format!("/{prefix}"),
    };
    read.set(
        "os_auth_url",
        format!("{protocol}://{host}:{port}{prefix}/{version}"),
        "[DEFAULT] os_auth_protocol, os_auth_host, os_auth_port, os_auth_prefix and os_auth_version",
    );
    for (group, name, own) in SAME {
        let value = if MAY_BE_EMPTY.contains(&own) {
            document.value(group, name)?
        } else {
            given(&document, group, name)?
        };
        if let Some(value) = value {
            read.set(own, value, &format!("[{group}] {name}"));
        }
    }
    for name in SAME_LISTS {
        let values = document.list("enforcement", name)?;
        if !values.is_empty() {
            read.set(name, values.join(","), &format!("[enforcement] {name}"));
        }
    }
    read.enforcement(&document)?;
    read.plugins(&document)?;
    read.notifications(&document)?;
    read.monitors(&document)?;
    for (group, name) in document.options() {
        if group == OWN_GROUP {
            if let Some(value) = given(&document, group, name)? {
                read.set(name, value, "");
                let key = Key::Own(format!("[{OWN_GROUP}] {name}"));
                read.keys.insert(name.to_owned(), key);
            }
        } else if !is_used(group, name) {
            read.ignored.push(match (group, name) {
                ("database", "connection") => {
                    "[database] connection: it is Blazar's database; take it over with `berth \
                     import-blazar`, and name Berth's own with --database or [berth] database"
                        .to_owned()
                }
                // What stands after a blank may be a value, and a password.
                _ => match name.split_once(char::is_whitespace) {
                    Some((word, _)) => {
                        format!("[{group}] {word} ...: no option has blanks in its name; write NAME = VALUE")
                    }
                    None => format!("[{group}] {name}"),
                },
            });
        }
    }
    Ok(read)
}

/// Whether the option has been looked at by name.
fn is_used(group: &str, name: &str) -> bool {
    let same = SAME.iter().any(|(of, known, _)| *of == group && *known == name);
    let composed = AUTHENTICATION.iter().chain(&LISTEN).any(|(known, _)| *known == name);
    let lists = group == "enforcement" && SAME_LISTS.contains(&name);
    let rabbit = group == RABBIT && RABBIT_OPTIONS.contains(&name);
    same || lists
        || group == DEFAULT_GROUP && composed
        || (group, name) == ("manager", "plugins")
        || group == HOSTS && MONITORS.contains(&name)
        || NOTIFYING.contains(&(group, name))
        || rabbit
}

/// Group of the host plugin, and the monitors it may have.
const HOSTS: &str = "physical:host";
const MONITORS: [&str; 2] = ["enable_polling_monitor", "enable_notification_monitor"];

/// Options of the default group that make one value together.
fn parts<const N: usize>(document: &Document, names: [(&str, &str); N]) -> anyhow::Result<[String; N]> {
    let mut values = names.map(|(_, default)| default.to_owned());
    for (value, (name, _)) in values.iter_mut().zip(names) {
        if let Some(given) = given(document, DEFAULT_GROUP, name)? {
            *value = given;
        }
    }
    Ok(values)
}

/// The value of an option, `None` if it is not set or blank.
fn given(document: &Document, group: &str, name: &str) -> anyhow::Result<Option<String>> {
    let value = document.value(group, name)?;
    Ok(value.filter(|value| !value.trim().is_empty()))
}

impl Read {
    /// Sets an option of Berth from what stands in these places of the file.
    fn set(&mut self, name: &str, value: impl Into<String>, places: &str) {
        self.options.insert(name.to_owned(), Value::String(value.into()));
        self.keys.insert(name.to_owned(), Key::Blazars(places.to_owned()));
    }

    /// Whichever monitor the file enables, hosts are polled; notifications are heard where the file names their broker.
    fn monitors(&mut self, document: &Document) -> anyhow::Result<()> {
        for name in MONITORS {
            let value = document.value(HOSTS, name)?.unwrap_or_default();
            if !matches!(value.to_ascii_lowercase().as_str(), "true" | "1" | "yes" | "on") {
                continue;
            }
            self.options.insert(MONITORS[0].to_owned(), Value::Boolean(true));
            if name == MONITORS[1] && self.options.contains_key("transport_url") {
                self.options.insert(name.to_owned(), Value::Boolean(true));
            } else if name == MONITORS[1] {
                self.ignored.push(format!(
                    "[{HOSTS}] {name}: hosts are watched by polling Nova alone, because no broker is named where notifications go"
                ));
            }
        }
        Ok(())
    }

    /// As upstream, what a filter would need is not looked at unless the filter is enabled.
    fn enforcement(&mut self, document: &Document) -> anyhow::Result<()> {
        let enabled = document.list("enforcement", "enabled_filters")?;
        for (of_filter, filter) in OF_FILTERS {
            if enabled.iter().any(|name| name == filter) {
                continue;
            }
            let without: Vec<String> = self
                .options
                .keys()
                .filter(|name| name.starts_with(of_filter))
                .cloned()
                .collect();
            for name in without {
                self.options.remove(&name);
                self.ignored
                    .push(format!("[enforcement] {name}: enabled_filters does not name {filter}"));
            }
        }
        Ok(())
    }

    /// Notifications are sent if a driver is named that does, as with oslo.messaging.
    fn notifications(&mut self, document: &Document) -> anyhow::Result<()> {
        let drivers = document.list(NOTIFICATIONS, "driver")?;
        for driver in &drivers {
            if !DRIVERS.contains(&driver.as_str()) && driver != "noop" {
                self.ignored.push(format!(
                    "[{NOTIFICATIONS}] driver: {driver} is not offered here; messagingv2 sends notifications"
                ));
            }
        }
        let own = given(document, NOTIFICATIONS, "transport_url")?;
        let Some(mut url) = own.map_or_else(|| given(document, DEFAULT_GROUP, "transport_url"), |url| Ok(Some(url)))?
        else {
            return Ok(());
        };
        if !drivers.iter().any(|driver| DRIVERS.contains(&driver.as_str())) {
            self.ignored.push(format!(
                "transport_url: no notifications are sent because [{NOTIFICATIONS}] driver is not messagingv2, and \
                 nothing else here speaks to RabbitMQ"
            ));
            return Ok(());
        }
        for name in RABBIT_OPTIONS {
            if let Some(value) = given(document, RABBIT, name)? {
                // What the URL says itself comes last and wins.
                let (place, query) = url.split_once('?').unwrap_or((&url, ""));
                let others = if query.is_empty() {
                    String::new()
                } else {
                    format!("&{query}")
                };
                url = format!("{place}?{name}={value}{others}");
            }
        }
        self.set("transport_url", url, "transport_url");
        let topics = document.list(NOTIFICATIONS, "topics")?;
        if !topics.is_empty() {
            let place = format!("[{NOTIFICATIONS}] topics");
            self.set("notification_topics", topics.join(","), &place);
        }
        Ok(())
    }

    /// The resource types of the plugins that are named.
    fn plugins(&mut self, document: &Document) -> anyhow::Result<()> {
        let named = document.list("manager", "plugins")?;
        if named.is_empty() {
            return Ok(());
        }
        let mut types = Vec::new();
        for plugin in &named {
            match PLUGINS.iter().find(|(name, _)| name == plugin) {
                Some((_, resource_type)) => types.push(*resource_type),
                None => self
                    .ignored
                    .push(format!("[manager] plugins: {plugin} is not offered here")),
            }
        }
        if types.is_empty() {
            let known = PLUGINS.map(|(name, _)| name).join(", ");
            bail!(
                "[manager] plugins: {} offers no resource type; allowed are {known}",
                named.join(", ")
            );
        }
        self.set("resource_types", types.join(","), "[manager] plugins");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
[DEFAULT]
host = 192.0.2.7
os_auth_host = keystone
os_auth_prefix = identity
os_auth_port = 443
os_auth_protocol = https
os_admin_username = blazar
os_admin_password = p$$w
os_region_name = north
log_exchange = true
[manager]
plugins = physical.host.plugin,virtual.floatingip.plugin,dummy.vm.plugin
minutes_before_end_lease = 30
[database]
connection = mysql+pymysql://blazar:secret@db/blazar
[nova]
aggregate_freepool_name = pool
[berth]
database = postgres://berth@db/berth
trusts = yes
";

    #[test]
    fn options_are_taken_over_or_named() {
        let read = read(FILE).unwrap();
        let expected = [
            ("aggregate_freepool_name", "pool"),
            ("auth", "keystone"),
            ("cloud", "openstack"),
            ("database", "postgres://berth@db/berth"),
            ("listen", "192.0.2.7:1234"),
            ("minutes_before_end_lease", "30"),
            ("os_auth_url", "https://keystone:443/identity/v3"),
            ("os_password", "p$w"),
            ("os_username", "blazar"),
            ("region", "north"),
            ("resource_types", "physical:host,virtual:floatingip"),
        ];
        let mut options = read.options;
        assert_eq!(options.remove("trusts"), Some(Value::String("yes".to_owned())));
        let expected: Table = expected
            .map(|(name, value)| (name.to_owned(), Value::String(value.to_owned())))
            .into_iter()
            .collect();
        assert_eq!(options, expected);
        assert_eq!(read.ignored.len(), 3, "{:?}", read.ignored);
        assert_eq!(
            read.ignored[0],
            "[manager] plugins: dummy.vm.plugin is not offered here"
        );
        assert_eq!(read.ignored[1], "[DEFAULT] log_exchange");
        assert!(read.ignored[2].starts_with("[database] connection: it is Blazar's"));
    }

    #[test]
    fn d1_a_blank_value_is_the_same_as_none() {
        let of_blanks = SAME
            .map(|(group, name, _)| (group, name))
            .into_iter()
            .chain(SAME_LISTS.map(|name| ("enforcement", name)))
            .chain(AUTHENTICATION.map(|(name, _)| (DEFAULT_GROUP, name)))
            .chain(LISTEN.map(|(name, _)| (DEFAULT_GROUP, name)))
            .chain(NOTIFYING)
            .chain(RABBIT_OPTIONS.map(|name| (RABBIT, name)))
            .chain(MONITORS.map(|name| (HOSTS, name)))
            .chain([("manager", "plugins"), (OWN_GROUP, "database"), (OWN_GROUP, "trusts")])
            .filter(|(_, name)| !MAY_BE_EMPTY.contains(name));
        let nothing = read("[DEFAULT]\n").unwrap().options;
        for (group, name) in of_blanks {
            for blank in ["", " ", "\"\"", "\" \""] {
                let file = format!("[{group}]\n{name} = {blank}\n");
                let read = read(&file).unwrap_or_else(|error| panic!("{file}: {error:#}"));
                assert_eq!(read.options, nothing, "{file}");
                assert_eq!(read.ignored, [] as [String; 0], "{file}");
            }
        }
        let prefix = read("[nova]\nimage_prefix =\n").unwrap().options;
        assert_eq!(prefix["image_prefix"].as_str(), Some(""));
        let all = read(
            "[oslo_messaging_notifications]\ndriver = messagingv2\ntransport_url =\n[DEFAULT]\ntransport_url = \
                        rabbit://one/\n[oslo_messaging_rabbit]\nssl =\n",
        );
        assert_eq!(all.unwrap().options["transport_url"].as_str(), Some("rabbit://one/"));
    }

    #[test]
    fn d5_a_limit_whose_filter_is_not_enabled_is_named() {
        let read = read("[enforcement]\nmax_lease_duration = 60\nexternal_service_token = x\n").unwrap();
        assert_eq!(
            read.ignored,
            [
                "[enforcement] max_lease_duration: enabled_filters does not name MaxLeaseDurationFilter",
                "[enforcement] external_service_token: enabled_filters does not name ExternalServiceFilter"
            ]
        );
        assert!(!read.options.contains_key("max_lease_duration"));
    }

    #[test]
    fn usage_enforcement_is_taken_over() {
        let read = read(
            "
[enforcement]
enabled_filters = ExternalServiceFilter, MaxLeaseDurationFilter
max_lease_duration = -1
max_lease_duration_exempt_project_ids = p1,p2
external_service_base_endpoint = http://filter/v1/
external_service_check_create_endpoint = http://filter/c
external_service_check_update_endpoint = http://filter/u
external_service_on_end_endpoint = http://filter/e
external_service_token = s$$cret
",
        )
        .unwrap();
        let expected = [
            ("enabled_filters", "ExternalServiceFilter,MaxLeaseDurationFilter"),
            ("max_lease_duration", "-1"),
            ("max_lease_duration_exempt_project_ids", "p1,p2"),
            ("external_service_base_endpoint", "http://filter/v1/"),
            ("external_service_check_create_endpoint", "http://filter/c"),
            ("external_service_check_update_endpoint", "http://filter/u"),
            ("external_service_on_end_endpoint", "http://filter/e"),
            ("external_service_token", "s$cret"),
        ];
        for (name, value) in expected {
            assert_eq!(read.options[name].as_str(), Some(value), "{name}");
        }
        assert_eq!(read.ignored, [] as [String; 0]);
        let empty = super::read("[enforcement]\nenabled_filters =\n").unwrap();
        assert!(!empty.options.contains_key("enabled_filters"));
    }

    #[test]
    fn notifications_are_those_of_oslo_messaging() {
        let file = |more: &str| {
            format!(
                "[DEFAULT]\ntransport_url = rabbit://blazar:x@one,blazar:x@two/\n[notifications]\npublisher_id = me\n\
                 [oslo_messaging_notifications]\ntopics = notifications,audit\n{more}"
            )
        };
        let read = |more: &str| read(&file(more)).unwrap();
        let silent = read("");
        assert!(!silent.options.contains_key("transport_url"));
        assert!(
            silent.ignored[0].starts_with("transport_url: no notifications"),
            "{:?}",
            silent.ignored
        );
        let on = read("driver = messagingv2\n[oslo_messaging_rabbit]\nssl = true\nheartbeat_rate = 3\n");
        assert_eq!(on.ignored, ["[oslo_messaging_rabbit] heartbeat_rate"]);
        let option = |name: &str| on.options[name].as_str().map(str::to_owned);
        assert_eq!(
            option("transport_url").as_deref(),
            Some("rabbit://blazar:x@one,blazar:x@two/?ssl=true")
        );
        assert_eq!(option("notification_topics").as_deref(), Some("notifications,audit"));
        assert_eq!(option("publisher_id").as_deref(), Some("me"));
        let own = read("driver = messagingv2\ntransport_url = rabbit://own/?ssl=0\n[oslo_messaging_rabbit]\nssl = 1\n");
        assert_eq!(own.options["transport_url"].as_str(), Some("rabbit://own/?ssl=1&ssl=0"));
        assert_eq!(read("driver = log\n").ignored.len(), 2);
    }

    #[test]
    fn hosts_are_watched_if_either_monitor_is_enabled() {
        let file =
            |monitor: &str| format!("[physical:host]\n{monitor} = True\npolling_interval = 7\nhealing_interval = 0\n");
        for (monitor, ignored) in [("enable_polling_monitor", 0), ("enable_notification_monitor", 1)] {
            let read = read(&file(monitor)).unwrap();
            assert_eq!(
                read.options["enable_polling_monitor"],
                Value::Boolean(true),
                "{monitor}"
            );
            assert_eq!(read.options["polling_interval"].as_str(), Some("7"));
            assert_eq!(read.options["healing_interval"].as_str(), Some("0"));
            assert_eq!(read.ignored.len(), ignored, "{:?}", read.ignored);
        }
        let both =
            file(MONITORS[1]) + "[oslo_messaging_notifications]\ndriver = messagingv2\ntransport_url = rabbit://own/\n";
        let heard = read(&both).unwrap();
        assert_eq!(heard.options[MONITORS[1]], Value::Boolean(true));
        assert!(heard.ignored.is_empty(), "{:?}", heard.ignored);
        let off = read("[physical:host]\nenable_polling_monitor = False\n").unwrap();
        assert!(!off.options.contains_key("enable_polling_monitor"));
        assert!(off.ignored.is_empty());
    }

    #[test]
    fn defaults_are_upstreams() {
        let options = read("").unwrap().options;
        assert_eq!(options["listen"].as_str(), Some("0.0.0.0:1234"));
        assert_eq!(options["os_auth_url"].as_str(), Some("http://127.0.0.1:5000/v3"));
        assert!(!options.contains_key("resource_types"));
        assert!(read("[manager]\nplugins = dummy.vm.plugin\n").is_err());
        assert!(read("[DEFAULT]\nhost\n").is_err());
    }
}
