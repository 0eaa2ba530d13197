//! Usage filters are told of ends whatever happens, hold none up, and are chosen by configuration.

use std::process::{Command, Output};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use planner_core::domain::{EventType, LeaseStatus};
use planner_core::usage::{Amendment, Booking, Denial, Ending, NotTold, UsageFilter};
use plugin_api::{NoObserver, StepObserver};
use serde_json::json;

use crate::crash::{DieAt, silence_expected_panics};
use crate::program::{Program, host, lease};
use crate::world::{NOON, Outside, World, assert_given_back, caller, settings};

const HOSTS: [&str; 2] = ["c1", "c2"];

/// Allows everything and remembers which ends it was told of, with how many hosts.
#[derive(Default)]
struct Recorder(Mutex<Vec<(String, usize)>>);

impl Recorder {
    fn told(&self) -> Vec<(String, usize)> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl UsageFilter for Recorder {
    fn name(&self) -> &'static str {
        "Recorder"
    }

    async fn check_create(&self, _: Booking<'_>) -> Result<(), Denial> {
        Ok(())
    }

    async fn check_update(&self, _: Amendment<'_>) -> Result<(), Denial> {
        Ok(())
    }

    async fn on_end(&self, ending: Ending<'_>) -> Result<(), NotTold> {
        let hosts = ending.resources.iter().map(Vec::len).sum();
        self.0.lock().unwrap().push((ending.lease.id.clone(), hosts));
        Ok(())
    }
}

async fn start(outside: Outside, steps: Arc<dyn StepObserver>, recorder: &Arc<Recorder>) -> World {
    World::start_enforced(outside, settings(), steps, vec![recorder.clone()]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_told_also_when_the_process_dies_at_any_step() {
    silence_expected_panics();
    for step in 1.. {
        let world = World::start(Outside::new(&HOSTS)).await;
        world.register(&HOSTS).await;
        let lease = world.book(NOON, NOON + 600, 2).await;
        world.advance_to_status(&lease.id, NOON + 60, LeaseStatus::Active).await;
        let outside = world.stop().await;
        outside.clock.set(NOON + 600);
        let recorder = Arc::new(Recorder::default());
        let observer = DieAt::new(step);
        let mut world = start(outside, observer.clone(), &recorder).await;
        world
            .advance_until(&lease.id, NOON + 630, |lease| {
                observer.died.load(Ordering::SeqCst) || lease.unwrap().status == LeaseStatus::Terminated
            })
            .await;
        let died = observer.died.load(Ordering::SeqCst);
        if died {
            world = start(world.kill(), Arc::new(NoObserver), &recorder).await;
            world
                .advance_to_status(&lease.id, NOON + 1200, LeaseStatus::Terminated)
                .await;
        }
        let told = recorder.told();
        assert!(!told.is_empty(), "step {step}");
        assert!(told.iter().all(|told| *told == (lease.id.clone(), 2)), "{told:?}");
        world.stop().await;
        if !died {
            assert_eq!(told.len(), 1);
            assert!(step > 6, "an end has steps: {step}");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_put_off_is_told_once() {
    let recorder = Arc::new(Recorder::default());
    let world = start(Outside::new(&HOSTS), Arc::new(NoObserver), &recorder).await;
    world.register(&HOSTS).await;
    let lease = world.book(NOON, NOON + 600, 2).await;
    world.advance_to_status(&lease.id, NOON + 60, LeaseStatus::Active).await;
    world.outside.cloud.go_down("connection refused");
    world.outside.clock.set(NOON + 600);
    world
        .advance_until(&lease.id, NOON + 700, |lease| {
            lease.unwrap().event(EventType::EndLease).unwrap().attempts >= 3
        })
        .await;
    world.outside.cloud.heal();
    world
        .advance_to_status(&lease.id, NOON + 1200, LeaseStatus::Terminated)
        .await;
    assert_eq!(recorder.told(), [(lease.id.clone(), 2)]);
    world.stop().await;
}

/// A lease that has not started has nothing in the cloud: deleting it needs no cloud, also when somebody is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_pending_lease_is_deleted_without_the_cloud() {
    let recorder = Arc::new(Recorder::default());
    let world = start(Outside::new(&HOSTS), Arc::new(NoObserver), &recorder).await;
    world.register(&HOSTS).await;
    let lease = world.book(NOON + 600, NOON + 1200, 2).await;
    world.outside.cloud.go_down("connection refused");
    world.service.delete_lease(&caller(), &lease.id).await.unwrap();
    assert!(world.lease(&lease.id).await.is_none());
    assert_eq!(recorder.told(), [(lease.id.clone(), 2)]);
    // Its hosts can be booked at once.
    world.book(NOON + 600, NOON + 1200, 2).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_lease_that_is_deleted_is_told_and_given_back() {
    let recorder = Arc::new(Recorder::default());
    let world = start(Outside::new(&HOSTS), Arc::new(NoObserver), &recorder).await;
    world.register(&HOSTS).await;
    let lease = world.book(NOON, NOON + 3600, 2).await;
    world.advance_to_status(&lease.id, NOON + 60, LeaseStatus::Active).await;
    world.service.delete_lease(&caller(), &lease.id).await.unwrap();
    assert_eq!(recorder.told(), [(lease.id.clone(), 2)]);
    assert_given_back(&world.outside, &[lease.reservations[0].id.clone()], &HOSTS);
    world.stop().await;
}

fn serve(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_berth"))
        .arg("serve")
        .args(arguments)
        .env("BERTH_EXTERNAL_SERVICE_TOKEN", "s3cret-token")
        .output()
        .expect("the program runs")
}

#[test]
fn filters_that_cannot_be_used_stop_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let conf = folder.path().join("blazar.conf");
    std::fs::write(
        &conf,
        "[enforcement]\nenabled_filters = MaxLeaseDurationFilter,Nonsense\n",
    )
    .unwrap();
    let cases: [(&[&str], &[&str]); 4] = [
        (
            &["--enabled-filters", "Nonsense"],
            &["Nonsense", "MaxLeaseDurationFilter", "ExternalServiceFilter"],
        ),
        (
            &["--config", conf.to_str().unwrap()],
            &["Nonsense", "MaxLeaseDurationFilter", "ExternalServiceFilter"],
        ),
        (
            &["--enabled-filters", "ExternalServiceFilter"],
            &["external_service_base_endpoint", "external_service_on_end_endpoint"],
        ),
        (
            &[
                "--enabled-filters=ExternalServiceFilter",
                "--external-service-base-endpoint=ftp://filter/",
            ],
            &["external_service_base_endpoint", "http or https"],
        ),
    ];
    for (arguments, expected) in cases {
        let output = serve(&[&["--data", data], arguments].concat());
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        for word in expected {
            assert!(text.contains(word), "{arguments:?}: {text}");
        }
    }
    let help = serve(&["--help"]);
    let text = String::from_utf8_lossy(&help.stdout);
    assert!(text.contains("--external-service-token"), "{text}");
    assert!(!text.contains("s3cret-token"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configured_limit_holds() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("berth.toml");
    std::fs::write(
        &file,
        "enabled_filters = \"MaxLeaseDurationFilter\"\nmax_lease_duration = 3600\n",
    )
    .unwrap();
    let data = folder.path().join("data");
    let program = Program::start(
        &["--data", data.to_str().unwrap(), "--config", file.to_str().unwrap()],
        &[],
    );
    let (status, body) = program.post("/v1/os-hosts", &host("h1")).await;
    assert_eq!(status, 201, "{body}");
    let long = lease("long", "2050-01-01 10:00", "2050-01-01 11:01", 1);
    let (status, body) = program.post("/v1/leases", &long).await;
    assert_eq!(status, 400, "{body}");
    assert_eq!(
        body["error_message"],
        "Lease duration of 3660 seconds must be less than or equal to the maximum lease duration of 3600 seconds."
    );
    let short = lease("short", "2050-01-01 10:00", "2050-01-01 11:00", 1);
    let (status, body) = program.post("/v1/leases", &short).await;
    assert_eq!(status, 201, "{body}");
    let path = format!("/v1/leases/{}", body["lease"]["id"].as_str().unwrap());
    let (status, body) = program.put(&path, &json!({"end_date": "2050-01-01 11:01"})).await;
    assert_eq!(status, 400, "{body}");
}
