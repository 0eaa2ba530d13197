//! The shapes of errors, and what surrounds every answer.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADMIN, Api, MEMBER, NOBODY, OTHER};

const NO_ROUTE: &str = "The requested URL was not found on the server. If you entered the URL manually please check \
                        your spelling and try again.";

#[tokio::test]
async fn unknown_routes_and_methods_have_the_frameworks_shape() {
    let api = Api::start().await;
    for path in [
        "/v1/leases/",
        "/v1/nothing",
        "/v2/leases",
        "/v1/plugins",
        "/v1/leases/a/b",
        "/capacity/v1/leases",
        "//",
    ] {
        let answer = api.get(path, MEMBER).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(
            answer.json(),
            json!({"error": 404, "error_message": NO_ROUTE}),
            "{path}"
        );
    }
    for (method, path) in [
        (Method::DELETE, "/v1/leases"),
        (Method::POST, "/v1/leases/x"),
        (Method::PUT, "/v1/os-hosts/allocations"),
        (Method::GET, "/v1/os-hosts/properties/gpu"),
        (Method::POST, "/v1"),
    ] {
        let answer = api.call(method, path, ADMIN, Value::Null).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let expected = json!({"error": 405, "error_message": "The method is not allowed for the requested URL."});
        assert_eq!(answer.json(), expected, "{path}");
        assert!(answer.headers.contains_key("allow"), "{path}");
    }
}

#[tokio::test]
async fn unknown_objects_have_the_services_shape() {
    let api = Api::start().await;
    for (method, path, kind, id) in [
        (Method::GET, "/v1/leases/l-1", "lease_id", "l-1"),
        (Method::GET, "/v1/leases/l-1.json", "lease_id", "l-1"),
        (Method::PUT, "/v1/leases/l-1", "lease_id", "l-1"),
        (Method::DELETE, "/v1/leases/l-1", "lease_id", "l-1"),
        (Method::GET, "/v1/leases/.json", "lease_id", ".json"),
        (Method::GET, "/v1/leases/a%2Fb", "lease_id", "a/b"),
        (Method::GET, "/v1/os-hosts/99", "host_id", "99"),
        (Method::PUT, "/v1/os-hosts/99", "host_id", "99"),
        (Method::DELETE, "/v1/os-hosts/99", "host_id", "99"),
        (Method::GET, "/v1/os-hosts/99/allocation", "host_id", "99"),
    ] {
        let answer = api.call(method.clone(), path, ADMIN, Value::Null).await;
        let message = format!("Object with {{'{kind}': '{id}'}} not found");
        let expected = json!({"error_code": 404, "error_message": message, "error_name": 404});
        assert_eq!(
            (answer.status.as_u16(), answer.json()),
            (404, expected),
            "{method} {path}"
        );
    }
    let answer = api
        .call(
            Method::PATCH,
            "/v1/os-hosts/properties/nothing",
            ADMIN,
            json!({"private": true}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.message().contains("nothing"), "{}", answer.text);
    for path in ["/v1/leases/%00", "/v1/leases/%FF", "/v1/os-hosts/%C3%28"] {
        assert_eq!(api.get(path, ADMIN).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_foreign_lease_is_forbidden_in_upstreams_words() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    let id = api.lease(MEMBER).await["id"]
        .as_str()
        .expect("an id is text")
        .to_owned();
    let message = "Policy doesn't allow blazar:leases:get to be performed";
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = api.call(method, &format!("/v1/leases/{id}"), OTHER, Value::Null).await;
        let expected = json!({"error_code": 403, "error_message": message, "error_name": 403});
        assert_eq!((answer.status.as_u16(), answer.json()), (403, expected));
    }
    let answer = api.get(&format!("/capacity/v1/leases/{id}"), OTHER).await;
    let expected = json!({"type": "about:blank", "title": "Forbidden", "status": 403, "detail": message});
    assert_eq!((answer.status.as_u16(), answer.json()), (403, expected));
    assert_eq!(answer.headers["content-type"], "application/problem+json");
}

#[tokio::test]
async fn without_a_token_the_answer_is_keystones() {
    let api = Api::start().await;
    for path in ["/v1/leases", "/v1/os-hosts/1", "/v1/nothing", "/nothing"] {
        let answer = api.get(path, NOBODY).await;
        let error = json!({
            "code": 401,
            "title": "Unauthorized",
            "message": "The request you have made requires authentication.",
        });
        assert_eq!(
            (answer.status.as_u16(), answer.json()),
            (401, json!({"error": error})),
            "{path}"
        );
        let challenge = answer.headers["www-authenticate"]
            .to_str()
            .expect("the challenge is text");
        assert!(challenge.starts_with("Keystone uri="), "{challenge}");
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let api = Api::start().await;
    let theirs = "req-6ee55c78-ac52-41a6-99af-2d2d73bcc466";
    let mut seen = std::collections::HashSet::new();
    for (path, token) in [
        ("/", NOBODY),
        ("/v1/leases", NOBODY),
        ("/v1/leases", MEMBER),
        ("/v1/nothing", MEMBER),
    ] {
        for header in [theirs, "nonsense\u{e9}"] {
            let headers = [("X-Openstack-Request-Id", header)];
            let answer = api.send(Method::GET, path, token, &headers, Body::empty()).await;
            let id = answer.headers["x-openstack-request-id"]
                .to_str()
                .expect("ids are text")
                .to_owned();
            assert!(id.len() == 40 && id.starts_with("req-") && id != theirs, "{id}");
            assert!(seen.insert(id));
        }
    }
}

#[tokio::test]
async fn bodies_of_other_types_are_refused_and_parameters_tolerated() {
    let api = Api::start().await;
    for (content_type, status) in [
        ("application/json", 400),
        ("Application/JSON; charset=utf-8", 400),
        ("text/xml", 400),
        ("application/x-www-form-urlencoded", 400),
    ] {
        let answer = api
            .send(
                Method::POST,
                "/v1/leases",
                MEMBER,
                &[("Content-Type", content_type)],
                Body::from("{}"),
            )
            .await;
        assert_eq!(answer.status, status, "{content_type}");
        let read = answer.message().starts_with("Missing parameter");
        assert_eq!(
            read,
            content_type.to_lowercase().starts_with("application/json"),
            "{content_type}: {}",
            answer.text
        );
    }
    let answer = api
        .send(
            Method::POST,
            "/v1/leases",
            MEMBER,
            &[("Content-Type", "text/xml")],
            Body::from("{}"),
        )
        .await;
    assert_eq!(
        answer.json(),
        json!({"error": 400, "error_message": "Content type 'text/xml' isn't supported"})
    );
}

#[tokio::test]
async fn unreadable_bodies_are_refused_in_the_frameworks_shape() {
    let api = Api::start().await;
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(1024 * 1024));
    for (body, status) in [
        ("{", 400),
        ("[]", 400),
        ("null", 400),
        ("\"text\"", 400),
        ("{\"a\": NaN}", 400),
        ("{\"a\": \"\\ud800\"}", 400),
        (deep.as_str(), 400),
        (large.as_str(), 413),
    ] {
        let answer = api
            .send(Method::POST, "/v1/leases", MEMBER, &[], Body::from(body.to_owned()))
            .await;
        let start: String = body.chars().take(20).collect();
        assert_eq!(answer.status, status, "{start}");
        assert_eq!(answer.json()["error"], json!(status), "{start}");
    }
    let answer = api
        .send(Method::POST, "/v1/leases", MEMBER, &[], Body::from(vec![0xff, 0xfe]))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let answer = api
        .send(
            Method::POST,
            "/v1/leases",
            MEMBER,
            &[],
            Body::from("{\"name\": 1, \"name\": \"a\"}"),
        )
        .await;
    assert_eq!(answer.message(), "Missing parameter start_date, end_date");
}
