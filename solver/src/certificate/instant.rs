//! Shortages at one instant.
//!
//! Invariant: a [`Shortage`] is exact about its instant (a minimum cut, see `hall`) and minimal: without
//! any one of its members, no instant is short any more for the others, unless the deadline ended the search for those.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::hall::{Transport, Wanted};
use super::minimal::{Member, minimal, needed_by_others};
use crate::classes::Classes;
use crate::deadline::Deadline;
use crate::model::{Interval, ReservationId, Seconds};
use crate::scene::{ClassNumber, DemandNumber, HostNumber, Scene};

/// Members that are left out one by one.
const MOST_MEMBERS: usize = 64;
/// What tells kinds apart: the predicate, classes out of service, and classes it may stay in all the same.
type KindKey = (usize, Vec<ClassNumber>, Vec<ClassNumber>);

/// More hosts needed at an instant than exist.
#[derive(Debug, Clone)]
pub(super) struct Shortage<'a> {
    /// All that compete, by reservation.
    pub(super) members: Vec<Member<'a>>,
    /// What all others together need of the contested hosts at the instant: more than those of them who are members.
    pub(super) others: u64,
    /// The instant.
    pub(super) at: Seconds,
    /// The contested hosts, sorted.
    pub(super) hosts: Vec<HostNumber>,
    /// When all of them need the hosts.
    pub(super) interval: Interval,
    /// The requested demands among the members.
    pub(super) requested: Vec<DemandNumber>,
}

/// What is looked at.
struct View<'v, 'a> {
    /// Demands and the kind of each.
    demands: &'v [(DemandNumber, usize)],
    /// Fixed work, if not all of it.
    fixed: Option<&'v [(HostNumber, Interval, &'a ReservationId)]>,
}

/// Some of the reservations, by themselves.
struct Part<'a> {
    demands: Vec<(DemandNumber, usize)>,
    fixed: Vec<(HostNumber, Interval, &'a ReservationId)>,
}

impl<'a> Part<'a> {
    fn view(&self) -> View<'_, 'a> {
        View {
            demands: &self.demands,
            fixed: Some(&self.fixed),
        }
    }
}

/// A scene prepared for looking at single instants of the requested reservations.
pub(super) struct Instants<'s, 'a> {
    scene: &'s Scene<'a>,
    classes: &'s Classes,
    own: BTreeSet<&'s ReservationId>,
    /// Demands that overlap the request and the kind of each.
    demands: Vec<(DemandNumber, usize)>,
    /// By kind: the classes that suit.
    kinds: Vec<Vec<ClassNumber>>,
    /// By class: when its busy hosts become busy and free, each sorted; each host once.
    busy: Vec<(Vec<Seconds>, Vec<Seconds>)>,
}

impl<'s, 'a> Instants<'s, 'a> {
    pub(super) fn new(scene: &'s Scene<'a>, classes: &'s Classes) -> Self {
        let own = || scene.requested().map(|number| &scene.demands[number]);
        let mut span = Interval::new(Seconds::MAX, Seconds::MIN);
        for demand in own() {
            span = Interval::new(
                span.start.min(demand.occupation.start),
                span.end.max(demand.occupation.end),
            );
        }
        let mut instants = Self {
            scene,
            classes,
            own: own().map(|demand| demand.reservation).collect(),
            demands: Vec::new(),
            kinds: Vec::new(),
            busy: busy(scene, classes, span),
        };
        let blocked: Vec<ClassNumber> = (0..classes.fine.len())
            .filter(|&class| !scene.hosts[classes.fine[class].hosts[0]].blocks.is_empty())
            .collect();
        let mut known: HashMap<KindKey, usize> = HashMap::new();
        let mut plain: HashMap<usize, Vec<ClassNumber>> = HashMap::new();
        for (number, demand) in scene.demands.iter().enumerate() {
            if demand.least == 0 || !demand.occupation.overlaps(&span) {
                continue;
            }
            let host = |class: ClassNumber| scene.hosts[classes.fine[class].hosts[0]];
            let out: Vec<ClassNumber> = blocked
                .iter()
                .copied()
                .filter(|&class| !host(class).in_service(demand.window))
                .collect();
            let exceptional = demand.holds.iter().map(|&host| classes.fine_of[host]);
            let exceptional = exceptional.filter(|&class| {
                let fine = &classes.fine[class];
                fine.hosts.len() == 1 && classes.suitable(scene, number, class)
            });
            let extra: BTreeSet<ClassNumber> = exceptional.collect();
            let key = (demand.predicate, out, extra.into_iter().collect());
            let kind = *known.entry(key).or_insert_with_key(|(predicate, out, extra)| {
                let plain = plain.entry(*predicate).or_insert_with(|| {
                    let matches = |&class: &ClassNumber| {
                        host(class).reservable && scene.truth[classes.fine[class].coarse][*predicate]
                    };
                    (0..classes.fine.len()).filter(matches).collect()
                });
                let mut suitable: Vec<ClassNumber> = plain.clone();
                suitable.retain(|class| out.binary_search(class).is_err());
                suitable.extend(extra);
                suitable.sort_unstable();
                suitable.dedup();
                instants.kinds.push(suitable);
                instants.kinds.len() - 1
            });
            instants.demands.push((number, kind));
        }
        instants
    }

    /// A minimal shortage, if there is one at an instant.
    pub(super) fn shortage_at(&self, at: Seconds, deadline: &Deadline) -> Option<Shortage<'a>> {
        let everything = View {
            demands: &self.demands,
            fixed: None,
        };
        let mut found = self.at(at, &everything)?;
        if !self.several_at(at, &found) {
            // Every member needs as many hosts at any instant as at this one, where all do.
            return Some(found);
        }
        // A part of it may be short at another instant.
        let goes_on = |_: &Seconds| {
            deadline.spend(1);
            !deadline.is_over()
        };
        loop {
            let members: HashSet<&ReservationId> = found.members.iter().map(|member| member.reservation).collect();
            let part = self.part(&members);
            let starts = self.starts(&part.view());
            let smaller = starts.into_iter().take_while(goes_on).find_map(|other| {
                let shortage = self.at(other, &part.view())?;
                (shortage.members.len() < found.members.len()).then_some(shortage)
            });
            match smaller.or_else(|| self.without_one(&found, deadline)) {
                Some(smaller) => found = smaller,
                None => return Some(found),
            }
        }
    }

    /// Whether at an instant one reservation takes part only with what it keeps, or several use one host together.
    fn several_at(&self, at: Seconds, found: &Shortage<'a>) -> bool {
        let shared = |&host: &HostNumber| {
            let here = self.scene.fixed[host].iter();
            here.filter(|fixed| fixed.interval.contains(at)).nth(1).is_some()
        };
        found.members.iter().any(|member| member.own && member.kind.is_none()) || found.hosts.iter().any(shared)
    }

    /// A shortage of all members but one. What is requested beside hosts it keeps stays asked for even if the shortage
    /// counts only the kept ones, and hosts that several use together are there still when one of them is left out.
    fn without_one(&self, found: &Shortage<'a>, deadline: &Deadline) -> Option<Shortage<'a>> {
        if found.members.len() > MOST_MEMBERS {
            return None;
        }
        let keeps = found.members.iter().any(|member| member.own && member.kind.is_none());
        let all = || found.members.iter().map(|member| member.reservation);
        let others = found.members.iter().filter(|member| !member.own);
        let mut others = others.take_while(|_| {
            deadline.spend(1);
            !deadline.is_over()
        });
        others.find_map(
            |Member {
                 reservation: left_out, ..
             }| {
                let part = self.part(&all().filter(|member| member != left_out).collect());
                let instants = if keeps {
                    self.starts(&part.view())
                } else {
                    BTreeSet::from([found.at])
                };
                instants.into_iter().find_map(|at| self.at(at, &part.view()))
            },
        )
    }

    /// What is left if only these reservations exist.
    fn part(&self, members: &HashSet<&ReservationId>) -> Part<'a> {
        let is_member = |number: DemandNumber| members.contains(self.scene.demands[number].reservation);
        let demands = self.demands.iter().copied();
        let mut fixed = Vec::new();
        for (host, here) in self.scene.fixed.iter().enumerate() {
            let listed = here.iter().filter(|fixed| members.contains(fixed.reservation));
            fixed.extend(listed.map(|fixed| (host, fixed.interval, fixed.reservation)));
        }
        Part {
            demands: demands.filter(|&(number, _)| is_member(number)).collect(),
            fixed,
        }
    }

    /// Starts of what the view shows while something requested is active.
    fn starts(&self, view: &View<'_, 'a>) -> BTreeSet<Seconds> {
        let demands = || view.demands.iter().map(|&(number, _)| &self.scene.demands[number]);
        let asked = |at: &Seconds| {
            let mut asked = demands().filter(|demand| demand.requested);
            asked.any(|demand| demand.occupation.contains(*at))
        };
        let fixed = view.fixed.into_iter().flatten();
        let starts = fixed.map(|(_, interval, _)| interval.start);
        let starts: BTreeSet<Seconds> = starts.chain(demands().map(|demand| demand.occupation.start)).collect();
        starts.into_iter().filter(asked).collect()
    }

    /// The shortage at an instant among what the view shows, without superfluous members.
    fn at(&self, at: Seconds, view: &View<'_, 'a>) -> Option<Shortage<'a>> {
        let scene = self.scene;
        let mut by_kind: BTreeMap<usize, Vec<DemandNumber>> = BTreeMap::new();
        let mut asked = false;
        for &(number, kind) in view.demands {
            let demand = &scene.demands[number];
            if demand.occupation.contains(at) {
                by_kind.entry(kind).or_default().push(number);
                asked |= demand.requested;
            }
        }
        if !asked {
            return None;
        }
        let amount = |number: DemandNumber| u64::from(scene.demands[number].least);
        let transport = Transport {
            room: self.room(at, view),
            wanted: by_kind
                .iter()
                .map(|(&kind, demands)| Wanted {
                    amount: demands.iter().map(|&number| amount(number)).sum(),
                    groups: self.kinds[kind].clone(),
                })
                .collect(),
        };
        let violator = transport.violator()?;
        let groups = transport.groups_of(&violator);
        let mut hosts: Vec<HostNumber> = groups
            .iter()
            .flat_map(|&class| self.classes.fine[class].hosts.iter().copied())
            .collect();
        hosts.sort_unstable();
        let competing: Vec<&Vec<DemandNumber>> = by_kind.values().collect();
        let mut members = Vec::new();
        for &position in &violator {
            members.extend(competing[position].iter().map(|&number| Member {
                reservation: scene.demands[number].reservation,
                amount: amount(number),
                kind: Some(position),
                own: scene.demands[number].requested,
            }));
        }
        // What is requested beside hosts it keeps is one member with them, and counts in full wherever it can use no
        // others.
        let is_confined = |kind: usize| self.kinds[kind].iter().all(|class| groups.binary_search(class).is_ok());
        for mut fixed in self.fixed_members(at, view, &hosts) {
            let same = |member: &&mut Member<'_>| member.reservation == fixed.reservation;
            if let Some(member) = members.iter_mut().filter(|_| fixed.own).find(same) {
                member.amount += fixed.amount;
                continue;
            }
            let asked = by_kind.iter().filter(|(kind, _)| fixed.own && is_confined(**kind));
            let beside = asked.flat_map(|(_, demands)| demands).copied();
            let beside = beside.filter(|&number| scene.demands[number].reservation == fixed.reservation);
            fixed.amount += beside.map(amount).sum::<u64>();
            members.push(fixed);
        }
        let others = needed_by_others(&members);
        let members = minimal(members, hosts.len() as u64);
        Some(self.describe(at, members, others, hosts))
    }

    /// Hosts of each class that nothing fixed uses at an instant.
    fn room(&self, at: Seconds, view: &View<'_, 'a>) -> Vec<u64> {
        let sizes = self.classes.fine.iter().map(|class| class.hosts.len() as u64);
        let Some(fixed) = view.fixed else {
            let busy = self.busy.iter().map(|(starts, ends)| {
                let begun = starts.partition_point(|&start| start <= at);
                (begun - ends.partition_point(|&end| end <= at)) as u64
            });
            return sizes.zip(busy).map(|(size, busy)| size - busy).collect();
        };
        let mut room: Vec<u64> = sizes.collect();
        let mut last = None;
        for &(host, interval, _) in fixed {
            if interval.contains(at) && last != Some(host) {
                room[self.classes.fine_of[host]] -= 1;
                last = Some(host);
            }
        }
        room
    }

    /// Fixed work on the hosts, by reservation. A host that several use together counts for the first.
    fn fixed_members(&self, at: Seconds, view: &View<'_, 'a>, hosts: &[HostNumber]) -> Vec<Member<'a>> {
        let mut first: BTreeMap<HostNumber, &'a ReservationId> = BTreeMap::new();
        let mut uses = |host: HostNumber, interval: Interval, reservation: &'a ReservationId| {
            if interval.contains(at) {
                let first = first.entry(host).or_insert(reservation);
                *first = reservation.min(*first);
            }
        };
        match view.fixed {
            Some(fixed) => {
                let here = fixed.iter().filter(|(host, ..)| hosts.binary_search(host).is_ok());
                here.for_each(|&(host, interval, reservation)| uses(host, interval, reservation));
            }
            None => {
                for &host in hosts {
                    let here = self.scene.fixed[host].iter();
                    here.for_each(|fixed| uses(host, fixed.interval, fixed.reservation));
                }
            }
        }
        let mut amounts: HashMap<&'a ReservationId, u64> = HashMap::new();
        for reservation in first.into_values() {
            *amounts.entry(reservation).or_default() += 1;
        }
        let members = amounts.into_iter().map(|(reservation, amount)| Member {
            reservation,
            amount,
            kind: None,
            own: self.own.contains(reservation),
        });
        members.collect()
    }

    fn describe(&self, at: Seconds, members: Vec<Member<'a>>, others: u64, hosts: Vec<HostNumber>) -> Shortage<'a> {
        let listed: HashSet<&ReservationId> = members.iter().map(|member| member.reservation).collect();
        let mut interval = Interval::new(Seconds::MIN, Seconds::MAX);
        let mut narrow = |other: Interval| {
            interval = Interval::new(interval.start.max(other.start), interval.end.min(other.end));
        };
        let mut requested = Vec::new();
        for &(number, _) in &self.demands {
            let demand = &self.scene.demands[number];
            if listed.contains(demand.reservation) && demand.occupation.contains(at) {
                narrow(demand.occupation);
                if demand.requested {
                    requested.push(number);
                }
            }
        }
        for &host in &hosts {
            for fixed in &self.scene.fixed[host] {
                if fixed.interval.contains(at) && listed.contains(fixed.reservation) {
                    narrow(fixed.interval);
                }
            }
        }
        Shortage {
            members,
            others,
            at,
            hosts,
            interval,
            requested,
        }
    }
}

/// When the hosts of each class are busy with fixed work during the span.
fn busy(scene: &Scene<'_>, classes: &Classes, span: Interval) -> Vec<(Vec<Seconds>, Vec<Seconds>)> {
    let mut busy: Vec<(Vec<Seconds>, Vec<Seconds>)> = vec![Default::default(); classes.fine.len()];
    for (host, fixed) in scene.fixed.iter().enumerate() {
        let mut intervals: Vec<Interval> = fixed
            .iter()
            .map(|fixed| fixed.interval)
            .filter(|interval| interval.overlaps(&span))
            .collect();
        // Instances may share a host.
        intervals.sort_unstable();
        let (starts, ends) = &mut busy[classes.fine_of[host]];
        let mut until = Seconds::MIN;
        for interval in intervals {
            if until == Seconds::MIN || interval.start > until {
                if until != Seconds::MIN {
                    ends.push(until);
                }
                starts.push(interval.start);
            }
            until = until.max(interval.end);
        }
        if until != Seconds::MIN {
            ends.push(until);
        }
    }
    for (starts, ends) in &mut busy {
        starts.sort_unstable();
        ends.sort_unstable();
    }
    busy
}
