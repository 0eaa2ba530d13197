//! Opens pools of connections to an engine.
//!
//! Invariants: SQLite has one connection that writes and others that only read, and syncs each commit
//! to the disk; every session of a server refuses to truncate values and does not stay in a transaction
//! when its client hangs.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::sqlx::{self, ConnectOptions, Executor};
use sea_orm::{DatabaseConnection, SqlxMySqlConnector, SqlxPostgresConnector, SqlxSqliteConnector};

use crate::address::{Address, AddressError};

/// How the store is run.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Most connections to a server, or most readers of a file. Default 16.
    pub connections: u32,
    /// How long one operation may take, the wait for a connection included. Default 30 s.
    pub operation_timeout: Duration,
    /// For how many epochs the change feed is kept; who is further behind loads everything. Default 100,000.
    pub feed_epochs: i64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            connections: 16,
            operation_timeout: Duration::from_secs(30),
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
            let pool = open_postgres(PgConnectOptions::from_str(url.as_str())?, options).await?;
            let both = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
            Ok(Connections {
                writer: both.clone(),
                reader: both,
            })
        }
        Address::MariaDb(url) => {
            let pool = open_mariadb(MySqlConnectOptions::from_str(url.as_str())?, options).await?;
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

async fn open_sqlite(path: &Path, options: &StoreOptions) -> Result<Connections, ConnectError> {
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An accepted lease survives a power failure.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .statement_cache_capacity(256)
        .disable_statement_logging();
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(options.operation_timeout)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
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

async fn open_postgres(connect: PgConnectOptions, options: &StoreOptions) -> Result<sqlx::PgPool, sqlx::Error> {
    PgPoolOptions::new()
        .max_connections(options.connections.max(1))
        .acquire_timeout(options.operation_timeout)
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
        .acquire_timeout(options.operation_timeout)
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
