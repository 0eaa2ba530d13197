//! Blazar databases on both servers, read as books.
#![cfg(test)]

use planner_core::domain::{
    EventStatus, EventType, Handover, Holding, Lease, LeaseStatus, Reservation, ReservationSpec, ReservationStatus,
};
use planner_core::ports::Contents;
use store::testing::{Engine, TestDatabase};
use takeover::{TranslateError, Translation, double_bookings, give_way, merge, read, translate};

/// 2030-03-17 17:47:00
const NOW: i64 = 1_900_000_020;

async fn fill(database: &TestDatabase, more: &[&str]) {
    let schema = include_str!("blazar/schema.sql");
    let schema = match database.engine {
        Engine::Postgres => schema.replace("DATETIME", "TIMESTAMP").replace("MEDIUMTEXT", "TEXT"),
        Engine::Sqlite | Engine::MariaDb => schema.to_owned(),
    };
    let texts = [schema.as_str(), include_str!("blazar/rows.sql")];
    let texts = texts.iter().chain(more).copied();
    let statements: Vec<&str> = texts
        .flat_map(|text| text.split(";\n"))
        .filter(|text| !text.trim().is_empty())
        .collect();
    database.sql(&statements).await.unwrap();
}

async fn translated(database: &TestDatabase) -> Translation {
    let source = read(&database.address).await.unwrap();
    translate(&source, NOW, 0).unwrap()
}

fn lease<'a>(contents: &'a Contents, id: &str) -> &'a Lease {
    contents
        .leases
        .iter()
        .find(|lease| lease.id == id)
        .expect("the lease is taken over")
}

fn check(translation: &Translation) {
    let Translation { contents, notes } = translation;
    let states = [
        ("pending", LeaseStatus::Pending, 1),
        ("active", LeaseStatus::Active, 1),
        ("terminated", LeaseStatus::Terminated, 0),
        ("error", LeaseStatus::Error, 0),
        ("instances", LeaseStatus::Pending, 2),
        ("starting", LeaseStatus::Pending, 1),
        ("terminating", LeaseStatus::Active, 0),
        ("deleting", LeaseStatus::Deleting, 0),
        ("updating", LeaseStatus::Pending, 2),
        ("addresses", LeaseStatus::Pending, 1),
        ("flavor", LeaseStatus::Pending, 2),
        ("empty", LeaseStatus::Pending, 0),
    ];
    assert_eq!(contents.leases.len(), states.len());
    for (id, status, held) in states {
        let lease = lease(contents, id);
        assert_eq!(lease.status, status, "{id}");
        let reservations = lease.reservations.iter().map(Reservation::amount);
        assert_eq!(reservations.sum::<u32>(), held, "{id}");
        assert!(
            lease.events.iter().all(|event| event.status != EventStatus::InProgress),
            "{id}"
        );
    }
    let pending = lease(contents, "pending");
    assert_eq!(
        (pending.start, pending.end, pending.created_at),
        (1_900_058_400, 1_900_144_800, 1_898_586_000)
    );
    assert_eq!(pending.event(EventType::BeforeEndLease).unwrap().time, 1_900_141_200);
    let start = pending.event(EventType::StartLease).unwrap();
    assert_eq!((start.id.as_str(), start.attempts), ("pending-start_lease", 0));
    // What stands in the cloud: objects made with the booking, hosts that a start may have reached, hosts of what runs.
    let holds = |ids: &[&str]| -> Holding { ids.iter().map(|id| ((*id).to_owned(), 1)).collect() };
    for (id, handover) in [
        ("pending", Handover::of_tried(holds(&[]))),
        ("starting", Handover::of_tried(holds(&["3"]))),
        ("active", Handover::of_running(holds(&["2"]))),
        ("terminated", Handover::default()),
    ] {
        assert_eq!(lease(contents, id).reservations[0].handover, handover, "{id}");
    }
    let ReservationSpec::Host(spec) = &pending.reservations[0].spec else {
        unreachable!("it is of hosts")
    };
    assert_eq!(
        (spec.min, spec.max, spec.resource_properties.as_str()),
        (1, 1, "[\"==\", \"$gpu\", \"a100\"]")
    );
    let instances = &lease(contents, "instances").reservations[0];
    let ReservationSpec::Instance(spec) = &instances.spec else {
        unreachable!("it is of instances")
    };
    assert_eq!(
        (spec.amount, spec.affinity, spec.objects.aggregate_id),
        (2, Some(false), Some(12))
    );
    let ReservationSpec::Flavor(spec) = &lease(contents, "flavor").reservations[0].spec else {
        unreachable!("it is of a flavor")
    };
    assert_eq!(
        (spec.flavor.id.as_str(), spec.amount, spec.objects.aggregate_id),
        ("3", 2, Some(13))
    );
    assert_eq!(spec.flavor.extra_specs["trait:HW_CPU_X86_AVX2"], "required");
    let addresses = &lease(contents, "addresses").reservations[0];
    let ReservationSpec::FloatingIp(spec) = &addresses.spec else {
        unreachable!("it is of addresses")
    };
    assert_eq!(
        (spec.amount, spec.required_floatingips.as_slice()),
        (1, &["192.0.2.8".to_owned()][..])
    );
    assert_eq!(addresses.allocations[0].host_id, "ip-2");
    let deleting = lease(contents, "deleting");
    assert_eq!(
        deleting.event(EventType::DeleteLease).unwrap().status,
        EventStatus::Undone
    );
    assert_eq!(
        lease(contents, "error").reservations[0].status,
        ReservationStatus::Error
    );
    let host = |id: &str| contents.hosts.iter().find(|host| host.id == id).unwrap();
    assert_eq!(
        (host("1").capabilities["gpu"].as_str(), host("2").cpu_info.as_str()),
        ("a100", r#"{"arch": "x86_64"}"#)
    );
    let provision = &host("3").provision;
    assert_eq!(
        (
            provision.inventories["VCPU"].capacity,
            provision.inventories["VCPU"].max_unit
        ),
        (17, 8)
    );
    assert!(provision.traits.contains("HW_CPU_X86_AVX2"));
    assert!(!host("4").reservable && host("4").cpu_info.is_empty());
    assert!(contents.properties[0].private);
    assert_eq!(contents.floating_ips[1].floating_ip_address, "192.0.2.8");
    let named: Vec<&str> = notes.iter().map(|note| note.id.as_str()).collect();
    for id in ["4", "device", "empty", "starting", "terminating", "updating"] {
        assert!(named.contains(&id), "{id}: {notes:?}");
    }
    assert!(double_bookings(contents).is_empty());
}

/// Both servers hold the same, and reading changes nothing.
#[test]
fn a_database_of_either_server_is_read_whole() {
    for engine in [Engine::MariaDb, Engine::Postgres] {
        engine.test_empty(async |database| {
            fill(&database, &[]).await;
            let first = translated(&database).await;
            check(&first);
            let second = translated(&database).await;
            assert_eq!(first.contents, second.contents);
            // What is taken over once is kept; what has changed in the source since is taken over again.
            let merged = merge(Contents::default(), first.contents.clone());
            let again = merge(merged.contents.clone(), second.contents);
            assert!(again.changes.is_empty(), "{:?}", again.tallies);
            let renamed = "UPDATE leases SET name = 'other', updated_at = '2030-03-17 12:00:00' WHERE id = 'pending'";
            database.sql(&[renamed]).await.unwrap();
            let changed = merge(merged.contents, translated(&database).await.contents);
            assert_eq!((changed.changes.len(), changed.tallies["leases"].newer), (1, 1));
            assert_eq!(lease(&changed.contents, "pending").name, "other");
        });
    }
}

#[test]
fn double_bookings_are_found_and_the_later_lease_gives_way() {
    Engine::MariaDb.test_empty(async |database| {
        fill(&database, &[include_str!("blazar/double_booking.sql")]).await;
        let mut contents = translated(&database).await.contents;
        let found = double_bookings(&contents);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (
                found[0].keeps.as_str(),
                found[0].gives_way.as_str(),
                found[0].resource.as_str()
            ),
            ("pending", "late", "1")
        );
        give_way(&mut contents, &found);
        assert!(double_bookings(&contents).is_empty());
        let late = lease(&contents, "late");
        assert!(late.degraded && late.reservations[0].missing_resources && late.reservations[0].allocations.is_empty());
        assert_eq!(lease(&contents, "pending").reservations[0].allocations.len(), 1);
    });
}

#[test]
fn what_cannot_be_taken_over_is_refused_by_name() {
    Engine::Postgres.test_empty(async |database| {
        assert!(
            read(&database.address)
                .await
                .unwrap_err()
                .to_string()
                .contains("the table leases cannot be read")
        );
        fill(
            &database,
            &["UPDATE leases SET status = 'PENDING' WHERE id = 'device';\n"],
        )
        .await;
        let refused = translate(&read(&database.address).await.unwrap(), NOW, 0).unwrap_err();
        let expected = TranslateError::Unsupported {
            lease: "device".to_owned(),
            resource_type: "device".to_owned(),
        };
        assert_eq!(refused, expected);
        database
            .sql(&[
                "DELETE FROM leases WHERE id = 'device'",
                "UPDATE leases SET status = 'ODD' WHERE id = 'empty'",
            ])
            .await
            .unwrap();
        let refused = translate(&read(&database.address).await.unwrap(), NOW, 0)
            .unwrap_err()
            .to_string();
        assert_eq!(refused, "leases empty: status is 'ODD', expected a status of leases");
    });
}
