//! Dates on the wire. All are UTC; values are whole Unix seconds.
//!
//! Invariant: the years 1970 to 9999 survive writing and reading unchanged; other values cannot be
//! written.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde::de::{Deserializer, Error as _, Visitor};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

/// First second of 1970.
pub const EARLIEST: i64 = 0;
/// Last second of the year 9999.
pub const LATEST: i64 = 253_402_300_799;

/// Not a date of the form asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} is an invalid date. Required format: {format}")]
pub struct DateError {
    /// What was read.
    pub text: String,
    /// What is allowed, in the notation of `strftime`.
    pub format: &'static str,
}

/// Format of dates in requests.
pub const REQUEST_FORMAT: &str = "%Y-%m-%d %H:%M";

/// Reads a date of a request, `%Y-%m-%d %H:%M`: a year of four digits, the other fields of one or
/// two. Years before 1970 are read too (as negative seconds), so that they can be called past.
pub fn parse_request(text: &str) -> Result<i64, DateError> {
    request_fields(text)
        .and_then(|(date, hour, minute)| date.and_hms_opt(hour, minute, 0))
        .map(|time| time.and_utc().timestamp())
        .ok_or_else(|| DateError {
            text: text.to_owned(),
            format: REQUEST_FORMAT,
        })
}

fn request_fields(text: &str) -> Option<(NaiveDate, u32, u32)> {
    // As strptime: one or more blanks of any kind.
    let (day, time) = text.split_once(char::is_whitespace)?;
    let time = time.trim_start();
    let mut day = day.split('-');
    let (year, month, date) = (day.next()?, day.next()?, day.next()?);
    let (hour, minute) = time.split_once(':')?;
    if day.next().is_some() || year.len() != 4 {
        return None;
    }
    let year: i32 = number(year, 4)?.try_into().ok()?;
    if year == 0 {
        return None;
    }
    Some((
        NaiveDate::from_ymd_opt(year, number(month, 2)?, number(date, 2)?)?,
        number(hour, 2)?,
        number(minute, 2)?,
    ))
}

fn number(digits: &str, most: usize) -> Option<u32> {
    let plain = !digits.is_empty() && digits.len() <= most && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// Writes a date for a request, seconds cut off.
pub fn format_request(seconds: i64) -> Result<String, DateError> {
    format(seconds, REQUEST_FORMAT)
}

fn format(seconds: i64, format: &'static str) -> Result<String, DateError> {
    DateTime::from_timestamp(seconds, 0)
        .filter(|_| (EARLIEST..=LATEST).contains(&seconds))
        .map(|time| time.format(format).to_string())
        .ok_or_else(|| DateError {
            text: format!("Unix second {seconds}"),
            format,
        })
}

/// Reads `format`, with or without a fraction of a second (cut off).
fn parse_naive(text: &str, format: &'static str) -> Result<i64, DateError> {
    NaiveDateTime::parse_from_str(text, format)
        .map(|time| time.and_utc().timestamp())
        .ok()
        .filter(|seconds| (EARLIEST..=LATEST).contains(seconds))
        .ok_or_else(|| DateError {
            text: text.to_owned(),
            format,
        })
}

/// Defines a time with one text form.
macro_rules! wire_time {
    ($(#[$meta:meta])* $name:ident, write: $write:literal, read: $read:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(
            /// Unix seconds.
            pub i64,
        );

        impl $name {
            /// Reads the text form.
            pub fn parse(text: &str) -> Result<Self, DateError> {
                let read: fn(&str) -> Result<i64, DateError> = $read;
                read(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&format(self.0, $write).map_err(|_| fmt::Error)?)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&format(self.0, $write).map_err(S::Error::custom)?)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(formatter, "a date of the form {}", $write)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::parse(text).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text).map_err(D::Error::custom)
            }
        }
    };
}

wire_time! {
    /// Dates of leases, events and allocations: `2050-12-26T12:00:00.000000`, always six decimals.
    PlanTime, write: "%Y-%m-%dT%H:%M:%S.000000", read: |text| parse_naive(text, "%Y-%m-%dT%H:%M:%S%.f")
}

wire_time! {
    /// Dates in what usage filters are told: `2050-12-26T12:00:00`.
    WholeTime, write: "%Y-%m-%dT%H:%M:%S", read: |text| parse_naive(text, "%Y-%m-%dT%H:%M:%S%.f")
}

wire_time! {
    /// When a record was made or changed: `2050-12-20 10:00:00`.
    RecordTime, write: "%Y-%m-%d %H:%M:%S", read: |text| parse_naive(text, "%Y-%m-%d %H:%M:%S%.f")
}

wire_time! {
    /// RFC 3339: `2050-12-26T12:00:00Z`. Other zones are read too.
    ZonedTime, write: "%Y-%m-%dT%H:%M:%SZ", read: |text| {
        DateTime::parse_from_rfc3339(text)
            .map(|time| time.timestamp())
            .ok()
            .filter(|seconds| (EARLIEST..=LATEST).contains(seconds))
            .ok_or_else(|| DateError { text: text.to_owned(), format: "%Y-%m-%dT%H:%M:%SZ" })
    }
}

impl utoipa::PartialSchema for ZonedTime {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339; answers are in UTC, whole seconds."))
            .examples(["2030-01-01T10:00:00Z"])
            .into()
    }
}

impl utoipa::ToSchema for ZonedTime {}
