//! Which database holds the book.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use planner_core::book::time::check_clock;
use planner_core::environment::SystemClock;
use planner_core::ports::Clock as _;
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
}

/// Opens the database and brings its schema up to date.
pub(crate) async fn open(arguments: &DatabaseArguments) -> anyhow::Result<Database> {
    // Steps of the schema are recorded with their time.
    check_clock(SystemClock.now())?;
    let address = match (&arguments.database, &arguments.data) {
        (Some(address), _) => address.expose_secret().to_owned(),
        (None, _) => format!("sqlite://{}", text(&own_file(folder(arguments))?)?),
    };
    let kind = kind(&address);
    let options = StoreOptions {
        patience: Duration::from_secs(u64::from(arguments.database_wait)),
        ..StoreOptions::default()
    };
    let store = SqlStore::connect(&address, options)
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
    })
}

/// The folder of the SQLite file where no database is named.
pub(crate) fn folder(arguments: &DatabaseArguments) -> &Path {
    arguments.data.as_deref().unwrap_or(Path::new(DEFAULT_FOLDER))
}

/// The SQLite file that the options name, without opening it.
pub(crate) fn file(arguments: &DatabaseArguments) -> anyhow::Result<PathBuf> {
    let Some(address) = &arguments.database else {
        return Ok(folder(arguments).join(FILE));
    };
    match address.expose_secret().strip_prefix("sqlite://") {
        Some(file) if file.starts_with('/') => Ok(PathBuf::from(file)),
        Some(_) => bail!("--database: the path after sqlite:// is not absolute"),
        None => bail!("--database: this is for SQLite files; a server has pg_dump or mariadb-dump"),
    }
}

/// Name of the SQLite file in a data folder.
const FILE: &str = "berth.sqlite";

/// The SQLite file in a data folder, which is made if it is not there and is nobody else's to read.
pub(crate) fn own_file(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut builder = std::fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("--data {}: the folder cannot be made", folder.display()))?;
    let folder = folder
        .canonicalize()
        .with_context(|| format!("--data {}: the folder cannot be opened", folder.display()))?;
    if let Err(error) = std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)) {
        tracing::warn!(folder = %folder.display(), %error, "other users may be able to read the data folder");
    }
    Ok(folder.join(FILE))
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .with_context(|| format!("--data {}: the path is not UTF-8", path.display()))
}

fn kind(address: &str) -> &'static str {
    match address.split(':').next().unwrap_or_default() {
        "sqlite" => "sqlite",
        scheme if scheme.starts_with("postgres") => "postgresql",
        _ => "mariadb",
    }
}
