//! Allocations: domain to wire, and the filter in the query.

use api_types::allocation as wire;
use api_types::date::PlanTime;
use planner_core::service::{AllocationFilter, HostAllocations};

/// What a host serves, as clients see it: a reservation of instances once for each place, as upstream shows it.
pub(crate) fn write(allocations: HostAllocations) -> wire::Allocation {
    wire::Allocation {
        resource_id: allocations.host_id,
        reservations: allocations
            .reservations
            .into_iter()
            .flat_map(|entry| {
                let (id, lease_id) = entry
                    .reservation
                    .map(|reservation| (reservation.reservation_id, reservation.lease_id))
                    .unzip();
                let reservation = wire::AllocatedReservation {
                    id,
                    lease_id,
                    start_date: PlanTime(entry.start),
                    end_date: PlanTime(entry.end),
                    occupied_until: (entry.occupied_until > entry.end).then_some(PlanTime(entry.occupied_until)),
                    tentative: Some(entry.tentative),
                };
                std::iter::repeat_n(reservation, usize::try_from(entry.places).unwrap_or(usize::MAX))
            })
            .collect(),
    }
}

/// The filter in a query; other parameters and empty values are ignored.
pub(crate) fn filter(query: Option<&str>) -> AllocationFilter {
    AllocationFilter {
        lease_id: first(query, "lease_id"),
        reservation_id: first(query, "reservation_id"),
    }
}

/// The first value of a query parameter, unless it is empty.
pub(crate) fn first(query: Option<&str>, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(parameter, _)| parameter == name)
        .map(|(_, value)| value.into_owned())
        .filter(|value| !value.is_empty())
}
