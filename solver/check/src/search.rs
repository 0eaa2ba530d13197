//! An exact search over places, for questions small enough.
//!
//! The demand with the least to spare goes first; places that nothing can tell apart are tried once, and none where all
//! instances still to be placed need more at an instant than the places have left that any of them fits on.
//! Nothing is estimated: `Yes` is an assignment in which everything was counted, `No` means that every
//! choice fails. A question that takes too long stays open.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use solver_format::model::{Interval, Resource, Seconds};

use super::load::{Load, Share, clashes, room};
use super::scene::{Demand, Scene, Spot, is_single, is_together};

/// Most looks at a place, so that a question takes well below a second.
const MOST_LOOKS: u64 = 5_000_000;
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

/// What instances leave of a place at an instant; nothing if it is taken whole.
fn left<'a>(spot: &Spot<'a>, at: Seconds) -> Option<BTreeMap<&'a str, u128>> {
    let capacity = spot.capacity?;
    let mut left: BTreeMap<&str, u128> = capacity
        .iter()
        .map(|(class, &amount)| (class.as_str(), u128::from(amount)))
        .collect();
    for load in spot.loads.iter().filter(|load| load.interval.contains(at)) {
        let Share::Instances(instances, count) = load.share else {
            return None;
        };
        for (class, &amount) in &instances.resources {
            if let Some(left) = left.get_mut(class.as_str()) {
                *left = left.saturating_sub(u128::from(amount) * u128::from(count));
            }
        }
    }
    Some(left)
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

    /// Whether instances that are still to be placed need more of a resource class, when one of them begins, than the
    /// places have that they may use. What is left of a place counts if the least of every class fits there.
    fn is_overfull(&mut self) -> bool {
        let open = || (0..self.demands.len()).filter(|&number| self.left[number] > 0);
        let starts: BTreeSet<Seconds> = open().map(|number| self.demands[number].occupation.start).collect();
        let mut looks = 0;
        let overfull = starts.into_iter().any(|at| {
            let mut needed: BTreeMap<&str, (u128, u128)> = BTreeMap::new();
            let mut places: BTreeSet<usize> = BTreeSet::new();
            let active = open().filter(|&number| self.demands[number].occupation.contains(at));
            let mut of_instances = 0;
            for number in active {
                let Resource::Instances(instances) = self.demands[number].resource else {
                    continue;
                };
                of_instances += 1;
                places.extend(&self.demands[number].options);
                for (class, &amount) in instances.resources.iter().filter(|(_, amount)| **amount > 0) {
                    let (sum, users) = needed.entry(class).or_default();
                    *sum += u128::from(amount) * u128::from(self.left[number]);
                    *users += 1;
                }
            }
            // Only a class that all of them take something of says where none of them fits.
            let least = |class: &str| {
                let amounts = open().filter_map(|number| match self.demands[number].resource {
                    Resource::Instances(instances) if self.demands[number].occupation.contains(at) => {
                        instances.resources.get(class).copied()
                    }
                    Resource::Host | Resource::Instances(_) | Resource::Units(_) => None,
                });
                u128::from(amounts.min().unwrap_or(0))
            };
            let common: Vec<(&str, u128)> = needed
                .iter()
                .filter(|(_, (_, users))| *users == of_instances)
                .map(|(&class, _)| (class, least(class)))
                .collect();
            looks += places.len() as u64;
            let mut has: BTreeMap<&str, u128> = BTreeMap::new();
            for place in places {
                let spot = &self.scene.spots[place];
                let Some(left) = left(spot, at) else { continue };
                let of = |class: &str| left.get(class).copied().unwrap_or(0);
                if common.iter().all(|&(class, least)| of(class) >= least) {
                    for &class in needed.keys() {
                        *has.entry(class).or_default() += of(class);
                    }
                }
            }
            needed
                .iter()
                .any(|(class, (sum, _))| *sum > has.get(class).copied().unwrap_or(0))
        });
        self.looks += looks;
        overfull
    }

    /// Serves what is left.
    fn run(&mut self) -> Found {
        let (number, open) = match self.tightest() {
            Err(found) => return found,
            Ok(None) => return Found::Yes,
            Ok(Some(tightest)) => tightest,
        };
        if self.is_overfull() {
            return Found::No;
        }
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
