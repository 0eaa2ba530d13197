//! Sizes on the command line.
//!
//! Invariant: a size is a whole number of the unit its option names. One with a unit is refused, with the number to
//! write, as the service refuses one in a condition: `8GB` means different sizes to different people.

/// Units by their first letter, each 1024 of the one before.
const UNITS: &str = "KMGTP";

/// Reads a whole number of MiB.
///
/// # Errors
/// What to write, for people.
pub(crate) fn mebibytes(text: &str) -> Result<u32, String> {
    whole(text, 'M')
}

/// Reads a whole number of GiB.
///
/// # Errors
/// What to write, for people.
pub(crate) fn gibibytes(text: &str) -> Result<u32, String> {
    whole(text, 'G')
}

fn whole(text: &str, unit: char) -> Result<u32, String> {
    text.parse().map_err(|_| {
        let meant = meant(text, unit).map(|(said, number)| format!("; {said} are {number}"));
        format!("write a whole number of {unit}iB{}", meant.unwrap_or_default())
    })
}

/// A number with a unit, as it is to be said, and how many of another unit that is.
fn meant(text: &str, unit: char) -> Option<(String, u32)> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, given) = text.split_at(digits);
    let number: u32 = number.parse().ok()?;
    let given = given.trim().to_ascii_uppercase();
    let letter = given.chars().next()?;
    if !matches!(&given[letter.len_utf8()..], "" | "B" | "IB") {
        return None;
    }
    let place = |letter: char| UNITS.find(letter);
    let steps = u32::try_from(place(letter)?.checked_sub(place(unit)?)?).ok()?;
    let number_of_unit = number.checked_mul(1024_u32.checked_pow(steps)?)?;
    Some((format!("{number} {letter}iB"), number_of_unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a14_a_size_with_a_unit_is_refused_with_the_number_to_write() {
        assert_eq!(mebibytes("8192"), Ok(8192));
        assert_eq!(gibibytes("0"), Ok(0));
        for (text, expected) in [
            ("8GB", "write a whole number of MiB; 8 GiB are 8192"),
            ("8g", "write a whole number of MiB; 8 GiB are 8192"),
            ("2 TiB", "write a whole number of MiB; 2 TiB are 2097152"),
            ("512MB", "write a whole number of MiB; 512 MiB are 512"),
            ("1KB", "write a whole number of MiB"),
            ("-4", "write a whole number of MiB"),
            ("many", "write a whole number of MiB"),
            ("8é", "write a whole number of MiB"),
            ("4000000000PB", "write a whole number of MiB"),
        ] {
            assert_eq!(mebibytes(text).unwrap_err(), expected, "{text}");
        }
        assert_eq!(
            gibibytes("1TB").unwrap_err(),
            "write a whole number of GiB; 1 TiB are 1024"
        );
        assert!(gibibytes("512MB").is_err());
    }
}
