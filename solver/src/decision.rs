//! What a planner answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{HostId, ReservationId, Seconds};

/// Which stage of the planner decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Too few hosts satisfy the predicate at any time.
    Static,
    /// Counts per class suffice, nothing counted as a move.
    Count,
    /// A certificate found without a linear program.
    Certificate,
    /// The integer model over class counts.
    Mip,
}

impl Tier {
    /// Name in plan documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Count => "count",
            Self::Certificate => "certificate",
            Self::Mip => "mip",
        }
    }
}

/// A pending reservation that changes hosts; both lists hold only what changed, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The reservation.
    pub reservation: ReservationId,
    /// Hosts it gives up.
    pub from: Vec<HostId>,
    /// Hosts it takes instead; as many.
    pub to: Vec<HostId>,
    /// How many of the changed hosts belong to another class than before (exchanges inside a class
    /// are not counted as moves).
    pub counted: u32,
}

/// Why no assignment exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Stable reason code: `no_matching_hosts` (too few suit the request at any time), `occupied` (too few
    /// suit it beside work that cannot move), `capacity` (a shortage of hosts at one instant), `resources`
    /// (a shortage of a resource class at one instant), `rows` (rows that together are short), `started`
    /// (the request contradicts what has begun), `search` (shown by exhausting the alternatives), `undecided` (of a
    /// promise in a healed state that is not proved the best: nothing was found, and not all was tried),
    /// `malformed` (the request contradicts itself or the clock).
    pub reason: &'static str,
    /// The shortage lasts from here ...
    pub from: Seconds,
    /// ... to here.
    pub until: Seconds,
    /// Hosts needed at once, by the request and the promises that compete for the same hosts; instances of
    /// the request if it is `occupied`, amounts of a class if it is `resources`.
    pub needed: u64,
    /// Hosts that exist for them then, or as much of the other.
    pub exist: u64,
    /// The hosts the competing reservations are restricted to, sorted.
    pub hosts_matching: Vec<HostId>,
    /// The competing reservations, sorted, those of the request included.
    pub reservations: Vec<ReservationId>,
    /// The rows of a `rows` conflict, `needed` and `exist` are sums over them; of a `resources` conflict one
    /// row that names the class; otherwise none.
    pub certificate: Vec<CapacityRow>,
    /// One sentence for people. Names no other lease.
    pub text: Arc<str>,
}

impl Conflict {
    /// The class of which `needed` and `exist` are amounts, if they are.
    pub fn resource(&self) -> Option<&Arc<str>> {
        let counted = self.certificate.first()?.counted.as_ref();
        counted
            .filter(|_| self.reason == "resources")
            .map(|counted| &counted.resource)
    }
}

/// Room of hosts at an instant.
///
/// Rows with weights prove a shortage (Farkas' lemma): each host has the row's weight to give for each part
/// it counts, less what fixed work takes of it. A reservation that is to be placed uses, whatever hosts it
/// is given, at least what the cheapest choice of suitable hosts beside fixed work costs, when a host costs
/// the sum over the rows it is in during the reservation's time. If that is more than all rows have,
/// nothing works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapacityRow {
    /// The hosts, sorted.
    pub hosts: Vec<HostId>,
    /// The instant.
    pub at: Seconds,
    /// At least 1.
    pub weight: u64,
    /// What is counted of each host; `None`: the host itself, which serves one host reservation or none.
    pub counted: Option<Counted>,
    /// A reservation whose instances stand on different hosts, if hosts are counted for it, too: each then serves one host
    /// reservation, one of these instances or none. Fixed instances take a host only where none of these fits beside them.
    pub apart: Option<ReservationId>,
}

/// Multiples of an amount of a resource class.
///
/// Whatever instances stand on a host, the sum of their amounts, each divided by the divisor and rounded
/// down, is at most the host's capacity divided and rounded down; a host reservation takes all of that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// The resource class.
    pub resource: Arc<str>,
    /// At least 1.
    pub divisor: u64,
}

/// The planner's answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// An assignment exists and is given.
    Accepted {
        /// Hosts of each requested reservation, sorted.
        holds: BTreeMap<ReservationId, Vec<HostId>>,
        /// Every change of what a pending reservation holds, sorted by reservation.
        moves: Vec<Move>,
    },
    /// No assignment exists: a theorem about the model, not an opinion.
    Refused {
        /// The reason.
        conflict: Conflict,
    },
    /// Neither was shown.
    Undecided(Unfinished),
}

/// Why a request was left undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// The time ran out.
    Time,
    /// What can be recounted was tried to the end of the work one decision may take.
    Work,
    /// The solver's arithmetic failed, and what it said did not hold in whole numbers.
    Arithmetic,
}

impl Unfinished {
    /// How plans spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Work => "work",
            Self::Arithmetic => "arithmetic",
        }
    }
}

/// An answer and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The moment it was taken at.
    pub at: Seconds,
    /// The answer.
    pub verdict: Verdict,
    /// Stage that decided.
    pub tier: Tier,
}

impl Decision {
    /// Hosts that left a pending reservation for a host of another class.
    pub fn counted_moves(&self) -> u32 {
        match &self.verdict {
            Verdict::Accepted { moves, .. } => moves.iter().map(|change| change.counted).sum(),
            Verdict::Refused { .. } | Verdict::Undecided(_) => 0,
        }
    }
}
