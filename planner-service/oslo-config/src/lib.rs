//! Configuration files as OpenStack's services read them (oslo.config): groups of options with text values.
//!
//! Invariant: a value is what oslo.config would give for the option: a later one replaces an earlier one, also of
//! a group that appears again; quotes around a whole value are no part of it; `$name`, `${name}` and
//! `$group.name` stand for other options, `$$` and `\$` for a dollar sign. No error quotes a value: it may be a password.

mod substitution;

use std::collections::BTreeMap;

use ini::{Ini, ParseOption};

/// Group of options that stand before any other group, too.
pub const DEFAULT_GROUP: &str = "DEFAULT";
/// Longest file read, in bytes.
pub const MAX_LENGTH: usize = 1024 * 1024;

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The text is no INI file.
    #[error("line {line}, column {column}: {reason}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// A line that is neither a group nor an option with a value.
    #[error("line {line}: there is no value; write NAME = VALUE")]
    NoValue {
        /// Counted from 1.
        line: usize,
    },
    /// More than [`MAX_LENGTH`] bytes.
    #[error("{0} bytes; at most {MAX_LENGTH} are read")]
    TooLong(usize),
}

/// Why a value cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// `$name` of an option that is not there.
    #[error("[{group}] {name}: what stands after a dollar sign is no option that is set; write $$ for a dollar sign")]
    Unknown {
        /// Group of the option that refers.
        group: String,
        /// Option that refers.
        name: String,
        /// What it refers to, which may be a part of a password; not in the text.
        reference: String,
    },
    /// Options refer to each other in a circle, or too deep.
    #[error("[{group}] {name} refers to other options in a circle")]
    Circle {
        /// Group of the option that was asked for.
        group: String,
        /// Option that was asked for.
        name: String,
    },
}

/// A configuration file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    groups: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is no INI file or too long.
    pub fn parse(text: &str) -> Result<Self, ReadError> {
        if text.len() > MAX_LENGTH {
            return Err(ReadError::TooLong(text.len()));
        }
        let options = ParseOption {
            enabled_quote: false,
            // A backslash in a password is a backslash.
            enabled_escape: false,
            enabled_indented_mutiline_value: true,
            ..ParseOption::default()
        };
        let file = Ini::load_from_str_opt(text, options).map_err(|error| ReadError::Syntax {
            line: error.line,
            column: error.col,
            reason: error.msg.into_owned(),
        })?;
        let mut document = Self::default();
        for (group, properties) in &file {
            let group = document
                .groups
                .entry(group.unwrap_or(DEFAULT_GROUP).to_owned())
                .or_default();
            for (name, value) in properties {
                // The reader takes such a line for the beginning of the next name.
                if let Some((lost, _)) = name.split_once('\n') {
                    let at = text.lines().position(|line| line.trim() == lost.trim());
                    return Err(ReadError::NoValue {
                        line: at.map_or(1, |index| index + 1),
                    });
                }
                let values = group.entry(name.replace('-', "_")).or_default();
                values.push(unquoted(value.trim()).to_owned());
            }
        }
        Ok(document)
    }

    /// Every option that is set: group and name.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.groups
            .iter()
            .flat_map(|(group, options)| options.keys().map(move |name| (group.as_str(), name.as_str())))
    }

    /// The value of an option, `None` if it is not set. A blank value is the empty text, as oslo.config has it; whole numbers
    /// and lists have no such value there, and options that name something are used only if it is not empty.
    ///
    /// # Errors
    /// When it refers to an option that is not set, or to itself.
    pub fn value(&self, group: &str, name: &str) -> Result<Option<String>, ValueError> {
        match self.written(group, name) {
            Some(text) => substitution::substituted(self, group, name, text).map(Some),
            None => Ok(None),
        }
    }

    /// The last value of an option as it is written.
    fn written(&self, group: &str, name: &str) -> Option<&str> {
        self.groups.get(group)?.get(name)?.last().map(String::as_str)
    }

    /// The value of an option that is a list, empty if it is not set: parts between commas, blanks around them
    /// aside.
    ///
    /// # Errors
    /// As [`Document::value`].
    pub fn list(&self, group: &str, name: &str) -> Result<Vec<String>, ValueError> {
        let value = self.value(group, name)?.unwrap_or_default();
        let parts = value.split([',', '\n']).map(|part| unquoted(part.trim()));
        Ok(parts.filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }
}

/// A value without the quotes around all of it.
fn unquoted(value: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests;
