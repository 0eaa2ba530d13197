//! A service that is told to stop while receivers do not answer.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use http_client::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wiremock::matchers::{body_partial_json, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::program::{Program, host, lease, request};

/// Much less than a receiver may take here, much more than a stop takes.
const SOON: Duration = Duration::from_secs(20);

/// How long receivers may take.
const ACTION_TIMEOUT: &str = "300";

/// Books a lease that starts now, and gives its id.
async fn book(program: &Program) -> String {
    assert_eq!(program.post("/v1/os-hosts", &host("c1")).await.0, 201);
    let (status, body) = program
        .post("/v1/leases", &lease("hangs", "now", "2099-01-01 00:00", 1))
        .await;
    assert_eq!(status, 201, "{body}");
    body["lease"]["id"].as_str().unwrap().to_owned()
}

fn signal(program: &Program, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &program.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

async fn until(wanted: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut poll = tokio::time::interval(Duration::from_millis(20));
    while !wanted().await {
        assert!(Instant::now() < deadline, "it does not come");
        poll.tick().await;
    }
}

async fn told(receiver: &MockServer) -> Vec<Value> {
    let requests = receiver.received_requests().await.unwrap();
    requests
        .iter()
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect()
}

/// Hangs at the first attempt at this event, and takes everything else.
async fn hanging_at(event: &str) -> MockServer {
    let receiver = MockServer::start().await;
    Mock::given(method("POST"))
        .and(body_partial_json(json!({"event": event, "attempt": 1})))
        .respond_with(ResponseTemplate::new(204).set_delay(Duration::from_mins(10)))
        .mount(&receiver)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&receiver)
        .await;
    receiver
}

fn serve(data: &Path, more: &[&str]) -> Program {
    let data = data.to_str().unwrap();
    Program::start(
        &[&["--data", data, "--action-timeout", ACTION_TIMEOUT], more].concat(),
        &[],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_a_webhook_that_hangs_is_abandoned_and_asked_again_with_the_same_key() {
    let receiver = hanging_at("start").await;
    let data = tempfile::tempdir().unwrap();
    let program = serve(data.path(), &["--webhook", &receiver.uri()]);
    book(&program).await;
    until(async || !told(&receiver).await.is_empty()).await;
    let begun = Instant::now();
    signal(&program, "TERM");
    assert_eq!(program.wait_for_death(), Some(0));
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    let _program = serve(data.path(), &["--webhook", &receiver.uri()]);
    until(async || told(&receiver).await.len() > 1).await;
    let told = told(&receiver).await;
    assert_eq!(told[0]["idempotency_key"], told[1]["idempotency_key"], "{told:#?}");
    // That the first one was abandoned is on record.
    assert_eq!(told[1]["attempt"], 2, "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_a_client_that_waits_for_what_hangs_is_answered() {
    let receiver = hanging_at("end").await;
    let data = tempfile::tempdir().unwrap();
    let program = serve(data.path(), &["--webhook", &receiver.uri()]);
    let id = book(&program).await;
    program.wait_for_status(&id, "ACTIVE").await;
    let deletion = request(Method::DELETE, &format!("{}/v1/leases/{id}", program.url));
    let mut deletions = JoinSet::from_iter([deletion.send()]);
    until(async || told(&receiver).await.len() > 1).await;
    let begun = Instant::now();
    signal(&program, "TERM");
    let answer = deletions.join_next().await.unwrap();
    assert_eq!(answer.unwrap().unwrap().status().as_u16(), 204);
    assert_eq!(program.wait_for_death(), Some(0));
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    let _program = serve(data.path(), &["--webhook", &receiver.uri()]);
    until(async || told(&receiver).await.len() > 2).await;
    let told = told(&receiver).await;
    assert_eq!(told[1]["idempotency_key"], told[2]["idempotency_key"], "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_a_program_that_hangs_is_killed_with_all_it_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("receiver");
    let started = folder.path().join("started");
    let text = format!(
        "#!/bin/sh\nsleep 300 &\necho $$ $! > '{0}.part'\nmv '{0}.part' '{0}'\nwait\n",
        started.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = serve(&folder.path().join("data"), &["--command", script.to_str().unwrap()]);
    book(&program).await;
    until(async || started.exists()).await;
    let begun = Instant::now();
    signal(&program, "TERM");
    assert_eq!(program.wait_for_death(), Some(0));
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    let processes = std::fs::read_to_string(&started).unwrap();
    let lives = |id: &str| {
        // One that nobody has waited for yet is dead all the same.
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        status
            .lines()
            .any(|line| line.starts_with("State:") && !line.contains('Z'))
    };
    until(async || !processes.split_whitespace().any(lives)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_a_second_signal_ends_the_service_at_once() {
    let receiver = hanging_at("start").await;
    let data = tempfile::tempdir().unwrap();
    let program = serve(data.path(), &["--webhook", &receiver.uri()]);
    book(&program).await;
    until(async || !told(&receiver).await.is_empty()).await;
    signal(&program, "TERM");
    signal(&program, "INT");
    assert_eq!(program.wait_for_death(), Some(1));
}
