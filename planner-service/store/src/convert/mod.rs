//! Rows to domain values and back.
//!
//! Invariant: `domain -> rows -> domain` is the identity, order of lists included; a row that makes no
//! sense is an error that names the object, never a default.

mod finding;
mod floating_ip;
mod host;
mod lease;
mod notification;
mod specification;

use planner_core::ports::StoreError;

pub(crate) use finding::{finding_row, findings_from_row};
pub(crate) use floating_ip::{floating_ip_from_row, floating_ip_row};
pub(crate) use host::{
    HostRows, capability_rows, host_row, hosts_from_rows, inventory_rows, property_from_row, property_row, trait_rows,
};
pub(crate) use lease::{LeaseRows, handover_from_text, handover_text, leases_from_rows};
pub(crate) use notification::{outbox_entry, outbox_row};

/// A place in a list as the column `position` holds it.
pub(crate) fn position(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

fn corrupt(what: String) -> StoreError {
    StoreError::Corrupt { what }
}
