//! The store port over SQL: transactions, retries, time limits.
//!
//! Invariants: a transaction that lost against another is tried again a bounded number of times; one
//! whose outcome is unknown is never tried again, the caller is told so. Every change has its turn at the file, and
//! counts only when the turn has ended well. A database that is behind an epoch which was seen or acknowledged is not read.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use migrations::{Migrator, MigratorTrait};
use planner_core::domain::Timestamp;
use planner_core::ports::{Change, Commit, Contents, Epoch, Fence, OutboxEntry, OutboxPosition, Store, StoreError};
use sea_orm::{
    AccessMode, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    IsolationLevel, QueryFilter, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

use crate::address::Address;
use crate::commit::{self, Rows};
use crate::connection::{self, ConnectError, Connections, StoreOptions};
use crate::embedded::backup::{self, BackupError, Copied, Restored};
use crate::embedded::{Embedded, Turn};
use crate::entity::{allocation, reservation};
use crate::failure::{Failure, Slow, is_without_connection, unavailable};
use crate::{claims, limits, outbox, read};

/// How often a transaction that lost against another is tried.
const ATTEMPTS: usize = 8;

/// Name of the lock that keeps two processes from bringing one database up to date at once.
const MIGRATION_LOCK: i64 = 0x0062_6572_7468;

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
#[error("the schema could not be brought up to date")]
pub struct MigrateError(#[source] DbErr);

/// The book in a database.
#[derive(Clone)]
pub struct SqlStore {
    address: Address,
    connections: Connections,
    options: StoreOptions,
    /// What is looked after where the database is a file of our own.
    embedded: Option<Arc<Embedded>>,
    /// The newest epoch that was seen or acknowledged.
    newest: Arc<AtomicI64>,
}

/// The right to change the database, if that takes turns.
struct Write<'a>(Option<Turn<'a>>);

impl Write<'_> {
    /// Ends the turn after a commit; `epoch` is the book's, if it is newer now.
    async fn done(self, epoch: Option<Epoch>) -> Result<(), Failure> {
        match self.0 {
            Some(turn) => Ok(turn.done(epoch).await?),
            None => Ok(()),
        }
    }
}

impl std::fmt::Debug for SqlStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SqlStore")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl SqlStore {
    /// Opens the database at `address`: `sqlite:///absolute/path` (made if it is not there),
    /// `postgres://user:password@host/database`, `mysql://...` or `mariadb://...`, also with the name of a
    /// Python driver as OpenStack services have it. The schema is not looked at: see [`SqlStore::migrate`].
    ///
    /// # Errors
    /// When the address is wrong, the server does not let us in, or it is too old; when a file is another process's,
    /// or may lack what was acknowledged.
    pub async fn connect(address: &str, options: StoreOptions) -> Result<Self, ConnectError> {
        let address = Address::parse(address)?;
        let embedded = match &address {
            Address::Sqlite(path) if options.exclusive => {
                let connect = connection::sqlite_options(path, &options);
                Some(Arc::new(Embedded::open(path, &connect).await?))
            }
            Address::Sqlite(_) | Address::Postgres(_) | Address::MariaDb(_) => None,
        };
        let connections = connection::open(&address, &options).await?;
        Ok(Self {
            address,
            connections,
            options,
            embedded,
            newest: Arc::default(),
        })
    }

    /// Copies the book in a SQLite file to `target`, which must not exist, also while a service uses it.
    ///
    /// # Errors
    /// As [`BackupError`]; no file is left then.
    pub async fn backup(source: &Path, target: &Path) -> Result<Copied, BackupError> {
        backup::backup(source, target).await
    }

    /// Puts a copy of the book in `source` in the place of the SQLite file `target`. With `replace` a book that is there
    /// already is kept under another name, else refused. With `accept_loss` a source that may lack what was acknowledged
    /// is taken as it is.
    ///
    /// # Errors
    /// As [`BackupError`].
    pub async fn restore(
        source: &Path,
        target: &Path,
        replace: bool,
        accept_loss: bool,
    ) -> Result<Restored, BackupError> {
        backup::restore(source, target, replace, accept_loss).await
    }

    /// Brings the schema up to date. Safe to repeat, and safe when several processes do it at once.
    ///
    /// # Errors
    /// When the database refuses a step, or a newer program has taken steps this one does not know.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        // A pool of one connection, for the lock and the steps to be in one session.
        let options = StoreOptions {
            connections: 1,
            ..self.options.clone()
        };
        let alone = connection::open(&self.address, &options)
            .await
            .map_err(|error| MigrateError(DbErr::Custom(chain(&error))))?;
        let result = migrate_alone(&alone.writer).await;
        // Ends the session, and with it the lock.
        for pool in [alone.writer, alone.reader] {
            if let Err(error) = pool.close().await {
                tracing::debug!(%error, "a connection used for migration did not close");
            }
        }
        result.map_err(MigrateError)
    }

    /// How many steps of the schema this database lacks.
    ///
    /// # Errors
    /// When the database does not answer, or a newer program has taken steps this one does not know.
    pub async fn pending_migrations(&self) -> Result<usize, MigrateError> {
        Migrator::get_pending_migrations_read_only(&self.connections.reader)
            .await
            .map(|steps| steps.len())
            .map_err(MigrateError)
    }

    /// Closes all connections once the operations under way have ended.
    pub async fn close(&self) {
        for pool in [&self.connections.writer, &self.connections.reader] {
            if let Err(error) = pool.clone().close().await {
                tracing::debug!(%error, "a connection did not close");
            }
        }
        if let Some(embedded) = &self.embedded {
            embedded.close().await;
        }
    }

    /// Waits for the right to change the database.
    async fn turn(&self) -> Result<Write<'_>, Failure> {
        Ok(Write(match &self.embedded {
            Some(embedded) => Some(embedded.turn().await?),
            None => None,
        }))
    }

    /// Passes on what `found` read unless it lacks what was known before it was read.
    async fn confirmed<T>(
        &self,
        found: impl Future<Output = Result<T, Failure>> + Send,
        epoch: impl Fn(&T) -> Epoch + Send,
    ) -> Result<T, Failure> {
        let acknowledged = self.newest.load(Ordering::Acquire);
        let value = found.await?;
        let found = epoch(&value);
        if found < acknowledged {
            return Err(StoreError::Behind { found, acknowledged }.into());
        }
        self.newest.fetch_max(found, Ordering::AcqRel);
        Ok(value)
    }

    async fn read_epoch(&self) -> Result<Epoch, Failure> {
        Ok(read::book_row(&self.connections.reader).await?.epoch)
    }

    async fn begin_write(&self) -> Result<DatabaseTransaction, DbErr> {
        self.connections
            .writer
            .begin_with_options(TransactionOptions {
                // A transaction that reads first could not become a writer later.
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await
    }

    async fn begin_read(&self) -> Result<DatabaseTransaction, DbErr> {
        let reader = &self.connections.reader;
        if reader.get_database_backend() == DbBackend::Postgres {
            return reader
                .begin_with_config(Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly))
                .await;
        }
        // SQLite knows nothing weaker, and MariaDB's sessions are opened at this level.
        reader.begin().await
    }

    /// Reads until it succeeds, ends for good, or the time is over.
    async fn read<T, F>(
        &self,
        operation: &'static str,
        transaction: impl Fn() -> F + Send + Sync,
    ) -> Result<T, StoreError>
    where
        T: Send,
        F: Future<Output = Result<T, Failure>> + Send,
    {
        self.attempt(operation, self.options.operation_timeout, transaction)
            .await
    }

    /// Makes a small change until it wins, ends for good, or the time is over.
    async fn write<T, F>(
        &self,
        operation: &'static str,
        transaction: impl Fn() -> F + Send + Sync,
    ) -> Result<T, StoreError>
    where
        T: Send,
        F: Future<Output = Result<T, Failure>> + Send,
    {
        self.attempt(operation, self.options.write_timeout, transaction).await
    }

    /// Makes a change of one statement, which is a transaction of its own.
    async fn write_in_turn<T, E, F>(
        &self,
        operation: &'static str,
        statement: impl Fn() -> F + Send + Sync,
    ) -> Result<T, StoreError>
    where
        T: Send,
        E: Into<Failure>,
        F: Future<Output = Result<T, E>> + Send,
    {
        self.write(operation, || async {
            let turn = self.turn().await?;
            let changed = statement().await.map_err(Into::into)?;
            turn.done(None).await?;
            Ok(changed)
        })
        .await
    }

    /// Runs a transaction until it wins, ends for good, or the time is over.
    async fn attempt<T, F>(
        &self,
        operation: &'static str,
        limit: Duration,
        transaction: impl Fn() -> F + Send + Sync,
    ) -> Result<T, StoreError>
    where
        T: Send,
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let attempts = async {
            let mut attempt = 1;
            loop {
                match transaction().await {
                    Ok(value) => return Ok(value),
                    Err(Failure::Final(error)) => return Err(error),
                    Err(Failure::Overlap) => return Err(StoreError::Overlap("that was not named".to_owned())),
                    Err(Failure::Transient(error)) if attempt < ATTEMPTS => {
                        tracing::debug!(%error, operation, attempt, "a transaction lost against another");
                        attempt += 1;
                    }
                    Err(Failure::File(trouble)) => return Err(unavailable(operation, trouble)),
                    Err(Failure::Transient(error) | Failure::Database(error)) => {
                        if is_without_connection(&error) {
                            return Err(self.slow(operation, connection::ACQUIRE.min(limit)).await);
                        }
                        return Err(unavailable(operation, error));
                    }
                }
            }
        };
        match tokio::time::timeout(limit, attempts).await {
            Ok(result) => result,
            Err(_) => Err(self.slow(operation, limit).await),
        }
    }

    /// The answer when the database did not answer in time, with what it says to somebody new.
    async fn slow(&self, operation: &'static str, limit: Duration) -> StoreError {
        let complaint = connection::complaint(&self.address).await;
        unavailable(operation, Slow { limit, complaint })
    }

    async fn try_load(&self) -> Result<Contents, Failure> {
        let transaction = self.begin_read().await?;
        let contents = read::contents(&transaction).await?;
        transaction.commit().await?;
        Ok(contents)
    }

    async fn try_changes(&self, since: Epoch) -> Result<(Epoch, Vec<Change>), Failure> {
        let transaction = self.begin_read().await?;
        let changes = read::changes(&transaction, since).await?;
        transaction.commit().await?;
        Ok(changes)
    }

    async fn try_commit(&self, commit: &Commit, rows: &Rows) -> Result<Epoch, Failure> {
        let turn = self.turn().await?;
        let transaction = self.begin_write().await?;
        match commit::write(&transaction, commit, rows, self.options.feed_epochs).await {
            Ok(epoch) => {
                transaction.commit().await?;
                turn.done(Some(epoch)).await?;
                self.newest.fetch_max(epoch, Ordering::AcqRel);
                Ok(epoch)
            }
            Err(failure) => {
                // An error here changes nothing: a session that is gone has been rolled back by the server.
                if let Err(error) = transaction.rollback().await {
                    tracing::debug!(%error, "a rollback failed");
                }
                Err(self.name_overlap(failure, rows).await)
            }
        }
    }

    async fn try_probe(&self) -> Result<(), Failure> {
        let turn = self.turn().await?;
        if let Some(embedded) = &self.embedded {
            embedded.has_room().await?;
        }
        let transaction = self.begin_write().await?;
        commit::touch(&transaction).await?;
        transaction.commit().await?;
        turn.done(None).await?;
        self.confirmed(self.read_epoch(), |epoch| *epoch).await.map(drop)
    }

    async fn try_claim(
        &self,
        lease_id: &str,
        owner: &str,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Option<Fence>, Failure> {
        let turn = self.turn().await?;
        let transaction = self.begin_write().await?;
        let fence = claims::claim(&transaction, lease_id, owner, now, expires).await?;
        if fence.is_some() {
            transaction.commit().await?;
            turn.done(None).await?;
        } else {
            transaction.rollback().await?;
        }
        Ok(fence)
    }

    /// The engines do not all say which host it was, so it is looked for, after the rollback.
    async fn name_overlap(&self, failure: Failure, rows: &Rows) -> Failure {
        if !matches!(failure, Failure::Overlap) {
            return failure;
        }
        let mut wanted: Vec<&allocation::Model> = rows.allocations().iter().collect();
        wanted.sort_unstable_by(|one, other| (&one.host_id, one.start_at).cmp(&(&other.host_id, other.start_at)));
        let twice = wanted.windows(2).find_map(|pair| match pair {
            [one, other] if overlap(one, other) => Some(one.host_id.clone()),
            _ => None,
        });
        if let Some(host) = twice {
            return StoreError::Overlap(host).into();
        }
        for one in wanted {
            match self.is_occupied(one, rows).await {
                Ok(false) => {}
                Ok(true) => return StoreError::Overlap(one.host_id.clone()).into(),
                Err(error) => return Failure::from(error),
            }
        }
        failure
    }

    async fn is_occupied(&self, wanted: &allocation::Model, rows: &Rows) -> Result<bool, DbErr> {
        let others = allocation::Entity::find()
            .filter(allocation::Column::HostId.eq(wanted.host_id.as_str()))
            .filter(allocation::Column::StartAt.lt(wanted.occupied_until))
            .filter(allocation::Column::OccupiedUntil.gt(wanted.start_at))
            .all(&self.connections.reader)
            .await?;
        for other in others {
            let lease = reservation::Entity::find_by_id(other.reservation_id)
                .one(&self.connections.reader)
                .await?;
            if lease.is_some_and(|row| !rows.touched_leases().contains(&row.lease_id)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn overlap(one: &allocation::Model, other: &allocation::Model) -> bool {
    one.host_id == other.host_id && one.start_at < other.occupied_until && other.start_at < one.occupied_until
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

async fn migrate_alone(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let backend = connection.get_database_backend();
    if backend == DbBackend::Sqlite {
        // The writer's lock does it.
        let mode = Some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions {
            sqlite_transaction_mode: mode,
            ..TransactionOptions::default()
        };
        let transaction = connection.begin_with_options(options).await?;
        Migrator::up(&transaction, None).await?;
        return transaction.commit().await;
    }
    let lock = if backend == DbBackend::Postgres {
        connection.execute_unprepared("SET lock_timeout = '600s'").await?;
        format!("SELECT CAST(1 AS BIGINT) FROM (SELECT pg_advisory_lock({MIGRATION_LOCK})) AS locked")
    } else {
        format!("SELECT CAST(COALESCE(GET_LOCK('berth-{MIGRATION_LOCK}', 600), 0) AS SIGNED)")
    };
    let row = connection.query_one_raw(Statement::from_string(backend, lock)).await?;
    if row.map(|row| row.try_get_by_index::<i64>(0)).transpose()? != Some(1) {
        return Err(DbErr::Migration(
            "another process has been migrating for ten minutes".to_owned(),
        ));
    }
    Migrator::up(connection, None).await
}

#[async_trait]
impl Store for SqlStore {
    async fn load(&self) -> Result<Contents, StoreError> {
        self.read("load the book", || {
            self.confirmed(self.try_load(), |contents| contents.epoch)
        })
        .await
    }

    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.read("read the epoch", || self.confirmed(self.read_epoch(), |epoch| *epoch))
            .await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.write("take a change", || self.try_probe()).await
    }

    async fn changes_since(&self, since: Epoch) -> Result<(Epoch, Vec<Change>), StoreError> {
        self.read("read the changes", || {
            self.confirmed(self.try_changes(since), |(epoch, _)| *epoch)
        })
        .await
    }

    async fn commit(&self, commit: &Commit) -> Result<Epoch, StoreError> {
        let rows = Rows::of(commit)?;
        let for_rows = Duration::from_millis(u64::try_from(rows.count()).unwrap_or(u64::MAX));
        let limit = self.options.write_timeout.saturating_add(for_rows);
        self.attempt("commit", limit, || self.try_commit(commit, &rows)).await
    }

    async fn claim(
        &self,
        lease_id: &str,
        owner: &str,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Option<Fence>, StoreError> {
        limits::id("a lease's id", lease_id)?;
        limits::name("a worker's name", owner)?;
        self.write("claim a lease", || self.try_claim(lease_id, owner, now, expires))
            .await
    }

    async fn renew(&self, fence: &Fence, expires: Timestamp) -> Result<bool, StoreError> {
        let writer = &self.connections.writer;
        self.write_in_turn("renew a claim", || claims::renew(writer, fence, expires))
            .await
    }

    async fn release(&self, fence: &Fence) -> Result<(), StoreError> {
        let writer = &self.connections.writer;
        self.write_in_turn("release a claim", || claims::release(writer, fence))
            .await
    }

    async fn release_all(&self, prefix: &str) -> Result<(), StoreError> {
        let writer = &self.connections.writer;
        self.write_in_turn("release claims", || claims::release_all(writer, prefix))
            .await
    }

    async fn outbox(&self, outlet: &str, most: u64) -> Result<Vec<OutboxEntry>, StoreError> {
        self.read("read the outbox", || {
            outbox::first(&self.connections.reader, outlet, most)
        })
        .await
    }

    async fn remove_from_outbox(&self, outlet: &str, through: OutboxPosition) -> Result<(), StoreError> {
        let writer = &self.connections.writer;
        self.write_in_turn("empty the outbox", || outbox::remove(writer, outlet, through))
            .await
    }
}
