//! Who may do what: every route, every kind of caller.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use server::Access;

use crate::support::{
    ADMIN, Api, MEMBER, NOBODY, OTHER, READER, ROLELESS, STRANGER, lease_body, physical_host, token_file,
};

/// A route with a body that is right, and the answer to each kind of caller.
struct Row {
    method: Method,
    path: &'static str,
    body: Value,
    /// Nobody and a stranger; a caller without role, a reader, a member of the owning project; a member
    /// of another project; an administrator.
    expected: [u16; 6],
    /// The same for the caller without a role while upstream's deprecated owner rule applies.
    roleless_by_owner_rule: u16,
    /// The rule named in answers of 403.
    rule: &'static str,
}

fn table() -> Vec<Row> {
    let row = |method, path, body, expected: [u16; 6], rule| Row {
        method,
        path,
        body,
        expected,
        roleless_by_owner_rule: expected[1],
        rule,
    };
    let owned = |row: Row, roleless| Row {
        roleless_by_owner_rule: roleless,
        ..row
    };
    let public = |path, status: u16| row(Method::GET, path, Value::Null, [status; 6], "");
    let admin =
        |method, path, body, status: u16, rule| row(method, path, body, [401, 403, 403, 403, 403, status], rule);
    let new_lease = || lease_body(&json!([physical_host(1, 1)]));
    let list = |path| {
        owned(
            row(
                Method::GET,
                path,
                Value::Null,
                [401, 403, 200, 200, 200, 200],
                "blazar:leases:get",
            ),
            200,
        )
    };
    let create = |path| {
        owned(
            row(
                Method::POST,
                path,
                new_lease(),
                [401, 403, 403, 201, 201, 201],
                "blazar:leases:post",
            ),
            201,
        )
    };
    let list_addresses = |path| {
        owned(
            row(
                Method::GET,
                path,
                Value::Null,
                [401, 403, 200, 200, 200, 200],
                "blazar:floatingips:get",
            ),
            200,
        )
    };
    let register = |path| {
        let body = json!({"floating_network_id": "public", "floating_ip_address": "192.0.2.10"});
        admin(Method::POST, path, body, 201, "blazar:floatingips:post")
    };
    vec![
        public("/", 300),
        public("/versions", 300),
        public("/v1", 200),
        public("/v1/", 200),
        public("/healthcheck", 200),
        public("/livez", 200),
        public("/readyz", 200),
        list("/v1/leases"),
        list("/v1/leases.json"),
        create("/v1/leases"),
        create("/v1/leases.json"),
        owned(
            row(
                Method::GET,
                "/v1/leases/{id}",
                Value::Null,
                [401, 403, 200, 200, 403, 200],
                "blazar:leases:get",
            ),
            200,
        ),
        owned(
            row(
                Method::PUT,
                "/v1/leases/{id}",
                json!({"name": "new"}),
                [401, 403, 403, 200, 403, 200],
                "blazar:leases:",
            ),
            200,
        ),
        owned(
            row(
                Method::DELETE,
                "/v1/leases/{id}",
                Value::Null,
                [401, 403, 403, 204, 403, 204],
                "blazar:leases:",
            ),
            204,
        ),
        owned(
            row(
                Method::GET,
                "/capacity/v1/leases/{id}",
                Value::Null,
                [401, 403, 200, 200, 403, 200],
                "blazar:leases:get",
            ),
            200,
        ),
        owned(
            row(
                Method::GET,
                "/capacity/v1/availability",
                Value::Null,
                [401, 403, 200, 200, 200, 200],
                "berth:capacity:get",
            ),
            200,
        ),
        owned(
            row(
                Method::POST,
                "/capacity/v1/what-if",
                json!({"lease": {"end": "2050-12-27T12:00:00Z", "reservations": [{"min": 1}]}}),
                [401, 403, 200, 200, 200, 200],
                "berth:capacity:what_if",
            ),
            200,
        ),
        admin(
            Method::PATCH,
            "/capacity/v1/hosts/{id}",
            json!({"reservable": false}),
            200,
            "blazar:oshosts:put",
        ),
        public("/capacity/v1/openapi.json", 200),
        admin(Method::GET, "/v1/os-hosts", Value::Null, 200, "blazar:oshosts:get"),
        admin(Method::GET, "/v1/os-hosts.json", Value::Null, 200, "blazar:oshosts:get"),
        admin(
            Method::POST,
            "/v1/os-hosts",
            json!({"name": "new-1"}),
            201,
            "blazar:oshosts:post",
        ),
        admin(
            Method::POST,
            "/v1/os-hosts.json",
            json!({"name": "new-2"}),
            201,
            "blazar:oshosts:post",
        ),
        admin(Method::GET, "/v1/os-hosts/{id}", Value::Null, 200, "blazar:oshosts:get"),
        admin(
            Method::PUT,
            "/v1/os-hosts/{id}",
            json!({"color": "red"}),
            200,
            "blazar:oshosts:get",
        ),
        admin(
            Method::DELETE,
            "/v1/os-hosts/{id}",
            Value::Null,
            204,
            "blazar:oshosts:get",
        ),
        admin(
            Method::GET,
            "/v1/os-hosts/allocations",
            Value::Null,
            200,
            "blazar:oshosts:get_allocations",
        ),
        admin(
            Method::GET,
            "/v1/os-hosts/allocations.json",
            Value::Null,
            200,
            "blazar:oshosts:get_allocations",
        ),
        admin(
            Method::GET,
            "/v1/os-hosts/{id}/allocation",
            Value::Null,
            200,
            "blazar:oshosts:get_allocations",
        ),
        admin(
            Method::GET,
            "/v1/os-hosts/{id}/allocation.json",
            Value::Null,
            200,
            "blazar:oshosts:get_allocations",
        ),
        admin(
            Method::GET,
            "/v1/os-hosts/properties",
            Value::Null,
            200,
            "blazar:oshosts:get_resource_properties",
        ),
        admin(
            Method::GET,
            "/v1/os-hosts/properties.json",
            Value::Null,
            200,
            "blazar:oshosts:get_resource_properties",
        ),
        admin(
            Method::PATCH,
            "/v1/os-hosts/properties/{id}",
            json!({"private": true}),
            200,
            "blazar:oshosts:update_resource_properties",
        ),
        list_addresses("/v1/floatingips"),
        list_addresses("/v1/floatingips.json"),
        register("/v1/floatingips"),
        register("/v1/floatingips.json"),
        list_addresses("/v1/floatingips/{id}"),
        row(
            Method::DELETE,
            "/v1/floatingips/{id}",
            Value::Null,
            [401, 403, 403, 403, 403, 204],
            "blazar:floatingips:",
        ),
    ]
}

#[test]
fn the_table_names_every_route_once() {
    let key = |method: &Method, path: &str| format!("{method} {path}");
    let mut routes: Vec<String> = server::routes()
        .iter()
        .map(|route| key(&route.method, route.path))
        .collect();
    let mut rows: Vec<String> = table().iter().map(|row| key(&row.method, row.path)).collect();
    routes.sort();
    rows.sort();
    assert_eq!(rows, routes);
    for row in table() {
        let route = server::routes()
            .into_iter()
            .find(|route| route.method == row.method && route.path == row.path);
        let public = route.is_some_and(|route| route.access == Access::Public);
        assert_eq!(public, row.expected[0] != 401, "{}", row.path);
    }
}

/// Every call on a service of its own, so that no answer depends on an earlier one.
#[tokio::test]
async fn every_route_answers_every_caller_as_the_table_says() {
    for enforce_new_defaults in [true, false] {
        for row in table() {
            let roleless = if enforce_new_defaults {
                row.expected[1]
            } else {
                row.roleless_by_owner_rule
            };
            let callers = [
                (NOBODY, row.expected[0]),
                (STRANGER, row.expected[0]),
                (ROLELESS, roleless),
                (
                    READER,
                    if enforce_new_defaults {
                        row.expected[2]
                    } else {
                        row.expected[2].min(roleless)
                    },
                ),
                (MEMBER, row.expected[3]),
                (OTHER, row.expected[4]),
                (ADMIN, row.expected[5]),
            ];
            for (caller, expected) in callers {
                let api = Api::start_with(std::sync::Arc::new(token_file()), enforce_new_defaults).await;
                api.host("compute-1", json!({"gpu": "1"})).await;
                api.host("compute-2", json!({})).await;
                let lease = api.lease(MEMBER).await;
                let id = if row.path.contains("properties") {
                    "gpu".to_owned()
                } else if row.path.contains("floatingips") {
                    crate::floating_ips::registered(&api, "192.0.2.9").await
                } else if row.path.contains("hosts") {
                    spare_host(&api).await
                } else {
                    lease["id"].as_str().expect("an id is text").to_owned()
                };
                let before = (
                    api.get("/v1/leases", ADMIN).await.text,
                    api.get("/v1/os-hosts", ADMIN).await.text,
                    api.get("/v1/floatingips", ADMIN).await.text,
                );
                let path = row.path.replace("{id}", &id);
                let answer = api.call(row.method.clone(), &path, caller, row.body.clone()).await;
                let call = format!(
                    "{} {path} by '{caller}' (new defaults: {enforce_new_defaults})",
                    row.method
                );
                assert_eq!(answer.status, expected, "{call}: {}", answer.text);
                if expected == 403 {
                    assert!(
                        answer.text.contains(&format!("Policy doesn't allow {}", row.rule)),
                        "{call}: {}",
                        answer.text
                    );
                }
                if expected >= 400 {
                    let after = (
                        api.get("/v1/leases", ADMIN).await.text,
                        api.get("/v1/os-hosts", ADMIN).await.text,
                        api.get("/v1/floatingips", ADMIN).await.text,
                    );
                    assert_eq!(before, after, "{call} was refused and changed something");
                }
            }
        }
    }
}

/// Id of a host that serves nothing.
async fn spare_host(api: &Api) -> String {
    let allocations = api.get("/v1/os-hosts/allocations", ADMIN).await.json()["allocations"].clone();
    let hosts = allocations.as_array().expect("a list");
    let spare = hosts
        .iter()
        .find(|host| host["reservations"] == json!([]))
        .expect("one of two hosts is free");
    spare["resource_id"].as_str().expect("an id is text").to_owned()
}

#[tokio::test]
async fn only_administrators_list_the_leases_of_others() {
    let api = Api::start().await;
    api.host("compute-1", json!({})).await;
    let own = api.lease(MEMBER).await["id"].clone();
    for (caller, expected) in [(READER, vec![own.clone()]), (OTHER, vec![]), (ADMIN, vec![own])] {
        let answer = api.get("/v1/leases?all_tenants=1", caller).await;
        assert_eq!(answer.status, StatusCode::OK);
        let ids: Vec<Value> = answer.json()["leases"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|lease| lease["id"].clone())
            .collect();
        assert_eq!(ids, expected, "{caller}");
    }
}

/// Whatever the rule of one lease is, a list shows no lease that it forbids.
#[tokio::test]
async fn no_list_shows_a_lease_that_the_rule_forbids_to_read() {
    for (rule, seen_by_member, seen_by_reader, seen_by_admin) in [
        ("role:reader and user_id:%(user_id)s", true, false, false),
        ("role:reader", true, true, true),
        ("!", false, false, false),
    ] {
        let api = Api::start_with_rules(&[("blazar:leases:get", rule)]).await;
        api.host("compute-1", json!({})).await;
        let id = api.lease(MEMBER).await["id"]
            .as_str()
            .expect("an id is text")
            .to_owned();
        for (caller, is_seen) in [
            (MEMBER, seen_by_member),
            (READER, seen_by_reader),
            (ADMIN, seen_by_admin),
        ] {
            let shown = api.get(&format!("/v1/leases/{id}"), caller).await.status;
            assert_eq!(shown == StatusCode::OK, is_seen, "{rule}: {caller}");
            let listed = api.get("/v1/leases", caller).await.text;
            assert_eq!(listed.contains(&id), is_seen, "{rule}: {caller}: {listed}");
        }
    }
}

#[tokio::test]
async fn ownership_comes_from_the_token_and_not_from_the_body() {
    let api = Api::start().await;
    let mut body = lease_body(&json!([]));
    for (member, value) in [
        ("id", "x"),
        ("user_id", "x"),
        ("project_id", "x"),
        ("trust_id", "x"),
        ("status", "ACTIVE"),
    ] {
        body[member] = json!(value);
    }
    let lease = api.post("/v1/leases", MEMBER, body).await.json()["lease"].clone();
    assert_eq!(
        (lease["user_id"].clone(), lease["project_id"].clone()),
        (json!("u-member"), json!("p-own"))
    );
    assert_eq!(
        (lease["trust_id"].clone(), lease["status"].clone()),
        (json!(""), json!("PENDING"))
    );
    assert_ne!(lease["id"], json!("x"));
    let path = format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"));
    let changed = api
        .put(
            &path,
            MEMBER,
            json!({"project_id": "p-other", "id": "x", "degraded": true}),
        )
        .await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!(changed.json()["lease"], lease);
}
