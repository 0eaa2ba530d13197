//! Step 8: notifications wait for several outlets, each for itself.
//!
//! Rows of before are the broker's, whose name is empty.

use async_trait::async_trait;
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::ID_LENGTH;
use crate::dialect::Dialect;

/// The step.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0008_outlets"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend())?;
        let definition = format!("VARCHAR({ID_LENGTH}) NOT NULL DEFAULT ''");
        dialect
            .add_column(manager.get_connection(), "outbox", "outlet", &definition)
            .await
    }
}
