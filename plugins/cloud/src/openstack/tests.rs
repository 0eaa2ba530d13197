//! The adapter against services that are slow, broken or not what they claim to be.

mod hostile;
mod instances;
mod network;

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use wiremock::matchers::{header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{OpenStack, Password, ServiceCredentials};
use crate::{CloudError, Compute, Identity, Images, Placement, TokenInfo};

const TIMEOUT: Duration = Duration::from_secs(3);

/// A login whose token is `service-token-<n>`, counted from 1.
fn login_answer(uri: &str, number: usize) -> ResponseTemplate {
    let endpoint =
        |url: String| json!([{"id": "e", "interface": "internal", "region": "R", "region_id": "R", "url": url}]);
    let service = |kind: &str, url: String| json!({"id": kind, "type": kind, "name": kind, "endpoints": endpoint(url)});
    let project = json!({"id": "service-project", "name": "service", "domain": {"id": "default", "name": "Default"}});
    ResponseTemplate::new(201)
        .insert_header("X-Subject-Token", format!("service-token-{number}").as_str())
        .set_body_json(json!({"token": {
            "methods": ["password"],
            "expires_at": "2999-01-01T00:00:00.000000Z",
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "user": {"id": "berth-user", "name": "berth", "domain": {"id": "default", "name": "Default"}},
            "project": project,
            "roles": [{"id": "1", "name": "admin"}],
            "catalog": [
                service("compute", format!("{uri}/compute/v2.1")),
                service("placement", format!("{uri}/placement")),
                service("identity", format!("{uri}/v3")),
                service("image", format!("{uri}/image")),
                service("network", format!("{uri}/network")),
            ],
        }}))
}

/// Keystone as the client library needs it to log in.
async fn keystone(server: &MockServer) {
    let uri = server.uri();
    let logins = std::sync::atomic::AtomicUsize::new(0);
    Mock::given(method("POST"))
        .and(path("/v3/auth/tokens"))
        .respond_with(move |_: &Request| {
            login_answer(&uri, logins.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1)
        })
        .mount(server)
        .await;
}

fn cloud(uri: &str) -> OpenStack {
    let credentials = ServiceCredentials::Password(Password {
        auth_url: format!("{uri}/v3"),
        username: "berth".to_owned(),
        password: SecretString::from("secret"),
        project_name: "service".to_owned(),
        user_domain_name: "Default".to_owned(),
        project_domain_name: "Default".to_owned(),
        region_name: Some("R".to_owned()),
        interface: "internal".to_owned(),
        cafile: None,
    });
    OpenStack::new(&credentials, TIMEOUT).unwrap()
}

async fn logins(server: &MockServer) -> usize {
    let requests = server.received_requests().await.unwrap();
    requests
        .iter()
        .filter(|request| request.method == "POST" && request.url.path() == "/v3/auth/tokens")
        .count()
}

async fn nova_answers(server: &MockServer, answer: ResponseTemplate) {
    Mock::given(method("GET"))
        .and(path("/compute/v2.1/os-aggregates"))
        .respond_with(answer)
        .mount(server)
        .await;
}

#[tokio::test]
async fn bad_answers_become_errors_that_say_what_happened() {
    let page = "<html>\n <body>Welcome to our portal</body></html>";
    for (answer, expected) in [
        (
            ResponseTemplate::new(200).set_delay(Duration::from_mins(1)),
            "Unavailable: nova did not list aggregates: no answer within 3 s",
        ),
        (
            ResponseTemplate::new(500).set_body_json(json!({"computeFault": {"code": 500, "message": "Unexpected"}})),
            "Unavailable: nova did not list aggregates: HTTP 500: Unexpected",
        ),
        (
            ResponseTemplate::new(503).set_body_string(page),
            "Unavailable: nova did not list aggregates: HTTP 503: <html> <body>Welcome to our portal</body></html>",
        ),
        (
            ResponseTemplate::new(200).set_body_string(page),
            "Nonsense: nova did not list aggregates: its answer cannot",
        ),
        (
            ResponseTemplate::new(200).set_body_string(r#"{"aggregates": [{"id": 1, "na"#),
            "Nonsense: nova did not list aggregates: its answer cannot",
        ),
        (
            ResponseTemplate::new(200).set_body_json(json!({})),
            "Nonsense: nova did not list aggregates: its answer",
        ),
        (
            ResponseTemplate::new(200),
            "Nonsense: nova did not list aggregates: its answer cannot",
        ),
        (
            ResponseTemplate::new(404).set_body_string(page),
            "Nonsense: nova did not list aggregates: 404 that is not the service's own",
        ),
        (
            ResponseTemplate::new(403).set_body_json(json!({"forbidden": {"message": "Policy doesn't allow it"}})),
            "Unauthorized: nova did not list aggregates: HTTP 403: Policy doesn't allow it",
        ),
        (ResponseTemplate::new(302).insert_header("Location", "/login"), "N"),
    ] {
        let server = MockServer::start().await;
        keystone(&server).await;
        nova_answers(&server, answer).await;
        let error = cloud(&server.uri()).aggregates().await.unwrap_err();
        let kind = match &error {
            CloudError::NotFound(_) => "NotFound",
            CloudError::Conflict(_) => "Conflict",
            CloudError::Unauthorized(_) => "Unauthorized",
            CloudError::Refused(_) => "Refused",
            CloudError::Unavailable(_) => "Unavailable",
            CloudError::Nonsense(_) => "Nonsense",
        };
        let said = format!("{kind}: {error}");
        assert!(said.starts_with(expected), "{said}\ninstead of\n{expected}");
    }
}

#[tokio::test]
async fn an_expired_service_token_is_replaced_once_for_all_callers() {
    let server = MockServer::start().await;
    keystone(&server).await;
    Mock::given(path("/compute/v2.1/os-aggregates"))
        .and(header("X-Auth-Token", "service-token-1"))
        .respond_with(ResponseTemplate::new(401).set_body_json(json!({"error": {"message": "expired"}})))
        .mount(&server)
        .await;
    nova_answers(
        &server,
        ResponseTemplate::new(200).set_body_json(json!({"aggregates": []})),
    )
    .await;
    let cloud = cloud(&server.uri());
    let (first, second, third) = tokio::join!(cloud.aggregates(), cloud.aggregates(), cloud.aggregates());
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    assert_eq!(logins(&server).await, 2);
}

#[tokio::test]
async fn a_token_that_is_never_accepted_ends_in_an_error() {
    let server = MockServer::start().await;
    keystone(&server).await;
    nova_answers(&server, ResponseTemplate::new(401)).await;
    let error = cloud(&server.uri()).aggregates().await.unwrap_err();
    assert!(matches!(error, CloudError::Unauthorized(_)), "{error}");
    assert_eq!(logins(&server).await, 2);
}

#[tokio::test]
async fn a_hanging_keystone_is_waited_for_once_by_all_callers() {
    let server = MockServer::start().await;
    Mock::given(path("/v3/auth/tokens"))
        .respond_with(ResponseTemplate::new(201).set_delay(Duration::from_mins(1)))
        .mount(&server)
        .await;
    let cloud = cloud(&server.uri());
    let (first, second) = tokio::join!(cloud.aggregates(), cloud.find_provider("c1"));
    for error in [first.unwrap_err(), second.unwrap_err()] {
        assert!(error.to_string().contains("no answer within 3 s"), "{error}");
        assert_eq!(error.failure().service, "keystone");
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_login_that_fails_says_why() {
    let refusal = json!({"error": {"code": 401, "title": "Unauthorized", "message": "Wrong password."}});
    for (answer, unauthorized, expected) in [
        (
            ResponseTemplate::new(401).set_body_json(refusal),
            true,
            "HTTP 401: Wrong password.",
        ),
        (
            ResponseTemplate::new(503).set_body_string("<html>4010 requests</html>"),
            false,
            "",
        ),
        (
            ResponseTemplate::new(200).set_body_string("<html>portal</html>"),
            false,
            "",
        ),
        (
            ResponseTemplate::new(201)
                .insert_header("X-Subject-Token", "t")
                .set_body_string("{"),
            false,
            "",
        ),
    ] {
        let server = MockServer::start().await;
        Mock::given(path("/v3/auth/tokens"))
            .respond_with(answer)
            .mount(&server)
            .await;
        let error = cloud(&server.uri()).aggregates().await.unwrap_err();
        assert_eq!(matches!(error, CloudError::Unauthorized(_)), unauthorized, "{error}");
        let beginning = format!("keystone did not log in to list aggregates: {expected}");
        assert!(error.to_string().starts_with(&beginning), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn the_cloud_may_come_up_after_the_service() {
    let server = MockServer::start().await;
    let cloud = cloud(&server.uri());
    assert!(cloud.aggregates().await.is_err());
    keystone(&server).await;
    nova_answers(
        &server,
        ResponseTemplate::new(200).set_body_json(json!({"aggregates": []})),
    )
    .await;
    assert_eq!(cloud.aggregates().await.unwrap(), []);
}

#[tokio::test]
async fn a_refused_connection_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = cloud(&format!("http://{address}")).aggregates().await.unwrap_err();
    assert!(matches!(error, CloudError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn only_keystone_itself_can_call_a_token_invalid() {
    let token = SecretString::from("callers-token");
    for (answer, valid) in [
        (
            ResponseTemplate::new(404).set_body_json(json!({"error": {"code": 404, "message": "gone"}})),
            Some(false),
        ),
        (
            ResponseTemplate::new(404).set_body_string("<html>no such page</html>"),
            None,
        ),
        (
            ResponseTemplate::new(200).set_body_json(json!({"token": {"user": {"id": "u"}}})),
            None,
        ),
        (ResponseTemplate::new(500), None),
        (
            ResponseTemplate::new(200).set_body_json(json!({"token": {
                "user": {"id": "u", "name": "ann", "domain": {"id": "default", "name": "Default"}},
                "project": {"id": "p", "name": "lab", "domain": {"id": "default", "name": "Default"}},
                "roles": [{"id": "1", "name": "member"}],
                "expires_at": "1970-01-01T00:01:40.000000Z",
            }})),
            Some(true),
        ),
    ] {
        let server = MockServer::start().await;
        keystone(&server).await;
        Mock::given(method("GET"))
            .and(path("/v3/auth/tokens"))
            .and(header("X-Subject-Token", "callers-token"))
            .and(header("X-Auth-Token", "service-token-1"))
            .respond_with(answer)
            .mount(&server)
            .await;
        let result = cloud(&server.uri()).validate(&token, false).await;
        match valid {
            None => assert!(result.is_err(), "{result:?}"),
            Some(false) => assert_eq!(result.unwrap(), None),
            Some(true) => {
                let info = result.unwrap().unwrap();
                assert_eq!(
                    (info.user_id.as_str(), info.project_id.as_deref(), info.expires_at),
                    ("u", Some("p"), 100)
                );
                assert_eq!(info.roles, ["member"]);
            }
        }
    }
}

#[tokio::test]
async fn a_token_that_is_no_header_is_invalid_without_asking() {
    let cloud = cloud("http://127.0.0.1:9");
    assert_eq!(cloud.validate(&SecretString::from("a\nb"), false).await.unwrap(), None);
}

#[tokio::test]
async fn a_trust_is_made_with_the_callers_token() {
    let server = MockServer::start().await;
    keystone(&server).await;
    Mock::given(method("POST"))
        .and(path("/v3/OS-TRUST/trusts"))
        .and(header("X-Auth-Token", "callers-token"))
        .and(wiremock::matchers::body_json(json!({"trust": {
            "trustor_user_id": "u", "trustee_user_id": "berth-user", "project_id": "p", "impersonation": true,
            "allow_redelegation": false, "roles": [{"name": "member"}],
        }})))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"trust": {"id": "t1"}})))
        .mount(&server)
        .await;
    let caller = TokenInfo {
        user_id: "u".to_owned(),
        project_id: Some("p".to_owned()),
        roles: vec!["member".to_owned()],
        ..TokenInfo::default()
    };
    let trust = cloud(&server.uri())
        .create_trust(&SecretString::from("callers-token"), &caller)
        .await;
    assert_eq!(trust.unwrap(), "t1");
}

fn server_entry(id: &str, host: &serde_json::Value) -> serde_json::Value {
    json!({"id": id, "name": id, "tenant_id": "p", "status": "ACTIVE", "OS-EXT-SRV-ATTR:host": host})
}

#[tokio::test]
async fn servers_are_listed_to_the_end_and_only_those_of_the_host() {
    let server = MockServer::start().await;
    keystone(&server).await;
    let list = || Mock::given(path("/compute/v2.1/servers/detail")).and(query_param("host", "c1"));
    list()
        .and(query_param_is_missing("marker"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({
            "servers": [server_entry("a", &json!("c1")), server_entry("b", &json!("elsewhere"))],
            "servers_links": [{"rel": "next", "href": "http://unused"}],
        })))
        .mount(&server)
        .await;
    list()
        .and(query_param("marker", "b"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({
            "servers": [server_entry("c", &json!("c1")), server_entry("d", &json!(null))],
        })))
        .mount(&server)
        .await;
    let servers = cloud(&server.uri()).servers_on("c1").await.unwrap();
    assert_eq!(
        servers.into_iter().map(|server| server.id).collect::<Vec<_>>(),
        ["a", "c"]
    );
}

#[tokio::test]
async fn servers_whose_host_is_hidden_are_not_taken_for_the_hosts() {
    // Without the admin role Nova ignores the filter and hides the attribute.
    let server = MockServer::start().await;
    keystone(&server).await;
    Mock::given(path("/compute/v2.1/servers/detail"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({
            "servers": [{"id": "a", "name": "a", "tenant_id": "p", "status": "ACTIVE"}],
        })))
        .mount(&server)
        .await;
    let error = cloud(&server.uri()).servers_on("c1").await.unwrap_err();
    assert!(error.to_string().contains("admin role"), "{error}");
}

#[tokio::test]
async fn names_cannot_leave_their_place_in_the_path() {
    let server = MockServer::start().await;
    keystone(&server).await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let cloud = cloud(&server.uri());
    for (name, expected) in [
        ("a/../../b?x=1#y", "/compute/v2.1/servers/a%2F..%2F..%2Fb%3Fx%3D1%23y"),
        ("é %", "/compute/v2.1/servers/%C3%A9%20%25"),
    ] {
        cloud.delete_server(name).await.unwrap();
        let requests = server.received_requests().await.unwrap();
        assert_eq!(requests.last().unwrap().url.path(), expected);
    }
}

#[tokio::test]
async fn versions_are_added_where_the_catalog_names_none() {
    let server = MockServer::start().await;
    keystone(&server).await;
    Mock::given(path("/image/v2/images"))
        .and(query_param("berth_saved_for", "r/s/1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({
            "images": [{"id": "i", "name": "n", "owner": "p"}],
        })))
        .mount(&server)
        .await;
    Mock::given(path("/placement/resource_providers"))
        .and(header("OpenStack-API-Version", "placement 1.29"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"resource_providers": [
            {"uuid": "u2", "name": "c10", "generation": 1, "parent_provider_uuid": null},
            {"uuid": "u1", "name": "c1", "generation": 3, "parent_provider_uuid": null},
        ]})))
        .mount(&server)
        .await;
    let cloud = cloud(&server.uri());
    assert_eq!(cloud.find_images("berth_saved_for", "r/s/1").await.unwrap().len(), 1);
    assert_eq!(cloud.find_provider("c1").await.unwrap().unwrap().id, "u1");
}
