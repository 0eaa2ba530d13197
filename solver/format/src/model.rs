//! What a planner knows: hosts, the reservations they carry, and what is asked for.
//!
//! Times are whole Unix seconds, intervals half-open `[start, end)`. Identifiers are reference-counted
//! strings, so that cloning a plan copies no text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::predicate::Predicate;

/// Whole Unix seconds.
pub type Seconds = i64;

/// Identifier of a host, as the inventory spells it.
pub type HostId = Arc<str>;
/// Identifier of a lease.
pub type LeaseId = Arc<str>;
/// Identifier of a reservation, unique over all leases and requests.
pub type ReservationId = Arc<str>;
/// Identifier of a pool of units.
pub type PoolId = Arc<str>;

/// A half-open interval `[start, end)` of Unix seconds with `start < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// First second inside.
    pub start: Seconds,
    /// First second after.
    pub end: Seconds,
}

impl Interval {
    /// The interval `[start, end)`.
    pub const fn new(start: Seconds, end: Seconds) -> Self {
        Self { start, end }
    }

    /// Whether the two intervals share a second.
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether `at` lies inside.
    pub const fn contains(&self, at: Seconds) -> bool {
        self.start <= at && at < self.end
    }

    /// Length in seconds.
    pub const fn seconds(&self) -> Seconds {
        self.end - self.start
    }
}

/// A physical host as the planner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its identifier.
    pub id: HostId,
    /// Everything a [`Predicate`] may ask for besides `$id`, `$zone` and `$rack`.
    pub properties: BTreeMap<String, String>,
    /// Availability zone, if known.
    pub zone: Option<String>,
    /// Rack, if known.
    pub rack: Option<String>,
    /// Amounts by resource class (`VCPU`, `MEMORY_MB`, `DISK_GB`).
    pub capacity: BTreeMap<String, u64>,
    /// Known out-of-service intervals, sorted and disjoint.
    pub blocks: Vec<Interval>,
    /// `false`: no new work and no move onto this host; what it holds may stay.
    pub reservable: bool,
}

impl Host {
    /// Names that [`Host::lookup`] does not take from the properties.
    pub const NAMED: [&str; 3] = ["id", "zone", "rack"];

    /// What `$name` means on this host: its identifier, zone and rack by those names, else a property.
    pub fn lookup(&self, name: &str) -> Option<&str> {
        match name {
            "id" => Some(&self.id),
            "zone" => self.zone.as_deref(),
            "rack" => self.rack.as_deref(),
            _ => self.properties.get(name).map(String::as_str),
        }
    }

    /// Whether the host satisfies the predicate.
    pub fn matches(&self, predicate: &Predicate) -> bool {
        predicate.matches(&|name| self.lookup(name))
    }

    /// Whether the host is in service during the whole interval.
    pub fn in_service(&self, window: Interval) -> bool {
        !self.blocks.iter().any(|block| block.overlaps(&window))
    }

    /// Whether new work may be put on the host, whatever it asks for: it is reservable and in service during the whole
    /// window.
    pub fn takes(&self, window: Interval) -> bool {
        self.reservable && self.in_service(window)
    }

    /// Whether new work may be put on the host: it is reservable, satisfies the predicate and is in
    /// service during the whole window.
    pub fn suits(&self, predicate: &Predicate, window: Interval) -> bool {
        self.takes(window) && self.matches(predicate)
    }
}

/// A set of like things that are not hosts, such as addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its identifier.
    pub id: PoolId,
    /// Its units, sorted, each once.
    pub units: Vec<HostId>,
    /// What refusals call them; `None`: units of the pool by its identifier.
    pub words: Option<PoolWords>,
}

/// What people call a pool and its units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolWords {
    /// One unit, such as `address`.
    pub one: Arc<str>,
    /// More than one.
    pub more: Arc<str>,
    /// The pool, such as `network 7d3f`.
    pub pool: Arc<str>,
}

/// What a reservation is of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Resource {
    /// Whole hosts.
    #[default]
    Host,
    /// Instances, each on a host it shares with other instances but with no host reservation.
    Instances(Arc<Instances>),
    /// Units of a pool.
    Units(Arc<Units>),
}

/// What instances take of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instances {
    /// Amounts one instance takes, by resource class (`VCPU`, `MEMORY_MB`, `DISK_GB`).
    pub resources: BTreeMap<String, u64>,
    /// `Some(true)`: all on one host; `Some(false)`: all on different hosts; `None`: no rule.
    pub affinity: Option<bool>,
}

/// Which units of which pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    /// The pool.
    pub pool: PoolId,
    /// Units that must be among those given, sorted, each once.
    pub required: Vec<HostId>,
}

/// A promise already made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its identifier.
    pub id: ReservationId,
    /// What it is of.
    pub resource: Resource,
    /// When it is held.
    pub window: Interval,
    /// Seconds each host must stay free after the window before the next reservation; 0 unless it is of
    /// whole hosts.
    pub cleaning: Seconds,
    /// Fewest hosts, instances or units that satisfy the promise.
    pub min: u32,
    /// Most that may be given; equal to `min` unless it is of whole hosts.
    pub max: u32,
    /// Which hosts are suitable; every host if it is of units.
    pub predicate: Arc<Predicate>,
    /// The hosts or units held, sorted. A host stands once for each instance on it, otherwise once.
    pub holds: Vec<HostId>,
    /// `true`: its hosts may not change.
    pub pinned: bool,
}

impl Reservation {
    /// What the reservation occupies on a host: the window and the cleaning after it.
    pub const fn occupation(&self) -> Interval {
        occupation(self.window, self.cleaning)
    }

    /// The same, as it would be asked for.
    pub fn requested(&self) -> RequestedReservation {
        RequestedReservation {
            id: self.id.clone(),
            resource: self.resource.clone(),
            window: self.window,
            cleaning: self.cleaning,
            min: self.min,
            max: self.max,
            predicate: Arc::clone(&self.predicate),
        }
    }

    /// Whether its hosts may not change at `now`: it says so, it has started, or it starts within the
    /// next `freeze` seconds.
    pub const fn is_fixed(&self, now: Seconds, freeze: Seconds) -> bool {
        self.pinned || self.window.start <= now || self.window.start < now.saturating_add(freeze)
    }
}

/// A window and the cleaning after it.
const fn occupation(window: Interval, cleaning: Seconds) -> Interval {
    Interval::new(window.start, window.end.saturating_add(cleaning))
}

/// A lease already accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Its identifier.
    pub id: LeaseId,
    /// Its reservations; each keeps its own window.
    pub reservations: Vec<Reservation>,
}

/// A reservation that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedReservation {
    /// Identifier it will have; that of a reservation of the replaced lease re-decides that one.
    pub id: ReservationId,
    /// What it is of.
    pub resource: Resource,
    /// When it is needed.
    pub window: Interval,
    /// Seconds each host must stay free after the window; 0 unless it is of whole hosts.
    pub cleaning: Seconds,
    /// Fewest hosts, instances or units that satisfy it, at least 1.
    pub min: u32,
    /// Most wanted, at least `min`; equal to it unless it is of whole hosts.
    pub max: u32,
    /// Which hosts are suitable; every host if it is of units.
    pub predicate: Arc<Predicate>,
}

impl RequestedReservation {
    /// What the reservation occupies on a host: the window and the cleaning after it.
    pub const fn occupation(&self) -> Interval {
        occupation(self.window, self.cleaning)
    }
}

/// A lease that is asked for: all of its reservations or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Identifier the lease will have when it replaces none.
    pub id: LeaseId,
    /// The lease this request re-decides, with its own holdings counted as free. A reservation of it
    /// that has started or is otherwise fixed keeps every host it holds; one that has started also keeps
    /// its start, and stays as it is when the request does not name it.
    pub replaces: Option<LeaseId>,
    /// What is asked for.
    pub reservations: Vec<RequestedReservation>,
}

impl Request {
    /// What of the request is still to come at `now`: what joins a reservation that has started is its own from then on.
    pub fn ahead(&self, now: Seconds) -> Cow<'_, Self> {
        let is_running = |asked: &RequestedReservation| asked.window.start < now && now < asked.window.end;
        if !self.reservations.iter().any(is_running) {
            return Cow::Borrowed(self);
        }
        let mut ahead = self.clone();
        for asked in ahead.reservations.iter_mut().filter(|asked| is_running(asked)) {
            asked.window.start = now;
        }
        Cow::Owned(ahead)
    }
}

/// How often what one instance takes fits into the room that is left, given as pairs of room and amount by resource
/// class; `None` if an instance takes nothing.
pub fn times_fitting(parts: impl Iterator<Item = (u64, u64)>) -> Option<u64> {
    parts.filter_map(|(room, amount)| room.checked_div(amount)).min()
}
