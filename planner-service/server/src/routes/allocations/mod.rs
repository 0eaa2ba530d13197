//! `/v1/os-hosts/allocations`, `/v1/os-hosts/{id}/allocation`

pub(super) mod list;
pub(super) mod show;
