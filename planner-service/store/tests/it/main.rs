//! One suite, run on each engine.
//!
//! PostgreSQL and MariaDB are reached through `BERTH_TEST_POSTGRES_URL` and `BERTH_TEST_MARIADB_URL`,
//! which `dev/with-databases` sets; every test makes a database of its own there and drops it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::assigning_clones,
    reason = "clippy.toml allows these in functions marked as tests; here such functions call one of the suite"
)]

mod claims;
mod commits;
mod embedded;
mod faults;
mod feed;
mod outbox;
mod overlap;
mod samples;
mod schema;
mod size;
mod values;

/// Makes a test of each function on each engine: `sqlite::name`, `postgres::name`, `mariadb::name`.
macro_rules! on_each_engine {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $(#[test] fn $name() { store::testing::Engine::Sqlite.test(super::$name); })+ }
        mod postgres { $(#[test] fn $name() { store::testing::Engine::Postgres.test(super::$name); })+ }
        mod mariadb { $(#[test] fn $name() { store::testing::Engine::MariaDb.test(super::$name); })+ }
    };
}
pub(crate) use on_each_engine;
