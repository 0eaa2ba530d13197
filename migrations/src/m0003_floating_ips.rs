//! Step 3: floating IPs and reservations of them.
//!
//! What a reservation of floating IPs holds is in `allocations`, as hosts are: no two rows may occupy one address at
//! one time.

use async_trait::async_trait;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::dialect::Dialect;

/// The step.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0003_floating_ips"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend())?;
        for statement in [addresses(dialect), reservations(dialect), required(dialect)] {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

fn addresses(dialect: Dialect) -> String {
    dialect.table(
        "floating_ips",
        &[
            dialect.id("id") + " NOT NULL PRIMARY KEY",
            dialect.name("floating_network_id") + " NOT NULL",
            dialect.name("subnet_id") + " NOT NULL",
            dialect.id("floating_ip_address") + " NOT NULL",
            "reservable BOOLEAN NOT NULL".to_owned(),
            "created_at BIGINT NOT NULL".to_owned(),
            "updated_at BIGINT".to_owned(),
            "UNIQUE (floating_network_id, floating_ip_address)".to_owned(),
        ],
    )
}

fn reservations(dialect: Dialect) -> String {
    dialect.table(
        "floating_ip_reservations",
        &[
            dialect.id("reservation_id") + " NOT NULL PRIMARY KEY",
            dialect.name("network_id") + " NOT NULL",
            "amount BIGINT NOT NULL".to_owned(),
            "FOREIGN KEY (reservation_id) REFERENCES reservations (id) ON DELETE CASCADE".to_owned(),
        ],
    )
}

fn required(dialect: Dialect) -> String {
    dialect.table(
        "required_floating_ips",
        &[
            dialect.id("reservation_id") + " NOT NULL",
            "position BIGINT NOT NULL".to_owned(),
            dialect.id("address") + " NOT NULL",
            "PRIMARY KEY (reservation_id, position)".to_owned(),
            "FOREIGN KEY (reservation_id) REFERENCES reservations (id) ON DELETE CASCADE".to_owned(),
        ],
    )
}
