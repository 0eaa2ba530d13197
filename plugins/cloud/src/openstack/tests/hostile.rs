//! Services that send the session elsewhere, or answer without an end.

use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::matchers::{any, body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{cloud, keystone, login_answer};
use crate::{CloudError, Compute, Identity, Policy, ServerGroups, TokenInfo};

/// Whoever asks it gets what would be a login, a valid token of an administrator, and a list.
async fn thief() -> MockServer {
    let thief = MockServer::start().await;
    let answer = login_answer(&thief.uri(), 9);
    Mock::given(any()).respond_with(answer).mount(&thief).await;
    thief
}

fn redirect(status: u16, to: &MockServer) -> ResponseTemplate {
    ResponseTemplate::new(status).insert_header("Location", format!("{}/v3/auth/tokens?x=SECRET", to.uri()).as_str())
}

fn assert_names(error: &CloudError, thief: &MockServer) {
    let text = error.to_string();
    assert!(matches!(error, CloudError::Nonsense(_)), "{error:?}");
    assert!(text.contains(&thief.uri()) && !text.contains("SECRET"), "{text}");
}

#[tokio::test]
async fn v9_the_session_follows_no_redirect() {
    let thief = thief().await;
    for status in [301, 302, 303, 307, 308] {
        // The login itself.
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(redirect(status, &thief))
            .mount(&server)
            .await;
        assert_names(&cloud(&server.uri()).aggregates().await.unwrap_err(), &thief);

        // Calls after it: of a service, of the validation of a caller's token, and with that token.
        let server = MockServer::start().await;
        keystone(&server).await;
        for of_keystone in ["GET", "POST"] {
            Mock::given(method(of_keystone))
                .respond_with(redirect(status, &thief))
                .with_priority(9)
                .mount(&server)
                .await;
        }
        let cloud = cloud(&server.uri());
        assert_names(&cloud.aggregates().await.unwrap_err(), &thief);
        let token = SecretString::from("callers-token");
        assert_names(&cloud.validate(&token, false).await.unwrap_err(), &thief);
        let trust = cloud.create_trust(&token, &TokenInfo::default()).await;
        assert_names(&trust.unwrap_err(), &thief);

        // A token for a trust.
        let server = MockServer::start().await;
        keystone(&server).await;
        Mock::given(path("/v3/auth/projects"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"projects": []})))
            .mount(&server)
            .await;
        Mock::given(method("POST"))
            .and(body_partial_json(
                json!({"auth": {"scope": {"OS-TRUST:trust": {"id": "t1"}}}}),
            ))
            .respond_with(redirect(status, &thief))
            .with_priority(1)
            .mount(&server)
            .await;
        let cloud = super::cloud(&server.uri());
        let made = cloud.create_server_group("name", Policy::Affinity, Some("t1")).await;
        assert_names(&made.unwrap_err(), &thief);
    }
    assert_eq!(thief.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn v21_complaints_and_nonsense_are_shown_shortened() {
    let long = "x".repeat(5 << 20);
    for answer in [
        ResponseTemplate::new(500).set_body_json(json!({"error": {"message": long}})),
        ResponseTemplate::new(500).set_body_string(long.clone()),
        ResponseTemplate::new(200).set_body_string(format!("\"{long}\"")),
    ] {
        let server = MockServer::start().await;
        keystone(&server).await;
        Mock::given(method("GET"))
            .and(header("X-Subject-Token", "t"))
            .respond_with(answer)
            .mount(&server)
            .await;
        let error = cloud(&server.uri())
            .validate(&SecretString::from("t"), false)
            .await
            .unwrap_err();
        assert!(error.to_string().len() < 1000, "{}", error.to_string().len());
    }
}

#[tokio::test]
async fn a_service_that_joins_the_catalog_is_found() {
    let server = MockServer::start().await;
    let uri = server.uri();
    let logins = std::sync::atomic::AtomicUsize::new(0);
    Mock::given(method("POST"))
        .and(path("/v3/auth/tokens"))
        .respond_with(move |_: &wiremock::Request| {
            let number = logins.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            let answer = login_answer(&uri, number);
            if number > 1 {
                return answer;
            }
            let nothing: Vec<Value> = Vec::new();
            answer.set_body_json(json!({"token": {"user": {"id": "u"}, "catalog": nothing}}))
        })
        .mount(&server)
        .await;
    Mock::given(path("/compute/v2.1/os-aggregates"))
        .and(header("X-Auth-Token", "service-token-2"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"aggregates": []})))
        .mount(&server)
        .await;
    assert_eq!(cloud(&server.uri()).aggregates().await.unwrap(), []);
}
