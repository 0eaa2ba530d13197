//! The rules of crate `policy` behind the port of `planner_core`.

use std::sync::Arc;

use arc_swap::ArcSwap;
use planner_core::authority::{Caller, Policy, Target};
use policy::Rules;

/// Policy by rules in oslo.policy's language, which may be exchanged for others while requests are served.
#[derive(Debug)]
pub struct RulePolicy(ArcSwap<Rules>);

impl RulePolicy {
    /// Policy by these rules.
    pub fn new(rules: Rules) -> Self {
        Self(ArcSwap::from_pointee(rules))
    }

    /// Decides by other rules from now on.
    pub fn replace(&self, rules: Rules) {
        self.0.store(Arc::new(rules));
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
        self.0.load().allows(rule, &credentials, &target)
    }
}
