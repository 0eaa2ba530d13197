//! A SQLite file that one process alone uses, and what must be true of it before and after each change.
//!
//! Invariants: one process holds the lock of the file itself, by whatever path it came to it; a file is opened only if
//! everything that was acknowledged is in it ([`generation`], [`record`]); a change is acknowledged only if file, log and
//! record are, after it, still where others will look for them ([`watched`]).
//!
//! The file is opened read-only for the first look, because the last writer that closes a file moves its log into it,
//! whatever log that is. One connection, the keeper, stays open for as long as the file is used: without it SQLite would
//! remove the log whenever the pools happen to be empty.

pub(crate) mod backup;
mod generation;
mod record;
mod watched;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use planner_core::ports::Epoch;
use regular_file::FileError;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions, Connection, Executor};

pub use generation::Doubt;
use generation::{Found, judge};
use record::{Record, RecordFile};
pub use watched::FileTrouble;
use watched::Watched;

/// Length of the log from which it is moved into the file, in bytes.
const CHECKPOINT: u64 = 4 * 1024 * 1024;

/// Room that the disk must have for the service to be ready, in bytes: more than what all but the largest bookings write.
const ROOM: usize = 1024 * 1024;

/// How long a checkpoint waits for somebody who reads, such as a backup; after that it is left for later.
const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(200);

/// Where the generation of a file is in its header.
const GENERATION_OFFSET: u64 = 60;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Another process has its lock.
    #[error("{path}: another berth uses this database; stop it, or name another with --data or --database")]
    InUse {
        /// The file.
        path: String,
    },
    /// It, or a file beside it, cannot be opened, made, or locked.
    #[error("{path} cannot be opened")]
    Open {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It may lack what was acknowledged.
    #[error(
        "{path} is not opened, because {doubt}. Put the files back as they were, or restore a backup with `berth restore`"
    )]
    Doubt {
        /// The file.
        path: String,
        /// What is wrong with it.
        doubt: Doubt,
    },
    /// SQLite failed.
    #[error("{path} cannot be used")]
    Database {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: sqlx::Error,
    },
    /// Somebody else reads it and does not stop.
    #[error("{path}: another program holds this database open")]
    Held {
        /// The file.
        path: String,
    },
}

/// A file that is this process's own, and the connection that keeps it open.
#[derive(Debug)]
pub(crate) struct Embedded {
    database: Watched,
    log: Watched,
    record: Mutex<RecordFile>,
    keeper: tokio::sync::Mutex<Keeper>,
    path: PathBuf,
}

/// The connection that stays open.
#[derive(Debug)]
struct Keeper {
    connection: Option<SqliteConnection>,
    generation: i32,
    /// Length of the log at which a checkpoint is due, in bytes.
    checkpoint_at: u64,
}

/// The right to change the file: one at a time.
pub(crate) struct Turn<'a> {
    embedded: &'a Embedded,
    keeper: tokio::sync::MutexGuard<'a, Keeper>,
}

impl Embedded {
    /// Takes the lock of the file, makes it if it is not there, and looks whether everything is in it.
    pub(crate) async fn open(path: &Path, options: &SqliteConnectOptions) -> Result<Self, EmbeddedError> {
        let path = &real(path);
        let record_path = record::path_beside(path);
        let recorded = record::read(&record_path).map_err(|source| opening(&record_path, source))?;
        let file = lock(path, recorded.is_none_or(|record| record.epoch == 0))?;
        let found = look(path, &file, recorded).await?;
        let record = Record {
            epoch: found.epoch,
            generation: found.log,
        };
        let mut record = RecordFile::open(&record_path, record).map_err(|source| opening(&record_path, source))?;
        let mut connection = options.connect().await.map_err(|source| database(path, source))?;
        let generation = mark_in_use(&mut connection, found.log)
            .await
            .map_err(|error| error.at(path))?;
        let log_path = beside(path, "-wal");
        let log = File::open(&log_path).map_err(|source| opening(&log_path, source))?;
        record
            .update(None, generation)
            .map_err(|source| opening(&record_path, source))?;
        Ok(Self {
            database: Watched::new(path.to_owned(), file),
            log: Watched::new(log_path, log),
            record: Mutex::new(record),
            keeper: tokio::sync::Mutex::new(Keeper {
                connection: Some(connection),
                generation,
                checkpoint_at: CHECKPOINT,
            }),
            path: path.to_owned(),
        })
    }

    /// Waits for the right to change the file, and looks whether it is still there.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, FileTrouble> {
        let keeper = self.keeper.lock().await;
        self.check()?;
        Ok(Turn { embedded: self, keeper })
    }

    /// Whether file, log and record are where others look for them, and whole.
    pub(crate) fn check(&self) -> Result<(), FileTrouble> {
        self.database.check()?;
        self.log.check()?;
        self.acknowledged().check()
    }

    /// Whether the disk has room for the next changes. A transaction that changes next to nothing does not tell: it fits into
    /// what the disk has given the log already. So a file beside it is written, and taken away at once.
    pub(crate) async fn has_room(&self) -> Result<(), FileTrouble> {
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || {
            let scratch = beside(&path, "-room");
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let written = options
                .open(&scratch)
                .and_then(|mut file| file.write_all(&vec![0; ROOM]));
            let removed = match std::fs::remove_file(&scratch) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            };
            written.and(removed)
        });
        let written = written.await.map_err(io::Error::other).flatten();
        written.map_err(|source| FileTrouble::NoRoom {
            path: self.path.display().to_string(),
            bytes: ROOM,
            source,
        })
    }

    /// Marks the file as closed and gives its lock back. All other connections must be closed before.
    pub(crate) async fn close(&self) {
        let mut keeper = self.keeper.lock().await;
        let generation = keeper.generation;
        let Some(mut connection) = keeper.connection.take() else {
            return;
        };
        if let Err(error) = mark_closed(&mut connection, generation).await {
            tracing::warn!(path = %self.path.display(), error = %error.at(&self.path), "the database could not be marked as closed; its log stays beside it");
        }
        if let Err(error) = connection.close().await {
            tracing::debug!(%error, "the keeper of the database did not close");
        }
        // Not only when the file is dropped: a child that was forked and has not begun its program yet has it open, too.
        if let Err(error) = self.database.file().unlock() {
            tracing::debug!(%error, "the lock of the database was not given back");
        }
    }

    fn acknowledged(&self) -> MutexGuard<'_, RecordFile> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, epoch: Option<Epoch>, generation: i32) {
        if let Err(error) = self.acknowledged().update(epoch, generation) {
            // The commit is on the disk; a record that is behind accuses nobody.
            tracing::warn!(%error, epoch, "what has been acknowledged could not be recorded");
        }
    }
}

impl Turn<'_> {
    /// Ends the turn after a commit: nothing may be acknowledged unless this succeeds. `epoch` is the book's, if
    /// the commit was one of the book.
    pub(crate) async fn done(mut self, epoch: Option<Epoch>) -> Result<(), FileTrouble> {
        self.embedded.check()?;
        let generation = self.keeper.generation;
        if epoch.is_some() {
            self.embedded.record(epoch, generation);
        }
        if self.embedded.log.length() >= self.keeper.checkpoint_at {
            self.checkpoint().await;
        }
        Ok(())
    }

    /// Moves the log into the file and begins the next generation. What fails is left for later.
    async fn checkpoint(&mut self) {
        let Embedded { log, path, .. } = self.embedded;
        let Some(connection) = &mut self.keeper.connection else {
            return;
        };
        log.may_shrink();
        let generation = async {
            patience(connection, CHECKPOINT_PATIENCE).await?;
            let emptied = empty_log(connection).await;
            patience(connection, BUSY).await?;
            emptied?;
            let next = generation_of(connection).await?.saturating_abs().saturating_add(1);
            set_generation(connection, next).await?;
            Ok::<_, Step>(next)
        };
        match generation.await {
            Ok(generation) => {
                self.keeper.generation = generation;
                self.keeper.checkpoint_at = CHECKPOINT;
                self.embedded.record(None, generation);
            }
            Err(error) => {
                let length = std::fs::metadata(beside(path, "-wal")).map_or(0, |log| log.len());
                self.keeper.checkpoint_at = length.saturating_add(CHECKPOINT);
                tracing::warn!(bytes = length, error = %error.at(path), "the write-ahead log could not be moved into the database; it goes on growing");
            }
        }
    }
}

/// How long a statement waits for other connections to the file.
pub(crate) const BUSY: Duration = Duration::from_secs(4);

/// Why a step in the life of a log failed.
#[derive(Debug)]
enum Step {
    Database(sqlx::Error),
    /// Somebody else reads.
    Busy,
}

impl From<sqlx::Error> for Step {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl Step {
    fn at(self, path: &Path) -> EmbeddedError {
        match self {
            Self::Database(source) => database(path, source),
            Self::Busy => EmbeddedError::Held {
                path: path.display().to_string(),
            },
        }
    }
}

fn opening(path: &Path, source: io::Error) -> EmbeddedError {
    EmbeddedError::Open {
        path: path.display().to_string(),
        source,
    }
}

fn database(path: &Path, source: sqlx::Error) -> EmbeddedError {
    EmbeddedError::Database {
        path: path.display().to_string(),
        source,
    }
}

fn doubtful(path: &Path, doubt: Doubt) -> EmbeddedError {
    EmbeddedError::Doubt {
        path: path.display().to_string(),
        doubt,
    }
}

/// A file that SQLite, or the record, keeps beside the database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Where a path leads: SQLite keeps its log beside the file itself, not beside a symbolic link to it.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Makes the entries of a file's folder survive a power failure.
fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = match file.parent() {
        // A name alone is one in the working directory.
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => return Ok(()),
    };
    File::open(folder)?.sync_all()
}

/// Takes the lock of the file itself, so that no other path to it gets round it; makes the file if it may be new.
/// Nobody but the service's user has any business in it.
fn lock(path: &Path, may_be_new: bool) -> Result<File, EmbeddedError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    if may_be_new {
        options.create(true).truncate(false);
    }
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !may_be_new => {
            return Err(doubtful(path, Doubt::Emptied));
        }
        opened => opened.map_err(|source| opening(path, source))?,
    };
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(opening(path, FileError::NotRegular.into())),
        Err(source) => return Err(opening(path, source)),
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(EmbeddedError::InUse {
                path: path.display().to_string(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(opening(path, source)),
    }
    for suffix in ["", "-wal", "-shm", "-acknowledged"] {
        keep_private(&beside(path, suffix));
    }
    Ok(file)
}

/// Takes other users' rights to a file away, if it is ours.
fn keep_private(path: &Path) {
    let Ok(metadata) = std::fs::metadata(path) else { return };
    let mode = metadata.permissions().mode();
    if mode & 0o077 != 0
        && let Err(error) = std::fs::set_permissions(path, PermissionsExt::from_mode(mode & 0o700))
    {
        tracing::warn!(path = %path.display(), %error, "other users can read this file");
    }
}

/// Looks at a file without changing anything, and whether it may be opened.
async fn look(path: &Path, file: &File, record: Option<Record>) -> Result<Found, EmbeddedError> {
    let mut generation = [0; 4];
    let length = file.metadata().map_err(|source| opening(path, source))?.len();
    if length == 0 {
        let has_log = std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
        return if record.is_some_and(|record| record.epoch > 0) || has_log {
            Err(doubtful(path, Doubt::Emptied))
        } else {
            Ok(Found {
                file: 0,
                log: 0,
                epoch: 0,
                record: None,
            })
        };
    }
    file.read_exact_at(&mut generation, GENERATION_OFFSET)
        .map_err(|source| opening(path, source))?;
    let (log, epoch) = with_log(path).await.map_err(|source| database(path, source))?;
    let found = Found {
        file: i32::from_be_bytes(generation),
        log,
        epoch,
        record,
    };
    judge(found).map_err(|doubt| doubtful(path, doubt))?;
    Ok(found)
}

/// Generation and epoch of a file with its log.
async fn with_log(path: &Path) -> Result<(i32, Epoch), sqlx::Error> {
    let mut connection = reading(path).connect().await?;
    let generation = generation_of(&mut connection).await?;
    let epoch = epoch_of(&mut connection).await?;
    connection.close().await?;
    Ok((generation, epoch))
}

/// Options of a connection that changes nothing, not even by closing.
fn reading(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY)
        .disable_statement_logging()
}

async fn generation_of(connection: &mut SqliteConnection) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("PRAGMA user_version").fetch_one(connection).await
}

/// The epoch of the book; 0 if there is none.
async fn epoch_of(connection: &mut SqliteConnection) -> Result<Epoch, sqlx::Error> {
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'book'")
        .fetch_one(&mut *connection)
        .await?;
    if tables == 0 {
        return Ok(0);
    }
    let epoch: Option<Epoch> = sqlx::query_scalar("SELECT epoch FROM book WHERE id = 1")
        .fetch_optional(connection)
        .await?;
    Ok(epoch.unwrap_or(0))
}

async fn set_generation(connection: &mut SqliteConnection, generation: i32) -> Result<(), sqlx::Error> {
    let statement = AssertSqlSafe(format!("PRAGMA user_version = {generation}"));
    connection.execute(statement).await.map(drop)
}

async fn patience(connection: &mut SqliteConnection, time: Duration) -> Result<(), sqlx::Error> {
    let statement = AssertSqlSafe(format!("PRAGMA busy_timeout = {}", time.as_millis()));
    connection.execute(statement).await.map(drop)
}

/// Moves the whole log into the file.
async fn empty_log(connection: &mut SqliteConnection) -> Result<(), Step> {
    let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(connection)
        .await?;
    if busy == 0 { Ok(()) } else { Err(Step::Busy) }
}

/// A generation that no other file has, as good as certainly.
async fn new_generation(connection: &mut SqliteConnection) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT 1 + abs(random() % 1000000000)")
        .fetch_one(connection)
        .await
}

/// From the first commit on, the file alone says that it is in use.
async fn mark_in_use(connection: &mut SqliteConnection, found: i32) -> Result<i32, Step> {
    let mut generation = found;
    if generation == 0 {
        generation = -new_generation(connection).await?;
        set_generation(connection, generation).await?;
    }
    empty_log(connection).await?;
    if generation < 0 {
        generation = generation.saturating_abs().saturating_add(1);
        set_generation(connection, generation).await?;
        empty_log(connection).await?;
    }
    generation = generation.saturating_add(1);
    set_generation(connection, generation).await?;
    Ok(generation)
}

async fn mark_closed(connection: &mut SqliteConnection, generation: i32) -> Result<(), Step> {
    empty_log(connection).await?;
    set_generation(connection, -generation.saturating_abs()).await?;
    empty_log(connection).await
}
