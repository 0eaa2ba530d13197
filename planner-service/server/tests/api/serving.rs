//! Clients that hang up, defects that panic, and the end of the service.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::support::{ADMIN, Api};

#[tokio::test]
async fn a_change_is_carried_through_when_its_client_hangs_up() {
    let api = Api::start().await;
    let request = Request::builder()
        .method(Method::POST)
        .uri("/v1/os-hosts")
        .header("X-Auth-Token", ADMIN)
        .body(Body::from("{\"name\": \"slow\"}"))
        .expect("the request is well formed");
    tokio::select! {
        _ = api.router.clone().oneshot(request) => panic!("the registration did not wait"),
        () = api.slow.begun.notified() => {}
    }
    api.slow.go_on.notify_one();
    let registered = async {
        while api.get("/v1/os-hosts", ADMIN).await.json()["hosts"] == json!([]) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), registered)
        .await
        .expect("the host is registered");
}

#[tokio::test]
async fn a_panic_is_answered_and_the_service_goes_on() {
    let api = Api::start().await;
    let answer = api.post("/v1/os-hosts", ADMIN, json!({"name": "panic"})).await;
    let expected = json!({
        "error_code": 500,
        "error_message": "Internal Server Error",
        "error_name": "INTERNAL_SERVER_ERROR",
    });
    assert_eq!(
        (answer.status, answer.json()),
        (StatusCode::INTERNAL_SERVER_ERROR, expected)
    );
    assert!(answer.headers.contains_key("x-openstack-request-id"));
    api.host("compute-1", json!({})).await;
}

#[tokio::test]
async fn the_service_answers_on_a_socket_until_it_is_told_to_stop() {
    let api = Api::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let shutdown = CancellationToken::new();
    let tasks = TaskTracker::new();
    let serving = tasks.spawn(server::serve(listener, api.router.clone(), shutdown.clone()));
    let mut client = TcpStream::connect(address).await.expect("it listens");
    client
        .write_all(b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("it reads");
    let mut beginning = [0; 15];
    client.read_exact(&mut beginning).await.expect("it answers");
    assert_eq!(&beginning, b"HTTP/1.1 200 OK");
    shutdown.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(20), serving).await;
    ended
        .expect("it stops although a client stays connected")
        .expect("no panic")
        .expect("no error");
}
