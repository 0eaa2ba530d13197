//! `/capacity/v1`: Berth's own resources.

pub(super) mod lease;
