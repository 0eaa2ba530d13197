//! Floating IPs and reservations of them: what is answered and what is refused, in upstream's words.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADMIN, Answer, Api, MEMBER, lease_body};

/// Registers an address of the network `public`; answers its id.
pub(crate) async fn registered(api: &Api, address: &str) -> String {
    let body = json!({"floating_network_id": "public", "floating_ip_address": address});
    let answer = api.post("/v1/floatingips", ADMIN, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let id = answer.json()["floatingip"]["id"].clone();
    id.as_str().expect("an id is text").to_owned()
}

fn addresses(amount: u32, required: &Value) -> Value {
    json!({
        "resource_type": "virtual:floatingip",
        "network_id": "public",
        "amount": amount,
        "required_floatingips": required,
    })
}

async fn ask(api: &Api, reservation: Value) -> Answer {
    api.post("/v1/leases", MEMBER, lease_body(&json!([reservation]))).await
}

async fn booked(api: &Api, reservation: Value) -> Value {
    let answer = ask(api, reservation).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    answer.json()["lease"].clone()
}

fn path(lease: &Value) -> String {
    format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"))
}

async fn change(api: &Api, lease: &Value, mut members: Value) -> Answer {
    members["id"] = lease["reservations"][0]["id"].clone();
    api.put(&path(lease), MEMBER, json!({"reservations": [members]})).await
}

async fn delete(api: &Api, path: &str, token: &str) -> Answer {
    api.call(Method::DELETE, path, token, Value::Null).await
}

fn refused(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.message().starts_with(text), "{}", answer.text);
}

#[tokio::test]
async fn addresses_are_registered_listed_and_removed() {
    let api = Api::start().await;
    let id = registered(&api, "192.0.2.9").await;
    let mut expected = json!({
        "id": id,
        "floating_network_id": "public",
        "subnet_id": "subnet-1",
        "floating_ip_address": "192.0.2.9",
        "reservable": true,
        "created_at": "2050-01-01 10:00:30",
        "updated_at": null,
    });
    let path = format!("/v1/floatingips/{id}");
    assert_eq!(api.get(&path, MEMBER).await.json(), json!({"floatingip": expected}));
    let listed = api.get("/v1/floatingips", MEMBER).await.json();
    assert_eq!(listed, json!({"floatingips": [expected]}));

    // Whatever else the body says is ignored; the answer writes its times otherwise; spellings are one.
    let body =
        json!({"floating_network_id": "public", "floating_ip_address": "2001:DB8:0::9", "id": "x", "reservable": 0});
    let made = api.post("/v1/floatingips", ADMIN, body).await.json()["floatingip"].clone();
    expected["id"] = made["id"].clone();
    expected["floating_ip_address"] = json!("2001:db8::9");
    expected["created_at"] = json!("2050-01-01T10:00:30.000000");
    assert_eq!(made, expected);

    assert_eq!(delete(&api, &path, ADMIN).await.status, StatusCode::NO_CONTENT);
    for answer in [api.get(&path, ADMIN).await, delete(&api, &path, ADMIN).await] {
        refused(&answer, 404, &format!("Floating IP {id} not found."));
    }
    assert_eq!(
        api.put(&path, ADMIN, json!({})).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let answer = api.get("/v1/floatingips/allocations", ADMIN).await;
    refused(&answer, 404, "Floating IP allocations not found.");
}

#[tokio::test]
async fn a_registration_that_is_wrong_says_what() {
    let api = Api::start().await;
    registered(&api, "2001:db8::9").await;
    let network = json!({"floating_network_id": "public"});
    let with = |address: Value| json!({"floating_network_id": "public", "floating_ip_address": address});
    for (body, text) in [
        (json!({}), "Missing parameter floating_network_id,floating_ip_address"),
        (network, "Missing parameter floating_ip_address"),
        (with(json!("192.0.2")), "IP address 192.0.2 is invalid form."),
        (with(json!(7)), "IP address 7 is invalid form."),
        (
            json!({"floating_network_id": "unknown", "floating_ip_address": "192.0.2.9"}),
            "Failed to find network unknown",
        ),
    ] {
        refused(&api.post("/v1/floatingips", ADMIN, body).await, 400, text);
    }
    let twice = api.post("/v1/floatingips", ADMIN, with(json!("2001:DB8::9"))).await;
    assert_eq!(twice.status, StatusCode::CONFLICT, "{}", twice.text);
}

#[tokio::test]
async fn a_reservation_is_answered_with_every_member_clients_read() {
    let api = Api::start().await;
    let id = registered(&api, "192.0.2.9").await;
    registered(&api, "192.0.2.10").await;
    let lease = booked(&api, addresses(1, &json!(["192.0.2.9"]))).await;
    let reservation = &lease["reservations"][0];
    let expected = json!({
        "id": reservation["id"],
        "lease_id": lease["id"],
        "resource_id": reservation["resource_id"],
        "resource_type": "virtual:floatingip",
        "status": "pending",
        "missing_resources": false,
        "resources_changed": false,
        "created_at": "2050-01-01 10:00:30",
        "updated_at": null,
        "network_id": "public",
        "amount": 1,
        "required_floatingips": ["192.0.2.9"],
    });
    assert_eq!(*reservation, expected);
    let held = delete(&api, &format!("/v1/floatingips/{id}"), ADMIN).await;
    let text = format!("Can't delete floating IP {id}. Floating IP id {id} is allocated by reservations.");
    refused(&held, 409, &text);
    assert_eq!(delete(&api, &path(&lease), MEMBER).await.status, StatusCode::NO_CONTENT);
    let freed = delete(&api, &format!("/v1/floatingips/{id}"), ADMIN).await;
    assert_eq!(freed.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn parameters_that_are_wrong_are_named() {
    let api = Api::start().await;
    registered(&api, "192.0.2.9").await;
    let without = |name: &str| {
        let mut reservation = addresses(1, &json!([]));
        reservation.as_object_mut().expect("an object").remove(name);
        reservation
    };
    refused(
        &ask(&api, without("network_id")).await,
        400,
        "Missing parameter network_id",
    );
    refused(&ask(&api, without("amount")).await, 400, "Missing parameter amount");
    let mut reservation = addresses(1, &json!([]));
    for amount in [json!("many"), json!(-1), json!(1.5)] {
        reservation["amount"] = amount;
        let text = "Malformed parameter amount (must be an integer from 0 to 2147483647)";
        refused(&ask(&api, reservation.clone()).await, 400, text);
    }
    let bad = ask(&api, addresses(1, &json!(["x"]))).await;
    refused(&bad, 400, "IP address x is invalid form.");
    let too_many = ask(&api, addresses(1, &json!(["192.0.2.9", "192.0.2.10"]))).await;
    refused(
        &too_many,
        400,
        "Invalid values for required_floatingips and amount. The amount must be equal to or longer than length of \
         required_floatingips.",
    );
    booked(&api, without("required_floatingips")).await;
    reservation["amount"] = json!("0");
    booked(&api, reservation).await;
}

#[tokio::test]
async fn what_is_not_there_is_a_shortage_of_addresses() {
    let api = Api::start().await;
    let short = |answer: Answer| {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        let text = answer.message();
        assert!(text.starts_with("Not enough floating IPs available: "), "{text}");
        assert_eq!(answer.json()["conflict"]["hosts"], Value::Null);
    };
    short(ask(&api, addresses(1, &json!([]))).await);
    registered(&api, "192.0.2.9").await;
    registered(&api, "192.0.2.10").await;
    short(ask(&api, addresses(3, &json!([]))).await);
    short(ask(&api, addresses(1, &json!(["192.0.2.11"]))).await);
    booked(&api, addresses(1, &json!(["192.0.2.9"]))).await;
    short(ask(&api, addresses(1, &json!(["192.0.2.9"]))).await);
    short(ask(&api, addresses(2, &json!([]))).await);
    booked(&api, addresses(1, &json!([]))).await;
    short(ask(&api, addresses(1, &json!([]))).await);
    booked(&api, addresses(0, &json!([]))).await;
}

#[tokio::test]
async fn a_change_keeps_network_and_required_addresses() {
    let api = Api::start().await;
    for address in ["192.0.2.9", "192.0.2.10"] {
        registered(&api, address).await;
    }
    let lease = booked(&api, addresses(1, &json!(["192.0.2.9"]))).await;
    let prefix = "Floating IP reservation cannot be updated with requested parameters. ";
    for (members, reason) in [
        (json!({"network_id": "other"}), "Updating network_id is not supported"),
        (
            json!({"required_floatingips": ["192.0.2.10"]}),
            "Updating required_floatingips is not supported except with an empty list",
        ),
    ] {
        refused(&change(&api, &lease, members).await, 400, &format!("{prefix}{reason}"));
    }
    let answer = change(&api, &lease, json!({"amount": 0})).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.message().starts_with("Invalid values for required_floatingips"));
    assert_eq!(
        change(&api, &lease, json!({"amount": 3})).await.status,
        StatusCode::BAD_REQUEST
    );
    let unchanged = api.get(&path(&lease), MEMBER).await.json()["lease"].clone();
    assert_eq!(unchanged, lease);

    for (members, amount, required) in [
        (json!({"network_id": "public", "amount": "2"}), 2, json!(["192.0.2.9"])),
        (json!({"required_floatingips": ["192.0.2.9"]}), 2, json!(["192.0.2.9"])),
        (json!({"required_floatingips": [], "amount": 1}), 1, json!([])),
        (json!({"amount": 0}), 0, json!([])),
        (json!({"amount": 2}), 2, json!([])),
    ] {
        let answer = change(&api, &lease, members.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{members}: {}", answer.text);
        let reservation = &answer.json()["lease"]["reservations"][0];
        assert_eq!(
            (&reservation["amount"], &reservation["required_floatingips"]),
            (&json!(amount), &required)
        );
    }
}

#[tokio::test]
async fn a_reservation_that_runs_grows_and_does_not_shrink() {
    let api = Api::start().await;
    for address in ["192.0.2.9", "192.0.2.10", "192.0.2.11"] {
        registered(&api, address).await;
    }
    let mut body = lease_body(&json!([addresses(2, &json!([]))]));
    body["start_date"] = json!("now");
    let lease = api.post("/v1/leases", MEMBER, body).await.json()["lease"].clone();
    api.until(&lease, "ACTIVE").await;
    assert_eq!(change(&api, &lease, json!({"amount": 3})).await.status, StatusCode::OK);
    let shrunk = change(&api, &lease, json!({"amount": 2})).await;
    let text = "Floating IP reservation cannot be updated with requested parameters. Cannot remove allocations from an \
                active reservation";
    // The growth is carried out first.
    let waiting = |answer: &Answer| answer.status == StatusCode::CONFLICT;
    let mut answer = shrunk;
    while waiting(&answer) {
        tokio::task::yield_now().await;
        answer = change(&api, &lease, json!({"amount": 2})).await;
    }
    refused(&answer, 400, text);
}

#[tokio::test]
async fn addresses_and_hosts_are_booked_together_or_not_at_all() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    registered(&api, "192.0.2.9").await;
    let both = |amount| {
        lease_body(&json!([
            crate::support::physical_host(1, 1),
            addresses(amount, &json!([]))
        ]))
    };
    let answer = api.post("/v1/leases", MEMBER, both(2)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    let answer = api.post("/v1/leases", MEMBER, both(1)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let answer = api.post("/v1/leases", MEMBER, both(0)).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert!(answer.message().starts_with("Not enough hosts available: "));
}
