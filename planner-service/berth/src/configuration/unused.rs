//! Options that have no effect beside the others are refused at the start, because the operator believes that they hold.
//!
//! Invariant: every option of `serve`, and every variable without one, stands in one table, with what it needs to have an effect. (The monitors are refused
//! where clouds are chosen, with what to do instead.)

use anyhow::bail;
use secrecy::ExposeSecret as _;

use crate::options::{AuthenticationKind, CloudKind, FilterKind, ServeArguments, WEBHOOK_SECRET};

/// What an option needs: whether it is there, and how that is said after "has no effect".
type Need = (fn(&ServeArguments) -> bool, &'static str);

const NOTHING: Need = (|_| true, "");
const NO_DATABASE: Need = (|arguments| arguments.database.database.is_none(), "beside --database");
const SERVER: Need = (has_server, "without --database of PostgreSQL or MariaDB");
const STANDALONE: Need = (|arguments| !is_openstack(arguments), "without --cloud standalone");
const OPENSTACK: Need = (is_openstack, "without --cloud openstack");
const MONITOR: Need = (
    |arguments| arguments.enable_polling_monitor || arguments.enable_notification_monitor,
    "without --enable-polling-monitor or --enable-notification-monitor",
);
const NEWS: Need = (
    |arguments| arguments.enable_notification_monitor,
    "without --enable-notification-monitor",
);
const TOKENS: Need = (
    |arguments| arguments.authentication() == AuthenticationKind::Tokens,
    "without --auth tokens",
);
const KEYSTONE: Need = (has_keystone, "without --cloud openstack or --auth keystone");
const KEYSTONE_TOKENS: Need = (
    |arguments| arguments.authentication() == AuthenticationKind::Keystone,
    "without --auth keystone",
);
const PASSWORD: Need = (
    has_password,
    "without --os-auth-url, --os-username, --os-password and --os-project-name together, nor beside --os-cloud",
);
const DURATION: Need = (
    |arguments| has_filter(arguments, FilterKind::MaxLeaseDuration),
    "without --enabled-filters MaxLeaseDurationFilter",
);
const EXTERNAL: Need = (
    |arguments| has_filter(arguments, FilterKind::ExternalService),
    "without --enabled-filters ExternalServiceFilter",
);
const TOLD: Need = (
    |arguments| !is_openstack(arguments) || arguments.countables.is_some(),
    "without --cloud standalone or --countables",
);
const WEBHOOK: Need = (|arguments| arguments.webhook.is_some(), "without --webhook");
const NO_SECRET_FILE: Need = (
    |arguments| arguments.webhook_secret_file.is_none(),
    "beside --webhook-secret-file",
);
const RECEIVER: Need = (
    |arguments| arguments.webhook.is_some() || arguments.command.is_some() || arguments.countables.is_some(),
    "without --webhook, --command or --countables",
);
const BROKER: Need = (
    |arguments| arguments.notifications.transport_url.is_some(),
    "without --transport-url",
);

/// What each option needs, in the order of the reference.
const NEEDS: &[(&str, Need)] = &[
    ("listen", NOTHING),
    ("public_url", NOTHING),
    ("max_connections", NOTHING),
    ("idle_timeout", NOTHING),
    ("data", NO_DATABASE),
    ("database", NOTHING),
    ("database_wait", SERVER),
    ("cloud", NOTHING),
    ("resource_types", NOTHING),
    ("policy_file", NOTHING),
    ("auth", NOTHING),
    ("token_file", TOKENS),
    ("fleet", NOTHING),
    ("cleaning_time", NOTHING),
    ("freeze", NOTHING),
    ("minutes_before_end_lease", NOTHING),
    ("before_end", NOTHING),
    ("decision_limit", NOTHING),
    ("max_amount", NOTHING),
    ("max_project_amount", NOTHING),
    ("reconcile_interval", OPENSTACK),
    ("enable_polling_monitor", NOTHING),
    ("polling_interval", MONITOR),
    ("enable_notification_monitor", NOTHING),
    ("nova_exchange", NEWS),
    ("nova_topics", NEWS),
    ("healing_interval", NOTHING),
    ("claim_lifetime", NOTHING),
    ("retry_ceiling", NOTHING),
    ("enabled_filters", NOTHING),
    ("max_lease_duration", DURATION),
    ("max_lease_duration_exempt_project_ids", DURATION),
    ("external_service_base_endpoint", EXTERNAL),
    ("external_service_check_create_endpoint", EXTERNAL),
    ("external_service_check_update_endpoint", EXTERNAL),
    ("external_service_on_end_endpoint", EXTERNAL),
    ("external_service_token", EXTERNAL),
    ("external_service_timeout", EXTERNAL),
    ("region", NOTHING),
    ("os_cloud", KEYSTONE),
    ("os_auth_url", KEYSTONE),
    ("os_username", PASSWORD),
    ("os_password", PASSWORD),
    ("os_project_name", PASSWORD),
    ("os_user_domain_name", PASSWORD),
    ("os_project_domain_name", PASSWORD),
    ("os_cacert", PASSWORD),
    ("endpoint_type", PASSWORD),
    ("cloud_timeout", KEYSTONE),
    ("token_cache_time", KEYSTONE_TOKENS),
    ("trusts", KEYSTONE),
    ("aggregate_freepool_name", OPENSTACK),
    ("blazar_az_prefix", OPENSTACK),
    ("blazar_owner", OPENSTACK),
    ("image_prefix", OPENSTACK),
    ("webhook", TOLD),
    ("webhook_secret_file", WEBHOOK),
    ("command", TOLD),
    ("notices", RECEIVER),
    ("countables", NOTHING),
    ("flavors", STANDALONE),
    ("action_timeout", RECEIVER),
    ("transport_url", NOTHING),
    ("notification_topics", BROKER),
    ("control_exchange", BROKER),
    ("publisher_id", BROKER),
    ("log_format", NOTHING),
    ("log", NOTHING),
];

/// What each variable needs that no option stands for.
const NEEDS_OF_VARIABLES: &[(&str, Need)] = &[(WEBHOOK_SECRET, WEBHOOK), (WEBHOOK_SECRET, NO_SECRET_FILE)];

fn is_openstack(arguments: &ServeArguments) -> bool {
    arguments.cloud == CloudKind::Openstack
}

fn has_keystone(arguments: &ServeArguments) -> bool {
    is_openstack(arguments) || arguments.auth == Some(AuthenticationKind::Keystone)
}

fn has_password(arguments: &ServeArguments) -> bool {
    has_keystone(arguments)
        && arguments.os_cloud.is_none()
        && arguments.os_auth_url.is_some()
        && arguments.os_username.is_some()
        && arguments.os_password.is_some()
        && arguments.os_project_name.is_some()
}

fn has_server(arguments: &ServeArguments) -> bool {
    let address = arguments.database.database.as_ref();
    address.is_some_and(|address| !address.expose_secret().starts_with("sqlite:"))
}

fn has_filter(arguments: &ServeArguments, filter: FilterKind) -> bool {
    arguments.enforcement.enabled_filters.contains(&filter)
}

/// Refuses what nothing would look at. `is_given` says whether an option is set for this service: not by default, nor where
/// it stands for other services, too; `is_set` whether a variable is.
///
/// # Errors
/// Names the option or variable and what it needs.
pub(crate) fn refuse_without_effect(
    arguments: &ServeArguments,
    is_given: &dyn Fn(&str) -> bool,
    is_set: &dyn Fn(&str) -> bool,
) -> anyhow::Result<()> {
    let options = NEEDS.iter().filter(|(option, _)| is_given(option));
    let options = options.map(|(option, need)| (format!("--{}", option.replace('_', "-")), need));
    let variables = NEEDS_OF_VARIABLES.iter().filter(|(variable, _)| is_set(variable));
    let variables = variables.map(|(variable, need)| ((*variable).to_owned(), need));
    for (name, (has_effect, clause)) in options.chain(variables) {
        if !has_effect(arguments) {
            bail!("{name} has no effect {clause}; change that, or leave it out");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        serve: ServeArguments,
    }

    /// What is said of a command line, with what is in the environment left out.
    fn refused(arguments: &[&str]) -> Option<String> {
        let command = Program::command().mut_args(|option| option.env(clap::builder::Resettable::Reset));
        let matches = command
            .try_get_matches_from([&["serve"], arguments].concat())
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        let program = Program::from_arg_matches(&matches).unwrap();
        let is_given = |option: &str| matches.value_source(option) == Some(clap::parser::ValueSource::CommandLine);
        refuse_without_effect(&program.serve, &is_given, &|_| false)
            .err()
            .map(|error| error.to_string())
    }

    #[test]
    fn every_option_stands_in_the_table() {
        let command = Program::command();
        let options = command.get_arguments().map(|option| option.get_id().as_str());
        let mut options: Vec<&str> = options.filter(|name| !["config", "help"].contains(name)).collect();
        let mut known: Vec<&str> = NEEDS.iter().map(|(name, _)| *name).collect();
        options.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, options);
    }

    #[test]
    fn an_option_without_what_it_needs_is_refused_and_with_it_taken() {
        const CLOUD: &[&str] = &["--cloud", "openstack"];
        const LOGIN: &[&str] = &[
            "--cloud",
            "openstack",
            "--os-auth-url",
            "u",
            "--os-username",
            "u",
            "--os-password",
            "p",
            "--os-project-name",
            "s",
        ];
        const DURATION: &[&str] = &["--enabled-filters", "MaxLeaseDurationFilter"];
        const WEBHOOK: &[&str] = &["--webhook", "http://one/"];
        const BROKER: &[&str] = &["--transport-url", "rabbit://one/"];
        const NEWS: &[&str] = &["--cloud", "openstack", "--enable-notification-monitor"];
        const DATABASE: &[&str] = &["--database", "postgres://one/two"];
        for (option, beside) in [
            (&["--database-wait", "1"][..], DATABASE),
            (&["--reconcile-interval", "1"], CLOUD),
            (
                &["--polling-interval", "1"],
                &["--cloud", "openstack", "--enable-polling-monitor"],
            ),
            (&["--nova-exchange", "n"], NEWS),
            (&["--nova-topics", "n"], NEWS),
            (&["--max-lease-duration", "1"], DURATION),
            (&["--os-username", "u"], LOGIN),
            (&["--os-cacert", "f"], LOGIN),
            (&["--endpoint-type", "public"], LOGIN),
            (&["--os-cloud", "c"], CLOUD),
            (&["--cloud-timeout", "1"], CLOUD),
            (&["--token-cache-time", "1"], CLOUD),
            (&["--trusts"], CLOUD),
            (&["--image-prefix", "p"], CLOUD),
            (&["--webhook-secret-file", "f"], WEBHOOK),
            (&["--notices", "booked"], WEBHOOK),
            (&["--action-timeout", "1"], WEBHOOK),
            (&["--notification-topics", "t"], BROKER),
            (&["--publisher-id", "p"], BROKER),
        ] {
            let name = option[0];
            let said = refused(option).unwrap_or_else(|| panic!("{name} is taken"));
            assert!(said.starts_with(&format!("{name} has no effect without --")), "{said}");
            let beside: Vec<&str> = if beside.contains(&name) {
                beside.to_vec()
            } else {
                [beside, option].concat()
            };
            assert_eq!(refused(&beside), None, "{beside:?}");
        }
        assert_eq!(refused(&["--token-file", "f"]), None);
        let said = refused(&["--token-file", "f", "--auth", "none"]).expect("it is refused");
        assert!(
            said.starts_with("--token-file has no effect without --auth tokens"),
            "{said}"
        );
        let said = refused(&["--data", "d", "--database", "sqlite:///f"]).expect("it is refused");
        assert!(said.starts_with("--data has no effect beside --database"), "{said}");
        assert_eq!(refused(&["--data", "d"]), None);
        let half = refused(&["--cloud", "openstack", "--os-username", "u", "--os-password", "p"]);
        assert!(half.is_some_and(|said| said.contains("--os-project-name")));
        for option in ["--flavors", "--webhook", "--command"] {
            let said =
                refused(&[CLOUD, &[option, "http://one/"]].concat()).unwrap_or_else(|| panic!("{option} is taken"));
            assert!(said.contains("--cloud standalone"), "{said}");
        }
    }
}
