//! Logs and terminals that cannot be written.

use std::fs::{File, OpenOptions};
use std::io::{PipeReader, PipeWriter, Write as _};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use http_client::Method;

use super::{book_all, listed, on, register};
use crate::program::{Program, SERVE, request};

const PATIENCE: Duration = Duration::from_mins(1);

fn serve(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command.args(SERVE).arg("--data").arg(data);
    command
}

/// It books, and it stops when it is told to.
async fn goes_on(program: Program, data: &Path) {
    register(&program).await;
    let kept = book_all(&program, 0..20).await;
    assert_eq!(listed(&program).await, kept);
    program.stop();
    assert_eq!(listed(&on(data)).await, kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn a1_a_log_whose_reader_has_gone_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let (program, log) = Program::try_start_with_log(serve(data.path())).unwrap();
    drop(log);
    goes_on(program, data.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a1_a_log_that_nobody_reads_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let mut command = serve(data.path());
    command.args(["--log", "debug"]);
    let (program, log) = Program::try_start_with_log(command).unwrap();
    // More than the 64 KiB that a pipe holds.
    let name = "x".repeat(1_000);
    for _ in 0..200 {
        assert_eq!(program.get(&format!("/v1/leases/{name}")).await.0, 404);
    }
    goes_on(program, data.path()).await;
    drop(log);
}

/// Ends when it goes out of scope.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a1_a_start_with_its_log_on_a_full_disk_serves() {
    let data = tempfile::tempdir().unwrap();
    // What the start says before there is a log is as little worth failing for.
    let file = data.path().join("blazar.conf");
    std::fs::write(
        &file,
        "[DEFAULT]\nlog_exchange = true\n[berth]\ncloud = standalone\nauth = none\n",
    )
    .unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(["serve", "--listen", &address.to_string(), "--data"])
        .arg(data.path())
        .arg("--config")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(full())
        .stderr(full())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let deadline = Instant::now() + PATIENCE;
    let mut poll = tokio::time::interval(Duration::from_millis(20));
    let url = format!("http://{address}/livez");
    loop {
        poll.tick().await;
        assert_eq!(running.0.try_wait().unwrap(), None, "it has ended");
        if let Ok(answer) = request(Method::GET, &url).send().await {
            assert_eq!(answer.status().as_u16(), 200);
            break;
        }
        assert!(Instant::now() < deadline, "it does not answer");
    }
    let asked = Command::new("kill").arg(running.0.id().to_string()).status();
    assert!(asked.unwrap().success());
    while running.0.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it does not stop");
        poll.tick().await;
    }
}

/// The end of a pipe that takes nothing more, with the other one, which nobody reads.
fn clogged() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    // As much as a pipe holds.
    writer.write_all(&vec![b'x'; 64 << 10]).unwrap();
    (reader, writer)
}

fn ends_soon(mut running: Running) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = running.0.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::yield_now();
    }
}

/// `berth` with standard error in a pipe that nobody reads.
fn unread(arguments: &[&str], folder: &Path) -> (Running, PipeReader) {
    let (reader, writer) = clogged();
    let child = Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(writer)
        .spawn()
        .unwrap();
    (Running(child), reader)
}

#[test]
fn a1_the_last_words_of_a_start_that_fails_wait_for_nobody() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.conf"), "[DEFAULT]\nlog_exchange = true\n").unwrap();
    for arguments in [
        &["--data", "data", "--fleet", "nothing"][..],
        &["--token-file", "nothing"],
        &["--config", "nothing"],
        &["--config", "notes.conf"],
        &["--listen", "0.0.0.0:0"],
        &["--trusts"],
        &["--database", "postgres://127.0.0.1:1/none", "--database-wait", "0"],
    ] {
        let (running, _unread) = unread(&[&["serve"], arguments].concat(), folder.path());
        assert_eq!(ends_soon(running).code(), Some(2), "{arguments:?}");
    }
}

/// What a signal does to a process, by the masks that Linux shows of it.
fn is_caught(process: u32, signal: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap());
    mask & (1 << (signal - 1)) != 0
}

fn send(signal: &str, process: u32) {
    let sent = Command::new("kill").args(["-s", signal, &process.to_string()]).status();
    assert!(sent.unwrap().success());
}

/// The start does not get beyond the complaint, which nobody reads: the earliest moment at which it can be held.
#[test]
fn c1_sighup_ends_no_service_that_has_hardly_begun_and_sigterm_does() {
    const SIGHUP: u32 = 1;
    const SIGTERM: i32 = 15;
    let folder = tempfile::tempdir().unwrap();
    let (running, _unread) = unread(&["serve", "--no-such-option"], folder.path());
    let process = running.0.id();
    let deadline = Instant::now() + PATIENCE;
    while !is_caught(process, SIGHUP) {
        assert!(Instant::now() < deadline, "SIGHUP would end it");
        std::thread::yield_now();
    }
    send("HUP", process);
    send("TERM", process);
    assert_eq!(ends_soon(running).signal(), Some(SIGTERM));
}

#[tokio::test(flavor = "multi_thread")]
async fn a1_a_command_whose_reader_has_seen_enough_does_not_fail() {
    let data = tempfile::tempdir().unwrap();
    let program = on(data.path());
    register(&program).await;
    book_all(&program, 0..3).await;
    let file = |name: &str| data.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(file("tokens"), "# none\n").unwrap();
    for arguments in [
        &["lease", "list"][..],
        &["lease", "list", "--json"],
        &["host", "show", "c1"],
        &["timeline"],
        &["config"],
        &["policy"],
        &["openapi"],
        &["completions", "bash"],
        &["generate", "--days", "1"],
        &["token", "list", "--file", &file("tokens")],
        &["backup", "--data", &file(""), &file("copy")],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = Command::new(env!("CARGO_BIN_EXE_berth"))
            .args(arguments)
            .env("BERTH_URL", &program.url)
            .stdout(writer)
            .output()
            .unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success(), "{arguments:?}: {:?} {said}", ended.status);
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
}
