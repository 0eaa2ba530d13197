//! Step 1: the whole first schema.
//!
//! Times are Unix seconds. The children of a lease and of a host go with their parent. No two rows
//! of `allocations` may occupy one host at one time: the database refuses the second, whatever the
//! planner thought.

use async_trait::async_trait;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::dialect::Dialect;
use crate::{LEASE_NAME_LENGTH, OVERLAP_GUARD};

/// The step.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0001_first_schema"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let dialect = Dialect::of(manager.get_database_backend())?;
        for statement in tables(dialect) {
            connection.execute_unprepared(&statement).await?;
        }
        match dialect {
            Dialect::MariaDb => create_allocations_mariadb(connection, dialect).await?,
            Dialect::Postgres => create_allocations_postgres(connection, dialect).await?,
            Dialect::Sqlite => create_allocations_sqlite(connection, dialect).await?,
        }
        for statement in first_rows() {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

/// Every table but `allocations`, parents first.
fn tables(dialect: Dialect) -> Vec<String> {
    let table = |name: &str, columns: &[String]| dialect.table(name, columns);
    let long = dialect.long_text();
    let dates = || ["created_at BIGINT NOT NULL".to_owned(), "updated_at BIGINT".to_owned()];
    let [created_at, updated_at] = dates();
    let required = |column: String| column + " NOT NULL";
    let line = str::to_owned;
    vec![
        table(
            "book",
            &[
                line("id INTEGER PRIMARY KEY CHECK (id = 1)"),
                line("epoch BIGINT NOT NULL"),
                // Every change with an epoch greater than this is in the feed.
                line("feed_complete_after BIGINT NOT NULL"),
            ],
        ),
        table(
            "changes",
            &[
                line("epoch BIGINT NOT NULL"),
                line("position BIGINT NOT NULL"),
                required(dialect.word("kind")),
                required(dialect.id("object_id")),
                line("PRIMARY KEY (epoch, position)"),
            ],
        ),
        table(
            "leases",
            &[
                required(dialect.id("id")) + " PRIMARY KEY",
                required(dialect.bounded("name", LEASE_NAME_LENGTH)),
                required(dialect.name("user_id")),
                required(dialect.name("project_id")),
                dialect.id("trust_id"),
                line("start_at BIGINT NOT NULL"),
                line("end_at BIGINT NOT NULL"),
                required(dialect.word("status")),
                line("degraded BOOLEAN NOT NULL"),
                created_at.clone(),
                updated_at.clone(),
            ],
        ),
        table(
            "reservations",
            &[
                required(dialect.id("id")) + " PRIMARY KEY",
                required(dialect.id("lease_id")),
                line("position BIGINT NOT NULL"),
                required(dialect.id("resource_id")),
                required(dialect.word("resource_type")),
                required(dialect.word("status")),
                line("missing_resources BOOLEAN NOT NULL"),
                line("resources_changed BOOLEAN NOT NULL"),
                created_at.clone(),
                updated_at.clone(),
                line("FOREIGN KEY (lease_id) REFERENCES leases (id) ON DELETE CASCADE"),
            ],
        ),
        index("reservations_by_lease", "reservations", "lease_id, position"),
        table(
            "host_reservations",
            &[
                required(dialect.id("reservation_id")) + " PRIMARY KEY",
                line("minimum BIGINT NOT NULL"),
                line("maximum BIGINT NOT NULL"),
                format!("hypervisor_properties {long} NOT NULL"),
                format!("resource_properties {long} NOT NULL"),
                required(dialect.word("before_end")),
                line("FOREIGN KEY (reservation_id) REFERENCES reservations (id) ON DELETE CASCADE"),
            ],
        ),
        table(
            "events",
            &[
                required(dialect.id("id")) + " PRIMARY KEY",
                required(dialect.id("lease_id")),
                line("position BIGINT NOT NULL"),
                required(dialect.word("event_type")),
                line("due_at BIGINT NOT NULL"),
                required(dialect.word("status")),
                line("attempts BIGINT NOT NULL"),
                line("not_before BIGINT"),
                format!("waiting {long}"),
                created_at.clone(),
                updated_at.clone(),
                line("FOREIGN KEY (lease_id) REFERENCES leases (id) ON DELETE CASCADE"),
            ],
        ),
        index("events_by_lease", "events", "lease_id, position"),
        table(
            "findings",
            &[
                required(dialect.id("lease_id")) + " PRIMARY KEY",
                format!("content {long} NOT NULL"),
            ],
        ),
        table(
            "hosts",
            &[
                required(dialect.id("id")) + " PRIMARY KEY",
                line("vcpus BIGINT NOT NULL"),
                format!("cpu_info {long} NOT NULL"),
                format!("hypervisor_type {long} NOT NULL"),
                line("hypervisor_version BIGINT NOT NULL"),
                required(dialect.name("hypervisor_hostname")),
                required(dialect.name("service_name")),
                line("memory_mb BIGINT NOT NULL"),
                line("local_gb BIGINT NOT NULL"),
                required(dialect.name("availability_zone")),
                required(dialect.id("trust_id")),
                line("reservable BOOLEAN NOT NULL"),
                created_at.clone(),
                updated_at.clone(),
            ],
        ),
        table(
            "host_capabilities",
            &[
                required(dialect.id("host_id")),
                required(dialect.name("name")),
                format!("value {long} NOT NULL"),
                line("PRIMARY KEY (host_id, name)"),
                line("FOREIGN KEY (host_id) REFERENCES hosts (id) ON DELETE CASCADE"),
            ],
        ),
        table(
            "resource_properties",
            &[
                required(dialect.id("id")) + " PRIMARY KEY",
                required(dialect.name("name")),
                line("private BOOLEAN NOT NULL"),
                created_at,
                updated_at,
            ],
        ),
        // Claims outlive the rewriting of their lease, hence no foreign key.
        table(
            "claims",
            &[
                required(dialect.id("lease_id")) + " PRIMARY KEY",
                required(dialect.name("owner")),
                line("fence BIGINT NOT NULL"),
                line("expires_at BIGINT NOT NULL"),
            ],
        ),
        // One counter for all leases, so that numbers stay greater even after a claim's row is gone.
        table(
            "fences",
            &[
                line("id INTEGER PRIMARY KEY CHECK (id = 1)"),
                line("number BIGINT NOT NULL"),
            ],
        ),
    ]
}

fn index(name: &str, table: &str, columns: &str) -> String {
    format!("CREATE INDEX IF NOT EXISTS {name} ON {table} ({columns})")
}

/// The rows of the tables that have exactly one.
fn first_rows() -> [&'static str; 2] {
    [
        "INSERT INTO book (id, epoch, feed_complete_after) SELECT 1, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM book)",
        "INSERT INTO fences (id, number) SELECT 1, 0 WHERE NOT EXISTS (SELECT 1 FROM fences)",
    ]
}

/// `allocations` up to the engine's own part.
fn allocation_columns(dialect: Dialect) -> String {
    [
        dialect.id("reservation_id") + " NOT NULL",
        "position BIGINT NOT NULL".to_owned(),
        dialect.id("host_id") + " NOT NULL",
        "start_at BIGINT NOT NULL".to_owned(),
        "occupied_until BIGINT NOT NULL".to_owned(),
        "PRIMARY KEY (reservation_id, position)".to_owned(),
        "CHECK (start_at < occupied_until)".to_owned(),
        "FOREIGN KEY (reservation_id) REFERENCES reservations (id) ON DELETE CASCADE".to_owned(),
    ]
    .join(", ")
}

/// A period needs a date type, so the two dates follow the seconds by themselves.
async fn create_allocations_mariadb(connection: &impl ConnectionTrait, dialect: Dialect) -> Result<(), DbErr> {
    let statement = format!(
        "CREATE TABLE IF NOT EXISTS allocations ({columns}, \
         occupied_from_date DATETIME NOT NULL DEFAULT (TIMESTAMPADD(SECOND, start_at, '1970-01-01')), \
         occupied_until_date DATETIME NOT NULL DEFAULT (TIMESTAMPADD(SECOND, occupied_until, '1970-01-01')), \
         CHECK (occupied_from_date = TIMESTAMPADD(SECOND, start_at, '1970-01-01')), \
         CHECK (occupied_until_date = TIMESTAMPADD(SECOND, occupied_until, '1970-01-01')), \
         PERIOD FOR occupied (occupied_from_date, occupied_until_date), \
         UNIQUE {OVERLAP_GUARD} (host_id, occupied WITHOUT OVERLAPS)){options}",
        columns = allocation_columns(dialect),
        options = dialect.table_options(),
    );
    connection.execute_unprepared(&statement).await?;
    Ok(())
}

/// An exclusion constraint where `btree_gist` is there or may be installed; else a trigger that lets
/// one transaction at a time look at a host and reports as the constraint does.
async fn create_allocations_postgres(connection: &impl ConnectionTrait, dialect: Dialect) -> Result<(), DbErr> {
    connection
        .execute_unprepared(
            "DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS btree_gist; EXCEPTION WHEN OTHERS THEN NULL; END $$",
        )
        .await?;
    let has_extension = connection
        .query_one_raw(Statement::from_string(
            DbBackend::Postgres,
            "SELECT 1 FROM pg_extension WHERE extname = 'btree_gist'",
        ))
        .await?
        .is_some();
    let columns = allocation_columns(dialect);
    if has_extension {
        connection
            .execute_unprepared(&format!(
                "CREATE TABLE IF NOT EXISTS allocations ({columns}, CONSTRAINT {OVERLAP_GUARD} \
                 EXCLUDE USING gist (host_id WITH =, int8range(start_at, occupied_until) WITH &&))"
            ))
            .await?;
        return Ok(());
    }
    connection
        .execute_unprepared(&format!("CREATE TABLE IF NOT EXISTS allocations ({columns})"))
        .await?;
    connection
        .execute_unprepared(&index("allocations_by_host", "allocations", "host_id, start_at"))
        .await?;
    connection
        .execute_unprepared(&format!(
            "CREATE OR REPLACE FUNCTION {OVERLAP_GUARD}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             PERFORM pg_advisory_xact_lock(hashtextextended(NEW.host_id, 0)); \
             IF EXISTS (SELECT 1 FROM allocations other WHERE other.host_id = NEW.host_id \
             AND other.start_at < NEW.occupied_until AND other.occupied_until > NEW.start_at \
             AND (other.reservation_id, other.position) <> (NEW.reservation_id, NEW.position)) THEN \
             RAISE EXCEPTION '{OVERLAP_GUARD}' USING ERRCODE = 'exclusion_violation'; END IF; \
             RETURN NULL; END $$"
        ))
        .await?;
    connection
        .execute_unprepared(&format!("DROP TRIGGER IF EXISTS {OVERLAP_GUARD} ON allocations"))
        .await?;
    connection
        .execute_unprepared(&format!(
            "CREATE TRIGGER {OVERLAP_GUARD} AFTER INSERT OR UPDATE ON allocations \
             FOR EACH ROW EXECUTE FUNCTION {OVERLAP_GUARD}()"
        ))
        .await?;
    Ok(())
}

/// SQLite has one writer at a time, so a trigger sees everything there is.
async fn create_allocations_sqlite(connection: &impl ConnectionTrait, dialect: Dialect) -> Result<(), DbErr> {
    let columns = allocation_columns(dialect);
    connection
        .execute_unprepared(&format!("CREATE TABLE IF NOT EXISTS allocations ({columns})"))
        .await?;
    connection
        .execute_unprepared(&index("allocations_by_host", "allocations", "host_id, start_at"))
        .await?;
    for (event, suffix) in [("INSERT", "on_insert"), ("UPDATE", "on_update")] {
        connection
            .execute_unprepared(&format!(
                "CREATE TRIGGER IF NOT EXISTS {OVERLAP_GUARD}_{suffix} AFTER {event} ON allocations BEGIN \
                 SELECT RAISE(ABORT, '{OVERLAP_GUARD}') WHERE EXISTS (SELECT 1 FROM allocations other \
                 WHERE other.host_id = NEW.host_id AND other.start_at < NEW.occupied_until \
                 AND other.occupied_until > NEW.start_at AND other.rowid <> NEW.rowid); END"
            ))
            .await?;
    }
    Ok(())
}
