//! Wire to domain, and back what the crate `presentation` does not show.
//!
//! Invariant: a value that has passed here fits every store: bounded, and free of the character
//! U+0000, which PostgreSQL cannot keep.

pub(crate) mod allocation;
pub(crate) mod capability;
pub(crate) mod capacity;
pub(crate) mod countable;
pub(crate) mod expression;
pub(crate) mod flavor;
pub(crate) mod floating_ip;
pub(crate) mod host;
pub(crate) mod instance;
pub(crate) mod lease_change;
pub(crate) mod lease_draft;
pub(crate) mod parameter;
pub(crate) mod property;
pub(crate) mod python;
pub(crate) mod question;
pub(crate) mod report;
pub(crate) mod reservation;
