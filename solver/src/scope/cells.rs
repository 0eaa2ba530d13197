//! Groups of the index become cells.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::{CellNumber, DemandNumber, Scope};
use crate::classes::{Classes, Fine};
use crate::hosts::{HostNumber, Occupation};
use crate::index::Profile;
use crate::model::{Interval, Seconds};
use crate::scene::{Extent, Part, Scene};

/// Hosts that are equal to whoever is to be placed.
pub(crate) struct Cell<'a> {
    pub(crate) group: usize,
    /// How many hosts it has.
    pub(crate) size: u32,
    pub(crate) richness: u64,
    /// The first of its hosts.
    pub(crate) first: HostNumber,
    /// How many of them are in use over time.
    pub(crate) profile: Cow<'a, Profile>,
    /// Fixed work to come, the same on every host.
    calendar: Vec<Interval>,
    /// Pending demands that may stay although the hosts do not suit them any more.
    pub(super) exceptions: BTreeSet<DemandNumber>,
    /// The pending demands that hold hosts of it; `None`: those the index knows of.
    pub(super) holders: Option<Vec<(DemandNumber, u32)>>,
}

impl Cell<'_> {
    /// Whether the fixed work to come on every host of the cell meets the interval.
    pub(crate) fn is_taken(&self, interval: Interval) -> bool {
        self.calendar.iter().any(|taken| taken.overlaps(&interval))
    }

    /// Hosts that are not in use at an instant; negative if more are wanted than there are.
    pub(crate) fn free(&self, at: Seconds) -> i64 {
        i64::from(self.size) - i64::from(self.profile.value_at(at))
    }
}

impl Scope<'_> {
    /// The cells of a group.
    pub(super) fn open(&mut self, group: usize) -> Rc<[CellNumber]> {
        if let Some(cells) = &self.opened[group] {
            return Rc::clone(cells);
        }
        let first = self.cells.len();
        if self.uneven[group] {
            self.open_uneven(group);
        } else {
            self.open_even(group);
        }
        let cells: Rc<[CellNumber]> = (first..self.cells.len()).collect();
        self.opened[group] = Some(Rc::clone(&cells));
        cells
    }

    fn open_even(&mut self, group: usize) {
        let (index, classes) = (self.index, self.groups.classes(group));
        let mut profile = match classes {
            &[class] => Cow::Borrowed(index.profile(class)),
            _ => Cow::Owned(Profile::sum(classes.iter().map(|&class| index.profile(class)))),
        };
        for &(interval, change) in self.adjusted.get(&group).into_iter().flatten() {
            profile.to_mut().add(interval, change);
        }
        for host in self.cleared(group) {
            let Some(carried) = self.planner.hosts.at(host) else {
                continue;
            };
            let aside = |taken: &Occupation| {
                let held = self.index.held(taken.number);
                !taken.is_fixed(self.now, self.planner.freeze)
                    && held.is_none_or(|held| self.aside.as_ref().is_some_and(|aside| aside.leaves_out(held)))
            };
            let stays = carried.used_beside(aside);
            carried
                .used()
                .into_iter()
                .for_each(|used| profile.to_mut().add(used, -1));
            stays.into_iter().for_each(|used| profile.to_mut().add(used, 1));
        }
        let hosts = || classes.iter().map(|&class| index.hosts_of(class));
        let richness = classes.iter().map(|&class| index.richness(class)).min();
        let first = hosts().filter_map(|hosts| hosts.first()).min();
        self.cells.push(Cell {
            group,
            size: u32::try_from(hosts().map(<[u32]>::len).sum::<usize>()).unwrap_or(u32::MAX),
            richness: richness.unwrap_or_default(),
            first: first.map_or(0, |&host| host as HostNumber),
            profile,
            calendar: Vec::new(),
            exceptions: BTreeSet::new(),
            holders: None,
        });
    }

    /// Hosts of a group on which instances stand that are left aside.
    fn cleared(&self, group: usize) -> BTreeSet<HostNumber> {
        let mut cleared = BTreeSet::new();
        for &class in self.groups.classes(group).iter().filter(|_| self.aside.is_some()) {
            let always = Interval::new(self.earliest, self.until(group));
            let holders = self.index.holders(class).within(always);
            let aside = holders.filter(|holder| self.is_aside(holder));
            let held = aside.filter_map(|holder| self.index.held(holder.number));
            let hosts = held.flat_map(|held| &held.hosts).map(|&host| host as HostNumber);
            cleared.extend(hosts.filter(|&host| self.index.class_of(host) == class));
        }
        cleared
    }

    /// Reads every host of the group and parts them.
    fn open_uneven(&mut self, group: usize) {
        let groups = [self.groups.classes(group).to_vec()];
        let extent = Extent {
            groups: &groups,
            pending: None,
            asked: None,
            silent: false,
            reached: self.reached,
            aside: self.aside.as_ref(),
        };
        let part = Scene::part(self.planner, self.asks, self.request, self.now, &extent);
        let classes = Classes::from(&part.scene, self.earliest, |_| self.until(group));
        let demands: Vec<Option<DemandNumber>> = part.reservations.iter().map(|&number| self.know(number)).collect();
        let requested = self.asks.len();
        let first = self.cells.len();
        for fine in &classes.fine {
            let known = |&number: &usize| demands[number - requested];
            self.cells.push(Cell {
                group,
                size: u32::try_from(fine.hosts.len()).unwrap_or(u32::MAX),
                richness: part.scene.richness[fine.hosts[0]],
                first: part.hosts[fine.hosts[0]],
                profile: Cow::Owned(fixed_profile(&part, fine)),
                calendar: fine.calendar().to_vec(),
                exceptions: fine.exceptions().iter().filter_map(known).collect(),
                holders: Some(Vec::new()),
            });
        }
        for (host, &class) in part.hosts.iter().zip(&classes.fine_of) {
            self.cell_of.insert(*host, first + class);
        }
        for (demand, number) in part.scene.demands[requested..].iter().zip(demands) {
            let Some(number) = number else { continue };
            let mut cells: Vec<CellNumber> = demand.holds.iter().map(|&host| first + classes.fine_of[host]).collect();
            cells.sort_unstable();
            for same in cells.chunk_by(|one, other| one == other) {
                let count = u32::try_from(same.len()).unwrap_or(u32::MAX);
                let cell = &mut self.cells[same[0]];
                if cell.is_taken(demand.occupation) {
                    self.displaced.push((number, same[0], count));
                    continue;
                }
                let change = i32::try_from(count).unwrap_or(i32::MAX);
                cell.profile.to_mut().add(demand.occupation, change);
                cell.holders.get_or_insert_default().push((number, count));
            }
        }
    }
}

/// How many hosts of a fine class fixed work uses over time.
fn fixed_profile(part: &Part<'_>, fine: &Fine) -> Profile {
    let mut used: Vec<Interval> = Vec::new();
    for &host in &fine.hosts {
        let mut intervals: Vec<Interval> = part.scene.fixed[host].iter().map(|fixed| fixed.interval).collect();
        // Instances may share a host.
        intervals.sort_unstable();
        let first = used.len();
        for interval in intervals {
            match used[first..].last_mut() {
                Some(last) if interval.start <= last.end => last.end = last.end.max(interval.end),
                _ => used.push(interval),
            }
        }
    }
    Profile::of(used.into_iter())
}
