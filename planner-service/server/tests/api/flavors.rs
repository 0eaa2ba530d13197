//! Reservations of instances of a flavor: what is answered and what is refused, in upstream's words.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{ADMIN, Answer, Api, MEMBER, lease_body, physical_host, virtual_instance};

fn of_flavor(flavor_id: &str, amount: u32) -> Value {
    json!({"resource_type": "flavor:instance", "flavor_id": flavor_id, "amount": amount, "affinity": null})
}

async fn ask(api: &Api, reservation: Value) -> Answer {
    api.post("/v1/leases", MEMBER, lease_body(&json!([reservation]))).await
}

async fn booked(api: &Api, reservation: Value) -> Value {
    let answer = ask(api, reservation).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    answer.json()["lease"].clone()
}

async fn change(api: &Api, lease: &Value, mut members: Value) -> Answer {
    members["id"] = lease["reservations"][0]["id"].clone();
    let path = format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"));
    api.put(&path, MEMBER, json!({"reservations": [members]})).await
}

#[tokio::test]
async fn a_reservation_is_answered_with_every_member_clients_read() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    let lease = booked(&api, of_flavor("medium", 2)).await;
    let mut reservation = lease["reservations"][0].clone();
    let flavor: Value = serde_json::from_str(reservation["resource_properties"].as_str().expect("text")).expect("JSON");
    let expected = json!({
        "id": "medium", "name": "m1.medium", "vcpus": 2, "ram": 4096, "disk": 10, "OS-FLV-EXT-DATA:ephemeral": 0,
        "swap": "", "extra_specs": {},
    });
    assert_eq!(flavor, expected);
    reservation["resource_properties"] = json!("");
    let expected = json!({
        "id": reservation["id"],
        "lease_id": lease["id"],
        "resource_id": reservation["resource_id"],
        "resource_type": "flavor:instance",
        "status": "pending",
        "missing_resources": false,
        "resources_changed": false,
        "created_at": "2050-01-01 10:00:30",
        "updated_at": null,
        "vcpus": 2,
        "memory_mb": 4096,
        "disk_gb": 10,
        "amount": 2,
        "affinity": null,
        "resource_properties": "",
        "flavor_id": reservation["id"],
        "aggregate_id": null,
        "server_group_id": null,
    });
    assert_eq!(reservation, expected);
}

#[tokio::test]
async fn bad_members_are_named_with_what_is_allowed() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    let with = |member: &str, value: Value| {
        let mut reservation = of_flavor("medium", 1);
        reservation[member] = value;
        reservation
    };
    let id = "Malformed parameter flavor_id (must have 1 to 255 printable characters)";
    for (reservation, status, message) in [
        (
            json!({"resource_type": "flavor:instance", "amount": 1}),
            StatusCode::BAD_REQUEST,
            "Missing parameter flavor_id,affinity",
        ),
        (with("amount", json!(0)), StatusCode::BAD_REQUEST, "amount must be >= 1"),
        (
            with("amount", json!("x")),
            StatusCode::BAD_REQUEST,
            "amount must be an integer",
        ),
        (
            with("affinity", json!(true)),
            StatusCode::CONFLICT,
            "Affinity not supported yet (affinity must be null)",
        ),
        (
            with("affinity", json!("no")),
            StatusCode::CONFLICT,
            "Affinity not supported yet (affinity must be null)",
        ),
        (with("flavor_id", json!("")), StatusCode::BAD_REQUEST, id),
        (with("flavor_id", json!("a\u{0}b")), StatusCode::BAD_REQUEST, id),
        (
            with("flavor_id", json!([])),
            StatusCode::BAD_REQUEST,
            "Malformed parameter flavor_id (must be a string, not a list)",
        ),
        (
            with("flavor_id", json!("unknown")),
            StatusCode::NOT_FOUND,
            "Flavor unknown could not be found.",
        ),
        (
            with("flavor_id", json!("odd trait")),
            StatusCode::BAD_REQUEST,
            "Invalid value for trait HW_ODD",
        ),
        (
            with("flavor_id", json!("odd class")),
            StatusCode::BAD_REQUEST,
            "Invalid value for resource class CUSTOM_ODD",
        ),
        (
            with("flavor_id", json!("nothing")),
            StatusCode::BAD_REQUEST,
            "Flavor nothing asks for no resources, so nothing of it can be reserved",
        ),
    ] {
        let answer = ask(&api, reservation.clone()).await;
        assert_eq!(answer.status, status, "{reservation}: {}", answer.text);
        assert_eq!(answer.message(), message, "{reservation}");
    }
    // The command line sends a missing affinity as this word.
    booked(&api, with("affinity", json!("None"))).await;
}

#[tokio::test]
async fn traits_and_classes_choose_the_hosts_and_a_refusal_offers_none_of_them_up() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    let refused = ask(&api, of_flavor("gpu", 1)).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert!(
        refused.message().starts_with("Not enough hosts available"),
        "{}",
        refused.text
    );
    assert!(!refused.message().contains("drop"), "{}", refused.text);
    // Where there is no Placement, an operator says what a host is able to do.
    api.host("compute-2", json!({"trait:HW_GPU": "required"})).await;
    let lease = booked(&api, of_flavor("gpu", 2)).await;
    let path = format!(
        "/v1/os-hosts/allocations?lease_id={}",
        lease["id"].as_str().expect("text")
    );
    let allocations = api.get(&path, ADMIN).await.json()["allocations"].clone();
    assert_eq!(allocations[0]["reservations"], json!([]));
    assert_eq!(allocations[1]["reservations"].as_array().expect("a list").len(), 2);
    // It is one count with instances of a size of their own, and such a host is no whole host.
    assert_eq!(ask(&api, virtual_instance(3)).await.status, StatusCode::CONFLICT);
    assert_eq!(ask(&api, physical_host(2, 2)).await.status, StatusCode::CONFLICT);
    let elsewhere = booked(&api, of_flavor("no gpu", 2)).await;
    let path = format!(
        "/v1/os-hosts/allocations?lease_id={}",
        elsewhere["id"].as_str().expect("text")
    );
    let allocations = api.get(&path, ADMIN).await.json()["allocations"].clone();
    assert_eq!(allocations[0]["reservations"].as_array().expect("a list").len(), 2);
    assert_eq!(ask(&api, virtual_instance(1)).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn the_number_of_places_changes_and_nothing_else() {
    let api = Api::start().await;
    for name in ["compute-1", "compute-2"] {
        api.host(name, json!({})).await;
    }
    let lease = booked(&api, of_flavor("medium", 1)).await;
    let changed = change(
        &api,
        &lease,
        json!({"amount": 3, "flavor_id": "medium", "affinity": "None"}),
    )
    .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(changed.json()["lease"]["reservations"][0]["amount"], 3);
    for (members, status, message) in [
        (
            json!({"flavor_id": "gpu"}),
            StatusCode::CONFLICT,
            "flavor_id cannot be updated",
        ),
        (
            json!({"affinity": true}),
            StatusCode::CONFLICT,
            "Affinity not supported yet (affinity must be null)",
        ),
        (json!({"amount": 0}), StatusCode::BAD_REQUEST, "amount must be >= 1"),
    ] {
        let refused = change(&api, &lease, members).await;
        assert_eq!(refused.status, status, "{}", refused.text);
        assert_eq!(refused.message(), message);
    }
    assert_eq!(
        change(&api, &lease, json!({"amount": 5})).await.status,
        StatusCode::CONFLICT
    );
    let path = format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"));
    assert_eq!(
        api.get(&path, MEMBER).await.json()["lease"]["reservations"][0]["amount"],
        3
    );
}
