//! Blazar's rules and Berth's own, and their default expressions.

/// A rule that has a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultRule {
    /// Name in policy files.
    pub name: &'static str,
    /// Default expression.
    pub expression: &'static str,
    /// Whether the deprecated owner rule applies as well unless new defaults are enforced.
    pub or_owner: bool,
}

/// Name of the deprecated rule that lets any user of the owning project act.
pub const OWNER_RULE: &str = "admin_or_owner";

const fn rule(name: &'static str, expression: &'static str) -> DefaultRule {
    DefaultRule {
        name,
        expression,
        or_owner: false,
    }
}

const fn owned(name: &'static str, expression: &'static str) -> DefaultRule {
    DefaultRule {
        name,
        expression,
        or_owner: true,
    }
}

/// All rules with their defaults.
pub const DEFAULT_RULES: &[DefaultRule] = &[
    rule("admin", "is_admin:True or role:admin"),
    rule(OWNER_RULE, "rule:admin or project_id:%(project_id)s"),
    rule("project_member_api", "role:member and project_id:%(project_id)s"),
    rule("project_reader_api", "role:reader and project_id:%(project_id)s"),
    rule("project_member_or_admin", "rule:project_member_api or rule:admin"),
    rule("project_reader_or_admin", "rule:project_reader_api or rule:admin"),
    owned("blazar:leases:get", "rule:project_reader_or_admin"),
    owned("blazar:leases:post", "rule:project_member_or_admin"),
    owned("blazar:leases:put", "rule:project_member_or_admin"),
    owned("blazar:leases:delete", "rule:project_member_or_admin"),
    rule("blazar:oshosts:get", "rule:admin"),
    rule("blazar:oshosts:post", "rule:admin"),
    rule("blazar:oshosts:put", "rule:admin"),
    rule("blazar:oshosts:delete", "rule:admin"),
    rule("blazar:oshosts:get_allocations", "rule:admin"),
    rule("blazar:oshosts:get_resource_properties", "rule:admin"),
    rule("blazar:oshosts:update_resource_properties", "rule:admin"),
    owned("blazar:floatingips:get", "rule:project_reader_or_admin"),
    rule("blazar:floatingips:post", "rule:admin"),
    rule("blazar:floatingips:delete", "rule:admin"),
    owned("berth:capacity:get", "rule:project_reader_or_admin"),
    owned("berth:capacity:what_if", "rule:project_reader_or_admin"),
    rule("berth:capacity:what_if_hosts", "rule:admin"),
];
