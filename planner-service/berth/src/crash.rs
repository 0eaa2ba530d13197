//! Kills the process at a named step, for tests of crash safety. Only in builds with debug assertions.

use plugin_api::StepObserver;

/// Environment variable that names the step, optionally with `#N` for its N-th occurrence.
#[cfg(debug_assertions)]
const VARIABLE: &str = "BERTH_CRASH_AT";

/// Aborts the process at one step.
#[derive(Debug, Default)]
pub(crate) struct CrashPoint {
    #[cfg(debug_assertions)]
    at: Option<(String, std::sync::atomic::AtomicUsize)>,
}

impl CrashPoint {
    /// The step named by the environment, if any.
    #[cfg(debug_assertions)]
    pub(crate) fn from_environment() -> Self {
        let at = std::env::var(VARIABLE).ok().map(|value| {
            let (step, occurrence) = value.rsplit_once('#').map_or((value.as_str(), 1), |(step, number)| {
                (step, number.parse().unwrap_or(1))
            });
            (step.to_owned(), std::sync::atomic::AtomicUsize::new(occurrence))
        });
        Self { at }
    }

    /// No step.
    #[cfg(not(debug_assertions))]
    pub(crate) fn from_environment() -> Self {
        Self::default()
    }
}

impl StepObserver for CrashPoint {
    #[cfg(debug_assertions)]
    fn reached(&self, step: &'static str) {
        use std::sync::atomic::Ordering;
        if let Some((name, left)) = &self.at
            && name == step
            && left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            tracing::error!(step, "killing the process, as the environment asks");
            std::process::abort();
        }
    }

    #[cfg(not(debug_assertions))]
    fn reached(&self, _step: &'static str) {}
}
