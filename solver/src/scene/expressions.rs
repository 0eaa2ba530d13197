//! The expressions of a scene, and the classes they tell apart.

use std::collections::HashMap;

use super::ClassNumber;
use crate::index::{IndexClass, PredicateNumber};
use crate::planner::Planner;
use crate::predicate::Predicate;

/// Small numbers for the predicates of a scene in the order they are met.
pub(super) struct Distinct<'a> {
    planner: &'a Planner,
    pub(super) list: Vec<&'a Predicate>,
    /// The planner's number of each.
    pub(super) known: Vec<PredicateNumber>,
    numbers: Vec<Option<usize>>,
}

impl<'a> Distinct<'a> {
    pub(super) fn new(planner: &'a Planner) -> Self {
        Self {
            planner,
            list: Vec::new(),
            known: Vec::new(),
            numbers: vec![None; planner.predicate_numbers()],
        }
    }

    pub(super) fn number(&mut self, known: PredicateNumber) -> usize {
        if let Some(number) = self.numbers[known as usize] {
            return number;
        }
        if let Some(predicate) = self.planner.predicate(known) {
            self.list.push(predicate);
            self.known.push(known);
        }
        self.numbers[known as usize] = Some(self.list.len() - 1);
        self.list.len() - 1
    }

    pub(super) fn of(&mut self, predicate: &Predicate) -> usize {
        let known = self.planner.predicate_number(predicate);
        debug_assert!(known.is_some(), "the planner knows the request");
        known.map_or(0, |known| self.number(known))
    }
}

/// Merges the classes of the index that the predicates of the scene do not tell apart. Gives each host's
/// class and which predicates each class satisfies.
pub(super) fn coarse(planner: &Planner, predicates: &[PredicateNumber]) -> (Vec<ClassNumber>, Vec<Vec<bool>>) {
    let index = planner.index();
    let eligible: Vec<_> = predicates.iter().map(|&number| index.eligible(number)).collect();
    let mut numbers: HashMap<(u32, Vec<bool>), ClassNumber> = HashMap::new();
    let mut truths: Vec<Vec<bool>> = Vec::new();
    let merged: Vec<ClassNumber> = (0..index.classes())
        .map(|class: IndexClass| {
            let truth: Vec<bool> = eligible
                .iter()
                .map(|eligible| eligible.is_some_and(|eligible| eligible.admits(class)))
                .collect();
            *numbers
                .entry((index.kind_of(class), truth))
                .or_insert_with_key(|(_, truth)| {
                    truths.push(truth.clone());
                    truths.len() - 1
                })
        })
        .collect();
    let of = (0..planner.hosts.len())
        .map(|host| merged[index.class_of(host)])
        .collect();
    (of, truths)
}
