//! The reservation that tests of plugins begin with.

use plugin_api::Assignment;

/// Reservation `reservation` from second 1,000 to 2,000, which holds nothing yet.
pub fn assignment(resource_type: &str) -> Assignment {
    Assignment {
        lease_id: "lease".to_owned(),
        reservation_id: "reservation".to_owned(),
        resource_type: resource_type.to_owned(),
        user_id: "user".to_owned(),
        project_id: "project".to_owned(),
        trust_id: None,
        start: 1_000,
        end: 2_000,
        before_end: String::new(),
        hosts: Vec::new(),
        instances: None,
        floating_ips: None,
        units: None,
        message: None,
    }
}
