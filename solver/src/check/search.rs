//! An exact search over places, for questions small enough.
//!
//! The demand with the least to spare goes first; places that nothing can tell apart are tried once.
//! Nothing is estimated: `Yes` is an assignment in which everything was counted, `No` means that every
//! choice fails. A question that takes too long stays open.

use std::collections::HashMap;

use super::load::{Load, Share, clashes, room};
use super::scene::{Demand, Scene, Spot, is_single, is_together};
use crate::model::Interval;

/// Most looks at a place, so that a question takes well below a second.
const MOST_LOOKS: u64 = 3_000_000;
/// Most places all demands may need together: each is one level of the search.
const MOST_PLACED: u64 = 400;

/// What the search found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// An assignment exists.
    Yes,
    /// None exists.
    No,
    /// It would take too long to tell.
    Unknown,
}

/// Whether the demands of a scene can all be served.
pub(super) fn search(mut scene: Scene<'_>) -> Found {
    let needs = scene.demands.iter().map(|demand| u64::from(demand.need));
    if needs.sum::<u64>() > MOST_PLACED {
        return Found::Unknown;
    }
    let sound = |spot: &Spot<'_>| clashes("place", spot.capacity, spot.loads.clone()).is_empty();
    if !scene.spots.iter().all(sound) {
        return Found::No;
    }
    let demands = std::mem::take(&mut scene.demands);
    let mut search = Search {
        left: demands.iter().map(|demand| demand.need).collect(),
        barred: demands.iter().map(|demand| vec![false; demand.options.len()]).collect(),
        kind_of: kinds(&scene, &demands),
        standing: scene.spots.iter().map(|spot| spot.loads.len()).collect(),
        scene,
        demands: &demands,
        looks: 0,
    };
    for (number, demand) in demands.iter().enumerate() {
        for &place in &demand.required {
            if search.left[number] == 0 || search.fits(number, place, 1) == 0 {
                return Found::No;
            }
            search.put(number, place, 1);
        }
    }
    search.run()
}

/// Numbers for places that differ in nothing but their name.
fn kinds(scene: &Scene<'_>, demands: &[Demand<'_>]) -> Vec<usize> {
    let mut wanted_by: Vec<Vec<usize>> = vec![Vec::new(); scene.spots.len()];
    for (number, demand) in demands.iter().enumerate() {
        for &option in &demand.options {
            wanted_by[option].push(number);
        }
    }
    let mut kinds = HashMap::new();
    let mut kind_of = Vec::with_capacity(scene.spots.len());
    for (spot, wanted_by) in scene.spots.iter().zip(wanted_by) {
        let mut loads: Vec<(Interval, String)> = spot.loads.iter().map(describe).collect();
        loads.sort();
        let next = kinds.len();
        kind_of.push(*kinds.entry((wanted_by, spot.capacity, loads)).or_insert(next));
    }
    kind_of
}

/// A load without the name of its reservation.
fn describe(load: &Load<'_>) -> (Interval, String) {
    let share = match load.share {
        Share::Whole => String::new(),
        Share::Instances(instances, count) => format!("{count} {:?}", instances.resources),
    };
    (load.interval, share)
}

struct Search<'a, 's> {
    scene: Scene<'a>,
    demands: &'s [Demand<'a>],
    /// How many places each demand still needs.
    left: Vec<u32>,
    /// Options of each demand that were tried on a level above.
    barred: Vec<Vec<bool>>,
    kind_of: Vec<usize>,
    /// How many loads of each place cannot move.
    standing: Vec<usize>,
    looks: u64,
}

impl Search<'_, '_> {
    /// How many of a demand fit on a place, at most `most`.
    fn fits(&mut self, number: usize, place: usize, most: u32) -> u32 {
        self.looks += 1;
        let demand = &self.demands[number];
        let spot = &self.scene.spots[place];
        let used = || spot.loads.iter().any(|load| load.reservation == demand.reservation);
        if is_single(demand.resource) && used() {
            return 0;
        }
        let most = if is_single(demand.resource) { most.min(1) } else { most };
        room(spot.capacity, &spot.loads, demand.occupation, demand.resource, most)
    }

    fn put(&mut self, number: usize, place: usize, count: u32) {
        let demand = &self.demands[number];
        self.left[number] -= count;
        self.scene.spots[place].loads.push(Load {
            interval: demand.occupation,
            share: Share::of(demand.resource, count),
            reservation: demand.reservation,
        });
    }

    fn take_back(&mut self, number: usize, place: usize, count: u32) {
        self.scene.spots[place].loads.pop();
        self.left[number] += count;
    }

    /// The demand with the least to spare and where it can go on, best place first.
    fn tightest(&mut self) -> Result<Option<(usize, Vec<usize>)>, Found> {
        let mut tightest: Option<(u64, usize, Vec<usize>)> = None;
        for number in 0..self.demands.len() {
            let need = self.left[number];
            if need == 0 {
                continue;
            }
            if self.looks > MOST_LOOKS {
                return Err(Found::Unknown);
            }
            let together = is_together(self.demands[number].resource);
            let mut total: u64 = 0;
            let mut open = Vec::new();
            for position in 0..self.demands[number].options.len() {
                if self.barred[number][position] {
                    continue;
                }
                let fitting = self.fits(number, self.demands[number].options[position], need);
                if fitting > 0 && (!together || fitting == need) {
                    total += if together { u64::from(need) } else { u64::from(fitting) };
                    open.push(position);
                }
            }
            if total < u64::from(need) {
                return Err(Found::No);
            }
            let spare = total - u64::from(need);
            if tightest.as_ref().is_none_or(|(least, ..)| spare < *least) {
                tightest = Some((spare, number, open));
            }
        }
        Ok(tightest.map(|(_, number, mut open)| {
            let demand = &self.demands[number];
            open.sort_by_key(|&position| !demand.before.contains(&demand.options[position]));
            (number, open)
        }))
    }

    /// Serves what is left.
    fn run(&mut self) -> Found {
        let (number, open) = match self.tightest() {
            Err(found) => return found,
            Ok(None) => return Found::Yes,
            Ok(Some(tightest)) => tightest,
        };
        let count = if is_together(self.demands[number].resource) {
            self.left[number]
        } else {
            1
        };
        let mut answer = Found::No;
        let mut tried = Vec::new();
        for &position in &open {
            if self.barred[number][position] {
                continue;
            }
            let place = self.demands[number].options[position];
            self.put(number, place, count);
            let found = self.run();
            self.take_back(number, place, count);
            if found != Found::No {
                answer = found;
                break;
            }
            // Neither this place nor one like it helps from here on.
            let options = &self.demands[number].options;
            let like = |&other: &usize| !self.barred[number][other] && self.alike(place, options[other]);
            let like: Vec<usize> = open.iter().copied().filter(like).collect();
            for other in like {
                self.barred[number][other] = true;
                tried.push(other);
            }
            if self.too_few(number, &open) {
                break;
            }
        }
        for other in tried {
            self.barred[number][other] = false;
        }
        answer
    }

    /// Whether the options that are left are fewer than a demand needs that uses each once.
    fn too_few(&self, number: usize, open: &[usize]) -> bool {
        let left = open.iter().filter(|&&position| !self.barred[number][position]).count();
        is_single(self.demands[number].resource) && left < self.left[number] as usize
    }

    /// Whether a place was tried for a demand on a level above.
    fn is_barred(&self, number: usize, place: usize) -> bool {
        let position = self.demands[number].options.binary_search(&place);
        position.is_ok_and(|position| self.barred[number][position])
    }

    /// Whether two places differ in nothing but their name, not even in what was tried on them.
    fn alike(&self, one: usize, other: usize) -> bool {
        let placed = |place: usize| &self.scene.spots[place].loads[self.standing[place]..];
        let sorted = |place: usize| {
            let mut loads: Vec<_> = placed(place).iter().map(|load| load.reservation).collect();
            loads.sort();
            loads
        };
        one == other
            || (self.kind_of[one] == self.kind_of[other]
                && placed(one).len() == placed(other).len()
                && sorted(one) == sorted(other)
                && (0..self.demands.len()).all(|number| self.is_barred(number, one) == self.is_barred(number, other)))
    }
}
