//! Which database holds the book.
//!
//! Invariant: a SQLite file is used by one process at a time, which holds a lock beside it.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, bail};
use secrecy::ExposeSecret as _;
use store::{SqlStore, StoreOptions};

use crate::options::DatabaseArguments;

/// Folder of the book where nothing is said about it.
const DEFAULT_FOLDER: &str = "berth-data";

/// Refuses to put the book of a cloud into the working directory, where another process, or the same one started from
/// elsewhere, would not find it.
///
/// # Errors
/// When nothing says where the book is.
pub(crate) fn require(arguments: &DatabaseArguments) -> anyhow::Result<()> {
    if arguments.database.is_some() || arguments.data.is_some() {
        return Ok(());
    }
    bail!(
        "nothing says where the book of this cloud is: set BERTH_DATABASE (or --database, `database` in the configuration file, \
         [berth] database in blazar.conf) to postgres://USER:PASSWORD@HOST/NAME or mysql://USER:PASSWORD@HOST/NAME; for one \
         process alone, --data DIR names the folder of a SQLite file"
    )
}

/// An open database with an up-to-date schema.
pub(crate) struct Database {
    pub(crate) store: SqlStore,
    /// Other processes may use it too.
    pub(crate) shared: bool,
    /// For the log; without credentials.
    pub(crate) kind: &'static str,
    /// Held for as long as the file is used.
    _lock: Option<File>,
}

/// Opens the database and brings its schema up to date.
pub(crate) async fn open(arguments: &DatabaseArguments) -> anyhow::Result<Database> {
    let address = match (&arguments.database, &arguments.data) {
        (Some(address), _) => address.expose_secret().to_owned(),
        (None, Some(folder)) => own_file(folder)?,
        (None, None) => own_file(Path::new(DEFAULT_FOLDER))?,
    };
    let kind = kind(&address);
    let lock = address.strip_prefix("sqlite://").map(lock_beside).transpose()?;
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

/// The address of the SQLite file in a data folder, which is made if it is not there.
fn own_file(folder: &Path) -> anyhow::Result<String> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("--data {}: the folder cannot be made", folder.display()))?;
    let folder = folder
        .canonicalize()
        .with_context(|| format!("--data {}: the folder cannot be opened", folder.display()))?;
    let file = folder.join("berth.sqlite");
    let Some(file) = file.to_str() else {
        bail!("--data {}: the path is not UTF-8", folder.display());
    };
    Ok(format!("sqlite://{file}"))
}

/// The lock that makes a SQLite file this process's own.
fn lock_beside(file: &str) -> anyhow::Result<File> {
    let path = format!("{file}.lock");
    let lock = File::create(&path).with_context(|| format!("{path}: the lock of the database cannot be written"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            bail!("{file}: another berth uses this database; stop it, or name another with --data or --database")
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{path}: the lock of the database cannot be taken"))
        }
    }
}

fn kind(address: &str) -> &'static str {
    match address.split(':').next().unwrap_or_default() {
        "sqlite" => "sqlite",
        scheme if scheme.starts_with("postgres") => "postgresql",
        _ => "mariadb",
    }
}
