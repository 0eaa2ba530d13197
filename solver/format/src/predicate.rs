//! The property language: which hosts are suitable.
//!
//! A comparison is numeric when both sides are plain decimal numbers, else by string. Numbers are
//! compared digit by digit, never through floating point. A host without the property never matches,
//! not even `!=`.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::decimal;

/// Deepest nesting of `and` and `or`.
pub const MAX_DEPTH: usize = 64;
/// Most comparisons and connectives in one expression.
pub const MAX_NODES: usize = 1_000;

/// How the property language says that a host does not have a property.
const LACKS: &str = "lacks";

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

impl Operator {
    /// How the property language spells it.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::Less => "<",
        }
    }

    fn from_symbol(symbol: &str) -> Option<Self> {
        Some(match symbol {
            "==" | "=" => Self::Equal,
            "!=" => Self::NotEqual,
            ">=" => Self::AtLeast,
            "<=" => Self::AtMost,
            ">" => Self::Greater,
            "<" => Self::Less,
            _ => return None,
        })
    }

    const fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::AtLeast => ordering.is_ge(),
            Self::AtMost => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::Less => ordering.is_lt(),
        }
    }
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
    /// The host does not have the property (named without `$`).
    Lacks(String),
}

impl Predicate {
    /// Whether a host with these properties matches. `lookup` gives a property's value by name.
    pub fn matches<'a>(&self, lookup: &impl Fn(&str) -> Option<&'a str>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(lookup)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(lookup)),
            Self::Compare {
                operator,
                property,
                value,
            } => lookup(property).is_some_and(|actual| {
                let ordering = decimal::compare(actual, value).unwrap_or_else(|| actual.cmp(value.as_str()));
                operator.accepts(ordering)
            }),
            Self::Lacks(property) => lookup(property).is_none(),
        }
    }

    /// Names of the properties the predicate looks at.
    pub fn properties(&self) -> BTreeSet<&str> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::properties).collect(),
            Self::Compare { property, .. } | Self::Lacks(property) => BTreeSet::from([property.as_str()]),
        }
    }

    /// How many comparisons and connectives it has.
    pub fn size(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => 1 + parts.iter().map(Self::size).sum::<usize>(),
            Self::Compare { .. } | Self::Lacks(_) => 1,
        }
    }

    /// The JSON form that [`parse`] reads.
    pub fn to_json(&self) -> Value {
        match self {
            Self::All(parts) if parts.is_empty() => Value::Array(Vec::new()),
            Self::All(parts) => connective("and", parts),
            Self::Any(parts) => connective("or", parts),
            Self::Compare {
                operator,
                property,
                value,
            } => Value::Array(vec![
                operator.symbol().into(),
                format!("${property}").into(),
                value.as_str().into(),
            ]),
            Self::Lacks(property) => Value::Array(vec![LACKS.into(), format!("${property}").into()]),
        }
    }
}

fn connective(name: &str, parts: &[Predicate]) -> Value {
    std::iter::once(Value::from(name))
        .chain(parts.iter().map(Predicate::to_json))
        .collect()
}

impl fmt::Display for Predicate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_json().fmt(formatter)
    }
}

/// Whether a value is a plain decimal number, which is compared with others as a number.
pub fn is_number(value: &str) -> bool {
    decimal::compare(value, value).is_some()
}

/// Not an expression of the property language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct PredicateError {
    /// What is wrong, and what is allowed.
    pub reason: String,
}

fn error<T>(reason: impl Into<String>) -> Result<T, PredicateError> {
    Err(PredicateError { reason: reason.into() })
}

/// Reads the JSON form: `[]`, `["op", "$name", "value"]`, `["lacks", "$name"]`, `["and"|"or", expression, ...]`, nested at
/// most [`MAX_DEPTH`] deep and with at most [`MAX_NODES`] nodes. A value may be a string or a number.
pub fn parse(expression: &Value) -> Result<Predicate, PredicateError> {
    let mut nodes = 0;
    parse_node(expression, 1, &mut nodes)
}

fn parse_node(expression: &Value, depth: usize, nodes: &mut usize) -> Result<Predicate, PredicateError> {
    if depth > MAX_DEPTH {
        return error(format!("nested deeper than {MAX_DEPTH} levels"));
    }
    *nodes += 1;
    if *nodes > MAX_NODES {
        return error(format!("more than {MAX_NODES} conditions"));
    }
    let Value::Array(items) = expression else {
        return error(format!(
            "expected a list such as [\"==\", \"$name\", \"value\"], found {}",
            kind(expression)
        ));
    };
    let Some((head, operands)) = items.split_first() else {
        return Ok(Predicate::All(Vec::new()));
    };
    let Value::String(symbol) = head else {
        return error(format!(
            "the first item of a condition must be an operator, found {}",
            kind(head)
        ));
    };
    if symbol == "and" || symbol == "or" {
        if operands.is_empty() {
            return error(format!("`{symbol}` needs at least one condition"));
        }
        let parts = operands
            .iter()
            .map(|operand| parse_node(operand, depth + 1, nodes))
            .collect::<Result<Vec<_>, _>>()?;
        return Ok(if symbol == "and" {
            Predicate::All(parts)
        } else {
            Predicate::Any(parts)
        });
    }
    if symbol == LACKS {
        let [property] = operands else {
            return error(format!(
                "`{symbol}` takes a property, found {} operands",
                operands.len()
            ));
        };
        return Ok(Predicate::Lacks(name_of(property)?));
    }
    let Some(operator) = Operator::from_symbol(symbol) else {
        return error(format!(
            "unknown operator `{symbol}`; allowed are ==, =, !=, >=, <=, >, <, lacks, and, or"
        ));
    };
    let [property, value] = operands else {
        return error(format!(
            "`{symbol}` takes a property and a value, found {} operands",
            operands.len()
        ));
    };
    let property = name_of(property)?;
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return error(format!("the value must be a string or a number, found {}", kind(value)));
        }
    };
    Ok(Predicate::Compare {
        operator,
        property,
        value,
    })
}

/// The name behind the `$`.
fn name_of(property: &Value) -> Result<String, PredicateError> {
    match property {
        Value::String(name) if name.len() > 1 && name.starts_with('$') => Ok(name[1..].to_owned()),
        Value::String(name) => error(format!("`{name}` is not a property; properties are written `$name`")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => error(format!(
            "the property must be a string such as `$name`, found {}",
            kind(property)
        )),
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Longest condition that is written out, in characters.
const LONGEST: usize = 160;

impl Predicate {
    /// Whether [`Self::in_words`] leaves some of it out.
    pub fn is_long(&self) -> bool {
        described(self, false).chars().count() > LONGEST
    }

    /// The condition as people read it, `gpu = True and vcpus >= 8`, in part if it is long.
    pub fn in_words(&self) -> String {
        let words = described(self, false);
        if words.chars().count() <= LONGEST {
            return words;
        }
        let beginning: String = words.chars().take(LONGEST).collect();
        format!("{beginning}...")
    }
}

/// A condition in words; in parentheses if it is `inside` another and has parts.
fn described(condition: &Predicate, inside: bool) -> String {
    let join = |parts: &[Predicate], word: &str| {
        let parts: Vec<String> = parts.iter().map(|part| described(part, true)).collect();
        let joined = parts.join(word);
        if inside && parts.len() > 1 {
            format!("({joined})")
        } else {
            joined
        }
    };
    match condition {
        Predicate::All(parts) => join(parts, " and "),
        Predicate::Any(parts) => join(parts, " or "),
        Predicate::Compare {
            operator,
            property,
            value,
        } => {
            let symbol = operator.symbol();
            format!("{property} {} {value}", if symbol == "==" { "=" } else { symbol })
        }
        Predicate::Lacks(property) => format!("no {property}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(expression: &Value) -> bool {
        let lookup = |name: &str| match name {
            "vcpus" => Some("64"),
            "gpu" => Some("True"),
            "ratio" => Some("1.50"),
            _ => None,
        };
        parse(expression).unwrap().matches(&lookup)
    }

    #[test]
    fn compares_numbers_as_numbers_and_never_matches_a_missing_property() {
        assert!(holds(&json!([">", "$vcpus", "8"])));
        assert!(holds(&json!(["==", "$ratio", 1.5])));
        assert!(
            holds(&json!(["<", "$vcpus", "8 cores"])),
            "by string when one side is not a number"
        );
        assert!(!holds(&json!(["!=", "$missing", "x"])));
        assert!(holds(&json!(["lacks", "$missing"])));
        assert!(!holds(&json!(["lacks", "$gpu"])));
        assert!(holds(&json!([
            "or",
            ["==", "$missing", "x"],
            ["and", ["=", "$gpu", "True"], []]
        ])));
    }

    #[test]
    fn refuses_what_is_not_an_expression() {
        let deep = (0..MAX_DEPTH).fold(json!([]), |inner, _| json!(["and", inner]));
        let wide = Value::Array(
            std::iter::once(json!("or"))
                .chain((0..MAX_NODES).map(|_| json!([])))
                .collect(),
        );
        for bad in [
            json!("x"),
            json!([1]),
            json!(["and"]),
            json!(["==", "gpu", "1"]),
            json!(["==", "$gpu", true]),
            json!(["==", "$gpu"]),
            json!(["lacks", "$gpu", "1"]),
            json!(["~", "$gpu", "1"]),
            json!(["==", "$", "1"]),
            deep,
            wide,
        ] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_back_what_it_writes() {
        let text = json!([
            "or",
            ["and", ["==", "$gpu", "True"], []],
            [">=", "$vcpus", "8"],
            ["lacks", "$tpu"]
        ]);
        let predicate = parse(&text).unwrap();
        assert_eq!(predicate.to_json(), text);
        assert_eq!(predicate.properties(), BTreeSet::from(["gpu", "tpu", "vcpus"]));
    }
}
