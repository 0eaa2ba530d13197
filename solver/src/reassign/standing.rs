//! What the demands hold as things stand, per fine class, and how full that makes every class over time.
//!
//! Invariant: a [`Profile`] lists every instant at which a demand of its class starts or ends, with the load
//! from then on, even if as much ends as starts; so the load at any instant is that of the last step not
//! after it, and between two steps exactly the same demands are active.

use std::collections::BTreeMap;

use crate::classes::{ClassNumber, Classes, Fine};
use crate::model::{Interval, Seconds};
use crate::scene::{DemandNumber, Scene};

/// Tolerance for amounts of a linear program. Sums of whole numbers are exact.
pub(super) const TOLERANCE: f64 = 1e-6;

/// Steps looked at together.
const BLOCK: usize = 32;

/// Everything held before anything is re-chosen.
pub(super) struct Standing {
    /// Per demand where its entries begin; one more at the end.
    first: Vec<usize>,
    /// Hosts per class, by demand.
    entries: Vec<(ClassNumber, u32)>,
    /// Per class who holds how many hosts of it, by start.
    pub(super) holders: Vec<Vec<(DemandNumber, u32)>>,
    /// Per class how many hosts are held when.
    profiles: Vec<Profile>,
    /// What pending demands hold in classes that fixed work has taken from them since.
    pub(super) displaced: Vec<(DemandNumber, ClassNumber, u32)>,
    /// Instants at which the demands hold more of a class than fixed work has left.
    pub(super) exceeded: Vec<(ClassNumber, Seconds)>,
}

/// Load of a class over time.
#[derive(Default)]
struct Profile {
    steps: Vec<Step>,
}

/// An instant at which demands start or end.
#[derive(Clone, Copy)]
struct Step {
    at: Seconds,
    /// From here on.
    load: u32,
    /// Something starts here.
    rises: bool,
    /// Something ends here.
    falls: bool,
}

impl Profile {
    /// Whether the load is more than a class has room for, anywhere. Room only grows with time, so a block
    /// of steps whose greatest load fits at its start fits.
    fn exceeds(&self, fine: &Fine) -> bool {
        self.steps.chunks(BLOCK).any(|block| {
            let greatest = block.iter().map(|step| step.load).max().unwrap_or(0);
            let fits = block.first().is_none_or(|first| greatest <= fine.room(first.at));
            !fits && block.iter().any(|step| step.load > fine.room(step.at))
        })
    }

    /// The steps whose loads apply somewhere in the interval.
    fn during(&self, interval: Interval) -> &[Step] {
        let first = self.steps.partition_point(|step| step.at <= interval.start);
        let after = self.steps.partition_point(|step| step.at < interval.end);
        &self.steps[first.saturating_sub(1)..after]
    }

    /// From the starts and ends of intervals, each sorted, with the counts of what begins and ends.
    fn new(starts: &[(Seconds, u32)], ends: &[(Seconds, u32)]) -> Self {
        let mut steps: Vec<Step> = Vec::with_capacity(starts.len() + ends.len());
        let (mut next_start, mut next_end, mut load) = (0, 0, 0_u32);
        while next_end < ends.len() {
            let at = match starts.get(next_start) {
                Some(&(start, _)) => start.min(ends[next_end].0),
                None => ends[next_end].0,
            };
            let (starts_before, ends_before) = (next_start, next_end);
            while let Some(&(_, count)) = starts.get(next_start).filter(|&&(start, _)| start == at) {
                load += count;
                next_start += 1;
            }
            while let Some(&(_, count)) = ends.get(next_end).filter(|&&(end, _)| end == at) {
                load -= count;
                next_end += 1;
            }
            steps.push(Step {
                at,
                load,
                rises: next_start > starts_before,
                falls: next_end > ends_before,
            });
        }
        Self { steps }
    }
}

impl Standing {
    pub(super) fn new(scene: &Scene<'_>, classes: &Classes) -> Self {
        let mut first = Vec::with_capacity(scene.demands.len() + 1);
        let mut entries: Vec<(ClassNumber, u32)> = Vec::new();
        let mut displaced = Vec::new();
        let mut counts = vec![0_u32; classes.fine.len()];
        let mut held: Vec<ClassNumber> = Vec::new();
        for (number, demand) in scene.demands.iter().enumerate() {
            first.push(entries.len());
            for &host in &demand.holds {
                let class = classes.fine_of[host];
                if counts[class] == 0 {
                    held.push(class);
                }
                counts[class] += 1;
            }
            held.sort_unstable();
            for class in held.drain(..) {
                let count = std::mem::take(&mut counts[class]);
                if classes.fine[class].is_taken(demand.occupation) {
                    displaced.push((number, class, count));
                } else {
                    entries.push((class, count));
                }
            }
        }
        first.push(entries.len());
        let mut standing = Self {
            first,
            entries,
            holders: vec![Vec::new(); classes.fine.len()],
            profiles: Vec::new(),
            displaced,
            exceeded: Vec::new(),
        };
        standing.measure(scene, classes);
        standing.exceeded = Changes::new(&standing, classes).standing_exceeded();
        standing
    }

    /// Fills the holders and profiles. Demands are sorted once, not class by class.
    fn measure(&mut self, scene: &Scene<'_>, classes: &Classes) {
        let mut by_start: Vec<(Seconds, DemandNumber)> = scene
            .demands
            .iter()
            .enumerate()
            .filter(|(_, demand)| !demand.holds.is_empty())
            .map(|(number, demand)| (demand.occupation.start, number))
            .collect();
        let mut by_end: Vec<(Seconds, DemandNumber)> = by_start
            .iter()
            .map(|&(_, number)| (scene.demands[number].occupation.end, number))
            .collect();
        by_start.sort_unstable();
        by_end.sort_unstable();
        let mut starts: Vec<Vec<(Seconds, u32)>> = vec![Vec::new(); classes.fine.len()];
        let mut ends = starts.clone();
        for (at, number) in by_start {
            for &(class, count) in &self.entries[self.first[number]..self.first[number + 1]] {
                starts[class].push((at, count));
                self.holders[class].push((number, count));
            }
        }
        for (at, number) in by_end {
            for &(class, count) in &self.entries[self.first[number]..self.first[number + 1]] {
                ends[class].push((at, count));
            }
        }
        self.profiles = starts
            .iter()
            .zip(&ends)
            .map(|(starts, ends)| Profile::new(starts, ends))
            .collect();
    }

    /// What a demand holds, by class.
    pub(super) fn held(&self, number: DemandNumber) -> &[(ClassNumber, u32)] {
        &self.entries[self.first[number]..self.first[number + 1]]
    }

    /// How many hosts a demand holds in a class.
    pub(super) fn count(&self, number: DemandNumber, class: ClassNumber) -> u32 {
        let entry = self.held(number).iter().find(|entry| entry.0 == class);
        entry.map_or(0, |entry| entry.1)
    }

    /// Hosts of a class no demand holds at an instant; negative if they hold more than there are.
    pub(super) fn free(&self, classes: &Classes, class: ClassNumber, at: Seconds) -> i64 {
        let steps = self.profiles[class].during(Interval::new(at, at.saturating_add(1)));
        let load = steps.first().filter(|step| step.at <= at).map_or(0, |step| step.load);
        i64::from(classes.fine[class].room(at)) - i64::from(load)
    }
}

/// What differs from the standing loads.
pub(super) struct Changes<'s> {
    standing: &'s Standing,
    classes: &'s Classes,
    by_class: BTreeMap<ClassNumber, Vec<(Interval, f64)>>,
}

/// An instant of a sweep over a class.
#[derive(Clone, Copy)]
struct Instant {
    at: Seconds,
    load: f64,
    /// Something starts here, so that the load may be at its greatest.
    rises: bool,
    /// Something ends here.
    falls: bool,
}

impl<'s> Changes<'s> {
    pub(super) const fn new(standing: &'s Standing, classes: &'s Classes) -> Self {
        Self {
            standing,
            classes,
            by_class: BTreeMap::new(),
        }
    }

    /// Adds an amount, positive or negative, to the load of a class.
    pub(super) fn add(&mut self, class: ClassNumber, during: Interval, amount: f64) {
        self.by_class.entry(class).or_default().push((during, amount));
    }

    /// Every instant of the interval at which the load changes, and its start.
    fn sweep(&self, class: ClassNumber, during: Interval, mut visit: impl FnMut(Instant)) {
        let steps = self.standing.profiles[class].during(during);
        let mut changes: Vec<(Seconds, f64)> = Vec::new();
        let mut changed = 0.0;
        for &(interval, amount) in self.by_class.get(&class).map_or(&[][..], Vec::as_slice) {
            if interval.overlaps(&during) {
                if interval.start <= during.start {
                    changed += amount;
                } else {
                    changes.push((interval.start, amount));
                }
                if interval.end < during.end {
                    changes.push((interval.end, -amount));
                }
            }
        }
        changes.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
        let (mut step, mut change) = (0, 0);
        let mut held = 0;
        if let Some(first) = steps.first()
            && first.at <= during.start
        {
            held = first.load;
            step = 1;
        }
        visit(Instant {
            at: during.start,
            load: f64::from(held) + changed,
            rises: true,
            falls: true,
        });
        loop {
            let next_step = steps.get(step).map(|step| step.at);
            let next_change = changes.get(change).map(|change| change.0);
            let Some(at) = next_step.into_iter().chain(next_change).min() else {
                break;
            };
            let (mut rises, mut falls) = (false, false);
            if next_step == Some(at) {
                (rises, falls) = (steps[step].rises, steps[step].falls);
                held = steps[step].load;
                step += 1;
            }
            while let Some(&(_, amount)) = changes.get(change).filter(|change| change.0 == at) {
                rises |= amount > 0.0;
                falls |= amount < 0.0;
                changed += amount;
                change += 1;
            }
            visit(Instant {
                at,
                load: f64::from(held) + changed,
                rises,
                falls,
            });
        }
    }

    /// The amount of a class that is free during the whole interval, and an instant at which no more is.
    pub(super) fn room(&self, class: ClassNumber, during: Interval) -> (f64, Seconds) {
        let mut least = (f64::INFINITY, during.start);
        self.sweep(class, during, |instant| {
            let room = room(&self.classes.fine[class], instant);
            if room < least.0 {
                least = (room, instant.at);
            }
        });
        least
    }

    /// The first and last instant of the interval at which nothing of a class is free.
    pub(super) fn tight(&self, class: ClassNumber, during: Interval) -> Option<(Seconds, Seconds)> {
        let mut tight: Option<(Seconds, Seconds)> = None;
        self.sweep(class, during, |instant| {
            if room(&self.classes.fine[class], instant) < TOLERANCE {
                tight = Some((tight.map_or(instant.at, |tight| tight.0), instant.at));
            }
        });
        tight
    }

    /// Instants at which the changed classes are loaded beyond their capacity. An instant that is implied
    /// by a later one is left out: nothing ends between them, and no more hosts are there.
    pub(super) fn exceeded(&self) -> Vec<(ClassNumber, Seconds)> {
        let mut exceeded = Vec::new();
        for (&class, changes) in &self.by_class {
            let risen = || changes.iter().filter(|change| change.1 > 0.0).map(|change| change.0);
            let (Some(start), Some(end)) = (risen().map(|i| i.start).min(), risen().map(|i| i.end).max()) else {
                continue;
            };
            self.exceeded_during(class, Interval::new(start, end), &mut exceeded);
        }
        exceeded
    }

    /// The same for one class, changed or not.
    fn exceeded_during(&self, class: ClassNumber, during: Interval, exceeded: &mut Vec<(ClassNumber, Seconds)>) {
        let fine = &self.classes.fine[class];
        let mut covered: Option<u32> = None;
        self.sweep(class, during, |instant| {
            if instant.falls {
                covered = None;
            }
            if instant.rises && room(fine, instant) < -TOLERANCE {
                let hosts = fine.room(instant.at);
                if covered == Some(hosts) {
                    exceeded.pop();
                }
                exceeded.push((class, instant.at));
                covered = Some(hosts);
            }
        });
    }

    /// Instants at which the demands hold more than fixed work has left of a class, before any change.
    fn standing_exceeded(&self) -> Vec<(ClassNumber, Seconds)> {
        let mut exceeded = Vec::new();
        for (class, profile) in self.standing.profiles.iter().enumerate() {
            if let (Some(first), Some(last)) = (profile.steps.first(), profile.steps.last())
                && profile.exceeds(&self.classes.fine[class])
            {
                self.exceeded_during(class, Interval::new(first.at, last.at), &mut exceeded);
            }
        }
        exceeded
    }
}

fn room(fine: &Fine, instant: Instant) -> f64 {
    f64::from(fine.room(instant.at)) - instant.load
}
