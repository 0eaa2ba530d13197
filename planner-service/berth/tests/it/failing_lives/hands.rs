//! Receivers of starts and ends: they know what is in whose hands, whatever the book says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use plugin_api::{Assignment, Created, Finding, PluginError, ResourcePlugin};

/// What is in whose hands.
#[derive(Default)]
pub(crate) struct Hands {
    /// Ends cannot be carried out now.
    pub(crate) ends_fail: AtomicBool,
    /// Processes started before these hands so far.
    pub(crate) processes: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Reservations by host or unit; `true` if they have it whole.
    held: BTreeMap<String, BTreeMap<String, bool>>,
    /// The newest message of each reservation. An older one comes late, from a worker that has lost its claim.
    heard: BTreeMap<String, u64>,
    faults: Vec<String>,
}

impl Hands {
    /// Nothing was ever in two hands.
    pub(crate) fn check(&self, context: &dyn std::fmt::Debug) {
        let faults = self.state.lock().unwrap().faults.clone();
        assert!(faults.is_empty(), "{context:#?}: {faults:?}");
    }
}

/// Hands out the resources of one type.
pub(crate) struct Receiver {
    kind: &'static str,
    hands: Arc<Hands>,
}

impl Receiver {
    pub(crate) fn of(kind: &'static str, hands: &Arc<Hands>) -> Arc<Self> {
        Arc::new(Self {
            kind,
            hands: Arc::clone(hands),
        })
    }

    /// Whether there is anything to do: there is a message, and none that is newer has come before.
    fn is_news(&self, assignment: &Assignment) -> bool {
        let Some(message) = &assignment.message else {
            return false;
        };
        let mut state = self.hands.state.lock().unwrap();
        let heard = state.heard.entry(assignment.reservation_id.clone()).or_default();
        let is_news = message.content.sequence >= *heard;
        *heard = message.content.sequence.max(*heard);
        is_news
    }

    fn give_back(&self, reservation: &str) {
        let mut state = self.hands.state.lock().unwrap();
        for holders in state.held.values_mut() {
            holders.remove(reservation);
        }
    }
}

#[async_trait]
impl ResourcePlugin for Receiver {
    fn resource_type(&self) -> &str {
        self.kind
    }

    async fn start(&self, assignment: &Assignment) -> Result<Created, PluginError> {
        if !self.is_news(assignment) {
            return Ok(Created::default());
        }
        self.give_back(&assignment.reservation_id);
        let hosts = assignment.hosts.iter().map(|host| host.id.clone());
        let things: Vec<String> = hosts.chain(assignment.units.clone().unwrap_or_default()).collect();
        let whole = assignment.instances.is_none();
        let mut state = self.hands.state.lock().unwrap();
        for thing in things {
            let holders = state.held.entry(thing.clone()).or_default();
            // Two workers may tell of one start: the claim of the first has expired.
            holders.insert(assignment.reservation_id.clone(), whole);
            let clash = holders.len() > 1 && holders.values().any(|whole| *whole);
            if clash {
                let fault = format!("{thing} is in the hands of {holders:?}");
                state.faults.push(fault);
            }
        }
        Ok(Created::default())
    }

    async fn before_end(&self, _assignment: &Assignment) -> Result<(), PluginError> {
        Ok(())
    }

    async fn end(&self, assignment: &Assignment) -> Result<(), PluginError> {
        if self.hands.ends_fail.load(Ordering::Relaxed) {
            return Err(PluginError::Waiting("the receiver does not take it back".to_owned()));
        }
        if self.is_news(assignment) {
            self.give_back(&assignment.reservation_id);
        }
        Ok(())
    }

    async fn reconcile(&self, _assignment: &Assignment) -> Result<Vec<Finding>, PluginError> {
        Ok(Vec::new())
    }
}
