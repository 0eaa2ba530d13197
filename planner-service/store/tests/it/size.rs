//! A book of the size of a site: written in large commits, read in a few queries.

use std::time::Instant;

use planner_core::ports::Store;

use crate::on_each_engine;
use crate::samples::{DAY, commit, lease, put};
use store::testing::TestDatabase;

on_each_engine!(five_thousand_leases_are_read_at_once);

#[expect(clippy::print_stdout, reason = "figures for whoever runs it alone")]
async fn five_thousand_leases_are_read_at_once(database: TestDatabase) {
    let store = database.store().await;
    let begun = Instant::now();
    for batch in 0..25 {
        let leases = (0..200).map(|number| {
            let hosts: Vec<String> = (0..4).map(|host| format!("{}", number * 4 + host)).collect();
            let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
            put(lease(
                &format!("{batch}-{number}"),
                &hosts,
                batch * DAY,
                (batch + 1) * DAY,
            ))
        });
        commit(&store, leases.collect()).await.unwrap();
    }
    let written = begun.elapsed();
    let begun = Instant::now();
    let contents = store.load().await.unwrap();
    let loaded = begun.elapsed();
    assert_eq!(contents.leases.len(), 5_000);
    let begun = Instant::now();
    let (_, changes) = store.changes_since(0).await.unwrap();
    let followed = begun.elapsed();
    assert_eq!(changes.len(), 5_000);
    let begun = Instant::now();
    for number in 0..100 {
        let mut one = contents.leases[number].clone();
        one.degraded = true;
        commit(&store, vec![put(one)]).await.unwrap();
    }
    let single = begun.elapsed() / 100;
    println!(
        "{:?}: 25 commits of 200 leases {written:?}, load {loaded:?}, feed {followed:?}, one commit {single:?}",
        database.engine
    );
    // However busy the machine is, a query for each lease would take longer.
    assert!(
        loaded < single * 2_500 && followed < single * 2_500,
        "{loaded:?} {followed:?}"
    );
}
