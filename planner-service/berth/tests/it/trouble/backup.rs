//! `berth backup` and `berth restore`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::disk::SmallDisk;
use super::{book_all, command, file, killed, listed, on, register};

#[tokio::test(flavor = "multi_thread")]
async fn d4_a_backup_of_a_running_service_has_everything_acknowledged_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    let program = on(&path("data"));
    register(&program).await;
    let mut known = Vec::new();
    for round in 0..3_usize {
        known.push(book_all(&program, round * 10..round * 10 + 5).await);
        let during = book_all(&program, round * 10 + 5..round * 10 + 10);
        let (data, target) = (text("data"), text(&format!("backup{round}")));
        let backup = tokio::task::spawn_blocking(move || command(&["backup", "--data", &data, &target]));
        let (during, backup) = tokio::join!(during, backup);
        let (code, said) = backup.unwrap();
        assert_eq!(code, Some(0), "{said}");
        known.push(during);
    }
    // Nothing is written over, and a service that runs keeps its book.
    assert_eq!(
        command(&["backup", "--data", &text("data"), &text("backup0")]).0,
        Some(2)
    );
    let restore = ["restore", "--data", &text("data"), &text("backup1")];
    let (code, said) = command(&restore);
    assert_eq!(code, Some(2));
    assert!(said.contains("exists already"), "{said}");
    let (code, said) = command(&[&restore[..], &["--replace"]].concat());
    assert_eq!(code, Some(2));
    assert!(said.contains("another berth uses this database"), "{said}");
    let everything = listed(&program).await;
    program.kill();
    for round in 0..3 {
        let data = text(&format!("restored{round}"));
        let (code, said) = command(&["restore", "--data", &data, &text(&format!("backup{round}"))]);
        assert_eq!(code, Some(0), "{said}");
        let restored = listed(&on(&path(&format!("restored{round}")))).await;
        for before in &known[..=2 * round] {
            assert!(before.is_subset(&restored));
        }
        assert!(restored.is_subset(&everything));
    }
    // In the place of the newer book, which is kept.
    assert_eq!(command(&[&restore[..], &["--replace"]].concat()).0, Some(0));
    let program = on(&path("data"));
    assert!(listed(&program).await.len() < everything.len());
    book_all(&program, 100..101).await;
    program.stop();
    let kept = text("data/berth.sqlite.before-restore");
    let (code, said) = command(&["restore", "--data", &text("again"), "--accept-loss", &kept]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(listed(&on(&path("again"))).await, everything);
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_every_book_that_a_restore_takes_away_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = folder.path().join("data");
    let program = on(&data);
    register(&program).await;
    let (code, said) = command(&["backup", "--data", &text("data"), &text("copy")]);
    assert_eq!(code, Some(0), "{said}");
    let mut kept = Vec::new();
    let mut program = program;
    for round in 0..3_usize {
        let booked = book_all(&program, round..round + 2).await;
        // Killed, so that its log is a part of it.
        program.kill();
        let (code, said) = command(&["restore", "--data", &text("data"), "--replace", &text("copy")]);
        assert_eq!(code, Some(0), "{said}");
        let name = said.trim().rsplit("is kept as ").next().unwrap().to_owned();
        kept.push((name, booked));
        program = on(&data);
        assert!(listed(&program).await.is_empty());
    }
    for (round, (name, booked)) in kept.iter().enumerate() {
        let target = format!("again{round}");
        let (code, said) = command(&["restore", "--data", &text(&target), name]);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert_eq!(listed(&on(&folder.path().join(&target))).await, *booked, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a4_a_name_alone_is_a_file_in_the_working_directory() {
    let folder = tempfile::tempdir().unwrap();
    let program = on(&folder.path().join("data"));
    register(&program).await;
    let kept = book_all(&program, 0..2).await;
    let here = |arguments: &[&str]| {
        let ended = Command::new(env!("CARGO_BIN_EXE_berth"))
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    };
    here(&["backup", "--data", "data", "monday.sqlite"]);
    here(&["restore", "--data", "again", "monday.sqlite"]);
    assert_eq!(listed(&on(&folder.path().join("again"))).await, kept);
    let file = format!("sqlite://{}", folder.path().join("berth.sqlite").display());
    here(&["restore", "--database", &file, "monday.sqlite"]);
}

/// What is in a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a4_a_backup_or_restore_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = folder.path().join("data");
    let program = on(&data);
    register(&program).await;
    book_all(&program, 0..2).await;
    let before = names(folder.path());
    assert_eq!(
        command(&["backup", "--data", &text("data"), &text("none/copy")]).0,
        Some(2)
    );
    assert_eq!(names(folder.path()), before);
    assert_eq!(command(&["backup", "--data", &text("data"), &text("copy")]).0, Some(0));
    // The service runs.
    let files = names(&data);
    let (code, said) = command(&["restore", "--data", &text("data"), "--replace", &text("copy")]);
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(names(&data), files);
    let Some(disk) = SmallDisk::mount("64k") else {
        println!("left out: nothing can be mounted here");
        return;
    };
    let on_disk = |name: &str| disk.path().join(name).to_str().unwrap().to_owned();
    let (code, said) = command(&["backup", "--data", &text("data"), &on_disk("copy")]);
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(names(disk.path()), BTreeSet::new(), "{said}");
    let (code, said) = command(&["restore", "--data", &on_disk("data"), &text("copy")]);
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(names(&disk.path().join("data")), BTreeSet::new(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_what_is_no_whole_book_is_not_restored() {
    let (data, kept) = killed(4).await;
    on(data.path()).stop();
    let program = on(data.path());
    let lost = book_all(&program, 4..6).await;
    program.kill();
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(
        text("text"),
        "no database at all, but long enough to be looked at as if it were one",
    )
    .unwrap();
    fs::write(text("empty"), "").unwrap();
    // A copy of the file without its log.
    fs::copy(file(data.path(), ""), text("half")).unwrap();
    for (name, reason) in [
        ("text", "cannot be"),
        ("empty", "holds no book"),
        ("half", "is missing, and the newest changes with it"),
        ("nothing", "cannot be opened"),
    ] {
        let (code, said) = command(&["restore", "--data", &text("target"), &text(name)]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(reason), "{name}: {said}");
        assert!(!file(&folder.path().join("target"), "").exists());
    }
    let (code, said) = command(&["restore", "--data", &text("target"), &text("half"), "--accept-loss"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("leases: 4"), "{said}");
    let found = listed(&on(&folder.path().join("target"))).await;
    assert_eq!(found, kept);
    assert!(found.is_disjoint(&lost));
    let (code, said) = command(&["backup", "--database", "postgres://u:secret@h/d", &text("server")]);
    assert_eq!(code, Some(2));
    assert!(said.contains("pg_dump") && !said.contains(":secret"), "{said}");
}
