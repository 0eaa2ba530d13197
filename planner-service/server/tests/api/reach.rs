//! What callers learn of properties, names and hosts that they may not see.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADMIN, Answer, Api, MEMBER, OTHER, lease_body, physical_host};

/// Expressions about a property, by every operator and in every place.
const EXPRESSIONS: [&str; 10] = [
    r#"["==", "$NAME", "deep"]"#,
    r#"["!=", "$NAME", "deep"]"#,
    r#"[">=", "$NAME", "a"]"#,
    r#"["<", "$NAME", "zzzz"]"#,
    r#"["lacks", "$NAME"]"#,
    r#"["==", "$capabilities:NAME", "deep"]"#,
    r#"["lacks", "$capabilities:NAME"]"#,
    r#"["or", ["==", "$NAME", "deep"], [">=", "$vcpus", "99"]]"#,
    r#"["and", [">=", "$vcpus", "1"], ["or", ["==", "$NAME", "deep"], ["==", "$gpu", "1"]]]"#,
    r#"["and", ["lacks", "$NAME"], [">", "$NAME", "d"]]"#,
];

/// Three hosts, all with a private property `secret`, one with a public one.
async fn fleet() -> Api {
    let api = Api::start().await;
    for (name, more) in [
        ("compute-1", json!({"secret": "deep", "gpu": "1"})),
        ("compute-2", json!({"secret": "deeper"})),
        ("compute-3", json!({"secret": "deep"})),
    ] {
        api.host(name, more).await;
    }
    let path = "/v1/os-hosts/properties/secret";
    let answer = api.call(Method::PATCH, path, ADMIN, json!({"private": true})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    api
}

/// What a caller is answered who asks, who asks what would be, and who books and gives back.
async fn answers(api: &Api, caller: &str, expression: &str) -> Vec<Value> {
    let query: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
    let range = "start=2050-12-26T00:00:00Z&end=2050-12-28T00:00:00Z";
    let available = api
        .get(
            &format!("/capacity/v1/availability?{range}&resource_properties={query}"),
            caller,
        )
        .await;
    let mut reservation = physical_host(1, 3);
    reservation["resource_properties"] = json!(expression);
    let question = json!({"lease": {"start": "2050-12-26T12:00:00Z", "end": "2050-12-27T12:00:00Z",
        "reservations": [reservation]}});
    let what_if = api.post("/capacity/v1/what-if", caller, question).await;
    let booked = api.post("/v1/leases", caller, lease_body(&json!([reservation]))).await;
    let mut counted = Value::Null;
    if booked.status == StatusCode::CREATED {
        let lease = &booked.json()["lease"];
        assert_eq!(lease["reservations"][0]["resource_properties"], expression);
        let id = lease["id"].as_str().expect("an id is text").to_owned();
        let report = api.get(&format!("/capacity/v1/leases/{id}"), caller).await.json();
        counted = json!(report["reservations"][0]["hosts"].as_array().map(Vec::len));
        let answer = api
            .call(Method::DELETE, &format!("/v1/leases/{id}"), caller, Value::Null)
            .await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
    }
    let refusal = |answer: &Answer| {
        if answer.status == StatusCode::CREATED {
            Value::Null
        } else {
            answer.json()
        }
    };
    let mut what_if = what_if.json();
    let mut available = available.json();
    for answer in [&mut what_if, &mut available] {
        answer["epoch"] = Value::Null;
    }
    vec![
        available,
        what_if,
        json!(booked.status.as_u16()),
        refusal(&booked),
        counted,
    ]
}

#[tokio::test]
async fn v17_private_and_unknown_properties_look_alike() {
    let api = fleet().await;
    for expression in EXPRESSIONS {
        let private = answers(&api, MEMBER, &expression.replace("NAME", "secret")).await;
        let unknown = answers(&api, MEMBER, &expression.replace("NAME", "nosuch")).await;
        for (private, unknown) in private.iter().zip(&unknown) {
            let private = private.to_string().replace("secret", "nosuch");
            assert_eq!(private, unknown.to_string(), "{expression}");
        }
        assert!(!json!(private).to_string().contains("unseen"), "{private:?}");
    }
    // Whoever may see it counts with it.
    let seen = answers(&api, ADMIN, &EXPRESSIONS[0].replace("NAME", "secret")).await;
    assert_eq!((&seen[0]["hosts_matching"], &seen[4]), (&json!(2), &json!(2)));
}

/// An expression that a reservation had before its property became private goes on to mean what it meant.
#[tokio::test]
async fn v17_what_is_booked_outlasts_a_property_becoming_private() {
    let api = Api::start().await;
    for (name, color) in [("compute-1", "red"), ("compute-2", "blue")] {
        api.host(name, json!({"color": color})).await;
    }
    let mut reservation = physical_host(1, 1);
    reservation["resource_properties"] = json!(r#"["==", "$color", "blue"]"#);
    let booked = api.post("/v1/leases", MEMBER, lease_body(&json!([reservation]))).await;
    let lease = booked.json()["lease"].clone();
    let path = "/v1/os-hosts/properties/color";
    api.call(Method::PATCH, path, ADMIN, json!({"private": true})).await;
    reservation["id"] = lease["reservations"][0]["id"].clone();
    let path = format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"));
    let body = json!({"reservations": [reservation], "end_date": "2050-12-28 12:00"});
    let answer = api.put(&path, MEMBER, body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    reservation["resource_properties"] = json!(r#"["==", "$color", "red"]"#);
    let answer = api.put(&path, MEMBER, json!({"reservations": [reservation]})).await;
    assert_eq!(
        answer.status,
        StatusCode::CONFLICT,
        "a new one does not reach it: {}",
        answer.text
    );
}

#[tokio::test]
async fn v17_names_of_hosts_and_trusts_cannot_be_searched() {
    const NAMES: [&str; 4] = ["id", "hypervisor_hostname", "service_name", "trust_id"];
    let api = fleet().await;
    let none = answers(&api, OTHER, r#"["==", "$nosuch", "x"]"#).await;
    // The hint is that of a property no host has; what may have been meant comes from what the caller may see.
    let counts = |answer: &Value, name: &str| {
        let mut answer = answer.clone();
        let hint = answer["hint"].take();
        let hint = hint.as_str().expect("no host matches");
        let (said, meant) = hint.split_once(';').unwrap_or((hint, ""));
        assert_eq!(said, format!("no host has a property '{name}'"));
        assert!(
            !NAMES.iter().any(|hidden| meant.contains(&format!("'{hidden}'"))),
            "{hint}"
        );
        answer
    };
    let nothing = counts(&none[0], "nosuch");
    for (name, exact, other) in [
        ("id", "1", "0"),
        ("hypervisor_hostname", "compute-1", "a"),
        ("service_name", "compute-1", "a"),
        ("trust_id", "t", "a"),
    ] {
        for expression in [
            json!([">=", format!("${name}"), other]),
            json!(["<", format!("${name}"), "zzzz"]),
            json!([">", format!("${name}"), "!"]),
        ] {
            let searched = answers(&api, OTHER, &expression.to_string()).await;
            assert_eq!(counts(&searched[0], name), nothing, "{expression}");
            assert_eq!(searched[2], none[2], "{expression}");
        }
        if name == "trust_id" {
            continue;
        }
        // Whoever knows a name may book that host, as upstream's clients do; what it does at other times is not told.
        let named = answers(&api, OTHER, &json!(["==", format!("${name}"), exact]).to_string()).await;
        assert_eq!(
            (&counts(&named[0], name), &named[2], &named[4]),
            (&nothing, &json!(201), &json!(1)),
            "{name}"
        );
        let named = answers(&api, ADMIN, &json!(["==", format!("${name}"), exact]).to_string()).await;
        assert_eq!(
            (&named[0]["hosts_matching"], &named[2]),
            (&json!(1), &json!(201)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn v20_moves_name_hosts_only_to_those_who_may_read_hosts() {
    let api = Api::start().await;
    for (name, more) in [("compute-1", json!({"gpu": "1"})), ("compute-2", json!({}))] {
        api.host(name, more).await;
    }
    let lease = api.lease(MEMBER).await;
    let held = api
        .get(
            &format!("/capacity/v1/leases/{}", lease["id"].as_str().expect("an id is text")),
            MEMBER,
        )
        .await
        .json();
    // Whatever stands on that host has to leave it for one who asks for it by name.
    let host = held["reservations"][0]["hosts"][0]["host_id"]
        .as_str()
        .expect("an id is text")
        .to_owned();
    let mut asked = json!({"lease": {"start": "2050-12-26T12:00:00Z", "end": "2050-12-27T12:00:00Z",
        "reservations": [{"min": 1, "resource_properties": json!(["==", "$id", host]).to_string()}]}});
    for (caller, hosts) in [(ADMIN, 1), (MEMBER, 0)] {
        let answer = api.post("/capacity/v1/what-if", caller, asked.clone()).await.json();
        let moves = answer["lease"]["moves"]["leases"].as_array().expect("a list").clone();
        assert_eq!(moves.len(), 1, "{answer}");
        for side in ["from", "to"] {
            assert_eq!(moves[0][side].as_array().map(Vec::len), Some(hosts), "{answer}");
        }
    }
    asked["lease"]["reservations"][0]["min"] = json!(2);
    let answer = api.post("/capacity/v1/what-if", MEMBER, asked).await.json();
    assert_eq!(answer["lease"]["verdict"], "refused", "{answer}");
}
