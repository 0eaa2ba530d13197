//! `/capacity/v1`: questions about capacity, and refusals that say why and what else.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADMIN, Api, MEMBER, OTHER, READER, lease_body, physical_host};

const RANGE: &str = "start=2050-12-26T00:00:00Z&end=2050-12-28T00:00:00Z";

/// Two hosts, one of them with a GPU, and one lease of one host on 26 December at noon for a day.
async fn two_hosts() -> (Api, String) {
    let api = Api::start().await;
    api.host("compute-1", json!({"gpu": "1"})).await;
    api.host("compute-2", json!({})).await;
    let lease = api.lease(MEMBER).await["id"]
        .as_str()
        .expect("an id is text")
        .to_owned();
    (api, lease)
}

fn asked(min: u32) -> Value {
    json!({"lease": {"start": "2050-12-26T12:00:00Z", "end": "2050-12-27T12:00:00Z",
        "reservations": [{"min": min}]}})
}

#[tokio::test]
async fn availability_counts_and_names_nobody() {
    let (api, lease) = two_hosts().await;
    let answer = api.get(&format!("/capacity/v1/availability?{RANGE}"), OTHER).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let step = |start: &str, end: &str, free: u32| json!({"start": start, "end": end, "in_service": 2, "free": free, "free_with_moves": free});
    let (noon, next) = ("2050-12-26T12:00:00Z", "2050-12-27T12:00:00Z");
    let body = answer.json();
    assert_eq!(
        body["steps"],
        json!([
            step("2050-12-26T00:00:00Z", noon, 2),
            step(noon, next, 1),
            step(next, "2050-12-28T00:00:00Z", 2)
        ])
    );
    assert_eq!(
        (&body["hosts_matching"], &body["next_marker"]),
        (&json!(2), &Value::Null)
    );
    assert!(
        !answer.text.contains(&lease) && !answer.text.contains("p-own"),
        "{}",
        answer.text
    );

    let gpu = "resource_properties=%5B%22%3D%3D%22%2C%20%22%24gpu%22%2C%20%221%22%5D";
    let body = api
        .get(&format!("/capacity/v1/availability?{RANGE}&{gpu}"), OTHER)
        .await
        .json();
    assert_eq!(body["hosts_matching"], 1);
    // The lease may be on either host; with moves it is on the one without.
    let least = body["steps"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|step| &step["free_with_moves"]);
    assert!(least.into_iter().all(|free| *free == 1), "{body}");
}

#[tokio::test]
async fn an_answer_may_be_continued_and_is_tagged() {
    let (api, _) = two_hosts().await;
    let path = format!("/capacity/v1/availability?{RANGE}&limit=1");
    let first = api.get(&path, OTHER).await;
    assert_eq!(first.json()["next_marker"], "2050-12-26T12:00:00Z");
    let second = api
        .get(&format!("{path}&marker=2050-12-26T12:00:00Z"), OTHER)
        .await
        .json();
    assert_eq!(second["steps"][0]["free"], 1);
    assert_eq!(
        second["start"], "2050-12-26T00:00:00Z",
        "what was asked for, not where this part begins"
    );

    let tag = first.headers["etag"].to_str().expect("a tag is text").to_owned();
    let again = |tag: String| {
        let api = &api;
        let path = path.clone();
        async move {
            let headers = [("If-None-Match", tag.as_str())];
            api.send(Method::GET, &path, OTHER, &headers, Body::empty()).await
        }
    };
    assert_eq!(again(tag.clone()).await.status, StatusCode::NOT_MODIFIED);
    api.lease(MEMBER).await;
    assert_eq!(again(tag).await.status, StatusCode::OK, "the book has changed");
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let (api, _) = two_hosts().await;
    let query = |query: &'static str| (Method::GET, format!("/capacity/v1/availability?{query}"), Value::Null);
    let what_if = |body: Value| (Method::POST, "/capacity/v1/what-if".to_owned(), body);
    let lease = |change: Value| {
        let mut body = asked(1);
        body["lease"]
            .as_object_mut()
            .expect("an object")
            .extend(change.as_object().expect("an object").clone());
        what_if(body)
    };
    let reservation = |entry: Value| lease(json!({"reservations": [entry]}));
    for ((method, path, body), named) in [
        (
            query("start=tomorrow"),
            "start: 'tomorrow' is not allowed; write a time with its zone",
        ),
        (query("start=2050-12-26T00:00:00"), "start: '2050-12-26T00:00:00'"),
        (
            query("start=2049-01-01T00:00:00Z"),
            "start: 2049-01-01T00:00:00Z has passed",
        ),
        (
            query("start=2050-12-26T00:00:00Z&end=2050-12-26T00:00:00Z"),
            "end: must be later than start",
        ),
        (
            query("end=2090-12-26T00:00:00Z"),
            "end: must be at most 732 days after start",
        ),
        (
            query("limit=0"),
            "limit: '0' is not allowed; it must be a whole number from 1 to 1000",
        ),
        (
            query("marker=2040-01-01T00:00:00Z"),
            "marker: must lie between start and end",
        ),
        (query("resource_properties=%5B%22~%22%5D"), "unknown operator `~`"),
        (
            query("resource_propeties=x"),
            "resource_propeties: there is no such parameter; allowed are start, end",
        ),
        (query("limit=1&limit=2"), "limit: must be given once"),
        (
            what_if(json!({})),
            "nothing is asked: give a lease, changes of hosts, or both",
        ),
        (
            what_if(json!({"leese": {}})),
            "unknown field `leese`, expected `lease` or `hosts`",
        ),
        (
            what_if(json!({"lease": {"end": "2050-12-27T12:00:00Z"}})),
            "lease: missing field `reservations`",
        ),
        (lease(json!({"start": "noon"})), "lease.start: noon is an invalid date"),
        (
            lease(json!({"start": "2050-12-26T12:00:30Z"})),
            "lease.start: 2050-12-26T12:00:30Z is not allowed; leases",
        ),
        (
            lease(json!({"end": "2050-12-26T12:00:00Z"})),
            "End date must be later than start date.",
        ),
        (
            lease(json!({"latest_start": "2050-12-26T11:00:00Z"})),
            "latest_start: must not lie before",
        ),
        (
            lease(json!({"reservations": []})),
            "lease.reservations: must have at least one entry",
        ),
        (
            reservation(json!({"min": 0})),
            "lease.reservations[0]: Malformed parameter min and max",
        ),
        (
            reservation(json!({"min": 1, "mx": 2})),
            "lease.reservations[0].mx: there is no such member; allowed are",
        ),
        (
            reservation(json!({"min": 1, "resource_type": "virtual:ship"})),
            "lease.reservations[0]: The virtual:ship resource type is not supported",
        ),
        (
            what_if(json!({"hosts": {"remove": ["nowhere"]}})),
            "hosts.remove: no host has the id or name 'nowhere'",
        ),
        (
            what_if(json!({"hosts": {"add": [{"count": 0}]}})),
            "hosts.add.count: must be from 1 to 10000 in all",
        ),
        (
            what_if(json!({"hosts": {"add": [{"count": 10_001}]}})),
            "hosts.add.count: must be from 1 to 10000 in all",
        ),
        (
            what_if(json!({"hosts": {"down": [{"host": "compute-1", "end": "2049-01-01T00:00:00Z"}]}})),
            "hosts.down: host compute-1 must be down until later than it begins",
        ),
    ] {
        let answer = api.call(method, &path, ADMIN, body.clone()).await;
        let call = format!("{path} {body}: {}", answer.text);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{call}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{call}");
        let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
        assert!(detail.contains(named), "{call}\nlacks {named}");
    }
}

#[tokio::test]
async fn a_lease_that_fits_would_be_accepted_and_is_not_booked() {
    let (api, _) = two_hosts().await;
    let before = api.get("/v1/leases", ADMIN).await.text;
    let answer = api.post("/capacity/v1/what-if", READER, asked(1)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["hosts"], Value::Null);
    let lease = &body["lease"];
    assert_eq!(
        (&lease["verdict"], &lease["conflict"]),
        (&json!("accepted"), &Value::Null)
    );
    let slot = json!({"start": "2050-12-26T12:00:00Z", "proved": true});
    assert_eq!(
        lease["earliest_start"],
        json!({"without_moves": slot, "with_moves": slot, "latest": "2051-03-26T12:00:00Z"})
    );
    let one = json!({"hosts": 1, "at_most": 1});
    assert_eq!(
        lease["most_hosts"],
        json!([{"reservation": 0, "without_moves": one, "with_moves": one}])
    );
    assert_eq!(api.get("/v1/leases", ADMIN).await.text, before);
}

/// Who may read the lease that is in the way learns its name, everybody else that there is one.
#[tokio::test]
async fn a_refusal_names_only_leases_the_caller_may_read() {
    let (api, lease) = two_hosts().await;
    let offers = json!([
        {"change": "start", "start": "2050-12-27T12:00:00Z", "end": "2050-12-28T12:00:00Z", "without_moves": true},
        {"change": "amount", "reservation": 0, "amount": 1, "without_moves": true}]);
    for (caller, leases, others, hosts) in [
        (MEMBER, json!([lease]), 0, false),
        (OTHER, json!([]), 1, false),
        (ADMIN, json!([lease]), 0, true),
    ] {
        let answer = api.post("/capacity/v1/what-if", caller, asked(2)).await;
        let outcome = answer.json()["lease"].clone();
        assert_eq!(outcome["verdict"], "refused", "{}", answer.text);
        assert_eq!(outcome["offers"], offers, "{caller}");
        let refused = api
            .post("/v1/leases", caller, lease_body(&json!([physical_host(2, 2)])))
            .await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
        let body = refused.json();
        assert_eq!(body["offers"], offers, "{caller}");
        for (conflict, text) in [(&outcome["conflict"], &answer.text), (&body["conflict"], &refused.text)] {
            assert_eq!(
                (&conflict["leases"], &conflict["other_reservations"]),
                (&leases, &json!(others)),
                "{text}"
            );
            assert_eq!(conflict["reason"], "capacity");
            assert_eq!(
                (&conflict["hosts_needed"], &conflict["hosts_exist"]),
                (&json!(3), &json!(2))
            );
            assert_eq!(conflict.get("hosts").is_some(), hosts, "{text}");
            if others > 0 {
                assert!(!text.contains(&lease), "{text}");
            }
        }
        // What upstream's clients read comes first and is as before.
        let begin = r#"{"error_code":409,"error_message":"Not enough hosts available: at 2050-12-26T12:00Z"#;
        assert!(refused.text.starts_with(begin), "{}", refused.text);
        assert_eq!(body["error_name"], 409);
    }
}

/// Offers are accepted as given.
#[tokio::test]
async fn offers_hold() {
    let (api, _) = two_hosts().await;
    let refused = api
        .post("/v1/leases", OTHER, lease_body(&json!([physical_host(2, 2)])))
        .await
        .json();
    let mut later = lease_body(&json!([physical_host(2, 2)]));
    (later["start_date"], later["end_date"]) = (json!("2050-12-27 12:00"), json!("2050-12-28 12:00"));
    assert_eq!(refused["offers"][0]["start"], "2050-12-27T12:00:00Z");
    assert_eq!(api.post("/v1/leases", OTHER, later).await.status, StatusCode::CREATED);
    let amount = u32::try_from(refused["offers"][1]["amount"].as_u64().expect("a number")).expect("a small number");
    let fewer = lease_body(&json!([physical_host(amount, amount)]));
    assert_eq!(api.post("/v1/leases", OTHER, fewer).await.status, StatusCode::CREATED);
}

/// A condition that stands in the way is named as it was written, and the request is accepted without it.
#[tokio::test]
async fn a_condition_to_leave_out_is_offered() {
    let api = Api::start().await;
    api.host("compute-1", json!({"gpu": "1", "ssd": "1"})).await;
    api.host("compute-2", json!({"ssd": "1"})).await;
    let asked = |properties: &str| {
        let mut part = physical_host(1, 1);
        part["resource_properties"] = json!(properties);
        lease_body(&json!([part]))
    };
    let (gpu, ssd) = (r#"["==","$gpu","1"]"#, r#"["==","$ssd","1"]"#);
    let first = api.post("/v1/leases", OTHER, asked(gpu)).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    let other = first.json()["lease"]["id"].as_str().expect("an id is text").to_owned();
    let refused = api
        .post("/v1/leases", MEMBER, asked(&format!(r#"["and",{gpu},{ssd}]"#)))
        .await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    let offers = refused.json()["offers"].clone();
    let dropped = json!({"change": "drop", "reservation": 0, "condition": gpu, "without_moves": true});
    assert_eq!(offers[1], dropped, "{offers}");
    assert_eq!(offers.as_array().map(Vec::len), Some(2), "{offers}");
    assert!(!refused.text.contains(&other), "{}", refused.text);
    let without = api.post("/v1/leases", MEMBER, asked(ssd)).await;
    assert_eq!(without.status, StatusCode::CREATED, "{}", without.text);
}

#[tokio::test]
async fn a_refused_change_says_why_and_what_else() {
    let (api, lease) = two_hosts().await;
    let other = api.lease(OTHER).await["id"].as_str().expect("an id is text").to_owned();
    let path = format!("/v1/leases/{lease}");
    let reservation = api.get(&path, MEMBER).await.json()["lease"]["reservations"][0]["id"].clone();
    let change = json!({"reservations": [{"id": reservation, "min": 2, "max": 2}]});
    let refused = api.put(&path, MEMBER, change).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    let body = refused.json();
    assert_eq!(body["conflict"]["other_reservations"], 1, "{}", refused.text);
    assert_eq!(body["offers"][0]["start"], "2050-12-27T12:00:00Z", "{}", refused.text);
    // As many as it has already are no offer.
    assert_eq!(body["offers"].as_array().map(Vec::len), Some(1), "{}", refused.text);
    assert!(!refused.text.contains(&other), "{}", refused.text);
}

#[tokio::test]
async fn only_operators_change_the_fleet_in_thought() {
    let (api, lease) = two_hosts().await;
    let down = json!({"hosts": {"down": [{"host": "compute-2"}, {"host": "compute-1"}]}});
    let answer = api.post("/capacity/v1/what-if", MEMBER, down.clone()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
    assert!(answer.text.contains("berth:capacity:what_if_hosts"), "{}", answer.text);

    let before = (
        api.get("/v1/leases", ADMIN).await.text,
        api.get("/v1/os-hosts", ADMIN).await.text,
    );
    let all = api.post("/capacity/v1/what-if", ADMIN, down).await.json()["hosts"].clone();
    assert_eq!((&all["displaced"], &all["lost"]), (&json!(1), &json!(1)), "{all}");
    assert_eq!(all["lost_leases"][0]["lease_id"], json!(lease));

    let allocations = api.get("/v1/os-hosts/allocations", ADMIN).await.json()["allocations"].clone();
    let busy = allocations
        .as_array()
        .expect("a list")
        .iter()
        .find(|host| host["reservations"] != json!([]));
    let busy = busy.expect("one host serves")["resource_id"].clone();
    let one = json!({"hosts": {"remove": [busy]}, "lease": asked(1)["lease"]});
    let answer = api.post("/capacity/v1/what-if", ADMIN, one).await.json();
    assert_eq!(
        (&answer["hosts"]["displaced"], &answer["hosts"]["lost"]),
        (&json!(1), &json!(0)),
        "{answer}"
    );
    let moved = &answer["hosts"]["moves"]["leases"][0];
    assert_eq!(
        (&moved["lease_id"], &moved["from"], &moved["necessity"]),
        (&json!(lease), &json!([busy]), &json!("must"))
    );
    assert_eq!(
        answer["lease"]["verdict"], "refused",
        "the other host is taken by the displaced lease: {answer}"
    );

    let more = json!({"hosts": {"add": [{"count": 2, "like": "compute-1", "properties": {"gpu": "2"}}]},
        "lease": {"start": "2050-12-26T12:00:00Z", "end": "2050-12-27T12:00:00Z",
            "reservations": [{"min": 2, "resource_properties": "[\"==\", \"$gpu\", \"2\"]"}]}});
    let answer = api.post("/capacity/v1/what-if", ADMIN, more).await.json();
    assert_eq!(answer["lease"]["verdict"], "accepted", "{answer}");
    let after = (
        api.get("/v1/leases", ADMIN).await.text,
        api.get("/v1/os-hosts", ADMIN).await.text,
    );
    assert_eq!(before, after, "asking changes nothing");
}

/// 10,000 hosts with a property of 60 kB took 2.4 GB.
#[tokio::test]
async fn v24_added_hosts_are_limited_in_bytes() {
    let (api, _) = two_hosts().await;
    let adding = |count: u32, bytes: usize| json!({"hosts": {"add": [{"count": count, "properties": {"note": "x".repeat(bytes)}}]}});
    let answer = api.post("/capacity/v1/what-if", ADMIN, adding(10_000, 60_000)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    let named = ["hosts.add", "10000", "60004", "33554432"];
    assert!(named.iter().all(|part| answer.text.contains(part)), "{}", answer.text);
    let answer = api.post("/capacity/v1/what-if", ADMIN, adding(500, 60_000)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

/// The document and the router name the same routes.
#[tokio::test]
async fn the_document_has_every_route() {
    let api = Api::start().await;
    let answer = api.get("/capacity/v1/openapi.json", "").await;
    assert_eq!(answer.status, StatusCode::OK);
    let document = answer.json();
    let mut described: Vec<String> = Vec::new();
    for (path, item) in document["paths"].as_object().expect("an object") {
        for (method, operation) in item.as_object().expect("an object") {
            described.push(format!("{} {path}", method.to_uppercase()));
            assert!(
                operation["responses"]["200"].is_object(),
                "{method} {path} has no answer"
            );
        }
    }
    let capacity = server::routes()
        .into_iter()
        .filter(|route| route.path.starts_with("/capacity/"));
    let mut routes: Vec<String> = capacity
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    described.sort();
    routes.sort();
    assert_eq!(described, routes);
    // Every reference leads somewhere.
    let references: Vec<&str> = answer
        .text
        .split("\"$ref\":\"#")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(!references.is_empty());
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    let written: Value = serde_json::from_str(&server::openapi().expect("it can be written")).expect("it is JSON");
    assert_eq!(written, document);
}

#[tokio::test]
async fn an_operator_says_what_works_and_wrong_words_change_nothing() {
    let (api, lease) = two_hosts().await;
    let path = "/capacity/v1/hosts/2";
    for (body, text) in [
        (json!({}), "reservable"),
        (json!({"reservable": "no"}), "must be true or false, not 'no'"),
        (
            json!({"reservable": false, "colour": 1}),
            "colour is not known; allowed is reservable",
        ),
    ] {
        let answer = api.call(Method::PATCH, path, ADMIN, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        assert!(
            answer.json()["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains(text)),
            "{}",
            answer.text
        );
    }
    let missing = api
        .call(
            Method::PATCH,
            "/capacity/v1/hosts/9",
            ADMIN,
            json!({"reservable": false}),
        )
        .await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let allocations = async || {
        api.get(&format!("/v1/os-hosts/allocations?lease_id={lease}"), ADMIN)
            .await
            .json()
    };
    let held = allocations().await["allocations"].clone();
    let held = held
        .as_array()
        .expect("a list")
        .iter()
        .find(|host| host["reservations"] != json!([]));
    let held = held.expect("one host is held")["resource_id"]
        .as_str()
        .expect("text")
        .to_owned();
    let path = format!("/capacity/v1/hosts/{held}");
    let down = api
        .call(Method::PATCH, &path, ADMIN, json!({"reservable": false}))
        .await;
    assert_eq!(
        down.json(),
        json!({"reservable": false, "moved": 1, "lost": 0, "refilled": 0})
    );
    assert_eq!(
        api.get(&format!("/v1/os-hosts/{held}"), ADMIN).await.json()["host"]["reservable"],
        false
    );
    let again = api
        .call(Method::PATCH, &path, ADMIN, json!({"reservable": false}))
        .await;
    assert_eq!(again.json()["moved"], 0);
    let up = api.call(Method::PATCH, &path, ADMIN, json!({"reservable": true})).await;
    assert_eq!(
        up.json(),
        json!({"reservable": true, "moved": 0, "lost": 0, "refilled": 0})
    );
}

#[tokio::test]
async fn b9_no_start_after_the_latest_one_is_offered() {
    let (api, _) = two_hosts().await;
    for (latest, offered) in [
        (Value::Null, Some("2050-12-27T12:00:00Z")),
        (json!("2050-12-27T12:00:00Z"), Some("2050-12-27T12:00:00Z")),
        (json!("2050-12-27T11:59:00Z"), None),
    ] {
        let mut body = asked(2);
        if !latest.is_null() {
            body["lease"]["latest_start"] = latest.clone();
        }
        let answer = api.post("/capacity/v1/what-if", MEMBER, body).await.json();
        assert_eq!(answer["lease"]["verdict"], "refused", "{answer}");
        let offers = answer["lease"]["offers"].as_array().expect("a list");
        let starts: Vec<_> = offers
            .iter()
            .filter(|offer| offer["change"] == "start")
            .map(|offer| &offer["start"])
            .collect();
        assert_eq!(
            starts.first().and_then(|start| start.as_str()),
            offered,
            "{latest}: {answer}"
        );
    }
}
