//! Keystone tokens: caching, merging, outage, expiry, services; and token files.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use planner_core::authority::Caller;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use server::identity::keystone::{CacheSettings, Keystone, TokenInfo, TokenValidator, ValidateError};
use server::identity::tokens::{TokenFile, TokenFileError, Tokens};
use server::identity::{AuthenticationError, Authenticator};
use server::trusts::{TrustError, Trusts};
use tokio::sync::Notify;

use crate::support::{ADMIN, Api, MEMBER, NOW, OTHER, READER, lease_body};

/// Keystone, with its calls counted.
#[derive(Default)]
struct Counting {
    calls: AtomicUsize,
    is_down: AtomicBool,
    tokens: Mutex<HashMap<String, TokenInfo>>,
    /// Calls wait for it while `is_slow`.
    answer: Notify,
    is_slow: AtomicBool,
}

impl Counting {
    fn knows(self: &Arc<Self>, token: &str, roles: &[&str], expires_at: i64) -> Arc<Self> {
        let info = TokenInfo {
            user_id: "u".to_owned(),
            project_id: Some("p".to_owned()),
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
            expires_at,
        };
        self.tokens
            .lock()
            .expect("no test panics with it")
            .insert(token.to_owned(), info);
        Arc::clone(self)
    }

    fn forget(&self, token: &str) {
        self.tokens.lock().expect("no test panics with it").remove(token);
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl TokenValidator for Counting {
    async fn validate(&self, token: &SecretString, allow_expired: bool) -> Result<TokenInfo, ValidateError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.is_slow.load(Ordering::SeqCst) {
            self.answer.notified().await;
        }
        if self.is_down.load(Ordering::SeqCst) {
            return Err(ValidateError::Unavailable("connection refused".to_owned()));
        }
        let tokens = self.tokens.lock().expect("no test panics with it");
        let info = tokens
            .get(token.expose_secret())
            .cloned()
            .ok_or(ValidateError::Invalid)?;
        if info.expires_at <= NOW && !allow_expired {
            Err(ValidateError::Invalid)
        } else {
            Ok(info)
        }
    }
}

fn keystone(validator: &Arc<Counting>) -> Arc<Keystone> {
    let validator: Arc<dyn TokenValidator> = Arc::<Counting>::clone(validator);
    Arc::new(Keystone::new(
        validator,
        "https://cloud.example/identity",
        CacheSettings::default(),
    ))
}

fn headers(token: &str, service_token: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-auth-token", HeaderValue::from_str(token).expect("a header"));
    if let Some(token) = service_token {
        headers.insert("x-service-token", HeaderValue::from_str(token).expect("a header"));
    }
    headers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_requests_with_one_new_token_ask_once() {
    let validator = Arc::new(Counting::default()).knows("t", &["member"], NOW + 1000);
    validator.is_slow.store(true, Ordering::SeqCst);
    let keystone = keystone(&validator);
    let tracker = tokio_util::task::TaskTracker::new();
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let keystone = Arc::clone(&keystone);
            tracker.spawn(async move { keystone.authenticate(&headers("t", None), NOW).await })
        })
        .collect();
    while validator.calls() == 0 {
        tokio::task::yield_now().await;
    }
    validator.is_slow.store(false, Ordering::SeqCst);
    validator.answer.notify_one();
    for request in waiting {
        let caller = request.await.expect("no panic").expect("the token is valid");
        assert_eq!((caller.user_id.as_str(), caller.project_id.as_str()), ("u", "p"));
        assert!(!caller.is_admin);
    }
    assert_eq!(validator.calls(), 1);
}

#[tokio::test]
async fn keystone_is_asked_again_after_the_cache_time() {
    let validator = Arc::new(Counting::default()).knows("t", &["member"], NOW + 10_000);
    let keystone = keystone(&validator);
    for (after, calls) in [(0, 1), (299, 1), (300, 2), (301, 2)] {
        keystone
            .authenticate(&headers("t", None), NOW + after)
            .await
            .expect("the token is valid");
        assert_eq!(validator.calls(), calls, "after {after} s");
    }
    validator.forget("t");
    let answer = keystone.authenticate(&headers("t", None), NOW + 600).await;
    assert_eq!(answer, Err(AuthenticationError::Unauthenticated));
    validator.is_down.store(true, Ordering::SeqCst);
    let answer = keystone.authenticate(&headers("t", None), NOW + 700).await;
    assert!(
        matches!(answer, Err(AuthenticationError::Unavailable)),
        "a revoked token came back: {answer:?}"
    );
}

#[tokio::test]
async fn invalid_tokens_are_remembered_shortly() {
    let validator = Arc::new(Counting::default());
    let keystone = keystone(&validator);
    for (after, calls) in [(0, 1), (9, 1), (10, 2)] {
        let answer = keystone.authenticate(&headers("t", None), NOW + after).await;
        assert_eq!(answer, Err(AuthenticationError::Unauthenticated));
        assert_eq!(validator.calls(), calls, "after {after} s");
    }
    validator.knows("t", &[], NOW + 1000);
    assert!(keystone.authenticate(&headers("t", None), NOW + 20).await.is_ok());
}

#[tokio::test]
async fn a_token_ends_when_it_ends_although_it_is_remembered() {
    let validator = Arc::new(Counting::default()).knows("t", &["member"], NOW + 100);
    let keystone = keystone(&validator);
    assert!(keystone.authenticate(&headers("t", None), NOW + 99).await.is_ok());
    let answer = keystone.authenticate(&headers("t", None), NOW + 100).await;
    assert_eq!(answer, Err(AuthenticationError::Unauthenticated));
}

#[tokio::test]
async fn while_keystone_is_down_known_tokens_work_until_their_end_and_new_ones_wait() {
    let validator = Arc::new(Counting::default()).knows("t", &["member", "reader"], NOW + 5000);
    let keystone = keystone(&validator);
    let api = Api::start_with(Arc::<Keystone>::clone(&keystone), true).await;
    assert_eq!(api.get("/v1/leases", "t").await.status, StatusCode::OK);
    validator.is_down.store(true, Ordering::SeqCst);
    api.clock.advance(4000);
    for (seconds, calls) in [(0, 2), (9, 2), (1, 3), (9, 3)] {
        api.clock.advance(seconds);
        assert_eq!(api.get("/v1/leases", "t").await.status, StatusCode::OK);
        assert_eq!(
            validator.calls(),
            calls,
            "a slow outage must not slow every request down"
        );
    }
    let answer = api.get("/v1/leases", "never-seen").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer.message().contains("identity service does not answer"),
        "{}",
        answer.text
    );
    assert!(!answer.text.contains("never-seen"), "{}", answer.text);
    api.clock.advance(981);
    assert_ne!(api.get("/v1/leases", "t").await.status, StatusCode::OK);
    validator.is_down.store(false, Ordering::SeqCst);
    let answer = api.get("/v1/leases", "unknown").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.headers["www-authenticate"],
        "Keystone uri=\"https://cloud.example/identity\""
    );
}

#[tokio::test]
async fn a_service_may_pass_on_a_token_that_has_ended() {
    let validator = Arc::new(Counting::default())
        .knows("ended", &["member"], NOW - 10)
        .knows("service", &["Service"], NOW + 1000)
        .knows("user", &["member"], NOW + 1000);
    let keystone = keystone(&validator);
    for (token, service_token, accepted) in [
        ("ended", None, false),
        ("ended", Some("service"), true),
        ("ended", None, false),
        ("ended", Some("user"), false),
        ("ended", Some("unknown"), false),
        ("user", Some("unknown"), false),
        ("user", Some("user"), true),
        ("unknown", Some("service"), false),
    ] {
        let answer = keystone.authenticate(&headers(token, service_token), NOW).await;
        assert_eq!(answer.is_ok(), accepted, "{token} {service_token:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_token_without_a_project_can_do_nothing() {
    let validator = Arc::new(Counting::default()).knows("t", &["admin"], NOW + 1000);
    validator
        .tokens
        .lock()
        .expect("no test panics with it")
        .get_mut("t")
        .expect("known")
        .project_id = None;
    let api = Api::start_with(keystone(&validator), false).await;
    let answer = api.get("/v1/leases", "t").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
}

#[tokio::test]
async fn header_values_that_are_no_tokens_are_refused() {
    let api = Api::start().await;
    for value in ["", " ", "\u{e9}", "admin-token\u{e9}"] {
        let answer = api
            .send(Method::GET, "/v1/leases", "", &[("X-Auth-Token", value)], Body::empty())
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{value}");
    }
}

#[tokio::test]
async fn token_files_are_toml_or_json_with_tokens_or_hashes() {
    // SHA-256 of "abc", from FIPS 180-2.
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015AD";
    let toml =
        format!("[[tokens]]\ntoken_sha256 = \"{hash}\"\nuser_id = \"u\"\nproject_id = \"p\"\nroles = [\"member\"]\n");
    let json = format!(
        "{{\"tokens\": [{{\"token_sha256\": \"{hash}\", \"user_id\": \"u\", \"project_id\": \"p\", \"roles\": []}}]}}"
    );
    for text in [toml, json] {
        let file = TokenFile::parse(&text).expect("the file is right");
        assert!(file.authenticate(&headers("abc", None), NOW).await.is_ok());
        for other in [hash, "abd", "ab"] {
            assert!(file.authenticate(&headers(other, None), NOW).await.is_err(), "{other}");
        }
    }
}

#[tokio::test]
async fn c1_roles_imply_each_other_as_in_keystone() {
    for (role, implied) in [
        ("admin", &["admin", "manager", "member", "reader"][..]),
        ("manager", &["manager", "member", "reader"]),
        ("Member", &["Member", "reader"]),
        ("reader", &["reader"]),
        ("lab_operator", &["lab_operator"]),
    ] {
        let file = json!({"tokens": [{"token": "abc", "user_id": "u", "project_id": "p", "roles": [role]}]});
        let others = BTreeSet::from(["lab_operator".to_owned()]);
        let file = TokenFile::parse_with_roles(&file.to_string(), &others).expect("the roles are known");
        let caller = file
            .authenticate(&headers("abc", None), NOW)
            .await
            .expect("the token is");
        assert_eq!(caller.roles, implied);
        assert_eq!(file.entries()[0].roles, [role]);
    }
}

#[test]
fn c1_a_role_that_no_rule_asks_for_is_named_with_those_that_are_known() {
    let file =
        json!({"tokens": [{"token": "abc", "user_id": "u", "project_id": "p", "roles": ["membre"]}]}).to_string();
    let refused = |others: &[&str]| {
        let others = others.iter().map(|role| (*role).to_owned()).collect();
        let refused = TokenFile::parse_with_roles(&file, &others).err();
        refused.expect("the role is not known").to_string()
    };
    assert_eq!(
        refused(&[]),
        "token entry 1: no rule of the policy asks for the role 'membre'; known are admin, manager, member, reader"
    );
    assert!(refused(&["admin", "lab"]).ends_with("known are admin, manager, member, reader, lab"));
}

#[tokio::test]
async fn c1_a_member_books_and_reads_with_no_other_role() {
    let file = json!({"tokens": [
        {"token": "boss", "user_id": "u", "project_id": "p", "roles": ["admin"]},
        {"token": "ann", "user_id": "ann", "project_id": "lab", "roles": ["member"]},
    ]});
    let tokens = TokenFile::parse(&file.to_string()).expect("the file is right");
    let api = Api::start_with(Arc::new(Tokens::new(tokens)), true).await;
    assert_eq!(
        api.post("/v1/os-hosts", "boss", json!({"name": "c"})).await.status,
        StatusCode::CREATED
    );
    let booked = api.lease("ann").await;
    let path = format!("/v1/leases/{}", booked["id"].as_str().expect("an id is text"));
    assert_eq!(api.get(&path, "ann").await.status, StatusCode::OK);
}

#[tokio::test]
async fn c1_tokens_are_exchanged_while_requests_are_served() {
    let file = |token: &str| {
        let file = json!({"tokens": [{"token": token, "user_id": "u", "project_id": "p", "roles": ["reader"]}]});
        TokenFile::parse(&file.to_string()).expect("the file is right")
    };
    let tokens = Arc::new(Tokens::new(file("old")));
    let api = Api::start_with(Arc::<Tokens>::clone(&tokens), true).await;
    for (old, new) in [
        (StatusCode::OK, StatusCode::UNAUTHORIZED),
        (StatusCode::UNAUTHORIZED, StatusCode::OK),
    ] {
        assert_eq!(api.get("/v1/leases", "old").await.status, old);
        assert_eq!(api.get("/v1/leases", "new").await.status, new);
        tokens.replace(file("new"));
    }
    tokens.replace(TokenFile::parse("").expect("a file without tokens is one"));
    assert_eq!(api.get("/v1/leases", "new").await.status, StatusCode::UNAUTHORIZED);
}

#[test]
fn v26_wrong_token_files_are_refused_without_quoting_them() {
    let entry = |members: &str| format!("[[tokens]]\n{members}\nproject_id = \"p\"\nroles = []\n");
    let parse = |text: &str| {
        let error = TokenFile::parse(text)
            .err()
            .unwrap_or_else(|| panic!("accepted: {text}"));
        assert!(!error.to_string().contains("geheim"), "{error}");
        error
    };
    assert!(matches!(
        parse("token = geheim"),
        TokenFileError::Syntax { line: Some(1), .. }
    ));
    assert!(matches!(
        parse("{\"tokens\": [\"geheim\"]}"),
        TokenFileError::Member { entry: 1, .. }
    ));
    assert!(matches!(
        parse("{\"tokens\": \"geheim\""),
        TokenFileError::Syntax { .. }
    ));
    assert_eq!(
        parse("{\"tokens\": [{\"geheim\": 1}]}"),
        TokenFileError::UnknownMember { entry: 1 }
    );
    for (members, member) in [
        ("token = [\"geheim\"]\nuser_id = \"u\"", "token"),
        ("token_sha256 = {geheim = 1}\nuser_id = \"u\"", "token_sha256"),
        ("token = \"geheim\"\nuser_id = [\"geheim\"]", "user_id"),
        ("token = \"geheim\"", "user_id"),
    ] {
        let error = parse(&entry(members));
        assert!(
            matches!(error, TokenFileError::Member { entry: 1, member: of, .. } if of == member),
            "{error}"
        );
    }
    for roles in ["\"geheim\"", "[[\"geheim\"]]", "{geheim = 1}", "[\"geheim\""] {
        parse(&format!(
            "[[tokens]]\ntoken = \"x\"\nuser_id = \"u\"\nproject_id = \"p\"\nroles = {roles}\n"
        ));
    }
    for text in [
        "tokens = \"geheim\"",
        "geheim = 1",
        "[[tokens]]\ntoken = \"geheim",
        "[[tokens]]\ntoken = \"geheim\"\ntoken = \"geheim\"",
        "[[tokens]]\ngeheim = \"geheim\"\n",
        "[\"geheim\"]",
    ] {
        parse(text);
    }
    assert_eq!(
        parse(&entry("user_id = \"u\"")),
        TokenFileError::TokenCount { entry: 1 }
    );
    assert_eq!(
        parse(&entry("token = \"geheim\"\ntoken_sha256 = \"ab\"\nuser_id = \"u\"")),
        TokenFileError::TokenCount { entry: 1 }
    );
    assert_eq!(
        parse(&entry("token_sha256 = \"geheim\"\nuser_id = \"u\"")),
        TokenFileError::Hash { entry: 1 }
    );
    assert_eq!(
        parse(&entry("token = \"\"\nuser_id = \"u\"")),
        TokenFileError::Token { entry: 1 }
    );
    assert_eq!(
        parse(&entry("token = \"geheim geheim\"\nuser_id = \"u\"")),
        TokenFileError::Token { entry: 1 }
    );
    assert_eq!(
        parse(&entry("token = \"geheim\"\nuser_id = \"\"")),
        TokenFileError::Empty {
            entry: 1,
            member: "user_id"
        }
    );
    let twice = entry("token = \"geheim\"\nuser_id = \"u\"").repeat(2);
    assert_eq!(parse(&twice), TokenFileError::Twice { entry: 2 });
}

#[tokio::test]
async fn a_trust_is_made_by_the_callers_token_and_only_for_requests_that_are_right() {
    struct Recording(Mutex<Vec<String>>);

    #[async_trait]
    impl Trusts for Recording {
        async fn create(&self, token: &SecretString, caller: &Caller) -> Result<String, TrustError> {
            if caller.user_id == "u-other" {
                return Err(TrustError::Refused("restricted application credential".to_owned()));
            }
            let mut made = self.0.lock().expect("no test panics with it");
            made.push(token.expose_secret().to_owned());
            Ok(format!("trust-{}", made.len()))
        }
    }

    let trusts = Arc::new(Recording(Mutex::default()));
    let api = Api::start_with_trusts(Arc::<Recording>::clone(&trusts)).await;
    assert_eq!(
        api.post("/v1/leases", MEMBER, json!({})).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        api.post("/v1/leases", READER, lease_body(&json!([]))).await.status,
        StatusCode::FORBIDDEN
    );
    let answer = api.post("/v1/leases", OTHER, lease_body(&json!([]))).await;
    assert_eq!(
        (answer.status, answer.message().as_str()),
        (StatusCode::FORBIDDEN, "restricted application credential")
    );
    let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([]))).await;
    assert_eq!(answer.json()["lease"]["trust_id"], json!("trust-1"));
    let answer = api.post("/v1/os-hosts", ADMIN, json!({"name": "c"})).await;
    assert_eq!(answer.json()["host"]["trust_id"], json!("trust-2"));
    assert_eq!(*trusts.0.lock().expect("no test panics with it"), [MEMBER, ADMIN]);
}

/// Keystone, whose failures say more than strangers are to know.
struct Talkative;

#[async_trait]
impl TokenValidator for Talkative {
    async fn validate(&self, _: &SecretString, _: bool) -> Result<TokenInfo, ValidateError> {
        Err(ValidateError::Unavailable(format!(
            "error sending request for url (http://keystone.internal:5000/v3): {}",
            "<page>".repeat(10_000)
        )))
    }
}

#[async_trait]
impl Trusts for Talkative {
    async fn create(&self, _: &SecretString, _: &Caller) -> Result<String, TrustError> {
        Err(TrustError::Unavailable(
            "keystone did not create a trust: error sending request for url (http://keystone.internal:5000/v3/x): reset"
                .to_owned(),
        ))
    }
}

#[tokio::test]
async fn v21_strangers_do_not_learn_what_keystone_says_nor_where_it_is() {
    let keystone = Keystone::new(Arc::new(Talkative), "https://public", CacheSettings::default());
    let api = Api::start_with(Arc::new(keystone), true).await;
    for path in ["/v1/leases", "/capacity/v1/availability"] {
        let answer = api.get(path, "any token").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text);
        let says = "The token could not be validated because the identity service does not answer; try again.";
        assert_eq!(answer.message(), says);
    }
    let api = Api::start_with_trusts(Arc::new(Talkative)).await;
    let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([]))).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text);
    assert_eq!(
        answer.message(),
        "keystone did not create a trust: error sending request: reset"
    );
}
