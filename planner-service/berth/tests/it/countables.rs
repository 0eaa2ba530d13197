//! Resource types that the operator names, with the real program: units are reserved, and whoever hands them out is told.

use http_client::Method;
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::program::{Program, request};

fn licences(amount: u32) -> Value {
    json!({"name": "cad", "start_date": "now", "end_date": "2099-01-01 00:00",
        "reservations": [{"resource_type": "licence:cad", "amount": amount}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn units_are_handed_out_at_the_start_and_outlive_the_program() {
    let receiver = MockServer::start().await;
    for event in ["start", "end"] {
        Mock::given(method("POST"))
            .and(body_partial_json(
                json!({"event": event, "resource_type": "licence:cad"}),
            ))
            .respond_with(ResponseTemplate::new(204))
            .expect(1..)
            .mount(&receiver)
            .await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("countables.json");
    let text = json!([
        {"resource_type": "licence:cad", "units": ["red", "green", "blue"], "webhook": receiver.uri()},
        {"resource_type": "vlan", "units": 2},
    ]);
    std::fs::write(&list, text.to_string()).expect("the list is written");
    let data = folder.path().join("book");
    let arguments = [
        "--data",
        data.to_str().expect("text"),
        "--countables",
        list.to_str().expect("text"),
    ];
    let program = Program::start(&arguments, &[]);
    let (status, body) = program.post("/v1/leases", &licences(2)).await;
    assert_eq!(status, 201, "{body}");
    let id = body["lease"]["id"].as_str().expect("text").to_owned();
    let running = program.wait_for_status(&id, "ACTIVE").await;
    let units = running["reservations"][0]["units"].clone();
    assert_eq!(units.as_array().map(Vec::len), Some(2));
    let told = receiver.received_requests().await.expect("they are recorded");
    let told: Value = serde_json::from_slice(&told[0].body).expect("JSON");
    assert_eq!(told["units"], units);
    program.kill();

    let program = Program::start(&arguments, &[]);
    let (status, refused) = program.post("/v1/leases", &licences(2)).await;
    assert_eq!(status, 409, "{refused}");
    let message = refused["error_message"].as_str().expect("text");
    assert!(message.starts_with("Not enough units available"), "{message}");
    let (_, body) = program.get(&format!("/v1/leases/{id}")).await;
    assert_eq!(body["lease"]["reservations"][0]["units"], units);
    let url = format!("{}/v1/leases/{id}", program.url);
    let deleted = request(Method::DELETE, &url).send().await.expect("it answers");
    assert_eq!(deleted.status(), 204);
    let (status, body) = program.post("/v1/leases", &licences(3)).await;
    assert_eq!(status, 201, "{body}");
    let all = body["lease"]["id"].as_str().expect("text").to_owned();
    // What is taken from the list stays with whoever has it.
    program.kill();
    let text = json!([{"resource_type": "licence:cad", "units": ["red"], "webhook": receiver.uri()}]);
    std::fs::write(&list, text.to_string()).expect("the list is written");
    let program = Program::start(&arguments, &[]);
    let (_, body) = program.get(&format!("/v1/leases/{all}")).await;
    let units = body["lease"]["reservations"][0]["units"].as_array().map(Vec::len);
    assert_eq!(units, Some(3), "{body}");
    assert_eq!(program.post("/v1/leases", &licences(1)).await.0, 409);
    // What is no longer listed keeps nobody from starting, and cannot be reserved any more.
    program.kill();
    let program = Program::start(&arguments[..2], &[]);
    let (status, body) = program.post("/v1/leases", &licences(1)).await;
    assert_eq!(status, 400, "{body}");
}
