//! Which database holds the book.
//!
//! Invariant: a SQLite file is used by one process at a time, which holds a lock beside it.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, bail};
use store::{SqlStore, StoreOptions};

use crate::options::DatabaseArguments;

/// An open database with an up-to-date schema.
pub(super) struct Database {
    pub(super) store: SqlStore,
    /// Other processes may use it too.
    pub(super) shared: bool,
    /// For the log; without credentials.
    pub(super) kind: &'static str,
    /// Held for as long as the file is used.
    _lock: Option<File>,
}

/// Opens the database and brings its schema up to date.
pub(super) async fn open(arguments: &DatabaseArguments) -> anyhow::Result<Database> {
    let (address, lock) = if let Some(address) = &arguments.database {
        (address.clone(), None)
    } else {
        let (address, lock) = own_file(&arguments.data)?;
        (address, Some(lock))
    };
    let kind = kind(&address);
    let store = SqlStore::connect(&address, StoreOptions::default())
        .await
        .context("--database: the database cannot be used")?;
    store
        .migrate()
        .await
        .context("the schema of the database cannot be brought up to date")?;
    Ok(Database {
        store,
        shared: kind != "sqlite",
        kind,
        _lock: lock,
    })
}

/// The SQLite file of a data folder, with the lock that makes it this process's own.
fn own_file(folder: &Path) -> anyhow::Result<(String, File)> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("--data {}: the folder cannot be made", folder.display()))?;
    let folder = folder
        .canonicalize()
        .with_context(|| format!("--data {}: the folder cannot be opened", folder.display()))?;
    let lock = File::create(folder.join("lock"))
        .with_context(|| format!("--data {}: the folder cannot be written", folder.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!(
            "--data {}: another berth uses this folder; stop it, or name another folder",
            folder.display()
        ),
        Err(TryLockError::Error(error)) => return Err(error).context("the lock of the data folder cannot be taken"),
    }
    let file = folder.join("berth.sqlite");
    let Some(file) = file.to_str() else {
        bail!("--data {}: the path is not UTF-8", folder.display());
    };
    Ok((format!("sqlite://{file}"), lock))
}

fn kind(address: &str) -> &'static str {
    match address.split(':').next().unwrap_or_default() {
        "sqlite" => "sqlite",
        scheme if scheme.starts_with("postgres") => "postgresql",
        _ => "mariadb",
    }
}
