//! The checks.
//!
//! Invariant: each check starts from a cloud of its own, so that none sees what another left.

use std::sync::Arc;

use cloud::fake::{FakeCloud, Fault};
use plugin_api::{Assignment, ResourcePlugin, StepObserver};

use crate::Violation;
use crate::life::{Interruption, Life, Method};

/// A plugin with the cloud it works in and the reservation it serves.
#[derive(Clone)]
pub struct Subject {
    /// Makes the plugin. Called for every single method, so that it forgets what it knew, as after a crash.
    pub plugin: fn(&FakeCloud, Arc<dyn StepObserver>) -> Arc<dyn ResourcePlugin>,
    /// Every step the plugin names.
    pub steps: &'static [&'static str],
    /// The cloud before the reservation starts.
    pub cloud: fn() -> FakeCloud,
    /// The reservation.
    pub assignment: Assignment,
    /// The same, grown while it runs.
    pub grown: Assignment,
    /// What its owner and others do while it runs.
    pub use_it: fn(&FakeCloud),
    /// What goes wrong in the cloud while it runs, and can be repaired.
    pub damage: fn(&FakeCloud),
    /// What must hold at every moment; else what is wrong.
    pub always: fn(&FakeCloud) -> Result<(), String>,
}

/// How much was tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls to the cloud that were disturbed, each in two ways.
    pub calls: usize,
    /// Steps after which the process died.
    pub steps: usize,
}

impl Subject {
    /// Checks everything.
    pub async fn check(&self) -> Result<Report, Violation> {
        let mut report = Report::default();
        for life in [
            Life::fresh(Method::Prepare),
            Life::fresh(Method::Start),
            Life::running(Method::StartGrown),
            Life::running(Method::BeforeEnd),
            Life::damaged(Method::Reconcile),
            Life::running(Method::End),
        ] {
            let checked = self.interrupt_everywhere(life).await?;
            report.calls += checked.calls;
            report.steps += checked.steps;
        }
        for (life, undo) in [
            (Life::fresh(Method::Prepare), Method::Discard),
            (Life::fresh(Method::Prepare), Method::End),
            (Life::fresh(Method::Start), Method::End),
            (Life::running(Method::StartGrown), Method::End),
        ] {
            self.undo_after_every_part_of(life, undo).await?;
        }
        self.start_after_every_part_of_preparing().await?;
        self.end_of_what_never_started().await?;
        Ok(report)
    }

    /// Every interruption of a method: each call before and after its effect, and death after each step.
    async fn interruptions(&self, life: Life) -> Result<Vec<Interruption>, Violation> {
        let cloud = life.prepare(self).await?;
        let steps = self.until_done(&cloud, life.method).await?;
        let calls = cloud.calls().len();
        if let Some(step) = steps.iter().find(|step| !self.steps.contains(step)) {
            return Err(Violation::UnknownStep { step });
        }
        let faults = [Fault::BeforeEffect, Fault::AfterEffect];
        let at_calls = (1..=calls).flat_map(|number| faults.map(|fault| Interruption::Call(number, fault)));
        let at_steps = (1..=steps.len()).map(Interruption::Step);
        Ok(at_calls.chain(at_steps).collect())
    }

    async fn interrupt_everywhere(&self, life: Life) -> Result<Report, Violation> {
        let cloud = life.prepare(self).await?;
        self.until_done(&cloud, life.method).await?;
        let expected = cloud.snapshot();
        let mut report = Report::default();
        for interruption in self.interruptions(life).await? {
            let what = || format!("{:?} after {interruption:?}", life.method);
            let cloud = life.prepare(self).await?;
            self.interrupted(&cloud, life.method, interruption).await?;
            self.until_done(&cloud, life.method).await?;
            Violation::unless_equal(&expected, cloud.snapshot(), what)?;
            self.until_done(&cloud, life.method).await?;
            Violation::unless_equal(&expected, cloud.snapshot(), || format!("repeated {}", what()))?;
            match interruption {
                Interruption::Call(_, Fault::BeforeEffect) => report.calls += 1,
                Interruption::Call(_, Fault::AfterEffect) => {}
                Interruption::Step(_) => report.steps += 1,
            }
        }
        Ok(report)
    }

    /// A start after a preparation that was cut off leaves what a start alone leaves.
    async fn start_after_every_part_of_preparing(&self) -> Result<(), Violation> {
        let started = Life::fresh(Method::Start);
        let cloud = started.prepare(self).await?;
        self.until_done(&cloud, Method::Start).await?;
        let expected = cloud.snapshot();
        let preparing = Life::fresh(Method::Prepare);
        for interruption in self.interruptions(preparing).await? {
            let cloud = preparing.prepare(self).await?;
            self.interrupted(&cloud, Method::Prepare, interruption).await?;
            self.until_done(&cloud, Method::Start).await?;
            Violation::unless_equal(&expected, cloud.snapshot(), || {
                format!("Start after Prepare and {interruption:?}")
            })?;
        }
        Ok(())
    }

    async fn undo_after_every_part_of(&self, life: Life, undo: Method) -> Result<(), Violation> {
        let before = (self.cloud)().snapshot().of_reservations();
        for interruption in self.interruptions(life).await? {
            let cloud = life.prepare(self).await?;
            self.interrupted(&cloud, life.method, interruption).await?;
            self.until_done(&cloud, undo).await?;
            Violation::unless_equal(&before, cloud.snapshot().of_reservations(), || {
                format!("{undo:?} after {:?} and {interruption:?}", life.method)
            })?;
        }
        Ok(())
    }

    async fn end_of_what_never_started(&self) -> Result<(), Violation> {
        let cloud = (self.cloud)();
        let before = cloud.snapshot();
        for undo in [Method::Discard, Method::End] {
            self.call(&cloud, undo)
                .await
                .map_err(|reason| Violation::NeverStarted { reason })?;
        }
        Violation::unless_equal(&before, cloud.snapshot(), || "End without a start".to_owned())
    }
}
