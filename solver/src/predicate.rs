//! The property language: which hosts are suitable.
//!
//! A comparison is numeric when both sides are plain decimal numbers, else by string. A host without
//! the property never matches, not even `!=`.

use std::collections::BTreeMap;

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// `==` (and `=`)
    Equal,
    /// `!=`
    NotEqual,
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `<`
    Less,
}

/// A condition on one host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Predicate {
    /// All hold; empty: every host.
    All(Vec<Predicate>),
    /// At least one holds.
    Any(Vec<Predicate>),
    /// Compares a property (named without `$`) with a value.
    Compare {
        /// The operator.
        operator: Operator,
        /// Property name without the leading `$`.
        property: String,
        /// What it is compared with.
        value: String,
    },
}

impl Predicate {
    /// Whether a host with these properties matches. `lookup` gives a property's value by name.
    pub fn matches<'a>(&self, lookup: &impl Fn(&str) -> Option<&'a str>) -> bool {
        let _ = lookup;
        false
    }

    /// Names of the properties the predicate looks at.
    pub fn properties(&self) -> std::collections::BTreeSet<&str> {
        std::collections::BTreeSet::new()
    }
}

/// Not an expression of the property language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct PredicateError {
    /// What is wrong, and what is allowed.
    pub reason: String,
}

/// Reads the JSON form: `[]`, `["op", "$name", "value"]`, `["and"|"or", expression, ...]`, nested at
/// most 64 deep.
pub fn parse(expression: &serde_json::Value) -> Result<Predicate, PredicateError> {
    let _ = (expression, BTreeMap::<(), ()>::new());
    Err(PredicateError { reason: String::new() })
}
