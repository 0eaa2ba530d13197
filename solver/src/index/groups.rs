//! The classes of a decision: those of the index that no expression alive tells apart are one.

use std::collections::HashMap;

use super::{Index, IndexClass, PredicateNumber};
use crate::model::Seconds;

/// The classes of the index in groups, poor groups before rich ones.
#[derive(Debug, Clone)]
pub(crate) struct Groups {
    /// By class of the index.
    of: Vec<usize>,
    /// By group, poorest first.
    classes: Vec<Vec<IndexClass>>,
}

impl Groups {
    /// The group of a class.
    pub(crate) fn of(&self, class: IndexClass) -> usize {
        self.of[class]
    }

    /// The classes of a group; never none.
    pub(crate) fn classes(&self, group: usize) -> &[IndexClass] {
        &self.classes[group]
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.classes.len()
    }
}

impl Index {
    /// Whether a reservation of hosts or instances with the expression ends after an instant.
    fn is_alive(&self, number: PredicateNumber, now: Seconds) -> bool {
        let last = self.ends.get_prev(&(number, Seconds::MAX)).map(|(key, _)| *key);
        last.is_some_and(|(known, end)| known == number && end > now)
    }

    /// Joins the classes that no expression tells apart which is alive or one of these.
    pub(crate) fn groups(&self, now: Seconds, asked: &[PredicateNumber]) -> Groups {
        let known = (0..)
            .zip(&self.eligible)
            .filter_map(|(number, eligible)| Some((number, eligible.as_ref()?)));
        let (telling, silent): (Vec<_>, Vec<_>) =
            known.partition(|&(number, _)| asked.contains(&number) || self.is_alive(number, now));
        let joined = self.forgotten > 0 || !silent.is_empty();
        let mut groups = Groups {
            of: vec![0; self.classes()],
            classes: Vec::new(),
        };
        let mut numbers: HashMap<(u32, Vec<bool>), usize> = HashMap::new();
        for &class in &self.partition.poorest_first {
            let class = class as IndexClass;
            let next = groups.classes.len();
            let group = if joined {
                let truth = telling.iter().map(|(_, eligible)| eligible.admits(class)).collect();
                *numbers.entry((self.kind_of(class), truth)).or_insert(next)
            } else {
                next
            };
            if group == next {
                groups.classes.push(Vec::new());
            }
            groups.of[class] = group;
            groups.classes[group].push(class);
        }
        groups
    }
}
