//! `/capacity/v1`: Berth's own resources.

pub(super) mod availability;
pub(super) mod host;
pub(super) mod lease;
pub(crate) mod openapi;
pub(super) mod what_if;
