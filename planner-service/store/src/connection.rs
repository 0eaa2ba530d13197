//! Opens pools of connections to an engine.
//!
//! Invariants: SQLite has one connection that writes and others that only read, and syncs each commit
//! to the disk; every session of a server refuses to truncate values and does not stay in a transaction
//! when its client hangs; a connection whose transaction did not end as it should is closed, not used again.
//!
//! The last one matters most with SQLite, which rolls back by itself when a disk is full. The driver's `ROLLBACK` then
//! fails, the driver goes on counting an open transaction, and each later `COMMIT` becomes the end of a savepoint in a
//! transaction that nobody ever commits.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::sqlx::{self, ConnectOptions, Connection, Executor};
use sea_orm::{DatabaseConnection, SqlxMySqlConnector, SqlxPostgresConnector, SqlxSqliteConnector};

use crate::address::{Address, AddressError};
use crate::embedded::{self, EmbeddedError};

/// How the store is run.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Most connections to a server, or most readers of a file. Default 16.
    pub connections: u32,
    /// How long reading may take, the wait for a connection included. Default 30 s.
    pub operation_timeout: Duration,
    /// How long one change may take; a large one gets a millisecond more for each row. Default 5 s.
    pub write_timeout: Duration,
    /// How long a server that does not answer is tried at the start. Default 30 s.
    pub patience: Duration,
    /// Whether a SQLite file is this store's alone: it is locked, and looked after as [`crate::embedded`] says. Default
    /// true.
    pub exclusive: bool,
    /// For how many epochs the change feed is kept; who is further behind loads everything. Default 100,000.
    pub feed_epochs: i64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            connections: 16,
            operation_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(5),
            patience: Duration::from_secs(30),
            exclusive: true,
            feed_epochs: 100_000,
        }
    }
}

/// Why no store could be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is wrong.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The file is somebody else's, or may lack what was acknowledged.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The server or the file did not let us in.
    #[error("the database could not be opened")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another server than MariaDB, or one that is too old: it cannot forbid overlapping periods.
    #[error("the server is `{version}`; MariaDB 10.5.3 or newer is needed")]
    Version {
        /// What the server says it is.
        version: String,
    },
}

impl From<sqlx::Error> for ConnectError {
    fn from(error: sqlx::Error) -> Self {
        Self::Open(Box::new(error))
    }
}

/// The pools over one database.
#[derive(Clone)]
pub(crate) struct Connections {
    /// For transactions that write.
    pub(crate) writer: DatabaseConnection,
    /// For transactions that only read.
    pub(crate) reader: DatabaseConnection,
}

/// Opens the pools.
pub(crate) async fn open(address: &Address, options: &StoreOptions) -> Result<Connections, ConnectError> {
    match address {
        Address::Sqlite(path) => open_sqlite(path, options).await,
        Address::Postgres(url) => {
            let connect = PgConnectOptions::from_str(url.as_str())?;
            reach::<PgConnection>(&connect, options.patience).await?;
            let pool = open_postgres(connect, options).await?;
            let both = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
            Ok(Connections {
                writer: both.clone(),
                reader: both,
            })
        }
        Address::MariaDb(url) => {
            let connect = MySqlConnectOptions::from_str(url.as_str())?;
            reach::<MySqlConnection>(&connect, options.patience).await?;
            let pool = open_mariadb(connect, options).await?;
            let version: String = sqlx::query_scalar("SELECT CAST(VERSION() AS CHAR)")
                .fetch_one(&pool)
                .await?;
            if !is_suitable_mariadb(&version) {
                return Err(ConnectError::Version { version });
            }
            let both = SqlxMySqlConnector::from_sqlx_mysql_pool(pool);
            Ok(Connections {
                writer: both.clone(),
                reader: both,
            })
        }
    }
}

/// How connections to a SQLite file are made.
pub(crate) fn sqlite_options(path: &Path, options: &StoreOptions) -> SqliteConnectOptions {
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An accepted lease survives a power failure.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(embedded::BUSY)
        .statement_cache_capacity(256)
        .disable_statement_logging();
    if options.exclusive {
        // Checkpoints begin new generations of the log.
        connect.pragma("wal_autocheckpoint", "0")
    } else {
        connect
    }
}

async fn open_sqlite(path: &Path, options: &StoreOptions) -> Result<Connections, ConnectError> {
    let connect = sqlite_options(path, options);
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(options.operation_timeout)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .before_acquire(|connection, _| Box::pin(std::future::ready(Ok(!connection.is_in_transaction()))))
            .after_release(|connection, _| Box::pin(std::future::ready(Ok(!connection.is_in_transaction()))))
    };
    let writer = pool().max_connections(1).connect_with(connect.clone()).await?;
    let reader = pool()
        .max_connections(options.connections.max(1))
        .connect_with(connect.pragma("query_only", "ON"))
        .await?;
    Ok(Connections {
        writer: SqlxSqliteConnector::from_sqlx_sqlite_pool(writer),
        reader: SqlxSqliteConnector::from_sqlx_sqlite_pool(reader),
    })
}

/// How long an operation waits for one of a server's connections: less than whoever waits for the operation.
pub(crate) const ACQUIRE: Duration = Duration::from_millis(2500);

/// How long one attempt to reach a server takes, and the longest wait between two.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Tries a server until it lets us in, says why it does not at once, and gives up when it never will.
#[expect(
    clippy::disallowed_methods,
    reason = "the service's time comes from the book, which is not open yet"
)]
async fn reach<C: Connection>(options: &C::Options, patience: Duration) -> Result<(), ConnectError> {
    let deadline = tokio::time::Instant::now() + patience;
    let mut pause = Duration::from_millis(250);
    loop {
        let attempt = tokio::time::timeout(ATTEMPT, options.connect()).await;
        let error: Box<dyn std::error::Error + Send + Sync> = match attempt {
            Ok(Ok(connection)) => {
                if let Err(error) = connection.close().await {
                    tracing::debug!(%error, "the first connection did not close");
                }
                return Ok(());
            }
            Ok(Err(error)) if !is_passing(&error) => return Err(error.into()),
            Ok(Err(error)) => error.into(),
            Err(_) => format!("no answer within {} s", ATTEMPT.as_secs()).into(),
        };
        if tokio::time::Instant::now() + pause >= deadline {
            return Err(ConnectError::Open(error));
        }
        tracing::warn!(%error, "the database cannot be reached; trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(ATTEMPT);
    }
}

/// Why a server does not let us in, if it says so within a second. A pool keeps that to itself.
pub(crate) async fn complaint(address: &Address) -> Option<String> {
    match address {
        Address::Sqlite(_) => None,
        Address::Postgres(url) => refusal::<PgConnection>(&PgConnectOptions::from_str(url.as_str()).ok()?).await,
        Address::MariaDb(url) => refusal::<MySqlConnection>(&MySqlConnectOptions::from_str(url.as_str()).ok()?).await,
    }
}

async fn refusal<C: Connection>(options: &C::Options) -> Option<String> {
    match tokio::time::timeout(Duration::from_secs(1), options.connect()).await {
        Ok(Ok(connection)) => {
            drop(connection.close_hard().await);
            None
        }
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => None,
    }
}

/// Whether a server may let us in later.
fn is_passing(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_))
        || error
            .as_database_error()
            .is_some_and(sqlx::error::DatabaseError::is_transient_in_connect_phase)
}

async fn open_postgres(connect: PgConnectOptions, options: &StoreOptions) -> Result<sqlx::PgPool, sqlx::Error> {
    PgPoolOptions::new()
        .max_connections(options.connections.max(1))
        .acquire_timeout(options.operation_timeout.min(ACQUIRE))
        .after_release(|connection, _| Box::pin(std::future::ready(Ok(!connection.is_in_transaction()))))
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection
                    .execute(
                        "SET default_transaction_isolation = 'read committed'; \
                         SET idle_in_transaction_session_timeout = '60s'",
                    )
                    .await?;
                Ok(())
            })
        })
        .connect_with(
            connect
                .application_name("berth")
                .statement_cache_capacity(256)
                .disable_statement_logging(),
        )
        .await
}

async fn open_mariadb(connect: MySqlConnectOptions, options: &StoreOptions) -> Result<sqlx::MySqlPool, sqlx::Error> {
    MySqlPoolOptions::new()
        .max_connections(options.connections.max(1))
        .acquire_timeout(options.operation_timeout.min(ACQUIRE))
        .after_release(|connection, _| Box::pin(std::future::ready(Ok(!connection.is_in_transaction()))))
        .after_connect(|connection, _| {
            Box::pin(async move {
                for setting in [
                    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
                    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                    "SET SESSION innodb_lock_wait_timeout = 20",
                ] {
                    connection.execute(setting).await?;
                }
                // Not every build has these. The second makes a Galera node catch up before it answers.
                for setting in [
                    "SET SESSION idle_transaction_timeout = 60",
                    "SET SESSION wsrep_sync_wait = 3",
                ] {
                    if let Err(error) = connection.execute(setting).await {
                        tracing::debug!(%error, setting, "the server does not know a setting");
                    }
                }
                Ok(())
            })
        })
        .connect_with(
            connect
                .charset("utf8mb4")
                .pipes_as_concat(false)
                .no_engine_substitution(false)
                .statement_cache_capacity(256)
                .disable_statement_logging(),
        )
        .await
}

/// `10.11.6-MariaDB-0+deb12u1` and, from servers that pretend to be older, `5.5.5-10.11.6-MariaDB`.
fn is_suitable_mariadb(version: &str) -> bool {
    let Some((before, _)) = version.split_once("-MariaDB") else {
        return false;
    };
    let number = before.rsplit('-').next().unwrap_or(before);
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= (10, 5, 3)
}

#[cfg(test)]
mod tests {
    use super::is_suitable_mariadb;

    #[test]
    fn servers_that_cannot_guard_against_overlaps_are_recognised() {
        assert!(is_suitable_mariadb("10.11.19-MariaDB-0+deb12u1"));
        assert!(is_suitable_mariadb("5.5.5-10.6.12-MariaDB-log"));
        assert!(is_suitable_mariadb("12.0.2-MariaDB"));
        assert!(!is_suitable_mariadb("10.5.2-MariaDB"));
        assert!(!is_suitable_mariadb("10.3.39-MariaDB"));
        assert!(!is_suitable_mariadb("8.0.36"));
    }
}
