//! Numbers for the expressions of all promises.
//!
//! Invariant: equal expressions have one number for as long as one promise has it.

use std::sync::Arc;

use imbl::{HashMap, Vector};

use crate::predicate::Predicate;

/// An expression's number.
pub(crate) type PredicateNumber = u32;

#[derive(Clone)]
struct Known {
    predicate: Arc<Predicate>,
    /// How many promises have it.
    promises: u32,
}

/// The expressions by number.
#[derive(Clone, Default)]
pub(crate) struct Interner {
    numbers: HashMap<Arc<Predicate>, PredicateNumber>,
    list: Vector<Option<Known>>,
    free: Vector<PredicateNumber>,
}

impl Interner {
    /// The number of an expression, if it is known.
    pub(crate) fn number(&self, predicate: &Predicate) -> Option<PredicateNumber> {
        self.numbers.get(predicate).copied()
    }

    /// The expression with a number.
    pub(crate) fn predicate(&self, number: PredicateNumber) -> Option<&Arc<Predicate>> {
        self.list.get(number as usize)?.as_ref().map(|known| &known.predicate)
    }

    /// All known expressions by number.
    pub(crate) fn known(&self) -> impl Iterator<Item = (PredicateNumber, &Arc<Predicate>)> {
        self.list
            .iter()
            .zip(0..)
            .filter_map(|(known, number)| known.as_ref().map(|known| (number, &known.predicate)))
    }

    /// How many numbers were given out.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The expression's number, and whether it was not known before. One promise more has it.
    pub(crate) fn take(&mut self, predicate: &Arc<Predicate>) -> (PredicateNumber, bool) {
        if let Some(number) = self.number(predicate) {
            if let Some(Some(known)) = self.list.get_mut(number as usize) {
                known.promises += 1;
            }
            return (number, false);
        }
        let known = Some(Known {
            predicate: Arc::clone(predicate),
            promises: 1,
        });
        let number = if let Some(number) = self.free.pop_back() {
            self.list.set(number as usize, known);
            number
        } else {
            self.list.push_back(known);
            u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX)
        };
        self.numbers.insert(Arc::clone(predicate), number);
        (number, true)
    }

    /// One promise less has the expression; `true` if it was the last.
    pub(crate) fn release(&mut self, number: PredicateNumber) -> bool {
        let Some(Some(known)) = self.list.get_mut(number as usize) else {
            return false;
        };
        known.promises = known.promises.saturating_sub(1);
        if known.promises > 0 {
            return false;
        }
        let predicate = Arc::clone(&known.predicate);
        self.numbers.remove(&predicate);
        self.list.set(number as usize, None);
        self.free.push_back(number);
        true
    }
}
