//! What differs between the engines in the definition of a table.
//!
//! Invariant: text compares byte by byte on every engine (case, accents and trailing blanks count),
//! and a bounded text is refused by the database itself when it is too long.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::{ID_LENGTH, NAME_LENGTH, WORD_LENGTH};

/// Writes column definitions for one engine.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    MariaDb,
}

impl Dialect {
    /// The dialect of a connection's engine.
    pub(crate) fn of(backend: DbBackend) -> Result<Self, DbErr> {
        [
            (DbBackend::Sqlite, Self::Sqlite),
            (DbBackend::Postgres, Self::Postgres),
            (DbBackend::MySql, Self::MariaDb),
        ]
        .into_iter()
        .find_map(|(known, dialect)| (known == backend).then_some(dialect))
        .ok_or_else(|| DbErr::Migration("this database engine is not supported".to_owned()))
    }

    /// A text of at most `limit` characters.
    pub(crate) fn bounded(self, column: &str, limit: usize) -> String {
        match self {
            // SQLite ignores the length of a VARCHAR.
            Self::Sqlite => format!("{column} VARCHAR({limit}) CHECK (length({column}) <= {limit})"),
            Self::Postgres | Self::MariaDb => format!("{column} VARCHAR({limit})"),
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
        match self {
            // MariaDB's TEXT ends at 64 KiB.
            Self::MariaDb => "MEDIUMTEXT",
            Self::Sqlite | Self::Postgres => "TEXT",
        }
    }

    /// A text that holds several texts without a limit.
    pub(crate) fn longest_text(self) -> &'static str {
        match self {
            // MEDIUMTEXT ends at 16 MiB.
            Self::MariaDb => "LONGTEXT",
            Self::Sqlite | Self::Postgres => "TEXT",
        }
    }

    /// The definition of a table, if it is not there yet.
    pub(crate) fn table(self, name: &str, columns: &[String]) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {name} ({}){}",
            columns.join(", "),
            self.table_options()
        )
    }

    /// Adds a column to a table, if it is not there yet.
    ///
    /// # Errors
    /// When the table cannot be looked at or changed.
    pub(crate) async fn add_column(
        self,
        connection: &impl ConnectionTrait,
        table: &str,
        column: &str,
        definition: &str,
    ) -> Result<(), DbErr> {
        let statement = match self {
            // It has no IF NOT EXISTS here.
            Self::Sqlite => {
                let look = format!("SELECT 1 FROM pragma_table_info('{table}') WHERE name = '{column}'");
                let look = Statement::from_string(DbBackend::Sqlite, look);
                if connection.query_one_raw(look).await?.is_some() {
                    return Ok(());
                }
                format!("ALTER TABLE {table} ADD COLUMN {column} {definition}")
            }
            Self::Postgres | Self::MariaDb => {
                format!("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column} {definition}")
            }
        };
        connection.execute_unprepared(&statement).await?;
        Ok(())
    }

    /// What follows the closing parenthesis of a table.
    pub(crate) fn table_options(self) -> &'static str {
        match self {
            Self::MariaDb => " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
            Self::Sqlite | Self::Postgres => "",
        }
    }
}
