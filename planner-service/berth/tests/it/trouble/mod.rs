//! The real program with its book in trouble: nothing acknowledged is lost, no old state is served, there is no second
//! writer.

mod backup;
mod disk;
mod files;
mod log;
mod silence;
mod start;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::{Ended, Program, SERVE, host, lease};

/// A program on a data folder.
fn on(data: &Path) -> Program {
    attempt(data).unwrap_or_else(|ended| panic!("the program ended:\n{}", ended.log))
}

/// A program on a data folder, if it starts.
fn attempt(data: &Path) -> Result<Program, Ended> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command.args(SERVE).arg("--data").arg(data);
    Program::try_start(command)
}

/// A program on a data folder that must not start, and say why.
fn refused(data: &Path, reason: &str) {
    match attempt(data) {
        Ok(_) => panic!("{}: it starts", data.display()),
        Err(ended) => {
            assert_eq!(ended.code, Some(2), "{}", ended.log);
            assert!(ended.log.contains(reason), "{reason} is missing:\n{}", ended.log);
        }
    }
}

/// Another command of the program: its exit code and all it said.
fn command(arguments: &[&str]) -> (Option<i32>, String) {
    let ended = Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(arguments)
        .output()
        .unwrap();
    let text = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8(text).unwrap())
}

/// A file of the book.
fn file(data: &Path, suffix: &str) -> PathBuf {
    data.join(format!("berth.sqlite{suffix}"))
}

async fn register(program: &Program) {
    assert_eq!(program.post("/v1/os-hosts", &host("c1")).await.0, 201);
}

/// Books the host for the half hour of this number: the lease's id, or nothing for a 503.
async fn book(program: &Program, number: usize) -> Option<String> {
    let (day, half) = (1 + number / 48, number % 48);
    let (hour, minute) = (half / 2, half % 2 * 30);
    let start = format!("2060-{:02}-{:02} {hour:02}:{minute:02}", 1 + day / 28, 1 + day % 28);
    let end = format!(
        "2060-{:02}-{:02} {hour:02}:{:02}",
        1 + day / 28,
        1 + day % 28,
        minute + 29
    );
    let (status, body) = program.post("/v1/leases", &lease("kept", &start, &end, 1)).await;
    match status {
        201 => Some(body["lease"]["id"].as_str().unwrap().to_owned()),
        503 => None,
        _ => panic!("{status}: {body}"),
    }
}

/// Books so many.
async fn book_all(program: &Program, numbers: std::ops::Range<usize>) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    for number in numbers {
        kept.insert(book(program, number).await.expect("it is booked"));
    }
    kept
}

/// The leases that the program lists.
async fn listed(program: &Program) -> BTreeSet<String> {
    let (status, body) = program.get("/v1/leases").await;
    assert_eq!(status, 200, "{body}");
    let leases = body["leases"].as_array().unwrap().iter();
    leases.map(|lease| lease["id"].as_str().unwrap().to_owned()).collect()
}

async fn readiness(program: &Program) -> (u16, Value) {
    program.get("/readyz").await
}

/// Copies the files of a data folder.
fn copied(data: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(data).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// The files of a book whose program was killed, and the leases it had acknowledged.
async fn killed(leases: usize) -> (tempfile::TempDir, BTreeSet<String>) {
    let data = tempfile::tempdir().unwrap();
    let program = on(data.path());
    register(&program).await;
    let kept = book_all(&program, 0..leases).await;
    program.kill();
    (data, kept)
}
