//! Hosts, allocations and properties.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADMIN, Api, MEMBER};

#[tokio::test]
async fn a_host_shows_columns_and_capabilities_side_by_side() {
    let api = Api::start().await;
    let body = json!({"name": "compute-1", "gpu": true, "ssd": false, "racks": 5, "load": 1.5, "big": 1e20, "vcpus": "x", "trust_id": "x"});
    let answer = api.post("/v1/os-hosts", ADMIN, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let host = json!({
        "id": "1", "vcpus": 4, "cpu_info": "{}", "hypervisor_type": "QEMU", "hypervisor_version": 2_010_001,
        "hypervisor_hostname": "compute-1", "service_name": "compute-1", "memory_mb": 8192, "local_gb": 100,
        "status": null, "availability_zone": "nova", "trust_id": "", "reservable": true,
        "created_at": "2050-01-01 10:00:30", "updated_at": null,
        "gpu": "1", "ssd": "0", "racks": "5", "load": "1.5", "big": "1e+20",
    });
    assert_eq!(answer.json(), json!({"host": host}));
    assert_eq!(api.get("/v1/os-hosts/1", ADMIN).await.json(), json!({"host": host}));
    assert_eq!(api.get("/v1/os-hosts", ADMIN).await.json(), json!({"hosts": [host]}));
}

#[tokio::test]
async fn wrong_registrations_are_refused() {
    let api = Api::start().await;
    let many: serde_json::Map<String, Value> = (0..1001).map(|n| (format!("k{n}"), json!("v"))).collect();
    let mut many = Value::Object(many);
    many["name"] = json!("c");
    for (body, status, message) in [
        (json!({}), 403, "Invalid values for host {}"),
        (
            json!({"name": "", "id": null, "gpu": "it's", "n": 1}),
            403,
            "Invalid values for host {'gpu': \"it's\", 'n': 1}",
        ),
        (json!({"name": "unknown-1"}), 404, "Host 'unknown-1' not found!"),
        (
            json!({"name": ["c"]}),
            400,
            "Malformed parameter name (must be a string, a number or a boolean, not a list)",
        ),
        (
            json!({"name": true}),
            400,
            "Malformed parameter name (must be a string or a number, not a boolean)",
        ),
        (
            json!({"name": "c", "gpu": null}),
            400,
            "Malformed parameter gpu (must be a string, a number or a boolean, not null)",
        ),
        (
            json!({"name": "c", "gpu": {}}),
            400,
            "Malformed parameter gpu (must be a string, a number or a boolean, not an object)",
        ),
        (
            json!({"name": "c", "k".repeat(65): "v"}),
            400,
            "Extra capability key too long: ",
        ),
        (
            json!({"name": "c", "": "v"}),
            400,
            "Extra capability key must not be empty",
        ),
        (
            json!({"name": "c", "gpu": "\u{0}"}),
            400,
            "Malformed parameter gpu (must not contain the character U+0000)",
        ),
        (
            json!({"name": "c", "gpu": "x".repeat(70_000)}),
            400,
            "Malformed parameter gpu (must have at most 65536 bytes)",
        ),
        (many, 400, "1001 extra capabilities given, at most 1000 are allowed"),
    ] {
        let answer = api.post("/v1/os-hosts", ADMIN, body).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(answer.message().starts_with(message), "{}", answer.text);
    }
    assert_eq!(api.get("/v1/os-hosts", ADMIN).await.json(), json!({"hosts": []}));
    api.host("compute-1", json!({})).await;
    assert_eq!(
        api.post("/v1/os-hosts", ADMIN, json!({"name": "compute-1"}))
            .await
            .status,
        StatusCode::CONFLICT
    );
}

#[tokio::test]
async fn capabilities_are_set_and_removed() {
    let api = Api::start().await;
    let path = format!("/v1/os-hosts/{}", api.host("compute-1", json!({"gpu": "1"})).await);
    let answer = api.put(&path, ADMIN, json!({})).await;
    let expected =
        json!({"error_code": 400, "error_message": "No data to update", "error_name": "INTERNAL_SERVER_ERROR"});
    assert_eq!((answer.status.as_u16(), answer.json()), (400, expected));
    let answer = api.put(&path, ADMIN, json!({"gpu": [], "ssd": "1"})).await;
    assert_eq!(
        answer.message(),
        "Malformed parameter gpu (must be a string, a number or a boolean, not a list)"
    );
    let answer = api
        .put(
            &path,
            ADMIN,
            json!({"gpu": null, "nothing": null, "ssd": 2, "name": "n", "vcpus": 4}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let host = &answer.json()["host"];
    assert!(host.get("gpu").is_none() && host.get("nothing").is_none(), "{host}");
    assert_eq!(
        (host["ssd"].clone(), host["name"].clone(), host["vcpus"].clone()),
        (json!("2"), json!("n"), json!(4))
    );
    assert_eq!(answer.text.matches("\"vcpus\"").count(), 1, "{}", answer.text);
}

#[tokio::test]
async fn allocations_list_every_host_and_filter_what_they_serve() {
    let api = Api::start().await;
    for name in ["compute-1", "compute-2"] {
        api.host(name, json!({})).await;
    }
    let lease = api.lease(MEMBER).await;
    let reservation = &lease["reservations"][0]["id"];
    let held = json!({
        "id": reservation,
        "lease_id": lease["id"],
        "start_date": "2050-12-26T12:00:00.000000",
        "end_date": "2050-12-27T12:00:00.000000",
        "tentative": true,
    });
    let list = async |query: String| {
        let answer = api.get(&format!("/v1/os-hosts/allocations{query}"), ADMIN).await.json();
        answer["allocations"].as_array().expect("a list").clone()
    };
    let everything = list(String::new()).await;
    assert_eq!(everything.len(), 2);
    let entries = |allocations: &[Value]| -> Vec<Value> {
        allocations
            .iter()
            .flat_map(|host| host["reservations"].as_array().expect("a list").clone())
            .collect()
    };
    assert_eq!(entries(&everything), std::slice::from_ref(&held));
    let id = lease["id"].as_str().expect("an id is text");
    for (query, found) in [
        (
            format!(
                "?lease_id={id}&reservation_id={}",
                reservation.as_str().expect("an id is text")
            ),
            1,
        ),
        (format!("?lease_id={id}&nothing=%FF"), 1),
        ("?lease_id=&reservation_id=".to_owned(), 1),
        ("?lease_id=other".to_owned(), 0),
        (format!("?lease_id={id}&reservation_id=other"), 0),
    ] {
        let allocations = list(query.clone()).await;
        assert_eq!((allocations.len(), entries(&allocations).len()), (2, found), "{query}");
    }
    for host in &everything {
        let path = format!(
            "/v1/os-hosts/{}/allocation",
            host["resource_id"].as_str().expect("an id is text")
        );
        for path in [path.clone(), format!("{path}.json")] {
            assert_eq!(api.get(&path, ADMIN).await.json(), json!({"allocation": host}));
        }
    }
    let busy = everything
        .iter()
        .find(|host| host["reservations"] == json!([held]))
        .expect("one serves the lease");
    let path = format!("/v1/os-hosts/{}", busy["resource_id"].as_str().expect("an id is text"));
    let answer = api.call(Method::DELETE, &path, ADMIN, Value::Null).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert!(answer.message().ends_with("The host is reserved."), "{}", answer.text);
}

#[tokio::test]
async fn properties_are_listed_and_hidden() {
    let api = Api::start().await;
    api.host("compute-1", json!({"gpu": "2", "rack": "a"})).await;
    api.host("compute-2", json!({"gpu": "1"})).await;
    let path = "/v1/os-hosts/properties";
    let plain = json!({"resource_properties": [{"property": "gpu"}, {"property": "rack"}]});
    for query in ["", "?detail=", "?other=1", "?detail=&detail=1"] {
        assert_eq!(api.get(&format!("{path}{query}"), ADMIN).await.json(), plain, "{query}");
    }
    for query in ["?detail=True", "?detail=False"] {
        let detailed = json!({"resource_properties": [
            {"property": "gpu", "private": false, "values": ["1", "2"]},
            {"property": "rack", "private": false, "values": ["a"]},
        ]});
        assert_eq!(
            api.get(&format!("{path}{query}"), ADMIN).await.json(),
            detailed,
            "{query}"
        );
    }
    for (body, message) in [
        (json!({}), "Missing parameter private"),
        (
            json!({"private": "true"}),
            "Malformed parameter private (must be true or false, not 'true')",
        ),
        (
            json!({"private": null}),
            "Malformed parameter private (must be true or false, not None)",
        ),
    ] {
        let answer = api.call(Method::PATCH, &format!("{path}/gpu"), ADMIN, body).await;
        assert_eq!((answer.status.as_u16(), answer.message().as_str()), (400, message));
    }
    let answer = api
        .call(
            Method::PATCH,
            &format!("{path}/gpu.json"),
            ADMIN,
            json!({"private": true}),
        )
        .await;
    let property = answer.json()["resource_property"].clone();
    let expected = json!({
        "id": property["id"], "resource_type": "physical:host", "property_name": "gpu", "private": true,
        "created_at": "2050-01-01T10:00:30.000000", "updated_at": "2050-01-01T10:00:30.000000",
    });
    assert_eq!(property, expected);
    assert_eq!(
        api.get(path, ADMIN).await.json(),
        json!({"resource_properties": [{"property": "rack"}]})
    );
    let all = json!({"resource_properties": [{"property": "gpu"}, {"property": "rack"}]});
    assert_eq!(api.get(&format!("{path}?all=0"), ADMIN).await.json(), all);
}
