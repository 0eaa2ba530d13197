//! Usage filters: what they are asked, what their answers do, and that a denial changes nothing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use enforcement::{Context, Endpoints, ExternalService, ExternalServiceConfig};
use planner_core::usage::{Amendment, Booking, Denial, Ending, MaxLeaseDuration, NotTold, UsageFilter};
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{ADMIN, Answer, Api, MEMBER, lease_body, physical_host, virtual_instance};

const DENIED: &str = "External service enforcement filter denied the request.";

/// Far longer than an answer takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A filter that asks the service at `base`.
fn external(base: &str) -> Arc<dyn UsageFilter> {
    external_within(base, None, PATIENCE)
}

/// The same with a URL of its own for the question about a booking, and a limit for every call.
fn external_within(base: &str, check_create: Option<&str>, timeout: Duration) -> Arc<dyn UsageFilter> {
    let config = ExternalServiceConfig {
        endpoints: Endpoints::new(Some(base), check_create, None, None).expect("the URLs can be called"),
        token: Some(SecretString::from("s3cret".to_owned())),
        timeout,
        context: Context {
            auth_url: "http://keystone/v3".to_owned(),
            region_name: Some("RegionOne".to_owned()),
        },
    };
    Arc::new(ExternalService::new(config).expect("the filter can be made"))
}

/// Seconds from [`crate::support::NOW`] to the start of [`lease_body`], which lasts a day.
const TO_START: i64 = 359 * 86_400 + 2 * 3600;

fn duration(seconds: i64) -> Arc<dyn UsageFilter> {
    Arc::new(MaxLeaseDuration {
        seconds: Some(seconds),
        exempt_projects: BTreeSet::from(["p-admin".to_owned()]),
    })
}

async fn answering(template: ResponseTemplate) -> MockServer {
    let service = MockServer::start().await;
    Mock::given(method("POST")).respond_with(template).mount(&service).await;
    service
}

async fn asked_by(service: &MockServer) -> Api {
    Api::start_with_filters(vec![external(&format!("{}/usage/", service.uri()))]).await
}

/// The bodies of the calls of one hook so far.
async fn bodies(service: &MockServer, hook: &str) -> Vec<Value> {
    let calls = service.received_requests().await.expect("calls are kept");
    let calls = calls.iter().filter(|call| call.url.path() == format!("/usage/{hook}"));
    calls.map(|call| call.body_json().expect("bodies are JSON")).collect()
}

fn path_of(lease: &Value) -> String {
    format!("/v1/leases/{}", lease["id"].as_str().expect("an id is text"))
}

async fn shown(api: &Api, lease: &Value) -> Value {
    api.get(&path_of(lease), ADMIN).await.json()["lease"].clone()
}

/// A host as it is told.
fn host(id: &str, name: &str, gpu: &str) -> Value {
    json!({
        "id": id, "vcpus": 4, "cpu_info": "{}", "hypervisor_type": "QEMU", "hypervisor_version": 2_010_001,
        "hypervisor_hostname": name, "service_name": name, "memory_mb": 8192, "local_gb": 100, "status": null,
        "availability_zone": "nova", "trust_id": "", "reservable": true, "created_at": "2050-01-01 10:00:30",
        "updated_at": null, "gpu": gpu,
    })
}

fn with_gpu(mut reservation: Value, gpu: &str) -> Value {
    reservation["resource_properties"] = json!(format!("[\"==\", \"$gpu\", \"{gpu}\"]"));
    reservation
}

fn with(mut value: Value, name: &str, member: Value) -> Value {
    value[name] = member;
    value
}

/// A lease of the API as it is told: dates without a fraction, every reservation with its allocations.
fn told(lease: &Value, allocations: &[Value]) -> Value {
    let whole = |date: &Value| json!(date.as_str().expect("a date is text").replace(".000000", ""));
    let mut lease = lease.clone();
    for name in ["start_date", "end_date"] {
        lease[name] = whole(&lease[name]);
    }
    for event in lease["events"].as_array_mut().expect("a list") {
        event["time"] = whole(&event["time"]);
    }
    let reservations = lease["reservations"].as_array_mut().expect("a list");
    assert_eq!(reservations.len(), allocations.len());
    for (reservation, allocations) in reservations.iter_mut().zip(allocations) {
        reservation["allocations"] = allocations.clone();
    }
    lease
}

fn context() -> Value {
    json!({
        "user_id": "u-member", "project_id": "p-own", "auth_url": "http://keystone/v3", "region_name": "RegionOne",
    })
}

/// Two reservations of hosts with and without a GPU, of which there is one each.
async fn two_hosts(api: &Api) -> (Value, Value, Value) {
    let first = api.host("compute-1", json!({"gpu": "True"})).await;
    let second = api.host("compute-2", json!({"gpu": "False"})).await;
    let wanted = json!([
        with_gpu(physical_host(1, 2), "False"),
        with_gpu(physical_host(1, 1), "True"),
    ]);
    (
        wanted,
        json!([host(&second, "compute-2", "False")]),
        json!([host(&first, "compute-1", "True")]),
    )
}

#[tokio::test]
async fn a_booking_of_hosts_is_told_as_upstream_tells_it() {
    let service = answering(ResponseTemplate::new(204)).await;
    let api = asked_by(&service).await;
    let (wanted, first, second) = two_hosts(&api).await;
    let mut body = lease_body(&wanted);
    body["before_end_date"] = json!("2050-12-26 13:30");
    let answer = api.post("/v1/leases", MEMBER, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let expected = json!({
        "context": context(),
        "lease": {
            "name": "lease_foo",
            "start_date": "2050-12-26T12:00:00",
            "end_date": "2050-12-27T12:00:00",
            "before_end_date": "2050-12-26T13:30:00",
            "user_id": "u-member",
            "project_id": "p-own",
            "status": "CREATING",
            "reservations": [
                with(wanted[0].clone(), "allocations", first),
                with(wanted[1].clone(), "allocations", second),
            ],
        },
    });
    assert_eq!(bodies(&service, "check-create").await, [expected]);
    let calls = service.received_requests().await.expect("calls are kept");
    assert_eq!(calls[0].method.as_str(), "POST");
    assert_eq!(calls[0].headers["X-Auth-Token"], "s3cret");
    assert_eq!(calls[0].headers["Content-Type"], "application/json");
}

#[tokio::test]
async fn a_booking_of_instances_names_a_host_for_every_place() {
    let service = answering(ResponseTemplate::new(204)).await;
    let api = asked_by(&service).await;
    let first = api.host("compute-1", json!({"gpu": "True"})).await;
    let second = api.host("compute-2", json!({"gpu": "False"})).await;
    let wanted = [
        with_gpu(virtual_instance(2), "True"),
        with_gpu(virtual_instance(1), "False"),
    ];
    let answer = api.post("/v1/leases", MEMBER, lease_body(&json!(wanted))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let [two, one] = wanted.map(|reservation| with(reservation, "affinity", Value::Null));
    let (first, second) = (host(&first, "compute-1", "True"), host(&second, "compute-2", "False"));
    let expected = json!({
        "context": context(),
        "lease": {
            "name": "lease_foo",
            "start_date": "2050-12-26T12:00:00",
            "end_date": "2050-12-27T12:00:00",
            "user_id": "u-member",
            "project_id": "p-own",
            "status": "CREATING",
            "reservations": [
                with(two, "allocations", json!([first, first])),
                with(one, "allocations", json!([second])),
            ],
        },
    });
    assert_eq!(bodies(&service, "check-create").await, [expected]);
}

#[tokio::test]
async fn a_booking_of_what_is_no_host_names_addresses_and_units() {
    let service = answering(ResponseTemplate::new(204)).await;
    let api = asked_by(&service).await;
    let body = json!({"floating_network_id": "public", "floating_ip_address": "192.0.2.9"});
    let registered = api.post("/v1/floatingips", ADMIN, body).await.json()["floatingip"].clone();
    let path = format!("/v1/floatingips/{}", registered["id"].as_str().expect("an id is text"));
    // Its times are those of the listing, as everywhere but in the answer to the registration.
    let address = api.get(&path, ADMIN).await.json()["floatingip"].clone();
    let wanted = [
        json!({"resource_type": "virtual:floatingip", "network_id": "public", "amount": 1, "required_floatingips": []}),
        json!({"resource_type": "licence:cad", "amount": 3}),
        json!({"resource_type": "flavor:instance", "flavor_id": "medium", "amount": 1, "affinity": null}),
    ];
    api.host("compute-1", json!({"gpu": "True"})).await;
    let answer = api.post("/v1/leases", MEMBER, lease_body(&json!(wanted))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let told = bodies(&service, "check-create").await.remove(0);
    let reservations = &told["lease"]["reservations"];
    let [first, second, third] = wanted;
    assert_eq!(reservations[0], with(first, "allocations", json!([address])));
    let units = ["a", "b", "c"].map(|unit| json!({"id": format!("licence:cad/{unit}")}));
    assert_eq!(reservations[1], with(second, "allocations", json!(units)));
    assert_eq!(reservations[2]["flavor_id"], third["flavor_id"]);
    assert_eq!(reservations[2]["allocations"][0]["hypervisor_hostname"], "compute-1");
}

#[tokio::test]
async fn a_change_is_told_with_the_lease_as_it_is_and_what_was_supplied() {
    let service = answering(ResponseTemplate::new(204)).await;
    let api = asked_by(&service).await;
    let (wanted, first, second) = two_hosts(&api).await;
    let lease = api.post("/v1/leases", MEMBER, lease_body(&wanted)).await.json()["lease"].clone();
    let current = with(
        told(&lease, &[first.clone(), second.clone()]),
        "status",
        json!("UPDATING"),
    );
    let longer = json!({"end_date": "2050-12-27 13:00", "before_end_date": "2050-12-27 12:30", "name": "longer"});
    // An administrator asks, but the lease is the member's.
    let answer = api.put(&path_of(&lease), ADMIN, longer).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let expected = json!({
        "context": context(),
        "current_lease": current,
        "lease": {
            "name": "longer",
            "start_date": "2050-12-26T12:00:00",
            "end_date": "2050-12-27T13:00:00",
            "before_end_date": "2050-12-27T12:30:00",
            "reservations": current["reservations"],
        },
    });
    assert_eq!(bodies(&service, "check-update").await, [expected]);

    let lease = shown(&api, &lease).await;
    let id = lease["reservations"][0]["id"].clone();
    let change = json!({"reservations": [{"id": id, "max": 1}]});
    let answer = api.put(&path_of(&lease), MEMBER, change).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let expected = json!({
        "context": context(),
        "current_lease": with(told(&lease, &[first.clone(), second]), "status", json!("UPDATING")),
        "lease": {
            "start_date": "2050-12-26T12:00:00",
            "end_date": "2050-12-27T13:00:00",
            "reservations": [{"id": id, "resource_type": "physical:host", "max": 1, "allocations": first}],
        },
    });
    assert_eq!(bodies(&service, "check-update").await[1], expected);

    for nothing in [json!({}), json!({"name": "renamed"})] {
        let answer = api.put(&path_of(&lease), MEMBER, nothing).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    assert_eq!(
        bodies(&service, "check-update").await.len(),
        2,
        "a rename is not asked about"
    );
}

#[tokio::test]
async fn a_change_of_instances_is_told_with_the_places_it_would_have() {
    let service = answering(ResponseTemplate::new(204)).await;
    let api = asked_by(&service).await;
    let id = api.host("compute-1", json!({"gpu": "True"})).await;
    let place = host(&id, "compute-1", "True");
    let body = lease_body(&json!([virtual_instance(1)]));
    let lease = api.post("/v1/leases", MEMBER, body).await.json()["lease"].clone();
    let reservation = lease["reservations"][0]["id"].clone();
    let change = json!({"reservations": [{"id": reservation, "amount": 2, "affinity": "true"}]});
    let answer = api.put(&path_of(&lease), MEMBER, change).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let expected = json!({
        "context": context(),
        "current_lease": with(told(&lease, &[json!([place])]), "status", json!("UPDATING")),
        "lease": {
            "start_date": "2050-12-26T12:00:00",
            "end_date": "2050-12-27T12:00:00",
            "reservations": [{
                "id": reservation, "resource_type": "virtual:instance", "amount": 2, "affinity": true,
                "allocations": [place, place],
            }],
        },
    });
    assert_eq!(bodies(&service, "check-update").await, [expected]);
}

#[tokio::test]
async fn ends_and_deletions_are_told_once() {
    let service = answering(ResponseTemplate::new(204)).await;
    let api = asked_by(&service).await;
    let (wanted, first, second) = two_hosts(&api).await;
    let allocations = [first, second];
    let book = async || {
        let answer = api.post("/v1/leases", MEMBER, lease_body(&wanted)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()["lease"].clone()
    };
    // One that has not started.
    let lease = book().await;
    let answer = api.call(Method::DELETE, &path_of(&lease), MEMBER, Value::Null).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
    assert_eq!(api.get(&path_of(&lease), MEMBER).await.status, StatusCode::NOT_FOUND);
    let ends = bodies(&service, "on-end").await;
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0]["context"], context());
    assert_eq!(ends[0]["lease"]["status"], "DELETING");
    let described = |end: &Value, member: &str| -> Vec<Value> {
        let reservations = end["lease"]["reservations"].as_array().expect("a list").iter();
        reservations.map(|reservation| reservation[member].clone()).collect()
    };
    assert_eq!(described(&ends[0], "allocations"), allocations);

    // One that ends by itself, and is deleted after that.
    let lease = book().await;
    api.clock.advance(TO_START);
    api.until(&lease, "ACTIVE").await;
    let running = shown(&api, &lease).await;
    api.clock.advance(86_400);
    api.until(&lease, "TERMINATED").await;
    let ends = bodies(&service, "on-end").await;
    assert_eq!(ends.len(), 2);
    assert_eq!(ends[1]["lease"]["status"], "TERMINATING");
    assert_eq!(ends[1]["lease"]["id"], lease["id"]);
    let mut expected = told(&running, &allocations);
    for changing in ["status", "events", "updated_at"] {
        expected[changing] = ends[1]["lease"][changing].clone();
    }
    assert_eq!(ends[1], json!({"context": context(), "lease": expected}));
    let answer = api.call(Method::DELETE, &path_of(&lease), MEMBER, Value::Null).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
    assert_eq!(bodies(&service, "on-end").await.len(), 2, "it had ended");
}

#[tokio::test]
async fn a_service_that_cannot_be_told_holds_no_end_up() {
    let service = MockServer::start().await;
    Mock::given(path("/usage/on-end"))
        .respond_with(ResponseTemplate::new(500))
        .mount(&service)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&service)
        .await;
    let api = asked_by(&service).await;
    api.host("compute-1", json!({})).await;
    let lease = api.lease(MEMBER).await;
    let answer = api.call(Method::DELETE, &path_of(&lease), MEMBER, Value::Null).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
    assert_eq!(api.get(&path_of(&lease), MEMBER).await.status, StatusCode::NOT_FOUND);
    let lease = api.lease(MEMBER).await;
    api.clock.advance(TO_START);
    api.until(&lease, "ACTIVE").await;
    api.clock.advance(86_400);
    api.until(&lease, "TERMINATED").await;
    assert_eq!(bodies(&service, "on-end").await.len(), 2);
}

fn assert_denied(answer: &Answer, text: &str, case: &str) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{case}: {}", answer.text);
    assert_eq!(
        answer.json(),
        json!({"error_code": 400, "error_message": text, "error_name": 400}),
        "{case}"
    );
}

/// Whatever the service says, a lease is booked and changed only after a "yes".
#[tokio::test]
async fn only_204_allows() {
    let (yes, elsewhere) = (
        answering(ResponseTemplate::new(204)).await,
        answering(ResponseTemplate::new(204)).await,
    );
    let refused = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        drop(listener);
        format!("http://{address}/usage/")
    };
    let json_403 = |body: Value| ResponseTemplate::new(403).set_body_json(body);
    let huge = "x".repeat(1 << 20);
    let cases = [
        ("200", ResponseTemplate::new(200), DENIED),
        ("201", ResponseTemplate::new(201), DENIED),
        (
            "403 with a text",
            json_403(json!({"message": "Too much. \u{fc}"})),
            "Too much. \u{fc}",
        ),
        ("403 without a body", ResponseTemplate::new(403), DENIED),
        (
            "403 not JSON",
            ResponseTemplate::new(403).set_body_string("<html>no</html>"),
            DENIED,
        ),
        ("403 without a message", json_403(json!({"error": "no"})), DENIED),
        ("403 with a number", json_403(json!({"message": 7})), DENIED),
        ("403 with a list", json_403(json!(["message"])), DENIED),
        ("403 huge", json_403(json!({"message": huge})), DENIED),
        ("401", ResponseTemplate::new(401), DENIED),
        (
            "500",
            ResponseTemplate::new(500).set_body_json(json!({"message": "broken"})),
            DENIED,
        ),
        (
            "redirect",
            ResponseTemplate::new(307).insert_header("Location", format!("{}/usage/check-create", elsewhere.uri())),
            DENIED,
        ),
        ("hang", ResponseTemplate::new(204).set_delay(2 * PATIENCE), DENIED),
    ];
    let mut services = Vec::new();
    for (case, template, text) in cases {
        let service = answering(template).await;
        services.push((case, format!("{}/usage/", service.uri()), text, Some(service)));
    }
    services.push(("nobody there", refused, DENIED, None));
    for (case, base, text, service) in services {
        let timeout = if case == "hang" {
            Duration::from_secs(2)
        } else {
            PATIENCE
        };
        let api = Api::start_with_filters(vec![external_within(&base, None, timeout)]).await;
        api.host("compute-1", json!({})).await;
        let body = lease_body(&json!([physical_host(1, 1)]));
        assert_denied(&api.post("/v1/leases", MEMBER, body.clone()).await, text, case);
        let leases = api.get("/v1/leases", ADMIN).await.json();
        assert_eq!(leases, json!({"leases": []}), "{case}");
        if let Some(service) = &service {
            assert_eq!(bodies(service, "check-create").await.len(), 1, "{case}");
        }
        // The same answer to a change of a lease whose booking somebody else allows.
        let api = Api::start_with_filters(vec![external_within(&base, Some(&yes.uri()), timeout)]).await;
        api.host("compute-1", json!({})).await;
        let lease = api.post("/v1/leases", MEMBER, body).await.json()["lease"].clone();
        let change = json!({"name": "other", "end_date": "2050-12-28 12:00"});
        assert_denied(&api.put(&path_of(&lease), MEMBER, change).await, text, case);
        assert_eq!(shown(&api, &lease).await, lease, "{case}");
    }
    let followed = elsewhere.received_requests().await.expect("calls are kept");
    assert!(followed.is_empty(), "a redirect was followed");
}

#[tokio::test]
async fn v9_usage_enforcement_follows_no_redirect() {
    let thief = answering(ResponseTemplate::new(204)).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/usage/check-create", thief.uri());
        let service = answering(ResponseTemplate::new(status).insert_header("Location", location)).await;
        let api = asked_by(&service).await;
        api.host("compute-1", json!({})).await;
        let answer = api
            .post("/v1/leases", MEMBER, lease_body(&json!([physical_host(1, 1)])))
            .await;
        assert_denied(&answer, DENIED, &status.to_string());
        assert_eq!(bodies(&service, "check-create").await.len(), 1, "{status}");
    }
    let stolen = thief.received_requests().await.expect("calls are kept");
    assert!(stolen.is_empty(), "a redirect was followed");
}

#[tokio::test]
async fn leases_longer_than_the_limit_are_denied() {
    let service = answering(ResponseTemplate::new(204)).await;
    let filters = vec![duration(86_400), external(&format!("{}/usage/", service.uri()))];
    let api = Api::start_with_filters(filters).await;
    api.host("compute-1", json!({})).await;
    let mut body = lease_body(&json!([physical_host(1, 1)]));
    let lease = api.post("/v1/leases", MEMBER, body.clone()).await.json()["lease"].clone();
    assert_eq!(bodies(&service, "check-create").await.len(), 1);
    let text = "Lease duration of 86460 seconds must be less than or equal to the maximum lease duration of 86400 \
                seconds.";
    body["start_date"] = json!("2050-11-25 11:59");
    body["end_date"] = json!("2050-11-26 12:00");
    assert_denied(&api.post("/v1/leases", MEMBER, body.clone()).await, text, "create");
    assert_eq!(
        bodies(&service, "check-create").await.len(),
        1,
        "the first denial is the answer"
    );
    let longer = json!({"end_date": "2050-12-27 12:01"});
    assert_denied(&api.put(&path_of(&lease), MEMBER, longer.clone()).await, text, "update");
    // The limit is that of the lease's owner, whoever asks.
    assert_denied(&api.put(&path_of(&lease), ADMIN, longer).await, text, "update");
    assert_eq!(shown(&api, &lease).await, lease);
    let moved = json!({"start_date": "2050-12-26 13:00", "end_date": "2050-12-27 13:00"});
    let answer = api.put(&path_of(&lease), MEMBER, moved).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = api.post("/v1/leases", ADMIN, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "exempt: {}", answer.text);
}

/// What there are no hosts for is refused before anybody is asked.
#[tokio::test]
async fn a_shortage_is_answered_as_one() {
    let service = answering(ResponseTemplate::new(403)).await;
    let api = asked_by(&service).await;
    api.host("compute-1", json!({})).await;
    let answer = api
        .post("/v1/leases", MEMBER, lease_body(&json!([physical_host(2, 2)])))
        .await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert!(
        answer.message().starts_with("Not enough hosts available"),
        "{}",
        answer.text
    );
    assert!(answer.json()["conflict"].is_object(), "{}", answer.text);
    assert_eq!(bodies(&service, "check-create").await, [] as [Value; 0]);
}

/// Changes the very lease it is asked about, the first time.
struct Meddler {
    router: OnceLock<axum::Router>,
    meddled: AtomicBool,
}

#[async_trait]
impl UsageFilter for Meddler {
    fn name(&self) -> &'static str {
        "Meddler"
    }

    async fn check_create(&self, _: Booking<'_>) -> Result<(), Denial> {
        Ok(())
    }

    async fn check_update(&self, amendment: Amendment<'_>) -> Result<(), Denial> {
        if self.meddled.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let request = Request::put(format!("/v1/leases/{}", amendment.current.id))
            .header("X-Auth-Token", ADMIN)
            .body(Body::from(json!({"start_date": "2050-12-26 11:00"}).to_string()))
            .expect("the request is well formed");
        let router = self.router.get().expect("the service runs").clone();
        let answer = router.oneshot(request).await.expect("the router cannot fail");
        assert_eq!(answer.status(), StatusCode::OK);
        Ok(())
    }

    async fn on_end(&self, _: Ending<'_>) -> Result<(), NotTold> {
        Ok(())
    }
}

/// Each of two changes would be allowed, both together are not: the second is asked about again.
#[tokio::test]
async fn what_is_changed_is_what_was_asked_about() {
    let meddler = Arc::new(Meddler {
        router: OnceLock::new(),
        meddled: AtomicBool::new(false),
    });
    let api = Api::start_with_filters(vec![duration(25 * 3600), meddler.clone()]).await;
    meddler.router.set(api.router.clone()).expect("it is set once");
    api.host("compute-1", json!({})).await;
    let lease = api.lease(MEMBER).await;
    let longer = json!({"end_date": "2050-12-27 13:00"});
    let text = "Lease duration of 93600 seconds must be less than or equal to the maximum lease duration of 90000 \
                seconds.";
    assert_denied(&api.put(&path_of(&lease), MEMBER, longer).await, text, "both");
    let lease = shown(&api, &lease).await;
    assert_eq!(lease["start_date"], "2050-12-26T11:00:00.000000");
    assert_eq!(lease["end_date"], "2050-12-27T12:00:00.000000");
}
