//! One attempt at something for everybody who waits for it.
//!
//! Invariants: at most one attempt is under way; it counts for all who asked before it began, and for nobody who asked
//! later; nobody waits longer than he said, whatever the attempt does. An attempt outlives whoever waits for it, so that
//! one that hangs is not followed by another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Missed<E> {
    /// The attempt failed.
    #[error("{0}")]
    Failed(Arc<E>),
    /// It is still under way.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Waiting(Duration),
}

/// What is known of the attempts so far.
#[derive(Debug)]
struct Progress<E> {
    is_under_way: bool,
    /// The newest question that the last attempt counted for.
    through: u64,
    result: Result<(), Arc<E>>,
    /// When the last attempt that succeeded began.
    confirmed: Instant,
    /// Since then one has failed, or somebody has waited in vain.
    is_failing: bool,
    /// Until when successes have been belied by something else.
    belied: Option<Instant>,
}

/// Attempts at one thing. Cheap to clone.
#[derive(Debug)]
pub struct Attempts<E> {
    asked: Arc<AtomicU64>,
    progress: watch::Sender<Progress<E>>,
    tasks: TaskTracker,
}

impl<E> Clone for Attempts<E> {
    fn clone(&self) -> Self {
        Self {
            asked: Arc::clone(&self.asked),
            progress: self.progress.clone(),
            tasks: self.tasks.clone(),
        }
    }
}

impl<E: Send + Sync + 'static> Attempts<E> {
    /// No attempt yet; counts as confirmed now. Attempts run on `tasks`.
    pub fn new(tasks: TaskTracker) -> Self {
        let (progress, _) = watch::channel(Progress {
            is_under_way: false,
            through: 0,
            result: Ok(()),
            confirmed: Instant::now(),
            is_failing: false,
            belied: None,
        });
        Self {
            asked: Arc::default(),
            progress,
            tasks,
        }
    }

    /// Waits for an attempt that began after this call, for at most `limit`; `work` makes one if it is needed.
    ///
    /// # Errors
    /// As [`Missed`].
    pub async fn join<F>(&self, limit: Duration, work: impl Fn() -> F + Send + 'static) -> Result<(), Missed<E>>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut progress = self.progress.subscribe();
        let is_first = self.progress.send_if_modified(|progress| {
            let was_idle = !progress.is_under_way;
            progress.is_under_way = true;
            was_idle
        });
        if is_first {
            self.tasks.spawn(self.clone().run(work));
        }
        let done = tokio::time::timeout(limit, progress.wait_for(|progress| progress.through >= mine)).await;
        if let Ok(Ok(progress)) = done {
            return progress.result.clone().map_err(Missed::Failed);
        }
        self.progress.send_modify(|progress| progress.is_failing = true);
        Err(Missed::Waiting(limit))
    }

    /// How long ago the last attempt that succeeded began, if none has succeeded since one failed or hung.
    pub fn failing_for(&self) -> Option<Duration> {
        let progress = self.progress.borrow();
        progress.is_failing.then(|| progress.confirmed.elapsed())
    }

    /// Whether an attempt that began at most so long ago succeeded, and nothing has failed since.
    pub fn has_succeeded_within(&self, age: Duration) -> bool {
        let progress = self.progress.borrow();
        let is_belied = progress.belied.is_some_and(|belied| progress.confirmed <= belied);
        progress.through > 0 && !progress.is_failing && !is_belied && progress.confirmed.elapsed() < age
    }

    /// What began before now, and succeeds, proves nothing: something else has just failed.
    pub fn belie(&self) {
        self.progress
            .send_modify(|progress| progress.belied = Some(Instant::now()));
    }

    /// Attempts until nobody has asked since the last one began.
    async fn run<F>(self, work: impl Fn() -> F + Send)
    where
        F: Future<Output = Result<(), E>> + Send,
    {
        let mut is_wanted = true;
        while is_wanted {
            let (began, through) = (Instant::now(), self.asked.load(Ordering::SeqCst));
            let result = work().await;
            self.progress.send_modify(|progress| {
                if result.is_ok() {
                    progress.confirmed = began;
                }
                progress.is_failing = result.is_err();
                progress.result = result.map_err(Arc::new);
                progress.through = through;
                is_wanted = self.asked.load(Ordering::SeqCst) > through;
                progress.is_under_way = is_wanted;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use tokio::sync::Semaphore;
    use tokio::task::JoinSet;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);
    /// Far more than one limit, far less than one for each who waits.
    const PATIENCE: Duration = Duration::from_secs(8);

    /// Work that takes a permit for each attempt and counts attempts.
    #[derive(Clone)]
    struct Work {
        permits: Arc<Semaphore>,
        begun: Arc<AtomicU32>,
    }

    impl Work {
        fn new() -> Self {
            Self {
                permits: Arc::new(Semaphore::new(0)),
                begun: Arc::default(),
            }
        }

        async fn attempt(self) -> Result<(), &'static str> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.permits.acquire().await.unwrap().forget();
            Ok(())
        }
    }

    #[tokio::test]
    async fn v15_all_who_wait_share_one_attempt_and_one_bounded_wait() {
        let attempts = Attempts::new(TaskTracker::new());
        let work = Work::new();
        let mut waiting = JoinSet::new();
        let began = Instant::now();
        for _ in 0..100 {
            let (attempts, work) = (attempts.clone(), work.clone());
            waiting.spawn(async move { attempts.join(LIMIT, move || work.clone().attempt()).await });
        }
        while let Some(answer) = waiting.join_next().await {
            assert!(matches!(answer.unwrap(), Err(Missed::Waiting(_))));
        }
        assert!(began.elapsed() < PATIENCE);
        assert_eq!(work.begun.load(Ordering::SeqCst), 1, "one attempt hangs, no others");
        assert!(attempts.failing_for().unwrap() >= LIMIT);
        // It comes to life: the next question gets an attempt of its own, which is not the one from before.
        work.permits.add_permits(2);
        let mine = work.clone();
        attempts.join(PATIENCE, move || mine.clone().attempt()).await.unwrap();
        assert_eq!(work.begun.load(Ordering::SeqCst), 2);
        assert_eq!(attempts.failing_for(), None);
        assert!(attempts.has_succeeded_within(PATIENCE) && !attempts.has_succeeded_within(Duration::ZERO));
        // Something else fails: only what begins after that counts again.
        attempts.belie();
        assert!(!attempts.has_succeeded_within(PATIENCE));
        work.permits.add_permits(1);
        attempts.join(PATIENCE, move || work.clone().attempt()).await.unwrap();
        assert!(attempts.has_succeeded_within(PATIENCE));
    }

    #[tokio::test]
    async fn an_attempt_that_began_earlier_does_not_count() {
        let attempts = Attempts::new(TaskTracker::new());
        let work = Work::new();
        let (first, second) = (work.clone(), work.clone());
        let early = attempts.clone();
        let mut waiting = JoinSet::new();
        waiting.spawn(async move { early.join(PATIENCE, move || first.clone().attempt()).await });
        while work.begun.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let late = attempts.clone();
        waiting.spawn(async move { late.join(LIMIT, move || second.clone().attempt()).await });
        tokio::task::yield_now().await;
        work.permits.add_permits(1);
        assert!(waiting.join_next().await.unwrap().unwrap().is_ok());
        assert!(matches!(
            waiting.join_next().await.unwrap().unwrap(),
            Err(Missed::Waiting(_))
        ));
        assert_eq!(work.begun.load(Ordering::SeqCst), 2);
    }
}
