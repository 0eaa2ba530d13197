//! Step 2: reservations of instances, and their places on hosts.
//!
//! Places of one host may overlap: how much fits beside each other is the planner's to count.

use async_trait::async_trait;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::dialect::Dialect;

/// The step.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0002_instances"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend())?;
        for statement in [reservations(dialect), places(dialect)] {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

fn reservations(dialect: Dialect) -> String {
    dialect.table(
        "instance_reservations",
        &[
            dialect.id("reservation_id") + " NOT NULL PRIMARY KEY",
            "vcpus BIGINT NOT NULL".to_owned(),
            "memory_mb BIGINT NOT NULL".to_owned(),
            "disk_gb BIGINT NOT NULL".to_owned(),
            "amount BIGINT NOT NULL".to_owned(),
            "affinity BOOLEAN".to_owned(),
            format!("resource_properties {} NOT NULL", dialect.long_text()),
            "aggregate_id BIGINT".to_owned(),
            dialect.id("server_group_id"),
            "FOREIGN KEY (reservation_id) REFERENCES reservations (id) ON DELETE CASCADE".to_owned(),
        ],
    )
}

fn places(dialect: Dialect) -> String {
    dialect.table(
        "instance_places",
        &[
            dialect.id("reservation_id") + " NOT NULL",
            "position BIGINT NOT NULL".to_owned(),
            dialect.id("host_id") + " NOT NULL",
            "start_at BIGINT NOT NULL".to_owned(),
            "occupied_until BIGINT NOT NULL".to_owned(),
            "PRIMARY KEY (reservation_id, position)".to_owned(),
            "CHECK (start_at < occupied_until)".to_owned(),
            "FOREIGN KEY (reservation_id) REFERENCES reservations (id) ON DELETE CASCADE".to_owned(),
        ],
    )
}
