//! Lines about requests and answers: 1 to 6 and 14 to 17.

use axum::http::Method;
use serde_json::{Value, json};

use super::{ADMIN, Deployment, HOSTS, MEMBER, NETWORK, READER, STRANGER, hosts, id, instances, lease, path};

const ROUTES: [&str; 6] = [
    "/v1/leases",
    "/v1/leases/x",
    "/v1/os-hosts",
    "/v1/os-hosts/allocations",
    "/v1/os-hosts/properties",
    "/v1/floatingips",
];

const START: &str = "2050-01-01 10:00";
const END: &str = "2050-01-02 10:00";

/// Token authentication on all routes of /v1, 401 with a JSON body. The catalog's type and URL are what the test of
/// clients finds the service by.
#[tokio::test]
async fn line_01_every_route_asks_for_a_token() {
    let api = Deployment::start().await;
    for route in ROUTES {
        for headers in [&[][..], &[("X-Auth-Token", "unheard of")][..]] {
            let answer = api.send(Method::GET, route, headers, &Value::Null).await;
            assert_eq!(answer.status, 401, "{route}: {}", answer.text);
            assert_eq!(answer.body["error"]["code"], 401, "{route}: {}", answer.text);
            assert!(answer.headers.contains_key("www-authenticate"), "{route}");
        }
    }
}

/// Wrapped bodies; 201 on POST, 200 on PUT, PATCH and GET, 204 without a body on DELETE, 300 on the version list.
#[tokio::test]
async fn line_02_bodies_are_wrapped_and_statuses_are_upstreams() {
    let api = Deployment::start().await;
    let made = api
        .post("/v1/leases", MEMBER, &lease(START, END, &json!([hosts(1, 1)])))
        .await;
    let made = made.unwrapped(201, "lease");
    let (one, member) = (path(&made), MEMBER);
    assert_eq!(
        api.get("/v1/leases", member).await.unwrapped(200, "leases"),
        json!([made])
    );
    assert_eq!(api.get(&one, member).await.unwrapped(200, "lease"), made);
    let named = api
        .put(&one, member, &json!({"name": "other"}))
        .await
        .unwrapped(200, "lease");
    assert_eq!(named["name"], "other");
    let listed = api.get("/v1/os-hosts", ADMIN).await.unwrapped(200, "hosts");
    assert_eq!(listed.as_array().unwrap().len(), 3);
    let host = format!("/v1/os-hosts/{}", id(&listed[2]));
    api.get(&host, ADMIN).await.unwrapped(200, "host");
    api.put(&host, ADMIN, &json!({"rack": "r3"}))
        .await
        .unwrapped(200, "host");
    api.get(&format!("{host}/allocation"), ADMIN)
        .await
        .unwrapped(200, "allocation");
    api.get("/v1/os-hosts/allocations", ADMIN)
        .await
        .unwrapped(200, "allocations");
    api.get("/v1/os-hosts/properties", ADMIN)
        .await
        .unwrapped(200, "resource_properties");
    let private = api
        .call(
            Method::PATCH,
            "/v1/os-hosts/properties/rack",
            ADMIN,
            &json!({"private": true}),
        )
        .await;
    private.unwrapped(200, "resource_property");
    let addresses = api.get("/v1/floatingips", ADMIN).await.unwrapped(200, "floatingips");
    let address = format!("/v1/floatingips/{}", id(&addresses[0]));
    api.get(&address, ADMIN).await.unwrapped(200, "floatingip");
    for path in [&one, &host, &address] {
        let token = if *path == one { MEMBER } else { ADMIN };
        let gone = api.delete(path, token).await;
        assert_eq!((gone.status, gone.text.as_str()), (204, ""), "{path}");
        assert_eq!(api.get(path, token).await.status, 404, "{path}");
    }
    let again = api.post("/v1/os-hosts", ADMIN, &json!({"name": "compute-3"})).await;
    again.unwrapped(201, "host");
    let body = json!({"floating_network_id": NETWORK, "floating_ip_address": "192.0.2.9"});
    api.post("/v1/floatingips", ADMIN, &body)
        .await
        .unwrapped(201, "floatingip");
    for path in ["/", "/versions"] {
        api.send(Method::GET, path, &[], &Value::Null)
            .await
            .unwrapped(300, "versions");
    }
}

/// Members of an error, and its texts.
#[tokio::test]
async fn line_03_errors_have_upstreams_members_and_texts() {
    let api = Deployment::start().await;
    let made = api.lease(START, END, &json!([hosts(1, 1)])).await;
    let busy = api.get("/v1/os-hosts/allocations", ADMIN).await.body["allocations"].clone();
    let busy = busy.as_array().unwrap().iter();
    let busy = busy.filter(|host| host["reservations"] != json!([]));
    let busy = busy
        .map(|host| host["resource_id"].as_str().unwrap())
        .next()
        .unwrap()
        .to_owned();
    let of = |reservation: Value| lease(START, END, &json!([reservation]));
    let changed = |name: &str, value: Value| {
        let mut reservation = hosts(1, 1);
        reservation[name] = value;
        of(reservation)
    };
    let post = |body: Value| (Method::POST, "/v1/leases".to_owned(), MEMBER, body);
    for ((method, path, token, body), status, text) in [
        (
            (Method::GET, "/v1/leases/none".to_owned(), MEMBER, json!(null)),
            404,
            "Object with {'lease_id': 'none'} not found",
        ),
        (
            (Method::GET, "/v1/os-hosts/99".to_owned(), ADMIN, json!(null)),
            404,
            "Object with {'host_id': '99'} not found",
        ),
        (
            (Method::GET, path(&made), STRANGER, json!(null)),
            403,
            "Policy doesn't allow blazar:leases:get to be performed",
        ),
        (
            (Method::PUT, path(&made), READER, json!({})),
            403,
            "Policy doesn't allow blazar:leases:put to be performed",
        ),
        (
            (Method::GET, "/v1/os-hosts".to_owned(), MEMBER, json!(null)),
            403,
            "Policy doesn't allow blazar:oshosts:get to be performed",
        ),
        (post(changed("min", json!("x"))), 400, "Malformed parameter min"),
        (
            post(changed("min", json!(0))),
            400,
            "Malformed parameter min and max (must be greater than or equal to 1)",
        ),
        (
            post(changed("min", json!(2))),
            400,
            "Invalid values for min/max of hosts. Max must be equal to or larger than min.",
        ),
        (
            post(changed("before_end", json!("email"))),
            400,
            "Malformed parameter before_end",
        ),
        (
            post(changed("hypervisor_properties", json!("x"))),
            400,
            "Malformed requirements x",
        ),
        (
            post(changed("resource_type", json!("foo:bar"))),
            400,
            "The foo:bar resource type is not supported",
        ),
        (
            post(lease("soon", END, &json!([]))),
            400,
            "soon is an invalid date. Required format: %Y-%m-%d %H:%M",
        ),
        (
            (
                Method::POST,
                "/v1/os-hosts".to_owned(),
                ADMIN,
                json!({"name": "nowhere"}),
            ),
            404,
            "Host 'nowhere' not found!",
        ),
        (
            (Method::POST, "/v1/os-hosts".to_owned(), ADMIN, json!({"rack": "r"})),
            403,
            "Invalid values for host {'rack': 'r'}",
        ),
        (
            (
                Method::POST,
                "/v1/os-hosts".to_owned(),
                ADMIN,
                json!({"name": "compute-1", "x".repeat(65): "v"}),
            ),
            400,
            "Extra capability key too long",
        ),
        (
            (Method::DELETE, format!("/v1/os-hosts/{busy}"), ADMIN, json!(null)),
            409,
            "The host is reserved.",
        ),
        (
            (Method::PUT, format!("/v1/os-hosts/{busy}"), ADMIN, json!({})),
            400,
            "No data to update",
        ),
        (
            (
                Method::POST,
                "/v1/floatingips".to_owned(),
                ADMIN,
                json!({"floating_network_id": NETWORK, "floating_ip_address": "x"}),
            ),
            400,
            "IP address x is invalid form.",
        ),
        (
            (
                Method::POST,
                "/v1/floatingips".to_owned(),
                ADMIN,
                json!({"floating_network_id": "none", "floating_ip_address": "192.0.2.9"}),
            ),
            400,
            "Failed to find network none",
        ),
    ] {
        let answer = api.call(method.clone(), &path, token, &body).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.text);
        assert!(answer.message().contains(text), "{method} {path}: {}", answer.text);
        assert_eq!(answer.body["error_code"], status, "{}", answer.text);
        let name = &answer.body["error_name"];
        assert!(name == status || name.is_string(), "{}", answer.text);
    }
}

/// Dates in both directions, in UTC; `now`.
#[tokio::test]
async fn line_04_dates_have_upstreams_formats() {
    let api = Deployment::start().await;
    let made = api.lease("now", "2030-3-18 9:5", &json!([hosts(1, 1)])).await;
    assert_eq!(made["start_date"], "2030-03-17T17:47:00.000000");
    assert_eq!(made["end_date"], "2030-03-18T09:05:00.000000");
    for event in made["events"].as_array().unwrap() {
        let time = event["time"].as_str().unwrap();
        assert!(time.len() == 26 && time.ends_with(".000000"), "{event}");
    }
    assert_eq!(made["created_at"], "2030-03-17 17:47:30");
    assert_eq!(made["reservations"][0]["created_at"], "2030-03-17 17:47:30");
    let allocations = api.get("/v1/os-hosts/allocations", ADMIN).await.body["allocations"].clone();
    assert_eq!(
        allocations[0]["reservations"][0]["end_date"],
        "2030-03-18T09:05:00.000000"
    );
    for wrong in [
        json!("2050-01-01T10:00"),
        json!("2050-01-01 10:00:00"),
        json!("2050-01-01 10:00Z"),
        json!(7),
        json!(" now"),
    ] {
        let mut body = lease(START, END, &json!([]));
        body["start_date"] = wrong.clone();
        let answer = api.post("/v1/leases", MEMBER, &body).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(
            answer
                .message()
                .contains("is an invalid date. Required format: %Y-%m-%d %H:%M"),
            "{}",
            answer.text
        );
    }
}

/// Texts people and scripts look for.
#[tokio::test]
async fn line_05_shortages_and_wrong_requests_are_said_in_upstreams_words() {
    let api = Deployment::start().await;
    for (body, text) in [
        (
            json!({"end_date": END, "reservations": [], "events": []}),
            "Missing parameter ",
        ),
        (
            lease(START, END, &json!([{"min": 1}])),
            "Missing parameter resource_type",
        ),
        (
            lease(START, END, &json!([{"resource_type": "physical:host", "max": 1}])),
            "Missing parameter min",
        ),
        (
            lease(START, END, &json!([{"resource_type": "physical:host", "min": 1}])),
            "Missing parameter max",
        ),
        (
            lease(
                START,
                END,
                &json!([{"resource_type": "physical:host", "min": 1, "max": 1}]),
            ),
            "Missing parameter hypervisor_properties",
        ),
        (
            lease(
                START,
                END,
                &json!([{"resource_type": "virtual:floatingip", "amount": 1}]),
            ),
            "Missing parameter network_id",
        ),
        (lease(START, END, &json!([hosts(4, 4)])), "Not enough hosts available"),
        (
            lease(START, END, &json!([instances(7, json!(null))])),
            "Not enough hosts available",
        ),
        (
            lease(
                START,
                END,
                &json!([{"resource_type": "virtual:floatingip", "network_id": NETWORK, "amount": 3}]),
            ),
            "Not enough floating IPs available",
        ),
        (
            lease("2020-01-01 00:00", END, &json!([])),
            "Start date must be later than current date",
        ),
        (lease(END, START, &json!([])), "End date must be later than start date."),
    ] {
        let answer = api.post("/v1/leases", MEMBER, &body).await;
        assert!((400..500).contains(&answer.status), "{body}: {}", answer.text);
        assert!(answer.message().starts_with(text), "{body}: {}", answer.text);
    }
    let mut limits = lease(START, END, &json!([]));
    limits["before_end_date"] = json!("2050-01-03 10:00");
    let answer = api.post("/v1/leases", MEMBER, &limits).await;
    assert_eq!(
        (answer.status, answer.message()),
        (403, "Datetime is out of lease limits")
    );
    assert_eq!(api.get("/v1/leases", MEMBER).await.body, json!({"leases": []}));
}

/// Leases without reservations; events made automatically; statuses in upper and lower case.
#[tokio::test]
async fn line_06_a_lease_may_be_empty_and_has_three_events() {
    let api = Deployment::start().await;
    let empty = api.lease(START, END, &json!([])).await;
    assert_eq!(
        (&empty["status"], &empty["reservations"]),
        (&json!("PENDING"), &json!([]))
    );
    let mut events: Vec<(&str, &str, &str)> = empty["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            (
                event["event_type"].as_str().unwrap(),
                event["time"].as_str().unwrap(),
                event["status"].as_str().unwrap(),
            )
        })
        .collect();
    events.sort_unstable();
    assert_eq!(
        events,
        [
            ("before_end_lease", "2050-01-02T09:00:00.000000", "UNDONE"),
            ("end_lease", "2050-01-02T10:00:00.000000", "UNDONE"),
            ("start_lease", "2050-01-01T10:00:00.000000", "UNDONE"),
        ]
    );
    let full = api.lease(START, END, &json!([hosts(1, 1)])).await;
    assert_eq!(full["reservations"][0]["status"], "pending");
}

/// Administrators list everything, others their project; hosts and properties are the administrators'; names may repeat.
#[tokio::test]
async fn line_14_who_sees_and_may_what() {
    let api = Deployment::start().await;
    let first = api.lease(START, END, &json!([])).await;
    let second = api.lease(START, END, &json!([])).await;
    assert_eq!(first["name"], second["name"]);
    assert_eq!(
        (&first["project_id"], &first["user_id"]),
        (&json!("physics"), &json!("member-user"))
    );
    for (token, count) in [(ADMIN, 2), (MEMBER, 2), (READER, 2), (STRANGER, 0)] {
        let listed = api.get("/v1/leases", token).await.unwrapped(200, "leases");
        assert_eq!(listed.as_array().unwrap().len(), count, "{token}");
    }
    assert_eq!(
        api.post("/v1/leases", READER, &lease(START, END, &json!([])))
            .await
            .status,
        403
    );
    for (method, path, rule) in [
        (Method::GET, path(&first), "blazar:leases:get"),
        (Method::PUT, path(&first), "blazar:leases:get"),
        (Method::DELETE, path(&first), "blazar:leases:get"),
        (Method::GET, "/v1/os-hosts".to_owned(), "blazar:oshosts:get"),
        (Method::POST, "/v1/os-hosts".to_owned(), "blazar:oshosts:post"),
        (
            Method::GET,
            "/v1/os-hosts/allocations".to_owned(),
            "blazar:oshosts:get_allocations",
        ),
        (
            Method::GET,
            "/v1/os-hosts/properties".to_owned(),
            "blazar:oshosts:get_resource_properties",
        ),
        (
            Method::PATCH,
            "/v1/os-hosts/properties/rack".to_owned(),
            "blazar:oshosts:update_resource_properties",
        ),
        (Method::POST, "/v1/floatingips".to_owned(), "blazar:floatingips:post"),
    ] {
        let answer = api
            .call(method, &path, STRANGER, &json!({"name": "compute-1", "private": true}))
            .await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text);
        assert_eq!(answer.message(), format!("Policy doesn't allow {rule} to be performed"));
    }
    assert_eq!(api.delete(&path(&first), ADMIN).await.status, 204);
}

/// Request ids in and out; the microversion header, `latest` included.
#[tokio::test]
async fn line_15_headers_are_understood_and_returned() {
    let api = Deployment::start().await;
    let sent = "req-3a6f2c0e-8a43-4d27-9a51-cb06f0d9d2f1";
    for version in ["reservation 1.0", "reservation latest", "compute 2.90", ""] {
        let headers = [
            ("X-Auth-Token", MEMBER),
            ("X-Openstack-Request-Id", sent),
            ("OpenStack-API-Version", version),
        ];
        let answer = api
            .send(
                Method::GET,
                "/v1/leases",
                &headers[..if version.is_empty() { 2 } else { 3 }],
                &Value::Null,
            )
            .await;
        assert_eq!(answer.status, 200, "{version}: {}", answer.text);
        let given = answer.headers["x-openstack-request-id"].to_str().unwrap();
        assert!(given.starts_with("req-") && given.len() == 40, "{given}");
        assert_eq!(answer.headers["openstack-api-version"], "reservation 1.0", "{version}");
        assert!(
            answer.headers["vary"]
                .to_str()
                .unwrap()
                .to_lowercase()
                .contains("openstack-api-version")
        );
    }
    for (version, status, text) in [
        (
            "reservation 1.5",
            406,
            "Version 1.5 is not supported by the API. Minimum is 1.0 and maximum is 1.0.",
        ),
        (
            "reservation x",
            400,
            "API Version String x is of invalid format. Must be of format MajorNum.MinorNum.",
        ),
    ] {
        let headers = [("X-Auth-Token", MEMBER), ("OpenStack-API-Version", version)];
        let answer = api.send(Method::GET, "/v1/leases", &headers, &Value::Null).await;
        assert_eq!((answer.status, answer.message()), (status, text));
        assert_eq!(answer.body["error"], status);
    }
}

/// Unknown members of bodies and query parameters change nothing.
#[tokio::test]
async fn line_16_what_is_not_known_is_tolerated() {
    let api = Deployment::start().await;
    let mut body = lease(START, END, &json!([hosts(1, 1)]));
    for (name, value) in [
        ("id", json!("mine")),
        ("project_id", json!("geology")),
        ("degraded", json!(true)),
        ("colour", json!([1])),
    ] {
        body[name] = value.clone();
        body["reservations"][0][name] = value;
    }
    let made = api
        .post("/v1/leases?all_tenants=1", MEMBER, &body)
        .await
        .unwrapped(201, "lease");
    assert_ne!(made["id"], "mine");
    assert_eq!(
        (&made["project_id"], &made["degraded"]),
        (&json!("physics"), &json!(false))
    );
    let changed = api
        .put(&path(&made), MEMBER, &json!({"project_id": "geology", "colour": 7}))
        .await
        .unwrapped(200, "lease");
    assert_eq!(changed["project_id"], "physics");
    for path in ["/v1/leases?limit=1&x", "/v1/leases?project_id=geology"] {
        assert_eq!(
            api.get(path, MEMBER)
                .await
                .unwrapped(200, "leases")
                .as_array()
                .unwrap()
                .len(),
            1,
            "{path}"
        );
    }
    let hosts = api
        .get("/v1/os-hosts?reservable=false", ADMIN)
        .await
        .unwrapped(200, "hosts");
    assert_eq!(hosts.as_array().unwrap().len(), HOSTS.len());
}

/// What clients send where they have nothing to say: texts for numbers, `"None"`, empty texts, nulls, empty lists.
#[tokio::test]
async fn line_17_what_clients_send_for_nothing_is_understood() {
    let api = Deployment::start().await;
    let mut texts = hosts(1, 1);
    texts["min"] = json!("1");
    texts["max"] = json!("2");
    let made = api.lease(START, END, &json!([texts])).await;
    assert_eq!(
        (&made["reservations"][0]["min"], &made["reservations"][0]["max"]),
        (&json!(1), &json!(2))
    );
    for nothing in [json!("None"), json!("none"), json!(""), json!(null)] {
        let made = api.lease(START, END, &json!([instances(1, nothing.clone())])).await;
        assert_eq!(made["reservations"][0]["affinity"], json!(null), "{nothing}");
        assert_eq!(api.delete(&path(&made), MEMBER).await.status, 204);
    }
    for nothing in [json!(null), json!("")] {
        let mut body = lease(START, END, &json!([]));
        body["before_end_date"] = nothing.clone();
        let made = api.post("/v1/leases", MEMBER, &body).await.unwrapped(201, "lease");
        assert_eq!(made["events"].as_array().unwrap().len(), 3, "{nothing}");
    }
    let mut address = json!({"resource_type": "virtual:floatingip", "network_id": NETWORK, "amount": "1"});
    address["required_floatingips"] = json!([]);
    let made = api.lease(START, END, &json!([address])).await;
    assert_eq!(made["reservations"][0]["amount"], 1);
    // The dashboard's creation without events, python-blazarclient's with an event of its own.
    let mut body = lease(START, END, &json!([]));
    body["events"] = json!([{"event_type": "mail", "event_date": "2050-01-01 12:00"}]);
    api.post("/v1/leases", MEMBER, &body).await.unwrapped(201, "lease");
}
