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
            Some(amount) => write!(formatter, "; write {amount}"),
            None => formatter.write_str("; write digits, such as 64"),
        }
    }
}

/// An amount with a unit of memory, such as `64GB` or `1.5 TiB`, in the column's own unit if it is whole there. Memory is
/// counted in powers of 1,024, whichever way the unit is written.
fn converted(value: &str, unit: Unit) -> Option<u64> {
    let value = value.trim();
    let letters = value.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, suffix) = value.split_at(letters);
    let suffix = suffix.to_ascii_uppercase();
    let power = "BKMGTP".find(suffix.chars().next()?)?;
    let rest = &suffix[1..];
    if !(rest.is_empty() || power > 0 && matches!(rest, "B" | "IB")) {
        return None;
    }
    let (whole, fraction) = number.trim().split_once('.').unwrap_or((number.trim(), ""));
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let bytes = digits.checked_mul(1024_u128.checked_pow(u32::try_from(power).ok()?)?)?;
    let divisor = 1024_u128
        .checked_pow(unit.power()?)?
        .checked_mul(10_u128.checked_pow(fraction.len().try_into().ok()?)?)?;
    (bytes % divisor == 0)
        .then(|| u64::try_from(bytes / divisor).ok())
        .flatten()
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
    use super::check;
    use crate::properties::parse;

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
                "free_disk_gb is a number of GiB and cannot be compared with '100 M'; write digits, such as 64",
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
