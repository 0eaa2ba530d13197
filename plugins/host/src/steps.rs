//! Named points between calls to the outside, for tests that kill the process there.
//!
//! Invariant: a step is reported after the effect of the call before it and before the next call.

/// Is told how far a plugin has come.
pub trait StepObserver: Send + Sync {
    /// The step was reached. Names are `<method>:<what has just been done>`.
    fn reached(&self, step: &'static str);
}

/// Observes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl StepObserver for NoObserver {
    fn reached(&self, _step: &'static str) {}
}
