//! Dates both ways, and what clients read.
#![cfg(test)]

use std::collections::BTreeMap;

use api_types::date::{EARLIEST, LATEST, PlanTime, RecordTime, ZonedTime, format_request, parse_request};
use api_types::host::{COLUMN_NAMES, Host, HostColumns};
use api_types::lease::{Lease, Parameters};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn e2_a_date_may_have_any_blanks_before_its_hour() {
    for blanks in [" ", "\t", " \t ", "\u{a0}"] {
        assert_eq!(parse_request(&format!("2050-01-01{blanks}09:05")), Ok(2_524_640_700));
    }
}

#[test]
fn dates_of_requests_by_hand() {
    for (text, seconds) in [
        ("1970-01-01 00:00", Some(0)),
        ("2050-1-1 9:5", Some(2_524_640_700)),
        ("2050-01-01 09:05", Some(2_524_640_700)),
        ("2050-01-01   09:05", Some(2_524_640_700)),
        ("2048-02-29 00:00", Some(2_466_547_200)),
        ("9999-12-31 23:59", Some(253_402_300_740)),
        ("1969-12-31 23:59", Some(-60)),
        ("0000-01-01 00:00", None),
        ("2049-02-29 00:00", None),
        ("2050-13-01 00:00", None),
        ("2050-01-01 24:00", None),
        ("2050-01-01 00:60", None),
        ("2050-01-01 00:00:00", None),
        ("2050-01-01T00:00", None),
        ("2050-01-01 00:00Z", None),
        ("2050-01-01 +1:00", None),
        (" 2050-01-01 00:00", None),
        ("2050-01-01 00:00 ", None),
        ("2050-001-01 00:00", None),
        ("50-01-01 00:00", None),
        ("10000-01-01 00:00", None),
        ("-050-01-01 00:00", None),
        ("\u{662}050-01-01 00:00", None),
        ("2050-01-01", None),
        ("", None),
    ] {
        assert_eq!(parse_request(text).ok(), seconds, "{text}");
    }
}

#[test]
fn other_zones_and_fractions_are_read() {
    assert_eq!(
        ZonedTime::parse("2050-01-01T10:00:00+02:00").map(|time| time.0),
        Ok(2_524_636_800)
    );
    assert_eq!(
        RecordTime::parse("2050-01-01 08:00:00.999999").map(|time| time.0),
        Ok(2_524_636_800)
    );
    assert_eq!(
        PlanTime::parse("2050-01-01T08:00:00").map(|time| time.0),
        Ok(2_524_636_800)
    );
    assert!(serde_json::to_string(&PlanTime(LATEST + 1)).is_err());
    assert!(serde_json::to_string(&PlanTime(EARLIEST - 1)).is_err());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[0-9T:. Z+-]{0,24}|.{0,30}") {
        let _ = (parse_request(&text), PlanTime::parse(&text), RecordTime::parse(&text), ZonedTime::parse(&text));
    }

    #[test]
    fn every_second_survives_every_form(seconds in EARLIEST..=LATEST) {
        let plan = PlanTime(seconds).to_string();
        prop_assert!(plan.len() == 26 && plan.ends_with(".000000"), "{}", plan);
        prop_assert_eq!(PlanTime::parse(&plan), Ok(PlanTime(seconds)));
        prop_assert_eq!(RecordTime::parse(&RecordTime(seconds).to_string()), Ok(RecordTime(seconds)));
        prop_assert_eq!(ZonedTime::parse(&ZonedTime(seconds).to_string()), Ok(ZonedTime(seconds)));
        prop_assert_eq!(format_request(seconds).and_then(|text| parse_request(&text)), Ok(seconds - seconds % 60));
    }
}

#[test]
fn a_capability_never_hides_a_column() {
    let columns = HostColumns {
        id: "1".to_owned(),
        vcpus: 4,
        cpu_info: String::new(),
        hypervisor_type: "QEMU".to_owned(),
        hypervisor_version: 1,
        hypervisor_hostname: "c".to_owned(),
        service_name: "c".to_owned(),
        memory_mb: 1,
        local_gb: 1,
        status: None,
        availability_zone: String::new(),
        trust_id: String::new(),
        reservable: true,
        created_at: RecordTime(0),
        updated_at: None,
    };
    let names: Vec<String> = match serde_json::to_value(&columns) {
        Ok(Value::Object(members)) => members.keys().cloned().collect(),
        other => panic!("{other:?}"),
    };
    assert_eq!(names, COLUMN_NAMES);
    let capabilities: BTreeMap<String, String> = [("vcpus", "8"), ("gpu", "1")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let text = serde_json::to_string(&Host {
        columns: columns.clone(),
        capabilities,
    })
    .expect("it can be written");
    let read: Host = serde_json::from_str(&text).expect("it can be read");
    assert_eq!(read.columns, columns);
    assert_eq!(read.capabilities, [("gpu".to_owned(), "1".to_owned())].into());
}

#[test]
fn leases_with_resource_types_unknown_here_survive_reading_and_writing() {
    let lease = json!({
        "id": "l", "name": "n", "user_id": "u", "project_id": "p",
        "start_date": "2050-12-26T12:00:00.000000", "end_date": "2050-12-27T12:00:00.000000",
        "trust_id": "", "status": "PENDING", "degraded": false,
        "created_at": "2050-12-20 10:00:00", "updated_at": null,
        "reservations": [
            {"id": "r", "lease_id": "l", "resource_id": "x", "resource_type": "physical:host", "status": "pending",
             "missing_resources": false, "resources_changed": false, "created_at": "2050-12-20 10:00:00",
             "updated_at": null, "hypervisor_properties": "", "resource_properties": "", "before_end": "default",
             "min": 4, "max": 6},
            {"id": "s", "lease_id": "l", "resource_id": "y", "resource_type": "virtual:instance", "status": "pending",
             "missing_resources": false, "resources_changed": false, "created_at": "2050-12-20 10:00:00",
             "updated_at": null, "vcpus": 2, "affinity": null, "aggregate_id": 11}
        ],
        "events": [],
    });
    let read: Lease = serde_json::from_value(lease.clone()).expect("it can be read");
    assert!(matches!(read.reservations[0].parameters, Parameters::Host(_)));
    assert!(matches!(read.reservations[1].parameters, Parameters::Other(_)));
    assert_eq!(serde_json::to_value(&read).expect("it can be written"), lease);
}
