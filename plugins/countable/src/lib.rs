//! Resource types that an operator names: licences, VLANs, switch ports, whatever can be counted.
//!
//! Invariant: a type is a name and units, each of which one reservation has at a time; the book alone says who has which.
//! Start and end tell a receiver, which makes the world agree.

mod list;
#[cfg(test)]
mod tests;

use plugin_action::{Receivers, Standalone};
use plugin_api::{Assignment, PluginError};

pub use list::{Countable, CountableError, read};

/// The resource type of a countable, told to these receivers.
pub fn plugin(countable: &Countable, receivers: Receivers) -> Standalone {
    Standalone::new(countable.resource_type.clone(), check, receivers)
}

fn check(assignment: &Assignment) -> Result<(), PluginError> {
    if assignment.units.is_some() {
        return Ok(());
    }
    let reservation = &assignment.reservation_id;
    Err(PluginError::Rejected(format!(
        "reservation {reservation} says no units"
    )))
}
