//! Which cloud executes leases.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use cloud::Identity;
use cloud::openstack::{OpenStack, Password, ServiceCredentials};
use flavor_plugin::{ListedFlavors, OpenStackFlavors};
use floatingip_plugin::{AnyAddress, OpenStackFloatingIps};
use host_plugin::{Names, OpenStackHosts, OpenStackHostsConfig, StandaloneHosts};
use instance_plugin::OpenStackInstances;
use plugin_action::Receivers;
use plugin_api::{
    FlavorSource, FloatingIpInventory, HostInventory, HostMonitor, Plugins, ResourcePlugin, StepObserver,
};
use regular_file::{LONGEST, RegularFile};
use tokio_util::sync::CancellationToken;

use super::receivers;
use crate::options::{AuthenticationKind, CloudKind, ServeArguments};

/// What the chosen cloud provides.
pub(super) struct Drivers {
    pub(super) plugins: Plugins,
    pub(super) inventory: Arc<dyn HostInventory>,
    pub(super) floating_ips: Arc<dyn FloatingIpInventory>,
    pub(super) flavors: Arc<dyn FlavorSource>,
    /// Says which hosts work, where that is asked for and known.
    pub(super) monitor: Option<Arc<dyn HostMonitor>>,
    /// Keystone, where there is one.
    pub(super) identity: Option<Arc<dyn Identity>>,
}

/// Makes the drivers that the options name.
pub(super) fn choose(
    arguments: &ServeArguments,
    steps: Arc<dyn StepObserver>,
    shutdown: &CancellationToken,
) -> anyhow::Result<Drivers> {
    let keystone_needed =
        arguments.cloud == CloudKind::Openstack || arguments.auth == Some(AuthenticationKind::Keystone);
    let openstack = if keystone_needed {
        let timeout = Duration::from_secs(u64::from(arguments.cloud_timeout));
        let openstack = OpenStack::new(&credentials(arguments)?, timeout)
            .context("the service's credentials: name a cloud of clouds.yaml with --os-cloud, or set OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME")?;
        Some(Arc::new(openstack))
    } else {
        None
    };
    let identity = openstack.clone().map(|openstack| openstack as Arc<dyn Identity>);
    match (arguments.cloud, openstack) {
        (CloudKind::Openstack, Some(openstack)) => {
            let config = OpenStackHostsConfig {
                names: Names {
                    freepool: arguments.aggregate_freepool_name.clone(),
                    az_prefix: arguments.blazar_az_prefix.clone(),
                    blazar_owner: arguments.blazar_owner.clone(),
                },
                image_prefix: arguments.image_prefix.clone(),
                before_end: arguments.before_end.clone(),
                ..OpenStackHostsConfig::default()
            };
            let addresses = Arc::new(OpenStackFloatingIps::new(openstack.clone(), steps.clone()));
            let names = config.names.clone();
            let instances = OpenStackInstances::new(openstack.clone(), names.clone(), steps.clone());
            let flavored = flavor_plugin::openstack(openstack.clone(), names, steps.clone());
            let flavors = Arc::new(OpenStackFlavors::new(openstack.clone()));
            let hosts = Arc::new(OpenStackHosts::new(
                openstack.clone(),
                openstack.clone(),
                openstack,
                config,
                steps,
            ));
            Ok(Drivers {
                plugins: offered(
                    arguments,
                    [
                        hosts.clone(),
                        Arc::new(instances),
                        Arc::new(flavored),
                        addresses.clone(),
                    ],
                ),
                monitor: is_watched(arguments).then(|| hosts.clone() as Arc<dyn HostMonitor>),
                inventory: hosts,
                floating_ips: addresses,
                flavors,
                identity,
            })
        }
        (CloudKind::Openstack | CloudKind::Standalone, _) => {
            if is_watched(arguments) {
                bail!(
                    "--enable-polling-monitor and --enable-notification-monitor need --cloud openstack; here operators say what works, with `berth host down`"
                );
            }
            let receivers = Receivers::new(receivers::of_everything(arguments, shutdown)?, steps);
            let instances = instance_plugin::standalone(instance_plugin::RESOURCE_TYPE, receivers.clone());
            let flavored = flavor_plugin::standalone(receivers.clone());
            let addresses = floatingip_plugin::standalone(receivers.clone());
            let hosts = Arc::new(StandaloneHosts::new(receivers, arguments.before_end.clone()));
            Ok(Drivers {
                plugins: offered(
                    arguments,
                    [
                        hosts.clone(),
                        Arc::new(instances),
                        Arc::new(flavored),
                        Arc::new(addresses),
                    ],
                ),
                monitor: None,
                inventory: hosts,
                floating_ips: Arc::new(AnyAddress),
                flavors: Arc::new(flavors(arguments)?),
                identity,
            })
        }
    }
}

/// Whether Nova says which hosts work.
const fn is_watched(arguments: &ServeArguments) -> bool {
    arguments.enable_polling_monitor || arguments.enable_notification_monitor
}

/// Those of the plugins whose resource types are to be offered.
fn offered(arguments: &ServeArguments, all: [Arc<dyn ResourcePlugin>; 4]) -> Plugins {
    let is_offered = |plugin: &Arc<dyn ResourcePlugin>| {
        let kinds = &arguments.resource_types;
        kinds.iter().any(|kind| kind == plugin.resource_type())
    };
    let chosen = all.into_iter().filter(is_offered);
    chosen.fold(Plugins::default(), Plugins::with)
}

/// The service's own credentials: a named cloud, else user and password, else whatever the OS_* variables say.
fn credentials(arguments: &ServeArguments) -> anyhow::Result<ServiceCredentials> {
    if let Some(name) = &arguments.os_cloud {
        return Ok(ServiceCredentials::Cloud(name.clone()));
    }
    let given = (
        &arguments.os_auth_url,
        &arguments.os_username,
        &arguments.os_password,
        &arguments.os_project_name,
    );
    let (Some(auth_url), Some(username), Some(password), Some(project_name)) = given else {
        return Ok(ServiceCredentials::Environment);
    };
    if auth_url.is_empty() {
        bail!("--os-auth-url is empty; the URL of Keystone is needed, for example http://keystone:5000/v3");
    }
    Ok(ServiceCredentials::Password(Password {
        auth_url: auth_url.clone(),
        username: username.clone(),
        password: password.clone(),
        project_name: project_name.clone(),
        user_domain_name: arguments.os_user_domain_name.clone(),
        project_domain_name: arguments.os_project_domain_name.clone(),
        region_name: arguments.region.clone(),
        interface: arguments.endpoint_type.clone(),
        cafile: arguments.os_cacert.clone(),
    }))
}

/// The flavors that the operator has listed.
fn flavors(arguments: &ServeArguments) -> anyhow::Result<ListedFlavors> {
    let Some(path) = &arguments.flavors else {
        return Ok(ListedFlavors::default());
    };
    let option = || format!("--flavors {}", path.display());
    let text = RegularFile::open(path).and_then(|file| file.text(LONGEST));
    ListedFlavors::read(&text.with_context(option)?).with_context(option)
}
