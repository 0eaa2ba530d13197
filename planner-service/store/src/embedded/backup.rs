//! Copies of a SQLite file that are whole: backups, and files that take the place of one.
//!
//! Invariants: a copy is made inside one read transaction, checked, and on the disk before it gets its name; its generation
//! is one that no log has, so that a log left beside it is recognised as another file's. Messages that wait in a book that
//! takes the place of another are sent anew, under keys of their own.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use planner_core::ports::Epoch;
use regular_file::RegularFile;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, ConnectOptions, Connection};

use super::record::{self, Record, RecordFile};
use super::{
    EmbeddedError, beside, epoch_of, lock, look, new_generation, opening, reading, real, set_generation, sync_folder,
};
use crate::convert::{handover_from_text, handover_text};

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// The epoch of the book.
    pub epoch: Epoch,
    /// How many leases it has.
    pub leases: i64,
}

/// Why no copy was made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file to copy, or the one to replace, cannot be used.
    #[error(transparent)]
    File(#[from] EmbeddedError),
    /// Something is there already.
    #[error("{path} exists already and is not written over")]
    Exists {
        /// What.
        path: String,
    },
    /// The file to copy is no book.
    #[error("{path} holds no book")]
    NoBook {
        /// The file.
        path: String,
    },
    /// The copy contradicts itself.
    #[error("{path} is damaged: {problem}")]
    Damaged {
        /// The file that was copied.
        path: String,
        /// What SQLite says.
        problem: String,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// Which.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// SQLite failed.
    #[error("{path} cannot be copied")]
    Copy {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: sqlx::Error,
    },
}

fn writing(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    |source| BackupError::Write {
        path: path.display().to_string(),
        source,
    }
}

/// Copies the book to a new file, also while a service uses it.
pub(crate) async fn backup(source: &Path, target: &Path) -> Result<Copied, BackupError> {
    let source = &real(source);
    refuse_existing(target)?;
    verify(source, opened(source)?).await?;
    let partial = Partial(beside(target, ".partial"));
    let (copied, _) = copy(source, &partial.0, Use::Backup).await?;
    refuse_existing(target)?;
    std::fs::rename(&partial.0, target).map_err(writing(target))?;
    sync_folder(target).map_err(|error| {
        // A name that may not survive a power failure is no backup.
        let _ = std::fs::remove_file(target);
        writing(target)(error)
    })?;
    Ok(copied)
}

/// A copy in the place of a book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What it holds.
    pub copied: Copied,
    /// Where the book that was there is now, if there was one.
    pub kept: Option<PathBuf>,
}

/// Puts a copy of `source` in the place of the book at `target`. What is there is kept beside it under
/// a name that nothing has, and only taken away if `replace` says so. With `accept_loss` a source that may lack what was
/// acknowledged is taken as it is.
pub(crate) async fn restore(
    source: &Path,
    target: &Path,
    replace: bool,
    accept_loss: bool,
) -> Result<Restored, BackupError> {
    let (source, target) = (&real(source), &real(target));
    let record_path = record::path_beside(target);
    let is_there = |path: &Path| std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
    if !replace && (is_there(target) || is_there(&record_path)) {
        return Err(BackupError::Exists {
            path: target.display().to_string(),
        });
    }
    let file = opened(source)?;
    if !accept_loss {
        verify(source, file).await?;
    }
    let partial = Partial(beside(target, ".restoring"));
    let (copied, generation) = copy(source, &partial.0, Use::Restore).await?;
    // Nobody else may use the old file from here on; an empty one is made if there is none.
    let locked = lock(target, true)?;
    let kept = unused_beside(target);
    let is_kept = is_there(target);
    if is_kept && is_there(&record_path) {
        // Until the new one is there, the record guards the place against a start without a book.
        let record_kept = record::path_beside(&kept);
        std::fs::copy(&record_path, &record_kept).map_err(writing(&record_kept))?;
    }
    for suffix in ["-wal", "-journal", ""] {
        let old = beside(target, suffix);
        if is_there(&old) {
            let kept = beside(&kept, suffix);
            std::fs::rename(&old, &kept).map_err(writing(&kept))?;
        } else {
            remove(&old)?;
        }
    }
    remove(&beside(target, "-shm"))?;
    remove(&record_path)?;
    let epoch = copied.epoch;
    RecordFile::open(&record_path, Record { epoch, generation }).map_err(writing(&record_path))?;
    std::fs::rename(&partial.0, target)
        .and_then(|()| sync_folder(target))
        .map_err(writing(target))?;
    drop(locked);
    Ok(Restored {
        copied,
        kept: is_kept.then_some(kept),
    })
}

/// A name for the book that is there, which neither it nor anything that belongs to it has yet.
fn unused_beside(target: &Path) -> PathBuf {
    let mut number = 1;
    loop {
        let name = match number {
            1 => beside(target, ".before-restore"),
            _ => beside(target, &format!(".before-restore-{number}")),
        };
        let suffixes = ["", "-wal", "-journal", "-acknowledged"];
        if suffixes
            .iter()
            .all(|suffix| std::fs::symlink_metadata(beside(&name, suffix)).is_err())
        {
            return name;
        }
        number += 1;
    }
}

fn refuse_existing(path: &Path) -> Result<(), BackupError> {
    if std::fs::symlink_metadata(path).is_ok() {
        return Err(BackupError::Exists {
            path: path.display().to_string(),
        });
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(writing(path)(error)),
        _ => Ok(()),
    }
}

/// A copy that is not finished, with what SQLite puts beside it; taken away when it goes out of scope, unless it has got
/// another name by then.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        for suffix in ["", "-journal"] {
            // There may be none, or no disk any more.
            let _ = std::fs::remove_file(beside(&self.0, suffix));
        }
    }
}

/// The file to copy: SQLite would wait for whoever writes into a pipe.
fn opened(path: &Path) -> Result<File, EmbeddedError> {
    match RegularFile::open(path) {
        Ok(file) => Ok(file.into_file()),
        Err(error) => Err(opening(path, error.into())),
    }
}

/// Whether everything that was acknowledged is in a file. A service that uses it has found that out itself.
async fn verify(path: &Path, file: File) -> Result<(), BackupError> {
    if file.try_lock_shared().is_err() {
        return Ok(());
    }
    let recorded = record::read(&record::path_beside(path)).map_err(|source| opening(path, source))?;
    look(path, &file, recorded).await?;
    Ok(())
}

/// What a copy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Backup,
    Restore,
}

/// Copies a file with its log, and checks the copy. Returns its generation, too.
async fn copy(source: &Path, partial: &Path, purpose: Use) -> Result<(Copied, i32), BackupError> {
    remove(partial)?;
    remove(&beside(partial, "-journal"))?;
    // SQLite writes into an empty file as into none; this one is nobody else's.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(partial).map_err(writing(partial))?;
    let made = fill(source, partial, purpose).await?;
    File::open(partial)
        .and_then(|file| file.sync_all())
        .map_err(writing(partial))?;
    Ok(made)
}

async fn fill(source: &Path, partial: &Path, purpose: Use) -> Result<(Copied, i32), BackupError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| BackupError::Copy { path, source }
    };
    let mut reader = reading(source).connect().await.map_err(failed(source))?;
    let path = partial.to_string_lossy().into_owned();
    sqlx::query("VACUUM INTO ?")
        .bind(path)
        .execute(&mut reader)
        .await
        .map_err(failed(source))?;
    reader.close().await.map_err(failed(source))?;
    let options = SqliteConnectOptions::new()
        .filename(partial)
        .disable_statement_logging();
    let mut copy = options.connect().await.map_err(failed(partial))?;
    let mut problem = integrity(&mut copy).await.map_err(failed(source))?;
    if problem.is_none() && purpose == Use::Restore {
        problem = put_back(&mut copy).await.map_err(failed(partial))?;
    }
    if let Some(problem) = problem {
        return Err(BackupError::Damaged {
            path: source.display().to_string(),
            problem,
        });
    }
    let leases = sqlx::query_scalar("SELECT COUNT(*) FROM leases")
        .fetch_one(&mut copy)
        .await;
    let (Ok(leases), Ok(epoch @ 0..)) = (leases, epoch_of(&mut copy).await) else {
        return Err(BackupError::NoBook {
            path: source.display().to_string(),
        });
    };
    let generation = -new_generation(&mut copy).await.map_err(failed(partial))?;
    set_generation(&mut copy, generation).await.map_err(failed(partial))?;
    copy.close().await.map_err(failed(partial))?;
    Ok((Copied { epoch, leases }, generation))
}

/// Has every message that waits take a number and a key of its own: see [`Handover::put_back`]. Says which cannot be read.
///
/// [`Handover::put_back`]: planner_core::domain::Handover::put_back
async fn put_back(copy: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let columns: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM pragma_table_info('reservations') WHERE name = 'handover'")
            .fetch_one(&mut *copy)
            .await?;
    if columns == 0 {
        // No book, or one of a version that put no messages on record.
        return Ok(None);
    }
    let waiting: Vec<(String, String)> = sqlx::query_as(
        "SELECT id, handover FROM reservations \
         WHERE json_extract(handover, '$.attempt') IS NOT NULL OR json_extract(handover, '$.before_end') IS NOT NULL",
    )
    .fetch_all(&mut *copy)
    .await?;
    let mut transaction = copy.begin().await?;
    for (id, text) in waiting {
        let renewed = handover_from_text(&id, &text).and_then(|mut handover| {
            handover.put_back();
            handover_text(&id, &handover)
        });
        let text = match renewed {
            Ok(text) => text,
            Err(error) => return Ok(Some(error.to_string())),
        };
        sqlx::query("UPDATE reservations SET handover = ? WHERE id = ?")
            .bind(text)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(None)
}

/// What is wrong with a file.
async fn integrity(connection: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let said: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut *connection)
        .await?;
    if said != "ok" {
        return Ok(Some(said));
    }
    let orphans = sqlx::query("PRAGMA foreign_key_check")
        .fetch_optional(connection)
        .await?;
    Ok(orphans.map(|_| "rows refer to rows that are not there".to_owned()))
}
