//! What of other people's affairs a caller may read.

use super::Questions;
use crate::authority::{Caller, Target, rules};
use crate::book::Book;
use crate::domain::Lease;
use crate::reach::Reach;

/// A caller's eyes on a snapshot.
pub(super) struct Eyes<'a> {
    questions: &'a Questions,
    caller: &'a Caller,
    /// The snapshot.
    pub(super) book: &'a Book,
    /// Whether the caller may read hosts.
    pub(super) sees_hosts: bool,
}

impl<'a> Eyes<'a> {
    pub(super) fn new(questions: &'a Questions, caller: &'a Caller, book: &'a Book) -> Self {
        Self {
            questions,
            caller,
            book,
            sees_hosts: questions.may_ask(rules::HOSTS_GET, caller).is_ok(),
        }
    }

    /// Which properties the caller may name.
    pub(super) fn reach(&self) -> Reach<'a> {
        Reach::of_bookings(self.questions.policy.as_ref(), self.caller, self.book)
    }

    /// Whether the caller may read a lease.
    fn may_read(&self, lease: &Lease) -> bool {
        let policy = &self.questions.policy;
        policy.allows(rules::LEASES_GET, self.caller, Target::of(lease))
    }

    /// Whether the caller may read the lease with this id.
    pub(super) fn sees_lease(&self, id: &str) -> bool {
        self.book.lease(id).is_some_and(|lease| self.may_read(lease))
    }

    /// The lease a reservation belongs to, if the caller may read it; `Err` if there is one but not for
    /// the caller, `Ok(None)` if no lease has it.
    pub(super) fn lease_of(&self, reservation: &str) -> Result<Option<&'a str>, ()> {
        match self.book.lease_of_reservation(reservation) {
            None => Ok(None),
            Some(lease) if self.may_read(lease) => Ok(Some(&lease.id)),
            Some(_) => Err(()),
        }
    }
}
