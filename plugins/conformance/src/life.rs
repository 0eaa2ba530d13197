//! Running a method of a plugin, disturbed or not, in a certain part of a reservation's life.
//!
//! Invariant: a process that has died makes no further call.

use std::sync::{Arc, Mutex, PoisonError};

use cloud::fake::{FakeCloud, Fault};
use plugin_api::{NoObserver, PluginError, StepObserver};

use crate::{Subject, Violation};

/// How often a method is called before it counts as endless.
const PATIENCE: usize = 20;

/// A method of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Prepare,
    Discard,
    Start,
    StartGrown,
    BeforeEnd,
    Reconcile,
    End,
}

/// What happens to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// The call with this number, from 1, fails.
    Call(usize, Fault),
    /// It dies after this many steps.
    Step(usize),
}

/// The part of a reservation's life in which a method is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    pub(crate) method: Method,
    started: bool,
    damaged: bool,
}

impl Life {
    /// Before the start.
    pub(crate) fn fresh(method: Method) -> Self {
        Self {
            method,
            started: false,
            damaged: false,
        }
    }

    /// Started and used.
    pub(crate) fn running(method: Method) -> Self {
        Self {
            started: true,
            ..Self::fresh(method)
        }
    }

    /// Started and used, and something went wrong in the cloud.
    pub(crate) fn damaged(method: Method) -> Self {
        Self {
            damaged: true,
            ..Self::running(method)
        }
    }

    /// A cloud at that moment; counting of calls begins anew.
    pub(crate) async fn prepare(self, subject: &Subject) -> Result<FakeCloud, Violation> {
        let cloud = (subject.cloud)();
        if self.started {
            subject.until_done(&cloud, Method::Start).await?;
            (subject.use_it)(&cloud);
        }
        if self.damaged {
            (subject.damage)(&cloud);
        }
        cloud.heal();
        Ok(cloud)
    }
}

/// Writes down the steps; after the last one it may see, the cloud does not hear the process any more.
struct Witness {
    cloud: FakeCloud,
    last: Option<usize>,
    seen: Mutex<Vec<&'static str>>,
}

impl Witness {
    fn of(cloud: &FakeCloud, last: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            cloud: cloud.clone(),
            last,
            seen: Mutex::default(),
        })
    }

    fn seen(&self) -> Vec<&'static str> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl StepObserver for Witness {
    fn reached(&self, step: &'static str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(step);
        if Some(seen.len()) == self.last {
            self.cloud.go_down("the process died");
        }
    }
}

impl Subject {
    pub(crate) async fn call(&self, cloud: &FakeCloud, method: Method) -> Result<(), PluginError> {
        self.call_seen_by(cloud, method, Arc::new(NoObserver)).await
    }

    async fn call_seen_by(
        &self,
        cloud: &FakeCloud,
        method: Method,
        observer: Arc<dyn StepObserver>,
    ) -> Result<(), PluginError> {
        let plugin = (self.plugin)(cloud, observer);
        match method {
            Method::Prepare => plugin.prepare(&self.assignment).await.map(drop),
            Method::Discard => plugin.discard(&self.assignment).await,
            Method::Start => plugin.start(&self.assignment).await.map(drop),
            Method::StartGrown => plugin.start(&self.grown).await.map(drop),
            Method::BeforeEnd => plugin.before_end(&self.assignment).await,
            Method::Reconcile => plugin.reconcile(&self.assignment).await.map(drop),
            // What had grown ends as a whole.
            Method::End => plugin.end(&self.grown).await,
        }
    }

    /// Calls a method once, interrupted; afterwards the cloud can be reached again. Counting of calls goes on.
    pub(crate) async fn interrupted(
        &self,
        cloud: &FakeCloud,
        method: Method,
        interruption: Interruption,
    ) -> Result<(), Violation> {
        // It may well succeed: not every call matters.
        let _ = match interruption {
            Interruption::Call(number, fault) => {
                cloud.fail_call(number, fault);
                self.call(cloud, method).await
            }
            Interruption::Step(last) => self.call_seen_by(cloud, method, Witness::of(cloud, Some(last))).await,
        };
        cloud.heal();
        (self.always)(cloud).map_err(|reason| Violation::Broken {
            what: format!("{method:?} interrupted by {interruption:?}"),
            reason,
        })
    }

    /// Calls a method until it succeeds; answers the steps it took.
    pub(crate) async fn until_done(&self, cloud: &FakeCloud, method: Method) -> Result<Vec<&'static str>, Violation> {
        let witness = Witness::of(cloud, None);
        let mut last = String::new();
        for _ in 0..PATIENCE {
            let result = self.call_seen_by(cloud, method, witness.clone()).await;
            (self.always)(cloud).map_err(|reason| Violation::Broken {
                what: format!("{method:?}"),
                reason,
            })?;
            match result {
                Ok(()) => return Ok(witness.seen()),
                Err(error @ PluginError::Rejected(_)) => {
                    return Err(Violation::GaveUp {
                        method: format!("{method:?}"),
                        reason: error.to_string(),
                    });
                }
                Err(error) => last = error.to_string(),
            }
        }
        Err(Violation::Endless {
            method: format!("{method:?}"),
            last,
        })
    }
}
