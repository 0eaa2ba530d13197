//! Clients that hang up, defects that panic, and the end of the service.

use std::time::Duration;

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use server::{ConnectionLimits, RESERVED};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::support::{ADMIN, Api, MEMBER, lease_body};

/// How long a test waits for an answer.
const PATIENCE: Duration = Duration::from_mins(1);

const LIMITS: ConnectionLimits = ConnectionLimits {
    most: 4,
    idle: PATIENCE,
};

/// The service on a socket.
struct Socket {
    api: Api,
    address: SocketAddr,
    shutdown: CancellationToken,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Socket {
    async fn open(api: Api, limits: ConnectionLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shutdown = CancellationToken::new();
        TaskTracker::new().spawn(server::serve(listener, api.router.clone(), limits, shutdown.clone()));
        Self { api, address, shutdown }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    /// A client that has sent this and waits.
    async fn sent(&self, request: &str) -> TcpStream {
        let mut client = self.connect().await;
        client.write_all(request.as_bytes()).await.expect("it reads");
        client
    }

    /// All that is answered on a connection of its own.
    async fn answer(&self, request: &str) -> String {
        read_to_end(self.sent(request).await).await
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {ADMIN}\r\nConnection: close\r\n\r\n")
}

async fn read_to_end(mut client: TcpStream) -> String {
    let mut text = String::new();
    // A reset ends an answer as well.
    let read = tokio::time::timeout(PATIENCE, client.read_to_string(&mut text)).await;
    let _ = read.expect("the service answers or closes the connection");
    text
}

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
    let serving = tasks.spawn(server::serve(listener, api.router.clone(), LIMITS, shutdown.clone()));
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
        .expect("no panic");
}

#[tokio::test]
async fn v8_silent_clients_make_room_for_those_who_ask() {
    let socket = Socket::open(Api::start().await, LIMITS).await;
    let mut silent = Vec::new();
    for _ in 0..10 * LIMITS.most {
        silent.push(socket.sent("GET /v1/leases HTTP/1.1\r\nHost: ").await);
    }
    for path in ["/healthcheck", "/v1/leases"] {
        let answer = socket.answer(&get(path)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    // The first to be silent were the first to go.
    assert_eq!(read_to_end(silent.remove(0)).await, "");
}

#[tokio::test]
async fn v8_while_all_clients_wait_for_answers_health_is_still_told() {
    let socket = Socket::open(Api::start().await, LIMITS).await;
    let body = json!({"name": "slow"}).to_string();
    let head = format!("POST /v1/os-hosts HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {ADMIN}\r\n");
    let slow = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let mut busy = Vec::new();
    for _ in 0..LIMITS.most {
        busy.push(socket.sent(&slow).await);
        socket.api.slow.begun.notified().await;
    }
    let answer = socket.answer(&get("/healthcheck")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = socket.answer(&get("/v1/leases")).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(
        answer.contains("As many clients are connected as the service takes"),
        "{answer}"
    );
    // No more than the reserved ones are kept open beside them.
    let mut others = Vec::new();
    for _ in 0..=RESERVED {
        others.push(socket.connect().await);
    }
    assert_eq!(read_to_end(others.remove(0)).await, "", "one too many");
    socket.api.slow.go_on.notify_waiters();
}

#[tokio::test]
async fn v8_a_client_that_does_not_complete_a_request_is_disconnected() {
    let limits = ConnectionLimits {
        idle: Duration::from_secs(2),
        ..LIMITS
    };
    let socket = Socket::open(Api::start().await, limits).await;
    for beginning in [
        "",
        "GET /healthcheck HTTP/1.1\r\n",
        "GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let client = socket.sent(beginning).await;
        let answer = read_to_end(client).await;
        assert_eq!(
            answer.starts_with("HTTP/1.1 200"),
            beginning.ends_with("\r\n\r\n"),
            "{answer}"
        );
    }
    // Byte by byte is no better.
    let mut client = socket.connect().await;
    let trickle = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        while client.write_all(b"G").await.is_ok() {
            pace.tick().await;
        }
    };
    let closed = tokio::time::timeout(PATIENCE, trickle).await;
    assert!(closed.is_ok(), "the connection is still open");
}

#[tokio::test]
async fn f16_a_connection_is_closed_after_many_requests() {
    let socket = Socket::open(Api::start().await, LIMITS).await;
    let request = "HEAD /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n";
    let answers = socket.answer(&request.repeat(1_200)).await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 1_000);
    assert_eq!(answers.matches("connection: close").count(), 1);
}

/// Hosts whose list is longer than what the system keeps between the service and a client who does not read.
async fn with_long_list(api: &Api) {
    for number in 0..400 {
        api.host(&format!("compute-{number}"), json!({"text": "x".repeat(60_000)}))
            .await;
    }
}

#[tokio::test]
async fn v13_a_client_that_does_not_read_its_answer_is_disconnected() {
    let api = Api::start().await;
    with_long_list(&api).await;
    let limits = ConnectionLimits {
        most: 1,
        idle: Duration::from_secs(2),
    };
    let socket = Socket::open(api, limits).await;
    let mut deaf = socket.sent(&get("/v1/os-hosts")).await;
    let mut beginning = [0; 15];
    deaf.read_exact(&mut beginning).await.expect("the answer begins");
    assert_eq!(&beginning, b"HTTP/1.1 200 OK");
    let mut refused = 0;
    let gone = async {
        while !socket.answer(&get("/v1/leases")).await.starts_with("HTTP/1.1 200") {
            refused += 1;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, gone).await;
    assert!(in_time.is_ok(), "the client still has its place");
    assert!(refused > 0, "the list did not wait for its reader");
    let answer = read_to_end(deaf).await;
    assert!(!answer.ends_with("]}\r\n0\r\n\r\n"), "the answer was kept for it");
}

#[tokio::test]
async fn v13_a_list_has_all_items_however_it_is_cut() {
    let api = Api::start().await;
    for length in [0, 1, 40_000, 1, 1, 65_000, 32_768, 32_767] {
        let listed = api.get("/v1/os-hosts", ADMIN).await;
        assert_eq!(listed.headers["content-type"], "application/json");
        let count = listed.json()["hosts"].as_array().expect("a list").len();
        let mut hosts = Vec::new();
        for id in 1..=count {
            let shown = api.get(&format!("/v1/os-hosts/{id}"), ADMIN).await.text;
            hosts.push(shown["{\"host\":".len()..shown.len() - 1].to_owned());
        }
        assert_eq!(listed.text, format!("{{\"hosts\":[{}]}}", hosts.join(",")));
        api.host(&format!("compute-{count}"), json!({"text": "x".repeat(length)}))
            .await;
    }
}

/// Leases come by start and name, hosts and what they serve by number.
#[tokio::test]
async fn e5_lists_are_in_an_order_people_expect() {
    let api = Api::start().await;
    for number in 1..=11 {
        api.host(&format!("compute-{number}"), json!({})).await;
    }
    for (name, day) in [("b", 27), ("c", 26), ("a", 27), ("d", 28)] {
        let mut body = lease_body(&json!([]));
        body["name"] = json!(name);
        body["start_date"] = json!(format!("2050-12-{day} 12:00"));
        body["end_date"] = json!("2050-12-29 12:00");
        let answer = api.post("/v1/leases", MEMBER, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    }
    let listed = async |path: &str, list: &str, member: &str| -> Vec<Value> {
        let body = api.get(path, ADMIN).await.json();
        let entries = body[list].as_array().expect("a list");
        entries.iter().map(|entry| entry[member].clone()).collect()
    };
    assert_eq!(
        json!(listed("/v1/leases", "leases", "name").await),
        json!(["c", "a", "b", "d"])
    );
    let numbers: Vec<String> = (1..=11).map(|number| number.to_string()).collect();
    assert_eq!(json!(listed("/v1/os-hosts", "hosts", "id").await), json!(numbers));
    let path = "/v1/os-hosts/allocations";
    assert_eq!(json!(listed(path, "allocations", "resource_id").await), json!(numbers));
}
