//! Schema steps of the book, for SQLite, PostgreSQL and MariaDB.
//!
//! Invariants: a step that was released is never edited, a change of the schema is a new step; every
//! step can be run again after it stopped half-way, because MariaDB commits each definition by itself.

mod dialect;
mod m0001_first_schema;
mod m0002_instances;
mod m0003_floating_ips;
mod m0004_outbox;
mod m0005_flavors;
mod m0006_countables;
mod m0007_handovers;
mod m0008_outlets;
mod m0009_places;

use async_trait::async_trait;
pub use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// All steps, in order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_first_schema::Migration),
            Box::new(m0002_instances::Migration),
            Box::new(m0003_floating_ips::Migration),
            Box::new(m0004_outbox::Migration),
            Box::new(m0005_flavors::Migration),
            Box::new(m0006_countables::Migration),
            Box::new(m0007_handovers::Migration),
            Box::new(m0008_outlets::Migration),
            Box::new(m0009_places::Migration),
        ]
    }
}

/// Name by which the databases report that one host or floating IP would be occupied twice: a constraint on
/// PostgreSQL and MariaDB, the text of a trigger on SQLite.
pub const OVERLAP_GUARD: &str = "host_occupied_once";

/// Greatest length of an id, in characters.
pub const ID_LENGTH: usize = 64;

/// Greatest length of the name of a lease, in characters.
pub const LEASE_NAME_LENGTH: usize = 80;

/// Greatest length of other names (hosts, projects, users, capabilities), in characters.
pub const NAME_LENGTH: usize = 255;

/// Greatest length of a state or a kind, in characters.
pub const WORD_LENGTH: usize = 66;
