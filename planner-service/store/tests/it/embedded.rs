//! A SQLite file that is a store's own, over many generations of its log.

use std::path::Path;

use planner_core::ports::Store;
use store::{SqlStore, StoreOptions};

use crate::samples::{DAY, commit, lease, put};

async fn open(folder: &Path) -> SqlStore {
    let address = format!("sqlite://{}", folder.join("book.db").display());
    SqlStore::connect(&address, StoreOptions::default()).await.unwrap()
}

/// Whenever the machine stops, the files that are there make a book with everything acknowledged.
#[tokio::test]
async fn a_log_that_is_full_begins_the_next_generation() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.migrate().await.unwrap();
    let log = folder.path().join("book.db-wal");
    let (mut longest, mut last, mut checkpoints) = (0, 0, 0);
    for number in 0..400 {
        let id = format!("lease-{number}");
        commit(&store, vec![put(lease(&id, &[], 0, DAY))]).await.unwrap();
        let length = std::fs::metadata(&log).unwrap().len();
        checkpoints += u32::from(length < last);
        longest = longest.max(length);
        if length < last || number % 50 == 0 {
            let copy = tempfile::tempdir().unwrap();
            for suffix in ["", "-wal", "-acknowledged"] {
                let name = format!("book.db{suffix}");
                std::fs::copy(folder.path().join(&name), copy.path().join(&name)).unwrap();
            }
            let survivor = open(copy.path()).await;
            assert_eq!(survivor.load().await.unwrap().leases.len(), number + 1);
            survivor.close().await;
        }
        last = length;
    }
    assert!(checkpoints >= 2, "{checkpoints}");
    assert!(longest < 6 * 1024 * 1024, "{longest}");
    let kept = store.clone();
    store.close().await;
    assert!(!log.exists());
    // The file is this store's own until it is closed, whoever has a handle of it still.
    let store = open(folder.path()).await;
    drop(kept);
    assert_eq!(store.load().await.unwrap().leases.len(), 400);
    store.close().await;
}
