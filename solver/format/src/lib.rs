//! What planning is about, and the documents that carry it: problems (`berth-problem/1`) and plans (`berth-plan/1`).
//!
//! [`model`] has the facts, [`predicate`] the language of conditions over the properties of hosts. Planner and checker
//! share this crate and nothing else.
//!
//! Invariant: a document that was read is well formed as a whole. Identifiers are unique, intervals are
//! not empty, amounts and times are in range, everything named exists, and nothing is held twice.
//! Errors name the JSON path of the member at fault.

mod convert;
pub mod decimal;
mod entries;
pub mod model;
mod plan;
pub mod predicate;
mod problem;
mod validate;

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

pub use convert::{all_units, units};
pub use entries::{Condition, Members};
pub use plan::{
    ConflictEntry, DecisionEntry, HeldUnits, MoveEntry, OfferEntry, PLAN_FORMAT, Plan, ReceiptEntry, RefutedEntry,
    RowEntry, Summary, UnkeptEntry, VerdictName,
};
pub use problem::{HostEntry, Kind, LeaseEntry, PROBLEM_FORMAT, PoolEntry, Problem, RequestEntry, ReservationEntry};

/// Largest document that is read, in bytes.
pub const MAX_BYTES: usize = 256 << 20;
/// Greatest time, cleaning and freeze, in seconds: the end of the year 9999. Times may be as far before
/// 1970.
pub const MAX_SECONDS: i64 = 253_402_300_799;
/// Most hosts, pools, units of a pool, leases and requests, each.
pub const MAX_ENTRIES: usize = 1_000_000;
/// Most reservations of a lease or request.
pub const MAX_RESERVATIONS: usize = 10_000;
/// Most hosts, instances or units one reservation may be of.
pub const MAX_AMOUNT: u32 = 1_000_000;
/// Most hosts, instances and units all leases together may hold.
pub const MAX_HELD: u64 = 20_000_000;
/// Greatest amount of a resource class that a host has or an instance takes.
pub const MAX_RESOURCE: u64 = 1_000_000_000_000;
/// Greatest value of a request.
pub const MAX_VALUE: u64 = 1_000_000_000_000_000;

/// A document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is too long.
    #[error("the document has {bytes} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// It is not JSON.
    #[error("not JSON: {reason}")]
    Syntax {
        /// What the JSON reader says, with line and column.
        reason: String,
    },
    /// A member is missing, unknown, of the wrong type, out of range or contradicts another.
    #[error("{path}: {reason}")]
    Member {
        /// JSON path of the member, such as `leases[0].reservations[1].holds.c9`.
        path: String,
        /// What is wrong, and what is allowed.
        reason: String,
    },
}

impl DocumentError {
    pub(crate) fn member(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Member {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

/// Reads JSON into a document type; the error says where.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, DocumentError> {
    if text.len() > MAX_BYTES {
        return Err(DocumentError::TooLarge { bytes: text.len() });
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let document = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let reason = error.inner().to_string();
        let path = at_fault(&error.path().to_string(), &reason);
        let reason = in_plain_words(&reason);
        if error.inner().is_data() {
            DocumentError::Member { path, reason }
        } else {
            DocumentError::Syntax { reason }
        }
    })?;
    json.end().map_err(|error| DocumentError::Syntax {
        reason: error.to_string(),
    })?;
    Ok(document)
}

/// The path of the member at fault. For a missing member the reader gives the path of the object around it.
fn at_fault(path: &str, reason: &str) -> String {
    let missing = reason
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next());
    match missing {
        Some(member) if path == "." => member.to_owned(),
        Some(member) => format!("{path}.{member}"),
        None if path == "." => "the document".to_owned(),
        None => path.to_owned(),
    }
}

/// What the reader says of a value, without the names of types.
fn in_plain_words(reason: &str) -> String {
    let plain = || {
        let (found, expected) = reason.strip_prefix("invalid ")?.rsplit_once(", expected ")?;
        let (expected, place) = expected.rsplit_once(" at line ").unwrap_or((expected, ""));
        let at = if place.is_empty() {
            String::new()
        } else {
            format!(" at line {place}")
        };
        let found = match found.strip_prefix("type: ").or_else(|| found.strip_prefix("value: ")) {
            Some("map") => "an object",
            Some("sequence") => "a list",
            Some(value) => ["integer ", "floating point ", "boolean "]
                .iter()
                .find_map(|name| value.strip_prefix(name))
                .map_or(value, |value| value.trim_matches('`')),
            // A list too short or too long for what is read as an object.
            None if expected.starts_with("struct ") => "a list",
            None => return None,
        };
        let expected = match expected {
            "i64" => "a whole number".to_owned(),
            "u64" => format!("a whole number from 0 to {}", u64::MAX),
            "u32" => format!("a whole number from 0 to {}", u32::MAX),
            "f64" => "a number".to_owned(),
            "a boolean" => "true or false".to_owned(),
            "a sequence" => "a list".to_owned(),
            "a map" => "an object".to_owned(),
            _ if expected.starts_with("struct ") => "an object".to_owned(),
            _ => expected.to_owned(),
        };
        Some(format!("expected {expected}, found {found}{at}"))
    };
    plain().unwrap_or_else(|| reason.to_owned())
}

/// `sha256:` and the digest of a problem's text, by which a plan names its problem.
pub fn fingerprint(text: &str) -> String {
    use std::fmt::Write;
    let mut name = String::from("sha256:");
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}
