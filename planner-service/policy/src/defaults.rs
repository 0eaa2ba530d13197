//! Blazar's rules and Berth's own, their default expressions, and what they guard.

/// Which default expressions apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defaults {
    /// Upstream's: everything about hosts is for administrators.
    Upstream,
    /// Of a service without a cloud: callers who may read leases may also see hosts, their public properties, and when
    /// hosts are taken.
    Standalone,
}

/// A rule that has a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultRule {
    /// Name in policy files.
    pub name: &'static str,
    /// Default expression of [`Defaults::Upstream`].
    pub expression: &'static str,
    /// Default expression of [`Defaults::Standalone`], where it is another.
    pub standalone: Option<&'static str>,
    /// Whether the deprecated owner rule applies as well unless new defaults are enforced.
    pub or_owner: bool,
    /// What the rule guards, for people: a sentence, and the calls.
    pub guards: &'static str,
}

impl DefaultRule {
    /// The default expression.
    pub fn expression(&self, defaults: Defaults) -> &'static str {
        match (defaults, self.standalone) {
            (Defaults::Standalone, Some(expression)) => expression,
            (Defaults::Upstream | Defaults::Standalone, _) => self.expression,
        }
    }
}

/// Name of the deprecated rule that lets any user of the owning project act.
pub const OWNER_RULE: &str = "admin_or_owner";

/// Expression of what every reader may do.
const READERS: &str = "rule:project_reader_or_admin";
/// Expression of what members may do.
const MEMBERS: &str = "rule:project_member_or_admin";
/// Expression of what administrators alone may do.
const ADMINISTRATORS: &str = "rule:admin";

const fn rule(name: &'static str, expression: &'static str, guards: &'static str) -> DefaultRule {
    DefaultRule {
        name,
        expression,
        standalone: None,
        or_owner: false,
        guards,
    }
}

const fn owned(name: &'static str, expression: &'static str, guards: &'static str) -> DefaultRule {
    DefaultRule {
        or_owner: true,
        ..rule(name, expression, guards)
    }
}

/// For administrators on a cloud, for readers without one.
const fn open(name: &'static str, guards: &'static str) -> DefaultRule {
    DefaultRule {
        standalone: Some(READERS),
        ..rule(name, ADMINISTRATORS, guards)
    }
}

/// All rules with their defaults.
pub const DEFAULT_RULES: &[DefaultRule] = &[
    rule(
        "admin",
        "is_admin:True or role:admin",
        "Administrators: they also see the leases of all projects in lists, and private properties of hosts.",
    ),
    rule(
        OWNER_RULE,
        "rule:admin or project_id:%(project_id)s",
        "Deprecated upstream: any user of the project that owns an object.",
    ),
    rule(
        "project_member_api",
        "role:member and project_id:%(project_id)s",
        "Members of the project that owns an object.",
    ),
    rule(
        "project_reader_api",
        "role:reader and project_id:%(project_id)s",
        "Readers of the project that owns an object.",
    ),
    rule(
        "project_member_or_admin",
        "rule:project_member_api or rule:admin",
        "What members may do.",
    ),
    rule(
        "project_reader_or_admin",
        "rule:project_reader_api or rule:admin",
        "What readers may do.",
    ),
    owned(
        "blazar:leases:get",
        READERS,
        "Read leases, with the names of their hosts: GET /v1/leases, GET /v1/leases/{id}, GET /capacity/v1/leases/{id}",
    ),
    owned("blazar:leases:post", MEMBERS, "Book leases: POST /v1/leases"),
    owned("blazar:leases:put", MEMBERS, "Change leases: PUT /v1/leases/{id}"),
    owned("blazar:leases:delete", MEMBERS, "Delete leases: DELETE /v1/leases/{id}"),
    open(
        "blazar:oshosts:get",
        "Read hosts: GET /v1/os-hosts, GET /v1/os-hosts/{id}. Private properties are for administrators.",
    ),
    rule(
        "blazar:oshosts:post",
        ADMINISTRATORS,
        "Register hosts: POST /v1/os-hosts",
    ),
    rule(
        "blazar:oshosts:put",
        ADMINISTRATORS,
        "Change hosts, and say that they have failed: PUT /v1/os-hosts/{id}, PATCH /capacity/v1/hosts/{id}",
    ),
    rule(
        "blazar:oshosts:delete",
        ADMINISTRATORS,
        "Remove hosts: DELETE /v1/os-hosts/{id}",
    ),
    rule(
        "blazar:oshosts:get_allocations",
        ADMINISTRATORS,
        "Read what every host is promised to, with the ids of everybody's leases: GET /v1/os-hosts/allocations, GET \
         /v1/os-hosts/{id}/allocation",
    ),
    open(
        "berth:timeline:get",
        "Read when every host is promised, with the ids of those leases only that the caller may read: the same calls",
    ),
    open(
        "blazar:oshosts:get_resource_properties",
        "Read which properties hosts have: GET /v1/os-hosts/properties. Private ones are for administrators.",
    ),
    rule(
        "blazar:oshosts:update_resource_properties",
        ADMINISTRATORS,
        "Make properties private or public: PATCH /v1/os-hosts/properties/{name}",
    ),
    owned(
        "blazar:floatingips:get",
        READERS,
        "Read registered floating IPs: GET /v1/floatingips, GET /v1/floatingips/{id}",
    ),
    rule(
        "blazar:floatingips:post",
        ADMINISTRATORS,
        "Register floating IPs: POST /v1/floatingips",
    ),
    rule(
        "blazar:floatingips:delete",
        ADMINISTRATORS,
        "Remove floating IPs: DELETE /v1/floatingips/{id}",
    ),
    owned(
        "berth:capacity:get",
        READERS,
        "Ask how many hosts are free when: GET /capacity/v1/availability",
    ),
    owned(
        "berth:capacity:what_if",
        READERS,
        "Ask what would become of a lease: POST /capacity/v1/what-if",
    ),
    rule(
        "berth:capacity:what_if_hosts",
        ADMINISTRATORS,
        "Ask what would become of all leases if hosts came or went: the same call with `hosts`",
    ),
];
