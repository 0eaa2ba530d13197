//! Which usage filters are asked about leases.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use enforcement::{Context, Endpoints, ExternalService, ExternalServiceConfig};
use planner_core::usage::{MaxLeaseDuration, UsageFilter};
use secrecy::{ExposeSecret as _, SecretString};

use crate::options::{FilterKind, ServeArguments};

/// Makes the filters that the options name, in their order; one that is named twice is asked once.
pub(super) fn choose(arguments: &ServeArguments) -> anyhow::Result<Vec<Arc<dyn UsageFilter>>> {
    let mut chosen: Vec<FilterKind> = Vec::new();
    for kind in &arguments.enforcement.enabled_filters {
        if !chosen.contains(kind) {
            chosen.push(*kind);
        }
    }
    chosen
        .into_iter()
        .map(|kind| {
            Ok(match kind {
                FilterKind::MaxLeaseDuration => Arc::new(max_lease_duration(arguments)) as Arc<dyn UsageFilter>,
                FilterKind::ExternalService => Arc::new(external_service(arguments)?),
            })
        })
        .collect()
}

fn max_lease_duration(arguments: &ServeArguments) -> MaxLeaseDuration {
    let options = &arguments.enforcement;
    let projects = options.max_lease_duration_exempt_project_ids.iter();
    MaxLeaseDuration {
        seconds: Some(options.max_lease_duration).filter(|seconds| *seconds >= 0),
        exempt_projects: projects.map(|id| id.trim().to_owned()).collect(),
    }
}

fn external_service(arguments: &ServeArguments) -> anyhow::Result<ExternalService> {
    let options = &arguments.enforcement;
    let endpoints = Endpoints::new(
        given(options.external_service_base_endpoint.as_ref()),
        given(options.external_service_check_create_endpoint.as_ref()),
        given(options.external_service_check_update_endpoint.as_ref()),
        given(options.external_service_on_end_endpoint.as_ref()),
    );
    let config = ExternalServiceConfig {
        endpoints: endpoints.context("--enabled-filters ExternalServiceFilter")?,
        token: given(options.external_service_token.as_ref()).map(SecretString::from),
        timeout: Duration::from_secs(u64::from(options.external_service_timeout)),
        context: Context {
            auth_url: arguments.os_auth_url.clone().unwrap_or_default(),
            region_name: arguments.region.clone(),
        },
    };
    ExternalService::new(config).context("--enabled-filters ExternalServiceFilter")
}

/// Upstream's files say "not given" with an empty value.
fn given(value: Option<&SecretString>) -> Option<&str> {
    value.map(SecretString::expose_secret).filter(|value| !value.is_empty())
}
