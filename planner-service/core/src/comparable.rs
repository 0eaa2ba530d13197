//! What the properties that hosts have may be compared with.
//!
//! Invariant: no expression reaches the planner that compares a plain number with a value that has a unit, or asks for the
//! order of values that have none. The planner would compare them as text, where `64` comes after `100GB`, and a request
//! would get hosts that it excludes.

use std::collections::{BTreeMap, BTreeSet};

use plugin_api::echo::cut;
use solver::planner::Planner;
use solver::predicate::{Operator, Predicate, is_number};

use crate::{amounts, properties};

/// Longest value that is repeated in a message, in characters.
const LONGEST: usize = 40;

/// What kind of value a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// `64`
    Number,
    /// `64GB`, `2.4 GHz`
    WithUnit,
    /// `10.2.1`, `2030-01-01`: has an order as text, also beside numbers.
    Code,
    /// `none`
    Word,
}

impl Kind {
    fn of(value: &str) -> Self {
        if is_number(value) {
            return Self::Number;
        }
        let end = value.find(|letter: char| !(letter.is_ascii_digit() || letter == '.' || letter == '-'));
        let (number, unit) = value.split_at(end.unwrap_or(value.len()));
        let unit = unit.trim();
        let is_unit = unit.starts_with(|letter: char| letter.is_alphabetic() || letter == '%')
            && !unit.contains(|letter: char| letter.is_ascii_digit());
        if is_unit && is_number(number) {
            Self::WithUnit
        } else if value.starts_with(|letter: char| letter.is_ascii_digit()) {
            Self::Code
        } else {
            Self::Word
        }
    }

    /// Kinds of values with which one of this kind cannot be compared.
    const fn at_odds(self, is_ordered: bool) -> &'static [Self] {
        match (self, is_ordered) {
            (Self::WithUnit, false) => &[Self::Number],
            // Whatever is not equal is another value.
            (Self::Number | Self::Code | Self::Word, false) => &[],
            (Self::Number, true) => &[Self::WithUnit, Self::Word],
            (Self::WithUnit, true) => &[Self::Number, Self::WithUnit, Self::Code, Self::Word],
            (Self::Code, true) => &[Self::WithUnit],
            (Self::Word, true) => &[Self::Number, Self::WithUnit],
        }
    }
}

/// A property is compared with a value of a kind that it does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NotComparable {
    property: String,
    /// What it is compared with.
    asked: String,
    /// A value that a host has.
    value: String,
}

impl std::fmt::Display for NotComparable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (property, asked, value) = (&self.property, cut(&self.asked, LONGEST), cut(&self.value, LONGEST));
        match (Kind::of(&self.asked), Kind::of(&self.value)) {
            (Kind::WithUnit, Kind::Number) => write!(
                formatter,
                "the unit of {property} is not known, hosts have plain numbers such as {value}; it cannot be compared with \
                 '{asked}', write a plain number"
            ),
            (Kind::WithUnit, Kind::WithUnit) => write!(
                formatter,
                "values with a unit are equal or not, but have no order: {property} is '{value}' on a host and cannot be \
                 ordered with '{asked}'"
            ),
            (_, Kind::WithUnit) => write!(
                formatter,
                "{property} has values with a unit, such as '{value}'; it cannot be compared with '{asked}'"
            ),
            _ => write!(
                formatter,
                "{property} is '{value}' on a host, which is neither less nor more than '{asked}'"
            ),
        }
    }
}

/// As [`check`], for what expressions say together. Those that cannot be read are found elsewhere.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_all(expressions: &[&str], planner: &Planner) -> Result<(), NotComparable> {
    properties::requirement(expressions).map_or(Ok(()), |predicate| check(&predicate, planner))
}

/// Whether all that an expression compares can be compared with what hosts have.
///
/// # Errors
/// The first comparison that cannot.
pub(crate) fn check(predicate: &Predicate, planner: &Planner) -> Result<(), NotComparable> {
    let mut comparisons = Vec::new();
    put_comparisons(predicate, &mut comparisons);
    let names: BTreeSet<&str> = comparisons.iter().map(|comparison| comparison.property).collect();
    // By property and kind, one of the values.
    let mut found: BTreeMap<(&str, Kind), &str> = BTreeMap::new();
    let mut put = |name, value| {
        found.entry((name, Kind::of(value))).or_insert(value);
    };
    if !names.is_empty() {
        for host in planner.hosts() {
            if names.len() <= host.properties.len() {
                let own = names
                    .iter()
                    .filter_map(|&name| Some((name, host.properties.get(name)?)));
                own.for_each(|(name, value)| put(name, value));
            } else {
                let own = host.properties.iter().filter(|(name, _)| names.contains(name.as_str()));
                own.for_each(|(name, value)| put(name, value));
            }
        }
    }
    let odd = comparisons.into_iter().find_map(|comparison| {
        let Comparison {
            property,
            asked,
            is_ordered,
        } = comparison;
        let kind = Kind::of(asked);
        // Equal values have the same kind: one host with such a value is enough to ask for it.
        if !is_ordered && found.contains_key(&(property, kind)) {
            return None;
        }
        let mut odd = kind.at_odds(is_ordered).iter();
        let value = odd.find_map(|&kind| found.get(&(property, kind)))?;
        Some(NotComparable {
            property: property.to_owned(),
            asked: asked.to_owned(),
            value: (*value).to_owned(),
        })
    });
    odd.map_or(Ok(()), Err)
}

/// A comparison that may be at odds with what hosts have.
struct Comparison<'p> {
    property: &'p str,
    asked: &'p str,
    is_ordered: bool,
}

fn put_comparisons<'p>(predicate: &'p Predicate, comparisons: &mut Vec<Comparison<'p>>) {
    match predicate {
        Predicate::All(parts) | Predicate::Any(parts) => {
            parts.iter().for_each(|part| put_comparisons(part, comparisons));
        }
        Predicate::Lacks(_) => {}
        Predicate::Compare {
            operator,
            property,
            value,
        } => {
            let is_ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
            // Columns that count have numbers on every host.
            let is_open = !Kind::of(value).at_odds(is_ordered).is_empty() && !amounts::is_counted(property);
            if is_open {
                comparisons.push(Comparison {
                    property,
                    asked: value,
                    is_ordered,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use solver::model::Host;
    use solver::planner::Planner;

    use super::check;
    use crate::properties::parse;

    fn said(values: &[&str], operator: &str, asked: &str) -> String {
        let mut planner = Planner::new(0);
        for (number, value) in values.iter().enumerate() {
            planner.put_host(Host {
                id: number.to_string().into(),
                properties: BTreeMap::from([("ram".to_owned(), (*value).to_owned())]),
                zone: None,
                rack: None,
                capacity: BTreeMap::new(),
                blocks: Vec::new(),
                reservable: true,
            });
        }
        let expression = format!(r#"["or", ["==", "$gpu", "1"], ["{operator}", "$ram", "{asked}"]]"#);
        let said = check(&parse(&expression).unwrap(), &planner).err();
        said.map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn b5_no_number_is_compared_with_a_value_that_has_a_unit() {
        let unknown = "the unit of ram is not known, hosts have plain numbers such as 64; it cannot be compared with \
                       '100GB', write a plain number";
        for operator in ["<", "<=", ">", ">=", "==", "!="] {
            assert_eq!(said(&["64", "128", "256"], operator, "100GB"), unknown);
            assert_eq!(said(&["64", "128", "256"], operator, "100"), "");
            assert_eq!(
                said(&["64", "128.5", "-1"], operator, "10.2.1"),
                "",
                "versions have an order"
            );
            assert_eq!(said(&["a", "b"], operator, "c"), "");
            assert_eq!(said(&[], operator, "100GB"), "");
        }
    }

    #[test]
    fn b5_values_that_have_no_order_are_not_ordered() {
        for operator in ["<", "<=", ">", ">="] {
            assert_eq!(
                said(&["64GB", "2 TB"], operator, "100"),
                "ram has values with a unit, such as '64GB'; it cannot be compared with '100'"
            );
            assert_eq!(
                said(&["64GB", "128GB"], operator, "100GB"),
                "values with a unit are equal or not, but have no order: ram is '64GB' on a host and cannot be ordered \
                 with '100GB'"
            );
            assert_eq!(
                said(&["16", "none"], operator, "8"),
                "ram is 'none' on a host, which is neither less nor more than '8'"
            );
            assert_eq!(
                said(&["16", "32"], operator, "lots"),
                "ram is '16' on a host, which is neither less nor more than 'lots'"
            );
        }
        for operator in ["==", "!="] {
            assert_eq!(said(&["64GB", "128GB"], operator, "128GB"), "");
            assert_eq!(said(&["64", "128GB"], operator, "128GB"), "");
            assert_eq!(said(&["64GB"], operator, "64"), "");
            assert_eq!(said(&["16", "none"], operator, "none"), "");
        }
    }
}
