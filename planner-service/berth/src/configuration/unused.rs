//! Options that have no effect beside the others are refused at the start, because the operator believes that they hold.

use anyhow::bail;

use crate::options::{AuthenticationKind, CloudKind, FilterKind, ServeArguments};

/// Options of the external service.
const EXTERNAL_SERVICE: [&str; 6] = [
    "external_service_base_endpoint",
    "external_service_check_create_endpoint",
    "external_service_check_update_endpoint",
    "external_service_on_end_endpoint",
    "external_service_token",
    "external_service_timeout",
];

/// Refuses options that nothing would look at. `is_given` says whether an option is set by flag, environment or file.
///
/// # Errors
/// Names the option and what it needs.
pub(crate) fn refuse_without_effect(arguments: &ServeArguments, is_given: &dyn Fn(&str) -> bool) -> anyhow::Result<()> {
    let filters = &arguments.enforcement.enabled_filters;
    let is_openstack = arguments.cloud == CloudKind::Openstack;
    let has_keystone = is_openstack || arguments.auth == Some(AuthenticationKind::Keystone);
    let tells_somebody = !is_openstack || arguments.countables.is_some();
    let of_filter = |kind: FilterKind, name: &'static str| (filters.contains(&kind), name);
    let duration = of_filter(FilterKind::MaxLeaseDuration, "--enabled-filters MaxLeaseDurationFilter");
    let external = of_filter(FilterKind::ExternalService, "--enabled-filters ExternalServiceFilter");
    let mut table = vec![
        ("max_lease_duration", duration),
        ("max_lease_duration_exempt_project_ids", duration),
        (
            "token_file",
            (
                arguments.authentication() == AuthenticationKind::Tokens,
                "--auth tokens",
            ),
        ),
        ("trusts", (has_keystone, "--cloud openstack or --auth keystone")),
        ("flavors", (!is_openstack, "--cloud standalone")),
        ("webhook", (tells_somebody, "--cloud standalone or --countables")),
        ("command", (tells_somebody, "--cloud standalone or --countables")),
    ];
    table.extend(EXTERNAL_SERVICE.map(|name| (name, external)));
    for (option, (has_effect, needed)) in table {
        if is_given(option) && !has_effect {
            bail!(
                "--{} has no effect without {needed}; add that, or leave it out",
                option.replace('_', "-")
            );
        }
    }
    Ok(())
}
