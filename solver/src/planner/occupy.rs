//! Hosts taken and given back, with everything derived from that.
//!
//! Invariant: no two host reservations overlap on a host, nor does one overlap instances; and the index, once
//! it exists, counts what the hosts carry and knows when each is idle.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Part, Planner, StateError, Stored};
use crate::hosts::{Carried, HostNumber, Occupation, Share, between};
use crate::index::{Gap, IndexClass};
use crate::model::{Interval, Lease, LeaseId, Reservation, Resource, Seconds};

/// What the index has to learn of hosts.
#[derive(Default)]
struct Changes {
    /// Hosts more or fewer in use during an interval, by class.
    used: BTreeMap<(IndexClass, Interval), i32>,
    /// Gaps of single hosts, one after another.
    gaps: Vec<GapChange>,
}

/// A gap that opens or closes.
struct GapChange {
    class: IndexClass,
    richness: u64,
    gap: Gap,
    opens: bool,
}

impl Planner {
    /// Removes a lease and frees what it holds.
    pub fn remove_lease(&mut self, lease: &LeaseId) {
        let Some(stored) = self.leases.remove(lease) else {
            return;
        };
        for (reservation, part) in stored.lease.reservations.iter().zip(&stored.parts) {
            self.returned.push_back(part.number);
            self.kinds.remove(lease, reservation);
            if !matches!(reservation.resource, Resource::Units(_)) {
                let is_instances = reservation.resource != Resource::Host;
                let mut changes = Changes::default();
                let interval = part.occupation(reservation);
                for held in reservation.holds.chunk_by(|one, other| one == other) {
                    let (Some(number), Some(interval)) = (self.hosts.number(&held[0]), interval) else {
                        continue;
                    };
                    self.change_host(number, &mut changes, interval, -1, |carried| {
                        if is_instances {
                            carried.shares.retain(|share| share.taken.number != part.number);
                        } else {
                            carried.occupations.retain(|taken| taken.number != part.number);
                        }
                    });
                }
                self.note(changes);
                if let Some(index) = self.index_mut() {
                    index.release(part.number);
                }
            }
            if self.interner.release(part.predicate)
                && let Some(index) = self.index_mut()
                && index.forget(part.predicate)
            {
                self.forget_index();
            }
        }
    }

    /// Changes what a host carries and notes how its time in use changes: during one interval if it
    /// carries no instances, which may overlap.
    fn change_host(
        &mut self,
        number: HostNumber,
        changes: &mut Changes,
        interval: Interval,
        change: i32,
        make: impl FnOnce(&mut Carried),
    ) {
        let class = self.index.get().map(|index| index.class_of(number));
        let Some(carried) = self.hosts.at_mut(number) else {
            return;
        };
        let before = (!carried.shares.is_empty()).then(|| carried.used());
        make(carried);
        let (Some(class), Ok(host)) = (class, u32::try_from(number)) else {
            return;
        };
        let richness = carried.richness;
        let mut note = |idle: &Interval, opens: bool| {
            if idle.start < idle.end {
                changes.gaps.push(GapChange {
                    class,
                    richness,
                    gap: Gap { idle: *idle, host },
                    opens,
                });
            }
        };
        if before.is_none() && carried.shares.is_empty() {
            let whole = carried.idle_besides(interval);
            let parts = [
                Interval::new(whole.start, interval.start),
                Interval::new(interval.end, whole.end),
            ];
            // What closes comes first: a gap may open where another began.
            if change > 0 {
                note(&whole, false);
                parts.iter().for_each(|part| note(part, true));
            } else {
                parts.iter().for_each(|part| note(part, false));
                note(&whole, true);
            }
            *changes.used.entry((class, interval)).or_default() += change;
            return;
        }
        let before = before.unwrap_or_else(|| {
            let mut without = carried.clone();
            without.shares.clear();
            without.used()
        });
        let after = carried.used();
        let (closed, opened) = (between(&before), between(&after));
        let closing = closed.iter().filter(|gap| !opened.contains(gap));
        closing.for_each(|gap| note(gap, false));
        let opening = opened.iter().filter(|gap| !closed.contains(gap));
        opening.for_each(|gap| note(gap, true));
        for used in before {
            *changes.used.entry((class, used)).or_default() -= 1;
        }
        for used in after {
            *changes.used.entry((class, used)).or_default() += 1;
        }
    }

    /// Brings the index up to date.
    fn note(&mut self, changes: Changes) {
        if let Some(index) = self.index_mut() {
            for ((class, interval), change) in changes.used {
                index.use_hosts(class, interval, change);
            }
            for GapChange {
                class,
                richness,
                gap,
                opens,
            } in changes.gaps
            {
                if opens {
                    index.open_gap(class, richness, gap);
                } else {
                    index.close_gap(class, richness, gap);
                }
            }
        }
    }

    /// Adds a lease the planner does not hold, each reservation as far as it lies after what `since` says of it; after
    /// an error the planner is partly changed.
    pub(super) fn occupy(&mut self, lease: Lease, since: impl Fn(&Reservation) -> Seconds) -> Result<(), StateError> {
        let mut parts = Vec::with_capacity(lease.reservations.len());
        let mut standing: Vec<(usize, Vec<u32>)> = Vec::with_capacity(lease.reservations.len());
        let predicates = self.learn(lease.reservations.iter().map(|reservation| &reservation.predicate));
        for (reservation, predicate) in lease.reservations.iter().zip(predicates) {
            let part = Part {
                number: self.returned.pop_back().unwrap_or_else(|| {
                    self.numbers += 1;
                    self.numbers - 1
                }),
                predicate,
                since: since(reservation),
            };
            parts.push(part);
            self.kinds.add(&lease.id, reservation);
            let instances = match &reservation.resource {
                Resource::Host => None,
                Resource::Instances(instances) => Some(instances),
                Resource::Units(_) => continue,
            };
            let interval = part.occupation(reservation);
            let mut changes = Changes::default();
            let mut hosts = Vec::with_capacity(reservation.holds.len());
            for held in reservation.holds.chunk_by(|one, other| one == other) {
                let unknown = || StateError::UnknownHost {
                    reservation: reservation.id.to_string(),
                    host: held[0].to_string(),
                };
                let number = self.hosts.number(&held[0]).ok_or_else(unknown)?;
                let carried = self.hosts.at(number).ok_or_else(unknown)?;
                let Some(interval) = interval else { continue };
                hosts.extend(u32::try_from(number));
                let in_the_way = match instances {
                    None => carried.in_use(interval).next(),
                    Some(_) => carried.overlapping(interval).first(),
                };
                let suits = || {
                    let index = self.index.get();
                    let known = index.and_then(|index| Some((index.eligible(predicate)?, index.class_of(number))));
                    let matches = known.map_or_else(
                        || carried.host.matches(&reservation.predicate),
                        |(eligible, class)| eligible.admits(class),
                    );
                    matches && carried.host.takes(reservation.window)
                };
                if interval.start > self.kept_until && (reservation.pinned || instances.is_some() || !suits()) {
                    self.kept_until = interval.start;
                }
                if let Some(other) = in_the_way {
                    return Err(StateError::Overlap {
                        first: other.reservation.to_string(),
                        second: reservation.id.to_string(),
                        host: held[0].to_string(),
                        at: interval.start.max(other.interval.start),
                    });
                }
                let taken = Occupation {
                    interval,
                    lease: lease.id.clone(),
                    reservation: reservation.id.clone(),
                    number: part.number,
                    pinned: reservation.pinned,
                };
                let starts_before = |taken: &Occupation| taken.interval.start < interval.start;
                self.change_host(number, &mut changes, interval, 1, |carried| match instances {
                    None => {
                        let place = carried.occupations.partition_point(starts_before);
                        carried.occupations.insert(place, taken);
                    }
                    Some(instances) => {
                        let place = carried.shares.partition_point(|share| starts_before(&share.taken));
                        let share = Share {
                            taken,
                            count: u32::try_from(held.len()).unwrap_or(u32::MAX),
                            instances: Arc::clone(instances),
                        };
                        carried.shares.insert(place, share);
                    }
                });
            }
            self.note(changes);
            standing.push((parts.len() - 1, hosts));
        }
        let stored = Arc::new(Stored { lease, parts });
        if let Some(index) = self.index_mut() {
            for (place, mut hosts) in standing {
                hosts.sort_unstable();
                index.hold(&stored, place, hosts);
            }
        }
        self.leases.insert(stored.lease.id.clone(), stored);
        Ok(())
    }
}
