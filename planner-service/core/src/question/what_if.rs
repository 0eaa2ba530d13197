//! What would become of a request, or of everything, if the fleet were another.
//!
//! The changes of hosts are made on a copy of the snapshot; promises on hosts that are gone or down then
//! are found other hosts, with as few lost as possible. The request is decided on what that leaves.

use std::sync::Arc;

use solver::decision::{Decision, Verdict};
use solver::model::{Interval, Request};
use solver::question::{Earliest, FleetChange, Most, Question, changed};

use super::consequences::{HostsAnswer, Moves, consequences, moves};
use super::fleet_change::{HostChange, changes};
use super::refusal::{Instead, OFFER_HORIZON, hint, instead};
use super::visibility::Eyes;
use super::{Asking, ConflictReport, LONGEST_RANGE, Offer, Questions};
use crate::admission::create::check_window;
use crate::admission::{minute, requested};
use crate::authority::{Caller, rules};
use crate::book::Book;
use crate::domain::{ReservationSpec, Timestamp};
use crate::ports::Epoch;
use crate::reach::Reach;
use crate::service::{ServiceError, Settings};
use crate::{comparable, limits};

/// What is asked. Flavors may still have to be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatIfQuestion<R = ReservationSpec> {
    /// First and first second after of the lease asked about.
    pub window: Option<(Timestamp, Timestamp)>,
    /// What the lease reserves.
    pub reservations: Vec<R>,
    /// What happens to the fleet.
    pub hosts: Vec<HostChange>,
    /// Latest start to look for; `None`: 90 days after the requested one.
    pub latest_start: Option<Timestamp>,
}

impl<R> Default for WhatIfQuestion<R> {
    fn default() -> Self {
        Self {
            window: None,
            reservations: Vec::new(),
            hosts: Vec::new(),
            latest_start: None,
        }
    }
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
    pub async fn what_if(&self, caller: &Caller, mut question: WhatIfQuestion) -> Result<WhatIfAnswer, ServiceError> {
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
        let latest = latest_start(&question)?;
        let book = self.book.fresh().await;
        let reach = Reach::of_bookings(self.policy.as_ref(), caller, &book);
        for spec in &mut question.reservations {
            spec.map_expressions(|expression| reach.within(expression));
            comparable::check_all(&spec.expressions(), book.planner(), reach.sees_hosts())?;
        }
        let request = request(&question, now, &book, &self.settings)?;
        let changes = changes(&question.hosts, &book, minute(now))?;
        let (questions, owner) = (self.clone(), caller.clone());
        self.ask(caller, move |asking| {
            let eyes = Eyes::new(&questions, &owner, &book);
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

fn lease(question: &Question<'_>, request: &Request, latest: Timestamp, eyes: &Eyes<'_>) -> LeaseAnswer {
    let knowing = question.planner.knowing(request);
    let question = &Question {
        planner: knowing.as_ref().unwrap_or(question.planner),
        ..*question
    };
    let Decision { verdict, .. } = question.decide(request);
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
            let hint = hint(&conflict, request, question.planner, &eyes.reach());
            let Instead { conflict, offers } = instead(question, request, conflict, answer.earliest, &eyes.reach());
            let mut report = ConflictReport::new(&conflict, Some(request), eyes);
            if let Some(hint) = hint {
                report.text = format!("{}: {hint}", report.text);
            }
            answer.conflict = Some(report);
            answer.offers = offers;
        }
        Verdict::Undecided(_) => {}
    }
    answer
}

/// The request of the question, checked like one to book.
fn request(
    question: &WhatIfQuestion,
    now: Timestamp,
    book: &Book,
    settings: &Settings,
) -> Result<Option<Request>, ServiceError> {
    let Some((start, end)) = question.window else {
        return Ok(None);
    };
    check_window(start, end, now)?;
    if question.reservations.is_empty() {
        return Err(ServiceError::Invalid(
            "lease.reservations: must have at least one entry".to_owned(),
        ));
    }
    if question.reservations.iter().any(ReservationSpec::is_empty) {
        return Err(ServiceError::Invalid(
            "lease.reservations: amount must be at least 1".to_owned(),
        ));
    }
    limits::check(question.reservations.iter(), settings.most_amount)?;
    let window = Interval::new(start, end);
    // Names that no reservation of the book has: those are UUIDs.
    let reservations = (0..).zip(&question.reservations);
    let reservations = reservations
        .map(|(number, spec)| requested(&format!("asked-{number}"), spec, window, book, settings))
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
