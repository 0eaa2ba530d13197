//! The real program is killed with -9 between any two steps of a start and an end, and started again.
//! Whoever is told about starts and ends hears of each, under the same key however often it is repeated.

use std::path::Path;

use http_client::Method;
use serde_json::Value;

use crate::program::{Program, host, lease, request};

/// Every step of carrying out an event with a standalone cloud that runs a program.
const STEPS: [&str; 5] = ["event:claimed", "event:begun", "told", "event:acted", "event:recorded"];

/// A program for `--command` that appends what it is told to a file, a line each.
fn recorder(folder: &Path) -> (String, std::path::PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let (script, record) = (folder.join("record"), folder.join("told"));
    let text = format!("#!/bin/sh\nline=$(cat)\necho \"$line\" >> {}\n", record.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    (script.to_str().unwrap().to_owned(), record)
}

/// What was told: event and key, in order.
fn told(record: &Path) -> Vec<(String, String)> {
    std::fs::read_to_string(record)
        .unwrap_or_default()
        .lines()
        .map(|line| {
            let message: Value = serde_json::from_str(line).expect("a message is JSON");
            let text = |name: &str| message[name].as_str().expect("it has the member").to_owned();
            (text("event"), text("idempotency_key"))
        })
        .collect()
}

/// The step's name inside a start or an end.
fn step(name: &str, event: &str) -> String {
    if name == "told" {
        format!("{event}:told")
    } else {
        name.to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_program_goes_on_where_it_was() {
    for name in STEPS {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let (script, record) = recorder(folder.path());
        let arguments = [
            "--data",
            data.to_str().unwrap(),
            "--command",
            &script,
            "--minutes-before-end-lease",
            "0",
        ];
        // Dies while it starts the lease.
        let program = Program::start(&arguments, &[("BERTH_CRASH_AT", &step(name, "start"))]);
        assert_eq!(program.post("/v1/os-hosts", &host("c1")).await.0, 201);
        let (status, body) = program
            .post("/v1/leases", &lease("killed", "now", "2060-01-01 00:00", 1))
            .await;
        assert_eq!(status, 201, "{body}");
        let id = body["lease"]["id"].as_str().unwrap().to_owned();
        program.wait_for_death();
        // Goes on, and dies while it ends the lease: a deletion takes the same way as an end.
        let program = Program::start(&arguments, &[]);
        let lease = program.wait_for_status(&id, "ACTIVE").await;
        assert_eq!(lease["reservations"][0]["status"], "active", "killed at {name}");
        program.kill();
        let program = Program::start(&arguments, &[("BERTH_CRASH_AT", &step(name, "end"))]);
        let url = format!("{}/v1/leases/{id}", program.url);
        let deletion = request(Method::DELETE, &url).send().await;
        // Once the end is on record the answer may be faster than the death.
        assert!(
            deletion.is_err() || name == "event:recorded",
            "killed at {name}: {deletion:?}"
        );
        program.wait_for_death();
        let program = Program::start(&arguments, &[]);
        let gone = async {
            let mut poll = tokio::time::interval(std::time::Duration::from_millis(50));
            while program.get(&format!("/v1/leases/{id}")).await.0 != 404 {
                poll.tick().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_mins(1), gone)
            .await
            .expect("the lease goes");
        // Told at least once each, and every repetition under one key.
        let told = told(&record);
        for event in ["start", "end"] {
            let mut keys: Vec<&String> = told
                .iter()
                .filter(|(name, _)| name == event)
                .map(|(_, key)| key)
                .collect();
            assert!(!keys.is_empty(), "{event} was told; killed at {name}");
            keys.dedup();
            assert_eq!(keys.len(), 1, "{event} has one key; killed at {name}: {told:?}");
        }
        assert_eq!(
            program
                .post(
                    "/v1/leases",
                    &crate::program::lease("next", "now", "2060-01-01 00:00", 1)
                )
                .await
                .0,
            201
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_lease_survives_a_kill_and_an_end_is_carried_out() {
    let folder = tempfile::tempdir().unwrap();
    let (script, record) = recorder(folder.path());
    let data = folder.path().join("data");
    let arguments = ["--data", data.to_str().unwrap(), "--command", &script];
    let mut accepted = Vec::new();
    for round in 0..5 {
        let program = Program::start(&arguments, &[]);
        if round == 0 {
            assert_eq!(program.post("/v1/os-hosts", &host("c1")).await.0, 201);
        }
        for number in 0..5 {
            let hour = round * 5 + number;
            let start = format!("2060-01-{:02} {:02}:00", 1 + hour / 24, hour % 24);
            let end = format!("2060-01-{:02} {:02}:30", 1 + hour / 24, hour % 24);
            let (status, body) = program.post("/v1/leases", &lease("kept", &start, &end, 1)).await;
            assert_eq!(status, 201, "{body}");
            accepted.push(body["lease"]["id"].as_str().unwrap().to_owned());
        }
        program.kill();
        let program = Program::start(&arguments, &[]);
        for id in &accepted {
            assert_eq!(
                program.get(&format!("/v1/leases/{id}")).await.0,
                200,
                "lease {id} is there after round {round}"
            );
        }
        // Moves to the present and renames work on what survived.
        let (status, _) = program
            .put(
                &format!("/v1/leases/{}", accepted[0]),
                &serde_json::json!({"name": "renamed"}),
            )
            .await;
        assert_eq!(status, 200);
    }
    assert!(told(&record).is_empty(), "nothing was due");
}

/// A SQLite file has one process at a time; the second one says so, however the file is named.
#[test]
fn a_second_program_on_one_file_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap().to_owned();
    let file = format!(
        "sqlite://{}",
        folder.path().canonicalize().unwrap().join("berth.sqlite").display()
    );
    let _first = Program::start(&["--data", &data], &[]);
    for second in [["--data", data.as_str()], ["--database", file.as_str()]] {
        let ended = std::process::Command::new(env!("CARGO_BIN_EXE_berth"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(second)
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(2));
        let text = String::from_utf8(ended.stderr).unwrap();
        assert!(text.contains("another berth uses this database"), "{text}");
    }
}
