//! What an error of a database means for the operation that met it.
//!
//! Invariant: [`Failure::Transient`] is only said of a transaction that certainly did not take effect.

use std::error::Error;
use std::time::Duration;

use planner_core::ports::StoreError;
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm::sqlx::sqlite::SqliteError;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

use crate::embedded::FileTrouble;

/// Why a transaction was given up.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It lost against another one (deadlock, serialization, lock): the same again may succeed.
    Transient(DbErr),
    /// The database's guard against overlaps refused a row.
    Overlap,
    /// The answer to give.
    Final(StoreError),
    /// The file is not what it was.
    File(FileTrouble),
    /// Anything else.
    Database(DbErr),
}

/// An operation took too long, or was given no connection.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s{}", .limit.as_secs_f64(), .complaint.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
pub(crate) struct Slow {
    pub(crate) limit: Duration,
    /// What the server says when it is asked for a connection.
    pub(crate) complaint: Option<String>,
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        match database_error(&error) {
            Some(database) if is_overlap(database) => Self::Overlap,
            Some(database) if is_transient(database) => Self::Transient(error),
            _ => Self::Database(error),
        }
    }
}

impl From<FileTrouble> for Failure {
    fn from(trouble: FileTrouble) -> Self {
        Self::File(trouble)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

/// The answer when the database itself failed.
pub(crate) fn unavailable(operation: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable {
        operation,
        source: source.into(),
    }
}

/// Whether the pool had no connection to give, and does not say why.
pub(crate) fn is_without_connection(error: &DbErr) -> bool {
    matches!(error, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))
}

/// The database's own words, if it spoke.
pub(crate) fn database_error(error: &DbErr) -> Option<&dyn DatabaseError> {
    let (DbErr::Conn(runtime) | DbErr::Exec(runtime) | DbErr::Query(runtime)) = error else {
        return None;
    };
    let RuntimeErr::SqlxError(driver) = runtime else {
        return None;
    };
    driver.as_database_error()
}

fn is_overlap(error: &dyn DatabaseError) -> bool {
    // PostgreSQL 23P01: exclusion violation.
    error.code().as_deref() == Some("23P01") || error.message().contains(migrations::OVERLAP_GUARD)
}

fn is_transient(error: &dyn DatabaseError) -> bool {
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        // 1020 record has changed since last read, 1205 lock wait timeout, 1213 deadlock (also: a Galera node lost
        // the certification).
        return matches!(error.number(), 1020 | 1205 | 1213);
    }
    let code = error.code();
    let code = code.as_deref().unwrap_or_default();
    if error.try_downcast_ref::<SqliteError>().is_some() {
        // The low byte of an extended code is the code: 5 busy, 6 locked.
        return code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6));
    }
    // 40001 serialization failure, 40P01 deadlock, 55P03 lock not available.
    matches!(code, "40001" | "40P01" | "55P03")
}
