//! Properties of hosts as `/v1` shows them.

use serde::{Deserialize, Serialize};

use crate::date::PlanTime;

/// Body of the listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertiesBody {
    /// Properties at least one host has.
    pub resource_properties: Vec<PropertyListing>,
}

/// A property in the listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertyListing {
    /// Its name.
    pub property: String,
    /// Hidden from users who are not operators; only with `detail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<bool>,
    /// Distinct values; only with `detail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
}

/// Body of the answer to a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertyBody {
    /// The property.
    pub resource_property: Property,
}

/// A property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names are upstream's")]
pub struct Property {
    /// UUID with dashes.
    pub id: String,
    /// `physical:host`
    pub resource_type: String,
    /// Its name.
    pub property_name: String,
    /// Hidden from users who are not operators.
    pub private: bool,
    /// When it was first used. In this one place upstream writes record times like plan times.
    pub created_at: PlanTime,
    /// When it was last changed.
    pub updated_at: Option<PlanTime>,
}
