//! What stands on one host over time while an assignment is built.

use std::collections::BTreeSet;

use super::world::{Amounts, Demand, DemandNumber, Kind, Place, Takes, add, fitting};
use crate::model::{Interval, Seconds};

/// One piece of work on the host.
#[derive(Clone)]
struct Work {
    interval: Interval,
    takes: Takes,
    /// Whose it is; `None` if it is fixed.
    demand: Option<DemandNumber>,
}

/// The work of one host.
#[derive(Clone)]
pub(super) struct Standing<'w> {
    capacity: &'w [u64],
    works: Vec<Work>,
}

impl<'w> Standing<'w> {
    /// A host with its fixed work only.
    pub(super) fn fixed(place: &'w Place<'_>) -> Self {
        let works = place.fixed.iter().map(|fixed| Work {
            interval: fixed.interval,
            takes: fixed.takes.clone(),
            demand: None,
        });
        Self {
            capacity: &place.capacity,
            works: works.collect(),
        }
    }

    /// What stands here, without the names.
    pub(super) fn works(&self) -> Vec<(Interval, Option<Amounts>)> {
        let works = self.works.iter().map(|work| match &work.takes {
            Takes::Whole => (work.interval, None),
            Takes::Part(amounts) => (work.interval, Some(amounts.clone())),
        });
        let mut works: Vec<_> = works.collect();
        works.sort_unstable();
        works
    }

    /// Puts that many of a demand here, whether there is room or not.
    pub(super) fn put(&mut self, number: DemandNumber, demand: &Demand<'_>, count: u32) {
        self.works.push(Work {
            interval: demand.occupation,
            takes: demand.takes(count),
            demand: Some(number),
        });
    }

    /// Takes away all of a demand.
    pub(super) fn take(&mut self, number: DemandNumber) {
        self.works.retain(|work| work.demand != Some(number));
    }

    /// The demands that stand here during the interval.
    pub(super) fn demands(&self, interval: Interval) -> BTreeSet<DemandNumber> {
        self.during(interval).filter_map(|work| work.demand).collect()
    }

    fn during(&self, interval: Interval) -> impl Iterator<Item = &Work> {
        self.works.iter().filter(move |work| work.interval.overlaps(&interval))
    }

    /// Whether anything stands here during the interval.
    pub(super) fn is_used(&self, interval: Interval) -> bool {
        self.during(interval).next().is_some()
    }

    /// Whether instances stand here at any time.
    pub(super) fn is_shared(&self) -> bool {
        self.works.iter().any(|work| work.takes != Takes::Whole)
    }

    /// The greatest amounts in use at an instant of the interval; `None` if the host is taken whole.
    pub(super) fn used(&self, interval: Interval) -> Option<Amounts> {
        let mut greatest = vec![0; self.capacity.len()];
        for start in self
            .during(interval)
            .map(|work| work.interval.start.max(interval.start))
        {
            let mut used = vec![0; self.capacity.len()];
            for work in self.during(interval).filter(|work| work.interval.contains(start)) {
                let Takes::Part(amounts) = &work.takes else { return None };
                add(&mut used, amounts);
            }
            greatest
                .iter_mut()
                .zip(used)
                .for_each(|(greatest, used)| *greatest = used.max(*greatest));
        }
        Some(greatest)
    }

    /// How many more of a demand fit here, rules other than room aside.
    pub(super) fn room(&self, demand: &Demand<'_>) -> u32 {
        match &demand.kind {
            Kind::Whole => u32::from(!self.is_used(demand.occupation)),
            Kind::Instances { amounts, .. } => self
                .used(demand.occupation)
                .map_or(0, |used| fitting(self.capacity, &used, amounts)),
        }
    }

    /// What of one resource class is left during the interval.
    pub(super) fn left(&self, interval: Interval, resource_class: usize) -> u64 {
        let used = self.used(interval).map_or(u64::MAX, |used| used[resource_class]);
        self.capacity[resource_class].saturating_sub(used)
    }

    /// The end of the last work before an instant.
    pub(super) fn idle_since(&self, at: Seconds) -> Option<Seconds> {
        self.works
            .iter()
            .map(|work| work.interval.end)
            .filter(|&end| end <= at)
            .max()
    }

    /// Whether no work overlaps whole-host work and no resource class is exceeded at any instant.
    pub(super) fn is_sound(&self) -> bool {
        self.works.iter().all(|work| {
            let at = Interval::new(work.interval.start, work.interval.start + 1);
            let alone = self.during(work.interval).count() == 1;
            match &work.takes {
                Takes::Whole => alone,
                Takes::Part(_) => self
                    .used(at)
                    .is_some_and(|used| used.iter().zip(self.capacity).all(|(used, capacity)| used <= capacity)),
            }
        })
    }
}
