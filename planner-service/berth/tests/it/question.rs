//! Questions about capacity, asked of the real program by the real commands.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::program::{Program, host, lease};

/// Runs a client command against the program.
fn berth(program: &Program, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(arguments)
        .env("BERTH_URL", &program.url)
        .env_remove("OS_AUTH_URL")
        .output()
        .expect("the command runs")
}

fn printed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

/// Two hosts, of which a lease of any one holds the poorer: the one with a name to be asked for.
async fn program(folder: &tempfile::TempDir) -> (Program, String) {
    let data = folder.path().to_str().expect("the path is text");
    let program = Program::start(&["--data", data], &[]);
    let mut rich = host("rich");
    rich["gpu"] = json!("True");
    for host in [&host("poor"), &rich] {
        let (status, body) = program.post("/v1/os-hosts", host).await;
        assert_eq!(status, 201, "{body}");
    }
    let (status, body) = program
        .post("/v1/leases", &lease("first", "2050-12-26 12:00", "2050-12-27 12:00", 1))
        .await;
    assert_eq!(status, 201, "{body}");
    (program, body["lease"]["id"].as_str().expect("an id is text").to_owned())
}

const RANGE: [&str; 4] = ["--start", "2050-12-26 12:00", "--end", "2050-12-27 12:00"];
const POOR: [&str; 2] = ["--where", "hypervisor_hostname=poor"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_free_what_moves_and_what_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let (program, first) = program(&folder).await;

    let output = berth(&program, &[&["availability", "--json"], &RANGE[..], &POOR[..]].concat());
    let steps = printed(&output)["steps"].clone();
    let step = json!([{"start": "2050-12-26T12:00:00Z", "end": "2050-12-27T12:00:00Z", "in_service": 1, "free": 0, "free_with_moves": 1}]);
    assert_eq!(steps, step, "{output:?}");

    let output = berth(
        &program,
        &[&["what-if", "--json", "--hosts", "1"], &RANGE[..], &POOR[..]].concat(),
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let outcome = printed(&output)["lease"].clone();
    assert_eq!(outcome["verdict"], "accepted", "{outcome}");
    let moves = &outcome["moves"];
    assert_eq!(
        (&moves["reservations"], &moves["hosts"], &moves["must"]),
        (&json!(1), &json!(1), &json!(1)),
        "{moves}"
    );
    assert_eq!(moves["leases"][0]["lease_id"], json!(first));
    assert_eq!(outcome["earliest_start"]["with_moves"]["start"], "2050-12-26T12:00:00Z");
    assert_eq!(
        outcome["earliest_start"]["without_moves"]["start"],
        "2050-12-27T12:00:00Z"
    );

    let output = berth(&program, &[&["what-if", "--json", "--hosts", "2"], &RANGE[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let outcome = printed(&output)["lease"].clone();
    assert_eq!(outcome["offers"][0]["start"], "2050-12-27T12:00:00Z", "{outcome}");
    assert_eq!(outcome["offers"][1]["amount"], 1, "{outcome}");

    let output = berth(&program, &["what-if", "--json", "--down", "poor"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let hosts = printed(&output)["hosts"].clone();
    assert_eq!((&hosts["displaced"], &hosts["lost"]), (&json!(1), &json!(0)), "{hosts}");
    let output = berth(&program, &["what-if", "--json", "--down", "poor", "--remove", "rich"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(printed(&output)["hosts"]["lost"], 1);

    let output = berth(
        &program,
        &[
            &["what-if", "--hosts", "3", "--add-hosts", "2", "--like", "rich"],
            &RANGE[..],
        ]
        .concat(),
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let (_, leases) = program.get("/v1/leases").await;
    assert_eq!(
        leases["leases"].as_array().expect("a list").len(),
        1,
        "nothing was booked by asking"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_booking_names_a_start_that_is_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let (program, _) = program(&folder).await;
    let output = berth(
        &program,
        &[&["lease", "create", "second", "--hosts", "2"], &RANGE[..]].concat(),
    );
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("berth: Not enough hosts available: "), "{said}");
    for offer in [
        "berth lease create --start '2050-12-27 12:00' --end '2050-12-28 12:00' --hosts 2 second",
        "berth lease create --start '2050-12-26 12:00' --end '2050-12-27 12:00' --hosts 1 second",
    ] {
        assert!(said.lines().any(|line| line.trim() == offer), "{said}");
    }
    let later = ["--start", "2050-12-27 12:00", "--end", "2050-12-28 12:00"];
    let output = berth(
        &program,
        &[&["lease", "create", "second", "--hosts", "2"], &later[..]].concat(),
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_prints_the_document_it_serves() {
    let folder = tempfile::tempdir().expect("a folder");
    let (program, _) = program(&folder).await;
    let output = Command::new(env!("CARGO_BIN_EXE_berth"))
        .arg("openapi")
        .output()
        .expect("the command runs");
    let (status, served) = program.get("/capacity/v1/openapi.json").await;
    assert_eq!(status, 200);
    assert_eq!(printed(&output), served);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_takes_a_host_out_of_planning_and_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (program, first) = program(&folder).await;
    let output = berth(&program, &["host", "down", "poor", "--json"]);
    assert_eq!(
        printed(&output),
        json!({"hosts": [{"id": "1", "reservable": false, "moved": 1, "lost": 0, "refilled": 0}]}),
        "{output:?}"
    );
    let output = berth(&program, &["host", "down", "rich"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("Host rich is down"), "{said}");
    let output = berth(&program, &["host", "up", "rich", "poor"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let (_, body) = program.get(&format!("/v1/leases/{first}")).await;
    assert_eq!(body["lease"]["degraded"], false, "{body}");
    let output = berth(&program, &["host", "down", "nobody"]);
    assert_ne!(output.status.code(), Some(0), "{output:?}");
}
