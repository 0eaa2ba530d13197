//! What differs between the engines in the definition of a table.
//!
//! Invariant: text compares byte by byte on every engine (case, accents and trailing blanks count),
//! and a bounded text is refused by the database itself when it is too long.

use sea_orm_migration::sea_orm::DbBackend;

use crate::{ID_LENGTH, NAME_LENGTH, WORD_LENGTH};

/// Writes column definitions for one engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect(pub(crate) DbBackend);

impl Dialect {
    /// A text of at most `limit` characters.
    pub(crate) fn bounded(self, column: &str, limit: usize) -> String {
        match self.0 {
            // SQLite ignores the length of a VARCHAR.
            DbBackend::Sqlite => format!("{column} VARCHAR({limit}) CHECK (length({column}) <= {limit})"),
            _ => format!("{column} VARCHAR({limit})"),
        }
    }

    /// An id.
    pub(crate) fn id(self, column: &str) -> String {
        self.bounded(column, ID_LENGTH)
    }

    /// A name.
    pub(crate) fn name(self, column: &str) -> String {
        self.bounded(column, NAME_LENGTH)
    }

    /// A state, a kind.
    pub(crate) fn word(self, column: &str) -> String {
        self.bounded(column, WORD_LENGTH)
    }

    /// A text without a limit of its own.
    pub(crate) fn long_text(self) -> &'static str {
        match self.0 {
            // MariaDB's TEXT ends at 64 KiB.
            DbBackend::MySql => "MEDIUMTEXT",
            _ => "TEXT",
        }
    }

    /// What follows the closing parenthesis of a table.
    pub(crate) fn table_options(self) -> &'static str {
        match self.0 {
            DbBackend::MySql => " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
            _ => "",
        }
    }
}
