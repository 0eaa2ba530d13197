//! How many hosts of a kind are free at every instant of a range.

use std::sync::Arc;

use solver::model::Interval;
use solver::question::Step;

use super::mismatch::hint_of_conditions;
use super::{LONGEST_RANGE, Questions};
use crate::authority::{Caller, Target, rules};
use crate::domain::Timestamp;
use crate::ports::Epoch;
use crate::reach::Reach;
use crate::service::ServiceError;
use crate::{amounts, comparable, properties};

/// Most steps in one answer.
pub const MOST_STEPS: usize = 1_000;

/// Which hosts, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailabilityQuestion {
    /// Property expression, `""` for none.
    pub hypervisor_properties: String,
    /// Property expression, `""` for none.
    pub resource_properties: String,
    /// First second.
    pub start: Timestamp,
    /// First second after.
    pub end: Timestamp,
    /// Most steps wanted.
    pub most_steps: usize,
}

/// A step function of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailabilityAnswer {
    /// State of the book it holds for.
    pub epoch: Epoch,
    /// The minute it was asked in: what starts within the freeze horizon from there on stays as it is.
    pub at: Timestamp,
    /// Registered hosts that satisfy the expressions.
    pub matching: u32,
    /// Why none does, in one sentence.
    pub hint: Option<String>,
    /// From when on how many are free; neighbours differ.
    pub steps: Vec<Step>,
    /// First second nothing is said about: the end asked for, or earlier when there are more steps.
    pub until: Timestamp,
}

impl Questions {
    /// The epoch and the minute an answer given now would be about.
    ///
    /// # Errors
    /// When the rule forbids to ask.
    pub async fn state(&self, caller: &Caller) -> Result<(Epoch, Timestamp), ServiceError> {
        self.may_ask(rules::CAPACITY_GET, caller)?;
        Ok((
            self.book.fresh().await.epoch(),
            crate::admission::minute(self.clock.now()),
        ))
    }

    /// How many hosts are free at every instant.
    ///
    /// # Errors
    /// When the rule forbids it, or range or expressions make no sense.
    pub async fn availability(
        &self,
        caller: &Caller,
        question: AvailabilityQuestion,
    ) -> Result<AvailabilityAnswer, ServiceError> {
        self.may_ask(rules::CAPACITY_GET, caller)?;
        check_range(question.start, question.end)?;
        let book = self.book.fresh().await;
        let reach = Reach::of_questions(self.policy.as_ref(), caller, &book);
        let expressions = [&question.hypervisor_properties, &question.resource_properties];
        let [hypervisor, resource] = expressions.map(|text| reach.within(text));
        let predicate = properties::requirement(&[&hypervisor, &resource])
            .and_then(|predicate| {
                amounts::check(&predicate)
                    .map(|()| predicate)
                    .map_err(|error| error.to_string())
            })
            .map_err(|reason| ServiceError::Invalid(format!("Malformed requirements: {reason}")))?;
        comparable::check(&predicate, book.planner(), reach.sees_hosts())?;
        let range = Interval::new(question.start, question.end);
        let (policy, asking_caller) = (Arc::clone(&self.policy), caller.clone());
        let most_steps = question.most_steps.clamp(1, MOST_STEPS);
        self.ask(caller, move |asking| {
            let answer = asking.of(book.planner(), |question| {
                question.availability(&predicate, range, most_steps)
            });
            let reach = Reach::of_questions(policy.as_ref(), &asking_caller, &book);
            let hint = (answer.matching == 0).then(|| hint_of_conditions(&predicate, book.planner(), &reach));
            AvailabilityAnswer {
                hint: hint.flatten(),
                epoch: book.epoch(),
                at: asking.now,
                matching: answer.matching,
                steps: answer.steps,
                until: answer.until,
            }
        })
        .await
    }

    /// Asks a rule about the caller's own project.
    pub(super) fn may_ask(&self, rule: &'static str, caller: &Caller) -> Result<(), ServiceError> {
        let own = Target {
            project_id: &caller.project_id,
            user_id: &caller.user_id,
        };
        if self.policy.allows(rule, caller, own) {
            return Ok(());
        }
        Err(ServiceError::Forbidden { rule })
    }
}

/// Refuses ranges that are none or too long.
fn check_range(start: Timestamp, end: Timestamp) -> Result<(), ServiceError> {
    if end <= start {
        return Err(ServiceError::Invalid("end: must be later than start".to_owned()));
    }
    if end.saturating_sub(start) > LONGEST_RANGE {
        return Err(ServiceError::Invalid(format!(
            "end: must be at most {} days after start",
            LONGEST_RANGE / 86_400
        )));
    }
    Ok(())
}
