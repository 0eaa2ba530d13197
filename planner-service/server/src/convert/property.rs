//! Properties: domain to wire, and the body that changes one.

use api_types::date::PlanTime;
use api_types::property as wire;
use planner_core::domain::{HostReservation, Property};
use planner_core::service::PropertyListing;
use plugin_api::echo::shortened;
use serde_json::Value;

use super::parameter::{malformed, missing};
use super::python;
use crate::body::Object;
use crate::error::ApiError;

/// A property of the listing as clients see it.
pub(crate) fn listing(listing: PropertyListing, detail: bool) -> wire::PropertyListing {
    wire::PropertyListing {
        property: listing.name,
        private: detail.then_some(listing.private),
        values: detail.then_some(listing.values),
    }
}

/// A property as clients see it.
pub(crate) fn write(property: &Property) -> wire::Property {
    wire::Property {
        id: property.id.clone(),
        resource_type: HostReservation::RESOURCE_TYPE.to_owned(),
        property_name: property.name.clone(),
        private: property.private,
        created_at: PlanTime(property.created_at),
        updated_at: property.updated_at.map(PlanTime),
    }
}

/// The body of `PATCH /v1/os-hosts/properties/{name}`.
pub(crate) fn private(body: &Object) -> Result<bool, ApiError> {
    match body.get("private") {
        Some(Value::Bool(private)) => Ok(*private),
        Some(other) => Err(malformed(
            "private",
            &format!("must be true or false, not {}", shortened(&python::repr(other))),
        )),
        None => Err(missing("private")),
    }
}
