//! What a plugin did that it must not do.
//!
//! Invariant: the text names the interruption, so that it can be repeated by hand.

use cloud::fake::Snapshot;
use plugin_api::PluginError;

/// A broken promise of a plugin.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// The cloud does not look as it must.
    #[error("{what}: the cloud differs\nexpected {expected:#?}\nfound {found:#?}")]
    Differs {
        /// What was done.
        what: String,
        /// How it looks after an undisturbed run.
        expected: Box<Snapshot>,
        /// How it looks.
        found: Box<Snapshot>,
    },
    /// Something that must always hold did not.
    #[error("{what}: {reason}")]
    Broken {
        /// What was done.
        what: String,
        /// What did not hold.
        reason: String,
    },
    /// A method never succeeds.
    #[error("{method} never came to an end: {last}")]
    Endless {
        /// The method.
        method: String,
        /// Its last error.
        last: String,
    },
    /// A method calls the reservation wrong after it was interrupted.
    #[error("{method} gave up: {reason}")]
    GaveUp {
        /// The method.
        method: String,
        /// Why.
        reason: String,
    },
    /// A step is not in the plugin's list.
    #[error("step '{step}' is not in the list of steps")]
    UnknownStep {
        /// The step.
        step: &'static str,
    },
    /// The end of a reservation that never started does not succeed at once.
    #[error("the end without a start failed: {reason}")]
    NeverStarted {
        /// Why.
        reason: PluginError,
    },
}

impl Violation {
    pub(crate) fn unless_equal(
        expected: &Snapshot,
        found: Snapshot,
        what: impl FnOnce() -> String,
    ) -> Result<(), Self> {
        if *expected == found {
            return Ok(());
        }
        Err(Self::Differs {
            what: what(),
            expected: Box::new(expected.clone()),
            found: Box::new(found),
        })
    }
}
