//! A search through single hosts in whole numbers, for questions that a solver of floating-point programs left open or
//! answered without a proof.
//!
//! The demand with the least to spare goes first. Hosts that nothing can tell apart are tried once, and so are demands
//! that nothing can tell apart; where all that is left to place needs more of a resource class at an instant than the
//! hosts have left that it can use, no place is tried.
//!
//! Invariant: [`Found::Nothing`] says that every choice fails. The work is counted, so equal worlds give equal answers
//! unless a limit in time ends the search. Demands take part that are requested, that fixed work displaces, or that stand where one that takes
//! part does or might; all others cannot be in the way of any choice.

use std::collections::{BTreeMap, BTreeSet};

use super::standing::Standing;
use super::world::{Counts, Demand, DemandNumber, Kind, World};
use crate::deadline::{Deadline, Part};
use crate::hosts::HostNumber;
use crate::model::{Interval, Seconds};

/// Most looks at a host.
pub(super) const MOST_LOOKS: Part = Part::of_work(2_000_000);
/// Looks that cost less than an integer program does.
pub(super) const FEW_LOOKS: Part = Part::of_work(20_000);
/// Most pairs of a demand and a host.
const MOST_PAIRS: usize = 20_000;
/// Most choices one after another: each is one level of the search.
const MOST_LEVELS: u64 = 400;

/// What the search found.
pub(super) enum Found {
    /// Hosts of every demand, each requested one with its least.
    Counts(Vec<Counts>),
    /// There are none.
    Nothing,
    /// It is too large, or there was no more time or work for it.
    Open,
}

/// Looks for hosts for all demands. Each look at a host is counted as work.
pub(super) fn search(world: &World<'_>, deadline: Deadline) -> Found {
    let Some(members) = members(world, &deadline) else {
        return Found::Open;
    };
    let levels = members.iter().map(|member| u64::from(member.left));
    if levels.sum::<u64>() > MOST_LEVELS {
        return Found::Open;
    }
    let taking_part: BTreeSet<DemandNumber> = members.iter().map(|member| member.number).collect();
    let mut standing: Vec<Standing<'_>> = world.places.iter().map(Standing::fixed).collect();
    for (number, demand) in world.demands.iter().enumerate() {
        if !taking_part.contains(&number) {
            for (&host, &count) in &demand.holds {
                standing[host].put(number, demand, count);
            }
        }
    }
    let kept = world.demands[..world.requested]
        .iter()
        .flat_map(|demand| demand.kept.keys());
    if kept.into_iter().any(|&host| !standing[host].is_sound()) {
        return Found::Nothing;
    }
    let mut search = Search::new(world, members, standing, deadline);
    match search.run() {
        Step::Served => Found::Counts(search.counts()),
        Step::Fails => Found::Nothing,
        Step::Spent => Found::Open,
    }
}

/// A demand that takes part.
struct Member {
    number: DemandNumber,
    /// How many choices it still needs: hosts, instances, or one host for all.
    left: u32,
    /// Hosts it may have, each with how many of it if nothing else moved there, and those tried on a level above.
    options: Vec<(HostNumber, u32)>,
    /// What cannot be told apart has the same number.
    kind: usize,
}

/// The demands that take part; `None` if they and their hosts are too many, or the deadline ends.
fn members(world: &World<'_>, deadline: &Deadline) -> Option<Vec<Member>> {
    let options = |number: DemandNumber| -> Vec<(HostNumber, u32)> {
        let rooms = (0..world.places.len()).map(|host| (host, world.room_alone(number, host)));
        rooms.filter(|&(_, room)| room > 0).collect()
    };
    let mut waiting: BTreeSet<DemandNumber> = (world.requested..world.demands.len()).collect();
    let mut reached: Vec<DemandNumber> = (0..world.requested).collect();
    let pushed: Vec<DemandNumber> = waiting
        .iter()
        .copied()
        .filter(|&number| world.is_displaced(number))
        .collect();
    for number in pushed {
        waiting.remove(&number);
        reached.push(number);
    }
    let mut members: Vec<Member> = Vec::new();
    let mut pairs: usize = 0;
    while let Some(number) = reached.pop() {
        if deadline.is_over() {
            return None;
        }
        let options = options(number);
        deadline.spend(options.len() as u64);
        pairs = pairs.saturating_add(options.len().max(1));
        if pairs > MOST_PAIRS {
            return None;
        }
        let kept = world.demands[number].kept.keys().copied();
        let hosts: BTreeSet<HostNumber> = options.iter().map(|&(host, _)| host).chain(kept).collect();
        let occupation = world.demands[number].occupation;
        let stands_there = |other: &DemandNumber| {
            let other = &world.demands[*other];
            other.occupation.overlaps(&occupation) && other.holds.keys().any(|host| hosts.contains(host))
        };
        let met: Vec<DemandNumber> = waiting.iter().copied().filter(stands_there).collect();
        for other in met {
            waiting.remove(&other);
            reached.push(other);
        }
        let demand = &world.demands[number];
        members.push(Member {
            number,
            left: if demand.is_together() {
                demand.least.min(1)
            } else {
                demand.least
            },
            options,
            kind: 0,
        });
    }
    members.sort_by_key(|member| member.number);
    tell_apart(world, &mut members);
    Some(members)
}

/// Numbers the kinds of demands. One that needs several choices has a rule or a past of its own.
fn tell_apart(world: &World<'_>, members: &mut [Member]) {
    let mut kinds: Vec<usize> = Vec::with_capacity(members.len());
    for (place, member) in members.iter().enumerate() {
        let demand = &world.demands[member.number];
        let alike = |&other: &usize| {
            let (member, other) = (&members[place], &members[other]);
            let of = &world.demands[other.number];
            member.left == 1
                && other.left == 1
                && demand.kind == of.kind
                && demand.unit() == of.unit()
                && demand.occupation == of.occupation
                && member.options == other.options
        };
        kinds.push((0..place).find(alike).map_or(place, |other| kinds[other]));
    }
    for (member, kind) in members.iter_mut().zip(kinds) {
        member.kind = kind;
    }
}

/// What came of a level.
enum Step {
    Served,
    Fails,
    Spent,
}

struct Search<'w, 'a> {
    world: &'w World<'a>,
    members: Vec<Member>,
    standing: Vec<Standing<'w>>,
    /// Hosts with the same number carry the same fixed work, and every demand may have as much of them.
    kind_of: Vec<usize>,
    /// What was placed on each host, by the place of the member.
    placed: BTreeMap<HostNumber, Vec<(usize, u32)>>,
    /// Hosts that were tried on a level above, by the kind of the member.
    barred: BTreeMap<usize, BTreeSet<HostNumber>>,
    /// When something that takes part begins.
    instants: BTreeSet<Seconds>,
    deadline: Deadline,
}

impl<'w, 'a> Search<'w, 'a> {
    fn new(world: &'w World<'a>, members: Vec<Member>, standing: Vec<Standing<'w>>, deadline: Deadline) -> Self {
        let mut rooms: Vec<Vec<(usize, u32)>> = vec![Vec::new(); world.places.len()];
        for (place, member) in members.iter().enumerate() {
            for &(host, room) in &member.options {
                rooms[host].push((place, room));
            }
        }
        let mut numbers = BTreeMap::new();
        let kinds = rooms.into_iter().enumerate().map(|(host, rooms)| {
            let key = (rooms, world.places[host].capacity.clone(), standing[host].works());
            let next = numbers.len();
            *numbers.entry(key).or_insert(next)
        });
        let kind_of = kinds.collect();
        let occupation = |member: &Member| world.demands[member.number].occupation;
        Self {
            world,
            standing,
            kind_of,
            placed: BTreeMap::new(),
            barred: BTreeMap::new(),
            instants: members.iter().map(|member| occupation(member).start).collect(),
            deadline,
            members,
        }
    }

    /// Serves what is left to place.
    fn run(&mut self) -> Step {
        let (place, open) = match self.tightest() {
            Ok(None) => return Step::Served,
            Ok(Some(tightest)) => tightest,
            Err(step) => return step,
        };
        if self.is_overfull() {
            return Step::Fails;
        }
        let kind = self.members[place].kind;
        let mut tried: Vec<HostNumber> = Vec::new();
        let mut answer = Step::Fails;
        for &host in &open {
            if self.is_barred(kind, host) {
                continue;
            }
            self.put(place, host);
            let step = self.run();
            if !matches!(step, Step::Fails) {
                answer = step;
                break;
            }
            self.take_back(place, host);
            // Neither this host nor one like it helps from here on, whichever demand of the kind is to have it.
            let like: Vec<HostNumber> = open.iter().copied().filter(|&other| self.alike(host, other)).collect();
            let barred = self.barred.entry(kind).or_default();
            tried.extend(like.into_iter().filter(|&other| barred.insert(other)));
        }
        if let Some(barred) = self.barred.get_mut(&kind) {
            for host in tried {
                barred.remove(&host);
            }
        }
        answer
    }

    /// The member with the least to spare, and hosts on which one choice more finds room, best first.
    fn tightest(&mut self) -> Result<Option<(usize, Vec<HostNumber>)>, Step> {
        let mut tightest: Option<(u64, usize, Vec<HostNumber>)> = None;
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        for place in 0..self.members.len() {
            let member = &self.members[place];
            let left = u64::from(member.left);
            if left == 0 || (left == 1 && !seen.insert(member.kind)) {
                continue;
            }
            let options = member.options.len() as u64;
            self.deadline.spend(options);
            if self.deadline.is_over() {
                return Err(Step::Spent);
            }
            let mut total: u64 = 0;
            let mut open: Vec<HostNumber> = Vec::new();
            for &(host, most) in &self.members[place].options {
                let room = self.room(place, host, most);
                if room > 0 {
                    total += u64::from(room);
                    open.push(host);
                }
            }
            if total < left {
                return Err(Step::Fails);
            }
            if tightest.as_ref().is_none_or(|(spare, ..)| total - left < *spare) {
                tightest = Some((total - left, place, open));
            }
        }
        Ok(tightest.map(|(_, place, mut open)| {
            let demand = &self.world.demands[self.members[place].number];
            open.sort_by_key(|host| (!demand.likes.contains_key(host), *host));
            (place, open)
        }))
    }

    /// How many choices of a member find room on a host, of which the rules allow it `most` of the demand.
    fn room(&self, place: usize, host: HostNumber, most: u32) -> u32 {
        let member = &self.members[place];
        if self.is_barred(member.kind, host) {
            return 0;
        }
        let demand = &self.world.demands[member.number];
        let unit = demand.unit().max(1);
        let allowed = most.saturating_sub(self.has(place, host).saturating_mul(unit));
        if allowed < unit {
            return 0;
        }
        (self.standing[host].room(demand).min(allowed) / unit).min(member.left)
    }

    fn has(&self, place: usize, host: HostNumber) -> u32 {
        let placed = self.placed.get(&host).map_or(&[][..], Vec::as_slice);
        let here = placed.iter().find(|&&(other, _)| other == place);
        here.map_or(0, |&(_, count)| count)
    }

    fn is_barred(&self, kind: usize, host: HostNumber) -> bool {
        self.barred.get(&kind).is_some_and(|barred| barred.contains(&host))
    }

    /// Gives a member one choice more of a host.
    fn put(&mut self, place: usize, host: HostNumber) {
        let count = self.has(place, host) + 1;
        self.members[place].left -= 1;
        self.set(place, host, count);
    }

    fn take_back(&mut self, place: usize, host: HostNumber) {
        let count = self.has(place, host).saturating_sub(1);
        self.members[place].left += 1;
        self.set(place, host, count);
    }

    fn set(&mut self, place: usize, host: HostNumber, count: u32) {
        let number = self.members[place].number;
        let demand = &self.world.demands[number];
        let placed = self.placed.entry(host).or_default();
        placed.retain(|&(other, _)| other != place);
        self.standing[host].take(number);
        if count > 0 {
            placed.push((place, count));
            self.standing[host].put(number, demand, count.saturating_mul(demand.unit().max(1)));
        }
    }

    /// Whether two hosts carry the same and may be given the same, as far as what is still to come can tell.
    fn alike(&self, one: HostNumber, other: HostNumber) -> bool {
        let carried = |host: HostNumber| {
            let placed = self.placed.get(&host).map_or(&[][..], Vec::as_slice);
            let kind = |&(place, count): &(usize, u32)| (self.members[place].kind, count);
            let mut carried: Vec<(usize, u32)> = placed.iter().map(kind).collect();
            carried.sort_unstable();
            carried
        };
        let barred = || {
            let mut kinds = self.barred.values();
            kinds.all(|barred| barred.contains(&one) == barred.contains(&other))
        };
        one == other || (self.kind_of[one] == self.kind_of[other] && carried(one) == carried(other) && barred())
    }

    /// Whether what is left to place needs more at an instant than the hosts have left that it can use. What is left
    /// of a host counts only if one of the instances could have it; a whole host counts with the least there is.
    fn is_overfull(&self) -> bool {
        let classes = self.world.resource_classes.len();
        for &at in &self.instants {
            let active = self.members.iter().filter(|member| member.left > 0);
            let active: Vec<&Member> = active
                .filter(|member| self.demand(member).occupation.contains(at))
                .collect();
            let instances: Vec<(&Member, &[u64])> = active
                .iter()
                .filter_map(|member| match &self.demand(member).kind {
                    Kind::Whole => None,
                    Kind::Instances { amounts, .. } => Some((*member, amounts.as_slice())),
                })
                .collect();
            // Whole hosts leave less to the others, but how much depends on which they are.
            if instances.is_empty() {
                continue;
            }
            let mut needed = vec![0_u128; classes];
            let mut least = vec![u64::MAX; classes];
            for (member, amounts) in &instances {
                let unit = u64::from(self.demand(member).unit().max(1));
                for (class, &amount) in amounts.iter().enumerate() {
                    let each = amount.saturating_mul(unit);
                    needed[class] += u128::from(each) * u128::from(member.left);
                    least[class] = least[class].min(each);
                }
            }
            let hosts: BTreeSet<HostNumber> = instances
                .iter()
                .flat_map(|(member, _)| member.options.iter().map(|&(host, _)| host))
                .collect();
            self.deadline.spend((hosts.len() + active.len()) as u64);
            let mut has = vec![0_u128; classes];
            let instant = Interval::new(at, at + 1);
            for &host in &hosts {
                let Some(used) = self.standing[host].used(instant) else {
                    continue;
                };
                let capacity = &self.world.places[host].capacity;
                let left = |class: usize| capacity[class].saturating_sub(used[class]);
                // What is left is of use only where the smallest of every class fits.
                if (0..classes).all(|class| left(class) >= least[class]) {
                    for (class, has) in has.iter_mut().enumerate() {
                        *has += u128::from(left(class));
                    }
                }
            }
            if needed.iter().zip(&has).any(|(needed, has)| needed > has) {
                return true;
            }
        }
        false
    }

    fn demand(&self, member: &Member) -> &'w Demand<'a> {
        let world = self.world;
        &world.demands[member.number]
    }

    /// What everything holds in the end.
    fn counts(&self) -> Vec<Counts> {
        let mut counts: Vec<Counts> = self.world.demands.iter().map(|demand| demand.holds.clone()).collect();
        for member in &self.members {
            counts[member.number].clear();
        }
        for (&host, placed) in &self.placed {
            for &(place, count) in placed {
                let number = self.members[place].number;
                let unit = self.world.demands[number].unit().max(1);
                counts[number].insert(host, count.saturating_mul(unit));
            }
        }
        counts
    }
}
