//! Notifications through a real RabbitMQ to a real oslo.messaging: what a consumer in a cloud hears.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use http_client::Method;
use messaging::{BrokerSettings, NewsSettings, RabbitNews, TransportUrl};
use plugin_api::HostNews;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::notifications::MEMBERS;
use crate::program::{Program, SERVE, host, lease, request};

/// How long a test waits for a message.
const PATIENCE: Duration = Duration::from_mins(1);

/// The broker's URL and a Python with oslo.messaging; nothing where the test is to be left out.
#[expect(clippy::print_stdout, reason = "says why a test does nothing")]
fn broker() -> Option<(String, String)> {
    if std::env::var("BERTH_TEST_ENGINES").is_ok_and(|engines| engines == "sqlite") {
        println!("left out: BERTH_TEST_ENGINES=sqlite");
        return None;
    }
    let variable = |name: &str| {
        std::env::var(name).unwrap_or_else(|_| {
            panic!("{name} is not set: run this test through `make test` or `dev/with-databases cargo test`")
        })
    };
    Some((variable("BERTH_TEST_RABBITMQ_URL"), variable("BERTH_TEST_PYTHON")))
}

/// oslo.messaging's listener in a process of its own.
struct Listener {
    child: Child,
    lines: Receiver<String>,
}

impl Listener {
    fn start(python: &str, url: &str, exchange: &str, topic: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dev/python/listener.py");
        let mut child = Command::new(python)
            .args(["-B", "-W", "ignore", script, url, exchange, topic])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the listener starts");
        let output = BufReader::new(child.stdout.take().expect("its output is read"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let listener = Self { child, lines };
        assert_eq!(listener.line(), "ready");
        listener
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the listener prints a line")
    }

    /// The next notification, printed as it came.
    #[expect(
        clippy::print_stdout,
        reason = "shows what was heard when asked for with --nocapture"
    )]
    fn next(&self) -> Value {
        let heard: Value = serde_json::from_str(&self.line()).expect("the line is JSON");
        println!(
            "heard {} of {} from {}: status {}",
            heard["event_type"], heard["payload"]["name"], heard["publisher_id"], heard["payload"]["status"]
        );
        heard
    }

    /// Event type and name of the lease of the next notifications.
    fn told(&self, count: usize) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let next = std::iter::repeat_with(|| self.next()).take(count);
        next.map(|heard| (text(&heard["event_type"]), text(&heard["payload"]["name"])))
            .collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A way to the broker that can be cut.
struct Way {
    port: u16,
    broker: String,
    open: JoinSet<()>,
}

impl Way {
    /// A way that is not open yet.
    async fn to(broker: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self {
            port,
            broker: broker.to_owned(),
            open: JoinSet::new(),
        }
    }

    async fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        let broker = self.broker.clone();
        self.open.spawn(async move {
            // Aborting this task ends every connection with it.
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let broker = broker.clone();
                connections.spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(broker).await {
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
    }

    async fn cut(&mut self) {
        self.open.shutdown().await;
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(one, other): &(&str, &str)| ((*one).to_owned(), (*other).to_owned());
    expected.iter().map(own).collect()
}

fn place_of(url: &str) -> &str {
    let rest = url.split_once('@').expect("the URL has a user").1;
    rest.trim_end_matches('/')
}

#[tokio::test(flavor = "multi_thread")]
async fn oslo_messaging_hears_what_happens_to_leases() {
    let Some((url, python)) = broker() else { return };
    let listener = Listener::start(&python, &url, "exchange-life", "life");
    let folder = tempfile::tempdir().unwrap();
    // The first node is one that nobody has started.
    let nodes = format!("rabbit://guest:guest@127.0.0.1:1,{}/", place_of(&url));
    let program = Program::start(
        &[
            "--data",
            folder.path().to_str().unwrap(),
            "--notification-topics",
            "life",
            "--control-exchange",
            "exchange-life",
            "--publisher-id",
            "blazar.test",
        ],
        &[("BERTH_TRANSPORT_URL", &nodes)],
    );
    program.post("/v1/os-hosts", &host("c1")).await;
    let (status, body) = program
        .post("/v1/leases", &lease("one", "now", "2060-01-01 00:00", 1))
        .await;
    assert_eq!(status, 201, "{body}");
    let booked = listener.next();
    let id = body["lease"]["id"].as_str().unwrap().to_owned();
    assert_eq!(booked["priority"], "info");
    assert_eq!(booked["publisher_id"], "blazar.test");
    assert_eq!(booked["event_type"], "lease.create");
    let members: BTreeSet<&str> = booked["payload"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(members, BTreeSet::from(MEMBERS));
    // Beside its name, everything in the payload is as the API shows it.
    let mut shown = body["lease"].clone();
    let own_id = shown.as_object_mut().unwrap().remove("id").unwrap();
    shown["lease_id"] = own_id;
    assert_eq!(booked["payload"], shown);
    assert_eq!(booked["context"]["user_id"], "admin");
    assert_eq!(booked["context"]["project_id"], "admin");
    let metadata = &booked["metadata"];
    assert_eq!(metadata["message_id"].as_str().map(str::len), Some(36), "{metadata}");
    assert_eq!(metadata["timestamp"].as_str().map(str::len), Some(26), "{metadata}");

    program.wait_for_status(&id, "ACTIVE").await;
    let (status, body) = program.put(&format!("/v1/leases/{id}"), &json!({"name": "two"})).await;
    assert_eq!(status, 200, "{body}");
    let deleted = request(Method::DELETE, &format!("{}/v1/leases/{id}", program.url));
    assert_eq!(deleted.send().await.unwrap().status(), 204);
    let expected = [
        ("lease.event.start_lease", "one"),
        ("lease.update", "two"),
        ("lease.delete", "two"),
    ];
    assert_eq!(listener.told(expected.len()), pairs(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_with_a_broker_that_has_nothing_yet_logs_no_error() {
    let Some((url, python)) = broker() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command
        .args(SERVE)
        .arg("--data")
        .arg(folder.path())
        .args(["--notification-topics", "first", "--control-exchange", "exchange-first"])
        .env(
            "BERTH_TRANSPORT_URL",
            format!("rabbit://guest:guest@{}/", place_of(&url)),
        );
    let (program, log) = Program::try_start_with_log(command).unwrap();
    program.post("/v1/os-hosts", &host("c1")).await;
    let booked = lease("one", "2060-01-01 00:00", "2060-01-02 00:00", 1);
    assert_eq!(program.post("/v1/leases", &booked).await.0, 201);
    let listener = Listener::start(&python, &url, "exchange-first", "first");
    assert_eq!(listener.next()["event_type"], "lease.create");
    program.stop();
    let errors: Vec<String> = log
        .lines()
        .map_while(Result::ok)
        .filter(|line| line.contains("\"level\":\"ERROR\""))
        .collect();
    assert_eq!(errors, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_and_goes_gets_everything_in_order() {
    let Some((url, python)) = broker() else { return };
    let mut way = Way::to(place_of(&url)).await;
    let through = format!("rabbit://guest:guest@127.0.0.1:{}/", way.port);
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        Program::start(
            &[
                "--data",
                folder.path().to_str().unwrap(),
                "--notification-topics",
                "outage",
                "--control-exchange",
                "exchange-outage",
                "--retry-ceiling",
                "1",
            ],
            &[("BERTH_TRANSPORT_URL", &through)],
        )
    };
    let mut expected = Vec::new();
    let book = async |program: &Program, expected: &mut Vec<(String, String)>, count: usize| {
        for _ in 0..count {
            let name = expected.len().to_string();
            let hour = format!("2060-01-{:02} 00:00", expected.len() + 1);
            let end = format!("2060-01-{:02} 00:30", expected.len() + 1);
            let (status, body) = program.post("/v1/leases", &lease(&name, &hour, &end, 1)).await;
            assert_eq!(status, 201, "{body}");
            expected.push(("lease.create".to_owned(), name));
        }
    };
    let program = start();
    program.post("/v1/os-hosts", &host("c1")).await;
    book(&program, &mut expected, 3).await;
    // The book keeps them, not the process.
    program.kill();
    let program = start();
    book(&program, &mut expected, 2).await;
    way.open().await;
    // Nobody listens yet: the program makes the queue that keeps them.
    run(&python, "await_queue.py", &[&url, "outage.info", "5"]);
    let listener = Listener::start(&python, &url, "exchange-outage", "outage");
    let mut told = listener.told(expected.len());
    way.cut().await;
    book(&program, &mut expected, 3).await;
    way.open().await;
    told.extend(listener.told(3));
    book(&program, &mut expected, 2).await;
    told.extend(listener.told(2));
    assert_eq!(told, expected);
}

/// Runs a script of `dev/python` to its end.
fn run(python: &str, script: &str, arguments: &[&str]) {
    let path = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../dev/python/{}"), script);
    let done = Command::new(python)
        .args(["-B", "-W", "ignore", &path])
        .args(arguments)
        .status()
        .expect("the script starts");
    assert!(done.success(), "{script}: {done}");
}

/// Notifies as Nova does.
fn notify(python: &str, url: &str, events: &[&str]) {
    run(
        python,
        "notifier.py",
        &[&[url, "exchange-nova", "news"], events].concat(),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nova_says_of_its_services_is_news_and_nothing_else_is() {
    let Some((url, python)) = broker() else { return };
    let news = RabbitNews::new(NewsSettings {
        broker: BrokerSettings {
            url: TransportUrl::parse(&url).unwrap(),
            authority: None,
        },
        exchange: "exchange-nova".to_owned(),
        topics: vec!["news".to_owned()],
    });
    // The first is that it can be heard now.
    let heard = tokio::time::timeout(PATIENCE, news.next()).await;
    heard.expect("the broker answers").expect("the broker lets us in");
    notify(&python, &url, &["instance.update"]);
    notify(&python, &url, &["service.update", "instance.update", "service.update"]);
    let heard = tokio::time::timeout(PATIENCE, news.next()).await;
    heard.expect("it is heard").expect("the broker stays");
    // What came at once was heard at once: there is no more, until there is.
    notify(&python, &url, &["instance.update"]);
    let more = tokio::time::timeout(Duration::from_secs(1), news.next()).await;
    more.expect_err("nothing more is news");
}
