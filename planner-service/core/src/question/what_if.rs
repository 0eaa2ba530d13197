//! What would become of a request, or of everything, if the fleet were another.
//!
//! The changes of hosts are made on a copy of the snapshot; promises on hosts that are gone or down then
//! are found other hosts, with as few lost as possible. The request is decided on what that leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use solver::decision::{Decision, Verdict};
use solver::model::{HostId, Interval, Request};
use solver::planner::Planner;
use solver::question::{Consequence, Earliest, FleetChange, Most, Necessity, Question, changed};

use super::refusal::{OFFER_HORIZON, offers};
use super::visibility::Eyes;
use super::{Asking, ConflictReport, LONGEST_RANGE, Offer, Questions};
use crate::admission::create::check_window;
use crate::admission::{minute, requested};
use crate::authority::{Caller, rules};
use crate::book::Book;
use crate::domain::{Host, ReservationSpec, Timestamp};
use crate::ports::Epoch;
use crate::properties;
use crate::service::{ServiceError, Settings};

/// Most hosts that may be added, and most changes of hosts in one question.
pub const MOST_HOSTS: u32 = 10_000;

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WhatIfQuestion {
    /// First and first second after of the lease asked about.
    pub window: Option<(Timestamp, Timestamp)>,
    /// What the lease reserves.
    pub reservations: Vec<ReservationSpec>,
    /// What happens to the fleet.
    pub hosts: Vec<HostChange>,
    /// Latest start to look for; `None`: 90 days after the requested one.
    pub latest_start: Option<Timestamp>,
}

/// A change of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostChange {
    /// More hosts.
    Add {
        /// How many.
        count: u32,
        /// Id or hypervisor host name of one they are like.
        like: Option<String>,
        /// Capabilities they have besides, or instead of those of that host.
        capabilities: BTreeMap<String, String>,
    },
    /// A host is gone from now on.
    Remove {
        /// Id or hypervisor host name.
        host: String,
    },
    /// A host is down for a time.
    Down {
        /// Id or hypervisor host name.
        host: String,
        /// First second; `None`: now.
        start: Option<Timestamp>,
        /// First second after; `None`: for ever.
        end: Option<Timestamp>,
    },
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatIfAnswer {
    /// State of the book it holds for.
    pub epoch: Epoch,
    /// The minute it was asked in.
    pub at: Timestamp,
    /// What becomes of earlier promises, if the fleet changes.
    pub hosts: Option<HostsAnswer>,
    /// What becomes of the request, if there is one.
    pub lease: Option<LeaseAnswer>,
}

/// What would be answered to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It would be accepted.
    Accepted,
    /// It would be refused.
    Refused,
    /// Time ran out; not a "no".
    Undecided,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseAnswer {
    /// The verdict.
    pub outcome: Outcome,
    /// Why not.
    pub conflict: Option<ConflictReport>,
    /// What would be accepted instead.
    pub offers: Vec<Offer>,
    /// Pending promises that would change hosts.
    pub moves: Moves,
    /// When it could start.
    pub earliest: Earliest,
    /// Latest start that was looked at.
    pub latest_start: Timestamp,
    /// Most hosts each reservation could have in this window, without and with moves.
    pub most: Vec<(Most, Most)>,
}

/// Promises that change hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// Reservations that would get hosts of another class.
    pub reservations: u32,
    /// Hosts of another class they would get.
    pub hosts: u32,
    /// Of these reservations, those that have to.
    pub must: u32,
    /// Every change of a reservation that the caller may read, exchanges inside a class included.
    pub visible: Vec<MovedReservation>,
}

/// A reservation that changes hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedReservation {
    /// Its lease.
    pub lease_id: String,
    /// The reservation.
    pub reservation_id: String,
    /// Hosts it gives up.
    pub from: Vec<String>,
    /// Hosts it takes instead.
    pub to: Vec<String>,
    /// How many of them are of another class.
    pub counted: u32,
    /// Whether it has to.
    pub necessity: Necessity,
}

/// A promise that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostReservation {
    /// Its lease.
    pub lease_id: String,
    /// The reservation.
    pub reservation_id: String,
    /// Hosts it lacks.
    pub missing: u32,
    /// Why.
    pub conflict: ConflictReport,
}

/// What becomes of earlier promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostsAnswer {
    /// Reservations that stand on hosts that are gone or down.
    pub displaced: u32,
    /// What changes, displaced or making room.
    pub moves: Moves,
    /// Reservations that cannot be kept; as few as possible.
    pub lost: u32,
    /// Those of them that the caller may read.
    pub visible_lost: Vec<LostReservation>,
    /// Whether no fewer could be lost.
    pub proved: bool,
}

impl Questions {
    /// Whether the caller may ask at all; asked before the body is looked at.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub fn may_ask_what_if(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.may_ask(rules::CAPACITY_WHAT_IF, caller)
    }

    /// Answers what would be.
    ///
    /// # Errors
    /// When a rule forbids it, or the question makes no sense.
    pub async fn what_if(&self, caller: &Caller, question: WhatIfQuestion) -> Result<WhatIfAnswer, ServiceError> {
        self.may_ask_what_if(caller)?;
        if !question.hosts.is_empty() {
            self.may_ask(rules::CAPACITY_WHAT_IF_HOSTS, caller)?;
        }
        if question.hosts.is_empty() && question.window.is_none() {
            return Err(ServiceError::Invalid(
                "nothing is asked: give a lease, changes of hosts, or both".to_owned(),
            ));
        }
        let now = self.clock.now();
        let request = request(&question, now, &self.settings)?;
        let latest = latest_start(&question)?;
        let book = self.book.fresh().await;
        let changes = changes(&question.hosts, &book, minute(now))?;
        let (questions, caller) = (self.clone(), caller.clone());
        self.ask(self.seconds(), move |asking| {
            let eyes = Eyes::new(&questions, &caller, &book);
            answer(asking, &book, &eyes, &changes, request.as_ref(), latest)
        })
        .await?
    }
}

fn answer(
    asking: &Asking,
    book: &Book,
    eyes: &Eyes<'_>,
    changes: &[FleetChange],
    request: Option<&Request>,
    latest: Timestamp,
) -> Result<WhatIfAnswer, ServiceError> {
    let mut planner = book.planner().clone();
    let mut hosts = None;
    if !changes.is_empty() {
        let (next, affected) =
            changed(&planner, changes, asking.now).map_err(|error| ServiceError::Invalid(format!("hosts: {error}")))?;
        let (answer, after) = consequences(asking, &next, &affected, eyes)?;
        hosts = Some(answer);
        planner = after;
    }
    Ok(WhatIfAnswer {
        epoch: book.epoch(),
        at: asking.now,
        hosts,
        lease: request.map(|request| asking.of(&planner, |question| lease(&question, request, latest, eyes))),
    })
}

/// What becomes of earlier promises, and what that leaves.
fn consequences(
    asking: &Asking,
    planner: &Planner,
    affected: &BTreeSet<HostId>,
    eyes: &Eyes<'_>,
) -> Result<(HostsAnswer, Planner), ServiceError> {
    let found = asking
        .of(planner, |question| question.consequences(affected))
        .map_err(|error| {
            tracing::error!(%error, "the consequences of a changed fleet contradict the book");
            ServiceError::Unavailable("the question could not be answered".to_owned())
        })?;
    let displaced = |moved: &&Consequence| moved.displaced;
    let lost = |(lease, unkept): &(HostId, solver::heal::Unkept)| {
        eyes.sees_lease(lease).then(|| LostReservation {
            lease_id: lease.to_string(),
            reservation_id: unkept.reservation.to_string(),
            missing: unkept.missing,
            conflict: ConflictReport::new(&unkept.conflict, eyes),
        })
    };
    let answer = HostsAnswer {
        displaced: count(found.moves.iter().filter(displaced).count()),
        moves: moves(&found.moves, eyes),
        lost: count(found.unkept.len()),
        visible_lost: found.unkept.iter().filter_map(lost).collect(),
        proved: found.proved,
    };
    Ok((answer, found.after))
}

fn moves(consequences: &[Consequence], eyes: &Eyes<'_>) -> Moves {
    let mut moves = Moves::default();
    for moved in consequences {
        if moved.change.counted > 0 {
            moves.reservations += 1;
            moves.hosts += moved.change.counted;
            moves.must += u32::from(moved.necessity == Necessity::Must);
        }
        if eyes.sees_lease(&moved.lease) {
            let names = |hosts: &[HostId]| hosts.iter().map(ToString::to_string).collect();
            moves.visible.push(MovedReservation {
                lease_id: moved.lease.to_string(),
                reservation_id: moved.change.reservation.to_string(),
                from: names(&moved.change.from),
                to: names(&moved.change.to),
                counted: moved.change.counted,
                necessity: moved.necessity,
            });
        }
    }
    moves
}

fn lease(question: &Question<'_>, request: &Request, latest: Timestamp, eyes: &Eyes<'_>) -> LeaseAnswer {
    let Decision { verdict, .. } = question
        .planner
        .decide(request, question.now, question.budget, question.solver);
    let mut answer = LeaseAnswer {
        outcome: Outcome::Undecided,
        conflict: None,
        offers: Vec::new(),
        moves: Moves::default(),
        earliest: question.earliest(request, latest),
        latest_start: latest,
        most: (0..request.reservations.len())
            .map(|position| question.most(request, position))
            .collect(),
    };
    match verdict {
        Verdict::Accepted { moves: changes, .. } => {
            answer.outcome = Outcome::Accepted;
            answer.moves = moves(&question.moves(request, &changes), eyes);
        }
        Verdict::Refused { conflict } => {
            answer.outcome = Outcome::Refused;
            answer.conflict = Some(ConflictReport::new(&conflict, eyes));
            answer.offers = offers(question, request);
        }
        Verdict::Undecided => {}
    }
    answer
}

/// The request of the question, checked like one to book.
fn request(question: &WhatIfQuestion, now: Timestamp, settings: &Settings) -> Result<Option<Request>, ServiceError> {
    let Some((start, end)) = question.window else {
        return Ok(None);
    };
    check_window(start, end, now)?;
    if question.reservations.is_empty() {
        return Err(ServiceError::Invalid(
            "lease.reservations: must have at least one entry".to_owned(),
        ));
    }
    let window = Interval::new(start, end);
    // Names that no reservation of the book has: those are UUIDs.
    let reservations = (0..).zip(&question.reservations);
    let reservations = reservations
        .map(|(number, ReservationSpec::Host(spec))| requested(&format!("asked-{number}"), spec, window, settings))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Request {
        id: Arc::from("asked"),
        replaces: None,
        reservations,
    }))
}

fn latest_start(question: &WhatIfQuestion) -> Result<Timestamp, ServiceError> {
    let Some((start, _)) = question.window else {
        return Ok(0);
    };
    let latest = question
        .latest_start
        .unwrap_or_else(|| start.saturating_add(OFFER_HORIZON));
    if latest < start || latest.saturating_sub(start) > LONGEST_RANGE {
        return Err(ServiceError::Invalid(format!(
            "latest_start: must not lie before the lease's start, nor more than {} days after it",
            LONGEST_RANGE / 86_400
        )));
    }
    Ok(latest)
}

/// The changes in the planner's terms.
fn changes(asked: &[HostChange], book: &Book, now: Timestamp) -> Result<Vec<FleetChange>, ServiceError> {
    let mut changes = Vec::new();
    let mut added = 0_u32;
    for change in asked {
        match change {
            HostChange::Add {
                count,
                like,
                capabilities,
            } => {
                let first = added;
                added = added.saturating_add(*count);
                if *count == 0 || added > MOST_HOSTS {
                    return Err(ServiceError::Invalid(format!(
                        "hosts.add.count: must be from 1 to {MOST_HOSTS} in all"
                    )));
                }
                let pattern = pattern(book, like.as_deref(), capabilities)?;
                changes.extend((first..added).map(|number| FleetChange::Add(named(&pattern, number, book))));
            }
            HostChange::Remove { host } => changes.push(FleetChange::Remove(id(book, "remove", host)?)),
            HostChange::Down { host, start, end } => {
                let start = start.map_or(now, minute);
                let end = end.map_or(Timestamp::MAX, |end| minute(end.saturating_add(59)));
                if end <= start || end <= now {
                    return Err(ServiceError::Invalid(format!(
                        "hosts.down: host {host} must be down until later than it begins, and later than now"
                    )));
                }
                let during = Interval::new(start, end);
                let host = id(book, "down", host)?;
                changes.push(FleetChange::Down { host, during });
            }
        }
    }
    Ok(changes)
}

/// The host an operator means: by id, or by hypervisor host name.
fn found<'a>(book: &'a Book, member: &str, name: &str) -> Result<&'a Arc<Host>, ServiceError> {
    book.host(name)
        .or_else(|| book.host_by_name(name))
        .ok_or_else(|| ServiceError::Invalid(format!("hosts.{member}: no host has the id or name '{name}'")))
}

fn id(book: &Book, member: &str, name: &str) -> Result<HostId, ServiceError> {
    found(book, member, name).map(|host| HostId::from(host.id.as_str()))
}

/// What the added hosts are like.
fn pattern(book: &Book, like: Option<&str>, capabilities: &BTreeMap<String, String>) -> Result<Host, ServiceError> {
    let mut pattern = match like {
        Some(name) => Host::clone(found(book, "add.like", name)?),
        None => Host {
            id: String::new(),
            vcpus: 0,
            cpu_info: String::new(),
            hypervisor_type: String::new(),
            hypervisor_version: 0,
            hypervisor_hostname: String::new(),
            service_name: String::new(),
            memory_mb: 0,
            local_gb: 0,
            availability_zone: String::new(),
            trust_id: String::new(),
            reservable: true,
            created_at: 0,
            updated_at: None,
            capabilities: BTreeMap::new(),
        },
    };
    pattern.reservable = true;
    pattern
        .capabilities
        .extend(capabilities.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(pattern)
}

/// One of the added hosts, under names that no host of the book has.
fn named(pattern: &Host, number: u32, book: &Book) -> solver::model::Host {
    let mut host = pattern.clone();
    let mut name = format!("added-{number}");
    while book.host(&name).is_some() || book.host_by_name(&name).is_some() {
        name.push('\'');
    }
    host.id.clone_from(&name);
    host.service_name.clone_from(&name);
    host.hypervisor_hostname = name;
    properties::planner_host(&host, book.region())
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
