//! Times on the command line.
//!
//! Invariant: what goes to the service is a whole minute in UTC, in the one format it reads.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, DurationRound, NaiveDate, NaiveDateTime, TimeDelta, Utc};

/// A time as it was written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// `now`
    Now,
    /// `+2h`, `-30m`, `+1d12h`
    Offset(TimeDelta),
    /// `2030-01-01 10:00`
    At(DateTime<Utc>),
}

/// Why a time cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// None of the forms.
    #[error("'{0}' is no time; write now, +2h, +1d12h, 2030-01-01 or '2030-01-01 10:00' (UTC)")]
    Form(String),
    /// Seconds are given.
    #[error("'{0}' has seconds; leases start and end on whole minutes")]
    Seconds(String),
    /// Beyond the calendar.
    #[error("'{0}' is too far away")]
    Range(String),
}

impl Moment {
    /// The time meant, offsets counted from `base`.
    ///
    /// # Errors
    /// [`MomentError::Range`] beyond the calendar.
    pub fn resolve(self, now: DateTime<Utc>, base: DateTime<Utc>) -> Result<DateTime<Utc>, MomentError> {
        let out_of_range = || MomentError::Range(self.to_string());
        let time = match self {
            Self::Now => now,
            Self::Offset(offset) => base.checked_add_signed(offset).ok_or_else(out_of_range)?,
            Self::At(time) => time,
        };
        time.duration_trunc(TimeDelta::minutes(1)).map_err(|_| out_of_range())
    }
}

/// As it is written on the command line: it reads as the same moment.
impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => formatter.write_str("now"),
            Self::At(time) => formatter.write_str(&to_wire(*time)),
            Self::Offset(offset) => {
                let minutes = offset.num_minutes().unsigned_abs();
                formatter.write_str(if *offset < TimeDelta::zero() { "-" } else { "+" })?;
                let parts = [(minutes / 1440, "d"), (minutes / 60 % 24, "h"), (minutes % 60, "m")];
                let mut written = false;
                for (number, unit) in parts {
                    if number > 0 || (unit == "m" && !written) {
                        write!(formatter, "{number}{unit}")?;
                        written = true;
                    }
                }
                Ok(())
            }
        }
    }
}

/// The form in which the service reads times.
pub(crate) fn to_wire(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M").to_string()
}

/// The form in which `/capacity/v1` reads times.
pub(crate) fn to_rfc3339(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Reads a time the service wrote, in any of the forms it uses.
pub(crate) fn from_wire(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.with_timezone(&Utc));
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|time| time.and_utc())
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let text = text.trim();
        let form = || MomentError::Form(text.to_owned());
        if text.eq_ignore_ascii_case("now") {
            return Ok(Self::Now);
        }
        let after_now = text.strip_prefix("now").map_or(text, str::trim_start);
        if let Some(amount) = after_now.strip_prefix('+') {
            return offset(amount, text).map(Self::Offset);
        }
        if let Some(amount) = after_now.strip_prefix('-') {
            return offset(amount, text).map(|offset| Self::Offset(-offset));
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return whole_minute(time.with_timezone(&Utc), text);
        }
        let clock = text.trim_end_matches(" UTC").trim_end_matches('Z');
        for format in [
            "%Y-%m-%d %H:%M",
            "%Y-%m-%dT%H:%M",
            "%Y-%m-%d %H:%M:%S",
            "%Y-%m-%dT%H:%M:%S%.f",
        ] {
            if let Ok(time) = NaiveDateTime::parse_from_str(clock, format) {
                return whole_minute(time.and_utc(), text);
            }
        }
        let day = NaiveDate::parse_from_str(clock, "%Y-%m-%d").map_err(|_| form())?;
        Ok(Self::At(day.and_time(chrono::NaiveTime::MIN).and_utc()))
    }
}

fn whole_minute(time: DateTime<Utc>, text: &str) -> Result<Moment, MomentError> {
    if time.timestamp() % 60 == 0 {
        Ok(Moment::At(time))
    } else {
        Err(MomentError::Seconds(text.to_owned()))
    }
}

/// Reads `1d12h`: numbers, each followed by m, h, d or w.
fn offset(amount: &str, whole: &str) -> Result<TimeDelta, MomentError> {
    let form = || MomentError::Form(whole.to_owned());
    let range = || MomentError::Range(whole.to_owned());
    let mut total = TimeDelta::zero();
    let mut rest = amount.trim();
    if rest.is_empty() {
        return Err(form());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|character: char| !character.is_ascii_digit())
            .ok_or_else(form)?;
        let (number, unit_and_rest) = rest.split_at(digits);
        let number: i64 = number.parse().map_err(|_| if digits == 0 { form() } else { range() })?;
        let letters = unit_and_rest.find(|character: char| !character.is_ascii_alphabetic());
        let (unit, next) = unit_and_rest.split_at(letters.unwrap_or(unit_and_rest.len()));
        let minutes = match unit {
            "m" | "min" => 1,
            "h" => 60,
            "d" => 24 * 60,
            "w" => 7 * 24 * 60,
            "s" | "sec" => return Err(MomentError::Seconds(whole.to_owned())),
            _ => return Err(form()),
        };
        let step = number
            .checked_mul(minutes)
            .and_then(TimeDelta::try_minutes)
            .ok_or_else(range)?;
        total = total.checked_add(&step).ok_or_else(range)?;
        rest = next.trim_start();
    }
    Ok(total)
}

/// A time of the service without its seconds and zone; as it is if it cannot be read.
pub(crate) fn time_for_people(text: &str) -> String {
    from_wire(text).map_or_else(|| text.to_owned(), to_wire)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    #[test]
    fn every_form_reaches_the_service_as_a_whole_minute() {
        let now = time("2030-01-01T10:00:59Z");
        let base = time("2030-02-01T00:00:00Z");
        for (text, expected) in [
            ("now", "2030-01-01 10:00"),
            ("+2h", "2030-02-01 02:00"),
            ("now+2h", "2030-02-01 02:00"),
            ("+1d12h 5m", "2030-02-02 12:05"),
            ("-30m", "2030-01-31 23:30"),
            ("+1w", "2030-02-08 00:00"),
            ("2031-5-6 7:08", "2031-05-06 07:08"),
            ("2031-05-06T07:08:00.000000", "2031-05-06 07:08"),
            ("2031-05-06T07:08:00+02:00", "2031-05-06 05:08"),
            ("2031-05-06", "2031-05-06 00:00"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(to_wire(moment.resolve(now, base).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn a_moment_is_written_as_it_is_read() {
        for text in ["now", "+2h", "-30m", "+1d12h5m", "+0m", "+10d1m", "2031-05-06 07:08"] {
            assert_eq!(text.parse::<Moment>().unwrap().to_string(), text);
        }
        let week: Moment = "+1w".parse().unwrap();
        assert_eq!(week.to_string(), "+7d");
    }

    #[test]
    fn wrong_times_are_refused_with_what_is_allowed() {
        for text in [
            "",
            "tomorrow",
            "+",
            "+h",
            "+2",
            "+2y",
            "2030-13-01",
            "10:00",
            "+2h-",
            "++2h",
            "now-",
        ] {
            assert_eq!(
                text.parse::<Moment>(),
                Err(MomentError::Form(text.to_owned())),
                "{text}"
            );
        }
        assert!(matches!(
            "2030-01-01 10:00:30".parse::<Moment>(),
            Err(MomentError::Seconds(_))
        ));
        assert!(matches!("+90s".parse::<Moment>(), Err(MomentError::Seconds(_))));
        assert!(matches!(
            "+99999999999999999999d".parse::<Moment>(),
            Err(MomentError::Range(_))
        ));
        assert!(matches!(
            "+9999999999999999d".parse::<Moment>(),
            Err(MomentError::Range(_))
        ));
        let far: Moment = "+9999999999m".parse().unwrap();
        assert!(
            far.resolve(time("2030-01-01T00:00:00Z"), DateTime::<Utc>::MAX_UTC)
                .is_err()
        );
    }

    #[test]
    fn times_of_the_service_are_read() {
        for text in [
            "2030-01-01T10:00:00.000000",
            "2030-01-01 10:00:00",
            "2030-01-01T10:00:00Z",
            "2030-01-01 10:00",
        ] {
            assert_eq!(from_wire(text), Some(time("2030-01-01T10:00:00Z")), "{text}");
        }
        assert_eq!(from_wire("soon"), None);
    }
}
