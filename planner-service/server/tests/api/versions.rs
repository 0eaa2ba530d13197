//! Version discovery and microversions.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::support::{Api, MEMBER, NOBODY};

#[tokio::test]
async fn discovery_names_the_configured_address_whatever_the_request_says() {
    let api = Api::start().await;
    let version = json!({
        "id": "v1.0",
        "status": "CURRENT",
        "links": [{"href": "https://cloud.example/reservation/v1", "rel": "self"}],
        "min_version": "1.0",
        "max_version": "1.0",
    });
    let lies = [
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "host=evil.example"),
    ];
    for path in ["/", "/versions"] {
        let answer = api.send(Method::GET, path, NOBODY, &lies, Body::empty()).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::MULTIPLE_CHOICES, json!({"versions": [version]}))
        );
    }
    for path in ["/v1", "/v1/"] {
        let answer = api.send(Method::GET, path, NOBODY, &lies, Body::empty()).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::OK, json!({"version": version}))
        );
    }
}

#[tokio::test]
async fn microversions_are_answered_in_upstreams_words() {
    let api = Api::start().await;
    let not_supported = |version| {
        (
            406,
            Some(format!(
                "Version {version} is not supported by the API. Minimum is 1.0 and maximum is 1.0."
            )),
        )
    };
    let malformed = |version| {
        (
            400,
            Some(format!(
                "API Version String {version} is of invalid format. Must be of format MajorNum.MinorNum."
            )),
        )
    };
    for (header, (status, message)) in [
        ("reservation 1.0", (200, None)),
        ("reservation latest", (200, None)),
        ("compute 2.90", (200, None)),
        ("compute 2.90, reservation 1.0", (200, None)),
        ("reservations 9", (200, None)),
        ("reservation 1.5", not_supported("1.5")),
        ("compute 2.90,reservation 2.0", not_supported("2.0")),
        ("reservation x", malformed("x")),
        ("reservation 1", malformed("1")),
        ("reservation 01.0", malformed("01.0")),
        ("reservation 1.01", malformed("1.01")),
        ("reservation 1.", malformed("1.")),
        ("reservation", malformed("")),
    ] {
        let answer = api
            .send(
                Method::GET,
                "/v1/leases",
                MEMBER,
                &[("OpenStack-API-Version", header)],
                Body::empty(),
            )
            .await;
        assert_eq!(answer.status, status, "{header}");
        if let Some(message) = message {
            assert_eq!(
                answer.json(),
                json!({"error": status, "error_message": message}),
                "{header}"
            );
        }
        assert_eq!(answer.headers["openstack-api-version"], "reservation 1.0", "{header}");
        assert_eq!(answer.headers["vary"], "OpenStack-API-Version", "{header}");
    }
}
