//! Disks that are full, or refuse to be written at any byte.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{attempt, book, book_all, file, listed, on, readiness, register};
use crate::program::{Program, SERVE};

/// A file system of a few megabytes in memory; taken away when it goes out of scope.
pub(super) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Nothing where mounting is not allowed: `v1_no_byte_that_is_refused_...` tests the same on a fault below SQLite.
    pub(super) fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, options: &str) {
        let remounted = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(self.0.path())
            .status();
        assert!(remounted.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has a file open there is about to end.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// A program whose disk is full.
struct FullDisk {
    disk: SmallDisk,
    data: PathBuf,
    program: Program,
    /// The leases that were acknowledged.
    kept: BTreeSet<String>,
    /// The number of the next one.
    next: usize,
}

impl FullDisk {
    /// Books until the disk is full, and goes on asking.
    async fn fill() -> Option<Self> {
        let disk = SmallDisk::mount("3m")?;
        let data = disk.0.path().join("data");
        let program = on(&data);
        register(&program).await;
        assert_eq!(readiness(&program).await.0, 200);
        let mut kept = BTreeSet::new();
        let mut number = 0;
        while let Some(id) = book(&program, number).await {
            kept.insert(id);
            number += 1;
            assert!(number < 1_000, "the disk is never full");
        }
        for _ in 0..10 {
            number += 1;
            kept.extend(book(&program, number).await);
        }
        let (_, condition) = readiness(&program).await;
        let failure = condition["writer"]["last_failure"]["error"].as_str().unwrap();
        assert!(failure.contains("full"), "{condition}");
        Some(Self {
            disk,
            data,
            program,
            kept,
            next: number + 1,
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_what_is_acknowledged_after_a_full_disk_is_on_the_disk() {
    let Some(FullDisk {
        disk,
        data,
        program,
        mut kept,
        next,
    }) = FullDisk::fill().await
    else {
        println!("left out: nothing can be mounted here");
        return;
    };
    disk.remount("size=64m");
    kept.extend(book_all(&program, next..next + 30).await);
    assert_eq!(readiness(&program).await.0, 200);
    assert_eq!(listed(&program).await, kept);
    program.kill();
    let program = on(&data);
    assert_eq!(listed(&program).await, kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn a5_a_service_on_a_full_disk_is_not_ready_until_there_is_room() {
    let Some(FullDisk {
        disk, program, next, ..
    }) = FullDisk::fill().await
    else {
        println!("left out: nothing can be mounted here");
        return;
    };
    // Until what was found out before is not believed any more.
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut poll = tokio::time::interval(Duration::from_millis(50));
    while readiness(&program).await.0 == 200 {
        assert!(Instant::now() < deadline, "it is ready although nothing can be booked");
        poll.tick().await;
    }
    let mut number = next;
    // Whatever is asked in between, and a small change that succeeds does not make it ready either.
    for _ in 0..20 {
        number += 1;
        assert_eq!(book(&program, number).await, None);
        let (status, condition) = readiness(&program).await;
        assert_eq!((status, &condition["ready"]), (503, &false.into()), "{condition}");
        let error = condition["database"]["error"].as_str().unwrap();
        assert!(error.contains("No space left"), "{error}");
        assert_eq!(program.get("/healthcheck").await.0, 503);
        assert_eq!(program.get("/livez").await.0, 200);
    }
    disk.remount("size=64m");
    while readiness(&program).await.0 != 200 {
        assert!(Instant::now() < deadline, "it does not become ready");
        poll.tick().await;
    }
    assert_eq!(program.get("/healthcheck").await.0, 200);
    book_all(&program, number + 1..number + 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_a_restart_on_a_full_disk_serves_everything_or_nothing() {
    let Some(FullDisk {
        disk,
        data,
        program,
        kept,
        next,
    }) = FullDisk::fill().await
    else {
        println!("left out: nothing can be mounted here");
        return;
    };
    program.kill();
    match attempt(&data) {
        Ok(program) => assert_eq!(listed(&program).await, kept),
        Err(ended) => {
            assert_eq!(ended.code, Some(2));
            assert!(ended.log.contains("full"), "{}", ended.log);
        }
    }
    disk.remount("size=64m");
    let program = on(&data);
    assert_eq!(listed(&program).await, kept);
    book_all(&program, next..next + 1).await;
    // Nothing can be written: the cause is said, and nothing is lost.
    program.kill();
    disk.remount("ro");
    super::refused(&data, "ead-only file system");
    disk.remount("rw");
    assert_eq!(listed(&on(&data)).await.len(), kept.len() + 1);
}

/// A program whose files cannot grow beyond a limit that is changed while it runs.
fn limited(data: &Path) -> Program {
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_berth")])
        .args(SERVE)
        .arg("--data")
        .arg(data);
    Program::try_start(command).unwrap_or_else(|ended| panic!("the program ended:\n{}", ended.log))
}

fn limit(program: &Program, bytes: &str) -> bool {
    let limited = Command::new("prlimit")
        .arg(format!("--pid={}", program.id()))
        .arg(format!("--fsize={bytes}"))
        .status();
    limited.is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_no_byte_that_is_refused_costs_an_acknowledged_lease() {
    let data = tempfile::tempdir().unwrap();
    let program = limited(data.path());
    if !limit(&program, "unlimited:unlimited") {
        println!("left out: prlimit is missing or not allowed");
        return;
    }
    register(&program).await;
    let (mut kept, mut number) = (BTreeSet::new(), 0);
    let mut refusals = 0;
    for pages in 0..20_u64 {
        let log = std::fs::metadata(file(data.path(), "-wal")).unwrap().len();
        // In the midst of a page, too.
        assert!(limit(
            &program,
            &format!("{}:unlimited", log + pages * 4_120 + pages * 211)
        ));
        for _ in 0..3 {
            let booked = book(&program, number).await;
            refusals += usize::from(booked.is_none());
            kept.extend(booked);
            number += 1;
        }
        assert!(limit(&program, "unlimited:unlimited"));
        kept.extend(book_all(&program, number..number + 1).await);
        number += 1;
        assert_eq!(readiness(&program).await.0, 200);
    }
    assert!(refusals > 20, "{refusals}");
    assert_eq!(listed(&program).await, kept);
    program.kill();
    assert_eq!(listed(&on(data.path())).await, kept);
}
