//! Times, hosts and conditions as people read them.

use crate::model::Seconds;
use crate::predicate::Predicate;

/// `1 host` or `37 hosts`.
pub(crate) fn count(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// `1 host is` or `37 hosts are`.
pub(crate) fn count_is(number: u64, one: &str, more: &str) -> String {
    format!(
        "{} {}",
        count(number, one, more),
        if number == 1 { "is" } else { "are" }
    )
}

/// `1 earlier lease` or `3 earlier leases`.
pub(crate) fn earlier(leases: u64) -> String {
    count(leases, "earlier lease", "earlier leases")
}

/// `37 hosts with gpu = True`; without a condition to name, `37 matching hosts`.
pub(crate) fn hosts(count: u64, condition: Option<&Predicate>) -> String {
    let hosts = if count == 1 { "host" } else { "hosts" };
    match condition {
        Some(Predicate::All(parts)) if parts.is_empty() => format!("{count} {hosts}"),
        Some(condition) if !condition.is_long() => format!("{count} {hosts} with {}", condition.in_words()),
        _ => format!("{count} matching {hosts}"),
    }
}

/// `2030-01-01T10:00Z`, with seconds only where they are not zero.
pub(crate) fn instant(at: Seconds) -> String {
    let (days, second) = (at.div_euclid(86_400), at.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let seconds = if second == 0 {
        String::new()
    } else {
        format!(":{second:02}")
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}{seconds}Z")
}

/// `1 minute`, `90 minutes`, or seconds where they are no whole minutes.
pub(crate) fn minutes(seconds: Seconds) -> String {
    let number = seconds.unsigned_abs();
    if number.is_multiple_of(60) {
        count(number / 60, "minute", "minutes")
    } else {
        count(number, "second", "seconds")
    }
}

/// Year, month and day of a day counted from 1970-01-01 in the proleptic Gregorian calendar. Years are
/// counted from March, so that the leap day is the last of its year; 400 years are 146,097 days.
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    #[test]
    fn conditions_read_like_sentences() {
        let condition = |text: &str| crate::predicate::parse(&serde_json::from_str(text).unwrap_or_default()).ok();
        let said = |text: &str, count| super::hosts(count, condition(text).as_ref());
        assert_eq!(said("[]", 3), "3 hosts");
        assert_eq!(said(r#"["==", "$gpu", "True"]"#, 1), "1 host with gpu = True");
        let nested = r#"["and", [">=", "$vcpus", 8], ["or", ["=", "$zone", "z1"], ["!=", "$rack", "r1"]]]"#;
        assert_eq!(said(nested, 2), "2 hosts with vcpus >= 8 and (zone = z1 or rack != r1)");
        assert_eq!(super::hosts(2, None), "2 matching hosts");
    }

    #[test]
    fn writes_known_instants() {
        assert_eq!(super::instant(0), "1970-01-01T00:00Z");
        assert_eq!(super::instant(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(super::instant(951_782_400), "2000-02-29T00:00Z");
        assert_eq!(super::instant(1_893_492_000), "2030-01-01T10:00Z");
        assert_eq!(super::instant(-1), "1969-12-31T23:59:59Z");
    }
}
