//! What the real commands print, of the real service and of one that is hostile.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::program::{Program, host, lease};

fn berth(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command.args(arguments).env("BERTH_URL", url).env_remove("OS_AUTH_URL");
    command.output().expect("the command runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it is text")
}

/// Runs the commands that a refusal offers as a shell would, and answers their exit codes.
fn follow(url: &str, printed: &str) -> Vec<(String, Option<i32>)> {
    let offered = printed.lines().filter_map(|line| line.trim().strip_prefix("berth "));
    let run = |words: &str| {
        let shell = format!("'{}' {words}", env!("CARGO_BIN_EXE_berth"));
        let mut command = Command::new("sh");
        command
            .args(["-c", &shell])
            .env("BERTH_URL", url)
            .env_remove("OS_AUTH_URL");
        (words.to_owned(), command.output().expect("a shell runs").status.code())
    };
    offered.map(run).collect()
}

fn countables(folder: &tempfile::TempDir) -> String {
    let list = folder.path().join("countables.json");
    let text = json!([{"resource_type": "licence:cad", "units": ["red", "green", "blue"]}]);
    std::fs::write(&list, text.to_string()).expect("the list is written");
    list.to_str().expect("the path is text").to_owned()
}

const RANGE: [&str; 4] = ["--start", "2050-12-26 12:00", "--end", "2050-12-27 12:00"];

/// B8, B9: what a refusal offers can be copied, asks for instances or units where the request did, and is accepted.
#[tokio::test(flavor = "multi_thread")]
async fn b8_what_is_offered_is_accepted_when_it_is_copied() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = countables(&folder);
    let data = folder.path().join("data");
    let program = Program::start(&["--data", data.to_str().expect("text"), "--countables", &list], &[]);
    for name in ["c1", "c2"] {
        let (status, body) = program.post("/v1/os-hosts", &host(name)).await;
        assert_eq!(status, 201, "{body}");
    }
    let (status, body) = program
        .post("/v1/leases", &lease("first", "2050-12-26 12:00", "2050-12-27 12:00", 1))
        .await;
    assert_eq!(status, 201, "{body}");
    for (asked, flag) in [
        (&["--hosts", "2"][..], "--hosts 1"),
        (&["--instances", "9", "--vcpus", "2"], "--instances "),
        (
            &["--reservation", "resource_type=licence:cad,amount=4"],
            "--reservation 'resource_type=licence:cad,amount=",
        ),
    ] {
        let output = berth(
            &program.url,
            &[&["what-if", "--latest-start", "+60d"], &RANGE[..], asked].concat(),
        );
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let followed = follow(&program.url, text(&output.stdout));
        assert!(followed.iter().any(|(words, _)| words.contains(flag)), "{followed:?}");
        for (words, code) in followed {
            assert!(
                words.starts_with("what-if ") && words.contains("--latest-start "),
                "{words}"
            );
            assert_eq!(code, Some(0), "{words}");
        }
        let output = berth(
            &program.url,
            &[&["lease", "create", "it's mine"], &RANGE[..], asked].concat(),
        );
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        // All start at once or take what is left, so the first that is followed is accepted.
        let offered = text(&output.stderr).to_owned();
        let one = offered
            .lines()
            .find(|line| line.contains(flag))
            .expect("fewer are offered");
        assert_eq!(
            follow(&program.url, one),
            [(one.trim()["berth ".len()..].to_owned(), Some(0))]
        );
        let output = berth(&program.url, &["lease", "delete", "it's mine"]);
        assert!(output.status.success(), "{output:?}");
    }
}

/// C8: the listing of the service, not of a made-up answer, says which hosts may still change and who shares one.
#[tokio::test(flavor = "multi_thread")]
async fn c8_allocations_and_the_timeline_show_what_the_service_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::start(&["--data", folder.path().to_str().expect("text")], &[]);
    for name in ["c1", "c2", "c3"] {
        let (status, body) = program.post("/v1/os-hosts", &host(name)).await;
        assert_eq!(status, 201, "{body}");
    }
    let in_an_hour = ["--start", "+1h", "--end", "+3h"];
    for name in ["one", "two", "three"] {
        let places = ["--instances", "2", "--vcpus", "1", "--where", "hypervisor_hostname=c1"];
        let output = berth(
            &program.url,
            &[&["lease", "create", name], &in_an_hour[..], &places].concat(),
        );
        assert!(output.status.success(), "{output:?}");
    }
    let output = berth(&program.url, &["allocation", "list"]);
    let printed = text(&output.stdout);
    assert_eq!(printed.matches("tentative, 2 places").count(), 3, "{printed}");
    assert_eq!(printed.lines().count(), 6, "{printed}");
    assert_eq!(printed.matches("(free)").count(), 2, "{printed}");

    let output = berth(&program.url, &["lease", "show", "one"]);
    assert!(
        text(&output.stdout).contains("tentative  c1 (2 places)\n"),
        "{output:?}"
    );

    let output = berth(&program.url, &["timeline", "--width", "60"]);
    let printed = text(&output.stdout);
    for label in ["a", "b", "c"] {
        assert!(
            printed.contains(&label.repeat(10)),
            "{label} is not drawn in\n{printed}"
        );
    }
    assert_eq!(printed.matches("1 host, 2 places").count(), 3, "{printed}");
    assert!(!printed.contains('\x1b'), "{printed}");
    for (options, there, not_there) in [
        (&["--host", "c2"][..], "c2", "c1"),
        (&["--host", "c*", "--after", "c1"], "c3", "c1 "),
        (&["--limit", "1"], "2 hosts follow: --after c1 goes on", "c2 "),
        (&["--lease", "two"], "two", "three"),
        (&["--project", "other"], "Nothing is booked", "c1"),
        (&["--after", "zzz"], "No host follows", "registered"),
        (&["--host", "zzz"], "No such host is registered", "c1"),
        (&["--busy"], "c1", "c2"),
        (&["--from", "+4h"], "c1", "places"),
    ] {
        let output = berth(&program.url, &[&["timeline", "--width", "60"], options].concat());
        let printed = text(&output.stdout);
        assert!(output.status.success(), "{options:?} {output:?}");
        assert!(
            printed.contains(there) && !printed.contains(not_there),
            "{options:?}\n{printed}"
        );
    }
    let output = berth(&program.url, &["allocation", "list", "--reservation", "nosuch"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stderr).contains("no reservation is called 'nosuch'"),
        "{output:?}"
    );
    let output = berth(&program.url, &["timeline", "--json", "--lease", "one"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    assert_eq!(document["hosts"][0]["leases"][0]["places"], 2, "{document}");
    assert_eq!(document["hosts"][0]["leases"][0]["tentative"], true, "{document}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c10_what_is_misspelt_books_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::start(&["--data", folder.path().to_str().expect("text")], &[]);
    let (status, body) = program.post("/v1/os-hosts", &host("c1")).await;
    assert_eq!(status, 201, "{body}");
    for (arguments, expected) in [
        (
            &["lease", "create", "x", "--reservation", "minimum=3"][..],
            "did you mean 'min'?",
        ),
        (
            &[
                "lease",
                "create",
                "x",
                "--reservation",
                "resource_type=virtual:instance,vcpus=1,afinity=False",
            ],
            "did you mean 'affinity'?",
        ),
        (&["lease", "create", "x", "--reservation", ""], "nothing is given"),
        (&["lease", "create", "x", "--reservation", "id=7,min=1"], "leave id out"),
        (&["what-if", "--reservation", "min=1,min=2"], "min is given twice"),
        (&["lease", "list", "--status", "activ"], "active"),
        (
            &["host", "create", "x", "--property", "gpu=a", "--property", "gpu=b"],
            "gpu: it is given twice",
        ),
        (
            &["host", "create", "x", "--vcpus", "2", "--property", "vcpus=3"],
            "vcpus is given besides",
        ),
        (&["host", "create", "x", "--property", "gpu="], "NAME=VALUE"),
        (
            &["lease", "create", "x", "--hosts", "1", "--field", "nosuch"],
            "possible values: id, name",
        ),
        (&["host", "show", "c1", "--field", "vcpu"], "did you mean 'vcpus'?"),
    ] {
        let output = berth(&program.url, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {output:?}");
        assert!(text(&output.stderr).contains(expected), "{arguments:?} {output:?}");
    }
    let (_, leases) = program.get("/v1/leases").await;
    assert_eq!(leases, json!({"leases": []}));
    let (_, hosts) = program.get("/v1/os-hosts").await;
    assert_eq!(hosts["hosts"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn c10_every_member_of_a_lease_can_be_printed_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::start(&["--data", folder.path().to_str().expect("text")], &[]);
    let (status, body) = program.post("/v1/os-hosts", &host("c1")).await;
    assert_eq!(status, 201, "{body}");
    let made = berth(&program.url, &["lease", "create", "x", "--hosts", "1", "--field", "id"]);
    let (_, answer) = program.get(&format!("/v1/leases/{}", text(&made.stdout).trim())).await;
    let members = answer["lease"].as_object().expect("a lease is answered");
    for member in members.keys().map(String::as_str).chain(["hosts"]) {
        let output = berth(&program.url, &["lease", "show", "x", "--field", member]);
        assert!(output.status.success(), "{member}: {output:?}");
    }
}

/// C9: an address that is none, or leads to no service, is a document as well.
#[test]
fn c9_an_error_before_the_first_call_is_json_too() {
    for (url, kind, code) in [("ftp://h", "usage", 2), ("http://127.0.0.1:1", "unreachable", 3)] {
        let output = berth(url, &["lease", "list", "--json"]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let document: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
        assert_eq!(document["error"]["kind"], kind, "{document}");
        assert_eq!(document["error"]["exit_code"], code, "{document}");
        let message = document["error"]["message"].as_str().expect("text");
        assert!(text(&output.stderr).contains(message), "{output:?}");
    }
}

/// What has been changed is said where the output cannot be written.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_is_said_although_the_output_is_full() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::start(&["--data", folder.path().to_str().expect("text")], &[]);
    for (words, done) in [
        ("host create c1", "Host c1 is registered."),
        ("host update c1 --property gpu=True", "Host c1 has been changed."),
        (
            "lease create x --hosts 1 --start +1h",
            "Lease x is booked, with the id ",
        ),
        (
            "lease create y --hosts 1 --start +2d --json",
            "Lease y is booked, with the id ",
        ),
        ("lease update x --name z", "Lease x has been changed."),
        ("lease delete z y", "Deleted lease z."),
        ("lease delete y --json", "Deleted lease y."),
        ("host delete c1", "Removed host c1."),
    ] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("it is there");
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.args(words.split(' ')).stdout(full);
        command.env("BERTH_URL", &program.url).env_remove("OS_AUTH_URL");
        let output = command.output().expect("the command runs");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words}: {said}");
        assert!(
            said.contains("cannot write the output") && said.contains(done),
            "{words}: {said}"
        );
    }
    let (_, leases) = program.get("/v1/leases").await;
    assert_eq!(leases, json!({"leases": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn v19_an_error_of_a_hostile_service_steers_nothing() {
    let server = MockServer::start().await;
    let steering = "x\x1b]0;PWNED\x07\x1b[2J\r\n\u{9b}2J\u{202e}y";
    let offers = json!([
        {"change": "start", "start": format!("'; rm -rf ~ #{steering}"), "end": steering, "without_moves": true},
        {"change": "drop", "reservation": 0, "condition": format!("'; rm -rf ~ #{steering}"), "without_moves": true}]);
    let refusal = json!({"error_code": 409, "error_message": steering, "error_name": 409, "offers": offers});
    Mock::given(any())
        .respond_with(ResponseTemplate::new(409).set_body_json(refusal))
        .mount(&server)
        .await;
    for arguments in [
        &["lease", "list"][..],
        &["lease", "create", "a", "--hosts", "1"],
        &["host", "list", "--json"],
    ] {
        let output = berth(&server.uri(), arguments);
        assert_eq!(output.status.code(), Some(1));
        for written in [text(&output.stdout), text(&output.stderr)] {
            let steers = written
                .chars()
                .any(|character| character != '\n' && api_types::name::is_steering(character));
            assert!(!steers && !written.contains("berth lease create"), "{written:?}");
        }
    }
}

#[test]
fn v26_help_shows_no_value_of_the_environment() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command.args(["lease", "list", "--help"]);
    let output = command
        .env("BERTH_URL", "http://ann:SECRET@h")
        .env("BERTH_TOKEN", "SECRET")
        .output()
        .expect("the command runs");
    let help = text(&output.stdout);
    assert!(help.contains("BERTH_URL") && !help.contains("SECRET"), "{help}");
    let output = berth("http://ann:SECRET@127.0.0.1:1", &["lease", "list"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(!text(&output.stderr).contains("SECRET"), "{output:?}");
}

/// Runs a command as a person types it: with --url, and nothing in the environment.
fn typed(words: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("'{}' {words}", env!("CARGO_BIN_EXE_berth"))]);
    command.env_remove("BERTH_URL").env_remove("OS_AUTH_URL");
    command.output().expect("a shell runs")
}

/// A11: every command that is printed runs as it is printed.
#[tokio::test(flavor = "multi_thread")]
async fn a11_a_printed_command_runs_as_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::start(&["--data", folder.path().to_str().expect("text")], &[]);
    for name in ["c1", "c2"] {
        let (status, body) = program.post("/v1/os-hosts", &host(name)).await;
        assert_eq!(status, 201, "{body}");
    }
    let url = &program.url;
    for (name, reserved) in [("whole", "--hosts 1"), ("shared", "--instances 1 --vcpus 1")] {
        let output = typed(&format!("lease create {name} --start +1h {reserved} --url {url}"));
        assert!(output.status.success(), "{output:?}");
    }
    for words in [
        "host create c1",
        "host delete c1",
        "lease create x --start +1h --hosts 9",
        "lease create x --start +1h --hosts 9 --where 'vcpus>0'",
        "lease create x --start +1h --hosts 1 --where 'hypervisor_hostname=c1 and vcpus>100'",
        "lease create x --start +1h --hosts 1 --where 'hypervisor_hostname=nowhere'",
        "lease update whole --where 'vcpus>100'",
        "lease update shared --where 'vcpus>100' --instances 2",
        "lease show whloe",
        "allocation list --lease whloe",
        "what-if --start +3d --hosts 9",
    ] {
        let output = typed(&format!("{words} --url {url}"));
        assert_eq!(output.status.code(), Some(1), "{words}: {output:?}");
        let printed = [text(&output.stdout), text(&output.stderr)].concat();
        // A hint has its commands in backquotes, an offer on a line of its own.
        let hinted = printed.split('`').skip(1).step_by(2);
        let offered = printed.lines().map(str::trim).filter(|line| line.starts_with("berth "));
        let commands: Vec<&str> = hinted
            .chain(offered)
            .filter(|text| text.starts_with("berth "))
            .collect();
        assert!(!commands.is_empty(), "{words} says nothing to do next: {printed}");
        for command in commands {
            assert!(command.contains(&format!("--url {url}")), "{words}: {command}");
            let code = typed(&command["berth ".len()..]).status.code();
            // A question whose answer is no has been answered.
            assert!(
                code == Some(0) || command.contains(" what-if ") && code == Some(1),
                "{words}: {command}: {code:?}"
            );
            // Each offer is made to what there is now.
            typed(&format!("lease delete x --url {url}"));
        }
    }
    let output = Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(["lease", "create"])
        .env("BERTH_URL", url)
        .env("BERTH_TOKEN", "x")
        .output()
        .expect("the command runs");
    let usage = text(&output.stderr);
    assert!(!usage.contains("--url") && !usage.contains("--token"), "{usage}");
    let output = typed(&format!("lease list --url {}", url.replace("http:", "https:")));
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("speaks no TLS"), "{output:?}");
}

/// A9: a lease can be deleted as soon as it is there, although something is being done with it.
#[tokio::test(flavor = "multi_thread")]
async fn a9_a_lease_that_was_just_made_can_be_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(3));
    Mock::given(any()).respond_with(slow).mount(&receiver).await;
    let data = folder.path().to_str().expect("text");
    let program = Program::start(&["--data", data, "--webhook", &receiver.uri()], &[]);
    let (status, body) = program.post("/v1/os-hosts", &host("c1")).await;
    assert_eq!(status, 201, "{body}");
    let made = berth(&program.url, &["lease", "create", "x", "--hosts", "1", "--field", "id"]);
    assert!(made.status.success(), "{made:?}");
    let id = text(&made.stdout).trim();
    program.wait_for_status(id, "STARTING").await;
    let busy = berth(&program.url, &["lease", "delete", id, "--no-wait"]);
    assert_eq!(busy.status.code(), Some(1), "{busy:?}");
    let deleted = berth(&program.url, &["lease", "delete", id]);
    assert!(deleted.status.success(), "{deleted:?}");
    assert_eq!(text(&deleted.stdout), format!("Deleted lease {id}.\n"));

    // A deletion that is under way is not waited for either.
    let made = berth(&program.url, &["lease", "create", "y", "--hosts", "1", "--field", "id"]);
    let id = text(&made.stdout).trim();
    program.wait_for_status(id, "ACTIVE").await;
    let deleted = berth(&program.url, &["lease", "delete", "y", "--no-wait"]);
    assert!(deleted.status.success(), "{deleted:?}");
    assert!(
        text(&deleted.stdout).contains("its resources are still being given back"),
        "{deleted:?}"
    );
}

/// A number stands for one host: the book gives none as an id that is a name, and says so of a name that is an id.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_the_name_or_the_id_of_one_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::start(&["--data", folder.path().to_str().expect("text")], &[]);
    for (name, id) in [("1", "1"), ("3", "2"), ("x", "4")] {
        let output = berth(&program.url, &["host", "create", name]);
        assert!(output.status.success(), "{output:?}");
        let shown = berth(&program.url, &["host", "show", name, "--field", "id"]);
        assert_eq!(text(&shown.stdout).trim(), id, "{name}");
    }
    let output = berth(&program.url, &["host", "create", "4"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = text(&output.stderr);
    assert!(
        said.contains("it is the id of host 'x'") && !said.contains("berth host update"),
        "{said}"
    );
}
