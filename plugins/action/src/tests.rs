//! What receivers get, and what becomes of those that misbehave.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plugin_api::{
    Assignment, Content, Message, MessageKind, NoObserver, PluginError, ResourcePlugin, Resources, ToldHost,
    ToldInstances,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::{Command, Delivery, Receiver, Receivers, Secret, Standalone, Undelivered, VARIABLE_LIMIT, Webhook};

const MINUTE: Duration = Duration::from_mins(1);

fn host(id: u32, places: Option<u32>) -> ToldHost {
    ToldHost {
        id: id.to_string(),
        hypervisor_hostname: format!("rack-{id}"),
        service_name: format!("rack-{id}"),
        places,
    }
}

fn hosts(of: &[ToldHost]) -> Resources {
    Resources {
        hosts: of.to_vec(),
        ..Resources::default()
    }
}

fn message(kind: MessageKind, resources: Resources) -> Message {
    Message {
        content: Content {
            event: kind,
            sequence: 3,
            lease_id: "lease".to_owned(),
            lease_name: "größer".to_owned(),
            reservation_id: "reservation".to_owned(),
            resource_type: "physical:host".to_owned(),
            user_id: "user".to_owned(),
            project_id: "project".to_owned(),
            start: 1_000,
            end: 2_000,
            resources,
            added: None,
            removed: None,
            instances: None,
        },
        key: "k3".to_owned(),
        attempt: 2,
    }
}

fn delivery() -> Delivery {
    Delivery::of_message(&message(MessageKind::Start, hosts(&[host(7, None)]))).unwrap()
}

fn webhook(url: String, timeout: Duration) -> Webhook {
    Webhook::new(url, timeout, None, Arc::new(|| 1_614_265_330)).unwrap()
}

fn shell(script: &str, timeout: Duration) -> Command {
    Command {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        timeout,
        environment: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
        stopping: CancellationToken::new(),
    }
}

#[tokio::test]
async fn a_webhook_gets_one_document_with_key_and_signature() {
    let server = MockServer::start().await;
    let delivery = delivery();
    let secret = Secret::read("open sesame").unwrap();
    let signature = secret.sign("k3", 1_614_265_330, &delivery.document);
    Mock::given(method("POST"))
        .and(path("/hook"))
        .and(header("Idempotency-Key", "k3"))
        .and(header("webhook-id", "k3"))
        .and(header("webhook-timestamp", "1614265330"))
        .and(move |request: &Request| request.headers["webhook-signature"] == signature)
        .and(header("content-type", "application/json"))
        .and(body_partial_json(serde_json::json!({
            "event": "start", "idempotency_key": "k3", "delivery_id": "reservation:start:3", "attempt": 2, "sequence": 3,
            "lease_name": "größer", "project_id": "project", "start": 1000, "end": 2000,
            "start_date": "1970-01-01T00:16:40Z", "end_date": "1970-01-01T00:33:20Z",
            "hosts": [{"id": "7", "hypervisor_hostname": "rack-7", "service_name": "rack-7"}],
        })))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    let url = format!("{}/hook", server.uri());
    let receiver = Webhook::new(url, MINUTE, Some(secret), Arc::new(|| 1_614_265_330)).unwrap();
    receiver.deliver(&delivery).await.unwrap();
}

#[tokio::test]
async fn v10_a_redirect_is_a_failure_that_names_where_to() {
    let elsewhere = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(200))
        .expect(0)
        .mount(&elsewhere)
        .await;
    for status in [301, 302, 303, 307, 308] {
        let server = MockServer::start().await;
        let to = format!("{}/thief?token=SECRET", elsewhere.uri());
        let redirect = ResponseTemplate::new(status).insert_header("location", to.as_str());
        Mock::given(method("POST")).respond_with(redirect).mount(&server).await;
        let error = webhook(server.uri(), MINUTE).deliver(&delivery()).await.unwrap_err();
        let Undelivered::Unacknowledged {
            reason, status: told, ..
        } = error
        else {
            panic!("{status}: it arrived: {error}");
        };
        assert_eq!(told, Some(status));
        assert!(
            reason.contains(&elsewhere.uri()) && reason.contains("redirects are not followed"),
            "{reason}"
        );
        assert!(!reason.contains("SECRET"), "{reason}");
    }
}

/// A server that answers 500 and goes on with its body for as long as it is read, at most this many bytes. Answers how
/// many it got rid of.
async fn endless(most: usize) -> (SocketAddr, impl Future<Output = usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await.unwrap();
        let head = "HTTP/1.1 500 Broken\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut written = 0;
        let chunk = format!("{:x}\r\n{}\r\n", 65536, "x".repeat(65536));
        while written < most && stream.write_all(chunk.as_bytes()).await.is_ok() {
            written += 65536;
        }
        written
    };
    (address, serving)
}

#[tokio::test]
async fn v11_of_an_endless_complaint_only_the_beginning_is_read() {
    let most = 256 * 1024 * 1024;
    let (address, serving) = endless(most).await;
    let receiver = webhook(format!("http://{address}/"), MINUTE);
    let delivery = delivery();
    let (error, written) = tokio::join!(receiver.deliver(&delivery), serving);
    // What the buffers of two sockets hold may have gone, no more.
    assert!(written < most / 4, "{written} bytes were read");
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("it answered 500") && error.len() < 400, "{error}");
}

/// Most memory this process has had, in KiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn v11_a_flood_of_errors_is_not_kept() {
    let before = peak();
    let script = "echo out of paper >&2; head -c 300000000 /dev/zero >&2; exit 3";
    let error = shell(script, MINUTE)
        .deliver(&delivery())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("exit status: 3: out of paper"), "{error}");
    assert!(error.len() < 4000, "{}", error.len());
    assert!(peak() - before < 100_000, "{before} KiB, then {}", peak());
}

#[tokio::test]
async fn v16_a_complaint_cannot_write_lines_of_its_own() {
    let server = MockServer::start().await;
    let complaint = "busy\n\nfake log line WARN hacked \u{1b}[2J";
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(503).set_body_string(complaint))
        .mount(&server)
        .await;
    let said = webhook(server.uri(), MINUTE)
        .deliver(&delivery())
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        said,
        r"it answered 503 Service Unavailable busy\u{a}\u{a}fake log line WARN hacked \u{1b}[2J"
    );
    let script = r"printf 'busy\n\033[2J' >&2; exit 1";
    let said = shell(script, MINUTE)
        .deliver(&delivery())
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(said, r"sh ended with exit status: 1: busy\u{a}\u{1b}[2J");
}

#[tokio::test]
async fn a_receiver_that_was_not_reached_is_told_apart_from_one_that_does_not_answer() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_delay(MINUTE))
        .mount(&server)
        .await;
    let late = webhook(server.uri(), Duration::from_secs(2)).deliver(&delivery()).await;
    assert!(
        matches!(late, Err(Undelivered::Unacknowledged { status: None, .. })),
        "{late:?}"
    );
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let away = webhook(format!("http://{free}/"), MINUTE).deliver(&delivery()).await;
    assert!(matches!(away, Err(Undelivered::Unreached { .. })), "{away:?}");
    let missing = Command {
        argv: vec!["/nonexistent/program".to_owned()],
        ..shell("", MINUTE)
    };
    let missing = missing.deliver(&delivery()).await;
    assert!(matches!(missing, Err(Undelivered::Unreached { .. })), "{missing:?}");
}

#[tokio::test]
async fn the_second_receiver_that_is_not_reached_does_not_mean_that_nobody_was() {
    let missing = || {
        Arc::new(Command {
            argv: vec!["/nonexistent".to_owned()],
            ..shell("", MINUTE)
        }) as Arc<dyn Receiver>
    };
    let obliging = || Arc::new(shell("true", MINUTE)) as Arc<dyn Receiver>;
    let assignment = Assignment {
        message: Some(message(MessageKind::Start, hosts(&[host(7, None)]))),
        ..conformance::assignment("thing")
    };
    let told = async |receivers| {
        let plugin = Standalone::new("thing", |_| Ok(()), Receivers::new(receivers, Arc::new(NoObserver)));
        plugin.start(&assignment).await.unwrap_err()
    };
    let error = told(vec![missing()]).await;
    assert!(matches!(error, PluginError::Unreached { .. }), "{error}");
    let beginning = "command did not carry out the start of reservation reservation: /nonexistent does not start";
    assert!(error.to_string().starts_with(beginning), "{error}");
    let error = told(vec![obliging(), missing()]).await;
    assert!(matches!(error, PluginError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_command_gets_document_and_variables() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("told");
    let script = format!(
        "cat > '{0}' && echo \" $BERTH_EVENT $BERTH_HOSTS $BERTH_PLACES $BERTH_VCPUS $BERTH_ADDED_HOSTS $BERTH_ADDED_PLACES \
         $BERTH_REMOVED_HOSTS $BERTH_END $BERTH_END_DATE $BERTH_LEASE_NAME $BERTH_ATTEMPT\" >> '{0}'",
        file.display()
    );
    let mut told = message(MessageKind::Change, hosts(&[host(7, Some(2)), host(8, Some(1))]));
    told.content.added = Some(hosts(&[host(8, Some(1))]));
    told.content.removed = Some(hosts(&[host(9, Some(3))]));
    told.content.instances = Some(ToldInstances {
        vcpus: 2,
        memory_mb: 4_096,
        disk_gb: 20,
        affinity: Some(false),
    });
    let delivery = Delivery::of_message(&told).unwrap();
    shell(&script, MINUTE).deliver(&delivery).await.unwrap();
    let heard = std::fs::read_to_string(file).unwrap();
    assert!(heard.contains(r#""idempotency_key":"k3""#), "{heard}");
    assert!(
        heard
            .trim_end()
            .ends_with("change rack-7,rack-8 2,1 2 rack-8 1 rack-9 2000 1970-01-01T00:33:20Z größer 2"),
        "{heard}"
    );
}

#[tokio::test]
async fn d7_a_command_sees_nothing_else_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("environment");
    let script = format!("env > '{}'", file.display());
    shell(&script, MINUTE).deliver(&delivery()).await.unwrap();
    let seen = std::fs::read_to_string(file).unwrap();
    let own = delivery().variables;
    for (name, _) in seen.lines().filter_map(|line| line.split_once('=')) {
        // The shell adds the last four.
        let allowed = ["PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(&name)
            || own.iter().any(|(variable, _)| *variable == name);
        assert!(allowed, "{name} is there:\n{seen}");
    }
}

#[tokio::test]
async fn a_list_too_long_for_a_variable_is_only_in_the_document() {
    let many: Vec<ToldHost> = (0..20_000).map(|id| host(id, None)).collect();
    let delivery = Delivery::of_message(&message(MessageKind::End, hosts(&many))).unwrap();
    let longest = delivery.variables.iter().map(|(_, value)| value.len()).max().unwrap();
    assert!(longest <= VARIABLE_LIMIT);
    shell("test -z \"$BERTH_HOSTS\" && grep -q rack-19999", MINUTE)
        .deliver(&delivery)
        .await
        .unwrap();
}

/// Whether a process is still there, and not only waiting to be buried.
fn is_alive(process: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn until_dead(pid_file: &Path) {
    let processes = std::fs::read_to_string(pid_file).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    for process in processes.split_whitespace() {
        while is_alive(process) {
            assert!(Instant::now() < deadline, "process {process} lives on");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn v12_a_command_is_ended_with_all_it_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let start = format!("sleep 97 & echo $! $$ > '{}';", pids.display());
    // It takes too long.
    let error = shell(&format!("{start} wait"), Duration::from_secs(1))
        .deliver(&delivery())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("did not end within 1 s and was killed"),
        "{error}"
    );
    until_dead(&pids).await;
    // It fails, and what it has started holds its pipes.
    let error = shell(&format!("{start} echo no >&2; exit 1"), MINUTE)
        .deliver(&delivery())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("exit status: 1: no"), "{error}");
    until_dead(&pids).await;
    // Whoever waited for it goes away.
    let command = shell(&format!("{start} wait"), MINUTE);
    std::fs::remove_file(&pids).unwrap();
    let delivery = delivery();
    let is_running = async {
        while !std::fs::read_to_string(&pids).is_ok_and(|text| text.ends_with('\n')) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        outcome = command.deliver(&delivery) => panic!("it ended: {outcome:?}"),
        () = is_running => {}
    }
    until_dead(&pids).await;
}

#[tokio::test]
async fn v12_a_command_that_succeeds_is_done_when_it_ends_and_may_leave_something_running() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let script = format!("sleep 97 & echo $! > '{}'", pids.display());
    let begun = Instant::now();
    shell(&script, MINUTE).deliver(&delivery()).await.unwrap();
    assert!(begun.elapsed() < MINUTE / 2);
    let left = std::fs::read_to_string(&pids).unwrap();
    assert!(is_alive(left.trim()));
    let ended = tokio::process::Command::new("kill")
        .arg(left.trim())
        .status()
        .await
        .unwrap();
    assert!(ended.success());
}

#[test]
fn a_notice_has_a_key_and_variables() {
    let content = r#"{"event": "booked", "lease_id": "l", "lease_name": "n", "start": 5}"#;
    let notice = Delivery::of_notice(content, "id", 4).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&notice.document).unwrap();
    assert_eq!(document["delivery_id"], "id");
    assert_eq!(document["idempotency_key"], notice.key);
    assert_eq!(document["attempt"], 4);
    let variables: BTreeMap<_, _> = notice.variables.iter().cloned().collect();
    assert_eq!(
        (&*variables["BERTH_EVENT"], &*variables["BERTH_START"]),
        ("booked", "5")
    );
    let again = Delivery::of_notice(content, "id", 5).unwrap();
    assert_eq!(again.key, notice.key);
    assert_ne!(Delivery::of_notice(content, "other", 4).unwrap().key, notice.key);
    Delivery::of_notice("{}", "id", 1).unwrap_err();
}

#[tokio::test]
async fn a6_a_service_that_is_to_stop_ends_its_programs_and_starts_no_others() {
    let mut command = shell("sleep 300", MINUTE * 5);
    command.stopping = CancellationToken::new();
    let (stopping, begun) = (command.stopping.clone(), Instant::now());
    let (delivery, stop) = (delivery(), async {
        tokio::task::yield_now().await;
        stopping.cancel();
    });
    let (told, ()) = tokio::join!(command.deliver(&delivery), stop);
    assert!(matches!(told, Err(Undelivered::Unacknowledged { .. })), "{told:?}");
    let told = command.deliver(&delivery).await;
    assert!(matches!(told, Err(Undelivered::Unreached { .. })), "{told:?}");
    assert!(begun.elapsed() < MINUTE);
}
