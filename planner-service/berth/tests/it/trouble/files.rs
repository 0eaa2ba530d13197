//! Files that are removed, replaced or cut while the program uses them, and second programs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use planner_core::ports::{Change, Commit, Store};
use store::testing::options;
use store::{SqlStore, StoreOptions};

use super::{attempt, book, book_all, file, listed, on, readiness, refused, register};
use crate::world::{NOON, Outside, World, caller, draft};

fn cut(path: &Path) {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(0)
        .unwrap();
}

/// The program answers 503, gives one of these reasons, keeps nothing that others cannot find, and lists what it knows.
async fn is_noticed(deed: impl Fn(&Path), reasons: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let program = on(&data);
    register(&program).await;
    let kept = book_all(&program, 0..3).await;
    // What was true a moment ago is not the answer to a question after a commit that failed.
    assert_eq!(readiness(&program).await.0, 200);
    deed(&data);
    for number in 3..6 {
        assert_eq!(book(&program, number).await, None, "{reasons:?}");
    }
    let (status, condition) = readiness(&program).await;
    assert_eq!(
        (status, &condition["ready"]),
        (503, &serde_json::json!(false)),
        "{condition}"
    );
    let error = condition["database"]["error"].as_str().unwrap();
    assert!(reasons.iter().any(|reason| error.contains(reason)), "{error}");
    assert_eq!(program.get("/healthcheck").await.0, 503);
    assert_eq!(program.get("/livez").await.0, 200);
    assert_eq!(listed(&program).await, kept);
    program.kill();
    if data.exists()
        && let Ok(program) = attempt(&data)
    {
        assert_eq!(listed(&program).await, kept, "{reasons:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_a_folder_that_is_removed_is_noticed() {
    is_noticed(|data| fs::remove_dir_all(data).unwrap(), &["has been removed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v18_a_database_file_that_is_removed_replaced_or_emptied_is_noticed() {
    is_noticed(|data| fs::remove_file(file(data, "")).unwrap(), &["has been removed"]).await;
    is_noticed(|data| cut(&file(data, "")), &["has been cut"]).await;
    let replace = |data: &Path| {
        fs::copy(file(data, ""), file(data, ".copy")).unwrap();
        fs::rename(file(data, ".copy"), file(data, "")).unwrap();
    };
    is_noticed(replace, &["has been replaced"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v18_a_log_that_is_removed_or_emptied_is_noticed() {
    // Whoever opens the database next makes a new one.
    let removed = ["has been removed", "has been replaced"];
    is_noticed(|data| fs::remove_file(file(data, "-wal")).unwrap(), &removed).await;
    is_noticed(|data| cut(&file(data, "-wal")), &["has been cut"]).await;
}

/// Without it the next start could not tell an old copy from the book.
#[tokio::test(flavor = "multi_thread")]
async fn v18_a_record_of_what_is_acknowledged_that_is_removed_or_replaced_is_noticed() {
    is_noticed(
        |data| fs::remove_file(file(data, "-acknowledged")).unwrap(),
        &["has been removed"],
    )
    .await;
    let replace = |data: &Path| {
        fs::copy(file(data, "-acknowledged"), file(data, ".copy")).unwrap();
        fs::rename(file(data, ".copy"), file(data, "-acknowledged")).unwrap();
    };
    is_noticed(replace, &["has been replaced"]).await;
}

/// The lock is the file's own, so no other path gets round it, and there is no lock file to delete.
#[tokio::test(flavor = "multi_thread")]
async fn f10_there_is_no_second_program_by_any_path() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let program = on(&data);
    register(&program).await;
    let kept = book_all(&program, 0..2).await;
    let path = |name: &str| folder.path().join(name);
    std::os::unix::fs::symlink(&data, path("folder")).unwrap();
    fs::create_dir(path("link")).unwrap();
    std::os::unix::fs::symlink(file(&data, ""), file(&path("link"), "")).unwrap();
    fs::create_dir(path("hard")).unwrap();
    fs::hard_link(file(&data, ""), file(&path("hard"), "")).unwrap();
    let locks = fs::read_dir(&data).unwrap().flatten();
    for lock in locks.filter(|entry| entry.file_name().to_string_lossy().contains("lock")) {
        fs::remove_file(lock.path()).unwrap();
    }
    for other in [data.clone(), path("folder"), path("link"), path("hard")] {
        refused(&other, "another berth uses this database");
    }
    let kept: BTreeSet<String> = kept.into_iter().chain(book(&program, 2).await).collect();
    program.kill();
    assert_eq!(listed(&on(&data)).await, kept);
}

/// Whoever writes past the lock is found out with the next change; from then on every answer is fresh.
#[tokio::test(flavor = "multi_thread")]
async fn f10_a_book_that_another_program_changes_is_taken_for_a_shared_one() {
    let folder = tempfile::tempdir().unwrap();
    let program = on(folder.path());
    register(&program).await;
    let kept: Vec<String> = book_all(&program, 0..2).await.into_iter().collect();
    let options = StoreOptions {
        exclusive: false,
        ..StoreOptions::default()
    };
    let address = format!("sqlite://{}", file(folder.path(), "").display());
    let other = SqlStore::connect(&address, options).await.unwrap();
    let delete = async |id: &String| {
        let commit = Commit {
            expected: other.epoch().await.unwrap(),
            changes: vec![Change::DeleteLease(id.clone())],
            fences: Vec::new(),
        };
        other.commit(&commit).await.unwrap();
    };
    delete(&kept[0]).await;
    let next = book(&program, 2).await.unwrap();
    assert_eq!(listed(&program).await, BTreeSet::from([kept[1].clone(), next.clone()]));
    delete(&kept[1]).await;
    assert_eq!(listed(&program).await, BTreeSet::from([next]));
    other.close().await;
}

/// Nothing in the file depends on the time of day.
#[tokio::test(flavor = "multi_thread")]
async fn f1_a_clock_that_steps_back_costs_no_acknowledged_lease_and_admits_no_second_writer() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("sqlite://{}", folder.path().join("book.db").display());
    let open = || SqlStore::connect(&address, options());
    let mut kept = BTreeSet::new();
    for (round, step) in (0..).zip([0, -7_200, 86_400, -100_000]) {
        let store = open().await.unwrap();
        store.migrate().await.unwrap();
        let outside = Outside {
            store: std::sync::Arc::new(store.clone()),
            ..Outside::new(&["c1"])
        };
        outside.clock.set(NOON);
        let world = World::start(outside).await;
        if round == 0 {
            world.register(&["c1"]).await;
        }
        for later in [0, 1] {
            let start = NOON + 1_000_000 + (2 * round + later) * 600;
            let lease = world
                .service
                .create_lease(&caller(), draft(start, start + 600, 1))
                .await;
            kept.insert(lease.unwrap().id.clone());
            world.outside.clock.set(NOON + step);
        }
        assert!(open().await.is_err(), "a second writer after a step of {step} s");
        world.stop().await;
        store.close().await;
    }
    let contents = open().await.unwrap().load().await.unwrap();
    assert_eq!(
        contents
            .leases
            .into_iter()
            .map(|lease| lease.id)
            .collect::<BTreeSet<_>>(),
        kept
    );
}
