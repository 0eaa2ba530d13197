//! Turns at work of which only so much goes on at once, shared out between projects.
//!
//! Invariant: no more than so many turns are taken at once, and of one project at most one; projects that wait get theirs
//! in the order in which they came, so that many requests of one project make another wait for one of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The turns of one kind of work. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    /// The one turn of each project that has or waits for it.
    projects: Arc<Mutex<HashMap<String, Weak<Semaphore>>>>,
}

/// A turn; given back when it is dropped.
pub(crate) struct Turn {
    _own: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Turns {
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(at_once)),
            projects: Arc::default(),
        }
    }

    fn of_project(&self, project: &str) -> Arc<Semaphore> {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = projects.get(project).and_then(Weak::upgrade) {
            return own;
        }
        projects.retain(|_, own| own.strong_count() > 0);
        let own = Arc::new(Semaphore::new(1));
        projects.insert(project.to_owned(), Arc::downgrade(&own));
        own
    }

    /// Waits for a turn of a project. Waiting may be given up.
    pub(crate) async fn take(&self, project: &str) -> Option<Turn> {
        let own = self.of_project(project).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Turn {
            _own: own,
            _of_all: of_all,
        })
    }

    /// A turn of a project, if it need not wait for one.
    pub(crate) fn try_take(&self, project: &str) -> Option<Turn> {
        let own = self.of_project(project).try_acquire_owned().ok()?;
        let of_all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Turn {
            _own: own,
            _of_all: of_all,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn v5_a_project_has_one_turn_and_the_others_get_theirs_in_order() {
        let turns = Turns::new(2);
        let first = turns.take("busy").await;
        assert!(first.is_some());
        assert!(turns.try_take("busy").is_none(), "one project has one turn");
        let other = turns.try_take("other");
        assert!(other.is_some());
        assert!(turns.try_take("third").is_none(), "two at once");
        drop(other);
        let third = turns.take("third").await;
        assert!(third.is_some());
        drop(first);
        let again = turns.take("busy").await;
        assert!(again.is_some());
        drop((third, again));
        assert_eq!(turns.of_project("new").available_permits(), 1);
        let known = turns.projects.lock().unwrap();
        assert_eq!(known.len(), 1, "projects that have no turn are forgotten");
    }
}
