//! Servers that hang or are away.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_client::Method;
use store::testing::{Engine, TestDatabase};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Command, book, listed, readiness, register};
use crate::program::{Program, SERVE, request};

/// Longer than any wait that is allowed, and far shorter than waits that add up.
const SECONDS: Duration = Duration::from_secs(12);

/// A proxy that passes everything on until it is told to hang, as a server that was stopped does.
async fn proxy(server: SocketAddr, hangs: watch::Receiver<bool>, tasks: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(server).await else {
                continue;
            };
            let (client_in, client_out) = client.into_split();
            let (server_in, server_out) = server.into_split();
            connections.spawn(forward(client_in, server_out, hangs.clone()));
            connections.spawn(forward(server_in, client_out, hangs.clone()));
        }
    });
    address
}

async fn forward(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut hangs: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if hangs.wait_for(|hangs| !hangs).await.is_err() || to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

async fn hangs(database: TestDatabase) {
    let mut address = url::Url::parse(&database.address).unwrap();
    let server = SocketAddr::from(([127, 0, 0, 1], address.port().unwrap()));
    let (hang, hanging) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let proxy = proxy(server, hanging, &mut tasks).await;
    address.set_port(Some(proxy.port())).unwrap();
    let program = Program::start(&["--database", address.as_str()], &[]);
    register(&program).await;
    let kept = book(&program, 0).await.unwrap();
    let age = async || {
        let asked = request(Method::GET, &format!("{}/v1/leases", program.url));
        let response = asked.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response
            .headers()
            .get("age")
            .map(|age| age.to_str().unwrap().to_owned())
    };
    assert_eq!(age().await, None);
    hang.send_replace(true);
    let began = Instant::now();
    // All at once, and then more of them: nobody waits for the others.
    let (ages, booked) = tokio::join!(
        async { tokio::join!(age(), age(), age(), age(), age(), age(), age(), age()) },
        async { tokio::join!(book(&program, 1), book(&program, 2)) },
    );
    assert_eq!(booked, (None, None));
    assert!(ages.0.is_some() && ages.7.is_some(), "{ages:?}");
    assert!(began.elapsed() < SECONDS, "{:?}", began.elapsed());
    let again = Instant::now();
    assert!(age().await.is_some());
    assert_eq!(listed(&program).await, std::collections::BTreeSet::from([kept.clone()]));
    let (status, condition) = readiness(&program).await;
    assert_eq!(status, 503, "{condition}");
    assert_eq!(program.get("/healthcheck").await.0, 503);
    assert_eq!(program.get("/livez").await.0, 200);
    assert!(again.elapsed() < SECONDS, "{:?}", again.elapsed());
    hang.send_replace(false);
    let deadline = Instant::now() + Duration::from_mins(1);
    while readiness(&program).await.0 != 200 || age().await.is_some() {
        assert!(Instant::now() < deadline, "it does not recover");
    }
    let next = book(&program, 5).await.expect("it books again");
    let listed = listed(&program).await;
    assert!(listed.contains(&kept) && listed.contains(&next));
    // It goes away for good: the cause is said, not that a pool has timed out.
    tasks.shutdown().await;
    let began = Instant::now();
    let condition = loop {
        // A good answer is good for a second.
        let (status, condition) = readiness(&program).await;
        if status == 503 {
            break condition;
        }
        assert!(began.elapsed() < SECONDS, "it is not noticed");
    };
    let error = condition["database"]["error"].as_str().unwrap();
    assert!(error.contains("refused"), "{error}");
    assert_eq!(book(&program, 7).await, None);
    assert!(began.elapsed() < SECONDS, "{:?}", began.elapsed());
}

#[test]
fn f12_a_database_that_hangs_holds_nobody_up_on_postgresql() {
    Engine::Postgres.test_empty(hangs);
}

#[test]
fn f12_a_database_that_hangs_holds_nobody_up_on_mariadb() {
    Engine::MariaDb.test_empty(hangs);
}

/// A port at which nobody listens.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn d6_a_database_that_is_away_is_named_at_once() {
    for scheme in ["postgres", "mysql"] {
        let address = format!("{scheme}://berth:secret@127.0.0.1:{}/berth", free_port());
        let began = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command
            .args(SERVE)
            .args(["--database", &address, "--database-wait", "2"]);
        let Err(ended) = Program::try_start(command) else {
            panic!("it starts")
        };
        assert_eq!(ended.code, Some(2));
        // Before it, a warning that the password stands on the command line.
        let first = ended.log.lines().find(|line| line.contains("cannot be reached"));
        let first = first.unwrap_or_else(|| panic!("{}", ended.log));
        assert!(first.contains("refused"), "{first}");
        let last = ended.log.lines().last().unwrap();
        assert!(last.contains("refused"), "{}", ended.log);
        assert!(!ended.log.contains(":secret"), "{}", ended.log);
        assert!(began.elapsed() < SECONDS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d6_a_keystone_that_is_away_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let keystone = format!("http://127.0.0.1:{}/v3", free_port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--auth", "keystone"])
        .arg("--data")
        .arg(folder.path())
        .envs([
            ("OS_AUTH_URL", keystone.as_str()),
            ("OS_USERNAME", "berth"),
            ("OS_PASSWORD", "secret"),
            ("OS_PROJECT_NAME", "service"),
        ])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let log = std::io::BufReader::new(child.stderr.take().unwrap());
    let found = std::io::BufRead::lines(log)
        .map_while(Result::ok)
        .find(|line| line.contains("Keystone cannot be used"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(found.is_some());
}
