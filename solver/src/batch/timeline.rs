//! Counts per class over the instants that matter, free of hosts, names and seconds.
//!
//! Invariant: a class's load rises only at the starts of demands and its room never falls, so counts that
//! respect the room at every start respect it always (see `classes` for why hosts then exist).

use crate::classes::{ClassNumber, Classes};
use crate::model::Seconds;
use crate::scene::{DemandNumber, Scene};

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
}
