//! Counts per class over the instants that matter, free of hosts, names and seconds.
//!
//! Invariant: a class's load rises only at the starts of demands and its room never falls, so counts that
//! respect the room at every start respect it always (see `classes` for why hosts then exist).

use crate::classes::Classes;
use crate::model::Seconds;
use crate::scene::{ClassNumber, DemandNumber, Scene};

/// Hosts of one demand per fine class, classes ascending, no zeros.
pub(crate) type Split = Vec<(ClassNumber, u32)>;

/// A demand as the counts see it.
pub(crate) struct Need {
    /// First instant it is active at.
    pub(crate) first: usize,
    /// First instant after.
    pub(crate) after: usize,
    /// Fewest hosts.
    pub(crate) least: u32,
    /// Most hosts.
    pub(crate) most: u32,
    /// Seconds it occupies each host.
    pub(crate) seconds: Seconds,
    /// Fine classes whose hosts it may use, ascending.
    pub(crate) eligible: Vec<ClassNumber>,
}

/// The whole timeline.
pub(crate) struct Timeline {
    /// Starts of demands, sorted, each once.
    pub(crate) instants: Vec<Seconds>,
    /// Hosts that fixed work leaves free: per fine class and instant.
    pub(crate) room: Vec<Vec<u32>>,
    /// In the order of the scene's demands.
    pub(crate) needs: Vec<Need>,
}

impl Timeline {
    /// The timeline of a scene.
    pub(crate) fn new(scene: &Scene<'_>, classes: &Classes) -> Self {
        let mut instants: Vec<Seconds> = scene.demands.iter().map(|demand| demand.occupation.start).collect();
        instants.sort_unstable();
        instants.dedup();
        let room = classes
            .fine
            .iter()
            .map(|class| instants.iter().map(|&at| class.room(at)).collect())
            .collect();
        let position = |at: Seconds| instants.partition_point(|&instant| instant < at);
        let needs = scene
            .demands
            .iter()
            .enumerate()
            .map(|(number, demand)| Need {
                first: position(demand.occupation.start),
                after: position(demand.occupation.end),
                least: demand.least,
                most: demand.most,
                seconds: demand.occupation.seconds(),
                eligible: (0..classes.fine.len())
                    .filter(|&class| classes.eligible(scene, number, class))
                    .collect(),
            })
            .collect();
        Self { instants, room, needs }
    }

    /// Most hosts of a class a demand can ever have.
    pub(crate) fn most(&self, demand: DemandNumber, class: ClassNumber) -> u32 {
        let need = &self.needs[demand];
        // Room never falls, so it is least in the beginning.
        let room = self.room[class].get(need.first).copied().unwrap_or(0);
        room.min(need.most)
    }

    /// The cheapest classes for a demand's least count when a host of a class costs so much besides its
    /// price, and what they cost together.
    pub(crate) fn cheapest(
        &self,
        demand: DemandNumber,
        sums: &[Vec<f64>],
        besides: impl Fn(ClassNumber) -> f64,
    ) -> (Split, f64) {
        let need = &self.needs[demand];
        let price = |class: ClassNumber| besides(class) + sums[class][need.after] - sums[class][need.first];
        let mut offers: Vec<(f64, ClassNumber)> = need.eligible.iter().map(|&class| (price(class), class)).collect();
        let best = offers.iter().copied().min_by(|one, other| one.0.total_cmp(&other.0));
        match best {
            Some(best) if self.most(demand, best.1) >= need.least => offers = vec![best],
            _ => offers.sort_by(|one, other| one.0.total_cmp(&other.0)),
        }
        let mut left = need.least;
        let mut split = Split::new();
        let mut paid = 0.0;
        for (price, class) in offers {
            let given = left.min(self.most(demand, class));
            if given > 0 {
                split.push((class, given));
                paid += price * f64::from(given);
                left -= given;
            }
        }
        (split, paid)
    }

    /// Notes where a split's load begins and ends.
    pub(crate) fn add_changes(&self, changes: &mut [Vec<f64>], demand: DemandNumber, split: &Split) {
        let need = &self.needs[demand];
        for &(class, count) in split {
            changes[class][need.first] += f64::from(count);
            changes[class][need.after] -= f64::from(count);
        }
    }

    /// Turns changes into loads.
    pub(crate) fn accumulate(changes: &mut [Vec<f64>]) {
        for changes in changes {
            let mut load = 0.0;
            for change in changes.iter_mut() {
                load += *change;
                *change = load;
            }
        }
    }

    /// Where a load peaks and leaves at most this part of the room.
    pub(crate) fn tight(&self, load: &[Vec<f64>], part: f64) -> Vec<(ClassNumber, usize)> {
        let mut found = Vec::new();
        for (class, room) in self.room.iter().enumerate() {
            let rooms = room.iter().map(|&room| f64::from(room));
            let left: Vec<f64> = rooms.zip(&load[class]).map(|(room, load)| room - load).collect();
            for (instant, &here) in left.iter().enumerate() {
                let before = instant.checked_sub(1).map_or(f64::INFINITY, |before| left[before]);
                let after = left.get(instant + 1).copied().unwrap_or(f64::INFINITY);
                let near = here <= part * f64::from(room[instant]) && load[class][instant] > 0.0;
                if near && here <= before && here < after {
                    found.push((class, instant));
                }
            }
        }
        found
    }
}
