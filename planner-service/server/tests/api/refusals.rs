//! What a refusal says: whole sentences, as users read them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{ADMIN, Api, MEMBER, OTHER, lease_body, physical_host, virtual_instance};

async fn hosts(count: usize) -> Api {
    let api = Api::start().await;
    for number in 0..count {
        api.host(&format!("compute-{number}"), json!({})).await;
    }
    api
}

/// The body of a refusal, whose text is `Not enough hosts available: ` and this.
async fn refused(api: &Api, body: Value, reason: &str) -> Value {
    let answer = api.post("/v1/leases", MEMBER, body).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert_eq!(answer.message(), format!("Not enough hosts available: {reason}"));
    answer.json()
}

#[tokio::test]
async fn b1_what_is_left_agrees_with_the_offer() {
    let api = hosts(10).await;
    for _ in 0..9 {
        api.lease(OTHER).await;
    }
    let reason = "at 2050-12-26T12:00Z, 11 hosts are needed by your request (10) and by earlier leases (1); 10 exist; \
                  all earlier leases together need 9, so at most 1 can be yours (too few until 2050-12-27T12:00Z)";
    let body = refused(&api, lease_body(&json!([physical_host(10, 10)])), reason).await;
    assert_eq!(
        (&body["conflict"]["hosts_needed"], &body["conflict"]["hosts_exist"]),
        (&json!(11), &json!(10))
    );
    let amounts: Vec<&Value> = body["offers"].as_array().expect("a list").iter().collect();
    let amount = amounts.iter().find(|offer| offer["change"] == "amount").expect("fewer");
    assert_eq!(amount["amount"], 1);
}

#[tokio::test]
async fn b1_nothing_is_left_where_all_is_taken() {
    let api = hosts(1).await;
    api.lease(OTHER).await;
    let reason = "at 2050-12-26T12:00Z, 2 hosts are needed by your request (1) and by earlier leases (1); 1 exists, so \
                  none is left for your request (too few until 2050-12-27T12:00Z)";
    refused(&api, lease_body(&json!([physical_host(1, 1)])), reason).await;
}

/// Whole hosts are not told in amounts of memory only because instances wait for other hosts.
#[tokio::test]
async fn b3_whole_hosts_are_counted_in_hosts_beside_instances() {
    let api = hosts(2).await;
    let mut far = lease_body(&json!([virtual_instance(1)]));
    (far["start_date"], far["end_date"]) = (json!("2050-12-30 12:00"), json!("2050-12-31 12:00"));
    assert_eq!(api.post("/v1/leases", OTHER, far).await.status, StatusCode::CREATED);
    api.lease(OTHER).await;
    let reason = "at 2050-12-26T12:00Z, 3 hosts are needed by your request (2) and by earlier leases (1); 2 exist, so at \
                  most 1 can be yours (too few until 2050-12-27T12:00Z)";
    let body = refused(&api, lease_body(&json!([physical_host(2, 2)])), reason).await;
    assert_eq!(body["conflict"]["hosts_needed"], 3);
}

/// Instances on different hosts need one host each, and the host that is taken is named to those who may read hosts.
#[tokio::test]
async fn b6_the_host_that_instances_on_different_hosts_lack_is_named() {
    let api = hosts(4).await;
    api.lease(OTHER).await;
    let mut apart = virtual_instance(4);
    apart["affinity"] = json!("False");
    let body = lease_body(&json!([apart]));
    let count = "Not enough hosts available: at 2050-12-26T12:00Z, 5 matching hosts are needed by your request (4, one for \
                 each instance) and by earlier leases (1); 4 exist, so at most 3 can be yours (too few until \
                 2050-12-27T12:00Z)";
    let taken = "taken whole by an earlier lease from 2050-12-26T12:00Z to 2050-12-27T12:00Z";
    let answer = api.post("/v1/leases", ADMIN, body.clone()).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert_eq!(answer.message(), format!("{count}: compute-0 is {taken}"));
    let conflict = answer.json()["conflict"].clone();
    assert_eq!(
        (&conflict["reason"], &conflict["hosts_needed"]),
        (&json!("capacity"), &json!(5))
    );
    // Who may not read hosts learns how many they are.
    let answer = api.post("/v1/leases", MEMBER, body).await;
    assert_eq!(answer.message(), format!("{count}: 1 host is {taken}"));
    // Three are possible, as the offer says.
    let offers = answer.json()["offers"].as_array().expect("a list").clone();
    let amount = offers.iter().find(|offer| offer["change"] == "amount").expect("fewer");
    assert_eq!(amount["amount"], 3);
}

#[tokio::test]
async fn b6_other_reasons_are_told_of_single_hosts() {
    let api = hosts(3).await;
    let ids = api.get("/v1/os-hosts", ADMIN).await.json();
    let id = ids["hosts"][2]["id"].as_str().expect("an id is text").to_owned();
    let down = api
        .call(
            axum::http::Method::PATCH,
            &format!("/capacity/v1/hosts/{id}"),
            ADMIN,
            json!({"reservable": false}),
        )
        .await;
    assert!(down.status.is_success(), "{}", down.text);
    let mut apart = virtual_instance(3);
    apart["affinity"] = json!("False");
    let answer = api.post("/v1/leases", ADMIN, lease_body(&json!([apart]))).await;
    assert!(
        answer.message().ends_with(": compute-2 is not reservable"),
        "{}",
        answer.text
    );
    let mut together = virtual_instance(3);
    together["affinity"] = json!("True");
    let answer = api.post("/v1/leases", ADMIN, lease_body(&json!([together]))).await;
    assert!(
        answer.message().contains("have room for 2 on one host at most"),
        "{}",
        answer.text
    );
    assert!(
        answer
            .message()
            .contains("compute-0, compute-1 are too small for all of them"),
        "{}",
        answer.text
    );
}

/// What only cleaning is in the way of says so, and the offers begin after it or leave time for it.
#[tokio::test]
async fn b7_cleaning_is_named_and_the_offers_fit_it() {
    let api = Api::start_with_cleaning(600).await;
    api.host("compute-0", json!({})).await;
    api.lease(OTHER).await;
    let asked = |start: &str, end: &str| {
        let mut body = lease_body(&json!([physical_host(1, 1)]));
        (body["start_date"], body["end_date"]) = (json!(start), json!(end));
        body
    };
    let after = asked("2050-12-27 12:00", "2050-12-27 14:00");
    for (token, host) in [(ADMIN, "compute-0"), (MEMBER, "1 host")] {
        let answer = api.post("/v1/leases", token, after.clone()).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
        let cleaning = format!(": {host} is free from 2050-12-27T12:10Z on, after 10 minutes of cleaning");
        assert!(answer.message().ends_with(&cleaning), "{}", answer.text);
        let offer = &answer.json()["offers"][0];
        assert_eq!(
            (&offer["change"], &offer["start"]),
            (&json!("start"), &json!("2050-12-27T12:10:00Z")),
            "{}",
            answer.text
        );
    }
    let before = asked("2050-12-26 10:00", "2050-12-26 11:55");
    let answer = api.post("/v1/leases", ADMIN, before).await;
    let expected = ": compute-0 is needed by the next lease from 2050-12-26T12:00Z on, and the cleaning after yours takes \
                    10 minutes";
    assert!(answer.message().ends_with(expected), "{}", answer.text);
    let offers = answer.json()["offers"].as_array().expect("a list").clone();
    let end = offers
        .iter()
        .find(|offer| offer["change"] == "end")
        .expect("a sooner end");
    assert_eq!(end["end"], "2050-12-26T11:50:00Z");
    // Where more than cleaning is in the way, it is no help to know of it.
    let answer = api
        .post("/v1/leases", ADMIN, asked("2050-12-27 10:00", "2050-12-27 14:00"))
        .await;
    assert!(!answer.message().contains("cleaning"), "{}", answer.text);
}

#[tokio::test]
async fn b7_the_timeline_shows_cleaning() {
    let api = Api::start_with_cleaning(600).await;
    let host = api.host("compute-0", json!({})).await;
    api.lease(MEMBER).await;
    let answer = api.get(&format!("/v1/os-hosts/{host}/allocation"), ADMIN).await.json();
    let entry = &answer["allocation"]["reservations"][0];
    assert_eq!(
        (&entry["end_date"], &entry["occupied_until"]),
        (
            &json!("2050-12-27T12:00:00.000000"),
            &json!("2050-12-27T12:10:00.000000")
        ),
        "{answer}"
    );
}

/// Numbers of hosts are given where hosts are counted, and nowhere else.
#[tokio::test]
async fn v27_hosts_needed_counts_hosts_or_is_absent() {
    let api = hosts(2).await;
    api.lease(OTHER).await;
    let whole = api
        .post("/v1/leases", MEMBER, lease_body(&json!([physical_host(2, 2)])))
        .await;
    let conflict = whole.json()["conflict"].clone();
    assert_eq!(
        (&conflict["hosts_needed"], &conflict["hosts_exist"]),
        (&json!(3), &json!(2))
    );
    for amount in [3, 5, 100] {
        let body = lease_body(&json!([virtual_instance(amount)]));
        let instances = api.post("/v1/leases", MEMBER, body).await;
        assert_eq!(instances.status, StatusCode::CONFLICT, "{}", instances.text);
        let conflict = instances.json()["conflict"].clone();
        assert!(conflict["reason"].is_string(), "{conflict}");
        assert!(
            conflict.get("hosts_needed").is_none() && conflict.get("hosts_exist").is_none(),
            "{conflict}"
        );
    }
}

#[tokio::test]
async fn e3_numbers_and_verbs_agree() {
    let api = hosts(1).await;
    for (reservation, expected) in [
        (physical_host(2, 2), "2 hosts are needed that match the request"),
        (virtual_instance(3), "3 instances are needed"),
    ] {
        let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([reservation]))).await;
        assert!(answer.message().contains(expected), "{}", answer.text);
    }
    let mut named = physical_host(1, 1);
    named["resource_properties"] = json!("[\"==\", \"$gpu\", \"True\"]");
    let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([named]))).await;
    assert!(answer.message().contains("1 host is needed that"), "{}", answer.text);
}

/// As text `64` comes after `100GB`, so the host with 64 was booked.
#[tokio::test]
async fn b5_a_number_is_not_compared_with_a_value_that_has_a_unit() {
    let api = Api::start().await;
    for ram in ["64", "128", "256"] {
        api.host(&format!("compute-{ram}"), json!({"ram_gb": ram})).await;
    }
    let unknown = "the unit of ram_gb is not known, hosts have plain numbers such as 64; it cannot be compared with \
                   '100GB', write a plain number";
    for operator in ["<", "<=", ">", ">=", "==", "!="] {
        let condition = json!([operator, "$ram_gb", "100GB"]).to_string();
        let mut asked = physical_host(1, 1);
        asked["resource_properties"] = json!(condition);
        let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([asked]))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        assert!(answer.message().ends_with(unknown), "{}", answer.text);
    }
    let mut asked = physical_host(1, 1);
    asked["resource_properties"] = json!(r#"["<", "$ram_gb", "100"]"#);
    let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([asked]))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    // A change, a question and an availability are asked the same.
    let lease = answer.json()["lease"].clone();
    let path = format!("/v1/leases/{}", lease["id"].as_str().expect("text"));
    let condition = r#"["<", "$ram_gb", "100GB"]"#;
    let reservation = json!({"id": lease["reservations"][0]["id"], "resource_properties": condition});
    let answer = api.put(&path, MEMBER, json!({"reservations": [reservation]})).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    let question = json!({"lease": {"start": "2050-12-26T12:00:00Z", "end": "2050-12-27T12:00:00Z",
        "reservations": [{"min": 1, "resource_properties": condition}]}});
    let answer = api.post("/capacity/v1/what-if", MEMBER, question).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    let query = "resource_properties=%5B%22%3E%22%2C%22%24ram_gb%22%2C%22100GB%22%5D";
    let range = "start=2050-12-26T00:00:00Z&end=2050-12-28T00:00:00Z";
    let answer = api
        .get(&format!("/capacity/v1/availability?{range}&{query}"), ADMIN)
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
}

/// A pending lease may become longer up to the first of the two leases in its way, whatever it is of.
#[tokio::test]
async fn b2_the_latest_end_is_offered_when_two_leases_are_in_the_way() {
    let licences = |amount: u32| json!({"resource_type": "licence:cad", "amount": amount});
    let whole = |amount| physical_host(amount, amount);
    let instances = |hosts: u32| virtual_instance(2 * hosts);
    let kinds: [(&dyn Fn(u32) -> Value, &str); 3] = [(&whole, "hosts"), (&instances, "hosts"), (&licences, "units")];
    for (kind, scarce) in kinds {
        let api = hosts(3).await;
        let book = async |amount, hours: [&str; 2]| {
            let mut body = lease_body(&json!([kind(amount)]));
            for (name, hour) in ["start_date", "end_date"].into_iter().zip(hours) {
                body[name] = json!(format!("2050-12-26 {hour}:00"));
            }
            let answer = api.post("/v1/leases", MEMBER, body).await;
            assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
            answer.json()["lease"]["id"].as_str().expect("text").to_owned()
        };
        let lease = book(2, ["12", "13"]).await;
        book(2, ["14", "15"]).await;
        book(3, ["15", "16"]).await;
        let path = format!("/v1/leases/{lease}");
        let refused = api.put(&path, MEMBER, json!({"end_date": "2050-12-26 17:00"})).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
        let said = refused.message();
        assert!(said.starts_with(&format!("Not enough {scarce} available: ")), "{said}");
        assert!(said.ends_with("; you can have it until 2050-12-26T14:00Z"), "{said}");
        assert_eq!(
            said.matches("2050-12-26T14:00Z").count(),
            2,
            "since when it is booked: {said}"
        );
        let body = refused.json();
        assert_eq!(body["conflict"]["start"], "2050-12-26T14:00:00Z", "{body}");
        let end = json!({"change": "end", "end": "2050-12-26T14:00:00Z", "without_moves": true});
        let offers = body["offers"].as_array().expect("a list").clone();
        assert!(offers.contains(&end), "{body}");
        let accepted = api.put(&path, MEMBER, json!({"end_date": "2050-12-26 14:00"})).await;
        assert_eq!(accepted.status, StatusCode::OK, "{}", accepted.text);
        // As long as it can be already: nothing to offer.
        let refused = api.put(&path, MEMBER, json!({"end_date": "2050-12-26 14:01"})).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
        let offers = refused.json()["offers"].as_array().expect("a list").clone();
        assert!(!offers.iter().any(|offer| offer["change"] == "end"), "{}", refused.text);
    }
}

/// Whoever asks for hosts reads of hosts, and of amounts only where instances compete with instances.
#[tokio::test]
async fn b3_whole_hosts_are_told_in_hosts_whoever_asks() {
    let api = hosts(5).await;
    for reservation in [physical_host(4, 4), virtual_instance(1)] {
        let answer = api.post("/v1/leases", OTHER, lease_body(&json!([reservation]))).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    }
    let when = "at 2050-12-26T12:00Z (until 2050-12-27T12:00Z), ";
    for (reservation, reason) in [
        (
            physical_host(1, 1),
            "your request needs 1 host whole and earlier leases 4 of the 5 that suit; none is left for the instances of \
             earlier leases",
        ),
        (
            virtual_instance(3),
            "earlier leases need 4 hosts whole of the 5 that suit; the one left has too little room for your request of 3 \
             instances",
        ),
    ] {
        let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([reservation]))).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
        let said = answer.message();
        assert!(said.contains(when) && said.contains(reason), "{said}");
    }
    let api = hosts(1).await;
    api.lease(OTHER).await;
    let reason = "earlier leases need 1 host whole of the 1 that suits; none is left for your request of 1 instance";
    refused(
        &api,
        lease_body(&json!([virtual_instance(1)])),
        &format!("{when}{reason}"),
    )
    .await;
}

#[tokio::test]
async fn b5_an_amount_with_a_unit_is_refused_with_the_number_to_write() {
    let api = hosts(1).await;
    let mut asked = physical_host(1, 1);
    asked["hypervisor_properties"] = json!("[\">\", \"$memory_mb\", \"4GB\"]");
    let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([asked]))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    assert!(
        answer
            .message()
            .ends_with("memory_mb is a number of MiB and cannot be compared with '4GB'; write 4096"),
        "{}",
        answer.text
    );
    let query = "hypervisor_properties=%5B%22%3E%22%2C%22%24memory_mb%22%2C%224GB%22%5D";
    let range = "start=2050-12-26T00:00:00Z&end=2050-12-28T00:00:00Z";
    let answer = api
        .get(&format!("/capacity/v1/availability?{range}&{query}"), ADMIN)
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    assert!(answer.text.contains("write 4096"), "{}", answer.text);
}

/// A host is asked for that there is not: the part at fault is named, and what there is instead.
#[tokio::test]
async fn b4_the_condition_that_no_host_meets_is_named() {
    let api = Api::start().await;
    api.host("compute-1", json!({"gpu": "True", "zone_name": "north"}))
        .await;
    api.host("compute-2", json!({"gpu": "False", "zone_name": "south"}))
        .await;
    for (properties, expected) in [
        (
            r#"["==", "$gqu", "True"]"#,
            "no host has a property 'gqu'; did you mean 'gpu'?",
        ),
        (r#"["==", "$colour", "red"]"#, "no host has a property 'colour'"),
        (
            r#"[">=", "$memory_gb", "8"]"#,
            "no host has a property 'memory_gb'; did you mean 'memory_mb >= 8192'?",
        ),
        (
            r#"[">=", "$local_tb", "1"]"#,
            "no host has a property 'local_tb'; did you mean 'local_gb >= 1024'?",
        ),
        (
            r#"[">=", "$memory", "8"]"#,
            "no host has a property 'memory'; did you mean 'memory_mb', whose unit is another?",
        ),
        (
            r#"["==", "$gpu", "true"]"#,
            "no host has gpu = true; did you mean 'True'?",
        ),
        (
            r#"["==", "$zone_name", "west"]"#,
            "no host has zone_name = west; there are north, south",
        ),
        (
            r#"["and", ["==", "$gpu", "True"], [">=", "$vcpus", "64"]]"#,
            "no host has vcpus >= 64; the only value is 4",
        ),
        (
            r#"["or", ["==", "$zone_name", "west"], ["==", "$zone_name", "east"]]"#,
            "no host has zone_name = west or zone_name = east; there are north, south",
        ),
        (
            r#"["or", ["==", "$zone_name", "west"], ["==", "$gqu", "True"]]"#,
            "no host has zone_name = west or gqu = True; no host has a property 'gqu'; of zone_name there are north, south",
        ),
        (
            r#"["==", "$reservable", "True"]"#,
            "no host has reservable = True; did you mean '1'?",
        ),
        (
            r#"["and", ["==", "$gpu", "True"], ["==", "$zone_name", "south"]]"#,
            "of 2 hosts each condition is met by some, but not all by the same: gpu = True by 1, zone_name = south by 1",
        ),
    ] {
        let mut asked = physical_host(1, 1);
        asked["resource_properties"] = json!(properties);
        let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([asked]))).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
        assert!(
            answer.message().ends_with(&format!("0 exist: {expected}")),
            "{properties}: {}",
            answer.text
        );
    }
}

/// Two hosts are asked for, of which one there is.
#[tokio::test]
async fn b4_the_hosts_that_meet_all_conditions_are_counted() {
    let api = Api::start().await;
    for (name, properties) in [
        ("compute-1", json!({"rack": "r0", "ram_gb": "256"})),
        ("compute-2", json!({"rack": "r0", "ram_gb": "64"})),
        ("compute-3", json!({"rack": "r1", "ram_gb": "192"})),
    ] {
        api.host(name, properties).await;
    }
    let mut asked = physical_host(2, 2);
    asked["resource_properties"] = json!(r#"["and", ["==", "$rack", "r0"], [">=", "$ram_gb", "192"]]"#);
    let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([asked]))).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    let expected =
        "of 3 hosts 1 meets all conditions, and each alone is met by more: rack = r0 by 2, ram_gb >= 192 by 2";
    assert!(answer.message().ends_with(expected), "{}", answer.text);
}

/// Whoever misspells a condition wants it, not any host.
#[tokio::test]
async fn b4_the_condition_that_is_meant_is_offered_before_none() {
    let api = Api::start().await;
    api.host("compute-1", json!({"gpu": "True", "zone_name": "north"}))
        .await;
    api.host("compute-2", json!({"gpu": "False", "zone_name": "south"}))
        .await;
    for (properties, condition, meant) in [
        (
            r#"["==", "$gpu", "true"]"#,
            r#"["==","$gpu","true"]"#,
            r#"["==","$gpu","True"]"#,
        ),
        (
            r#"["==", "$gqu", "True"]"#,
            r#"["==","$gqu","True"]"#,
            r#"["==","$gpu","True"]"#,
        ),
        (
            r#"["==", "$reservable", "yes"]"#,
            r#"["==","$reservable","yes"]"#,
            r#"["==","$reservable","1"]"#,
        ),
        (
            r#"[">=", "$memory_gb", "8"]"#,
            r#"[">=","$memory_gb","8"]"#,
            r#"[">=","$memory_mb","8192"]"#,
        ),
        (
            r#"["and", ["==", "$gpu", "true"], ["==", "$zone_name", "north"]]"#,
            r#"["==","$gpu","true"]"#,
            r#"["==","$gpu","True"]"#,
        ),
    ] {
        let mut asked = physical_host(1, 1);
        asked["resource_properties"] = json!(properties);
        let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([asked]))).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
        let replaced = json!({"change": "replace", "reservation": 0, "condition": condition, "replacement": meant,
            "without_moves": true});
        let dropped = json!({"change": "drop", "reservation": 0, "condition": condition, "without_moves": true});
        assert_eq!(answer.json()["offers"], json!([replaced, dropped]), "{properties}");
    }
    // What is meant would not work with the other condition either.
    let mut asked = physical_host(1, 1);
    asked["resource_properties"] = json!(r#"["and", ["==", "$gpu", "true"], ["==", "$zone_name", "south"]]"#);
    let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([asked]))).await;
    let dropped =
        json!({"change": "drop", "reservation": 0, "condition": r#"["==","$gpu","true"]"#, "without_moves": true});
    assert_eq!(answer.json()["offers"], json!([dropped]));
}

#[tokio::test]
async fn b4_the_amount_that_no_host_has_is_named() {
    let api = hosts(2).await;
    let mut asked = virtual_instance(1);
    asked["vcpus"] = json!(9);
    let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([asked]))).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    let expected = "one instance takes 9 vcpus, and no matching host has more than 4";
    assert!(answer.message().to_lowercase().ends_with(expected), "{}", answer.text);
    assert_eq!(
        answer.message().matches("one instance takes").count(),
        1,
        "{}",
        answer.text
    );
}

/// A13: the same is said once, and numbers agree.
#[tokio::test]
async fn a13_a_refusal_says_each_thing_once() {
    let api = hosts(2).await;
    let mut asked = virtual_instance(1);
    for name in ["vcpus", "memory_mb", "disk_gb"] {
        asked[name] = json!(1_000_000);
    }
    let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([asked]))).await;
    assert_eq!(
        answer.message().matches("one instance takes").count(),
        3,
        "{}",
        answer.text
    );
    let mut asked = physical_host(1, 1);
    asked["resource_properties"] = json!(r#"["==", "$nothing", "1"]"#);
    let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([asked]))).await;
    let expected = "1 host is needed that matches the request and is in service";
    assert!(answer.message().contains(expected), "{}", answer.text);
    let query = "/capacity/v1/availability?resource_properties=%5B%22%3D%3D%22%2C%20%22%24nothing%22%2C%20%221%22%5D";
    let answer = api.get(query, MEMBER).await;
    assert_eq!(
        answer.json()["hint"],
        "no host has a property 'nothing'",
        "{}",
        answer.text
    );
    let answer = api.get("/capacity/v1/availability", MEMBER).await;
    assert_eq!(answer.json().get("hint"), None, "{}", answer.text);
}

/// Names of hosts and private properties are no hints for those who may not see them.
#[tokio::test]
async fn b4_a_hint_says_nothing_that_the_caller_may_not_see() {
    let api = Api::start().await;
    api.host("compute-1", json!({"secret_rack": "r1"})).await;
    let private = api
        .call(
            axum::http::Method::PATCH,
            "/v1/os-hosts/properties/secret_rack",
            ADMIN,
            json!({"private": true}),
        )
        .await;
    assert_eq!(private.status, StatusCode::OK, "{}", private.text);
    for properties in [
        r#"["==", "$secret_rakc", "r1"]"#,
        r#"["==", "$secret_rack", "r2"]"#,
        r#"["==", "$hypervisor_hostname", "compute-9"]"#,
        r#"[">", "$id", "0"]"#,
    ] {
        let mut asked = physical_host(1, 1);
        asked["resource_properties"] = json!(properties);
        let answer = api.post("/v1/leases", MEMBER, lease_body(&json!([asked]))).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
        let said = answer.message();
        assert!(
            !["did you mean", "there are", "the only value", "compute-1"]
                .iter()
                .any(|told| said.contains(told)),
            "{said}"
        );
    }
}
