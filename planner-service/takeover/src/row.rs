//! A row of any table: every value as text, read as what the column holds.
//!
//! Invariant: the same value is read from MariaDB and PostgreSQL, whatever their types are called.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::NaiveDateTime;
use planner_core::domain::Timestamp;

/// A value that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{table} {id}: {column} is {value}, expected {expected}")]
pub struct RowError {
    /// The table.
    pub table: &'static str,
    /// Id of the row.
    pub id: String,
    /// The column.
    pub column: String,
    /// What it holds.
    pub value: String,
    /// What would make sense.
    pub expected: &'static str,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) table: &'static str,
    pub(crate) values: BTreeMap<&'static str, Option<String>>,
}

impl Row {
    /// The value, nothing for NULL.
    pub(crate) fn optional(&self, column: &str) -> Option<&str> {
        self.values.get(column).and_then(Option::as_deref)
    }

    /// The value, empty for NULL.
    pub(crate) fn text(&self, column: &str) -> String {
        self.optional(column).unwrap_or_default().to_owned()
    }

    /// What makes the value wrong.
    pub(crate) fn wrong(&self, column: &str, expected: &'static str) -> RowError {
        RowError {
            table: self.table,
            id: self.text("id"),
            column: column.to_owned(),
            value: self
                .optional(column)
                .map_or_else(|| "NULL".to_owned(), |value| format!("'{value}'")),
            expected,
        }
    }

    /// A whole number.
    pub(crate) fn number<T: FromStr>(&self, column: &str) -> Result<T, RowError> {
        let parsed = self.optional(column).and_then(|value| value.parse().ok());
        parsed.ok_or_else(|| self.wrong(column, "a whole number in range"))
    }

    /// A whole number or NULL.
    pub(crate) fn optional_number<T: FromStr>(&self, column: &str) -> Result<Option<T>, RowError> {
        self.optional(column).map(|_| self.number(column)).transpose()
    }

    /// True or false, nothing for NULL.
    pub(crate) fn boolean(&self, column: &str) -> Result<Option<bool>, RowError> {
        match self.optional(column) {
            None => Ok(None),
            Some("1" | "t" | "true") => Ok(Some(true)),
            Some("0" | "f" | "false") => Ok(Some(false)),
            Some(_) => Err(self.wrong(column, "a boolean")),
        }
    }

    /// A date in UTC, nothing for NULL.
    pub(crate) fn optional_time(&self, column: &str) -> Result<Option<Timestamp>, RowError> {
        let Some(value) = self.optional(column) else {
            return Ok(None);
        };
        let parsed = NaiveDateTime::parse_from_str(value, "%Y-%m-%d %H:%M:%S%.f");
        let parsed = parsed.map_err(|_| self.wrong(column, "a date"))?;
        Ok(Some(parsed.and_utc().timestamp()))
    }

    /// A date in UTC.
    pub(crate) fn time(&self, column: &str) -> Result<Timestamp, RowError> {
        self.optional_time(column)?.ok_or_else(|| self.wrong(column, "a date"))
    }
}
