//! Who asks, and whether they may: object-level authorization in the data layer.
//!
//! Invariant: no lease, host or property leaves or changes the book through [`crate::service::Service`]
//! without a rule having been asked about that very object.

use crate::domain::Lease;

/// An authenticated caller. Ownership fields of new objects come from here and from nowhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// Keystone user id.
    pub user_id: String,
    /// Keystone project id the token is scoped to.
    pub project_id: String,
    /// Role names.
    pub roles: Vec<String>,
    /// Set for callers that are administrators without a role saying so (authentication `none`).
    pub is_admin: bool,
    /// The owner's trust for a lease made by this call, if trusts are configured.
    pub trust_id: Option<String>,
}

/// The object a rule is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// Project that owns it.
    pub project_id: &'a str,
    /// User who made it.
    pub user_id: &'a str,
}

impl<'a> Target<'a> {
    /// A lease.
    pub fn of(lease: &'a Lease) -> Self {
        Self {
            project_id: &lease.project_id,
            user_id: &lease.user_id,
        }
    }
}

/// The rules.
pub trait Policy: Send + Sync {
    /// Whether `rule` lets `caller` act on `target`. An unknown rule allows nothing.
    fn allows(&self, rule: &str, caller: &Caller, target: Target<'_>) -> bool;
}

/// Names of the rules, as upstream spells them; those that begin with `berth:` are not upstream's.
pub mod rules {
    /// Sees and changes everything.
    pub const ADMIN: &str = "admin";
    /// Read leases.
    pub const LEASES_GET: &str = "blazar:leases:get";
    /// Make leases.
    pub const LEASES_POST: &str = "blazar:leases:post";
    /// Change leases.
    pub const LEASES_PUT: &str = "blazar:leases:put";
    /// Delete leases.
    pub const LEASES_DELETE: &str = "blazar:leases:delete";
    /// Read hosts.
    pub const HOSTS_GET: &str = "blazar:oshosts:get";
    /// Register hosts.
    pub const HOSTS_POST: &str = "blazar:oshosts:post";
    /// Change hosts.
    pub const HOSTS_PUT: &str = "blazar:oshosts:put";
    /// Deregister hosts.
    pub const HOSTS_DELETE: &str = "blazar:oshosts:delete";
    /// Read which host serves which reservation.
    pub const HOSTS_ALLOCATIONS: &str = "blazar:oshosts:get_allocations";
    /// Read when every host is taken, without the names of other people's leases.
    pub const TIMELINE_GET: &str = "berth:timeline:get";
    /// Read property names and values.
    pub const PROPERTIES_GET: &str = "blazar:oshosts:get_resource_properties";
    /// Make properties private or public.
    pub const PROPERTIES_PATCH: &str = "blazar:oshosts:update_resource_properties";
    /// Read floating IPs.
    pub const FLOATING_IPS_GET: &str = "blazar:floatingips:get";
    /// Register floating IPs.
    pub const FLOATING_IPS_POST: &str = "blazar:floatingips:post";
    /// Deregister floating IPs.
    pub const FLOATING_IPS_DELETE: &str = "blazar:floatingips:delete";
    /// Ask how many hosts are free when.
    pub const CAPACITY_GET: &str = "berth:capacity:get";
    /// Ask what would become of a lease.
    pub const CAPACITY_WHAT_IF: &str = "berth:capacity:what_if";
    /// Ask what would become of promises if hosts came or went.
    pub const CAPACITY_WHAT_IF_HOSTS: &str = "berth:capacity:what_if_hosts";
}
