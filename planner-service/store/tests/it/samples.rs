//! Leases, hosts and commits to put into stores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use planner_core::domain::{
    Allocation, CountableReservation, Event, EventStatus, EventType, FlavorReservation, FloatingIp,
    FloatingIpReservation, Handover, Host, HostReservation, InstanceObjects, InstanceReservation, InstanceSize, Lease,
    LeaseStatus, Property, Reservation, ReservationSpec, ReservationStatus,
};
use planner_core::ports::{Change, Commit, Epoch, Store, StoreError};
use plugin_api::{Inventory, Provision, SourceFlavor};

pub(crate) const DAY: i64 = 86_400;

/// A lease with one reservation that holds the hosts from `start` to `end`.
pub(crate) fn lease(id: &str, hosts: &[&str], start: i64, end: i64) -> Lease {
    Lease {
        id: id.to_owned(),
        name: format!("lease {id}"),
        user_id: "user".to_owned(),
        project_id: "project".to_owned(),
        trust_id: None,
        start,
        end,
        status: LeaseStatus::Pending,
        degraded: false,
        created_at: 1,
        updated_at: None,
        reservations: vec![Reservation {
            id: format!("r-{id}"),
            resource_id: format!("h-{id}"),
            status: ReservationStatus::Pending,
            missing_resources: false,
            resources_changed: false,
            created_at: 1,
            updated_at: Some(2),
            spec: ReservationSpec::Host(HostReservation {
                min: 1,
                max: u32::MAX,
                hypervisor_properties: String::new(),
                resource_properties: r#"["==", "$gpu", "True"]"#.to_owned(),
                before_end: String::new(),
            }),
            allocations: Allocation::gathered(hosts.iter().map(|host| Allocation {
                host_id: (*host).to_owned(),
                start,
                occupied_until: end,
                places: 1,
            })),
            handover: Handover::default(),
        }],
        events: [EventType::StartLease, EventType::BeforeEndLease, EventType::EndLease]
            .into_iter()
            .map(|event_type| Event {
                id: format!("{id}-{event_type}"),
                event_type,
                time: start,
                status: EventStatus::Undone,
                attempts: 0,
                not_before: None,
                waiting: None,
                created_at: 1,
                updated_at: None,
            })
            .collect(),
    }
}

/// A lease with two reservations of instances, the second with a rule and objects in the cloud; places may repeat a host.
pub(crate) fn lease_of_instances(id: &str, places: &[&str], start: i64, end: i64) -> Lease {
    let mut lease = lease(id, places, start, end);
    let spec = |affinity, objects| {
        ReservationSpec::Instance(InstanceReservation {
            size: InstanceSize {
                vcpus: 2,
                memory_mb: u32::MAX,
                disk_gb: 0,
            },
            amount: 3,
            affinity,
            resource_properties: r#"["==", "$gpu", "True"]"#.to_owned(),
            objects,
        })
    };
    lease.reservations[0].spec = spec(None, InstanceObjects::default());
    let mut second = lease.reservations[0].clone();
    second.id.push_str("-second");
    second.spec = spec(
        Some(false),
        InstanceObjects {
            aggregate_id: Some(i64::MAX),
            server_group_id: Some("group".to_owned()),
        },
    );
    lease.reservations.push(second);
    lease
}

/// A lease with a reservation of instances of a flavor; places may repeat a host.
pub(crate) fn lease_of_a_flavor(id: &str, places: &[&str], start: i64, end: i64) -> Lease {
    let mut lease = lease(id, places, start, end);
    lease.reservations[0].spec = ReservationSpec::Flavor(FlavorReservation {
        flavor: SourceFlavor {
            id: "3".to_owned(),
            name: "größer".to_owned(),
            vcpus: 2,
            memory_mb: u32::MAX,
            disk: 0,
            ephemeral: 5,
            extra_specs: BTreeMap::from([("trait:HW_GPU".to_owned(), "required".to_owned())]),
            others: BTreeMap::from([("swap".to_owned(), "".into()), ("rxtx_factor".to_owned(), 1.5.into())]),
        },
        amount: 3,
        objects: InstanceObjects {
            aggregate_id: Some(7),
            server_group_id: None,
        },
    });
    lease
}

/// A lease with a reservation of units of a type that an operator has named.
pub(crate) fn lease_of_units(id: &str, held: &[&str], start: i64, end: i64) -> Lease {
    let mut lease = lease(id, held, start, end);
    lease.reservations[0].spec = ReservationSpec::Countable(CountableReservation {
        resource_type: "licence:cad".to_owned(),
        amount: 7,
    });
    lease
}

/// A lease with two reservations of floating IPs: one that holds these, one of none.
pub(crate) fn lease_of_floating_ips(id: &str, held: &[&str], start: i64, end: i64) -> Lease {
    let mut lease = lease(id, held, start, end);
    let spec = |amount, required: &[&str]| {
        ReservationSpec::FloatingIp(FloatingIpReservation {
            network_id: "public".to_owned(),
            amount,
            required_floatingips: required.iter().map(|&address| address.to_owned()).collect(),
        })
    };
    lease.reservations[0].spec = spec(u32::MAX, &["2001:db8::2", "192.0.2.9", "192.0.2.10"]);
    let mut second = lease.reservations[0].clone();
    second.id.push_str("-second");
    second.spec = spec(0, &[]);
    second.allocations.clear();
    lease.reservations.push(second);
    lease
}

pub(crate) fn floating_ip(id: &str) -> FloatingIp {
    FloatingIp {
        id: id.to_owned(),
        floating_network_id: "public".to_owned(),
        subnet_id: String::new(),
        floating_ip_address: format!("192.0.2.{id}"),
        reservable: true,
        created_at: 1,
        updated_at: Some(i64::MAX),
    }
}

pub(crate) fn host(id: &str) -> Host {
    Host {
        id: id.to_owned(),
        vcpus: 8,
        cpu_info: "{}".to_owned(),
        hypervisor_type: "QEMU".to_owned(),
        hypervisor_version: 2_010_001,
        hypervisor_hostname: format!("compute-{id}"),
        service_name: format!("compute-{id}"),
        memory_mb: 16_384,
        local_gb: 100,
        availability_zone: String::new(),
        trust_id: String::new(),
        reservable: true,
        created_at: 1,
        updated_at: None,
        capabilities: BTreeMap::from([("gpu".to_owned(), "True".to_owned()), ("GPU".to_owned(), String::new())]),
        provision: Provision {
            inventories: BTreeMap::from([(
                "VCPU".to_owned(),
                Inventory {
                    capacity: 128,
                    max_unit: 8,
                },
            )]),
            traits: BTreeSet::from(["HW_CPU_X86_AVX2".to_owned(), "HW_GPU".to_owned()]),
        },
    }
}

pub(crate) fn property(id: &str) -> Property {
    Property {
        id: id.to_owned(),
        name: format!("name of {id}"),
        private: true,
        created_at: 1,
        updated_at: Some(i64::MAX),
    }
}

pub(crate) fn put(lease: Lease) -> Change {
    Change::PutLease(Arc::new(lease))
}

/// Commits on whatever the epoch is.
pub(crate) async fn commit(store: &impl Store, changes: Vec<Change>) -> Result<Epoch, StoreError> {
    let expected = store.epoch().await?;
    store
        .commit(&Commit {
            expected,
            changes,
            fences: Vec::new(),
        })
        .await
}
