//! Which properties the expressions of a caller reach.
//!
//! Invariant: a property that a caller may not see counts, in what he asks and in what he books, as one that no host
//! has; so no answer tells that it exists, nor which values it has.

use crate::authority::{Caller, Policy, Target, rules};
use crate::book::Book;
use crate::properties::{self, CAPABILITY_SCOPE, COLUMNS, NAMES_OF_HOSTS};

/// What a caller may see of the properties of hosts.
pub(crate) struct Reach<'a> {
    book: &'a Book,
    pub(crate) sees_private: bool,
    sees_hosts: bool,
    names_hosts: bool,
}

impl<'a> Reach<'a> {
    /// Of questions about all hosts: names of hosts count only for those who may read hosts.
    pub(crate) fn of_questions(policy: &dyn Policy, caller: &Caller, book: &'a Book) -> Self {
        let own = Target {
            project_id: &caller.project_id,
            user_id: &caller.user_id,
        };
        let sees_hosts = policy.allows(rules::HOSTS_GET, caller, own);
        Self {
            book,
            sees_private: policy.allows(rules::ADMIN, caller, own),
            sees_hosts,
            names_hosts: sees_hosts,
        }
    }

    /// Of what is booked, or would be: whoever knows the name of a host may ask for it, or for another.
    pub(crate) fn of_bookings(policy: &dyn Policy, caller: &Caller, book: &'a Book) -> Self {
        Self {
            names_hosts: true,
            ..Self::of_questions(policy, caller, book)
        }
    }

    /// Whether the caller may read hosts.
    pub(crate) const fn sees_hosts(&self) -> bool {
        self.sees_hosts
    }

    /// Whether a capability is hidden from the caller.
    pub(crate) fn hides_capability(&self, name: &str) -> bool {
        !self.sees_private && self.book.property(name).is_some_and(|property| property.private)
    }

    /// The expression, properties out of reach renamed to ones that no host has.
    pub(crate) fn within(&self, expression: &str) -> String {
        properties::renamed(expression, &|operator, name| {
            self.hides(operator, name).then(|| properties::unseen(name))
        })
    }

    fn hides(&self, operator: &str, name: &str) -> bool {
        if NAMES_OF_HOSTS.contains(&name) {
            let is_exact = matches!(operator, "==" | "=" | "!=");
            return !(self.sees_hosts || self.names_hosts && is_exact);
        }
        !COLUMNS.contains(&name) && self.hides_capability(name.strip_prefix(CAPABILITY_SCOPE).unwrap_or(name))
    }
}
