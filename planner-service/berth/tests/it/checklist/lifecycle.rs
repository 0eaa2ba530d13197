//! Lines about what happens in the cloud and what others are told: 11 to 13 and 18.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use enforcement::{Context, Endpoints, ExternalService, ExternalServiceConfig};
use planner_core::domain::{LeaseStatus, Notification};
use planner_core::notification::{NotificationSink, Notifications, SinkError};
use planner_core::ports::Clock as _;
use presentation::notification::LeasePayload;
use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{ADMIN, Deployment, HOSTS, MEMBER, NOW, hosts, id, instances, path};
use crate::notifications::MEMBERS;
use crate::world::Outside;

const END: &str = "2030-03-17 18:00";
/// [`END`] in seconds from [`NOW`].
const TO_END: i64 = 12 * 60 + 30;

/// Names and metadata of aggregates, flavors, classes and providers; hosts leave the freepool for whole-host
/// reservations and stay in it for instances.
#[tokio::test(flavor = "multi_thread")]
async fn line_11_the_cloud_looks_as_nova_and_its_filter_expect() {
    let api = Deployment::start().await;
    let lease = api
        .lease("now", END, &json!([hosts(1, 1), instances(2, json!(false))]))
        .await;
    api.advance(&lease, NOW + 60, LeaseStatus::Active).await;
    let cloud = api.world.outside.cloud.snapshot();
    let freepool = &cloud.aggregates["freepool"];

    let whole = id(&lease["reservations"][0]);
    let aggregate = &cloud.aggregates[whole];
    assert_eq!(aggregate.availability_zone, Some(format!("blazar_{whole}")));
    assert_eq!(aggregate.metadata.get("blazar:owner"), Some(&"physics".to_owned()));
    assert_eq!(aggregate.hosts.len(), 1);
    assert!(
        !freepool.hosts.contains(&aggregate.hosts[0]),
        "a reserved host is in the freepool"
    );

    let some = id(&lease["reservations"][1]);
    let aggregate = &cloud.aggregates[some];
    assert_eq!(aggregate.availability_zone, None);
    assert_eq!(aggregate.metadata.get("reservation"), Some(&some.to_owned()));
    assert_eq!(aggregate.metadata.get("filter_tenant_id"), Some(&"physics".to_owned()));
    assert_eq!(aggregate.metadata.get("blazar:owner"), Some(&"physics".to_owned()));
    assert!(aggregate.metadata.contains_key("affinity_id"), "{aggregate:?}");
    assert!(
        aggregate.hosts.iter().all(|host| freepool.hosts.contains(host)),
        "a shared host left the freepool"
    );

    let class = format!("CUSTOM_RESERVATION_{}", some.to_uppercase().replace('-', "_"));
    let flavor = &cloud.flavors[some];
    assert_eq!(flavor.flavor.name, format!("reservation:{some}"));
    assert_eq!(
        (flavor.flavor.vcpus, flavor.flavor.memory_mb, flavor.flavor.disk_gb),
        (4, 1024, 0)
    );
    assert!(flavor.access.contains("physics"));
    let spec = |name: &str| flavor.extra_specs.get(name).cloned();
    assert_eq!(
        spec("aggregate_instance_extra_specs:reservation"),
        Some(some.to_owned())
    );
    assert_eq!(spec(&format!("resources:{class}")), Some("1".to_owned()));
    assert!(spec("affinity_id").is_some());
    assert!(cloud.classes.contains(&class));
    assert_eq!(cloud.server_groups[0].0, format!("reservation:{some}"));
    assert_eq!(cloud.server_groups[0].2, ["anti-affinity"]);
    let places: i64 = HOSTS
        .iter()
        .filter_map(|host| api.world.outside.cloud.inventory(&format!("blazar_{host}"), &class))
        .sum();
    assert_eq!(places, 2);
}

/// Servers are deleted at the end and at the deletion of a lease that runs; the host is in the freepool again, the
/// aggregate gone; the statuses everything ends in.
#[tokio::test(flavor = "multi_thread")]
async fn line_12_an_end_gives_everything_back() {
    let api = Deployment::start().await;
    let cloud = api.world.outside.cloud.clone();
    for deleted in [false, true] {
        let lease = api.lease("now", END, &json!([hosts(2, 2)])).await;
        api.running(&lease).await;
        let reservation = id(&lease["reservations"][0]).to_owned();
        let aggregate = cloud.aggregate(&reservation).expect("the aggregate exists");
        for host in &aggregate.hosts {
            cloud.boot(host, "physics", "worker");
        }
        if deleted {
            assert_eq!(api.delete(&path(&lease), MEMBER).await.status, 204);
            assert_eq!(api.get(&path(&lease), MEMBER).await.status, 404);
        } else {
            let early = json!({"end_date": "2030-03-17 17:50"});
            assert_eq!(api.put(&path(&lease), MEMBER, &early).await.status, 200);
            api.advance(&lease, NOW + TO_END, LeaseStatus::Terminated).await;
            let ended = api.shown(&lease).await;
            assert_eq!(
                (&ended["status"], &ended["reservations"][0]["status"]),
                (&json!("TERMINATED"), &json!("deleted"))
            );
            let events = ended["events"].as_array().unwrap();
            let end = events.iter().find(|event| event["event_type"] == "end_lease").unwrap();
            assert_eq!(end["status"], "DONE");
            assert_eq!(api.delete(&path(&lease), MEMBER).await.status, 204);
        }
        assert!(cloud.servers().is_empty(), "{:?}", cloud.servers());
        assert!(cloud.aggregate(&reservation).is_none());
        for host in &aggregate.hosts {
            assert_eq!(cloud.aggregates_of(host), ["freepool"]);
        }
    }
}

/// A lease from now on is ACTIVE within ten seconds.
#[tokio::test(flavor = "multi_thread")]
async fn line_13_a_lease_from_now_on_is_active_within_seconds() {
    let api = Deployment::start().await;
    let lease = api.lease("now", END, &json!([hosts(1, 1)])).await;
    api.advance(&lease, NOW + 10, LeaseStatus::Active).await;
    assert!(api.world.outside.clock.now() <= NOW + 10);
    let lease = api.shown(&lease).await;
    assert_eq!(
        (&lease["status"], &lease["reservations"][0]["status"]),
        (&json!("ACTIVE"), &json!("active"))
    );
}

/// Keeps what it is told.
#[derive(Default)]
struct Listener(Mutex<Vec<(String, Value)>>);

#[async_trait]
impl NotificationSink for Listener {
    async fn send(&self, notification: &Notification) -> Result<(), SinkError> {
        let payload = serde_json::from_str(&notification.payload).unwrap();
        self.0
            .lock()
            .unwrap()
            .push((notification.event_type.to_string(), payload));
        Ok(())
    }
}

/// Types and members of notifications; the shape of what the external service is asked.
#[tokio::test(flavor = "multi_thread")]
async fn line_18_notifications_and_enforcement_have_upstreams_shapes() {
    let operator = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&operator)
        .await;
    let filter = ExternalService::new(ExternalServiceConfig {
        endpoints: Endpoints::new(Some(&format!("{}/", operator.uri())), None, None, None).unwrap(),
        token: None,
        timeout: std::time::Duration::from_mins(1),
        context: Context {
            auth_url: "http://keystone/v3".to_owned(),
            region_name: Some("RegionOne".to_owned()),
        },
    });
    let listener = Arc::new(Listener::default());
    let outside = Outside {
        notifications: Some(Notifications {
            outlet: String::new(),
            format: Arc::new(LeasePayload),
            sink: listener.clone(),
        }),
        ..Outside::new(&HOSTS)
    };
    let api = Deployment::start_with(outside, vec![Arc::new(filter.unwrap())]).await;
    let lease = api.lease("now", END, &json!([hosts(1, 1)])).await;
    api.running(&lease).await;
    let earlier = api
        .put(&path(&lease), MEMBER, &json!({"end_date": "2030-03-17 17:55"}))
        .await;
    assert_eq!(earlier.status, 200, "{}", earlier.text);
    api.advance(&lease, NOW + TO_END, LeaseStatus::Terminated).await;
    assert_eq!(api.delete(&path(&lease), ADMIN).await.status, 204);
    let expected = [
        "lease.create",
        "lease.event.start_lease",
        "lease.update",
        "lease.event.before_end_lease",
        "lease.event.end_lease",
        "lease.delete",
    ];
    let told = || -> Vec<String> {
        listener
            .0
            .lock()
            .unwrap()
            .iter()
            .map(|(kind, _)| kind.clone())
            .collect()
    };
    let waiting = async {
        while told().last().is_none_or(|kind| kind != "lease.delete") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), waiting)
        .await
        .expect("everything is told");
    let mut kinds = told();
    for kind in expected {
        assert!(kinds.iter().any(|told| told == kind), "{kind}: {kinds:?}");
    }
    kinds.retain(|kind| !expected.contains(&kind.as_str()) && kind != "lease.event.before_end_lease.stop");
    assert_eq!(kinds, Vec::<String>::new());
    for (kind, payload) in listener.0.lock().unwrap().iter() {
        let mut members: Vec<&str> = payload.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, MEMBERS, "{kind}");
    }

    let calls = operator.received_requests().await.unwrap();
    let asked = |hook: &str| -> Value {
        let call = calls.iter().find(|call| call.url.path() == hook);
        call.unwrap_or_else(|| panic!("{hook} was not called"))
            .body_json()
            .unwrap()
    };
    let context = json!({"user_id": "member-user", "project_id": "physics", "auth_url": "http://keystone/v3", "region_name": "RegionOne"});
    let create = asked("/check-create");
    assert_eq!(create["context"], context);
    assert_eq!(
        (&create["lease"]["start_date"], &create["lease"]["status"]),
        (&json!("2030-03-17T17:47:00"), &json!("CREATING"))
    );
    let host = &create["lease"]["reservations"][0]["allocations"][0];
    assert!(
        host["id"].is_string() && host["hypervisor_hostname"].is_string() && host["rack"].is_string(),
        "{host}"
    );
    let update = asked("/check-update");
    assert_eq!(update["context"], context);
    assert_eq!(update["current_lease"]["id"], lease["id"]);
    assert_eq!(update["lease"]["end_date"], "2030-03-17T17:55:00");
    let end = asked("/on-end");
    assert_eq!((&end["context"], &end["lease"]["id"]), (&context, &lease["id"]));
}
