//! Step 6: reservations of resource types that operators name.
//!
//! What they hold is in `allocations`, as hosts are: no two rows may occupy one unit at one time.

use async_trait::async_trait;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::dialect::Dialect;

/// The step.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0006_countables"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend())?;
        let reservations = dialect.table(
            "countable_reservations",
            &[
                dialect.id("reservation_id") + " NOT NULL PRIMARY KEY",
                "amount BIGINT NOT NULL".to_owned(),
                "FOREIGN KEY (reservation_id) REFERENCES reservations (id) ON DELETE CASCADE".to_owned(),
            ],
        );
        manager
            .get_connection()
            .execute_unprepared(&reservations)
            .await
            .map(drop)
    }
}
