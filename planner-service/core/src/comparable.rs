//! What the properties that hosts have may be compared with.
//!
//! Invariant: no expression reaches the planner that compares a plain number with a value that has a unit, or asks for the
//! order of values that have none. The planner would compare them as text, where `64` comes after `100GB`, and a request
//! would get hosts that it excludes.

use std::collections::{BTreeMap, BTreeSet};

use plugin_api::echo::cut;
use solver::model::Host;
use solver::planner::Planner;
use solver::predicate::{Operator, Predicate, is_number};

use crate::{amounts, properties};

/// The property that is a host's name.
const NAME: &str = "hypervisor_hostname";

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

    /// What such a value is.
    const fn words(self) -> &'static str {
        match self {
            Self::Number => "a plain number",
            Self::WithUnit => "with a unit",
            Self::Code => "a code",
            Self::Word => "a word",
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
    held: Held,
    /// One of another kind, with which this one cannot be compared either: whatever is asked is at odds with one of them.
    other: Option<Held>,
}

/// A value that a host has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    value: String,
    /// The host's name, if the caller may see it.
    host: Option<String>,
}

impl std::fmt::Display for Held {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = self.host.as_deref().unwrap_or("a host");
        let (value, host) = (cut(&self.value, LONGEST), cut(host, LONGEST));
        write!(formatter, "'{value}' on {host}, {}", Kind::of(&self.value).words())
    }
}

impl std::fmt::Display for NotComparable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (property, asked, value) = (
            &self.property,
            cut(&self.asked, LONGEST),
            cut(&self.held.value, LONGEST),
        );
        if let Some(other) = &self.other {
            return write!(
                formatter,
                "hosts disagree about {property}: it is {}, but {other}; nothing is less or more than both, '{asked}' \
                 neither. Their operator can write it alike on all, with `berth host update HOST --property {property}=...`",
                self.held
            );
        }
        match (Kind::of(&self.asked), Kind::of(&self.held.value)) {
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
pub(crate) fn check_all(expressions: &[&str], planner: &Planner, sees_hosts: bool) -> Result<(), NotComparable> {
    properties::requirement(expressions).map_or(Ok(()), |predicate| check(&predicate, planner, sees_hosts))
}

/// Whether all that an expression compares can be compared with what hosts have; only who `sees_hosts` is told their names.
///
/// # Errors
/// The first comparison that cannot.
pub(crate) fn check(predicate: &Predicate, planner: &Planner, sees_hosts: bool) -> Result<(), NotComparable> {
    let mut comparisons = Vec::new();
    put_comparisons(predicate, &mut comparisons);
    let names: BTreeSet<&str> = comparisons.iter().map(|comparison| comparison.property).collect();
    // By property and kind, one of the values and a host that has it.
    let mut found: BTreeMap<(&str, Kind), (&str, &Host)> = BTreeMap::new();
    let mut put = |name, value, host| {
        found.entry((name, Kind::of(value))).or_insert((value, host));
    };
    if !names.is_empty() {
        for host in planner.hosts() {
            if names.len() <= host.properties.len() {
                let own = names
                    .iter()
                    .filter_map(|&name| Some((name, host.properties.get(name)?)));
                own.for_each(|(name, value)| put(name, value, host));
            } else {
                let own = host.properties.iter().filter(|(name, _)| names.contains(name.as_str()));
                own.for_each(|(name, value)| put(name, value, host));
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
        let one_of = |kinds: &[Kind]| kinds.iter().find_map(|&kind| found.get(&(property, kind)));
        let held = |&(value, host): &(&str, &Host)| Held {
            value: value.to_owned(),
            host: host.properties.get(NAME).filter(|_| sees_hosts).cloned(),
        };
        let odd = one_of(kind.at_odds(is_ordered))?;
        let kind = Kind::of(odd.0);
        let others: Vec<Kind> = kind
            .at_odds(true)
            .iter()
            .copied()
            .filter(|other| *other != kind)
            .collect();
        Some(NotComparable {
            property: property.to_owned(),
            asked: asked.to_owned(),
            held: held(odd),
            other: one_of(&others).filter(|_| is_ordered).map(held),
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
        said_to(values, operator, asked, true)
    }

    fn said_to(values: &[&str], operator: &str, asked: &str, sees_hosts: bool) -> String {
        let mut planner = Planner::new(0);
        for (number, value) in values.iter().enumerate() {
            planner.put_host(Host {
                id: number.to_string().into(),
                properties: BTreeMap::from([
                    ("ram".to_owned(), (*value).to_owned()),
                    ("hypervisor_hostname".to_owned(), format!("c{number}")),
                ]),
                zone: None,
                rack: None,
                capacity: BTreeMap::new(),
                blocks: Vec::new(),
                reservable: true,
            });
        }
        let expression = format!(r#"["or", ["==", "$gpu", "1"], ["{operator}", "$ram", "{asked}"]]"#);
        let said = check(&parse(&expression).unwrap(), &planner, sees_hosts).err();
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

    /// B5: where hosts disagree, whatever is asked is at odds with one of them: it is said whatever is asked.
    #[test]
    fn b5_hosts_that_disagree_are_told_apart() {
        let rest = "Their operator can write it alike on all, with `berth host update HOST --property ram=...`";
        for (asked, held) in [
            ("100", "'128GB' on c1, with a unit, but '64' on c0, a plain number"),
            ("100GB", "'64' on c0, a plain number, but '128GB' on c1, with a unit"),
        ] {
            assert_eq!(
                said(&["64", "128GB"], "<", asked),
                format!(
                    "hosts disagree about ram: it is {held}; nothing is less or more than both, '{asked}' neither. {rest}"
                )
            );
            let to_others = said_to(&["64", "128GB"], "<", asked, false);
            assert!(
                to_others.contains("'64' on a host") && !to_others.contains("c0"),
                "{to_others}"
            );
        }
        for asked in ["8", "lots"] {
            let said = said(&["16", "none"], ">=", asked);
            assert!(
                said.contains("'none' on c1, a word") && said.contains("'16' on c0"),
                "{said}"
            );
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
                said(&["none"], operator, "8"),
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
