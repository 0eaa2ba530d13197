//! Reservations of units of a resource type that the operator has named.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Api, MEMBER, lease_body};

async fn ask(api: &Api, reservation: Value) -> Answer {
    api.post("/v1/leases", MEMBER, lease_body(&json!([reservation]))).await
}

fn licences(amount: u32) -> Value {
    json!({"resource_type": "licence:cad", "amount": amount})
}

async fn change(api: &Api, lease: &Value, amount: Value) -> Answer {
    let path = format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"));
    let reservation = lease["reservations"][0]["id"].clone();
    let body = json!({"reservations": [{"id": reservation, "amount": amount}]});
    api.put(&path, MEMBER, body).await
}

#[tokio::test]
async fn every_unit_is_one_reservations_at_a_time() {
    let api = Api::start().await;
    let answer = ask(&api, licences(2)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let first = answer.json()["lease"].clone();
    let reservation = &first["reservations"][0];
    assert_eq!(reservation["resource_type"], "licence:cad");
    assert_eq!(reservation["amount"], 2);
    let units = |lease: &Value| -> Vec<String> {
        serde_json::from_value(lease["reservations"][0]["units"].clone()).expect("a list of names")
    };
    let refused = ask(&api, licences(2)).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(
        refused.message().starts_with("Not enough units available"),
        "{}",
        refused.text
    );
    let second = ask(&api, licences(1)).await.json()["lease"].clone();
    let mut all = [units(&first), units(&second)].concat();
    all.sort();
    assert_eq!(all, ["a", "b", "c"]);
    let path = format!("/capacity/v1/leases/{}", second["id"].as_str().expect("text"));
    let report = api.get(&path, MEMBER).await.json();
    let name = units(&second).remove(0);
    assert_eq!(
        report["reservations"][0]["units"],
        json!([{"name": name, "tentative": true}])
    );
    assert_eq!(report["reservations"][0]["hosts"], json!([]));
    // Another time is another matter.
    let mut later = lease_body(&json!([licences(3)]));
    later["start_date"] = json!("2050-12-27 12:00");
    later["end_date"] = json!("2050-12-28 12:00");
    assert_eq!(api.post("/v1/leases", MEMBER, later).await.status, StatusCode::CREATED);

    assert_eq!(change(&api, &first, json!(3)).await.status, StatusCode::CONFLICT);
    let fewer = change(&api, &first, json!(1)).await;
    assert_eq!(fewer.status, StatusCode::OK, "{}", fewer.text);
    assert_eq!(units(&fewer.json()["lease"]).len(), 1);
    assert_eq!(change(&api, &second, json!(2)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn bad_members_are_named_with_what_is_allowed() {
    let api = Api::start().await;
    for (reservation, message) in [
        (json!({"resource_type": "licence:cad"}), "Missing parameter amount"),
        (licences(0), "amount must be >= 1"),
        (
            json!({"resource_type": "licence:cad", "amount": "x"}),
            "amount must be an integer",
        ),
        (
            json!({"resource_type": "licence:other", "amount": 1}),
            "The licence:other resource type is not supported",
        ),
    ] {
        let answer = ask(&api, reservation.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{reservation}");
        assert!(answer.message().starts_with(message), "{reservation}: {}", answer.text);
    }
    let body = json!({"lease": {"start": "2050-12-26T12:00:00Z", "end": "2050-12-27T12:00:00Z",
        "reservations": [licences(4)]}});
    let answer = api.post("/capacity/v1/what-if", MEMBER, body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["lease"]["verdict"], "refused", "{}", answer.text);
}

#[tokio::test]
async fn e3_a_shortage_names_the_resource_type() {
    let api = Api::start().await;
    let answer = ask(&api, licences(4)).await;
    assert_eq!(
        answer.message(),
        "Not enough units available: 4 units are needed, licence:cad has 3"
    );
    assert_eq!(ask(&api, licences(2)).await.status, StatusCode::CREATED);
    let answer = ask(&api, licences(2)).await;
    assert_eq!(
        answer.message(),
        "Not enough units available: between 2050-12-26T12:00Z and 2050-12-27T12:00Z 4 units are needed at once by your \
         request and by earlier leases; licence:cad has 3"
    );
}
