//! Turns counts per class into hosts, rewriting as little as possible.
//!
//! Invariant: the hosts given satisfy the counts exactly. First only the demands whose counts changed are
//! touched; if fragmentation forbids that, the whole class is swept by start, where the decode theorem
//! (see `classes`) says that hosts never run out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::classes::Classes;
use crate::decision::{Move, Verdict};
use crate::model::{HostId, Seconds};
use crate::request::Ask;
use crate::scene::{ClassNumber, DemandNumber, HostNumber, Scene};
use crate::scope::Counts;

/// Hosts of the demands that do not keep exactly what they hold.
pub(crate) type Changed = BTreeMap<DemandNumber, BTreeSet<HostNumber>>;

/// The answer that gives these demands these hosts and lets the others keep what they hold.
pub(crate) fn accepted(scene: &Scene<'_>, asks: &[Ask<'_>], classes: &Classes, changed: &Changed) -> Verdict {
    let name = |host: &HostNumber| scene.hosts[*host].id.clone();
    let none = BTreeSet::new();
    let mut holds = BTreeMap::new();
    for number in scene.requested() {
        let id = scene.demands[number].reservation;
        let kept = asks
            .iter()
            .find(|ask| ask.asked.id == *id)
            .map_or(&[][..], |ask| ask.kept);
        let chosen = changed.get(&number).unwrap_or(&none).iter().map(name);
        let all: BTreeSet<HostId> = chosen.chain(kept.iter().cloned()).collect();
        holds.insert(id.clone(), all.into_iter().collect());
    }
    let mut moves = Vec::new();
    for (&number, chosen) in changed {
        let demand = &scene.demands[number];
        let left = demand.holds.iter().filter(|host| !chosen.contains(host));
        let from: Vec<HostId> = left.map(name).collect();
        if demand.requested || from.is_empty() {
            continue;
        }
        let taken = chosen.iter().filter(|host| demand.holds.binary_search(host).is_err());
        moves.push(Move {
            reservation: demand.reservation.clone(),
            from,
            to: taken.map(name).collect(),
            counted: classes.counted_moves(&demand.holds, chosen),
        });
    }
    moves.sort_by(|one, other| one.reservation.cmp(&other.reservation));
    Verdict::Accepted { holds, moves }
}

/// Hosts of every demand, `None` if the counts exceed a capacity.
pub(crate) fn decode(scene: &Scene<'_>, classes: &Classes, counts: &Counts) -> Option<Vec<BTreeSet<HostNumber>>> {
    let mut changed = changes(scene, classes, counts)?;
    let all = scene.demands.iter().enumerate();
    let all = all.map(|(number, demand)| {
        let kept = || demand.holds.iter().copied().collect();
        changed.remove(&number).unwrap_or_else(kept)
    });
    Some(all.collect())
}

/// Hosts of the demands that change, `None` if the counts exceed a capacity.
pub(crate) fn changes(scene: &Scene<'_>, classes: &Classes, counts: &Counts) -> Option<Changed> {
    let mut changes: BTreeMap<ClassNumber, Change> = BTreeMap::new();
    for (&number, counts) in counts {
        let mut before: BTreeMap<ClassNumber, u32> = BTreeMap::new();
        for &host in &scene.demands[number].holds {
            *before.entry(classes.fine_of[host]).or_default() += 1;
        }
        let both: BTreeSet<ClassNumber> = before.keys().chain(counts.keys()).copied().collect();
        for class in both {
            let (old, new) = (
                before.get(&class).copied().unwrap_or(0),
                counts.get(&class).copied().unwrap_or(0),
            );
            if new > old {
                changes.entry(class).or_default().growing.push((number, new - old));
            } else if old > new {
                changes.entry(class).or_default().shrinking.insert(number, old - new);
            }
        }
    }
    // Classes that lost time to what the request keeps need the sweep even if no count changed.
    for demand in &scene.demands {
        for &host in &demand.holds {
            if demand.occupation.start < classes.free_from[host] {
                changes.entry(classes.fine_of[host]).or_default().displaced = true;
            }
        }
    }
    let mut carrying = Carrying::new(scene, classes, changes.keys().copied());
    let mut chosen = Chosen {
        scene,
        changed: BTreeMap::new(),
    };
    for (class, change) in changes {
        if !change.displaced && locally(scene, classes, class, &change, &mut carrying, &mut chosen) {
            continue;
        }
        sweep(scene, classes, class, counts, &carrying, &mut chosen)?;
    }
    Some(chosen.changed)
}

/// The hosts of every demand so far.
struct Chosen<'s> {
    scene: &'s Scene<'s>,
    changed: Changed,
}

impl Chosen<'_> {
    fn of(&mut self, number: DemandNumber) -> &mut BTreeSet<HostNumber> {
        let holds = &self.scene.demands[number].holds;
        self.changed
            .entry(number)
            .or_insert_with(|| holds.iter().copied().collect())
    }
}

/// Which demands hold the hosts of the classes that change.
struct Carrying {
    /// For each host its place in `demands`, if its class changes.
    places: Vec<Option<u32>>,
    demands: Vec<Vec<DemandNumber>>,
}

impl Carrying {
    fn new(scene: &Scene<'_>, classes: &Classes, changing: impl Iterator<Item = ClassNumber>) -> Self {
        let mut places = vec![None; scene.hosts.len()];
        let mut count = 0;
        for class in changing {
            for &host in &classes.fine[class].hosts {
                places[host] = Some(count);
                count += 1;
            }
        }
        let mut demands = vec![Vec::new(); count as usize];
        for (number, demand) in scene.demands.iter().enumerate() {
            for &host in &demand.holds {
                if let Some(place) = places[host] {
                    demands[place as usize].push(number);
                }
            }
        }
        Self { places, demands }
    }

    fn on(&self, host: HostNumber) -> &[DemandNumber] {
        self.places[host].map_or(&[], |place| &self.demands[place as usize])
    }

    fn on_mut(&mut self, host: HostNumber) -> Option<&mut Vec<DemandNumber>> {
        self.places[host].map(|place| &mut self.demands[place as usize])
    }
}

/// What differs in one class.
#[derive(Default)]
struct Change {
    growing: Vec<(DemandNumber, u32)>,
    shrinking: BTreeMap<DemandNumber, u32>,
    /// A pending demand stands where fixed work stands now.
    displaced: bool,
}

/// Puts the growing demands on hosts that are free, or held by shrinking ones; `false`, and nothing is
/// changed, if that does not work out.
fn locally(
    scene: &Scene<'_>,
    classes: &Classes,
    class: ClassNumber,
    change: &Change,
    carrying: &mut Carrying,
    chosen: &mut Chosen<'_>,
) -> bool {
    let hosts = &classes.fine[class].hosts;
    let mut surplus = change.shrinking.clone();
    let mut given: Vec<(DemandNumber, HostNumber)> = Vec::new();
    let mut taken: Vec<(DemandNumber, HostNumber)> = Vec::new();
    let mut growing = change.growing.clone();
    growing.sort_by_key(|&(number, _)| (scene.demands[number].occupation.start, number));
    let mut complete = true;
    'growing: for (number, count) in growing {
        let demand = &scene.demands[number];
        let mut options: Vec<_> = hosts
            .iter()
            .filter(|host| classes.free_from[**host] <= demand.occupation.start)
            .filter_map(|&host| {
                let others = carrying.on(host);
                let mut in_the_way = others
                    .iter()
                    .filter(|&&other| scene.demands[other].occupation.overlaps(&demand.occupation));
                let removable =
                    |other: &&DemandNumber| **other != number && surplus.get(*other).is_some_and(|&left| left > 0);
                let displaced = in_the_way.clone().count();
                let elsewhere = demand.likes.binary_search(&host).is_err();
                let idle_since = idle_since(scene, classes, others, host, demand.occupation.start);
                in_the_way.all(|other| removable(&other)).then_some((
                    displaced,
                    elsewhere,
                    scene.richness[host],
                    Reverse(idle_since),
                    host,
                ))
            })
            .collect();
        options.sort_unstable();
        let mut left = count;
        for (.., host) in options {
            if left == 0 {
                break;
            }
            let in_the_way: Vec<DemandNumber> = carrying
                .on(host)
                .iter()
                .copied()
                .filter(|&other| scene.demands[other].occupation.overlaps(&demand.occupation))
                .collect();
            // An earlier choice may have used up what such a demand gives away.
            if !in_the_way
                .iter()
                .all(|other| surplus.get(other).is_some_and(|&left| left > 0))
            {
                continue;
            }
            let Some(others) = carrying.on_mut(host) else { continue };
            for other in in_the_way {
                others.retain(|&held| held != other);
                taken.push((other, host));
                surplus.entry(other).and_modify(|left| *left -= 1);
            }
            others.push(number);
            given.push((number, host));
            left -= 1;
        }
        if left > 0 {
            complete = false;
            break 'growing;
        }
    }
    if !complete {
        for &(number, host) in given.iter().rev() {
            if let Some(others) = carrying.on_mut(host) {
                others.retain(|&held| held != number);
            }
        }
        for &(number, host) in taken.iter().rev() {
            if let Some(others) = carrying.on_mut(host) {
                others.push(number);
            }
        }
        return false;
    }
    for (number, left) in surplus {
        // What nobody asked for is given up from the far end, richest host first.
        let gone = |host: &HostNumber| taken.contains(&(number, *host));
        let here = |host: &HostNumber| classes.fine_of[*host] == class;
        let own = scene.demands[number].holds.iter().copied();
        let mut own: Vec<HostNumber> = own.filter(|host| here(host) && !gone(host)).collect();
        own.sort_by_key(|&host| Reverse((scene.richness[host], host)));
        let given_up: Vec<_> = own.into_iter().take(left as usize).map(|host| (number, host)).collect();
        taken.extend(given_up);
    }
    for (number, host) in taken {
        chosen.of(number).remove(&host);
    }
    for (number, host) in given {
        chosen.of(number).insert(host);
    }
    true
}

/// When the host fell idle before `start`.
fn idle_since(
    scene: &Scene<'_>,
    classes: &Classes,
    demands: &[DemandNumber],
    host: HostNumber,
    start: Seconds,
) -> Seconds {
    let ends = demands.iter().map(|&number| scene.demands[number].occupation.end);
    ends.filter(|&end| end <= start)
        .max()
        .unwrap_or(classes.free_from[host])
}

/// Places every demand of a class anew by start, each on its own hosts where they are free.
fn sweep(
    scene: &Scene<'_>,
    classes: &Classes,
    class: ClassNumber,
    counts: &Counts,
    carrying: &Carrying,
    chosen: &mut Chosen<'_>,
) -> Option<()> {
    let hosts = &classes.fine[class].hosts;
    let here: BTreeSet<DemandNumber> = hosts
        .iter()
        .flat_map(|&host| carrying.on(host).iter().copied())
        .collect();
    let changing = counts
        .iter()
        .filter(|(_, counts)| counts.contains_key(&class))
        .map(|(&number, _)| number);
    let mut wanted: Vec<(Seconds, DemandNumber, usize)> = Vec::new();
    for number in here.iter().copied().chain(changing).collect::<BTreeSet<_>>() {
        let held = scene.demands[number]
            .holds
            .iter()
            .filter(|&&host| classes.fine_of[host] == class);
        let count = match counts.get(&number) {
            Some(counts) => counts.get(&class).copied().unwrap_or(0) as usize,
            None => held.clone().count(),
        };
        let chosen = chosen.of(number);
        for host in held {
            chosen.remove(host);
        }
        if count > 0 {
            wanted.push((scene.demands[number].occupation.start, number, count));
        }
    }
    wanted.sort_unstable();
    let mut free_from: Vec<Seconds> = hosts.iter().map(|&host| classes.free_from[host]).collect();
    for (start, number, count) in wanted {
        let demand = &scene.demands[number];
        let displaced = |host: HostNumber| {
            let others = carrying.on(host).iter().filter(|&&other| other != number);
            others
                .filter(|&&other| scene.demands[other].occupation.overlaps(&demand.occupation))
                .count()
        };
        let option = |place: usize, elsewhere: bool| {
            let host = hosts[place];
            let from = free_from[place];
            (from <= start).then(|| (elsewhere, displaced(host), scene.richness[host], Reverse(from), place))
        };
        let liked = demand.likes.iter().filter_map(|host| hosts.binary_search(host).ok());
        let mut free: Vec<_> = liked.filter_map(|place| option(place, false)).collect();
        if free.len() < count {
            let others = (0..hosts.len()).filter(|&place| demand.likes.binary_search(&hosts[place]).is_err());
            free.extend(others.filter_map(|place| option(place, true)));
        }
        if free.len() < count {
            return None;
        }
        free.sort_unstable();
        for (.., place) in free.into_iter().take(count) {
            free_from[place] = demand.occupation.end;
            chosen.of(number).insert(hosts[place]);
        }
    }
    Some(())
}
