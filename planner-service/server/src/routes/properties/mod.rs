//! `/v1/os-hosts/properties`

pub(super) mod list;
pub(super) mod update;
