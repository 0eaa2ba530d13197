//! Whatever the body, the path or the headers are, the answer is never an error of the service.

use axum::body::Body;
use axum::http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{ADMIN, Api, MEMBER, lease_body, physical_host};

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..5_i64).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("now"),
            Just("2050-12-26 12:00"),
            Just("9999-12-31 23:59"),
            Just("physical:host"),
            Just("default"),
            Just("[\"==\", \"$vcpus\", \"4\"]"),
            Just("[\"and\", []]"),
            Just("1"),
            Just("4294967295"),
            Just("")
        ]
        .prop_map(Value::from),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((member(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop_oneof![
            Just("name"), Just("id"), Just("start_date"), Just("end_date"), Just("before_end_date"), Just("reservations"),
            Just("events"), Just("resource_type"), Just("min"), Just("max"), Just("hypervisor_properties"),
            Just("resource_properties"), Just("before_end"), Just("private"), Just("trust_id"), Just("vcpus")
        ]
        .prop_map(str::to_owned),
        1 => ".{0,70}",
    ]
}

/// A body that is right but for a few members.
fn nearly_right() -> impl Strategy<Value = Value> {
    let changes = || prop::collection::vec((member(), any_json()), 0..3);
    (changes(), changes(), any::<bool>()).prop_map(|(outer, inner, named)| {
        let mut reservation = physical_host(1, 1);
        for (member, value) in inner {
            reservation[member] = value;
        }
        if named {
            reservation["id"] = json!("00000000-0000-4000-8000-000000000001");
        }
        let mut body = lease_body(&json!([reservation]));
        for (member, value) in outer {
            body[member] = value;
        }
        body
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Sends the body to everything that reads one.
async fn offer(body: &[u8]) -> Result<(), TestCaseError> {
    let api = Api::start().await;
    let host = api.host("compute-1", json!({"gpu": "1"})).await;
    let lease = api.lease(MEMBER).await;
    let lease = format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"));
    for (method, path) in [
        (Method::PUT, lease.as_str()),
        (Method::POST, "/v1/leases"),
        (Method::PATCH, "/v1/os-hosts/properties/gpu"),
        (Method::PUT, &format!("/v1/os-hosts/{host}")),
        (Method::POST, "/v1/os-hosts"),
    ] {
        let answer = api
            .send(method.clone(), path, ADMIN, &[], Body::from(body.to_vec()))
            .await;
        let text = String::from_utf8_lossy(body);
        prop_assert!(
            !answer.status.is_server_error(),
            "{} {}: {} {}",
            method,
            path,
            text,
            answer.text
        );
        if answer.status.is_client_error() {
            prop_assert!(!answer.message().is_empty(), "{} {}: {}", method, path, text);
        }
        for path in [
            "/v1/leases",
            "/v1/os-hosts",
            "/v1/os-hosts/allocations",
            "/v1/os-hosts/properties?detail=1",
        ] {
            let answer = api.get(path, ADMIN).await;
            prop_assert_eq!(answer.status.as_u16(), 200, "{} after {}: {}", path, text, answer.text);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn any_json_is_answered(body in any_json()) {
        runtime().block_on(offer(body.to_string().as_bytes()))?;
    }

    #[test]
    fn nearly_right_bodies_are_answered(body in nearly_right()) {
        runtime().block_on(offer(body.to_string().as_bytes()))?;
    }

    #[test]
    fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..64)) {
        runtime().block_on(offer(&body))?;
    }

    #[test]
    fn any_path_and_headers_are_answered(
        method in prop_oneof![
            Just(Method::GET), Just(Method::HEAD), Just(Method::POST), Just(Method::PUT), Just(Method::PATCH),
            Just(Method::DELETE), Just(Method::OPTIONS)
        ],
        prefix in prop_oneof![
            Just("/"), Just("/v1/"), Just("/v1/leases/"), Just("/v1/os-hosts/"), Just("/v1/os-hosts/properties/"),
            Just("/v1/os-hosts/allocations?lease_id="), Just("/capacity/v1/leases/")
        ],
        rest in prop::collection::vec(any::<u8>(), 0..12),
        suffix in prop_oneof![Just(""), Just(".json"), Just("/"), Just("/allocation"), Just("?detail=%")],
        headers in prop::collection::vec(
            (
                prop_oneof![
                    Just("OpenStack-API-Version"), Just("Content-Type"), Just("X-Openstack-Request-Id"), Just("Accept"),
                    Just("X-Service-Token"), Just("Host")
                ],
                prop_oneof![
                    "[ -~]{0,20}", "reservation [0-9.]{0,5}", Just("\u{e9}".to_owned()),
                    "req-[0-9a-f-]{0,40}",
                ],
            ),
            0..4,
        ),
    ) {
        let path = rest.iter().fold(prefix.to_owned(), |path, byte| format!("{path}%{byte:02x}")) + suffix;
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        runtime().block_on(async {
            let api = Api::start().await;
            let answer = api.send(method.clone(), &path, ADMIN, &headers, Body::empty()).await;
            prop_assert!(!answer.status.is_server_error(), "{} {} {:?}: {}", method, path, headers, answer.text);
            prop_assert!(answer.headers.contains_key("x-openstack-request-id"));
            Ok(())
        })?;
    }
}
