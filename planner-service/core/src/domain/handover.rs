//! What of a reservation has been handed over to the outside world.
//!
//! Invariants: an attempt is on record before it is made; whatever an attempt may have handed over stays on record until
//! the outside world has acknowledged that it is taken back; after the first attempt at the end nothing more is handed
//! over; a message has a larger number than every earlier one of its reservation, also than those sent before the book was
//! put back to an earlier state.

use std::collections::BTreeMap;

use plugin_api::MessageKind;
use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Resources by their ids in the book, with the number of places on each (1 of whole hosts, addresses and units).
pub type Holding = BTreeMap<String, u32>;

/// What was handed over, and the attempts that have not been acknowledged. Its JSON is its stored form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Handover {
    /// Number of the last message about resources; 0: there was none. See [`Handover::begin`].
    #[serde(skip_serializing_if = "is_default")]
    pub number: u64,
    /// A start has been acknowledged.
    #[serde(skip_serializing_if = "is_default")]
    pub started: bool,
    /// An end has been acknowledged.
    #[serde(skip_serializing_if = "is_default")]
    pub ended: bool,
    /// A message may have arrived that was never acknowledged, and another has taken its place.
    #[serde(skip_serializing_if = "is_default")]
    pub in_doubt: bool,
    /// What the reservation has outside whichever of these messages arrived. Without doubt it is what it has.
    #[serde(skip_serializing_if = "is_default")]
    pub least: Holding,
    /// What it may have.
    #[serde(skip_serializing_if = "is_default")]
    pub most: Holding,
    /// The message about resources that waits to be acknowledged.
    #[serde(skip_serializing_if = "is_default")]
    pub attempt: Option<Attempt>,
    /// Number of the last message before the end.
    #[serde(skip_serializing_if = "is_default")]
    pub before_ends: u64,
    /// The message before the end that waits to be acknowledged.
    #[serde(skip_serializing_if = "is_default")]
    pub before_end: Option<Attempt>,
}

/// A message that waits to be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What it tells.
    pub kind: Kind,
    /// Digest of its content.
    pub key: String,
    /// How often it was tried.
    pub tries: u32,
    /// How many of these certainly did not arrive.
    #[serde(default, skip_serializing_if = "is_default")]
    pub missed: u32,
    /// What the reservation has when it is done.
    #[serde(default, skip_serializing_if = "is_default")]
    pub target: Holding,
}

/// What a message tells, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// See [`MessageKind::Start`].
    Start,
    /// See [`MessageKind::Change`].
    Change,
    /// See [`MessageKind::BeforeEnd`].
    BeforeEnd,
    /// See [`MessageKind::End`].
    End,
}

impl From<Kind> for MessageKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Start => Self::Start,
            Kind::Change => Self::Change,
            Kind::BeforeEnd => Self::BeforeEnd,
            Kind::End => Self::End,
        }
    }
}

/// What a call to the outside world is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The reservation is to have exactly what it holds.
    HandOver,
    /// Something is to be done before the end.
    BeforeEnd,
    /// Everything is to be taken back.
    TakeBack,
}

/// A message before its words are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// What it tells.
    pub kind: Kind,
    /// Its number among the messages of its reservation.
    pub number: u64,
    /// What the reservation has when it is done; at the end, what it gives back.
    pub resources: Holding,
    /// What it may lack of that.
    pub added: Holding,
    /// What it may have and is not to have any more.
    pub removed: Holding,
}

/// Numbers that each second has for itself, so that a burst of messages does not use those of the next.
const NUMBERS_A_SECOND: u64 = 1000;

/// The least number of a message in this second: its Unix time in milliseconds, which a JSON number holds exactly.
fn first_number(now: Timestamp) -> u64 {
    u64::try_from(now).unwrap_or(0).saturating_mul(NUMBERS_A_SECOND)
}

fn next_number(last: u64, now: Timestamp) -> u64 {
    last.saturating_add(1).max(first_number(now))
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The larger number of each.
fn joined(left: &Holding, right: &Holding) -> Holding {
    let mut all = left.clone();
    for (id, count) in right {
        let known = all.entry(id.clone()).or_default();
        *known = (*known).max(*count);
    }
    all
}

/// The smaller number of each.
fn common(left: &Holding, right: &Holding) -> Holding {
    left.iter()
        .filter_map(|(id, count)| {
            let both = (*count).min(*right.get(id)?);
            (both > 0).then(|| (id.clone(), both))
        })
        .collect()
}

/// What `left` has and `right` has not.
fn without(left: &Holding, right: &Holding) -> Holding {
    left.iter()
        .filter_map(|(id, count)| {
            let rest = count.saturating_sub(right.get(id).copied().unwrap_or(0));
            (rest > 0).then(|| (id.clone(), rest))
        })
        .collect()
}

impl Attempt {
    const fn first(kind: Kind, key: String, target: Holding) -> Self {
        Self {
            kind,
            key,
            tries: 1,
            missed: 0,
            target,
        }
    }

    /// Whether one of the tries may have arrived.
    const fn may_have_arrived(&self) -> bool {
        self.tries > self.missed
    }
}

impl Handover {
    /// Of a reservation that was started before attempts were put on record.
    pub fn of_running(given: Holding) -> Self {
        Self {
            number: 1,
            started: true,
            least: given.clone(),
            most: given,
            ..Self::default()
        }
    }

    /// Of a reservation for which something was made without being put on record. `tried` is what may have been handed
    /// over; none of it if only what a start needs was made.
    pub fn of_tried(tried: Holding) -> Self {
        Self {
            number: 1,
            in_doubt: true,
            most: tried,
            ..Self::default()
        }
    }

    /// Everything the outside world may believe the reservation to have.
    pub fn possible(&self) -> Holding {
        let arrived = self.attempt.as_ref().filter(|attempt| attempt.may_have_arrived());
        arrived.map_or_else(|| self.most.clone(), |attempt| joined(&self.most, &attempt.target))
    }

    /// Whether the outside world may have heard of the reservation.
    pub fn is_known(&self) -> bool {
        self.started || self.in_doubt || self.attempt.as_ref().is_some_and(Attempt::may_have_arrived)
    }

    /// Whether an end has been tried and not been acknowledged yet.
    pub fn is_ending(&self) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.kind == Kind::End)
    }

    /// Whether the outside world certainly has what was acknowledged last.
    fn is_settled(&self) -> bool {
        self.started && !self.in_doubt && !self.attempt.as_ref().is_some_and(Attempt::may_have_arrived)
    }

    /// Puts the next attempt on record. `holds` is what the plan gives the reservation, `key` makes the key of a message.
    /// Answers what is to be told, with key and number of the attempt; `None`: nothing.
    ///
    /// `now` is in Unix seconds. A new message has at least the number [`first_number`] gives this second: a book restored
    /// from a backup does not know which numbers were used since, but all of them were used earlier.
    pub fn begin(
        &mut self,
        purpose: Purpose,
        holds: Holding,
        now: Timestamp,
        key: impl Fn(&Outline) -> String,
    ) -> Option<(Outline, String, u32)> {
        let (kind, target) = match purpose {
            Purpose::BeforeEnd => return Some(self.begin_before_end(&holds, now, key)),
            Purpose::HandOver if self.started => (Kind::Change, holds),
            Purpose::HandOver => (Kind::Start, holds),
            Purpose::TakeBack => (Kind::End, Holding::new()),
        };
        let is_ending = self.ended || self.is_ending();
        let has_nothing_to_say = if kind == Kind::End {
            self.ended || !self.is_known()
        } else {
            is_ending || self.is_settled() && self.least == target
        };
        if has_nothing_to_say {
            if !is_ending {
                // What did not arrive is not wanted any more.
                self.attempt = None;
            }
            return None;
        }
        let repeated = self.outline(kind, self.number, &target);
        if let Some(attempt) = &mut self.attempt
            && attempt.kind == kind
            && attempt.target == target
            && attempt.key == key(&repeated)
        {
            attempt.tries = attempt.tries.saturating_add(1);
            return Some((repeated, attempt.key.clone(), attempt.tries));
        }
        if let Some(superseded) = self.attempt.take()
            && superseded.may_have_arrived()
        {
            self.in_doubt = true;
            self.least = common(&self.least, &superseded.target);
            self.most = joined(&self.most, &superseded.target);
        }
        self.number = next_number(self.number, now);
        let outline = self.outline(kind, self.number, &target);
        let attempt = self.attempt.insert(Attempt::first(kind, key(&outline), target));
        Some((outline, attempt.key.clone(), attempt.tries))
    }

    fn begin_before_end(
        &mut self,
        holds: &Holding,
        now: Timestamp,
        key: impl Fn(&Outline) -> String,
    ) -> (Outline, String, u32) {
        let outline = |number| Outline {
            kind: Kind::BeforeEnd,
            number,
            resources: holds.clone(),
            added: Holding::new(),
            removed: Holding::new(),
        };
        let repeated = outline(self.before_ends);
        if let Some(attempt) = &mut self.before_end
            && attempt.key == key(&repeated)
        {
            attempt.tries = attempt.tries.saturating_add(1);
            return (repeated, attempt.key.clone(), attempt.tries);
        }
        self.before_ends = next_number(self.before_ends, now);
        let outline = outline(self.before_ends);
        let first = Attempt::first(Kind::BeforeEnd, key(&outline), Holding::new());
        let attempt = self.before_end.insert(first);
        (outline, attempt.key.clone(), attempt.tries)
    }

    fn outline(&self, kind: Kind, number: u64, target: &Holding) -> Outline {
        let is_end = kind == Kind::End;
        Outline {
            kind,
            number,
            resources: if is_end { &self.most } else { target }.clone(),
            added: without(target, &self.least),
            removed: without(&self.most, target),
        }
    }

    /// Whether the message with this key is the one that waits to be acknowledged.
    pub fn waits_for(&self, purpose: Purpose, key: &str) -> bool {
        let attempt = match purpose {
            Purpose::BeforeEnd => &self.before_end,
            Purpose::HandOver | Purpose::TakeBack => &self.attempt,
        };
        attempt.as_ref().is_some_and(|attempt| attempt.key == key)
    }

    /// The call for this purpose has succeeded.
    pub fn acknowledge(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::BeforeEnd => self.before_end = None,
            Purpose::HandOver => {
                if let Some(attempt) = self.attempt.take_if(|attempt| attempt.kind != Kind::End) {
                    self.started = true;
                    self.settle(attempt.target);
                }
            }
            Purpose::TakeBack => {
                self.ended = self.is_known();
                self.attempt = None;
                self.settle(Holding::new());
            }
        }
    }

    /// The last attempt for this purpose certainly did not arrive.
    pub fn miss(&mut self, purpose: Purpose) {
        let attempt = match purpose {
            Purpose::BeforeEnd => &mut self.before_end,
            Purpose::HandOver | Purpose::TakeBack => &mut self.attempt,
        };
        if let Some(attempt) = attempt {
            attempt.missed = attempt.missed.saturating_add(1).min(attempt.tries);
        }
    }

    /// The book has been put back to an earlier state. Receivers may have carried out since whatever waits, and later
    /// messages, so that they would ignore it: a message with a key and a number of its own takes its place.
    pub fn put_back(&mut self) {
        for attempt in self.attempt.iter_mut().chain(&mut self.before_end) {
            attempt.key.clear();
            attempt.missed = 0;
        }
    }

    fn settle(&mut self, has: Holding) {
        self.in_doubt = false;
        self.least = has.clone();
        self.most = has;
    }
}

#[cfg(test)]
mod tests {
    use super::{Handover, Holding, Kind, Outline, Purpose};

    /// Some second.
    const NOW: i64 = 1_900_000_000;

    fn of(ids: &[&str]) -> Holding {
        ids.iter().map(|&id| (id.to_owned(), 1)).collect()
    }

    fn begin(handover: &mut Handover, purpose: Purpose, holds: &[&str]) -> Option<(Outline, String, u32)> {
        handover.begin(purpose, of(holds), NOW, |outline| format!("{outline:?}"))
    }

    fn told(handover: &mut Handover, holds: &[&str]) -> (Kind, Holding, Holding, u32) {
        let (outline, _, attempt) = begin(handover, Purpose::HandOver, holds).expect("there is something to tell");
        (outline.kind, outline.added, outline.removed, attempt)
    }

    #[test]
    fn a4_a_running_reservation_is_told_what_it_gains_and_loses_under_a_key_of_its_own() {
        let mut handover = Handover::default();
        let (start, key, _) = begin(&mut handover, Purpose::HandOver, &["1"]).unwrap();
        assert_eq!((start.kind, start.number), (Kind::Start, 1_900_000_000_000));
        handover.acknowledge(Purpose::HandOver);
        assert_eq!(begin(&mut handover, Purpose::HandOver, &["1"]), None, "it is known");
        let (change, other, _) = begin(&mut handover, Purpose::HandOver, &["2", "3"]).unwrap();
        assert_eq!((change.kind, change.number), (Kind::Change, 1_900_000_000_001));
        assert_eq!((change.added, change.removed), (of(&["2", "3"]), of(&["1"])));
        assert_ne!(key, other);
        handover.acknowledge(Purpose::HandOver);
        // Back to what it was: the content of the first message, and yet another message.
        let (back, third, _) = begin(&mut handover, Purpose::HandOver, &["1"]).unwrap();
        assert_eq!(back.resources, start.resources);
        assert!(third != key && third != other);
        handover.acknowledge(Purpose::HandOver);
        let (end, _, _) = begin(&mut handover, Purpose::TakeBack, &["1"]).unwrap();
        assert_eq!((end.kind, end.resources), (Kind::End, of(&["1"])));
        handover.acknowledge(Purpose::TakeBack);
        assert_eq!(begin(&mut handover, Purpose::TakeBack, &["1"]), None);
        assert_eq!(
            begin(&mut handover, Purpose::HandOver, &["1"]),
            None,
            "nothing is handed over after the end"
        );
    }

    #[test]
    fn a2_a_book_that_is_put_back_uses_no_number_again() {
        let message = |handover: &mut Handover, holds: &[&str], now| {
            let begun = handover.begin(Purpose::HandOver, of(holds), now, |outline| format!("{outline:?}"));
            begun.expect("there is something to tell")
        };
        let mut handover = Handover::default();
        let (start, waiting, _) = message(&mut handover, &["1"], NOW);
        let backup = handover.clone();
        handover.acknowledge(Purpose::HandOver);
        let (change, _, _) = message(&mut handover, &["2"], NOW);
        assert!(change.number > start.number);
        let mut restored = backup;
        restored.put_back();
        let (again, key, attempt) = message(&mut restored, &["1"], NOW + 1);
        assert!(again.number > change.number && key != waiting, "{again:?}");
        assert_eq!((again.kind, again.added, attempt), (Kind::Start, of(&["1"]), 1));
        // Where nothing was told before the backup, either.
        let mut handover = Handover::default();
        let (again, _, _) = message(&mut handover, &["1"], NOW + 1);
        assert!(again.number > change.number);
        // The clock of another machine, or a migration from small numbers.
        let mut handover = Handover {
            number: change.number,
            ..Handover::default()
        };
        assert_eq!(message(&mut handover, &["1"], 0).0.number, change.number + 1);
    }

    #[test]
    fn a5_there_is_no_end_without_a_start_that_may_have_arrived() {
        let mut handover = Handover::default();
        assert_eq!(begin(&mut handover, Purpose::TakeBack, &["1"]), None);
        let mut handover = Handover::default();
        told(&mut handover, &["1"]);
        handover.miss(Purpose::HandOver);
        told(&mut handover, &["1"]);
        handover.miss(Purpose::HandOver);
        assert_eq!(begin(&mut handover.clone(), Purpose::TakeBack, &["1"]), None);
        assert_eq!(handover.possible(), of(&[]));
        told(&mut handover, &["1"]);
        let (end, _, _) = begin(&mut handover, Purpose::TakeBack, &["1"]).unwrap();
        assert_eq!(end.resources, of(&["1"]));
    }

    #[test]
    fn f17_what_nobody_acknowledged_is_repeated_or_counted_both_ways() {
        let mut handover = Handover::default();
        assert_eq!(
            told(&mut handover, &["1", "2"]),
            (Kind::Start, of(&["1", "2"]), of(&[]), 1)
        );
        assert_eq!(
            told(&mut handover, &["1", "2"]),
            (Kind::Start, of(&["1", "2"]), of(&[]), 2)
        );
        // It may have 2, and it may have nothing.
        assert_eq!(
            told(&mut handover, &["1", "3"]),
            (Kind::Start, of(&["1", "3"]), of(&["2"]), 1)
        );
        handover.acknowledge(Purpose::HandOver);
        assert_eq!(told(&mut handover, &["3"]), (Kind::Change, of(&[]), of(&["1"]), 1));
        // It may have lost 1 already.
        assert_eq!(told(&mut handover, &["1", "3"]), (Kind::Change, of(&["1"]), of(&[]), 1));
        assert_eq!(handover.possible(), of(&["1", "3"]));
        // What did not arrive counts neither way.
        handover.acknowledge(Purpose::HandOver);
        told(&mut handover, &["3"]);
        handover.miss(Purpose::HandOver);
        assert_eq!(begin(&mut handover, Purpose::HandOver, &["1", "3"]), None);
        handover.acknowledge(Purpose::HandOver);
        assert_eq!(handover.possible(), of(&["1", "3"]));
        let text = serde_json::to_string(&handover).unwrap();
        assert_eq!(serde_json::from_str::<Handover>(&text).unwrap(), handover);
        assert_eq!(serde_json::from_str::<Handover>("{}").unwrap(), Handover::default());
    }

    #[test]
    fn each_action_before_the_end_has_a_key_of_its_own() {
        let mut handover = Handover::default();
        let (_, first, _) = begin(&mut handover, Purpose::BeforeEnd, &["1"]).unwrap();
        let (_, again, attempt) = begin(&mut handover, Purpose::BeforeEnd, &["1"]).unwrap();
        assert_eq!((&again, attempt), (&first, 2));
        handover.acknowledge(Purpose::BeforeEnd);
        let (_, second, attempt) = begin(&mut handover, Purpose::BeforeEnd, &["1"]).unwrap();
        assert_eq!(attempt, 1);
        assert_ne!(second, first);
    }
}
