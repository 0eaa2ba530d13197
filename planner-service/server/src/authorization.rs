//! The rules of crate `policy` behind the port of `planner_core`.

use planner_core::authority::{Caller, Policy, Target};
use policy::Rules;

/// Policy by rules in oslo.policy's language.
#[derive(Debug, Clone)]
pub struct RulePolicy(Rules);

impl RulePolicy {
    /// Policy by these rules.
    pub const fn new(rules: Rules) -> Self {
        Self(rules)
    }
}

impl Policy for RulePolicy {
    fn allows(&self, rule: &str, caller: &Caller, target: Target<'_>) -> bool {
        let credentials = policy::Credentials {
            user_id: Some(caller.user_id.as_str()).filter(|id| !id.is_empty()),
            project_id: Some(caller.project_id.as_str()).filter(|id| !id.is_empty()),
            roles: &caller.roles,
            is_admin: caller.is_admin,
        };
        let target = policy::Target {
            project_id: target.project_id,
            user_id: target.user_id,
        };
        self.0.allows(rule, &credentials, &target)
    }
}
