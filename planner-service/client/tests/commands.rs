//! What commands send, print and answer to scripts, against a service that is a table of answers.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

mod support;

use clap::Parser;
use client::{ClientError, ConnectionArguments, Endpoint, Output, run};
use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use support::{Program, TOKEN, now};

const LEASE: &str = "6ee55c78-ac52-41a6-99af-2d2d73bcc466";

async fn berth(server: &MockServer, arguments: &[&str]) -> (Result<(), ClientError>, String) {
    support::berth(&format!("{}/v1", server.uri()), arguments).await
}

fn lease(name: &str, id: &str) -> Value {
    json!({"id": id, "name": name, "project_id": "p", "user_id": "u", "status": "PENDING", "degraded": false,
        "start_date": "2030-01-01T12:00:00.000000", "end_date": "2030-01-01T14:00:00.000000", "events": [],
        "reservations": [{"id": "r1", "resource_type": "physical:host", "status": "pending", "min": 1, "max": 2,
            "hypervisor_properties": "", "resource_properties": "[\"==\", \"$gpu\", \"True\"]"}]})
}

async fn answers(server: &MockServer, route: &str, body: Value) {
    Mock::given(method("GET"))
        .and(path(route))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

async fn with_one_lease() -> MockServer {
    let server = MockServer::start().await;
    answers(&server, "/v1/leases", json!({"leases": [lease("night", LEASE)]})).await;
    answers(
        &server,
        &format!("/v1/leases/{LEASE}"),
        json!({"lease": lease("night", LEASE)}),
    )
    .await;
    answers(
        &server,
        "/v1/os-hosts",
        json!({"hosts": [{"id": "7", "hypervisor_hostname": "gpu07"}]}),
    )
    .await;
    let time = "2030-01-01T12:00:00Z";
    let report = json!({
        "lease": {"id": LEASE, "name": "night", "user_id": "u", "project_id": "p", "status": "PENDING", "degraded": false,
            "start": time, "end": "2030-01-01T14:00:00Z", "created_at": time, "updated_at": null},
        "events": [{"event_type": "start_lease", "time": time, "status": "UNDONE", "attempts": 3,
            "not_before": "2030-01-01T12:00:30Z", "waiting": "Nova does not answer"}],
        "reservations": [{"id": "r1", "resource_type": "physical:host", "status": "pending",
            "hosts": [{"host_id": "7", "tentative": true}]}],
        "findings": [{"kind": "foreign_server", "host": "gpu07", "detail": "Server s1 of project x.", "repaired": false}]});
    answers(&server, &format!("/capacity/v1/leases/{LEASE}"), report).await;
    server
}

#[tokio::test]
async fn a_booking_is_sent_complete() {
    let server = with_one_lease().await;
    let body = json!({"name": "night", "start_date": "now", "end_date": "2030-01-01 12:00", "events": [],
        "before_end_date": "2030-01-01 11:30",
        "reservations": [
            {"resource_type": "physical:host", "min": 2, "max": 4, "hypervisor_properties": "",
             "resource_properties": "[\"and\",[\"==\",\"$gpu\",\"True\"],[\">=\",\"$vcpus\",\"8\"]]"},
            {"resource_type": "virtual:instance", "amount": 1, "vcpus": 2, "memory_mb": 0, "disk_gb": 0,
             "affinity": null, "resource_properties": ""}]});
    Mock::given(method("POST"))
        .and(path("/v1/leases"))
        .and(header("X-Auth-Token", TOKEN))
        .and(body_json(body))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"lease": lease("night", LEASE)})))
        .expect(1)
        .mount(&server)
        .await;
    let (result, printed) = berth(
        &server,
        &[
            "lease",
            "create",
            "night",
            "--end",
            "+2h",
            "--before-end",
            "-30m",
            "--hosts",
            "2-4",
            "--where",
            "gpu=True and vcpus>=8",
            "--reservation",
            "resource_type=virtual:instance,amount=1,vcpus=2",
            "--field",
            "id",
        ],
    )
    .await;
    result.unwrap();
    assert_eq!(printed, format!("{LEASE}\n"));
}

#[tokio::test]
async fn a_change_counts_from_what_the_lease_has() {
    let server = with_one_lease().await;
    Mock::given(method("PUT"))
        .and(path(format!("/v1/leases/{LEASE}")))
        .and(body_json(
            json!({"end_date": "2030-01-01 15:30", "reservations": [{"id": "r1", "min": 3, "max": 3}]}),
        ))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"lease": lease("night", LEASE)})))
        .expect(1)
        .mount(&server)
        .await;
    let (result, _) = berth(
        &server,
        &["lease", "update", "night", "--end", "+1h30m", "--hosts", "3"],
    )
    .await;
    result.unwrap();
}

#[tokio::test]
async fn the_report_says_what_is_held_and_why_work_waits() {
    let server = with_one_lease().await;
    let (result, printed) = berth(&server, &["lease", "show", "night"]).await;
    result.unwrap();
    for expected in [
        "2030-01-01 12:00 UTC",
        "gpu07",
        "tentative",
        "Nova does not answer",
        "12:00:30",
        "foreign_server",
        "[\"==\", \"$gpu\"",
    ] {
        assert!(printed.contains(expected), "{expected} is missing in\n{printed}");
    }
    assert!(!printed.contains('\x1b'), "colours without a terminal");
    let (result, printed) = berth(&server, &["lease", "show", LEASE, "--field", "hosts"]).await;
    result.unwrap();
    assert_eq!(printed, "gpu07\n");
}

#[tokio::test]
async fn scripts_can_tell_refused_from_wrong_from_unreachable() {
    let server = MockServer::start().await;
    let refusal =
        json!({"error_code": 409, "error_message": "Not enough hosts available: 3 needed", "error_name": 409});
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(409).set_body_json(refusal))
        .mount(&server)
        .await;
    let two = json!({"leases": [lease("twin", LEASE), lease("twin", "another")]});
    answers(&server, "/v1/leases", two).await;
    Mock::given(method("GET"))
        .and(path("/v1/os-hosts/properties"))
        .and(query_param("detail", "True"))
        .respond_with(ResponseTemplate::new(502).set_body_string("<html>"))
        .mount(&server)
        .await;

    let (refused, _) = berth(&server, &["lease", "create", "x", "--hosts", "3"]).await;
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.exit_code(), refused.to_string().as_str()),
        (1, "Not enough hosts available: 3 needed (HTTP 409)")
    );
    assert!(refused.next_steps()[0].contains("fewer hosts"));

    let (missing, _) = berth(&server, &["lease", "delete", "nobody"]).await;
    assert_eq!(missing.unwrap_err().exit_code(), 1);
    let (ambiguous, _) = berth(&server, &["lease", "delete", "twin"]).await;
    assert!(
        ambiguous
            .unwrap_err()
            .to_string()
            .contains(&format!("{LEASE}, another"))
    );
    let (usage, _) = berth(&server, &["lease", "create", "x"]).await;
    assert_eq!(usage.unwrap_err().exit_code(), 2);
    let (condition, _) = berth(&server, &["lease", "create", "x", "--where", "gpu"]).await;
    assert_eq!(condition.unwrap_err().exit_code(), 2);
    let (gateway, _) = berth(&server, &["property", "list"]).await;
    assert_eq!(gateway.unwrap_err().exit_code(), 3);
    drop(server);

    let nobody = Endpoint::new("http://127.0.0.1:1", None).unwrap();
    let command = Program::try_parse_from(["berth", "lease", "list"]).unwrap().command;
    let error = run(command, nobody, Output::plain(&mut Vec::new(), false), now())
        .await
        .unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains("http://127.0.0.1:1"), "{error}");
}

#[tokio::test]
async fn the_timeline_draws_what_is_allocated() {
    let server = with_one_lease().await;
    let booked = json!({"id": "r1", "lease_id": LEASE, "start_date": "2030-01-01T12:00:00.000000",
        "end_date": "2030-01-01T14:00:00.000000"});
    answers(
        &server,
        "/v1/os-hosts/allocations",
        json!({"allocations": [{"resource_id": "7", "reservations": [booked]}]}),
    )
    .await;
    let (result, printed) = berth(&server, &["timeline", "--width", "47"]).await;
    result.unwrap();
    let row = "gpu07  :.........:.........aaaaaaaaaaaaaaaaaaaa";
    assert!(printed.lines().any(|line| line == row), "{printed}");
    assert!(printed.contains("a  night  PENDING"), "{printed}");
}

#[tokio::test]
async fn b7_the_timeline_shows_cleaning_as_taken() {
    let server = with_one_lease().await;
    let booked = json!({"id": "r1", "lease_id": LEASE, "start_date": "2030-01-01T12:00:00.000000",
        "end_date": "2030-01-01T14:00:00.000000", "occupied_until": "2030-01-01T15:00:00.000000"});
    answers(
        &server,
        "/v1/os-hosts/allocations",
        json!({"allocations": [{"resource_id": "7", "reservations": [booked]}]}),
    )
    .await;
    let (result, printed) = berth(&server, &["timeline", "--width", "47"]).await;
    result.unwrap();
    let row = "gpu07  :.......:.......aaaaaaaaaaaaaaaa~~~~~~~~";
    assert!(printed.lines().any(|line| line == row), "{printed}");
    assert!(printed.contains("~ is cleaned after a lease"), "{printed}");
    let (result, printed) = berth(&server, &["timeline", "--json"]).await;
    result.unwrap();
    let document: Value = serde_json::from_str(&printed).unwrap();
    let booked = &document["hosts"][0]["leases"][0];
    assert_eq!(
        (&booked["end"], &booked["occupied_until"]),
        (&json!("2030-01-01T14:00:00+00:00"), &json!("2030-01-01T15:00:00+00:00")),
        "{printed}"
    );
}

#[tokio::test]
async fn the_catalog_leads_to_the_service() {
    let keystone = MockServer::start().await;
    let catalog = json!({"token": {"catalog": [{"type": "reservation", "endpoints": [
        {"interface": "public", "region_id": "R1", "url": "http://reservations.example/reservation/v1"}]}]}});
    Mock::given(method("POST"))
        .and(path("/identity/v3/auth/tokens"))
        .respond_with(
            ResponseTemplate::new(201)
                .insert_header("X-Subject-Token", "fresh")
                .set_body_json(catalog),
        )
        .mount(&keystone)
        .await;
    let resolve = |region: &'static str, url: Option<&'static str>| {
        let auth_url = format!("{}/identity/v3", keystone.uri());
        async move {
            let environment = move |name: &str| match name {
                "OS_AUTH_URL" => Some(auth_url.clone()),
                "OS_USERNAME" | "OS_PASSWORD" | "OS_PROJECT_NAME" => Some("demo".to_owned()),
                "OS_REGION_NAME" => Some(region.to_owned()),
                _ => None,
            };
            let connection = ConnectionArguments {
                url: url.map(str::to_owned),
                ..ConnectionArguments::default()
            };
            Endpoint::resolve(&connection, &environment).await
        }
    };
    let found = resolve("R1", None).await.unwrap();
    assert_eq!(
        (found.url.as_str(), found.token.as_deref()),
        ("http://reservations.example/reservation", Some("fresh"))
    );
    let elsewhere = resolve("R2", None).await.unwrap_err();
    assert!(elsewhere.to_string().ends_with("in region R2"), "{elsewhere}");
    // A token of Keystone must not be sent to an address that did not come from its catalog.
    let given = resolve("R1", Some("http://given.example")).await.unwrap();
    assert_eq!((given.url.as_str(), given.token), ("http://given.example", None));
}

#[tokio::test]
async fn availability_is_a_table_with_bars() {
    let server = MockServer::start().await;
    let step = |start: &str, end: &str, free: u32, movable: u32| json!({"start": start, "end": end, "in_service": 12, "free": free, "free_with_moves": movable});
    let (from, change, end) = ("2030-01-01T10:00:00Z", "2030-01-01T12:00:00Z", "2030-01-03T00:00:00Z");
    Mock::given(method("GET"))
        .and(path("/capacity/v1/availability"))
        .and(query_param("end", "2030-01-02T10:00:00Z"))
        .and(query_param("limit", "2"))
        .and(query_param("resource_properties", "[\"==\",\"$gpu\",\"True\"]"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({
            "epoch": 1, "at": from, "start": from, "end": end, "hosts_matching": 13, "next_marker": "2030-01-02T00:00:00Z",
            "steps": [step(from, change, 3, 6), step(change, end, 12, 12)]})))
        .expect(1)
        .mount(&server)
        .await;
    let (result, printed) = berth(
        &server,
        &["availability", "--end", "+1d", "--where", "gpu=True", "--limit", "2"],
    )
    .await;
    result.unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "Hosts that match: 13");
    assert!(
        lines[2].starts_with("2030-01-01 10:00") && lines[2].ends_with("######++++++............"),
        "{printed}"
    );
    assert!(lines[3].ends_with("########################"), "{printed}");
    assert_eq!(lines[4], "There is more: --start '2030-01-02 00:00' goes on from here.");
}

fn outcome(verdict: &str) -> Value {
    let slot = json!({"start": "2030-01-02T08:00:00Z", "proved": true});
    json!({"epoch": 1, "at": "2030-01-01T10:00:00Z",
        "hosts": {"displaced": 1, "lost": 0, "lost_leases": [], "proved": true,
            "moves": {"reservations": 1, "hosts": 1, "must": 1, "leases": [{"lease_id": LEASE, "reservation_id": "r1",
                "from": ["7"], "to": ["8"], "hosts_of_another_class": 1, "necessity": "must"}]}},
        "lease": {"verdict": verdict, "conflict": {"text": "at noon 3 hosts are needed, 2 exist"},
            "offers": [{"change": "start", "start": "2030-01-02T08:00:00Z", "end": "2030-01-03T08:00:00Z", "without_moves": true},
                {"change": "amount", "reservation": 0, "amount": 2, "without_moves": false}],
            "moves": {"reservations": 0, "hosts": 0, "must": 0, "leases": []},
            "earliest_start": {"without_moves": slot, "with_moves": slot, "latest": "2030-04-01T10:00:00Z"},
            "most_hosts": [{"reservation": 0, "without_moves": {"hosts": 1, "at_most": 1}, "with_moves": {"hosts": 2, "at_most": 3}}]}})
}

#[tokio::test]
async fn a_what_if_says_what_would_be_and_answers_scripts() {
    for (verdict, code) in [("accepted", 0), ("refused", 1), ("undecided", 4)] {
        let server = MockServer::start().await;
        let body = json!({
            "lease": {"start": "2030-01-01T12:00:00Z", "end": "2030-01-02T12:00:00Z", "reservations": [
                {"resource_type": "physical:host", "min": 3, "max": 3, "hypervisor_properties": "", "resource_properties": ""}]},
            "hosts": {"add": [{"count": 2, "like": "gpu07", "properties": {"gpu": "True"}}], "remove": ["old"],
                "down": [{"host": "gpu03", "start": "2030-01-01T11:00:00Z", "end": "2030-01-01T16:00:00Z"}]}});
        Mock::given(method("POST"))
            .and(path("/capacity/v1/what-if"))
            .and(body_json(body))
            .respond_with(ResponseTemplate::new(200).set_body_json(outcome(verdict)))
            .expect(1)
            .mount(&server)
            .await;
        let program = Program::try_parse_from([
            "berth",
            "what-if",
            "--start",
            "2030-01-01 12:00",
            "--hosts",
            "3",
            "--add-hosts",
            "2",
            "--like",
            "gpu07",
            "--property",
            "gpu=True",
            "--remove",
            "old",
            "--down",
            "gpu03:+1h..+5h",
        ]);
        let endpoint = Endpoint::new(&server.uri(), None).unwrap();
        let mut printed = Vec::new();
        let result = run(
            program.unwrap().command,
            endpoint,
            Output::plain(&mut printed, false),
            now(),
        )
        .await;
        // Exit codes cannot be compared; they can be written.
        assert_eq!(
            format!("{:?}", result.unwrap()),
            format!("{:?}", std::process::ExitCode::from(code))
        );
        let printed = String::from_utf8(printed).unwrap();
        for line in [
            "1 reservation stands on hosts that would be gone or down; 0 reservations would be lost (no fewer are possible).",
            "1 earlier reservation would get 1 host of another class; 1 of them must.",
            "Would be accepted:",
            "  berth what-if --start '2030-01-02 08:00' --end '2030-01-03 08:00' --hosts 3 --add-hosts 2 --like gpu07 --property 'gpu=True' --down gpu03:+1h..+5h --remove old",
            "Would be accepted (earlier reservations would get other hosts):",
            "  berth what-if --start '2030-01-01 12:00' --end +1d --hosts 2 --add-hosts 2 --like gpu07 --property 'gpu=True' --down gpu03:+1h..+5h --remove old",
        ] {
            assert!(printed.lines().any(|printed| printed == line), "{line}\n{printed}");
        }
        assert!(printed.contains("2 (at most 3)"), "{printed}");
        assert_eq!(
            printed.contains("It would be refused: at noon 3 hosts are needed, 2 exist."),
            code == 1
        );
    }
}

#[tokio::test]
async fn nothing_asked_is_a_usage_error() {
    let server = MockServer::start().await;
    let (result, _) = berth(&server, &["what-if"]).await;
    let error = result.unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("--hosts 2"), "{error}");
}

#[tokio::test]
async fn a_refused_booking_says_what_would_be_accepted() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/leases"))
        .respond_with(ResponseTemplate::new(409).set_body_json(json!({
            "error_code": 409, "error_message": "Not enough hosts available: at noon", "error_name": 409,
            "offers": outcome("refused")["lease"]["offers"]})))
        .mount(&server)
        .await;
    let (result, _) = berth(&server, &["lease", "create", "x", "--hosts", "3"]).await;
    assert_eq!(
        result.unwrap_err().next_steps(),
        [
            "Would be accepted:",
            "  berth lease create --start '2030-01-02 08:00' --end '2030-01-03 08:00' --hosts 3 x",
            "Would be accepted (earlier reservations would get other hosts):",
            "  berth lease create --end +1d --hosts 2 x",
        ]
    );
}

#[tokio::test]
async fn floating_ips_are_registered_and_removed_by_id_or_address() {
    let server = MockServer::start().await;
    let known = |id: &str, network: &str, address: &str| json!({"id": id, "floating_network_id": network, "floating_ip_address": address});
    let all = json!({"floatingips": [
        known("f1", "public", "192.0.2.9"), known("f2", "public", "192.0.2.10"), known("f3", "other", "192.0.2.10")]});
    answers(&server, "/v1/floatingips", all).await;
    answers(
        &server,
        "/v1/floatingips/f1",
        json!({"floatingip": known("f1", "public", "192.0.2.9")}),
    )
    .await;
    Mock::given(method("POST"))
        .and(path("/v1/floatingips"))
        .and(body_json(
            json!({"floating_network_id": "public", "floating_ip_address": "192.0.2.9"}),
        ))
        .respond_with(
            ResponseTemplate::new(201).set_body_json(json!({"floatingip": known("f1", "public", "192.0.2.9")})),
        )
        .expect(1)
        .mount(&server)
        .await;
    for id in ["f1", "f3"] {
        Mock::given(method("DELETE"))
            .and(path(format!("/v1/floatingips/{id}")))
            .respond_with(ResponseTemplate::new(204))
            .expect(1)
            .mount(&server)
            .await;
    }
    for arguments in [
        &["floatingip", "create", "public", "192.0.2.9"][..],
        &["floatingip", "show", "192.0.2.9"],
        &["floatingip", "list"],
    ] {
        let (result, printed) = berth(&server, arguments).await;
        result.unwrap();
        assert!(
            printed.contains("f1") && printed.contains("192.0.2.9") && printed.contains("public"),
            "{printed}"
        );
    }
    let (result, printed) = berth(&server, &["floatingip", "delete", "192.0.2.9", "f3"]).await;
    result.unwrap();
    assert_eq!(printed, "Removed floating IP 192.0.2.9.\nRemoved floating IP f3.\n");
    let (result, _) = berth(&server, &["floatingip", "delete", "192.0.2.10"]).await;
    assert!(matches!(result, Err(ClientError::AmbiguousName { .. })), "{result:?}");
}

/// A caller with a role that books and does not read has booked.
#[tokio::test]
async fn c1_what_is_booked_or_changed_is_no_failure_although_it_may_not_be_read_back() {
    let forbidden = ResponseTemplate::new(403).set_body_json(json!({"error_message": "Policy doesn't allow it"}));
    for status in [403, 404, 500, 503] {
        let server = MockServer::start().await;
        let refused = ResponseTemplate::new(status).set_body_json(json!({"error_message": "no"}));
        for (verb, code, route) in [
            ("POST", 201, "/v1/leases".to_owned()),
            ("PUT", 200, format!("/v1/leases/{LEASE}")),
        ] {
            Mock::given(method(verb))
                .and(path(route))
                .respond_with(ResponseTemplate::new(code).set_body_json(json!({"lease": lease("night", LEASE)})))
                .expect(1)
                .mount(&server)
                .await;
        }
        // A change asks for the lease before it is made.
        answers(
            &server,
            &format!("/v1/leases/{LEASE}"),
            json!({"lease": lease("night", LEASE)}),
        )
        .await;
        for (route, answer) in [
            (format!("/capacity/v1/leases/{LEASE}"), &refused),
            ("/v1/os-hosts".to_owned(), &forbidden),
        ] {
            Mock::given(method("GET"))
                .and(path(route))
                .respond_with(answer.clone())
                .mount(&server)
                .await;
        }
        for arguments in [
            &["lease", "create", "night", "--hosts", "1"][..],
            &["lease", "update", LEASE, "--name", "night"],
        ] {
            let (result, printed) = berth(&server, arguments).await;
            result.unwrap();
            assert!(
                printed.contains("night") && printed.contains("PENDING"),
                "{status}: {printed}"
            );
        }
    }
}
