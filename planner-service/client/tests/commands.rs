//! What commands send, print and answer to scripts, against a service that is a table of answers.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

mod support;

use clap::Parser;
use client::{ClientError, ConnectionArguments, Endpoint, Output, TypedConnection, run};
use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use support::{Program, TOKEN, now};

const LEASE: &str = "6ee55c78-ac52-41a6-99af-2d2d73bcc466";

async fn berth(server: &MockServer, arguments: &[&str]) -> (Result<(), ClientError>, String) {
    support::berth(&format!("{}/v1", server.uri()), arguments).await
}

/// In a terminal of this many columns.
async fn berth_in(server: &MockServer, width: Option<u16>, arguments: &[&str]) -> (Result<(), ClientError>, String) {
    support::berth_in(&format!("{}/v1", server.uri()), width, arguments).await
}

fn hints(error: &ClientError) -> Vec<String> {
    error.next_steps(&TypedConnection::default())
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
    assert_eq!(
        hints(&refused),
        [
            "Ask for less, another time or a weaker condition. This tells what fits:",
            "  berth what-if --end +1d --hosts 3",
        ]
    );

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
        hints(&result.unwrap_err()),
        [
            "Would be accepted:",
            "  berth lease create --start '2030-01-02 08:00' --end '2030-01-03 08:00' --hosts 3 x",
            "Would be accepted (earlier reservations would get other hosts):",
            "  berth lease create --end +1d --hosts 2 x",
        ]
    );
}

/// B8: an offer beside a change is the command that works, also where it is about what the lease has already, and one that
/// changes nothing is none.
#[tokio::test]
async fn b8_an_offer_for_a_change_is_one_to_copy() {
    let condition = r#"["==","$gpu","True"]"#;
    let amount = |amount: u32| json!({"change": "amount", "reservation": 0, "amount": amount, "without_moves": true});
    let offers = json!([amount(4), amount(5),
        {"change": "drop", "reservation": 0, "condition": condition, "without_moves": true},
        {"change": "replace", "reservation": 0, "condition": condition, "replacement": r#"["==","$gpu","1"]"#,
            "without_moves": true}]);
    let held = |id: &str, kind: &str| {
        json!({"id": id, "resource_type": kind, "status": "pending", "min": 4, "max": 4, "amount": 4,
            "hypervisor_properties": r#"[">=", "$vcpus", "8"]"#, "resource_properties": r#"["=", "$gpu", "True"]"#})
    };
    let hosts = "physical:host";
    for (reservations, words, expected) in [
        (
            json!([held("r1", hosts)]),
            "--hosts 6",
            &[
                "lease update --hosts 5 night",
                "lease update --hosts 6 --resource-properties '' night",
                r#"lease update --hosts 6 --resource-properties '["==","$gpu","1"]' night"#,
            ][..],
        ),
        (
            json!([held("r1", hosts), held("r2", hosts)]),
            "--reservation id=r1,min=6,max=6",
            &[
                "lease update --reservation 'id=r1,min=5,max=5' night",
                "lease update --reservation 'id=r1,min=6,max=6,resource_properties=' night",
                r#"lease update --reservation 'id=r1,min=6,max=6,resource_properties=["==","$gpu","1"]' night"#,
            ],
        ),
        // Beside another change the number of hosts that it has is an offer.
        (
            json!([held("r1", hosts)]),
            "--end +1h --hosts 6",
            &[
                "lease update --end +1h --hosts 4 night",
                "lease update --end +1h --hosts 5 night",
                "lease update --end +1h --hosts 6 --resource-properties '' night",
                r#"lease update --end +1h --hosts 6 --resource-properties '["==","$gpu","1"]' night"#,
            ],
        ),
    ] {
        let mut night = lease("night", LEASE);
        night["reservations"] = reservations;
        let server = MockServer::start().await;
        answers(&server, "/v1/leases", json!({"leases": [night]})).await;
        answers(&server, &format!("/v1/leases/{LEASE}"), json!({"lease": night})).await;
        let refusal = json!({"error_code": 409, "error_message": "Not enough hosts available", "error_name": 409,
            "offers": offers});
        Mock::given(method("PUT"))
            .respond_with(ResponseTemplate::new(409).set_body_json(refusal))
            .mount(&server)
            .await;
        let words: Vec<&str> = ["lease", "update", "night"]
            .into_iter()
            .chain(words.split(' '))
            .collect();
        let error = berth(&server, &words).await.0.unwrap_err();
        let offered: Vec<String> = hints(&error)
            .iter()
            .filter_map(|line| line.strip_prefix("  berth ").map(str::to_owned))
            .collect();
        assert_eq!(offered, expected, "{words:?}");
        assert_eq!(hints(&error).len(), 2 * expected.len(), "{:?}", hints(&error));
    }
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

/// A lease with one reservation of this type.
async fn with_a_lease_of(kind: &str) -> MockServer {
    let mut night = lease("night", LEASE);
    night["reservations"] = json!([{"id": "r1", "resource_type": kind, "status": "pending"}]);
    let server = MockServer::start().await;
    answers(&server, "/v1/leases", json!({"leases": [night]})).await;
    answers(&server, &format!("/v1/leases/{LEASE}"), json!({"lease": night})).await;
    server
}

#[tokio::test]
async fn a7_what_a_lease_does_not_take_is_refused_with_what_it_takes() {
    for (kind, options, takes) in [
        ("physical:host", "--instances 9", "--hosts, --where,"),
        ("physical:host", "--vcpus 4", "--hosts, --where,"),
        ("physical:host", "--memory-mb 4", "--hosts, --where,"),
        ("physical:host", "--affinity same", "--hosts, --where,"),
        ("physical:host", "--flavor m1", "--hosts, --where,"),
        ("physical:host", "--before-end-action snapshot", "--hosts, --where,"),
        ("virtual:instance", "--hosts 3", "--instances, --vcpus,"),
        (
            "virtual:instance",
            "--hypervisor-properties [] --end +1h",
            "--instances, --vcpus,",
        ),
        ("flavor:instance", "--vcpus 3", "--instances, --affinity"),
        ("flavor:instance", "--flavor m2", "--instances, --affinity"),
        ("licence:cad", "--hosts 3", "--reservation id=r1,amount=N"),
        ("licence:cad", "--instances 3", "--reservation id=r1,amount=N"),
        ("virtual:floatingip", "--instances 3", "--reservation id=r1,amount=N"),
        ("physical:host", "--reservation id=r1,before_end=snapshot", "min, max,"),
    ] {
        let server = with_a_lease_of(kind).await;
        let words: Vec<&str> = options.split(' ').collect();
        let (result, printed) = berth(&server, &[&["lease", "update", "night"][..], &words].concat()).await;
        let error = result.unwrap_err();
        assert_eq!((error.exit_code(), printed.as_str()), (2, ""), "{options}");
        let error = error.to_string();
        for expected in [words[0], kind, takes] {
            assert!(error.contains(expected), "{options} of {kind}: {error}");
        }
        let requests = server.received_requests().await.unwrap();
        assert!(requests.iter().all(|request| request.method == "GET"), "{options}");
    }
    let server = MockServer::start().await;
    for (words, option) in [
        (
            "lease create x --instances 2 --vcpus 1 --before-end-action snapshot",
            "--before-end-action",
        ),
        (
            "lease create x --instances 2 --vcpus 1 --hypervisor-properties []",
            "--hypervisor-properties",
        ),
        (
            "lease create x --flavor m1 --hypervisor-properties []",
            "--hypervisor-properties",
        ),
        ("what-if --down n1 --start +1h", "--start"),
        ("what-if --down n1 --end +1h", "--end"),
        ("what-if --add-hosts 1 --latest-start +1h", "--latest-start"),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        let error = berth(&server, &words).await.0.unwrap_err();
        assert_eq!(error.exit_code(), 2, "{words:?}");
        assert!(error.to_string().starts_with(&format!("{option}: ")), "{error}");
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a9_a_call_waits_until_work_on_the_lease_has_ended() {
    for (verb, arguments, done) in [
        ("DELETE", &["lease", "delete", "night"][..], 204),
        ("PUT", &["lease", "update", "night", "--hosts", "2"], 200),
    ] {
        let busy = "Invalid lease status. The lease is STARTING and an operation on it is under way.";
        let busy = ResponseTemplate::new(409).set_body_json(json!({"error_message": busy}));
        let server = with_one_lease().await;
        let (calls, route) = (Mock::given(method(verb)), format!("/v1/leases/{LEASE}"));
        calls
            .and(path(&route))
            .respond_with(busy.clone())
            .up_to_n_times(2)
            .mount(&server)
            .await;
        let lease = json!({"lease": lease("night", LEASE)});
        let after = Mock::given(method(verb)).and(path(&route));
        after
            .respond_with(ResponseTemplate::new(done).set_body_json(lease))
            .expect(1)
            .mount(&server)
            .await;
        berth(&server, arguments).await.0.unwrap();
        server.verify().await;

        let server = with_one_lease().await;
        let calls = Mock::given(method(verb)).and(path(&route));
        calls.respond_with(busy).expect(1).mount(&server).await;
        let error = berth(&server, &[arguments, &["--no-wait"]].concat())
            .await
            .0
            .unwrap_err();
        assert!(error.to_string().contains("STARTING"), "{error}");
        assert_eq!(
            hints(&error),
            [format!("`berth lease show {LEASE}` tells the state it is in now.")]
        );
    }
}

#[tokio::test]
async fn a10_a_lease_that_still_gives_its_resources_back_is_not_called_deleted() {
    let server = MockServer::start().await;
    let mut night = lease("night", LEASE);
    night["status"] = json!("DELETING");
    answers(&server, "/v1/leases", json!({"leases": [night]})).await;
    answers(&server, &format!("/v1/leases/{LEASE}"), json!({"lease": night})).await;
    Mock::given(method("DELETE"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let (result, printed) = berth(&server, &["lease", "delete", "night"]).await;
    result.unwrap();
    assert_eq!(
        printed,
        format!(
            "Lease night is DELETING: its resources are still being given back, then it is deleted.\n\
             `berth lease show {LEASE}` tells how far that is.\n"
        )
    );
    let (_, printed) = berth(&server, &["lease", "delete", "night", "--json"]).await;
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["deleting"][0]["status"], "DELETING");
    assert_eq!(printed["deleted"], json!([]));
}

/// A service that took the deletion and stops to answer has not said that the lease is gone.
#[tokio::test]
async fn a10_a_lease_of_which_nothing_more_is_heard_is_not_called_deleted() {
    let server = MockServer::start().await;
    answers(&server, "/v1/leases", json!({"leases": [lease("night", LEASE)]})).await;
    Mock::given(method("DELETE"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path(format!("/v1/leases/{LEASE}")))
        .respond_with(ResponseTemplate::new(502))
        .mount(&server)
        .await;
    let (result, printed) = berth(&server, &["lease", "delete", "night"]).await;
    assert_eq!(result.unwrap_err().exit_code(), 3);
    assert_eq!(printed, "");
}

/// Several names are all known before the first is taken, and what fails keeps none of the others from being done.
#[tokio::test]
async fn of_several_names_none_is_passed_over_silently() {
    let hosts = json!({"hosts": [{"id": "1", "hypervisor_hostname": "n1"}, {"id": "2", "hypervisor_hostname": "n2"},
        {"id": "3", "hypervisor_hostname": "n3"}]});
    let leases = json!({"leases": [lease("d1", "l1"), lease("d2", "l2"), lease("d3", "l3")]});
    let known = |id: &str| json!({"id": id, "floating_network_id": "n", "floating_ip_address": id});
    let floating_ips = json!({"floatingips": [known("f1"), known("f2"), known("f3")]});
    for (words, unknown) in [
        ("lease delete d1 nosuch d2 nihil", "lease"),
        ("host delete n1 nosuch n2 nihil", "host"),
        ("host down n1 nosuch n2 nihil", "host"),
        ("host up n1 nosuch n2 nihil", "host"),
        ("floatingip delete f1 nosuch f2 nihil", "floating IP"),
    ] {
        let server = MockServer::start().await;
        answers(&server, "/v1/leases", leases.clone()).await;
        answers(&server, "/v1/os-hosts", hosts.clone()).await;
        answers(&server, "/v1/floatingips", floating_ips.clone()).await;
        let words: Vec<&str> = words.split(' ').collect();
        let error = berth(&server, &words).await.0.unwrap_err();
        assert_eq!(
            (error.exit_code(), error.to_string()),
            (
                1,
                format!("no {unknown} is called 'nosuch'; no {unknown} is called 'nihil'")
            )
        );
        let requests = server.received_requests().await.unwrap();
        assert!(
            requests.iter().all(|request| request.method.as_str() == "GET"),
            "{words:?}"
        );
    }
    let server = MockServer::start().await;
    answers(&server, "/v1/os-hosts", hosts).await;
    let reserved = json!({"error_code": 409, "error_message": "The host is reserved.", "error_name": 409});
    for (id, answer) in [
        ("1", ResponseTemplate::new(204)),
        ("2", ResponseTemplate::new(409).set_body_json(&reserved)),
        ("3", ResponseTemplate::new(204)),
    ] {
        Mock::given(method("DELETE"))
            .and(path(format!("/v1/os-hosts/{id}")))
            .respond_with(answer)
            .expect(2)
            .mount(&server)
            .await;
    }
    let all = ["host", "delete", "n1", "n2", "1", "n3"];
    let (result, printed) = berth(&server, &all).await;
    assert_eq!(printed, "Removed host n1.\nRemoved host n3.\n");
    let error = result.unwrap_err();
    assert_eq!(
        (error.exit_code(), error.to_string().as_str()),
        (1, "n2: The host is reserved. (HTTP 409)")
    );
    assert_eq!(hints(&error), ["`berth allocation show 2` shows which leases have it."]);
    let (_, printed) = berth(&server, &[&all[..], &["--json"]].concat()).await;
    assert_eq!(
        serde_json::from_str::<Value>(&printed).unwrap(),
        json!({"deleted": [{"id": "1"}, {"id": "3"}], "failed": [
            {"name": "n2", "error_code": 409, "error_message": "The host is reserved.", "error_name": 409}]})
    );
}

/// A list that a filter leaves empty says that it is the filter.
#[tokio::test]
async fn a_list_says_that_there_are_others() {
    let server = with_one_lease().await;
    let (_, printed) = berth(&server, &["lease", "list", "--status", "error"]).await;
    assert_eq!(printed, "No lease is in status error; 1 lease in all.\n");
    let (_, printed) = berth(&server, &["lease", "list", "--status", "pending"]).await;
    assert!(printed.contains("night"), "{printed}");
    let empty = MockServer::start().await;
    answers(&empty, "/v1/leases", json!({"leases": []})).await;
    let (_, printed) = berth(&empty, &["lease", "list", "--status", "error"]).await;
    assert_eq!(printed, "There are no leases.\n");
    answers(&empty, "/v1/os-hosts/properties", json!({"resource_properties": []})).await;
    let (_, printed) = berth(&empty, &["property", "list"]).await;
    assert_eq!(
        printed,
        "No host has properties that everybody may see; --all shows operators the others.\n"
    );
    let (_, printed) = berth(&empty, &["property", "list", "--all"]).await;
    assert_eq!(printed, "No host has properties.\n");
    answers(&empty, "/v1/os-hosts", json!({"hosts": []})).await;
    let (_, printed) = berth(&empty, &["host", "list"]).await;
    assert_eq!(
        printed,
        "No hosts are registered; `berth host create --help` says how operators register one.\n"
    );
}

/// A11: a property is changed by its name as it stands, and the one that may have been meant is named.
#[tokio::test]
async fn a11_a_misspelt_property_is_answered_with_the_name_that_is_meant() {
    let server = MockServer::start().await;
    let known = json!({"resource_properties": [{"property": "GPU", "private": false, "values": ["True"]}]});
    answers(&server, "/v1/os-hosts/properties", known).await;
    let missing = json!({"error_message": "Object with {'property_name': 'gpu'} not found"});
    Mock::given(method("PATCH"))
        .respond_with(ResponseTemplate::new(404).set_body_json(missing))
        .mount(&server)
        .await;
    for words in [
        &["property", "set", "gpu", "--private"][..],
        &["property", "show", "gpu"],
    ] {
        let error = berth(&server, words).await.0.unwrap_err();
        assert_eq!(error.to_string(), "no property is called 'gpu'; did you mean 'GPU'?");
        assert_eq!(hints(&error), ["`berth property list` shows what there is."]);
    }
}

/// C9: where JSON is asked for, each command prints one document, whoever finds what is wrong.
#[tokio::test]
async fn c9_whatever_happens_is_one_document() {
    let server = with_one_lease().await;
    Mock::given(method("DELETE"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    for (words, kind, code) in [
        ("lease show nihil", "no_such_name", 1),
        ("lease delete nihil", "no_such_name", 1),
        ("lease create x", "usage", 2),
        ("lease update night", "usage", 2),
        ("property list", "refused", 1),
    ] {
        let words: Vec<&str> = words.split(' ').chain(["--json"]).collect();
        let (result, printed) = berth(&server, &words).await;
        let error = result.unwrap_err();
        let document: Value = serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{words:?}: {printed}"));
        assert_eq!(
            document,
            json!({"error": {"kind": kind, "message": error.to_string(), "exit_code": code, "next_steps": hints(&error)}}),
            "{words:?}"
        );
    }
    let (_, printed) = support::berth("http://127.0.0.1:1", &["lease", "list", "--json"]).await;
    let document: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&document["error"]["kind"], &document["error"]["exit_code"]),
        (&json!("unreachable"), &json!(3))
    );
    let (result, printed) = berth(&server, &["host", "delete", "gpu07", "--json"]).await;
    result.unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&printed).unwrap(),
        json!({"deleted": [{"id": "7"}]})
    );
}

#[tokio::test]
async fn a11_a_hint_leads_on_from_what_was_refused() {
    let refused = |status: u16, text: &str| ResponseTemplate::new(status).set_body_json(json!({"error_message": text}));
    for (words, answer, expected) in [
        (
            "host create n1",
            refused(409, "Host 'n1' is already registered"),
            "`berth host update --help` says how",
        ),
        (
            "host delete gpu07",
            refused(409, "The host is reserved."),
            "`berth allocation show 7` shows which",
        ),
        ("lease create x --hosts 1", refused(409, "x"), ""),
        (
            "lease delete 6ee55c78-ac52-41a6-99af-2d2d73bcc466",
            refused(403, "Policy doesn't allow blazar:leases:delete to be performed"),
            "It belongs to another project, or your role",
        ),
        (
            "host create n1",
            refused(403, "Policy doesn't allow blazar:oshosts:post to be performed"),
            "Your role",
        ),
        (
            "host create n1",
            refused(
                503,
                "the book cannot be written now: the database did not commit: berth.sqlite has been removed",
            ),
            "The service cannot use its database",
        ),
        ("host create n1", refused(404, "Flavor 7 could not be found."), ""),
        (
            "host create n1",
            refused(404, "The requested URL was not found on the server."),
            "Check the address",
        ),
        (
            "host delete gpu07",
            refused(404, "Host '7' not found!"),
            "It may have been deleted; `berth host list` shows",
        ),
        (
            "lease delete 6ee55c78-ac52-41a6-99af-2d2d73bcc466",
            refused(404, "Object with {'lease_id': '6ee55c78'} not found"),
            "It may have been deleted; `berth lease list` shows",
        ),
        (
            "host create n1",
            refused(503, "requests of this project wait already"),
            "This is no refusal: try again",
        ),
    ] {
        let server = with_one_lease().await;
        for verb in ["POST", "DELETE"] {
            Mock::given(method(verb))
                .respond_with(answer.clone())
                .mount(&server)
                .await;
        }
        let words: Vec<&str> = words.split(' ').collect();
        let error = berth(&server, &words).await.0.unwrap_err();
        let hint = hints(&error).concat();
        assert!(
            hint.starts_with(expected) && hint.is_empty() == expected.is_empty(),
            "{words:?}: {hint}"
        );
    }
}

#[tokio::test]
async fn a13_a_refusal_is_json_where_json_is_asked_for() {
    let server = MockServer::start().await;
    let body = json!({"error_code": 409, "error_message": "Not enough hosts available: at noon", "error_name": 409,
        "conflict": {"reason": "capacity"}, "offers": outcome("refused")["lease"]["offers"]});
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(409).set_body_json(body.clone()))
        .mount(&server)
        .await;
    let (result, printed) = berth(&server, &["lease", "create", "x", "--hosts", "3", "--json"]).await;
    assert_eq!(result.unwrap_err().exit_code(), 1);
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), body);
    let (_, printed) = berth(&server, &["lease", "create", "x", "--hosts", "3"]).await;
    assert_eq!(printed, "");
}

#[tokio::test]
async fn a8_a_narrow_terminal_cuts_columns_and_breaks_sentences() {
    let server = MockServer::start().await;
    let name = "quarterly-simulation-of-the-northern-glaciers-2030";
    let mut booked = lease(name, LEASE);
    booked["status"] = json!("TERMINATED");
    answers(
        &server,
        "/v1/leases",
        json!({"leases": [booked, lease("short", "another")]}),
    )
    .await;
    let host = |id: &str, name: &str| {
        json!({"id": id, "hypervisor_hostname": name, "vcpus": 64, "memory_mb": 1_048_576, "local_gb": 2000,
            "availability_zone": "nova", "gpu": "True", "interconnect": "infiniband-hdr200", "rack": "r12",
            "processor": "x".repeat(70)})
    };
    let hosts = json!({"hosts": [host("1", "compute-with-many-accelerators-01"), host("2", "c2")]});
    answers(&server, "/v1/os-hosts", hosts).await;
    let of_lease = json!({"id": "r1", "lease_id": LEASE, "start_date": "2030-01-01T12:00:00.000000",
        "end_date": "2030-01-01T14:00:00.000000", "tentative": true});
    let allocations = json!({"allocations": [{"resource_id": "1", "reservations": [of_lease]}]});
    answers(&server, "/v1/os-hosts/allocations", allocations).await;
    for command in [
        &["lease", "list"][..],
        &["host", "list"],
        &["timeline"],
        &["allocation", "list"],
    ] {
        for width in [50, 60, 80, 100, 120] {
            let (result, printed) = berth_in(&server, Some(width), command).await;
            result.unwrap();
            let widest = printed.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= usize::from(width), "{command:?} in {width}:\n{printed}");
            // No word is written one letter a line.
            assert!(
                !printed.lines().any(|line| line.trim().chars().count() == 1),
                "{printed}"
            );
        }
        let (_, printed) = berth(&server, command).await;
        assert!(
            !printed.contains('~') || command == ["timeline"],
            "nobody limits it:\n{printed}"
        );
    }
    let (_, printed) = berth_in(&server, Some(80), &["lease", "list"]).await;
    assert_eq!(printed.lines().count(), 3, "{printed}");
    assert!(
        printed.contains("quarter") && printed.contains("short") && printed.contains('~'),
        "{printed}"
    );
}

#[tokio::test]
async fn a13_what_is_counted_and_who_is_meant_is_named() {
    let server = MockServer::start().await;
    let of = |kind: &str, id: &str, amount: u32| {
        let mut reservation = json!({"id": id, "resource_type": kind, "status": "pending", "amount": amount});
        if kind == "physical:host" {
            reservation = json!({"id": id, "resource_type": kind, "status": "pending", "min": 1, "max": amount});
        }
        reservation
    };
    let mut night = lease("night", LEASE);
    night["reservations"] = json!([of("virtual:instance", "r1", 16), of("physical:host", "r2", 2)]);
    night["degraded"] = json!(true);
    let mut day = lease("day", "d1");
    day["reservations"] = json!([of("licence:cad", "r3", 1)]);
    answers(&server, "/v1/leases", json!({"leases": [night, day]})).await;
    let hosts =
        json!({"hosts": [{"id": "7", "hypervisor_hostname": "gpu07"}, {"id": "8", "hypervisor_hostname": "gpu08"}]});
    answers(&server, "/v1/os-hosts", hosts).await;
    let (_, printed) = berth(&server, &["lease", "list"]).await;
    for expected in [
        "RESERVED",
        "16 instances + 1-2 hosts",
        "1 unit",
        "PENDING !",
        "! is degraded",
    ] {
        assert!(printed.contains(expected), "{expected} is missing in\n{printed}");
    }

    let mut answer = outcome("refused");
    answer["lease"]["conflict"]["text"] = json!("no host has gpu = true; did you mean 'True'?");
    answer["hosts"]["lost_leases"] =
        json!([{"lease_id": LEASE, "reservation_id": "r1", "hosts_missing": 15, "conflict": {"text": "none is left"}}]);
    answer["hosts"]["moves"]["leases"][0]["from"] = json!(["7", "7", "7"]);
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&server)
        .await;
    let (_, printed) = berth(&server, &["what-if", "--down", "gpu07", "--hosts", "1"]).await;
    for expected in [
        "night  15 instances",
        "gpu07 (3 places)  gpu08",
        "did you mean 'True'?\n",
    ] {
        assert!(printed.contains(expected), "{expected} is missing in\n{printed}");
    }

    for (arguments, expected) in [
        (
            &["lease", "show", "nigth"][..],
            "no lease is called 'nigth'; did you mean 'night'?",
        ),
        (
            &["timeline", "--lease", "nihgt"],
            "no lease is called 'nihgt'; did you mean 'night'?",
        ),
        (
            &["host", "show", "gpu99"],
            "no host is called 'gpu99'; did you mean 'gpu0",
        ),
        (&["lease", "show", "zzz"], "no lease is called 'zzz'"),
    ] {
        if arguments[0] == "timeline" {
            answers(&server, "/v1/os-hosts/allocations", json!({"allocations": []})).await;
        }
        let error = berth(&server, arguments).await.0.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_eq!(
            error.to_string().contains("did you mean"),
            expected.contains("did you mean"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a13_a_lease_shows_its_owner_and_an_id_may_be_cut() {
    let server = with_one_lease().await;
    let mut night = lease("night", LEASE);
    night["events"] =
        json!([{"event_type": "before_end_lease", "time": "2030-01-01T13:00:00.000000", "status": "UNDONE"}]);
    let server_of = MockServer::start().await;
    answers(&server_of, "/v1/leases", json!({"leases": [night]})).await;
    answers(&server_of, &format!("/v1/leases/{LEASE}"), json!({"lease": night})).await;
    let (result, printed) = berth(&server_of, &["lease", "show", &LEASE[..8]]).await;
    assert!(
        result.is_err() && printed.is_empty(),
        "hosts are not answered there: {result:?}"
    );
    answers(&server_of, "/v1/os-hosts", json!({"hosts": []})).await;
    let (result, printed) = berth(&server_of, &["lease", "show", &LEASE[..8]]).await;
    result.unwrap();
    for expected in ["user         u", "project      p", "before end   2030-01-01 13:00 UTC"] {
        assert!(printed.contains(expected), "{expected} is missing in\n{printed}");
    }
    let (result, _) = berth(&server, &["lease", "show", &LEASE[..3]]).await;
    assert!(matches!(result, Err(ClientError::NoSuchName { .. })), "{result:?}");
}

#[tokio::test]
async fn a14_a_property_that_is_not_there_cannot_be_removed_and_a_host_without_sizes_is_said() {
    let server = MockServer::start().await;
    let host =
        json!({"id": "7", "hypervisor_hostname": "gpu07", "vcpus": 0, "memory_mb": 1, "local_gb": 0, "rack": "r1"});
    answers(&server, "/v1/os-hosts", json!({"hosts": [host]})).await;
    answers(&server, "/v1/os-hosts/7", json!({"host": host})).await;
    for verb in ["PUT", "POST"] {
        let answer = ResponseTemplate::new(200).set_body_json(json!({"host": host}));
        Mock::given(method(verb))
            .respond_with(answer)
            .expect(1)
            .mount(&server)
            .await;
    }
    let error = berth(&server, &["host", "update", "gpu07", "--remove", "rakc"])
        .await
        .0
        .unwrap_err();
    assert_eq!(
        (error.exit_code(), error.to_string().as_str()),
        (2, "--remove rakc: the host has no such property; did you mean 'rack'?")
    );
    berth(&server, &["host", "update", "gpu07", "--remove", "rack"])
        .await
        .0
        .unwrap();
    let (_, printed) = berth(&server, &["host", "create", "gpu07"]).await;
    assert!(printed.contains("Registered with 0 vcpus, 0 local_gb:"), "{printed}");
}

#[test]
fn a14_what_cannot_be_meant_is_refused_with_what_is_allowed() {
    for (words, expected) in [
        (&["lease", "create", ""][..], "a value is required"),
        (
            &["lease", "create", "x", "--vcpus", "-4"],
            "-4 is not in 0..=4294967295",
        ),
        (
            &["lease", "create", "x", "--hosts", "-1"],
            "write a number of hosts, as 2",
        ),
        (
            &["lease", "create", "x", "--instances", "-1"],
            "-1 is not in 1..=4294967295",
        ),
        (&["lease", "create", "x", "--memory-mb", "8GB"], "8 GiB are 8192"),
        (&["lease", "create", "x", "--start", "-tomorrow"], "write now, +2h"),
        (&["host", "create", "x", "--vcpus", "-4"], "-4 is not in 0..=4294967295"),
        (&["what-if", "--end", "-x"], "write now, +2h"),
        (&["availability", "--limit", "-1"], "-1 is not in 1..=1000"),
        (&["timeline", "--until", "-x"], "write now, +2h"),
    ] {
        let error = Program::try_parse_from([&["berth"], words].concat())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{words:?}: {error}");
        assert!(!error.contains("use '-- "), "{words:?}: {error}");
    }
    // Two hours ago is a time; whether it is allowed is the service's to say.
    assert!(Program::try_parse_from(["berth", "lease", "create", "x", "--start", "-2h"]).is_ok());
}

#[tokio::test]
async fn a7_a_token_that_would_not_be_sent_is_refused() {
    let environment = |name: &str| match name {
        "OS_AUTH_URL" => Some("http://127.0.0.1:1".to_owned()),
        "BERTH_TOKEN" => Some("of another service".to_owned()),
        _ => None,
    };
    let typed = ConnectionArguments {
        token: Some("typed".to_owned()),
        ..ConnectionArguments::default()
    };
    let error = ClientError::from(Endpoint::resolve(&typed, &environment).await.unwrap_err());
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().starts_with("--token needs --url"), "{error}");
    // One of the environment is for the service of BERTH_URL, and is left alone.
    let error = Endpoint::resolve(&ConnectionArguments::default(), &environment)
        .await
        .unwrap_err();
    assert!(!error.to_string().contains("--token"), "{error}");
    let by_variables = |name: &str| match name {
        "BERTH_URL" => Some("http://h/v1".to_owned()),
        "BERTH_TOKEN" => Some("T".to_owned()),
        _ => None,
    };
    let found = Endpoint::resolve(&ConnectionArguments::default(), &by_variables)
        .await
        .unwrap();
    assert_eq!((found.url.as_str(), found.token.as_deref()), ("http://h", Some("T")));
}
