//! What must hold of a small book, found by counting and trying everything, without the planner.

use std::collections::{BTreeMap, BTreeSet};

use planner_core::book::is_bound;
use planner_core::domain::{Allocation, Host, Lease, LeaseStatus, Reservation, ReservationSpec, ReservationStatus};
use planner_core::ports::Contents;
use planner_core::service::Settings;

/// Placements looked at before a question is left open.
const MOST_TRIED: u32 = 200_000;

pub(super) struct Oracle<'a> {
    leases: Vec<&'a Lease>,
    hosts: BTreeMap<&'a str, &'a Host>,
    now: i64,
    settings: &'a Settings,
}

/// From when until when a host is used, and how many virtual CPUs of it; `None`: all of it.
type Use = (i64, i64, Option<u32>);

/// What hosts carry.
type Carried<'a> = BTreeMap<&'a str, Vec<Use>>;

/// What one reservation takes of hosts, seen from now on.
#[derive(Clone)]
struct Piece<'a> {
    id: &'a str,
    /// Virtual CPUs of an instance; `None`: whole hosts.
    vcpus: Option<u32>,
    affinity: Option<bool>,
    rack: Option<&'a str>,
    from: i64,
    until: i64,
    /// Hosts that it keeps, once for each instance.
    stays: Vec<&'a str>,
    /// Hosts it may leave for others as good, likewise.
    may_leave: Vec<&'a str>,
    /// How many more hosts or instances it is to have.
    more: usize,
}

impl<'a> Oracle<'a> {
    pub(super) fn new(contents: &'a Contents, now: i64, settings: &'a Settings) -> Self {
        Self {
            leases: contents.leases.iter().collect(),
            hosts: contents.hosts.iter().map(|host| (host.id.as_str(), host)).collect(),
            now,
            settings,
        }
    }

    /// What holds at any time: nothing overlaps, rules are kept or flagged, flags agree, nothing new stands on hosts that
    /// have failed. `stranded` are reservations and hosts that stood there when the host was marked.
    pub(super) fn check_sound(&self, stranded: &BTreeSet<(String, String)>, context: &str) {
        let mut taken: BTreeMap<&str, Vec<(&Allocation, Option<u32>)>> = BTreeMap::new();
        for lease in &self.leases {
            let mut flagged = false;
            for reservation in &lease.reservations {
                flagged |= reservation.missing_resources || reservation.resources_changed;
                let short = lacking(reservation, |_| true);
                if reservation.status != ReservationStatus::Deleted && lease.status != LeaseStatus::Error {
                    assert!(
                        short == 0 || reservation.missing_resources,
                        "{context}: not flagged: {lease:#?}"
                    );
                }
                for held in &reservation.allocations {
                    assert!(held.start < held.occupied_until, "{context}: {lease:#?}");
                    let pair = (reservation.id.clone(), held.host_id.clone());
                    let works = self.hosts.get(held.host_id.as_str()).is_none_or(|host| host.reservable);
                    assert!(
                        works || stranded.contains(&pair),
                        "{context}: new work on a failed host: {lease:#?}"
                    );
                    let part = (held, vcpus(reservation).map(|vcpus| vcpus * held.places));
                    taken.entry(&held.host_id).or_default().push(part);
                }
            }
            assert_eq!(lease.degraded, flagged, "{context}: {lease:#?}");
        }
        for (id, taken) in taken {
            for (first, _) in &taken {
                let at = first.start;
                let active = taken
                    .iter()
                    .filter(|(held, _)| held.start <= at && at < held.occupied_until);
                let active: Vec<_> = active.collect();
                let whole = active.iter().filter(|(_, vcpus)| vcpus.is_none()).count();
                let used: u32 = active.iter().filter_map(|(_, vcpus)| *vcpus).sum();
                let room = self
                    .hosts
                    .get(id)
                    .map_or(0, |host| u32::try_from(host.vcpus).expect("it is small"));
                let fits = whole == 0 && used <= room || whole == 1 && active.len() == 1;
                assert!(fits, "{context}: {id} carries {active:?} at {at}");
            }
        }
    }

    /// What holds right after hosts were marked: whatever is near has left failed hosts, flags say what is lacking, and
    /// unless something was `freed` meanwhile, nothing that is flagged could have been made whole beside all that others
    /// have. Gives how many are flagged.
    pub(super) fn check_healed(&self, freed: bool, context: &str) -> usize {
        let mut searched = 0;
        for lease in self.leases.iter().filter(|lease| self.is_open(lease)) {
            let is_near = self.is_near(lease);
            for reservation in &lease.reservations {
                let short = lacking(reservation, |id| self.works(id));
                if is_near {
                    let stranded = reservation.allocations.iter().find(|held| !self.works(&held.host_id));
                    assert_eq!(stranded, None, "{context}: left on a failed host: {lease:#?}");
                }
                assert_eq!(reservation.missing_resources, short > 0, "{context}: {lease:#?}");
                // A lease that starts late finds again what it lacks all at once.
                let is_alone = is_near || lease.reservations.len() == 1;
                if !reservation.missing_resources || !is_alone || freed {
                    continue;
                }
                searched += 1;
                assert!(
                    !self.could_be_whole(lease, reservation),
                    "{context}: at {} it could be whole: {} of {:#?}",
                    self.now,
                    reservation.id,
                    self.leases
                );
            }
        }
        searched
    }

    fn works(&self, id: &str) -> bool {
        self.hosts.get(id).is_none_or(|host| host.reservable)
    }

    fn is_open(&self, lease: &Lease) -> bool {
        let is_open = matches!(
            lease.status,
            LeaseStatus::Pending | LeaseStatus::Active | LeaseStatus::Starting
        );
        is_open && !lease.is_over(self.now)
    }

    fn is_near(&self, lease: &Lease) -> bool {
        let interval = self.settings.healing_interval;
        is_bound(lease) || interval == 0 || lease.start < self.now + interval
    }

    fn is_fixed(&self, lease: &Lease) -> bool {
        let minute = self.now - self.now.rem_euclid(60);
        is_bound(lease) || lease.start <= minute || lease.start < minute + self.settings.freeze
    }

    fn piece(&self, lease: &'a Lease, reservation: &'a Reservation) -> Option<Piece<'a>> {
        let (affinity, cleaning) = match &reservation.spec {
            ReservationSpec::Host(_) => (None, self.settings.cleaning),
            ReservationSpec::Instance(spec) => (spec.affinity, 0),
            ReservationSpec::Flavor(_) => (None, 0),
            ReservationSpec::FloatingIp(_) | ReservationSpec::Countable(_) => return None,
        };
        let minute = self.now - self.now.rem_euclid(60);
        let untils = reservation.allocations.iter().map(|held| held.occupied_until);
        let until = untils.fold(lease.end + cleaning, i64::max);
        if until <= minute {
            return None;
        }
        let held: Vec<&str> = each_place(reservation).filter(|id| self.works(id)).collect();
        // What is over but not given back stays as well.
        let (stays, may_leave) = if self.is_fixed(lease) || lease.is_over(self.now) {
            (held, Vec::new())
        } else {
            (Vec::new(), held)
        };
        let expressions = reservation.spec.expressions();
        let rack = ["r0", "r1"]
            .into_iter()
            .find(|rack| expressions.iter().any(|text| text.contains(rack)));
        Some(Piece {
            id: &reservation.id,
            vcpus: vcpus(reservation),
            affinity,
            rack,
            from: lease.start.max(minute),
            until,
            more: may_leave.len(),
            stays,
            may_leave,
        })
    }

    /// Whether everything could have as much as it has on hosts that work, and this reservation all of its promise.
    fn could_be_whole(&self, lease: &'a Lease, wanted: &'a Reservation) -> bool {
        let mut pieces: Vec<Piece<'a>> = Vec::new();
        for other in &self.leases {
            for reservation in &other.reservations {
                pieces.extend(self.piece(other, reservation));
            }
        }
        let Some(place) = pieces.iter().position(|piece| piece.id == wanted.id) else {
            return false;
        };
        let mut target = pieces.remove(place);
        target.more = promised(wanted) as usize;
        if self.is_fixed(lease) {
            let Some(more) = target.more.checked_sub(target.stays.len()) else {
                return false;
            };
            target.more = more;
        }
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.more));
        pieces.insert(0, target);
        let mut carried = Carried::new();
        for piece in &pieces {
            for host in &piece.stays {
                let part = (piece.from, piece.until, piece.vcpus);
                carried.entry(host).or_default().push(part);
            }
        }
        self.place(&pieces, &[], &mut carried, &mut 0)
    }

    /// Places what the first piece still needs, then the others; `given` is what the first has been given.
    fn place(&self, pieces: &[Piece<'a>], given: &[&'a str], carried: &mut Carried<'a>, tried: &mut u32) -> bool {
        let Some((piece, rest)) = pieces.split_first() else {
            return true;
        };
        *tried += 1;
        if *tried > MOST_TRIED {
            return false;
        }
        if given.len() == piece.more {
            return self.place(rest, &[], carried, tried);
        }
        // In order of hosts, so that no choice is tried twice.
        let from = given.last().copied().unwrap_or_default();
        for (&id, host) in self.hosts.range(from..) {
            let alike = piece.rack.is_none_or(|rack| host.capabilities["rack"] == rack);
            let suits = host.reservable && alike || piece.may_leave.contains(&id);
            let own = piece.stays.iter().chain(given).filter(|other| **other == id).count();
            let all = piece.stays.len() + given.len();
            let rule = match (piece.vcpus, piece.affinity) {
                (None, _) | (Some(_), Some(false)) => own == 0,
                (Some(_), Some(true)) => own == all,
                (Some(_), None) => true,
            };
            if !suits || !rule || !fits(host, carried.get(id), piece) {
                continue;
            }
            carried
                .entry(id)
                .or_default()
                .push((piece.from, piece.until, piece.vcpus));
            let mut more = given.to_vec();
            more.push(id);
            let found = self.place(pieces, &more, carried, tried);
            carried.entry(id).or_default().pop();
            if found {
                return true;
            }
        }
        false
    }
}

/// Whether a host has room for one more host or instance of a piece beside what it carries.
fn fits(host: &Host, carried: Option<&Vec<Use>>, piece: &Piece<'_>) -> bool {
    let others = carried.into_iter().flatten();
    let others = others.filter(|(from, until, _)| *from < piece.until && piece.from < *until);
    let others: Vec<_> = others.collect();
    let Some(vcpus) = piece.vcpus else {
        return others.is_empty();
    };
    let instants = others
        .iter()
        .map(|(from, ..)| (*from).max(piece.from))
        .chain([piece.from]);
    let mut instants: Vec<i64> = instants.collect();
    instants.sort_unstable();
    let room = u32::try_from(host.vcpus).expect("it is small");
    others.iter().all(|(.., other)| other.is_some())
        && instants.into_iter().all(|at| {
            let active = others.iter().filter(|(from, until, _)| *from <= at && at < *until);
            active.filter_map(|(.., other)| *other).sum::<u32>() + vcpus <= room
        })
}

fn vcpus(reservation: &Reservation) -> Option<u32> {
    match &reservation.spec {
        ReservationSpec::Instance(spec) => Some(spec.size.vcpus),
        ReservationSpec::Flavor(spec) => Some(spec.flavor.vcpus),
        ReservationSpec::Host(_) | ReservationSpec::FloatingIp(_) | ReservationSpec::Countable(_) => None,
    }
}

/// The host or unit of each thing it holds.
fn each_place(reservation: &Reservation) -> impl Iterator<Item = &str> {
    let held = reservation.allocations.iter();
    held.flat_map(|held| (0..held.places).map(|_| held.host_id.as_str()))
}

fn promised(reservation: &Reservation) -> u32 {
    match &reservation.spec {
        ReservationSpec::Host(spec) => spec.min,
        ReservationSpec::Instance(spec) => spec.amount,
        ReservationSpec::Flavor(spec) => spec.amount,
        ReservationSpec::FloatingIp(spec) => spec.amount,
        ReservationSpec::Countable(spec) => spec.amount,
    }
}

/// What a reservation lacks when only these hosts count.
fn lacking(reservation: &Reservation, counts: impl Fn(&str) -> bool) -> u32 {
    let held: Vec<&str> = each_place(reservation).filter(|id| counts(id)).collect();
    let on = |host: &str| held.iter().filter(|id| **id == host).count();
    let kept = match &reservation.spec {
        ReservationSpec::Instance(spec) if spec.affinity == Some(true) => {
            held.iter().map(|id| on(id)).max().unwrap_or(0)
        }
        ReservationSpec::Instance(spec) if spec.affinity == Some(false) => held.iter().collect::<BTreeSet<_>>().len(),
        ReservationSpec::Host(_)
        | ReservationSpec::Instance(_)
        | ReservationSpec::Flavor(_)
        | ReservationSpec::FloatingIp(_)
        | ReservationSpec::Countable(_) => held.len(),
    };
    promised(reservation).saturating_sub(u32::try_from(kept).expect("it is small"))
}
