//! Step 7: what of each reservation has been handed over to the outside world.
//!
//! Rows of before have nothing there; what they must have handed over follows from their state.

use async_trait::async_trait;
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::dialect::Dialect;

/// The step.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0007_handovers"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend())?;
        let definition = dialect.long_text();
        dialect
            .add_column(manager.get_connection(), "reservations", "handover", definition)
            .await
    }
}
