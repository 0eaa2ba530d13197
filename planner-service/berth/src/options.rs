//! Every option of the service: one definition for flag, configuration key, environment variable,
//! default and help.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use url::Url;

use crate::secret;

/// Where the cloud is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CloudKind {
    /// Berth itself is the inventory
    Standalone,
    /// Keystone, Nova and Placement
    Openstack,
}

/// How callers prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuthenticationKind {
    /// Everyone is an administrator; only on a loopback address
    None,
    /// Tokens from a file
    Tokens,
    /// Keystone tokens
    Keystone,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// What is asked whether a lease may be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FilterKind {
    /// No lease lasts longer than a limit
    #[value(name = "MaxLeaseDurationFilter")]
    MaxLeaseDuration,
    /// An HTTP service decides
    #[value(name = "ExternalServiceFilter")]
    ExternalService,
}

/// Which database.
#[derive(Debug, Clone, Args)]
pub(crate) struct DatabaseArguments {
    /// Folder of the SQLite file, used when no database is named (default: berth-data, unless --cloud openstack)
    #[arg(long, env = "BERTH_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Database: `sqlite:///FILE`, `postgres://...`, `mysql://...` (also `mariadb://`); one with a password belongs into the
    /// environment or a file
    #[arg(long, env = "BERTH_DATABASE", value_name = "URL", hide_env_values = true, value_parser = secret::parse)]
    pub(crate) database: Option<SecretString>,
    /// Seconds a database server that does not answer is tried at the start, before the program ends
    #[arg(long, env = "BERTH_DATABASE_WAIT", value_name = "SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub(crate) database_wait: u32,
}

/// Usage enforcement.
#[derive(Debug, Clone, Args)]
pub(crate) struct EnforcementArguments {
    /// Filters that are asked before a lease is booked or changed, in this order
    #[arg(
        long,
        env = "BERTH_ENABLED_FILTERS",
        value_name = "FILTER,...",
        value_delimiter = ',',
        value_enum
    )]
    pub(crate) enabled_filters: Vec<FilterKind>,
    /// `MaxLeaseDurationFilter`: most seconds from start to end; -1: no limit
    #[arg(long, env = "BERTH_MAX_LEASE_DURATION", value_name = "SECONDS", default_value_t = -1,
          allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub(crate) max_lease_duration: i64,
    /// `MaxLeaseDurationFilter`: projects that no limit holds for
    #[arg(
        long,
        env = "BERTH_MAX_LEASE_DURATION_EXEMPT_PROJECT_IDS",
        value_name = "ID,...",
        value_delimiter = ','
    )]
    pub(crate) max_lease_duration_exempt_project_ids: Vec<String>,
    /// `ExternalServiceFilter`: URL, ending in /, below which check-create, check-update and on-end are called
    #[arg(long, env = "BERTH_EXTERNAL_SERVICE_BASE_ENDPOINT", value_name = "URL", value_parser = secret::parse)]
    pub(crate) external_service_base_endpoint: Option<SecretString>,
    /// `ExternalServiceFilter`: URL that is asked before a lease is booked
    #[arg(long, env = "BERTH_EXTERNAL_SERVICE_CHECK_CREATE_ENDPOINT", value_name = "URL", value_parser = secret::parse)]
    pub(crate) external_service_check_create_endpoint: Option<SecretString>,
    /// `ExternalServiceFilter`: URL that is asked before a lease is changed
    #[arg(long, env = "BERTH_EXTERNAL_SERVICE_CHECK_UPDATE_ENDPOINT", value_name = "URL", value_parser = secret::parse)]
    pub(crate) external_service_check_update_endpoint: Option<SecretString>,
    /// `ExternalServiceFilter`: URL that is told when a lease ends
    #[arg(long, env = "BERTH_EXTERNAL_SERVICE_ON_END_ENDPOINT", value_name = "URL", value_parser = secret::parse)]
    pub(crate) external_service_on_end_endpoint: Option<SecretString>,
    /// `ExternalServiceFilter`: sent as X-Auth-Token; better in the environment or a file than on the command line
    #[arg(long, env = "BERTH_EXTERNAL_SERVICE_TOKEN", value_name = "TOKEN", value_parser = secret::parse)]
    pub(crate) external_service_token: Option<SecretString>,
    /// `ExternalServiceFilter`: seconds a call may take; without an answer the lease is denied
    #[arg(long, env = "BERTH_EXTERNAL_SERVICE_TIMEOUT", value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=300))]
    pub(crate) external_service_timeout: u32,
}

/// Who is told what happens to leases.
#[derive(Debug, Clone, Args)]
pub(crate) struct NotificationArguments {
    /// RabbitMQ for notifications, as oslo.messaging writes it: `rabbit://USER:PASSWORD@HOST:PORT,.../VHOST` with `?ssl=1`,
    /// `&ssl_ca_file=FILE`, `&amqp_durable_queues=1` if wanted (default: no notifications)
    #[arg(long, env = "BERTH_TRANSPORT_URL", value_name = "URL", value_parser = secret::parse)]
    pub(crate) transport_url: Option<SecretString>,
    /// Topics of notifications; the queue of each is TOPIC.info
    #[arg(
        long,
        env = "BERTH_NOTIFICATION_TOPICS",
        value_name = "TOPIC,...",
        value_delimiter = ',',
        default_value = "notifications"
    )]
    pub(crate) notification_topics: Vec<String>,
    /// Exchange of notifications
    #[arg(
        long,
        env = "BERTH_CONTROL_EXCHANGE",
        value_name = "NAME",
        default_value = "openstack"
    )]
    pub(crate) control_exchange: String,
    /// Who notifications say they are from
    #[arg(
        long,
        env = "BERTH_PUBLISHER_ID",
        value_name = "NAME",
        default_value = "blazar.lease"
    )]
    pub(crate) publisher_id: String,
}

/// The variable with the secret of --webhook: an argument would be seen by every user of the machine.
pub(crate) const WEBHOOK_SECRET: &str = "BERTH_WEBHOOK_SECRET";

/// What `serve` is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArguments {
    /// TOML file with any of these options, whose keys are the flags' names, or Blazar's own file; may be given again, a later
    /// file goes before an earlier one
    #[arg(long, env = "BERTH_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address and port of the API
    #[arg(
        long,
        env = "BERTH_LISTEN",
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:1234"
    )]
    pub(crate) listen: SocketAddr,
    /// URL under which clients reach the service, without /v1 (default: `http://LISTEN`)
    #[arg(long, env = "BERTH_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
    pub(crate) public_url: Option<String>,
    /// Most clients connected at once (default: what the limit on open files allows, at most 10000)
    #[arg(long, env = "BERTH_MAX_CONNECTIONS", value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_connections: Option<u32>,
    /// Seconds after which a client is disconnected that neither completes a request's head nor reads its answer
    #[arg(long, env = "BERTH_IDLE_TIMEOUT", value_name = "SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) idle_timeout: u32,
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
    /// What executes leases
    #[arg(long, env = "BERTH_CLOUD", value_enum, default_value = "standalone")]
    pub(crate) cloud: CloudKind,
    /// What can be reserved
    #[arg(long, env = "BERTH_RESOURCE_TYPES", value_name = "TYPE,...", value_delimiter = ',',
          default_value = "physical:host,virtual:instance,flavor:instance,virtual:floatingip",
          value_parser = ["physical:host", "virtual:instance", "flavor:instance", "virtual:floatingip"])]
    pub(crate) resource_types: Vec<String>,
    /// YAML or JSON file with policy rules that replace the default ones, which `berth policy` prints; read again on SIGHUP
    #[arg(long, env = "BERTH_POLICY_FILE", value_name = "FILE")]
    pub(crate) policy_file: Option<PathBuf>,
    /// How callers prove who they are (default: tokens if --token-file is given, else none with a standalone cloud, which a
    /// loopback address is needed for, else keystone)
    #[arg(long, env = "BERTH_AUTH", value_enum)]
    pub(crate) auth: Option<AuthenticationKind>,
    /// Tokens for --auth tokens, made with `berth token create`; read again on SIGHUP
    #[arg(long, env = "BERTH_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Hosts of a standalone cloud: a berth-problem/1 document, loaded into an empty inventory once
    #[arg(long, env = "BERTH_FLEET", value_name = "FILE")]
    pub(crate) fleet: Option<PathBuf>,
    /// Minutes a host stays free after a lease
    #[arg(long, env = "BERTH_CLEANING_TIME", value_name = "MINUTES", default_value_t = 0,
          value_parser = clap::value_parser!(i64).range(0..=10_080))]
    pub(crate) cleaning_time: i64,
    /// Seconds before its start from which a lease keeps its hosts
    #[arg(long, env = "BERTH_FREEZE", value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(i64).range(0..=2_592_000))]
    pub(crate) freeze: i64,
    /// Default lead of the before-end action in minutes; 0: none unless asked for
    #[arg(long, env = "BERTH_MINUTES_BEFORE_END_LEASE", value_name = "MINUTES", default_value_t = 60,
          value_parser = clap::value_parser!(i64).range(0..=525_600))]
    pub(crate) minutes_before_end_lease: i64,
    /// What `default` means as a reservation's `before_end`: empty or `snapshot`
    #[arg(long, env = "BERTH_BEFORE_END", value_name = "ACTION", default_value = "",
          value_parser = ["", "snapshot"])]
    pub(crate) before_end: String,
    /// Seconds one decision may take before it is answered as undecided
    #[arg(long, env = "BERTH_DECISION_LIMIT", value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) decision_limit: u32,
    /// Most hosts, instances, addresses and units that the reservations of a lease may ask for in sum
    #[arg(long, env = "BERTH_MAX_AMOUNT", value_name = "COUNT", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_amount: u32,
    /// Most hosts, instances, addresses and units that the leases of a project may have in sum
    #[arg(long, env = "BERTH_MAX_PROJECT_AMOUNT", value_name = "COUNT", default_value_t = 100_000,
          value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) max_project_amount: u32,
    /// Seconds between two audits of what runs against the plan
    #[arg(long, env = "BERTH_RECONCILE_INTERVAL", value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(i64).range(1..=86_400))]
    pub(crate) reconcile_interval: i64,
    /// Ask Nova which hosts work, and choose anew what stands on those that do not
    #[arg(long, env = "BERTH_ENABLE_POLLING_MONITOR")]
    pub(crate) enable_polling_monitor: bool,
    /// Seconds between two questions of the polling monitor
    #[arg(long, env = "BERTH_POLLING_INTERVAL", value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(i64).range(1..=86_400))]
    pub(crate) polling_interval: i64,
    /// Ask Nova at once when it notifies that a compute service has changed, heard at --transport-url; polling goes on
    #[arg(long, env = "BERTH_ENABLE_NOTIFICATION_MONITOR")]
    pub(crate) enable_notification_monitor: bool,
    /// Nova's control exchange, where the notification monitor listens
    #[arg(long, env = "BERTH_NOVA_EXCHANGE", value_name = "NAME", default_value = "nova")]
    pub(crate) nova_exchange: String,
    /// Topics of Nova's notifications
    #[arg(
        long,
        env = "BERTH_NOVA_TOPICS",
        value_name = "TOPIC,...",
        value_delimiter = ',',
        default_value = "versioned_notifications"
    )]
    pub(crate) nova_topics: Vec<String>,
    /// Minutes within which a reservation starts that is flagged when a failed host cannot be replaced, and between two
    /// attempts at what is still on failed hosts; 0: all are, and there are none
    #[arg(long, env = "BERTH_HEALING_INTERVAL", value_name = "MINUTES", default_value_t = 60,
          value_parser = clap::value_parser!(i64).range(0..=525_600))]
    pub(crate) healing_interval: i64,
    /// Seconds after which another process takes over the work of one that died
    #[arg(long, env = "BERTH_CLAIM_LIFETIME", value_name = "SECONDS", default_value_t = 15,
          value_parser = clap::value_parser!(i64).range(3..=3600))]
    pub(crate) claim_lifetime: i64,
    /// Longest wait between two attempts of a start or end, in seconds
    #[arg(long, env = "BERTH_RETRY_CEILING", value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(i64).range(1..=3600))]
    pub(crate) retry_ceiling: i64,
    #[command(flatten)]
    pub(crate) enforcement: EnforcementArguments,
    /// Region of the cloud, also what $region means in property expressions
    #[arg(long, env = "OS_REGION_NAME", value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// Entry of clouds.yaml with the service's credentials (default: the OS_* variables)
    #[arg(long, env = "OS_CLOUD", value_name = "NAME")]
    pub(crate) os_cloud: Option<String>,
    /// URL of Keystone
    #[arg(long, env = "OS_AUTH_URL", value_name = "URL")]
    pub(crate) os_auth_url: Option<String>,
    /// The service's user
    #[arg(long, env = "OS_USERNAME", value_name = "NAME")]
    pub(crate) os_username: Option<String>,
    /// The service's password; better in the environment or a file than on the command line
    #[arg(long, env = "OS_PASSWORD", value_name = "PASSWORD", value_parser = secret::parse)]
    pub(crate) os_password: Option<SecretString>,
    /// The project in which the service has its roles
    #[arg(long, env = "OS_PROJECT_NAME", value_name = "NAME")]
    pub(crate) os_project_name: Option<String>,
    /// Domain of the service's user
    #[arg(long, env = "OS_USER_DOMAIN_NAME", value_name = "NAME", default_value = "Default")]
    pub(crate) os_user_domain_name: String,
    /// Domain of the service's project
    #[arg(long, env = "OS_PROJECT_DOMAIN_NAME", value_name = "NAME", default_value = "Default")]
    pub(crate) os_project_domain_name: String,
    /// PEM file with the certificates of the cloud's authority
    #[arg(long, env = "OS_CACERT", value_name = "FILE")]
    pub(crate) os_cacert: Option<String>,
    /// Interface of the endpoints the service calls: public, internal or admin
    #[arg(long, env = "BERTH_ENDPOINT_TYPE", value_name = "INTERFACE", default_value = "internal",
          value_parser = ["public", "internal", "admin"])]
    pub(crate) endpoint_type: String,
    /// Seconds one call to the cloud may take
    #[arg(long, env = "BERTH_CLOUD_TIMEOUT", value_name = "SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) cloud_timeout: u32,
    /// Seconds a validated token is believed without asking Keystone again
    #[arg(long, env = "BERTH_TOKEN_CACHE_TIME", value_name = "SECONDS", default_value_t = 300,
          value_parser = clap::value_parser!(i64).range(0..=86_400))]
    pub(crate) token_cache_time: i64,
    /// Make a Keystone trust for every lease, as upstream does
    #[arg(long, env = "BERTH_TRUSTS")]
    pub(crate) trusts: bool,
    /// Aggregate that holds the unreserved hosts
    #[arg(
        long,
        env = "BERTH_AGGREGATE_FREEPOOL_NAME",
        value_name = "NAME",
        default_value = "freepool"
    )]
    pub(crate) aggregate_freepool_name: String,
    /// Availability zones of reservations begin with this
    #[arg(long, env = "BERTH_BLAZAR_AZ_PREFIX", value_name = "TEXT", default_value = "blazar_")]
    pub(crate) blazar_az_prefix: String,
    /// Metadata key of an aggregate that names its project
    #[arg(long, env = "BERTH_BLAZAR_OWNER", value_name = "KEY", default_value = "blazar:owner")]
    pub(crate) blazar_owner: String,
    /// Names of snapshots begin with this
    #[arg(long, env = "BERTH_IMAGE_PREFIX", value_name = "TEXT", default_value = "reserved_")]
    pub(crate) image_prefix: String,
    /// Standalone: URL that is told when a reservation starts and ends
    #[arg(long, env = "BERTH_WEBHOOK", value_name = "URL", hide_env_values = true, value_parser = secret::parse)]
    pub(crate) webhook: Option<SecretString>,
    /// File with the secret that documents to the webhook are signed with; the variable `BERTH_WEBHOOK_SECRET` may hold
    /// the secret itself
    #[arg(long, env = "BERTH_WEBHOOK_SECRET_FILE", value_name = "FILE")]
    pub(crate) webhook_secret_file: Option<PathBuf>,
    /// Standalone: program that is run when a reservation starts and ends, with its arguments, split at blanks
    #[arg(long, env = "BERTH_COMMAND", value_name = "PROGRAM")]
    pub(crate) command: Option<String>,
    /// Events of whole leases that webhooks and programs are told of besides starts, changes and ends
    #[arg(long, env = "BERTH_NOTICES", value_name = "EVENT,...", value_delimiter = ',',
          value_parser = ["booked", "moved", "degraded", "cancelled"])]
    pub(crate) notices: Vec<String>,
    /// JSON list of resource types of your own: licences, VLANs, whatever can be counted
    #[arg(long, env = "BERTH_COUNTABLES", value_name = "FILE")]
    pub(crate) countables: Option<PathBuf>,
    /// Standalone: JSON list of flavors, as Nova describes them, that instances can be reserved of
    #[arg(long, env = "BERTH_FLAVORS", value_name = "FILE")]
    pub(crate) flavors: Option<PathBuf>,
    /// Seconds a webhook or program may take
    #[arg(long, env = "BERTH_ACTION_TIMEOUT", value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) action_timeout: u32,
    #[command(flatten)]
    pub(crate) notifications: NotificationArguments,
    /// How the log is written
    #[arg(long, env = "BERTH_LOG_FORMAT", value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// What is logged: error, warn, info, debug, or a filter such as `info,planner_core=debug`
    #[arg(long, env = "BERTH_LOG", value_name = "FILTER", default_value = "info", value_parser = log_filter)]
    pub(crate) log: String,
}

impl ServeArguments {
    /// How callers prove who they are, said or not.
    pub(crate) fn authentication(&self) -> AuthenticationKind {
        self.auth.unwrap_or(match self.cloud {
            _ if self.token_file.is_some() => AuthenticationKind::Tokens,
            CloudKind::Openstack => AuthenticationKind::Keystone,
            CloudKind::Standalone => AuthenticationKind::None,
        })
    }
}

/// Checks the URL under which clients reach the service; links are made by writing paths behind it.
fn public_url(text: &str) -> Result<String, &'static str> {
    let url = http_url(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a URL without ? and # is allowed");
    }
    Ok(text.trim().to_owned())
}

/// Reads a URL that is spoken to, or links to, over HTTP.
pub(crate) fn http_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or("an http or https URL is allowed")
}

/// Checks what is to be logged. A word alone that is no level would name a target, and silence everything else.
fn log_filter(text: &str) -> Result<String, &'static str> {
    const ALLOWED: &str = "error, warn, info, debug, trace, off, or TARGET=LEVEL is allowed, several with commas between them, \
                           such as info,planner_core=debug";
    let is_level = |part: &str| part.parse::<LevelFilter>().is_ok();
    let mut parts = text.split(',').map(str::trim);
    let is_known = parts.all(|part| !part.is_empty() && (is_level(part) || part.contains(['=', '['])));
    if is_known && EnvFilter::try_new(text).is_ok() {
        Ok(text.to_owned())
    } else {
        Err(ALLOWED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d5_a_word_that_is_no_level_is_no_log_filter() {
        for filter in [
            "info",
            "WARN",
            "off",
            "info,planner_core=debug",
            "planner_core=debug",
            "info,planner_core[commit{epoch=1}]=debug",
        ] {
            assert_eq!(log_filter(filter), Ok(filter.to_owned()), "{filter}");
        }
        for filter in [
            "info, store=trace",
            "verbose",
            "",
            "info,verbose",
            "planner_core",
            "planner_core=loud",
            "info,=",
            ",",
        ] {
            let refused = log_filter(filter).expect_err(filter);
            assert!(refused.starts_with("error, warn, info, debug"), "{refused}");
        }
    }
}
