//! The client against servers that point elsewhere or answer without an end.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

mod support;

use client::{ConnectionArguments, Endpoint, TypedConnection};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use support::berth;

/// Every way to send something: a token alone, a body besides, a deletion.
const COMMANDS: [&[&str]; 5] = [
    &["lease", "list"],
    &["lease", "create", "SECRET", "--end", "+2h", "--hosts", "1"],
    &["lease", "delete", "6ee55c78-ac52-41a6-99af-2d2d73bcc466"],
    &["host", "create", "SECRET"],
    &["what-if", "--hosts", "1", "--start", "+1h", "--end", "+2h"],
];

#[tokio::test]
async fn v9_the_client_sends_nothing_where_a_redirect_points() {
    let thief = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"leases": [], "lease": {}, "host": {}})))
        .mount(&thief)
        .await;
    for status in [301, 302, 303, 307, 308] {
        let server = MockServer::start().await;
        let location = format!("{}/v1/leases?token=SECRET", thief.uri());
        Mock::given(any())
            .respond_with(ResponseTemplate::new(status).insert_header("Location", location.as_str()))
            .mount(&server)
            .await;
        for command in COMMANDS {
            let (result, printed) = berth(&server.uri(), command).await;
            let error = result.unwrap_err();
            assert_eq!(error.exit_code(), 1, "{command:?}");
            let error = error.to_string();
            assert!(
                error.contains(&status.to_string()) && error.contains(&thief.uri()),
                "{error}"
            );
            assert!(!error.contains("SECRET") && printed.is_empty(), "{error}{printed}");
        }
    }
    assert_eq!(thief.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn v9_a_login_sends_the_password_nowhere_else() {
    let thief = MockServer::start().await;
    let token = ResponseTemplate::new(201)
        .insert_header("X-Subject-Token", "t")
        .set_body_json(json!({"token": {"catalog": []}}));
    Mock::given(any()).respond_with(token).mount(&thief).await;
    for status in [301, 302, 303, 307, 308] {
        let keystone = MockServer::start().await;
        let location = format!("{}/v3/auth/tokens", thief.uri());
        Mock::given(any())
            .respond_with(ResponseTemplate::new(status).insert_header("Location", location.as_str()))
            .mount(&keystone)
            .await;
        let url = keystone.uri();
        let environment = |name: &str| {
            let value = match name {
                "OS_AUTH_URL" => url.as_str(),
                "OS_USERNAME" => "ann",
                "OS_PASSWORD" => "SECRET",
                "OS_PROJECT_NAME" => "lab",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let error = Endpoint::resolve(&ConnectionArguments::default(), &environment)
            .await
            .unwrap_err();
        let error = error.to_string();
        assert!(error.contains(&thief.uri()) && !error.contains("SECRET"), "{error}");
        assert_eq!(keystone.received_requests().await.unwrap().len(), 1);
    }
    assert_eq!(thief.received_requests().await.unwrap().len(), 0);
}

/// Answers every request with a list that never ends, until the client has had enough or 512 MiB are written.
async fn endless_list(servers: &mut JoinSet<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    servers.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"leases\": [";
        let _ = stream.write_all(head.as_bytes()).await;
        let piece = "{\"id\": \"6ee55c78\", \"name\": \"night\", \"reservations\": []},".repeat(10_000);
        let mut left: usize = 512 << 20;
        while left > 0 && stream.write_all(piece.as_bytes()).await.is_ok() {
            left = left.saturating_sub(piece.len());
        }
        assert!(left > 0, "the client reads on and on");
    });
    url
}

#[tokio::test]
async fn v25_an_endless_list_is_an_error() {
    let mut servers = JoinSet::new();
    let url = endless_list(&mut servers).await;
    let (result, printed) = berth(&url, &["lease", "list"]).await;
    let error = result.unwrap_err();
    assert!(error.to_string().contains("is longer than 128 MiB"), "{error}");
    assert_eq!((error.exit_code(), printed.as_str()), (1, ""));
    servers.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn v25_an_answer_of_very_many_small_values_is_an_error() {
    let server = MockServer::start().await;
    let body = format!("{{\"leases\": [{}0]}}", "0,".repeat(7 << 20));
    Mock::given(method("GET"))
        .and(path("/v1/leases"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body, "application/json"))
        .mount(&server)
        .await;
    let error = berth(&server.uri(), &["lease", "list"]).await.0.unwrap_err();
    assert!(error.to_string().contains("values"), "{error}");
}

#[tokio::test]
async fn v25_a_long_refusal_is_an_error_like_any_other() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(500).set_body_string("x".repeat(64 << 20)))
        .mount(&server)
        .await;
    let error = berth(&server.uri(), &["lease", "list"]).await.0.unwrap_err();
    assert!(
        error.to_string().starts_with("Internal Server Error (HTTP 500"),
        "{error}"
    );
}

/// ESC (window title, clear), BEL, CR, line feed, C1 and an override of direction.
const STEERING: &str = "x\x1b]0;PWNED\x07\x1b[2J\x1b[31m\r\n\u{9b}2J\u{202e}\u{2028}y";

/// Every text is hostile; what is not a text is as it should be.
async fn hostile_service() -> MockServer {
    let server = MockServer::start().await;
    let id = "6ee55c78-ac52-41a6-99af-2d2d73bcc466";
    let date = "2030-01-01T12:00:00.000000";
    let lease = json!({"id": id, "name": STEERING, "project_id": STEERING, "user_id": STEERING, "status": STEERING,
        "degraded": true, "start_date": STEERING, "end_date": date,
        "events": [{"event_type": STEERING, "time": STEERING, "status": STEERING}],
        "reservations": [{"id": STEERING, "resource_type": STEERING, "status": STEERING, "min": STEERING, "max": 1,
            "hypervisor_properties": STEERING, "resource_properties": STEERING}]});
    let dated = json!({"id": id, "name": STEERING, "project_id": "p", "status": STEERING, "start_date": date,
        "end_date": "2030-01-01T14:00:00.000000"});
    let host = json!({"id": "1", "hypervisor_hostname": STEERING, "vcpus": STEERING, "memory_mb": 1, "local_gb": 1,
        "availability_zone": STEERING, STEERING: STEERING});
    let held = json!({"id": STEERING, "lease_id": id, "start_date": date, "end_date": "2030-01-01T14:00:00.000000"});
    let step = json!({"start": STEERING, "end": STEERING, "free": 1, "free_with_moves": 1, "in_service": 1});
    for (route, body) in [
        ("/v1/leases".to_owned(), json!({"leases": [lease, dated]})),
        (format!("/v1/leases/{id}"), json!({"lease": lease})),
        ("/v1/os-hosts".to_owned(), json!({"hosts": [host]})),
        ("/v1/os-hosts/1".to_owned(), json!({"host": host})),
        (
            "/v1/os-hosts/allocations".to_owned(),
            json!({"allocations": [{"resource_id": "1", "reservations": [held]}]}),
        ),
        (
            "/v1/os-hosts/properties".to_owned(),
            json!({"resource_properties": [{"property": STEERING, "private": true, "values": [STEERING]}]}),
        ),
        (
            "/v1/floatingips".to_owned(),
            json!({"floatingips": [{"id": STEERING, "floating_ip_address": STEERING, "floating_network_id": STEERING}]}),
        ),
        (
            "/capacity/v1/availability".to_owned(),
            json!({"hosts_matching": STEERING, "next_marker": format!("'; rm -rf ~ #{STEERING}"), "steps": [step]}),
        ),
    ] {
        Mock::given(method("GET"))
            .and(path(route))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
    }
    let offers = json!([
        {"change": "start", "start": format!("'; rm -rf ~ #{STEERING}"), "end": date, "without_moves": true},
        {"change": "drop", "reservation": 0, "condition": format!("['; rm -rf ~ #{STEERING}"), "without_moves": true},
        {"change": "amount", "reservation": 0, "amount": 1, "without_moves": true}]);
    let refusal = json!({"error_code": 409, "error_message": STEERING, "error_name": 409, "offers": offers});
    let outcome = json!({"lease": {"verdict": "refused", "conflict": {"text": STEERING}, "offers": offers,
        "moves": {"reservations": 1, "hosts": 1, "must": 1, "leases": [
            {"lease_id": STEERING, "from": [STEERING], "to": [STEERING], "necessity": STEERING}]}, "most_hosts": []}});
    for (route, answer) in [
        (
            "/capacity/v1/what-if",
            ResponseTemplate::new(200).set_body_json(outcome),
        ),
        ("/v1/leases", ResponseTemplate::new(409).set_body_json(&refusal)),
        ("/v1/os-hosts", ResponseTemplate::new(409).set_body_json(&refusal)),
    ] {
        Mock::given(method("POST"))
            .and(path(route))
            .respond_with(answer)
            .mount(&server)
            .await;
    }
    Mock::given(method("DELETE"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    server
}

fn assert_steers_nothing(text: &str, command: &[&str]) {
    let found = text
        .chars()
        .find(|character| *character != '\n' && api_types::name::is_steering(*character));
    assert_eq!(found, None, "{command:?} wrote {text:?}");
    assert!(
        !text.contains("\nPWNED") && !text.contains("rm -rf ~ #\n"),
        "{command:?} wrote {text}"
    );
}

#[tokio::test]
async fn v19_nothing_a_service_says_steers_the_terminal() {
    let server = hostile_service().await;
    let id = "6ee55c78-ac52-41a6-99af-2d2d73bcc466";
    let commands: [&[&str]; 20] = [
        &["lease", "list"],
        &["lease", "show", id],
        &["lease", "show", id, "--field", "name"],
        &["lease", "show", id, "--field", "reservations"],
        &["lease", "show", id, "--field", "hosts"],
        &["lease", "delete", STEERING],
        &["lease", "delete", id],
        &["lease", "create", STEERING, "--hosts", "2", "--where", "gpu=1"],
        &["lease", "update", id, "--hosts", "1"],
        &["host", "list"],
        &["host", "show", "1"],
        &["host", "show", "1", "--field", STEERING],
        &["host", "create", STEERING],
        &["allocation", "list"],
        &["property", "list"],
        &["floatingip", "list"],
        &["timeline"],
        &["timeline", "--limit", "1", "--after", " "],
        &["availability"],
        &["what-if", "--hosts", "2"],
    ];
    for command in commands {
        for json in [&[][..], &["--json"]] {
            let command = [command, json].concat();
            let (result, printed) = berth(&server.uri(), &command).await;
            assert_steers_nothing(&printed, &command);
            if let Err(error) = result {
                for line in error.next_steps(&TypedConnection::default()) {
                    // Commands to copy hold no text of the service.
                    assert!(!line.contains("  berth ") || !line.contains("rm -rf"), "{line}");
                }
            } else if !json.is_empty() && !printed.is_empty() && !command.contains(&"--field") {
                serde_json::from_str::<serde_json::Value>(&printed).unwrap();
            }
        }
    }
    let (_, printed) = berth(&server.uri(), &["lease", "list", "--json"]).await;
    let read: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(read["leases"][0]["name"], STEERING, "the value is the same");
    assert!(printed.contains("\\u009b2J\\u202e\\u2028y"), "{printed}");
}
