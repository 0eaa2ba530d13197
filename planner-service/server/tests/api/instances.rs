//! Reservations of instances: what is answered and what is refused, in upstream's words.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{ADMIN, Answer, Api, MEMBER, OTHER, lease_body, physical_host, virtual_instance};

async fn ask(api: &Api, reservation: Value) -> Answer {
    api.post("/v1/leases", MEMBER, lease_body(&json!([reservation]))).await
}

async fn booked(api: &Api, reservation: Value) -> Value {
    let answer = ask(api, reservation).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    answer.json()["lease"].clone()
}

/// A lease as it would be with other members of its reservation.
async fn change(api: &Api, lease: &Value, mut members: Value) -> Answer {
    members["id"] = lease["reservations"][0]["id"].clone();
    let path = format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"));
    api.put(&path, MEMBER, json!({"reservations": [members]})).await
}

/// How many places on each host a reservation has, by host.
async fn places(api: &Api, lease: &Value) -> Vec<usize> {
    let path = format!(
        "/v1/os-hosts/allocations?lease_id={}",
        lease["id"].as_str().expect("an id is text")
    );
    let allocations = api.get(&path, ADMIN).await.json()["allocations"].clone();
    let hosts = allocations.as_array().expect("a list").iter();
    hosts
        .map(|host| host["reservations"].as_array().expect("a list").len())
        .collect()
}

#[tokio::test]
async fn a_reservation_is_answered_with_every_member_clients_read() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    let lease = booked(&api, virtual_instance(2)).await;
    let reservation = &lease["reservations"][0];
    let expected = json!({
        "id": reservation["id"],
        "lease_id": lease["id"],
        "resource_id": reservation["resource_id"],
        "resource_type": "virtual:instance",
        "status": "pending",
        "missing_resources": false,
        "resources_changed": false,
        "created_at": "2050-01-01 10:00:30",
        "updated_at": null,
        "vcpus": 2,
        "memory_mb": 4096,
        "disk_gb": 0,
        "amount": 2,
        "affinity": null,
        "resource_properties": "",
        "flavor_id": reservation["id"],
        "aggregate_id": null,
        "server_group_id": null,
    });
    assert_eq!(*reservation, expected);
    let path = format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"));
    assert_eq!(api.get(&path, MEMBER).await.json()["lease"], lease);
    assert_eq!(places(&api, &lease).await, [2]);
}

#[tokio::test]
async fn affinity_is_whatever_python_takes_for_a_bool() {
    let api = Api::start().await;
    for name in ["compute-1", "compute-2"] {
        api.host(name, json!({})).await;
    }
    let none = [json!(null), json!("None"), json!("none"), json!("")];
    let yes = [
        json!(true),
        json!("True"),
        json!("yes"),
        json!("ON"),
        json!("t"),
        json!("1"),
        json!(1),
    ];
    let no = [
        json!(false),
        json!("false"),
        json!("No"),
        json!("off"),
        json!("N"),
        json!("0"),
        json!(0),
    ];
    for (words, rule) in [
        (&none[..], json!(null)),
        (&yes[..], json!(true)),
        (&no[..], json!(false)),
    ] {
        for word in words {
            let mut reservation = virtual_instance(2);
            reservation["affinity"] = word.clone();
            let lease = booked(&api, reservation).await;
            assert_eq!(lease["reservations"][0]["affinity"], rule, "{word}");
            let mut places = places(&api, &lease).await;
            places.sort_unstable();
            match &rule {
                Value::Bool(true) => assert_eq!(places, [0, 2], "{word}"),
                Value::Bool(false) => assert_eq!(places, [1, 1], "{word}"),
                Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                    assert_eq!(places.iter().sum::<usize>(), 2, "{word}");
                }
            }
            let path = format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"));
            let deleted = api.call(axum::http::Method::DELETE, &path, MEMBER, Value::Null).await;
            assert_eq!(deleted.status, StatusCode::NO_CONTENT);
        }
    }
    for word in [json!("maybe"), json!(2), json!([])] {
        let mut reservation = virtual_instance(1);
        reservation["affinity"] = word.clone();
        let answer = ask(&api, reservation).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{word}");
        assert_eq!(
            answer.message(),
            "Malformed parameter affinity (must be a bool value or None)"
        );
    }
}

#[tokio::test]
async fn bad_members_are_named_with_what_is_allowed() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    let missing = ask(
        &api,
        json!({"resource_type": "virtual:instance", "memory_mb": 1, "disk_gb": 1}),
    )
    .await;
    assert_eq!(missing.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        missing.message(),
        "Missing parameter vcpus,amount,affinity,resource_properties"
    );
    let size = |name: &str| format!("Malformed parameter {name} (must be an integer from 0 to 2147483647)");
    let nothing = "Malformed parameter vcpus, memory_mb and disk_gb (at least one must be greater than 0)";
    for (members, message) in [
        (json!({"vcpus": -1}), size("vcpus")),
        (json!({"vcpus": 1.5}), size("vcpus")),
        (json!({"memory_mb": "much"}), size("memory_mb")),
        (json!({"disk_gb": null}), "Missing parameter disk_gb".to_owned()),
        (json!({"disk_gb": 2_147_483_648_u32}), size("disk_gb")),
        (json!({"vcpus": 0, "memory_mb": 0}), nothing.to_owned()),
        (json!({"amount": 0}), "amount must be >= 1".to_owned()),
        (
            json!({"amount": 2_147_483_648_u32}),
            "amount must be <= 2147483647".to_owned(),
        ),
        (json!({"amount": "some"}), "amount must be an integer".to_owned()),
    ] {
        let mut reservation = virtual_instance(1);
        for (member, value) in members.as_object().expect("an object") {
            reservation[member] = value.clone();
        }
        let answer = ask(&api, reservation).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{members}: {}", answer.text);
        assert_eq!(answer.message(), message);
    }
    let mut reservation = virtual_instance(1);
    reservation["resource_properties"] = json!("[\"~\", \"$gpu\", \"1\"]");
    let answer = ask(&api, reservation).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(
        answer.message().starts_with("Malformed requirements "),
        "{}",
        answer.text
    );
    // The command line sends numbers as text.
    let mut reservation = virtual_instance(1);
    reservation["vcpus"] = json!("2");
    reservation["amount"] = json!("1");
    assert_eq!(ask(&api, reservation).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn no_host_carries_more_than_it_has() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    booked(&api, virtual_instance(1)).await;
    let refused = ask(&api, virtual_instance(2)).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(
        refused.message().starts_with("Not enough hosts available"),
        "{}",
        refused.text
    );
    booked(&api, virtual_instance(1)).await;
    assert_eq!(ask(&api, virtual_instance(1)).await.status, StatusCode::CONFLICT);
    // A host that carries instances is no whole host.
    assert_eq!(ask(&api, physical_host(1, 1)).await.status, StatusCode::CONFLICT);
}

/// One request of 230 bytes took 21 GB.
#[tokio::test]
async fn v3_an_enormous_amount_is_refused_before_anything_is_decided() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    for (reservations, asked) in [
        (json!([virtual_instance(2_147_483_647)]), "2147483647"),
        (json!([virtual_instance(90_000_000)]), "90000000"),
        (json!([physical_host(1, 6_000), virtual_instance(4_001)]), "10001"),
    ] {
        let answer = api.post("/v1/leases", MEMBER, lease_body(&reservations)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        let text = answer.message();
        let named = ["reservations", asked, "10000", "--max-amount"];
        assert!(named.iter().all(|part| text.contains(part)), "{text}");
    }
    let lease = booked(&api, virtual_instance(1)).await;
    let refused = change(&api, &lease, json!({"amount": 10_001})).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
}

#[tokio::test]
async fn v3_a_project_is_limited_in_sum() {
    let api = Api::start().await;
    for name in ["compute-1", "compute-2", "compute-3", "compute-4"] {
        api.host(name, json!({})).await;
    }
    for _ in 0..3 {
        booked(&api, virtual_instance(2)).await;
    }
    let many = lease_body(&json!([physical_host(1, 10_000)]));
    let refused = api.post("/v1/leases", MEMBER, many.clone()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    let (text, named) = (refused.message(), ["10006", "10005", "--max-project-amount"]);
    assert!(named.iter().all(|part| text.contains(part)), "{text}");
    let other = api.post("/v1/leases", OTHER, many).await;
    assert_eq!(other.status, StatusCode::CREATED, "{}", other.text);
}

#[tokio::test]
async fn a_pending_reservation_changes_in_every_member_and_a_running_one_only_grows() {
    let api = Api::start().await;
    for name in ["compute-1", "compute-2"] {
        api.host(name, json!({})).await;
    }
    let lease = booked(&api, virtual_instance(1)).await;
    let changed = change(
        &api,
        &lease,
        json!({"vcpus": 1, "memory_mb": 1024, "disk_gb": 1, "amount": 3, "affinity": true}),
    )
    .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let reservation = changed.json()["lease"]["reservations"][0].clone();
    for (member, value) in [("vcpus", 1), ("memory_mb", 1024), ("disk_gb", 1), ("amount", 3)] {
        assert_eq!(reservation[member], json!(value));
    }
    assert_eq!(reservation["affinity"], json!(true));
    // More than one host has: refused, and nothing is changed.
    let refused = change(&api, &lease, json!({"amount": 5})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    let path = format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"));
    assert_eq!(
        api.get(&path, MEMBER).await.json()["lease"]["reservations"][0]["amount"],
        json!(3)
    );
    let nothing = change(&api, &lease, json!({"vcpus": 0, "memory_mb": 0, "disk_gb": 0})).await;
    assert_eq!(nothing.status, StatusCode::BAD_REQUEST);

    let body = json!({
        "name": "now", "start_date": "now", "end_date": "2050-01-02 10:00", "reservations": [virtual_instance(2)],
    });
    let answer = api.post("/v1/leases", MEMBER, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let running = answer.json()["lease"].clone();
    api.until(&running, "ACTIVE").await;
    for (members, text) in [
        (
            json!({"vcpus": 1}),
            "An active reservation only accepts to update amount.",
        ),
        (
            json!({"amount": 1}),
            "Instance reservation doesn't allow to reduce/replace reserved instance slots when the reservation is in active status.",
        ),
    ] {
        let refused = change(&api, &running, members).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
        assert_eq!(refused.message(), text);
    }
    let before = places(&api, &running).await;
    let grown = change(&api, &running, json!({"amount": 3})).await;
    assert_eq!(grown.status, StatusCode::OK, "{}", grown.text);
    let after = places(&api, &running).await;
    assert_eq!(after.iter().sum::<usize>(), 3);
    assert!(
        before.iter().zip(&after).all(|(before, after)| before <= after),
        "{before:?} {after:?}"
    );
}

#[tokio::test]
async fn resource_types_without_a_plugin_are_refused() {
    let api = Api::start().await;
    for (kind, text) in [
        ("device", "The device resource type is not supported"),
        ("foo:bar", "The foo:bar resource type is not supported"),
    ] {
        let mut reservation = virtual_instance(1);
        reservation["resource_type"] = json!(kind);
        let answer = ask(&api, reservation).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.message().starts_with(text), "{}", answer.text);
    }
}
