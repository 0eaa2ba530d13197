//! Why a request was refused, and what would be accepted in its place.
//!
//! Invariant: every offer was decided like a request on the snapshot it names, and works as given.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use solver::decision::Conflict;
use solver::model::{Interval, Request, RequestedReservation, Resource};
use solver::planner::Planner;
use solver::question::{Earliest, Question};

use super::visibility::Eyes;
use super::{OFFER_SECONDS, Questions, in_the_way, mismatch};
use crate::admission::MINUTE;
use crate::authority::Caller;
use crate::book::Book;
use crate::book::countables::is_countable;
use crate::domain::{ReservationSpec, Timestamp};
use crate::properties::{as_written, is_of_flavor, said_as_written};
use crate::reach::Reach;

/// How much later than asked for an offered start may lie, in seconds: 90 days.
pub(super) const OFFER_HORIZON: i64 = 90 * 86_400;

/// What there is too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scarce {
    /// Hosts, or room for instances on them.
    Hosts,
    /// Floating IPs.
    FloatingIps,
    /// Units of a resource type that the operator has named.
    Units,
}

impl Scarce {
    /// What a reservation needs.
    pub(crate) const fn of(spec: &ReservationSpec) -> Self {
        match spec {
            ReservationSpec::Host(_) | ReservationSpec::Instance(_) | ReservationSpec::Flavor(_) => Self::Hosts,
            ReservationSpec::FloatingIp(_) => Self::FloatingIps,
            ReservationSpec::Countable(_) => Self::Units,
        }
    }

    /// What the planner found too little of for this request. Units and hosts are never short together.
    fn in_conflict(request: &Request, conflict: &Conflict) -> Self {
        let of_units = |asked: &RequestedReservation| match &asked.resource {
            Resource::Units(units) if is_countable(&units.pool) => Some(Self::Units),
            Resource::Units(_) => Some(Self::FloatingIps),
            Resource::Host | Resource::Instances(_) => None,
        };
        let is_named = |asked: &&RequestedReservation| conflict.reservations.contains(&asked.id);
        let mut named = request.reservations.iter().filter(is_named);
        if let Some(found) = named.find_map(of_units) {
            return found;
        }
        let all: Option<Vec<Self>> = request.reservations.iter().map(of_units).collect();
        all.and_then(|all| all.first().copied()).unwrap_or(Self::Hosts)
    }
}

impl fmt::Display for Scarce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Hosts => "hosts",
            Self::FloatingIps => "floating IPs",
            Self::Units => "units",
        })
    }
}

/// A refusal: proved that no assignment exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// What is short.
    pub of: Scarce,
    /// One sentence for people. Names no lease.
    pub text: String,
    /// The proof, as far as the caller may read it.
    pub conflict: Option<ConflictReport>,
    /// What would be accepted instead.
    pub offers: Vec<Offer>,
    /// What the two are made of; taken out before the refusal leaves this crate.
    grounds: Option<Box<(Request, Conflict)>>,
}

impl Shortage {
    /// A refusal with no more than a sentence.
    pub(crate) const fn said(of: Scarce, text: String) -> Self {
        Self {
            of,
            text,
            conflict: None,
            offers: Vec::new(),
            grounds: None,
        }
    }

    /// A refusal of the planner.
    pub(crate) fn proved(request: &Request, conflict: Conflict) -> Self {
        let empty = Self::said(Scarce::in_conflict(request, &conflict), String::new());
        Self {
            text: said_as_written(&conflict.text),
            grounds: Some(Box::new((request.clone(), conflict))),
            ..empty
        }
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A shortage in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictReport {
    /// The planner's code: see [`solver::decision::Conflict::reason`].
    pub reason: &'static str,
    /// The shortage lasts from here ...
    pub from: Timestamp,
    /// ... to here.
    pub until: Timestamp,
    /// How many hosts are short; `None` where something else than hosts is counted.
    pub hosts: Option<HostShortage>,
    /// One sentence for people.
    pub text: String,
    /// Competing leases that the caller may read.
    pub leases: Vec<String>,
    /// How many other reservations compete.
    pub other_reservations: u32,
    /// The hosts they are restricted to, if the caller may read hosts.
    pub host_ids: Option<Vec<String>>,
}

/// A shortage counted in hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostShortage {
    /// Hosts needed at once, by the request and the leases that compete for the same hosts.
    pub needed: u64,
    /// Hosts that exist for them then.
    pub exist: u64,
}

impl HostShortage {
    /// What the conflict counts, if that is hosts: its rows count amounts of several instants, `resources` an amount of a
    /// resource class, and everything else what the reservations concerned are of.
    fn in_conflict(conflict: &Conflict, book: &Book, request: Option<&Request>) -> Option<Self> {
        if !matches!(
            conflict.reason,
            "capacity" | "no_matching_hosts" | "occupied" | "started"
        ) {
            return None;
        }
        // What is short at one instant is counted in hosts, of which instances may need one each.
        let in_hosts = conflict.reason == "capacity";
        let asked = request.into_iter().flat_map(|request| &request.reservations);
        let asked: BTreeMap<&str, bool> = asked
            .map(|asked| {
                let is_of_hosts = match asked.resource {
                    Resource::Host => true,
                    Resource::Instances(_) => in_hosts,
                    Resource::Units(_) => false,
                };
                (&*asked.id, is_of_hosts)
            })
            .collect();
        let is_of_hosts = |id: &str| {
            asked.get(id).copied().unwrap_or_else(|| {
                let lease = book.lease_of_reservation(id);
                let mut reservations = lease.into_iter().flat_map(|lease| &lease.reservations);
                let found = reservations.find(|reservation| reservation.id == id);
                found.is_some_and(|found| match found.spec {
                    ReservationSpec::Host(_) => true,
                    ReservationSpec::Instance(_) | ReservationSpec::Flavor(_) => in_hosts,
                    ReservationSpec::FloatingIp(_) | ReservationSpec::Countable(_) => false,
                })
            })
        };
        let counted = Self {
            needed: conflict.needed,
            exist: conflict.exist,
        };
        conflict
            .reservations
            .iter()
            .all(|id| is_of_hosts(id))
            .then_some(counted)
    }
}

/// A changed request that would be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// The whole request at a later time.
    Start {
        /// When it starts.
        start: Timestamp,
        /// When it ends.
        end: Timestamp,
        /// Whether no pending promise has to change its class of hosts for it.
        without_moves: bool,
    },
    /// The whole request with an earlier end.
    End {
        /// When it ends.
        end: Timestamp,
        /// Whether no pending promise has to change its class of hosts for it.
        without_moves: bool,
    },
    /// Fewer hosts.
    Amount {
        /// Place of the reservation in the request, from 0.
        reservation: usize,
        /// `min` and `max` of it.
        amount: u32,
        /// Whether no pending promise has to change its class of hosts for it.
        without_moves: bool,
    },
    /// Another condition in the place of one that is misspelt.
    Replace {
        /// Place of the reservation in the request, from 0.
        reservation: usize,
        /// The condition as property expressions write it.
        condition: String,
        /// The one that is meant.
        replacement: String,
        /// Whether no pending promise has to change its class of hosts for it.
        without_moves: bool,
    },
    /// One condition on the hosts left out.
    Drop {
        /// Place of the reservation in the request, from 0.
        reservation: usize,
        /// The condition as property expressions write it.
        condition: String,
        /// Whether no pending promise has to change its class of hosts for it.
        without_moves: bool,
    },
}

impl ConflictReport {
    /// The report on a conflict of a request, or of what is promised already.
    pub(super) fn new(conflict: &Conflict, request: Option<&Request>, eyes: &Eyes<'_>) -> Self {
        let mut leases: Vec<String> = Vec::new();
        let mut other_reservations = 0;
        for reservation in &conflict.reservations {
            match eyes.lease_of(reservation) {
                Ok(Some(lease)) => leases.push(lease.to_owned()),
                // The request's own.
                Ok(None) => {}
                Err(()) => other_reservations += 1,
            }
        }
        leases.sort();
        leases.dedup();
        let hosts = || conflict.hosts_matching.iter().map(ToString::to_string).collect();
        Self {
            reason: conflict.reason,
            from: conflict.from,
            until: conflict.until,
            hosts: HostShortage::in_conflict(conflict, eyes.book, request),
            text: said_as_written(&conflict.text),
            leases,
            other_reservations,
            host_ids: eyes.sees_hosts.then(hosts),
        }
    }
}

/// What the sentence of a conflict leaves open: a part of the request that no host satisfies, else the hosts in the way.
pub(super) fn hint(conflict: &Conflict, request: &Request, planner: &Planner, reach: &Reach<'_>) -> Option<String> {
    mismatch::hint(conflict, request, planner, reach).or_else(|| in_the_way::hint(conflict, request, planner, reach))
}

/// Why a request does not work, and what does.
pub(super) struct Instead {
    /// What is in the way first.
    pub(super) conflict: Conflict,
    /// What would be accepted in its place.
    pub(super) offers: Vec<Offer>,
}

/// What there is instead of a request that was refused for this conflict and has these earliest starts.
pub(super) fn instead(
    question: &Question<'_>,
    request: &Request,
    mut conflict: Conflict,
    earliest: Earliest,
    reach: &Reach<'_>,
) -> Instead {
    let mut offers = Vec::new();
    let Some(start) = request.reservations.iter().map(|asked| asked.window.start).min() else {
        return Instead { conflict, offers };
    };
    let ends = request.reservations.iter().map(|asked| asked.window.end);
    let duration = ends.max().unwrap_or(start) - start;
    let knowing = question.planner.knowing(request);
    let question = &Question {
        planner: knowing.as_ref().unwrap_or(question.planner),
        ..*question
    };
    let mut starts: Vec<(Timestamp, bool)> = Vec::new();
    starts.extend(earliest.with_moves.start.map(|start| (start, false)));
    starts.extend(earliest.without_moves.start.map(|start| (start, true)));
    // One that needs no moves says all that the same start with moves says.
    if let [(first, _), (second, _)] = starts[..]
        && first == second
    {
        starts.remove(0);
    }
    let starts = starts.into_iter().filter(|&(offered, _)| offered > start);
    offers.extend(starts.map(|(start, without_moves)| Offer::Start {
        start,
        end: start.saturating_add(duration),
        without_moves,
    }));
    if let Some(latest) = question.latest_end(request, &conflict, MINUTE) {
        let text = format!("{}; {}", latest.conflict.text, latest.in_words());
        if changes(question.planner, request, latest.end) {
            offers.push(Offer::End {
                end: latest.end,
                without_moves: latest.moves == 0,
            });
        }
        conflict = Conflict {
            text: text.into(),
            ..latest.conflict
        };
    }
    for (reservation, asked) in request.reservations.iter().enumerate() {
        if question.deadline.is_over() {
            break;
        }
        let (without_moves, with_moves) = question.most(request, reservation);
        let amount = with_moves.hosts;
        let is_less = || {
            let mut fewer = request.clone();
            (fewer.reservations[reservation].min, fewer.reservations[reservation].max) = (amount, amount);
            changes(question.planner, &fewer, asked.window.end)
        };
        if amount > 0 && amount < asked.min && is_less() {
            offers.push(Offer::Amount {
                reservation,
                amount,
                without_moves: without_moves.hosts >= amount,
            });
        }
    }
    for (reservation, asked) in request.reservations.iter().enumerate() {
        if question.deadline.is_over() {
            break;
        }
        for (condition, replacement) in mismatch::corrected(asked, question.planner, reach) {
            let mut meant = request.clone();
            let predicate = mismatch::with(&asked.predicate, &condition, &replacement);
            meant.reservations[reservation].predicate = Arc::new(predicate);
            let Some(moves) = question.moves_for(&meant) else {
                continue;
            };
            offers.push(Offer::Replace {
                reservation,
                condition: as_written(&condition.to_json().to_string()),
                replacement: replacement.to_json().to_string(),
                without_moves: moves == 0,
            });
        }
        for (condition, looser) in solver::offers::looser(request, reservation) {
            if is_of_flavor(&condition) {
                continue;
            }
            let Some(moves) = question.moves_for(&looser) else {
                continue;
            };
            offers.push(Offer::Drop {
                reservation,
                condition: as_written(&condition.to_json().to_string()),
                without_moves: moves == 0,
            });
        }
    }
    Instead { conflict, offers }
}

/// Whether the request up to an end is anything but the lease that it replaces: what changes nothing is no offer.
fn changes(planner: &Planner, request: &Request, end: Timestamp) -> bool {
    let Some(replaced) = request.replaces.as_ref().and_then(|lease| planner.lease(lease)) else {
        return true;
    };
    request.reservations.iter().any(|asked| {
        let held = replaced.reservations.iter().find(|held| held.id == asked.id);
        !held.is_some_and(|held| {
            let window = Interval::new(asked.window.start, end);
            held.window == window
                && held.resource == asked.resource
                && held.predicate == asked.predicate
                && (asked.min..=asked.max).contains(&u32::try_from(held.holds.len()).unwrap_or(u32::MAX))
        })
    })
}

impl Questions {
    /// Completes a refusal with its proof and with offers, on the newest snapshot. When the service is
    /// busy with questions there are no offers.
    pub(crate) async fn explain(&self, caller: &Caller, mut shortage: Shortage) -> Shortage {
        let Some(grounds) = shortage.grounds.take() else {
            return shortage;
        };
        let (request, conflict) = *grounds;
        let book: Arc<Book> = self.book.snapshot();
        let report = |shortage: &mut Shortage, request: &Request, conflict: &Conflict| {
            let mut report = ConflictReport::new(conflict, Some(request), &Eyes::new(self, caller, &book));
            if shortage.of != Scarce::Hosts {
                report.host_ids = None;
            }
            shortage.text.clone_from(&report.text);
            shortage.conflict = Some(report);
        };
        report(&mut shortage, &request, &conflict);
        if conflict.reason == "malformed" {
            return shortage;
        }
        let Some(turn) = self.turns.try_take(&caller.project_id) else {
            return shortage;
        };
        let (policy, caller, asked) = (Arc::clone(&self.policy), caller.clone(), Arc::clone(&book));
        let found = self
            .answer(turn, OFFER_SECONDS, move |asking| {
                let reach = Reach::of_bookings(policy.as_ref(), &caller, &asked);
                let hint = hint(&conflict, &request, asked.planner(), &reach);
                let instead = asking.of(asked.planner(), |question| {
                    let starts = request.reservations.iter().map(|asked| asked.window.start);
                    let latest = starts.min().unwrap_or_default().saturating_add(OFFER_HORIZON);
                    let earliest = question.earliest(&request, latest);
                    instead(&question, &request, conflict, earliest, &reach)
                });
                (request, hint, instead)
            })
            .await;
        let Ok((request, hint, instead)) = found else {
            return shortage;
        };
        report(&mut shortage, &request, &instead.conflict);
        shortage.offers = instead.offers;
        if let Some(hint) = hint {
            shortage.text = format!("{}: {hint}", shortage.text);
            if let Some(report) = &mut shortage.conflict {
                report.text.clone_from(&shortage.text);
            }
        }
        shortage
    }
}
