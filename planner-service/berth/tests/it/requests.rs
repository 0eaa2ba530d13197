//! What people ask for in property expressions, and which hosts they get.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::program::Program;

/// Three hosts that differ in everything.
fn hosts() -> [Value; 3] {
    let host = |name, vcpus, memory, disk, zone, more: Value| {
        let mut host = json!({
            "name": name, "vcpus": vcpus, "memory_mb": memory, "local_gb": disk, "availability_zone": zone
        });
        host.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        host
    };
    [
        host("small", "8", "16384", "100", "east", json!({"gpu": "False"})),
        host(
            "large",
            "64",
            "262144",
            "2000",
            "west",
            json!({"gpu": "True", "gpus": "10"}),
        ),
        host(
            "dense",
            "16",
            "65536",
            "500",
            "west",
            json!({"gpu": "True", "gpus": "9", "rack": "r7"}),
        ),
    ]
}

/// Names of the hosts that satisfy both expressions: the most that three may be had of, in a month of its own.
async fn suitable(
    program: &Program,
    month: usize,
    hypervisor: &str,
    resource: &str,
) -> Result<BTreeSet<String>, Value> {
    let body = json!({
        "name": "asks", "start_date": format!("20{}-{:02}-01 00:00", 40 + month / 12, 1 + month % 12),
        "end_date": format!("20{}-{:02}-02 00:00", 40 + month / 12, 1 + month % 12),
        "reservations": [{
            "resource_type": "physical:host", "min": 1, "max": 3,
            "hypervisor_properties": hypervisor, "resource_properties": resource
        }]
    });
    let (status, body) = program.post("/v1/leases", &body).await;
    if status != 201 {
        return Err(json!({"status": status, "message": body["error_message"]}));
    }
    let id = body["lease"]["id"].as_str().unwrap().to_owned();
    let (_, allocations) = program.get(&format!("/v1/os-hosts/allocations?lease_id={id}")).await;
    let (_, hosts) = program.get("/v1/os-hosts").await;
    let name = |id: &Value| {
        let mut hosts = hosts["hosts"].as_array().unwrap().iter();
        hosts.find(|host| host["id"] == *id).unwrap()["hypervisor_hostname"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let holds = |entry: &&Value| !entry["reservations"].as_array().unwrap().is_empty();
    Ok(allocations["allocations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(holds)
        .map(|entry| name(&entry["resource_id"]))
        .collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_select_the_hosts_they_describe() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(
        &["--data", folder.path().to_str().unwrap()],
        &[("OS_REGION_NAME", "north")],
    );
    for host in hosts() {
        let (status, body) = program.post("/v1/os-hosts", &host).await;
        assert_eq!(status, 201, "{body}");
    }
    let table: [(&str, &str, &[&str]); 18] = [
        ("", "", &["dense", "large", "small"]),
        (r#"[">=", "$vcpus", "16"]"#, "", &["dense", "large"]),
        (r#"[">", "$cpu_cores", "16"]"#, "", &["large"]),
        (r#"[">=", "$memory_mb", "65536"]"#, "", &["dense", "large"]),
        (r#"[">=", "$free_ram_mb", "65536"]"#, "", &["dense", "large"]),
        (r#"["<", "$free_disk_gb", "500"]"#, "", &["small"]),
        (r#"["==", "$availability_zone", "west"]"#, "", &["dense", "large"]),
        (r#"["==", "$zone", "east"]"#, "", &["small"]),
        (r#"["==", "$region", "north"]"#, "", &["dense", "large", "small"]),
        ("", r#"["==", "$gpu", "True"]"#, &["dense", "large"]),
        ("", r#"["==", "$capabilities:gpu", "True"]"#, &["dense", "large"]),
        // As numbers: by text "10" would be less than "9".
        ("", r#"[">=", "$gpus", "9"]"#, &["dense", "large"]),
        // A host without the capability never matches, not even what it is not.
        ("", r#"["!=", "$rack", "r1"]"#, &["dense"]),
        (r#"["==", "$hypervisor_hostname", "small"]"#, "", &["small"]),
        (
            r#"["and", [">=", "$vcpus", "8"], ["and", ["==", "$gpu", "True"], ["==", "$rack", "r7"]]]"#,
            "",
            &["dense"],
        ),
        (
            r#"["or", ["==", "$rack", "r7"], ["==", "$zone", "east"]]"#,
            "",
            &["dense", "small"],
        ),
        (r#"[">=", "$vcpus", "16"]"#, r#"["==", "$gpus", "10"]"#, &["large"]),
        ("[]", "[]", &["dense", "large", "small"]),
    ];
    for (month, (hypervisor, resource, expected)) in table.into_iter().enumerate() {
        let expected: BTreeSet<String> = expected.iter().map(|&name| name.to_owned()).collect();
        let got = suitable(&program, month, hypervisor, resource).await;
        assert_eq!(got, Ok(expected), "{hypervisor} {resource}");
    }
    let nowhere = suitable(&program, 100, "", r#"["==", "$colour", "red"]"#)
        .await
        .unwrap_err();
    assert_eq!(nowhere["status"], 409);
    assert!(
        nowhere["message"]
            .as_str()
            .unwrap()
            .starts_with("Not enough hosts available"),
        "{nowhere}"
    );
    for malformed in [
        r#"["in", "$vcpus", "8"]"#,
        r#"["==", "$vcpus", 8]"#,
        r#"["=="]"#,
        "vcpus",
        r#"["and"]"#,
        r#"{"a": 1}"#,
    ] {
        let refused = suitable(&program, 100, malformed, "").await.unwrap_err();
        assert_eq!(refused["status"], 400, "{malformed}");
        assert!(
            refused["message"]
                .as_str()
                .unwrap()
                .starts_with("Malformed requirements "),
            "{refused}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_why_in_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(&["--data", folder.path().to_str().unwrap()], &[]);
    for host in hosts() {
        assert_eq!(program.post("/v1/os-hosts", &host).await.0, 201);
    }
    let lease = |hosts| crate::program::lease("many", "2040-01-01 00:00", "2040-01-02 00:00", hosts);
    assert_eq!(program.post("/v1/leases", &lease(2)).await.0, 201);
    let (status, body) = program.post("/v1/leases", &lease(2)).await;
    assert_eq!((status, &body["error_code"]), (409, &json!(409)));
    let text = body["error_message"].as_str().unwrap();
    assert!(text.starts_with("Not enough hosts available: "), "{text}");
    assert!(
        text.contains('4') && text.contains('3'),
        "four are needed, three exist: {text}"
    );
}
