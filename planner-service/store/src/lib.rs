//! The book in SQLite, PostgreSQL and MariaDB.
//!
//! Invariants: every change of the book is one transaction that advances `book.epoch` by
//! compare-and-set; every read of more than one row is one transaction at one epoch; the three engines
//! accept and refuse the same values, because `limits` checks them before the database does.

mod address;
mod claims;
mod commit;
mod connection;
mod convert;
mod embedded;
mod entity;
mod failure;
mod limits;
mod outbox;
mod read;
mod sql_store;
#[cfg(feature = "testing")]
pub mod testing;

pub use address::AddressError;
pub use connection::{ConnectError, StoreOptions};
pub use embedded::backup::{BackupError, Copied, Restored};
pub use embedded::{Doubt, EmbeddedError, FileTrouble};
pub use sql_store::{MigrateError, SqlStore};
