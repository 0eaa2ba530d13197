//! Lines about reservations, hosts, allocations and properties: 7 to 10.

use axum::http::Method;
use planner_core::domain::LeaseStatus;
use serde_json::{Value, json};

use super::{ADMIN, Deployment, HOSTS, NETWORK, NOW, hosts, id, instances};

const START: &str = "2050-01-01 10:00";
const END: &str = "2050-01-02 10:00";

/// `min` and `max` as numbers; affinity of three values; the flavor's id is the reservation's; the aggregate's id is a
/// number, the server group's a text or null.
#[tokio::test(flavor = "multi_thread")]
async fn line_07_members_of_reservations_have_upstreams_types() {
    let api = Deployment::start().await;
    let whole = api.lease(START, END, &json!([hosts(1, 2)])).await;
    assert_eq!(
        (&whole["reservations"][0]["min"], &whole["reservations"][0]["max"]),
        (&json!(1), &json!(2))
    );
    for (said, affinity) in [
        (json!("True"), json!(true)),
        (json!(false), json!(false)),
        (json!("None"), json!(null)),
    ] {
        let lease = api.lease("now", "2030-03-17 18:00", &json!([instances(1, said)])).await;
        let reservation = &lease["reservations"][0];
        assert_eq!(reservation["affinity"], affinity);
        assert_eq!(reservation["flavor_id"], reservation["id"]);
        api.advance(&lease, NOW + 60, LeaseStatus::Active).await;
        let lease = api.shown(&lease).await;
        let reservation = &lease["reservations"][0];
        assert!(reservation["aggregate_id"].is_i64(), "{reservation}");
        assert_eq!(
            reservation["server_group_id"].is_string(),
            !affinity.is_null(),
            "{reservation}"
        );
        assert_eq!(
            reservation["server_group_id"].is_null(),
            affinity.is_null(),
            "{reservation}"
        );
    }
    let addresses = json!({"resource_type": "virtual:floatingip", "network_id": NETWORK, "amount": 1,
                           "required_floatingips": ["192.0.2.8"]});
    let lease = api.lease(START, END, &json!([addresses])).await;
    let reservation = &lease["reservations"][0];
    assert_eq!(
        (&reservation["amount"], &reservation["required_floatingips"]),
        (&json!(1), &json!(["192.0.2.8"]))
    );
}

/// Ids are texts of the hypervisor's number; capabilities beside the columns, as texts; `cpu_info` is JSON in a text.
#[tokio::test]
async fn line_08_hosts_are_shown_as_clients_read_them() {
    let api = Deployment::start().await;
    let listed = api.get("/v1/os-hosts", ADMIN).await.unwrapped(200, "hosts");
    assert_eq!(listed.as_array().unwrap().len(), HOSTS.len());
    let path = format!("/v1/os-hosts/{}", id(&listed[0]));
    let body = json!({"gpus": 4, "ssd": true, "label": "it's"});
    let host = api.put(&path, ADMIN, &body).await.unwrapped(200, "host");
    assert!(
        !id(&host).is_empty() && id(&host).bytes().all(|byte| byte.is_ascii_digit()),
        "{host}"
    );
    assert_eq!(
        (&host["rack"], &host["gpus"], &host["ssd"], &host["label"]),
        (&json!("r1"), &json!("4"), &json!("1"), &json!("it's"))
    );
    assert_eq!(host["reservable"], true);
    assert!(
        host["vcpus"].is_i64() && host["memory_mb"].is_i64() && host["local_gb"].is_i64(),
        "{host}"
    );
    let processor: Value = serde_json::from_str(host["cpu_info"].as_str().unwrap()).expect("JSON in a text");
    assert!(processor.is_object(), "{processor}");
    for name in [
        "hypervisor_hostname",
        "hypervisor_type",
        "service_name",
        "availability_zone",
        "created_at",
    ] {
        assert!(host[name].is_string(), "{name}: {host}");
    }
    let without = api
        .put(&path, ADMIN, &json!({"label": null}))
        .await
        .unwrapped(200, "host");
    assert!(without.get("label").is_none(), "{without}");
}

/// All hosts are listed, `resource_id` is the host's id; one route in the plural, one in the singular; filters.
#[tokio::test]
async fn line_09_allocations_list_all_hosts() {
    let api = Deployment::start().await;
    let lease = api.lease(START, END, &json!([hosts(1, 1)])).await;
    let other = api
        .lease("2050-02-01 10:00", "2050-02-02 10:00", &json!([hosts(3, 3)]))
        .await;
    let listed = api
        .get("/v1/os-hosts/allocations", ADMIN)
        .await
        .unwrapped(200, "allocations");
    let hosts = api.get("/v1/os-hosts", ADMIN).await.unwrapped(200, "hosts");
    let ids = |list: &Value, name: &str| -> Vec<Value> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|entry| entry[name].clone())
            .collect()
    };
    assert_eq!(ids(&listed, "resource_id"), ids(&hosts, "id"));
    let count = |list: &Value| -> usize {
        list.as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["reservations"].as_array().unwrap().len())
            .sum()
    };
    assert_eq!(count(&listed), 4);
    for (filter, expected) in [
        (format!("lease_id={}", id(&lease)), 1),
        (format!("reservation_id={}", id(&other["reservations"][0])), 3),
        (
            format!(
                "lease_id={}&reservation_id={}",
                id(&lease),
                id(&other["reservations"][0])
            ),
            0,
        ),
        ("lease_id=unheard-of".to_owned(), 0),
    ] {
        let listed = api
            .get(&format!("/v1/os-hosts/allocations?{filter}"), ADMIN)
            .await
            .unwrapped(200, "allocations");
        assert_eq!(
            (listed.as_array().unwrap().len(), count(&listed)),
            (HOSTS.len(), expected),
            "{filter}"
        );
    }
    for host in ids(&hosts, "id") {
        let host = host.as_str().unwrap().to_owned();
        let one = api
            .get(&format!("/v1/os-hosts/{host}/allocation"), ADMIN)
            .await
            .unwrapped(200, "allocation");
        assert_eq!(one["resource_id"], host);
        assert!(listed.as_array().unwrap().contains(&one), "{one}");
        for reservation in one["reservations"].as_array().unwrap() {
            let names: Vec<&String> = reservation.as_object().unwrap().keys().collect();
            assert_eq!(names, ["id", "lease_id", "start_date", "end_date", "tentative"]);
        }
    }
}

/// `detail` and `all` are true whatever they say; PATCH makes a property private.
#[tokio::test]
async fn line_10_properties_are_listed_and_made_private() {
    let api = Deployment::start().await;
    let host = api.get("/v1/os-hosts", ADMIN).await.body["hosts"][0].clone();
    let answer = api
        .put(&format!("/v1/os-hosts/{}", id(&host)), ADMIN, &json!({"gpu": "a100"}))
        .await;
    assert_eq!(answer.status, 200);
    let listed = async |query: &str| {
        let path = format!("/v1/os-hosts/properties{query}");
        api.get(&path, ADMIN).await.unwrapped(200, "resource_properties")
    };
    assert_eq!(listed("").await, json!([{"property": "gpu"}, {"property": "rack"}]));
    for query in ["?detail=True", "?detail=False", "?detail=1&all=no"] {
        let properties = listed(query).await;
        assert_eq!(properties[1]["property"], "rack", "{query}");
        assert_eq!(properties[1]["private"], false, "{query}");
        assert_eq!(properties[1]["values"], json!(["r1", "r2"]), "{query}");
    }
    let path = "/v1/os-hosts/properties/gpu";
    let answer = api.call(Method::PATCH, path, ADMIN, &json!({"private": true})).await;
    let property = answer.unwrapped(200, "resource_property");
    assert_eq!(property["private"], true, "{property}");
    assert_eq!(listed("").await, json!([{"property": "rack"}]));
    assert_eq!(
        listed("?all=True").await,
        json!([{"property": "gpu"}, {"property": "rack"}])
    );
}
