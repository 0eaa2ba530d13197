//! What the real program tells receivers, checked against the contract in docs/webhooks.md.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use http_client::{Method, RequestBuilder};
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, method};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::program::{Program, request};

const SECRET: &str = "open sesame";

async fn told(receiver: &MockServer) -> Vec<(Request, Value)> {
    let requests = receiver.received_requests().await.expect("they are recorded");
    let document = |request: Request| {
        let document = serde_json::from_slice(&request.body).expect("it is JSON");
        (request, document)
    };
    requests.into_iter().map(document).collect()
}

/// Waits until something was told.
async fn wait_for(receiver: &MockServer, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut poll = tokio::time::interval(Duration::from_millis(20));
    loop {
        let all = told(receiver).await;
        if let Some((_, document)) = all.iter().find(|(_, document)| wanted(document)) {
            return document.clone();
        }
        assert!(Instant::now() < deadline, "it is not told: {all:#?}");
        poll.tick().await;
    }
}

async fn register(program: &Program, host: &str) {
    let (status, body) = program
        .post("/v1/os-hosts", &json!({"name": host, "vcpus": 8, "memory_mb": 64}))
        .await;
    assert_eq!(status, 201, "{body}");
}

fn names(hosts: &Value) -> BTreeSet<&str> {
    let hosts = hosts["hosts"].as_array().expect("a list");
    hosts
        .iter()
        .filter_map(|host| host["hypervisor_hostname"].as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a4_growth_and_a_failure_are_changes_and_each_host_is_ended_once() {
    let receiver = MockServer::start().await;
    // The first attempt at each event fails, the second succeeds.
    for event in ["start", "change", "end", "booked"] {
        Mock::given(method("POST"))
            .and(body_partial_json(json!({"event": event, "attempt": 1})))
            .respond_with(ResponseTemplate::new(503))
            .mount(&receiver)
            .await;
    }
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&receiver)
        .await;
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("countables.json");
    std::fs::write(&list, r#"[{"resource_type": "licence:cad", "units": 3}]"#).expect("the list is written");
    let arguments = [
        "--data",
        folder.path().to_str().expect("text"),
        "--webhook",
        &receiver.uri(),
        "--countables",
        list.to_str().expect("text"),
        "--notices",
        "booked,moved,degraded,cancelled",
    ];
    let program = Program::start(&arguments, &[("BERTH_WEBHOOK_SECRET", SECRET)]);
    for host in ["rack-1", "rack-2", "rack-3", "rack-4", "rack-5", "rack-6"] {
        register(&program, host).await;
    }
    let lease = json!({"name": "größer", "start_date": "now", "end_date": "2099-01-01 00:00", "reservations": [
        {"resource_type": "physical:host", "min": 1, "max": 1, "hypervisor_properties": "", "resource_properties": ""},
        {"resource_type": "licence:cad", "amount": 2},
        {"resource_type": "virtual:instance", "amount": 2, "vcpus": 1, "memory_mb": 1, "disk_gb": 0,
         "affinity": null, "resource_properties": ""},
    ]});
    let (status, body) = program.post("/v1/leases", &lease).await;
    assert_eq!(status, 201, "{body}");
    let id = body["lease"]["id"].as_str().expect("text").to_owned();
    program.wait_for_status(&id, "ACTIVE").await;
    let hosts = body["lease"]["reservations"][0]["id"].clone();
    let is = |document: &Value, event: &str, attempt: u64| {
        document["event"] == event && document["reservation_id"] == hosts && document["attempt"] == attempt
    };
    let start = wait_for(&receiver, |document| is(document, "start", 2)).await;

    let booked = wait_for(&receiver, |document| {
        document["event"] == "booked" && document["attempt"] == 2
    })
    .await;
    assert_eq!(booked["lease"]["reservations"][0]["id"], hosts);
    assert_eq!(
        (&booked["lease_id"], &booked["lease_name"]),
        (&json!(id), &json!("größer"))
    );

    let grown = json!({"reservations": [{"id": hosts, "min": 2, "max": 2}]});
    let (status, body) = program.put(&format!("/v1/leases/{id}"), &grown).await;
    assert_eq!(status, 200, "{body}");
    let growth = wait_for(&receiver, |document| is(document, "change", 2)).await;
    assert_ne!(growth["idempotency_key"], start["idempotency_key"]);
    assert_eq!(names(&growth["removed"]).len(), 0);
    assert_eq!(names(&growth).len(), 2);
    assert!(names(&growth["added"]).is_disjoint(&names(&start)));

    let failed = start["hosts"][0]["id"].as_str().expect("text");
    let url = format!("{}/capacity/v1/hosts/{failed}", program.url);
    let down = request(Method::PATCH, &url).json(&json!({"reservable": false}));
    assert_eq!(status_of(down).await, 200);
    let healed = wait_for(&receiver, |document| {
        is(document, "change", 2) && document["sequence"].as_u64() > growth["sequence"].as_u64()
    })
    .await;
    assert_eq!(names(&healed["removed"]), names(&start));
    assert_eq!(names(&healed["added"]).len(), 1);
    let degraded = wait_for(&receiver, |document| document["event"] == "degraded").await;
    assert_eq!(degraded["lease"]["degraded"], true);
    let later = json!({"end_date": "2099-01-02 00:00"});
    let (status, body) = program.put(&format!("/v1/leases/{id}"), &later).await;
    assert_eq!(status, 200, "{body}");
    let moved = wait_for(&receiver, |document| document["event"] == "moved").await;
    assert_eq!(moved["end_date"], "2099-01-02T00:00:00Z");

    let url = format!("{}/v1/leases/{id}", program.url);
    assert_eq!(status_of(request(Method::DELETE, &url)).await, 204);
    let end = wait_for(&receiver, |document| is(document, "end", 2)).await;
    assert_eq!(names(&end), names(&healed));
    wait_for(&receiver, |document| document["event"] == "cancelled").await;

    let all = told(&receiver).await;
    let deliveries: Vec<Value> = all
        .iter()
        .map(|(request, _)| {
            let headers = request.headers.iter();
            let headers: serde_json::Map<String, Value> = headers
                .map(|(name, value)| (name.to_string(), value.to_str().expect("text").into()))
                .collect();
            json!({"headers": headers, "body": String::from_utf8_lossy(&request.body)})
        })
        .collect();
    assert!(deliveries.len() >= 8, "{deliveries:#?}");
    check_contract(&deliveries);
}

/// The status of an answer.
async fn status_of(asked: RequestBuilder) -> u16 {
    asked.send().await.expect("the program answers").status().as_u16()
}

/// Has Python read the documents as docs/webhooks.md describes them.
fn check_contract(deliveries: &[Value]) {
    if std::env::var("BERTH_TEST_ENGINES").is_ok_and(|engines| engines == "sqlite") {
        return;
    }
    let python = std::env::var("BERTH_TEST_PYTHON").expect("run through `make test` or `dev/with-databases`");
    let mut child = Command::new(python)
        .args([
            "-B",
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../dev/python/webhooks.py"),
            SECRET,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let input = child.stdin.take().expect("it reads");
    serde_json::to_writer(input, deliveries).expect("it is told");
    let output = child.wait_with_output().expect("it ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        deliveries.len().to_string()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn d7_a_program_sees_no_secret_of_the_service() {
    let folder = tempfile::tempdir().expect("a folder");
    let seen = folder.path().join("seen");
    let script = folder.path().join("receiver");
    let text = format!("#!/bin/sh\nenv > '{0}.part' && mv '{0}.part' '{0}'\n", seen.display());
    std::fs::write(&script, text).expect("it is written");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it may run");
    let secrets = [
        ("BERTH_WEBHOOK_SECRET", "hidden-one"),
        ("OS_PASSWORD", "hidden-two"),
        ("AWS_SECRET_ACCESS_KEY", "hidden-three"),
    ];
    let receiver = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&receiver)
        .await;
    let arguments = [
        "--data",
        folder.path().to_str().expect("text"),
        "--command",
        script.to_str().expect("text"),
        "--webhook",
        &receiver.uri(),
    ];
    let program = Program::start(&arguments, &secrets);
    register(&program, "rack-1").await;
    let lease = json!({"name": "n", "start_date": "now", "end_date": "2099-01-01 00:00", "reservations": [
        {"resource_type": "physical:host", "min": 1, "max": 1, "hypervisor_properties": "", "resource_properties": ""},
    ]});
    let (status, body) = program.post("/v1/leases", &lease).await;
    assert_eq!(status, 201, "{body}");
    program
        .wait_for_status(body["lease"]["id"].as_str().expect("text"), "ACTIVE")
        .await;
    let seen = std::fs::read_to_string(&seen).expect("it ran");
    assert!(
        seen.contains("BERTH_HOSTS=rack-1") && !seen.contains("hidden-"),
        "{seen}"
    );
    for name in seen
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
    {
        assert!(
            name.starts_with("BERTH_") || ["PATH", "HOME", "LANG", "PWD", "SHLVL", "_", "OLDPWD"].contains(&name),
            "{name}"
        );
    }
}

/// All that was told of a lease, in order.
async fn told_of(receiver: &MockServer, lease: &str) -> Vec<Value> {
    let all = told(receiver).await.into_iter().map(|(_, document)| document);
    all.filter(|document| document["lease_name"] == lease).collect()
}

/// Whether a receiver that obeys the contract carries a document out after these: it ignores a key that it knows, and a
/// sequence that is not larger.
fn is_news(document: &Value, before: &[Value]) -> bool {
    before.iter().all(|earlier| {
        earlier["idempotency_key"] != document["idempotency_key"]
            && earlier["sequence"].as_u64() < document["sequence"].as_u64()
    })
}

/// Makes the host that the lease was told of last fail, and waits until its receiver knows.
async fn fail_host_of(program: &Program, receiver: &MockServer, lease: &str) {
    let before = told_of(receiver, lease).await;
    let failed = before.last().expect("it was told")["hosts"][0]["id"].clone();
    let url = format!("{}/capacity/v1/hosts/{}", program.url, failed.as_str().expect("text"));
    assert_eq!(
        status_of(request(Method::PATCH, &url).json(&json!({"reservable": false}))).await,
        200
    );
    wait_for(receiver, |document| {
        document["lease_name"] == lease && document["event"] == "change" && is_news(document, &before)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a2_what_is_told_after_a_restore_is_news_to_a_receiver_that_obeys_the_contract() {
    let receiver = MockServer::start().await;
    let refused = Mock::given(method("POST"))
        .and(body_partial_json(json!({"lease_name": "waits"})))
        .respond_with(ResponseTemplate::new(503))
        .mount_as_scoped(&receiver)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&receiver)
        .await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let (data, copy) = (path("data"), path("copy"));
    let uri = receiver.uri();
    let serve = ["--data", &data, "--webhook", &uri, "--retry-ceiling", "1"];
    let program = Program::start(&serve, &[]);
    for number in 0..8 {
        register(&program, &format!("rack-{number}")).await;
    }
    let lease = |name: &str, start: &str| {
        json!({"name": name, "start_date": start, "end_date": "2099-01-02 00:00", "reservations": [
            {"resource_type": "physical:host", "min": 1, "max": 1, "hypervisor_properties": "", "resource_properties": ""},
        ]})
    };
    let mut ids = Vec::new();
    for (name, start) in [("runs", "now"), ("waits", "now"), ("later", "2099-01-01 00:00")] {
        let (status, body) = program.post("/v1/leases", &lease(name, start)).await;
        assert_eq!(status, 201, "{body}");
        ids.push(body["lease"]["id"].as_str().expect("text").to_owned());
    }
    program.wait_for_status(&ids[0], "ACTIVE").await;
    wait_for(&receiver, |document| document["lease_name"] == "waits").await;
    let berth = |arguments: &[&str]| {
        let ended = Command::new(env!("CARGO_BIN_EXE_berth")).args(arguments).output();
        let ended = ended.expect("it runs");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    };
    berth(&["backup", "--data", &data, &copy]);
    // After the backup the one that waited starts, the one that was to come later starts, and hosts fail.
    drop(refused);
    program.wait_for_status(&ids[1], "ACTIVE").await;
    let now = json!({"start_date": "now"});
    assert_eq!(program.put(&format!("/v1/leases/{}", ids[2]), &now).await.0, 200);
    program.wait_for_status(&ids[2], "ACTIVE").await;
    for lease in ["runs", "runs", "waits", "later"] {
        fail_host_of(&program, &receiver, lease).await;
    }
    program.stop();
    berth(&["restore", "--data", &data, "--replace", &copy]);
    let mut before = Vec::new();
    for name in ["runs", "waits", "later"] {
        before.push(told_of(&receiver, name).await);
    }
    let program = Program::start(&serve, &[]);
    let is_new = |document: &Value, index: usize, event: &str| {
        document["lease_name"] == ["runs", "waits", "later"][index]
            && document["event"] == event
            && is_news(document, &before[index])
    };
    wait_for(&receiver, |document| is_new(document, 1, "start")).await;
    assert_eq!(program.put(&format!("/v1/leases/{}", ids[2]), &now).await.0, 200);
    wait_for(&receiver, |document| is_new(document, 2, "start")).await;
    // The book has the host back that the lease had when it was copied.
    let first = before[0][0]["hosts"][0]["id"].as_str().expect("text");
    let url = format!("{}/capacity/v1/hosts/{first}", program.url);
    assert_eq!(
        status_of(request(Method::PATCH, &url).json(&json!({"reservable": false}))).await,
        200
    );
    wait_for(&receiver, |document| is_new(document, 0, "change")).await;
    for id in &ids {
        program.wait_for_status(id, "ACTIVE").await;
        let url = format!("{}/v1/leases/{id}", program.url);
        assert_eq!(status_of(request(Method::DELETE, &url)).await, 204);
    }
    for index in 0..3 {
        wait_for(&receiver, |document| is_new(document, index, "end")).await;
    }
    // Nothing at all was told that a receiver would have ignored, but for repetitions of one message.
    for (name, before) in ["runs", "waits", "later"].iter().zip(&before) {
        let all = told_of(&receiver, name).await;
        assert!(
            all[before.len()..].iter().all(|document| is_news(document, before)),
            "{all:#?}"
        );
    }
}
