//! Columns of hosts that count something, and what they may be compared with.
//!
//! Invariant: such a column is never compared as text. `64GB` would come after `262144` and before `65536` then, and a
//! request would get hosts that it excludes.

use plugin_api::echo::cut;
use solver::predicate::{Predicate, is_number};

/// What a column counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Things.
    Count,
    /// MiB.
    Mebibytes,
    /// GiB.
    Gibibytes,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::Count => "a number",
            Self::Mebibytes => "a number of MiB",
            Self::Gibibytes => "a number of GiB",
        }
    }

    /// How many powers of 1,024 bytes it is.
    const fn power(self) -> Option<u32> {
        match self {
            Self::Count => None,
            Self::Mebibytes => Some(2),
            Self::Gibibytes => Some(3),
        }
    }
}

/// Columns and the other names by which expressions know them.
const COLUMNS: [(&str, Unit); 7] = [
    ("vcpus", Unit::Count),
    ("cpu_cores", Unit::Count),
    ("hypervisor_version", Unit::Count),
    ("memory_mb", Unit::Mebibytes),
    ("free_ram_mb", Unit::Mebibytes),
    ("local_gb", Unit::Gibibytes),
    ("free_disk_gb", Unit::Gibibytes),
];

/// Whether a property is a column that counts something.
pub(crate) fn is_counted(property: &str) -> bool {
    COLUMNS.iter().any(|(name, _)| *name == property)
}

/// A column that counts something is compared with something that is no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NotAnAmount {
    property: String,
    value: String,
    unit: Unit,
}

/// Longest value that is repeated in a message, in characters.
const LONGEST: usize = 40;

impl std::fmt::Display for NotAnAmount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = cut(&self.value, LONGEST);
        let (property, unit) = (&self.property, self.unit.name());
        write!(formatter, "{property} is {unit} and cannot be compared with '{shown}'")?;
        match converted(&self.value, self.unit) {
            Some((amount, true)) => write!(formatter, "; write {amount}"),
            Some((below, false)) => {
                let above = below.saturating_add(1);
                write!(
                    formatter,
                    "; it is more than {below} and less than {above}, write one of them"
                )
            }
            None => formatter.write_str("; write digits, such as 64"),
        }
    }
}

/// An amount with a unit of memory, such as `64GB` or `1.5 TiB`, in the column's own unit without its fraction, and whether it
/// has none. Memory is counted in powers of 1,024, whichever way the unit is written.
fn converted(value: &str, unit: Unit) -> Option<(u64, bool)> {
    let (number, power) = with_unit(value)?;
    in_powers(number, power, unit.power()?)
}

/// The number of an amount with a unit of memory, and how many powers of 1,024 bytes its unit is.
fn with_unit(value: &str) -> Option<(&str, u32)> {
    let value = value.trim();
    let letters = value.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, suffix) = value.split_at(letters);
    let suffix = suffix.to_ascii_uppercase();
    let power = "BKMGTP".find(suffix.chars().next()?)?;
    let rest = &suffix[1..];
    let is_unit = rest.is_empty() || power > 0 && matches!(rest, "B" | "IB");
    is_unit.then_some((number.trim(), u32::try_from(power).ok()?))
}

/// A number of one power of 1,024 bytes as a number of another without its fraction, and whether it has none.
fn in_powers(number: &str, power: u32, other: u32) -> Option<(u64, bool)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let bytes = digits.checked_mul(1024_u128.checked_pow(power)?)?;
    let divisor = 1024_u128
        .checked_pow(other)?
        .checked_mul(10_u128.checked_pow(fraction.len().try_into().ok()?)?)?;
    Some((u64::try_from(bytes / divisor).ok()?, bytes % divisor == 0))
}

/// Units with which names of properties end, longer ones first, and how many powers of 1,024 bytes they are if they are of
/// memory.
const UNITS_OF_NAMES: [(&str, Option<u32>); 21] = [
    ("bytes", Some(0)),
    ("kib", Some(1)),
    ("mib", Some(2)),
    ("gib", Some(3)),
    ("tib", Some(4)),
    ("pib", Some(5)),
    ("kb", Some(1)),
    ("mb", Some(2)),
    ("gb", Some(3)),
    ("tb", Some(4)),
    ("pb", Some(5)),
    ("kbps", None),
    ("mbps", None),
    ("gbps", None),
    ("khz", None),
    ("mhz", None),
    ("ghz", None),
    ("seconds", None),
    ("minutes", None),
    ("hours", None),
    ("days", None),
];

/// What a value that is compared with the property `from` says of the property `to`, which is meant instead: another number
/// where their names say another unit of memory; `None` if it cannot be known.
pub(crate) fn carried_over(value: &str, from: &str, to: &str) -> Option<String> {
    let whole = |(amount, is_whole): (u64, bool)| is_whole.then(|| amount.to_string());
    if let Some((_, unit)) = COLUMNS.iter().find(|(name, _)| *name == to)
        && !is_number(value)
    {
        return converted(value, *unit).and_then(whole);
    }
    let unit_of = |name: &str| {
        let name = name.to_ascii_lowercase();
        UNITS_OF_NAMES.iter().find(|(unit, _)| name.ends_with(unit))
    };
    match (unit_of(from), unit_of(to)) {
        (one, other) if one == other => Some(value.to_owned()),
        (Some((_, Some(power))), Some((_, Some(other)))) => in_powers(value, *power, *other).and_then(whole),
        _ => None,
    }
}

/// Whether two values with a unit of memory are as much; `None` if one of them is another value.
pub(crate) fn is_as_much(one: &str, other: &str) -> Option<bool> {
    let (one, power) = with_unit(one)?;
    let (other, other_power) = with_unit(other)?;
    let least = power.min(other_power);
    let (one, other) = (in_powers(one, power, least)?, in_powers(other, other_power, least)?);
    // Fractions of the smaller unit are not compared.
    Some(one == other && one.1)
}

/// Refuses comparisons of columns that count something with what is no number.
///
/// # Errors
/// The first such comparison.
pub fn check(predicate: &Predicate) -> Result<(), NotAnAmount> {
    match predicate {
        Predicate::All(parts) | Predicate::Any(parts) => parts.iter().try_for_each(check),
        Predicate::Lacks(_) => Ok(()),
        Predicate::Compare { property, value, .. } => {
            let column = COLUMNS.iter().find(|(name, _)| name == property);
            match column {
                Some(&(_, unit)) if !is_number(value) => Err(NotAnAmount {
                    property: property.clone(),
                    value: value.clone(),
                    unit,
                }),
                Some(_) | None => Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{carried_over, check, is_as_much};
    use crate::properties::parse;

    #[test]
    fn b4_a_value_keeps_what_it_says_under_another_name() {
        for (value, from, to, expected) in [
            ("64", "memory_gb", "memory_mb", Some("65536")),
            ("1", "local_tb", "local_gb", Some("1024")),
            ("0.5", "local_tb", "local_gb", Some("512")),
            ("65536", "memory_mib", "memory_mb", Some("65536")),
            ("65536", "memory_mb", "ram_gb", Some("64")),
            ("100", "memory_mb", "ram_gb", None),
            ("64GB", "memroy_mb", "memory_mb", Some("65536")),
            ("lots", "memroy_mb", "memory_mb", None),
            ("64", "memory", "memory_mb", None),
            ("2", "clock_ghz", "clock_mhz", None),
            ("True", "gqu", "gpu", Some("True")),
            ("2400", "clcok_mhz", "clock_mhz", Some("2400")),
        ] {
            assert_eq!(carried_over(value, from, to).as_deref(), expected, "{from} {value}");
        }
        assert_eq!(is_as_much("64GB", "65536 MiB"), Some(true));
        assert_eq!(is_as_much("64GB", "64MB"), Some(false));
        assert_eq!(is_as_much("64GB", "64"), None);
        assert_eq!(is_as_much("a100", "64GB"), None);
    }

    #[test]
    fn b5_an_amount_is_compared_with_numbers_only() {
        for (property, value, expected) in [
            ("memory_mb", "65536", ""),
            ("memory_mb", "-1", ""),
            ("gpu_memory", "64GB", ""),
            (
                "memory_mb",
                "64GB",
                "memory_mb is a number of MiB and cannot be compared with '64GB'; write 65536",
            ),
            (
                "local_gb",
                "1.5 TiB",
                "local_gb is a number of GiB and cannot be compared with '1.5 TiB'; write 1536",
            ),
            (
                "free_disk_gb",
                "100 M",
                "free_disk_gb is a number of GiB and cannot be compared with '100 M'; it is more than 0 and less than 1, write \
                 one of them",
            ),
            (
                "vcpus",
                "8 cores",
                "vcpus is a number and cannot be compared with '8 cores'; write digits, such as 64",
            ),
            (
                "vcpus",
                "0x10",
                "vcpus is a number and cannot be compared with '0x10'; write digits, such as 64",
            ),
            (
                "memory_mb",
                "65,536",
                "memory_mb is a number of MiB and cannot be compared with '65,536'; write digits, such as 64",
            ),
        ] {
            let expression = format!(r#"["and", [">=", "$vcpus", "1"], [">", "${property}", "{value}"]]"#);
            let said = check(&parse(&expression).unwrap()).err().map(|error| error.to_string());
            assert_eq!(said.unwrap_or_default(), expected);
        }
    }
}
