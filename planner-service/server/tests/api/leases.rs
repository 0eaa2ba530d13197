//! Leases: what is answered and what is refused, in upstream's order and words.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADMIN, Answer, Api, MEMBER, lease_body, physical_host};

fn invalid(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    assert_eq!(answer.json()["error_code"], json!(400), "{}", answer.text);
    answer.message()
}

#[tokio::test]
async fn a_lease_is_answered_with_every_member_clients_read() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    let mut reservation = physical_host(1, 2);
    reservation["hypervisor_properties"] = json!("[\">=\", \"$vcpus\", \"4\"]");
    let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([reservation]))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let lease = answer.json()["lease"].clone();
    let (id, reservation) = (&lease["id"], &lease["reservations"][0]);
    let event = |event_type: &str, time: &str| {
        let events = lease["events"].as_array().expect("a list");
        let event = events
            .iter()
            .find(|event| event["event_type"] == event_type)
            .expect(event_type);
        let expected = json!({
            "id": event["id"], "lease_id": id, "event_type": event_type, "time": time,
            "status": "UNDONE", "created_at": "2050-01-01 10:00:30", "updated_at": null,
        });
        assert_eq!(*event, expected);
        event.clone()
    };
    event("start_lease", "2050-12-26T12:00:00.000000");
    event("before_end_lease", "2050-12-27T11:00:00.000000");
    event("end_lease", "2050-12-27T12:00:00.000000");
    let expected = json!({
        "id": id,
        "name": "lease_foo",
        "user_id": "u-member",
        "project_id": "p-own",
        "start_date": "2050-12-26T12:00:00.000000",
        "end_date": "2050-12-27T12:00:00.000000",
        "trust_id": "",
        "status": "PENDING",
        "degraded": false,
        "created_at": "2050-01-01 10:00:30",
        "updated_at": null,
        "reservations": [{
            "id": reservation["id"],
            "lease_id": id,
            "resource_id": reservation["resource_id"],
            "resource_type": "physical:host",
            "status": "pending",
            "missing_resources": false,
            "resources_changed": false,
            "created_at": "2050-01-01 10:00:30",
            "updated_at": null,
            "hypervisor_properties": "[\">=\", \"$vcpus\", \"4\"]",
            "resource_properties": "",
            "before_end": "default",
            "min": 1,
            "max": 2,
        }],
        "events": lease["events"],
    });
    assert_eq!(lease, expected);
    assert_eq!(lease["events"].as_array().map(Vec::len), Some(3));
    let path = format!("/v1/leases/{}", id.as_str().expect("an id is text"));
    for path in [path.clone(), format!("{path}.json"), format!("{path}?nothing=1")] {
        assert_eq!(
            api.get(&path, MEMBER).await.json(),
            json!({"lease": expected}),
            "{path}"
        );
    }
    assert_eq!(
        api.get("/v1/leases.json", ADMIN).await.json(),
        json!({"leases": [expected]})
    );
}

#[tokio::test]
async fn members_are_checked_in_upstreams_order() {
    let api = Api::start().await;
    let with = |changes: Value| {
        let mut body = lease_body(&json!([physical_host(1, 1)]));
        for (member, value) in changes.as_object().expect("an object") {
            body[member] = value.clone();
        }
        body
    };
    let date = |text: &str| format!("{text} is an invalid date. Required format: %Y-%m-%d %H:%M");
    let long = "x".repeat(81);
    for (body, message) in [
        (json!({}), "Missing parameter name, start_date, end_date".to_owned()),
        (
            json!({"name": "a"}),
            "Missing parameter start_date, end_date".to_owned(),
        ),
        (
            with(json!({"name": 5})),
            "Malformed parameter name (must be a string, not a number)".to_owned(),
        ),
        (
            with(json!({"name": null})),
            "Malformed parameter name (must be a string, not null)".to_owned(),
        ),
        (
            with(json!({"name": long})),
            "Malformed parameter name (must have at most 80 characters)".to_owned(),
        ),
        (
            with(json!({"name": "a\u{0}"})),
            "Malformed parameter name (must not contain control characters, line breaks or overrides of direction; it \
             contains U+0000)"
                .to_owned(),
        ),
        (
            with(json!({"reservations": null})),
            "Malformed parameter reservations (must be a list, not null)".to_owned(),
        ),
        (
            with(json!({"reservations": [{}], "start_date": "x"})),
            "Missing parameter resource_type".to_owned(),
        ),
        (with(json!({"start_date": "x", "end_date": "y"})), date("x")),
        (with(json!({"start_date": null})), date("None")),
        (with(json!({"start_date": 5})), date("5")),
        (with(json!({"start_date": true})), date("True")),
        (with(json!({"start_date": ["now"]})), date("['now']")),
        (
            with(json!({"start_date": "2050-12-26 12:00:00"})),
            date("2050-12-26 12:00:00"),
        ),
        (
            with(json!({"start_date": "2050-12-26T12:00"})),
            date("2050-12-26T12:00"),
        ),
        (
            with(json!({"start_date": " 2050-12-26 12:00"})),
            date(" 2050-12-26 12:00"),
        ),
        (
            with(json!({"start_date": "2050-12-26 12:00 "})),
            date("2050-12-26 12:00 "),
        ),
        (
            with(json!({"start_date": "2050-12-26 12:00Z"})),
            date("2050-12-26 12:00Z"),
        ),
        (
            with(json!({"start_date": "2050-02-30 12:00"})),
            date("2050-02-30 12:00"),
        ),
        (
            with(json!({"start_date": "10000-01-01 12:00"})),
            date("10000-01-01 12:00"),
        ),
        (with(json!({"end_date": "2050-12-26 24:00"})), date("2050-12-26 24:00")),
        (with(json!({"end_date": "Now"})), date("Now")),
        (with(json!({"before_end_date": "now"})), date("now")),
        (
            with(json!({"start_date": "2050-01-01 09:59"})),
            "Start date must be later than current date".to_owned(),
        ),
        (
            with(json!({"start_date": "1950-01-01 09:59"})),
            "Start date must be later than current date".to_owned(),
        ),
        (
            with(json!({"end_date": "2050-12-26 12:00"})),
            "End date must be later than start date.".to_owned(),
        ),
        (
            with(json!({"start_date": "2050-01-01 9:5", "reservations": [{"resource_type": "foo:bar"}]})),
            "Start date must be later than current date".to_owned(),
        ),
        (
            with(json!({"reservations": [{"resource_type": "foo:bar"}]})),
            "The foo:bar resource type is not supported".to_owned(),
        ),
        (
            with(json!({"reservations": [{"resource_type": "flavor:instance"}]})),
            "Missing parameter flavor_id,amount,affinity".to_owned(),
        ),
        (
            with(json!({"reservations": [{"resource_type": "device"}]})),
            "The device resource type is not supported".to_owned(),
        ),
        (
            with(json!({"reservations": [{"resource_type": null}]})),
            "The None resource type is not supported".to_owned(),
        ),
        (
            with(json!({"reservations": ["physical:host"]})),
            "Malformed parameter reservations (every entry must be an object, not a string)".to_owned(),
        ),
        (
            with(json!({"reservations": vec![physical_host(1, 1); 101]})),
            "Malformed parameter reservations (must have at most 100 entries)".to_owned(),
        ),
    ] {
        let answer = api.post("/v1/leases", MEMBER, body.clone()).await;
        assert!(invalid(&answer).starts_with(&message), "{body}: {}", answer.text);
    }
    assert_eq!(api.get("/v1/leases", ADMIN).await.json(), json!({"leases": []}));
}

#[tokio::test]
async fn parameters_of_a_host_reservation_are_checked_in_upstreams_order() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    let bounds = "Malformed parameter min and max (must be greater than or equal to 1)";
    let range = "Invalid values for min/max of hosts. Max must be equal to or larger than min.";
    for (changes, message) in [
        (json!({"min": "absent", "max": "absent"}), "Missing parameter min"),
        (json!({"min": "", "max": "absent"}), "Malformed parameter min"),
        (json!({"min": "1", "max": "absent"}), "Missing parameter max"),
        (json!({"min": 0, "max": "x"}), "Malformed parameter max"),
        (json!({"min": true}), "Malformed parameter min"),
        (json!({"min": 1.0}), "Malformed parameter min"),
        (json!({"min": "01"}), "Malformed parameter min"),
        (json!({"min": " 1"}), "Malformed parameter min"),
        (json!({"min": null}), "Missing parameter min"),
        (json!({"min": [1]}), "Malformed parameter min"),
        (json!({"min": 0}), bounds),
        (json!({"max": -1}), bounds),
        (json!({"max": "-9999999999999999999999"}), bounds),
        (json!({"min": 2, "max": 1}), range),
        (
            json!({"max": 4_294_967_296_u64}),
            "Malformed parameter max (must be less than or equal to 4294967295)",
        ),
        (
            json!({"max": u64::MAX}),
            "Malformed parameter max (must be less than or equal to 4294967295)",
        ),
        (
            json!({"hypervisor_properties": "absent", "resource_properties": "absent"}),
            "Missing parameter hypervisor_properties",
        ),
        (
            json!({"resource_properties": "absent", "before_end": 1}),
            "Missing parameter resource_properties",
        ),
        (json!({"before_end": null}), "Malformed parameter before_end"),
        (json!({"before_end": "email"}), "Malformed parameter before_end"),
        (json!({"before_end": ["default"]}), "Malformed parameter before_end"),
    ] {
        let mut reservation = physical_host(1, 1);
        for (member, value) in changes.as_object().expect("an object") {
            if value == "absent" {
                reservation.as_object_mut().expect("an object").remove(member);
            } else {
                reservation[member] = value.clone();
            }
        }
        let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([reservation]))).await;
        assert!(invalid(&answer).starts_with(message), "{changes}: {}", answer.text);
    }
    assert_eq!(api.get("/v1/leases", ADMIN).await.json(), json!({"leases": []}));
}

#[tokio::test]
async fn wrong_requirements_are_quoted_in_pythons_notation() {
    let api = Api::start().await;
    let long = json!(["==", "$a", "x".repeat(70_000)]).to_string();
    for (expression, beginning) in [
        (json!("nonsense"), "Malformed requirements nonsense: "),
        (
            json!("[\"==\", \"$vcpus\", 8]"),
            "Malformed requirements ['==', '$vcpus', 8]: ",
        ),
        (
            json!("[\"in\", \"$a\", \"it's\", null, true, 1.5, {\"k\": []}]"),
            "Malformed requirements ['in', '$a', \"it's\", None, True, 1.5, {'k': []}]: ",
        ),
        (
            json!(["xor", ["==", "$a", "b"]]),
            "Malformed requirements ['xor', ['==', '$a', 'b']]: ",
        ),
        (
            json!(["or", ["==", "$a", "b"], ["and", ["<", "$a", 8.0]]]),
            "Malformed requirements ['or', ['==', '$a', 'b'], ['and', ['<', '$a', 8.0]]]: ",
        ),
        (
            json!("[\"==\", \"$vcpus\", \"\"]"),
            "Malformed requirements ['==', '$vcpus', '']: ",
        ),
        (json!("[\"or\"]"), "Malformed requirements ['or']: "),
        (json!("5"), "Malformed requirements 5: "),
        (json!(5), "Malformed requirements 5: "),
        (json!({"a": 1}), "Malformed requirements {'a': 1}: "),
        (
            json!(long),
            "Malformed parameter resource_properties (must have at most 65536 bytes)",
        ),
    ] {
        let mut reservation = physical_host(1, 1);
        reservation["resource_properties"] = expression;
        let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([reservation]))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{beginning}: {}", answer.text);
        let message = invalid(&answer);
        assert!(message.starts_with(beginning), "{message}");
        assert!(message.len() < 3000, "{} bytes", message.len());
    }
}

#[tokio::test]
async fn what_upstream_crashes_on_is_accepted() {
    let api = Api::start().await;
    api.host("compute-1", json!({"gpu": "True"})).await;
    for (changes, n) in [
        json!({"min": "1", "max": "1"}),
        json!({"hypervisor_properties": null}),
        json!({"resource_properties": ["==", "$gpu", "True"]}),
        json!({"resource_properties": "[\"and\", [\"or\", [\"=\", \"$gpu\", \"True\"], [\"==\", \"$gpu\", \"x\"]]]"}),
        json!({"resource_properties": "[]", "before_end": ""}),
        json!({"unknown": {"member": 1}}),
    ]
    .into_iter()
    .zip(1..)
    {
        let mut reservation = physical_host(1, 1);
        for (member, value) in changes.as_object().expect("an object") {
            reservation[member] = value.clone();
        }
        let mut body = lease_body(&json!([reservation]));
        body["start_date"] = json!(format!("205{n}-1-1  9:5"));
        body["end_date"] = json!(format!("205{n}-1-1 10:5"));
        body["before_end_date"] = json!("");
        body["events"] = json!([{"event_type": "x", "event_date": 5}, null]);
        let answer = api.post("/v1/leases", MEMBER, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{changes}: {}", answer.text);
    }
}

#[tokio::test]
async fn now_is_the_present_minute_and_reservations_may_be_left_out() {
    let api = Api::start().await;
    let body = json!({"name": "", "start_date": "now", "end_date": "2050-01-01 10:01"});
    let answer = api.post("/v1/leases", MEMBER, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert_eq!(
        answer.json()["lease"]["start_date"],
        json!("2050-01-01T10:00:00.000000")
    );
    let body = json!({"name": "", "start_date": "now", "end_date": "now"});
    assert_eq!(
        invalid(&api.post("/v1/leases", MEMBER, body).await),
        "End date must be later than start date."
    );
}

#[tokio::test]
async fn limits_of_the_before_end_date_and_shortage_have_their_own_codes() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    for date in ["2050-12-26 12:00", "2050-12-27 12:00", "1950-1-1 1:1"] {
        let mut body = lease_body(&json!([physical_host(1, 1)]));
        body["before_end_date"] = json!(date);
        let answer = api.post("/v1/leases", MEMBER, body).await;
        let expected =
            json!({"error_code": 403, "error_message": "Datetime is out of lease limits", "error_name": 403});
        assert_eq!((answer.status.as_u16(), answer.json()), (403, expected));
    }
    let answer = api
        .post("/v1/leases", MEMBER, lease_body(&json!([physical_host(2, 2)])))
        .await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert!(
        answer.message().starts_with("Not enough hosts available"),
        "{}",
        answer.text
    );
    assert_eq!(api.get("/v1/leases", ADMIN).await.json(), json!({"leases": []}));
}

#[tokio::test]
async fn changes_are_checked_and_refused_changes_change_nothing() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    let lease = api.lease(MEMBER).await;
    let path = format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"));
    let id = &lease["reservations"][0]["id"];
    let entry = |changes: Value| {
        let mut entry = json!({"id": id});
        for (member, value) in changes.as_object().expect("an object") {
            entry[member] = value.clone();
        }
        json!({"reservations": [entry]})
    };
    for (body, status, message) in [
        (
            json!({"name": 1}),
            400,
            "Malformed parameter name (must be a string, not a number)",
        ),
        (
            json!({"start_date": null}),
            400,
            "None is an invalid date. Required format: %Y-%m-%d %H:%M",
        ),
        (
            json!({"end_date": "2050-12-26 11:00"}),
            400,
            "End date must be later than current and start date",
        ),
        (
            json!({"start_date": "2049-12-26 11:00"}),
            400,
            "Start date must be later than current date",
        ),
        (
            json!({"before_end_date": "2051-01-01 00:00"}),
            403,
            "Datetime is out of lease limits",
        ),
        (
            json!({"reservations": {}}),
            400,
            "Malformed parameter reservations (must be a list, not an object)",
        ),
        (
            json!({"reservations": [{"min": 1}]}),
            400,
            "Missing parameter reservation ID",
        ),
        (
            json!({"reservations": [{"id": "a"}, {"id": 5}]}),
            400,
            "Please enter valid reservation IDs. Invalid reservation IDs are: a,5",
        ),
        (
            json!({"reservations": [{"id": id}, {"id": id}]}),
            400,
            "Malformed parameter reservations (reservation ",
        ),
        (
            entry(json!({"resource_type": "virtual:instance"})),
            409,
            "resource_type cannot be updated",
        ),
        (entry(json!({"min": "x"})), 400, "Malformed parameter min"),
        (
            entry(json!({"min": 0})),
            400,
            "Malformed parameter min and max (must be greater than or equal to 1)",
        ),
        (
            entry(json!({"min": 2, "max": 1})),
            400,
            "Invalid values for min/max of hosts. Max must be equal to or larger than min.",
        ),
        (
            entry(json!({"min": 2})),
            400,
            "Invalid values for min/max of hosts. Max must be equal to or larger than min.",
        ),
        (
            entry(json!({"resource_properties": "x"})),
            400,
            "Malformed requirements x: ",
        ),
        (entry(json!({"min": 2, "max": 2})), 409, "Not enough hosts available"),
    ] {
        let answer = api.put(&path, MEMBER, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert!(answer.message().starts_with(message), "{body}: {}", answer.text);
        assert_eq!(api.get(&path, MEMBER).await.json()["lease"], lease, "{body}");
    }
    for body in [
        json!({}),
        json!({"unknown": 1}),
        json!({"before_end_date": null}),
        json!({"before_end_date": ""}),
    ] {
        let answer = api.put(&path, MEMBER, body.clone()).await;
        assert_eq!(
            (answer.status, answer.json()["lease"].clone()),
            (StatusCode::OK, lease.clone()),
            "{body}"
        );
    }
    let moved = json!({"name": "new", "start_date": "2050-11-1 1:0", "end_date": "2050-11-2 1:0", "reservations": [{"id": id, "resource_type": "physical:host", "max": "3"}]});
    let answer = api.put(&path, MEMBER, moved).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let changed = &answer.json()["lease"];
    assert_eq!(changed["start_date"], json!("2050-11-01T01:00:00.000000"));
    assert_eq!(
        (changed["name"].clone(), changed["status"].clone()),
        (json!("new"), json!("PENDING"))
    );
    assert_eq!(changed["reservations"][0]["max"], json!(3));
    assert_eq!(changed["updated_at"], json!("2050-01-01 10:00:30"));
}

#[tokio::test]
async fn deleted_leases_are_gone_and_the_answer_is_empty() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    let path = format!(
        "/v1/leases/{}",
        api.lease(MEMBER).await["id"].as_str().expect("an id is text")
    );
    let answer = api.call(Method::DELETE, &path, MEMBER, Value::Null).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(api.get(&path, MEMBER).await.status, StatusCode::NOT_FOUND);
    api.lease(MEMBER).await;
}

#[tokio::test]
async fn the_report_shows_hosts_and_waiting_work() {
    let api = Api::start().await;
    let host = api.host("compute-1", json!({})).await;
    let lease = api.lease(MEMBER).await;
    let id = lease["id"].as_str().expect("an id is text");
    let report = api.get(&format!("/capacity/v1/leases/{id}"), MEMBER).await.json();
    assert_eq!(report["lease"]["start"], json!("2050-12-26T12:00:00Z"));
    assert_eq!(report["lease"]["id"], json!(id));
    assert_eq!(
        report["reservations"][0]["hosts"],
        json!([{"host_id": host, "name": "compute-1", "tentative": true, "places": 1}])
    );
    assert_eq!(report["findings"], json!([]));
    let event = &report["events"][0];
    assert_eq!(
        (event["attempts"].clone(), event["waiting"].clone()),
        (json!(0), Value::Null)
    );
}

/// A name is written on the terminals of others: of operators, of whoever lists leases.
#[tokio::test]
async fn v19_names_that_steer_a_terminal_are_refused_and_others_are_kept() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    let lease = api.lease(MEMBER).await;
    let path = format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"));
    let steering = [
        '\0', '\x07', '\x08', '\t', '\n', '\r', '\x1b', '\x7f', '\u{85}', '\u{9b}', '\u{2028}', '\u{202e}', '\u{2066}',
    ];
    for character in steering {
        let name = format!("a{character}b");
        let body = json!({"name": name, "start_date": "2050-12-28 10:00", "end_date": "2050-12-28 11:00"});
        let answers = [
            ("name", api.post("/v1/leases", MEMBER, body).await),
            ("name", api.put(&path, MEMBER, json!({"name": name})).await),
            ("name", api.post("/v1/os-hosts", ADMIN, json!({"name": name})).await),
            (
                "extra capability key",
                api.post("/v1/os-hosts", ADMIN, json!({"name": "compute-2", name.clone(): "x"}))
                    .await,
            ),
            (
                "extra capability key",
                api.put("/v1/os-hosts/1", ADMIN, json!({name.clone(): "x"})).await,
            ),
        ];
        for (field, answer) in answers {
            let expected = format!(
                "Malformed parameter {field} (must not contain control characters, line breaks or overrides of \
                 direction; it contains U+{:04X})",
                u32::from(character)
            );
            assert_eq!(
                (answer.status.as_u16(), answer.message().as_str()),
                (400, expected.as_str())
            );
        }
    }
    assert_eq!(api.get(&path, MEMBER).await.json()["lease"]["name"], lease["name"]);
    assert_eq!(
        api.get("/v1/leases", ADMIN).await.json()["leases"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    for name in [
        "",
        "Größe 漢字",
        "שלום עולם",
        "👩\u{200d}💻 O'Neil \\ \"x\" %s",
        "e\u{301}",
    ] {
        let renamed = api.put(&path, MEMBER, json!({"name": name})).await;
        assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.text);
        assert_eq!(api.get(&path, MEMBER).await.json()["lease"]["name"], name);
    }
}
