//! Networks and floating IPs on the wire.

use serde_json::json;
use wiremock::matchers::{body_json, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{cloud, keystone};
use crate::{CloudError, Network, NewAddress, ProjectAddress, Subnet};

async fn answers(server: &MockServer, route: &str, answer: ResponseTemplate) {
    Mock::given(method("GET"))
        .and(path(format!("/network/v2.0/{route}")))
        .respond_with(answer)
        .mount(server)
        .await;
}

#[tokio::test]
async fn subnets_are_read_in_the_networks_order() {
    let server = MockServer::start().await;
    keystone(&server).await;
    let ok = |body| ResponseTemplate::new(200).set_body_json(body);
    let missing = || {
        let body = json!({"NeutronError": {"type": "NotFound", "message": "could not be found", "detail": ""}});
        ResponseTemplate::new(404).set_body_json(body)
    };
    let network = json!({"network": {"id": "n1", "subnets": ["s2", "gone", "s1"], "router:external": true}});
    answers(&server, "networks/n1", ok(network)).await;
    answers(&server, "networks/n2", missing()).await;
    answers(&server, "subnets/gone", missing()).await;
    let four = json!({"subnet": {"id": "s1", "cidr": "192.0.2.0/24", "gateway_ip": "192.0.2.1",
        "allocation_pools": [{"start": "192.0.2.10", "end": "192.0.2.99"}]}});
    answers(&server, "subnets/s1", ok(four)).await;
    let six = json!({"subnet": {"id": "s2", "cidr": "2001:db8::/64", "gateway_ip": null, "allocation_pools": []}});
    answers(&server, "subnets/s2", ok(six)).await;
    let cloud = cloud(&server.uri());
    let address = |text: &str| text.parse().unwrap();
    let expected = [
        Subnet {
            id: "s2".to_owned(),
            cidr: (address("2001:db8::"), 64),
            gateway: None,
            allocation_pools: Vec::new(),
        },
        Subnet {
            id: "s1".to_owned(),
            cidr: (address("192.0.2.0"), 24),
            gateway: Some(address("192.0.2.1")),
            allocation_pools: vec![(address("192.0.2.10"), address("192.0.2.99"))],
        },
    ];
    assert_eq!(cloud.subnets("n1").await.unwrap(), expected);
    let error = cloud.subnets("n2").await.unwrap_err();
    assert!(matches!(error, CloudError::NotFound(_)), "{error}");
}

#[tokio::test]
async fn a_floating_ip_is_made_tagged_detached_and_deleted() {
    let server = MockServer::start().await;
    keystone(&server).await;
    let wire = |address: &str, network: &str| {
        json!({"id": "f1", "floating_ip_address": address, "floating_network_id": network, "project_id": "p",
            "port_id": "port", "tags": ["blazar"], "status": "ACTIVE"})
    };
    let new = json!({"floatingip": {"floating_network_id": "n1", "subnet_id": "s2",
        "floating_ip_address": "2001:db8::9", "project_id": "p"}});
    for (verb, route, sent, status) in [
        ("POST", "floatingips", Some(new), 201),
        (
            "PUT",
            "floatingips/f1/tags",
            Some(json!({"tags": ["blazar", "reservation:r1"]})),
            200,
        ),
        (
            "PUT",
            "floatingips/f1",
            Some(json!({"floatingip": {"port_id": null}})),
            200,
        ),
        ("DELETE", "floatingips/f1", None, 204),
    ] {
        let mock = Mock::given(method(verb)).and(path(format!("/network/v2.0/{route}")));
        let mock = match sent {
            Some(body) => mock.and(body_json(body)),
            None => mock,
        };
        let body = json!({"floatingip": wire("2001:db8::9", "n1")});
        mock.respond_with(ResponseTemplate::new(status).set_body_json(body))
            .expect(1)
            .mount(&server)
            .await;
    }
    // A service that does not know the filter answers all; another one spells the address otherwise.
    let all = json!({"floatingips": [wire("2001:db8::9", "n2"), wire("192.0.2.9", "n1"), wire("2001:DB8:0::9", "n1")]});
    Mock::given(method("GET"))
        .and(path("/network/v2.0/floatingips"))
        .and(query_param("floating_ip_address", "2001:db8::9"))
        .and(query_param("floating_network_id", "n1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(all))
        .mount(&server)
        .await;
    let cloud = cloud(&server.uri());
    let made = cloud
        .create_address(&NewAddress {
            network_id: "n1",
            subnet_id: "s2",
            address: "2001:db8::9",
            project_id: "p",
        })
        .await
        .unwrap();
    let expected = ProjectAddress {
        id: "f1".to_owned(),
        address: "2001:db8::9".to_owned(),
        network_id: "n1".to_owned(),
        project_id: "p".to_owned(),
        port_id: Some("port".to_owned()),
        tags: vec!["blazar".to_owned()],
    };
    assert_eq!(made, expected);
    let found = cloud.find_address("n1", "2001:db8::9").await.unwrap().unwrap();
    assert_eq!(
        (found.network_id.as_str(), found.address.as_str()),
        ("n1", "2001:DB8:0::9")
    );
    let tags = ["blazar".to_owned(), "reservation:r1".to_owned()];
    cloud.set_address_tags("f1", &tags).await.unwrap();
    cloud.detach_address("f1").await.unwrap();
    cloud.delete_address("f1").await.unwrap();
}
