//! Flavors, server groups and inventories on the wire.

use serde_json::json;
use wiremock::matchers::{body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{cloud, keystone};
use crate::{Compute, Flavor, Flavors, Placement, Policy, Provider, ServerGroups};

const INVENTORIES: &str = "/placement/resource_providers/u1/inventories";

fn provider() -> Provider {
    Provider {
        id: "u1".to_owned(),
        name: "blazar_c1".to_owned(),
        generation: 0,
        parent: None,
    }
}

fn places(total: u32) -> serde_json::Value {
    json!({"total": total, "reserved": 0, "min_unit": 1, "max_unit": 1, "step_size": 1, "allocation_ratio": 1.0})
}

async fn bodies(server: &MockServer, wanted: &str) -> Vec<serde_json::Value> {
    let requests = server.received_requests().await.unwrap();
    requests
        .iter()
        .filter(|request| format!("{} {}", request.method, request.url.path()) == wanted)
        .map(|request| request.body_json().unwrap())
        .collect()
}

#[tokio::test]
async fn a_flavor_is_private_and_found_by_its_id() {
    let server = MockServer::start().await;
    keystone(&server).await;
    let wire = json!({"id": "r1", "name": "reservation:r1", "vcpus": 2, "ram": 4096, "disk": 20});
    Mock::given(method("GET"))
        .and(path("/compute/v2.1/flavors/r1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"flavor": wire})))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/compute/v2.1/flavors/r2"))
        .respond_with(ResponseTemplate::new(404).set_body_json(json!({"itemNotFound": {"message": "no"}})))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
        .mount(&server)
        .await;
    let cloud = cloud(&server.uri());
    let flavor = cloud.find_flavor("r1").await.unwrap().unwrap();
    let expected = Flavor {
        id: "r1".to_owned(),
        name: "reservation:r1".to_owned(),
        vcpus: 2,
        memory_mb: 4_096,
        disk_gb: 20,
        ephemeral_gb: 0,
    };
    assert_eq!(flavor, expected);
    assert_eq!(cloud.find_flavor("r2").await.unwrap(), None);
    cloud.create_flavor(&flavor).await.unwrap();
    let sent = bodies(&server, "POST /compute/v2.1/flavors").await.remove(0);
    assert_eq!(sent["flavor"]["ram"], 4_096);
    assert_eq!(sent["flavor"]["os-flavor-access:is_public"], false);
    cloud.add_flavor_access("r1", "p").await.unwrap();
    cloud.remove_flavor_access("r1", "p").await.unwrap();
    let sent = bodies(&server, "POST /compute/v2.1/flavors/r1/action").await;
    assert_eq!(
        sent,
        [
            json!({"addTenantAccess": {"tenant": "p"}}),
            json!({"removeTenantAccess": {"tenant": "p"}})
        ]
    );
}

#[tokio::test]
async fn servers_of_a_flavor_are_only_those_that_say_so_wherever_they_are() {
    let server = MockServer::start().await;
    keystone(&server).await;
    let entry = |id: &str, flavor: &str, host: serde_json::Value| {
        json!({"id": id, "name": id, "tenant_id": "p", "status": "ACTIVE", "flavor": {"id": flavor, "links": []},
            "OS-EXT-SRV-ATTR:host": host})
    };
    Mock::given(path("/compute/v2.1/servers/detail"))
        .and(query_param("flavor", "r1"))
        .and(query_param("all_tenants", "1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"servers": [
            entry("a", "r1", json!("c1")), entry("b", "small", json!("c1")), entry("c", "r1", json!(null)),
        ]})))
        .mount(&server)
        .await;
    let servers = cloud(&server.uri()).servers_of_flavor("r1").await.unwrap();
    let seen: Vec<_> = servers
        .iter()
        .map(|server| (server.id.as_str(), server.host.as_str()))
        .collect();
    assert_eq!(seen, [("a", "c1"), ("c", "")]);
}

#[tokio::test]
async fn an_inventory_is_changed_around_what_others_write_meanwhile() {
    let server = MockServer::start().await;
    keystone(&server).await;
    let reads = std::sync::atomic::AtomicUsize::new(0);
    let other =
        json!({"total": 7, "reserved": 0, "min_unit": 1, "max_unit": 3, "step_size": 1, "allocation_ratio": 2.5});
    let kept = other.clone();
    Mock::given(method("GET"))
        .and(path(INVENTORIES))
        .respond_with(move |_: &Request| {
            let generation = reads.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            ResponseTemplate::new(200).set_body_json(json!({
                "resource_provider_generation": generation, "inventories": {"CUSTOM_OTHER": kept},
            }))
        })
        .mount(&server)
        .await;
    let put = || Mock::given(method("PUT")).and(path(INVENTORIES));
    let conflict = json!({"errors": [{"code": "placement.concurrent_update", "detail": "changed meanwhile"}]});
    put()
        .respond_with(ResponseTemplate::new(409).set_body_json(&conflict))
        .up_to_n_times(4)
        .mount(&server)
        .await;
    put()
        .and(body_json(json!({
            "resource_provider_generation": 4,
            "inventories": {"CUSTOM_OTHER": other, "CUSTOM_MINE": places(3)},
        })))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
        .expect(1)
        .mount(&server)
        .await;
    let cloud = cloud(&server.uri());
    cloud.set_inventory(&provider(), "CUSTOM_MINE", 3).await.unwrap();

    // For ever is no plan.
    put()
        .respond_with(ResponseTemplate::new(409).set_body_json(&conflict))
        .with_priority(1)
        .expect(5)
        .mount(&server)
        .await;
    let error = cloud.set_inventory(&provider(), "CUSTOM_MINE", 4).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
}

#[tokio::test]
async fn an_inventory_that_is_right_is_not_written() {
    let server = MockServer::start().await;
    keystone(&server).await;
    Mock::given(method("GET"))
        .and(path(INVENTORIES))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({
            "resource_provider_generation": 1, "inventories": {"CUSTOM_MINE": places(3)},
        })))
        .mount(&server)
        .await;
    cloud(&server.uri())
        .set_inventory(&provider(), "CUSTOM_MINE", 3)
        .await
        .unwrap();
}

#[tokio::test]
async fn nobody_has_a_class_that_does_not_exist() {
    let server = MockServer::start().await;
    keystone(&server).await;
    Mock::given(path("/placement/resource_classes/CUSTOM_GONE"))
        .respond_with(ResponseTemplate::new(404).set_body_json(json!({"errors": [{"detail": "no such class"}]})))
        .mount(&server)
        .await;
    Mock::given(path("/placement/resource_classes/CUSTOM_MINE"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"name": "CUSTOM_MINE"})))
        .mount(&server)
        .await;
    Mock::given(path("/placement/resource_providers"))
        .and(query_param("resources", "CUSTOM_MINE:1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"resource_providers": [
            {"uuid": "u1", "name": "blazar_c1", "generation": 1, "parent_provider_uuid": "u0"},
        ]})))
        .mount(&server)
        .await;
    let cloud = cloud(&server.uri());
    assert_eq!(cloud.providers_with("CUSTOM_GONE").await.unwrap(), []);
    assert_eq!(cloud.providers_with("CUSTOM_MINE").await.unwrap()[0].name, "blazar_c1");
}

fn group(id: &str, name: &str, project: &str) -> serde_json::Value {
    json!({"id": id, "name": name, "project_id": project, "user_id": "u", "policies": ["affinity"],
        "members": [], "metadata": {}})
}

#[tokio::test]
async fn groups_are_searched_to_the_end_and_only_the_projects_and_our_own_are_meant() {
    let server = MockServer::start().await;
    keystone(&server).await;
    let pages = [
        (
            "0",
            vec![group("g3", "r", "service-project"), group("g1", "r", "someone-elses")],
        ),
        ("2", vec![group("g2", "r", "p"), group("g4", "another", "p")]),
        ("4", vec![]),
    ];
    for (offset, groups) in pages {
        Mock::given(path("/compute/v2.1/os-server-groups"))
            .and(query_param("all_projects", "True"))
            .and(query_param("offset", offset))
            .and(header("OpenStack-API-Version", "compute 2.13"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"server_groups": groups})))
            .mount(&server)
            .await;
    }
    let found = cloud(&server.uri()).find_server_groups("r", "p").await.unwrap();
    assert_eq!(
        found.into_iter().map(|group| group.id).collect::<Vec<_>>(),
        ["g2", "g3"]
    );
}

/// Keystone answers a request for the trust with this; Nova makes groups for whoever asks.
async fn trusts_answered(server: &MockServer, answer: ResponseTemplate) {
    keystone(server).await;
    Mock::given(method("GET"))
        .and(path("/v3/auth/projects"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"projects": []})))
        .mount(server)
        .await;
    Mock::given(method("POST"))
        .and(path("/v3/auth/tokens"))
        .and(body_json(json!({"auth": {
            "identity": {"methods": ["token"], "token": {"id": "service-token-1"}},
            "scope": {"OS-TRUST:trust": {"id": "t1"}},
        }})))
        .respond_with(answer)
        .with_priority(1)
        .mount(server)
        .await;
    for (token, project) in [("owners-token", "p"), ("service-token-1", "service-project")] {
        Mock::given(method("POST"))
            .and(path("/compute/v2.1/os-server-groups"))
            .and(header("X-Auth-Token", token))
            .and(body_json(
                json!({"server_group": {"name": "r", "policies": ["affinity"]}}),
            ))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"server_group": group("g", "r", project)})))
            .mount(server)
            .await;
    }
}

#[tokio::test]
async fn a_server_group_is_made_through_the_trust_where_keystone_accepts_it() {
    let granted = ResponseTemplate::new(201)
        .insert_header("X-Subject-Token", "owners-token")
        .set_body_json(json!({"token": {"project": {"id": "p", "name": "lab"}}}));
    let refused = |status| ResponseTemplate::new(status).set_body_json(json!({"error": {"message": "no"}}));
    for (answer, trust, project) in [
        (granted.clone(), Some("t1"), Some("p")),
        (granted, None, Some("service-project")),
        (refused(403), Some("t1"), Some("service-project")),
        (refused(404), Some("t1"), Some("service-project")),
        // A Keystone in trouble says nothing about the trust.
        (refused(500), Some("t1"), None),
    ] {
        let server = MockServer::start().await;
        trusts_answered(&server, answer).await;
        let result = cloud(&server.uri())
            .create_server_group("r", Policy::Affinity, trust)
            .await;
        assert_eq!(result.ok().map(|group| group.project_id).as_deref(), project);
    }
}
