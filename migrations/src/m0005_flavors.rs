//! Step 5: reservations of instances of a flavor, and what Placement says of hosts.
//!
//! Their places are in `instance_places`, beside those of instances of a size of their own.

use async_trait::async_trait;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::dialect::Dialect;

/// The step.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0005_flavors"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend())?;
        for statement in [reservations(dialect), inventories(dialect), traits(dialect)] {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

fn reservations(dialect: Dialect) -> String {
    dialect.table(
        "flavor_reservations",
        &[
            dialect.id("reservation_id") + " NOT NULL PRIMARY KEY",
            format!("flavor {} NOT NULL", dialect.long_text()),
            "amount BIGINT NOT NULL".to_owned(),
            "aggregate_id BIGINT".to_owned(),
            "FOREIGN KEY (reservation_id) REFERENCES reservations (id) ON DELETE CASCADE".to_owned(),
        ],
    )
}

fn inventories(dialect: Dialect) -> String {
    dialect.table(
        "host_inventories",
        &[
            dialect.id("host_id") + " NOT NULL",
            dialect.name("resource_class") + " NOT NULL",
            "capacity BIGINT NOT NULL".to_owned(),
            "max_unit BIGINT NOT NULL".to_owned(),
            "PRIMARY KEY (host_id, resource_class)".to_owned(),
            "FOREIGN KEY (host_id) REFERENCES hosts (id) ON DELETE CASCADE".to_owned(),
        ],
    )
}

fn traits(dialect: Dialect) -> String {
    dialect.table(
        "host_traits",
        &[
            dialect.id("host_id") + " NOT NULL",
            dialect.name("name") + " NOT NULL",
            "PRIMARY KEY (host_id, name)".to_owned(),
            "FOREIGN KEY (host_id) REFERENCES hosts (id) ON DELETE CASCADE".to_owned(),
        ],
    )
}
