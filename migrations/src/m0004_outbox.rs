//! Step 4: notifications that wait to be sent.
//!
//! A row is written with the change it tells of and removed when it has been sent; its place is the
//! epoch of its commit and its place in it.

use async_trait::async_trait;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::dialect::Dialect;

/// The step.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0004_outbox"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend())?;
        let table = dialect.table(
            "outbox",
            &[
                "epoch BIGINT NOT NULL".to_owned(),
                "position BIGINT NOT NULL".to_owned(),
                dialect.id("id") + " NOT NULL",
                dialect.word("event_type") + " NOT NULL",
                "happened_at BIGINT NOT NULL".to_owned(),
                dialect.name("project_id") + " NOT NULL",
                dialect.name("user_id") + " NOT NULL",
                format!("payload {} NOT NULL", dialect.longest_text()),
                "PRIMARY KEY (epoch, position)".to_owned(),
            ],
        );
        manager.get_connection().execute_unprepared(&table).await?;
        Ok(())
    }
}
