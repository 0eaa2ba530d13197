//! What is noticed before a book is opened.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use super::{copied, file, killed, listed, on, refused};

/// Changes one byte near the end.
fn damage(path: &Path) {
    let opened = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let place = opened.metadata().unwrap().len() - 5_000;
    let mut byte = [0];
    opened.read_exact_at(&mut byte, place).unwrap();
    opened.write_all_at(&[byte[0] ^ 1], place).unwrap();
}

/// Something done to the files of a book.
type Deed<'a> = Box<dyn Fn(&Path) + 'a>;

/// Each of these would have been an older book, or another one, without a word. Nothing is changed by the refusal.
#[tokio::test(flavor = "multi_thread")]
async fn d4_a_book_without_everything_acknowledged_is_not_opened() {
    let (data, kept) = killed(5).await;
    let (other, _) = killed(8).await;
    let backup = data.path().join("backup");
    let (code, said) = super::command(&[
        "backup",
        "--data",
        data.path().to_str().unwrap(),
        backup.to_str().unwrap(),
    ]);
    assert_eq!(code, Some(0), "{said}");
    let remove = |folder: &Path, suffixes: &[&str]| {
        for suffix in suffixes {
            fs::remove_file(file(folder, suffix)).unwrap();
        }
    };
    let take = |folder: &Path, suffix: &str| {
        fs::copy(file(other.path(), suffix), file(folder, suffix)).unwrap();
    };
    let deeds: Vec<(&str, &str, Deed)> = vec![
        (
            "only the file is copied",
            "is missing, and the newest changes with it",
            Box::new(|folder| remove(folder, &["-wal", "-shm", "-acknowledged"])),
        ),
        (
            "the log is missing",
            "have been acknowledged",
            Box::new(|folder| remove(folder, &["-wal", "-shm"])),
        ),
        (
            "the log is empty",
            "have been acknowledged",
            Box::new(|folder| fs::write(file(folder, "-wal"), "").unwrap()),
        ),
        (
            "the log is damaged",
            "have been acknowledged",
            Box::new(|folder| damage(&file(folder, "-wal"))),
        ),
        (
            "the log is another book's",
            "belongs to another state of this file or to another file",
            Box::new(|folder| take(folder, "-wal")),
        ),
        (
            "the log is another book's, and there is no record",
            "belongs to another state of this file or to another file",
            Box::new(|folder| {
                remove(folder, &["-acknowledged"]);
                take(folder, "-wal");
            }),
        ),
        (
            "file and log are another book's",
            "not the file that was used here last",
            Box::new(|folder| {
                take(folder, "");
                take(folder, "-wal");
            }),
        ),
        (
            "a backup is put over the file, and the log is left",
            "belongs to another state of this file or to another file",
            Box::new(|folder| assert!(fs::copy(&backup, file(folder, "")).is_ok())),
        ),
        (
            "the file is empty",
            "the file is missing or empty",
            Box::new(|folder| fs::write(file(folder, ""), "").unwrap()),
        ),
        (
            "the file is missing",
            "the file is missing or empty",
            Box::new(|folder| remove(folder, &[""])),
        ),
    ];
    for (name, reason, deed) in deeds {
        println!("{name}");
        let folder = copied(data.path());
        deed(folder.path());
        refused(folder.path(), reason);
        // It is refused again, and starts once its own files are back.
        refused(folder.path(), reason);
        for suffix in ["", "-wal", "-acknowledged"] {
            fs::copy(file(data.path(), suffix), file(folder.path(), suffix)).unwrap();
        }
        assert_eq!(listed(&on(folder.path())).await, kept, "{name}");
    }
    // A whole copy is a book, and so is one without the record as long as its log is there.
    let folder = copied(data.path());
    remove(folder.path(), &["-acknowledged", "-shm"]);
    assert_eq!(listed(&on(folder.path())).await, kept);
}

/// A program that stopped as it should leaves one file that is whole by itself.
#[tokio::test(flavor = "multi_thread")]
async fn d4_the_file_of_a_program_that_has_stopped_is_whole() {
    let (data, kept) = killed(3).await;
    on(data.path()).stop();
    assert!(!file(data.path(), "-wal").exists());
    let copy = tempfile::tempdir().unwrap();
    fs::copy(file(data.path(), ""), file(copy.path(), "")).unwrap();
    assert_eq!(listed(&on(copy.path())).await, kept);
    // An older copy in its place is noticed.
    let program = on(data.path());
    super::book_all(&program, 10..11).await;
    program.stop();
    fs::copy(file(copy.path(), ""), file(data.path(), "")).unwrap();
    refused(data.path(), "is not opened");
}

#[tokio::test(flavor = "multi_thread")]
async fn v26_only_the_service_can_read_its_book() {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // As an earlier version left it.
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(file(&data, ""), "").unwrap();
    fs::set_permissions(file(&data, ""), PermissionsExt::from_mode(0o644)).unwrap();
    let _program = on(&data);
    assert_eq!(mode(&data), 0o700);
    for entry in fs::read_dir(&data).unwrap().flatten() {
        assert_eq!(mode(&entry.path()), 0o600, "{}", entry.path().display());
    }
    assert!(fs::read_dir(&data).unwrap().count() >= 4);
}
