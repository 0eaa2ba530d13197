//! What a reservation reserves, by resource type.

use plugin_api::SourceFlavor;

/// What is reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReservationSpec {
    /// `physical:host`
    Host(HostReservation),
    /// `virtual:instance`
    Instance(InstanceReservation),
    /// `flavor:instance`
    Flavor(FlavorReservation),
    /// `virtual:floatingip`
    FloatingIp(FloatingIpReservation),
    /// A type that the operator has named.
    Countable(CountableReservation),
}

impl ReservationSpec {
    /// The `resource_type` on the wire.
    pub fn resource_type(&self) -> &str {
        match self {
            Self::Host(_) => HostReservation::RESOURCE_TYPE,
            Self::Instance(_) => InstanceReservation::RESOURCE_TYPE,
            Self::Flavor(_) => FlavorReservation::RESOURCE_TYPE,
            Self::FloatingIp(_) => FloatingIpReservation::RESOURCE_TYPE,
            Self::Countable(spec) => &spec.resource_type,
        }
    }

    /// Property expressions as the user wrote them, `""` for none; a host must satisfy all of them.
    pub fn expressions(&self) -> Vec<&str> {
        match self {
            Self::Host(spec) => vec![&spec.hypervisor_properties, &spec.resource_properties],
            Self::Instance(spec) => vec![&spec.resource_properties],
            Self::Flavor(_) | Self::FloatingIp(_) | Self::Countable(_) => Vec::new(),
        }
    }

    /// Puts others in the place of its property expressions.
    pub fn map_expressions(&mut self, other: impl Fn(&str) -> String) {
        let expressions = match self {
            Self::Host(spec) => vec![&mut spec.hypervisor_properties, &mut spec.resource_properties],
            Self::Instance(spec) => vec![&mut spec.resource_properties],
            Self::Flavor(_) | Self::FloatingIp(_) | Self::Countable(_) => Vec::new(),
        };
        for expression in expressions {
            *expression = other(expression);
        }
    }

    /// Most hosts, instances, addresses or units it may come to have.
    pub const fn most(&self) -> u32 {
        match self {
            Self::Host(spec) => spec.max,
            Self::Instance(spec) => spec.amount,
            Self::Flavor(spec) => spec.amount,
            Self::FloatingIp(spec) => spec.amount,
            Self::Countable(spec) => spec.amount,
        }
    }

    /// Whether it holds nothing whatever the planner says.
    pub const fn is_empty(&self) -> bool {
        match self {
            Self::Host(_) | Self::Instance(_) | Self::Flavor(_) | Self::Countable(_) => false,
            Self::FloatingIp(spec) => spec.amount == 0,
        }
    }

    /// Whether it has, or is to have, an object that clients name before the start: the server group of a rule of affinity.
    pub const fn is_prepared_early(&self) -> bool {
        match self {
            Self::Instance(spec) => spec.affinity.is_some() || spec.objects.server_group_id.is_some(),
            Self::Host(_) | Self::Flavor(_) | Self::FloatingIp(_) | Self::Countable(_) => false,
        }
    }

    /// The objects of the cloud it has, if it is of a type that has such.
    pub const fn objects_mut(&mut self) -> Option<&mut InstanceObjects> {
        match self {
            Self::Instance(spec) => Some(&mut spec.objects),
            Self::Flavor(spec) => Some(&mut spec.objects),
            Self::Host(_) | Self::FloatingIp(_) | Self::Countable(_) => None,
        }
    }
}

/// A reservation of whole physical hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostReservation {
    /// Fewest hosts.
    pub min: u32,
    /// Most hosts.
    pub max: u32,
    /// Property expression as the user wrote it, `""` for none.
    pub hypervisor_properties: String,
    /// Property expression as the user wrote it, `""` for none.
    pub resource_properties: String,
    /// `""`, `default` or `snapshot`.
    pub before_end: String,
}

impl HostReservation {
    /// The `resource_type` on the wire.
    pub const RESOURCE_TYPE: &'static str = "physical:host";
    /// The `before_end` of a reservation that was asked for without one.
    pub const DEFAULT_BEFORE_END: &'static str = "default";
}

/// A reservation of places for instances on hosts that other instances may share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceReservation {
    /// What one instance takes. Not everything is 0.
    pub size: InstanceSize,
    /// How many instances, at least 1.
    pub amount: u32,
    /// `Some(true)`: all on one host; `Some(false)`: all on different hosts; `None`: no rule.
    pub affinity: Option<bool>,
    /// Property expression as the user wrote it, `""` for none.
    pub resource_properties: String,
    /// What the cloud calls the objects made for it; before the start at most the server group.
    pub objects: InstanceObjects,
}

impl InstanceReservation {
    /// The `resource_type` on the wire.
    pub const RESOURCE_TYPE: &'static str = "virtual:instance";
}

/// A reservation of places for instances of a flavor, on hosts that other instances may share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlavorReservation {
    /// The flavor as it was when it was reserved. Not everything it asks for is 0.
    pub flavor: SourceFlavor,
    /// How many instances, at least 1.
    pub amount: u32,
    /// What the cloud calls the objects made for it; nothing before the start.
    pub objects: InstanceObjects,
}

impl FlavorReservation {
    /// The `resource_type` on the wire.
    pub const RESOURCE_TYPE: &'static str = "flavor:instance";
}

/// What one instance takes of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceSize {
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mb: u32,
    /// Disk in GiB.
    pub disk_gb: u32,
}

impl InstanceSize {
    /// Whether an instance takes anything.
    ///
    /// # Errors
    /// Says what is wrong if it takes nothing.
    pub const fn check(&self) -> Result<(), &'static str> {
        if self.vcpus == 0 && self.memory_mb == 0 && self.disk_gb == 0 {
            return Err("Malformed parameter vcpus, memory_mb and disk_gb (at least one must be greater than 0)");
        }
        Ok(())
    }
}

/// What the cloud calls the objects made for a reservation of instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceObjects {
    /// Nova's number of the aggregate.
    pub aggregate_id: Option<i64>,
    /// Nova's server group, if there is a rule of affinity.
    pub server_group_id: Option<String>,
}

/// A reservation of addresses of an external network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloatingIpReservation {
    /// The network.
    pub network_id: String,
    /// How many addresses; 0 is allowed and holds nothing.
    pub amount: u32,
    /// Addresses that must be among them, in canonical form, each once, at most `amount`.
    pub required_floatingips: Vec<String>,
}

impl FloatingIpReservation {
    /// The `resource_type` on the wire.
    pub const RESOURCE_TYPE: &'static str = "virtual:floatingip";

    /// Whether it requires no more addresses than it is of.
    ///
    /// # Errors
    /// Upstream's text if it requires more.
    pub fn check_required(&self) -> Result<(), &'static str> {
        if usize::try_from(self.amount).is_ok_and(|amount| amount < self.required_floatingips.len()) {
            return Err(
                "Invalid values for required_floatingips and amount. The amount must be equal to or longer than length \
                 of required_floatingips.",
            );
        }
        Ok(())
    }
}

/// A reservation of units of a resource type that the operator has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountableReservation {
    /// The `resource_type` on the wire.
    pub resource_type: String,
    /// How many units, at least 1.
    pub amount: u32,
}
