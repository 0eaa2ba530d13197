//! Exact order of plain decimal numbers (`-12`, `0.50`) of any length.

use std::cmp::Ordering;

/// A number's sign and digits, without the zeros that do not count.
struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn read(text: &str) -> Option<Decimal<'_>> {
    let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) if digits(fraction) => (whole, fraction.trim_end_matches('0')),
        Some(_) => return None,
        None => (unsigned, ""),
    };
    if !digits(whole) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let zero = whole.is_empty() && fraction.is_empty();
    Some(Decimal {
        negative: negative && !zero,
        whole,
        fraction,
    })
}

/// Whether a text is a plain decimal number.
pub fn is_number(text: &str) -> bool {
    read(text).is_some()
}

/// The numeric order of two texts, `None` unless both are plain decimal numbers.
pub fn compare(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (read(left)?, read(right)?);
    // Trailing zeros are gone, so the order of fractions is that of their texts.
    let magnitude = || {
        (left.whole.len().cmp(&right.whole.len()))
            .then_with(|| left.whole.cmp(right.whole))
            .then_with(|| left.fraction.cmp(right.fraction))
    };
    Some(match (left.negative, right.negative) {
        (false, false) => magnitude(),
        (true, true) => magnitude().reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_like_numbers() {
        let ascending = [
            "-10",
            "-9.5",
            "-0.01",
            "0",
            "0.009",
            "0.01",
            "9",
            "10",
            "10.05",
            "10.5",
            "9007199254740993",
            "9007199254740994",
        ];
        for (i, left) in ascending.iter().enumerate() {
            for (j, right) in ascending.iter().enumerate() {
                assert_eq!(compare(left, right), Some(i.cmp(&j)), "{left} and {right}");
            }
        }
        assert_eq!(compare("-0.0", "00"), Some(Ordering::Equal));
        assert_eq!(compare("1.50", "01.5"), Some(Ordering::Equal));
        for text in ["", "-", "1.", ".5", "1e3", "+1", " 1", "1_0", "٣"] {
            assert_eq!(compare(text, "1"), None, "{text}");
        }
    }
}
