//! The plan document as it is written.

use serde::{Deserialize, Serialize};

use super::entries::Members;
use super::{DocumentError, read};
use crate::model::{HostId, LeaseId, ReservationId, Seconds};

/// The `format` member of a plan.
pub const PLAN_FORMAT: &str = "berth-plan/1";

/// Host or unit to count.
pub type HeldUnits = Members<u32>;

/// Decisions, what is held in the end, and sums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format: String,
    /// Fingerprint of the problem's text.
    pub problem: String,
    /// How requests were taken.
    pub mode: String,
    /// One decision for each request, in their order. Mode `heal`: one decision for `heal`, accepted or,
    /// if not proved best, undecided with the best found; its `holds` is empty and its `moves` are all
    /// changes. None if there is nothing to change.
    pub decisions: Vec<DecisionEntry>,
    /// What every reservation of every lease that has not ended holds.
    #[serde(rename = "final")]
    pub last: Members<HeldUnits>,
    /// Sums.
    pub summary: Summary,
}

impl Plan {
    /// Reads a plan. Whether it is right is the checker's business.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let plan: Self = read(text)?;
        if plan.format != PLAN_FORMAT {
            let reason = format!("`{}` is not supported, expected `{PLAN_FORMAT}`", plan.format);
            return Err(DocumentError::member("format", reason));
        }
        Ok(plan)
    }
}

/// A verdict's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictName {
    /// Granted.
    Accepted,
    /// Impossible.
    Refused,
    /// Neither was shown.
    Undecided,
}

/// The decision on one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionEntry {
    /// The request.
    pub request: LeaseId,
    /// The answer.
    pub verdict: VerdictName,
    /// Whether the answer is a theorem.
    pub proved: bool,
    /// Stage that decided.
    pub tier: String,
    /// Microseconds it took.
    pub micros: u64,
    /// Accepted: what each requested reservation holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<Members<HeldUnits>>,
    /// Accepted: every change of what pending reservations hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moves: Option<Vec<MoveEntry>>,
    /// Refused: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<ConflictEntry>,
    /// Refused: what would be accepted instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<OfferEntry>,
    /// Undecided: what there was too little of, `time` or `work` that may be spent on one decision, or that the
    /// solver's `arithmetic` failed; see `Unfinished` of the planner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<String>,
}

/// A change of what a pending reservation holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveEntry {
    /// The reservation.
    pub reservation: ReservationId,
    /// What it gives up.
    pub from: HeldUnits,
    /// What it takes instead.
    pub to: HeldUnits,
}

/// Why a request is refused; see `Conflict` of the planner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConflictEntry {
    /// Reason code.
    pub reason: String,
    /// Start of the shortage.
    pub from: Seconds,
    /// End of the shortage.
    pub until: Seconds,
    /// Hosts needed at once.
    pub needed: u64,
    /// Hosts that exist.
    pub exist: u64,
    /// The hosts in question.
    pub hosts_matching: Vec<HostId>,
    /// The reservations that compete for them.
    pub reservations: Vec<ReservationId>,
    /// One sentence for people.
    pub text: String,
    /// The resource class that runs out, if `needed` and `exist` are amounts of one and not counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Capacities that are too small together, if no plain sum at one instant shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Vec<RowEntry>>,
}

/// One capacity of a certificate, counted `weight` times: at an instant these hosts carry at most as many
/// host reservations as they are; or, if the row counts a resource class, at most so many multiples of
/// `divisor` of it as fit each host, when what each instance takes is divided and rounded down, too.
///
/// Such rows prove a refusal (Farkas' lemma) if the reservations of the conflict, whatever hosts they use, use more of
/// them than the hosts have, each row counted with its weight. `needed` and `exist` of the conflict are these two sums,
/// or `needed` is one more than `exist` where a reservation has no place at all; its reason is `rows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowEntry {
    /// The hosts, each once.
    pub hosts: Vec<HostId>,
    /// The instant.
    pub at: Seconds,
    /// At least 1.
    pub weight: u64,
    /// The resource class that is counted; without it hosts are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The amount whose multiples are counted, at least 1; only with a resource class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divisor: Option<u64>,
    /// A reservation of instances on different hosts: each of them uses a host of the row like a host reservation does.
    /// Only without a resource class, and in no receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<ReservationId>,
}

/// A changed request that would be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "lowercase", deny_unknown_fields)]
pub enum OfferEntry {
    /// The whole request, shifted.
    Start {
        /// Start of its first reservation.
        start: Seconds,
    },
    /// Fewer hosts.
    Amount {
        /// The reservation, unless the request has only one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reservation: Option<ReservationId>,
        /// Its `min`.
        amount: u32,
    },
    /// One condition left out.
    Drop {
        /// The reservation, unless the request has only one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reservation: Option<ReservationId>,
        /// The condition.
        condition: serde_json::Value,
    },
}

/// Sums over a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Requests accepted.
    pub accepted: u64,
    /// Requests refused.
    pub refused: u64,
    /// Requests left undecided.
    pub undecided: u64,
    /// Hosts held times seconds over what accepted requests asked for.
    pub host_seconds_accepted: u64,
    /// Hosts that left a pending reservation for another class.
    pub moves: u64,
    /// Value of the accepted requests.
    pub value: u64,
    /// Proved upper bound of the value, where a mode gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<u64>,
    /// Mode `batch`: what shows the bound, where the values of all requests do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptEntry>,
    /// Mode `batch`: whether the value is proved the greatest and, with it, the moves the fewest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved: Option<bool>,
    /// Mode `heal`: promises that cannot be kept in full.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unkept: Vec<UnkeptEntry>,
}

/// What shows that no subset of a batch is worth more than the bound.
///
/// Each row of `prices` charges its hosts `weight` at its instant, or for each unit of a resource class. Nothing uses
/// more than there is, so no subset is worth more than all rooms cost and what each lease makes at most: the value of
/// its request, times `denominator`, less what its reservations pay at least. Subsets that this leaves more than the
/// bound contain one of the sets in `refuted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptEntry {
    /// What one unit of value is in prices, at least 1.
    pub denominator: u64,
    /// The prices.
    pub prices: Vec<RowEntry>,
    /// Requests that exclude each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refuted: Vec<RefutedEntry>,
}

/// Requests that cannot be accepted together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefutedEntry {
    /// The requests, of different leases.
    pub requests: Vec<LeaseId>,
    /// Why all of their reservations cannot be had as one request.
    pub conflict: ConflictEntry,
}

/// A promise that cannot be kept in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnkeptEntry {
    /// The reservation.
    pub reservation: ReservationId,
    /// Hosts or instances it lacks.
    pub missing: u32,
    /// Why.
    pub conflict: ConflictEntry,
}
