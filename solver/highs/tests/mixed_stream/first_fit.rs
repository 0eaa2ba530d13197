//! The baseline: every request goes to the first hosts with room, and stays there.

use std::collections::BTreeMap;

use solver::model::{Host, Interval, Request, Resource, Seconds};

struct Work {
    interval: Interval,
    /// Amounts by class; `None` for the whole host.
    takes: Option<BTreeMap<String, u64>>,
}

pub(crate) struct FirstFit<'h> {
    hosts: Vec<(&'h Host, Vec<Work>)>,
}

impl<'h> FirstFit<'h> {
    pub(crate) fn new(hosts: &'h [Host]) -> Self {
        Self {
            hosts: hosts.iter().map(|host| (host, Vec::new())).collect(),
        }
    }

    /// Gives a request the first hosts that have room; `false` if there are too few.
    pub(crate) fn admit(&mut self, request: &Request, now: Seconds) -> bool {
        let asked = &request.reservations[0];
        for (_, works) in &mut self.hosts {
            works.retain(|work| work.interval.end > now);
        }
        let mut missing = u64::from(asked.min);
        let mut given: Vec<(usize, u64)> = Vec::new();
        for (position, (host, works)) in self.hosts.iter().enumerate() {
            if missing == 0 {
                break;
            }
            if !host.suits(&asked.predicate, asked.window) {
                continue;
            }
            let room = match &asked.resource {
                Resource::Instances(instances) => {
                    let room = room(host, works, asked.window, &instances.resources);
                    match instances.affinity {
                        Some(true) if room < missing => 0,
                        Some(false) => room.min(1),
                        _ => room,
                    }
                }
                Resource::Host | Resource::Units(_) => {
                    u64::from(!works.iter().any(|work| work.interval.overlaps(&asked.window)))
                }
            };
            if room > 0 {
                given.push((position, room.min(missing)));
                missing -= room.min(missing);
            }
        }
        if missing > 0 {
            return false;
        }
        for (position, count) in given {
            let takes = match &asked.resource {
                Resource::Instances(instances) => {
                    let all = instances.resources.iter();
                    Some(all.map(|(class, amount)| (class.clone(), amount * count)).collect())
                }
                Resource::Host | Resource::Units(_) => None,
            };
            self.hosts[position].1.push(Work {
                interval: asked.window,
                takes,
            });
        }
        true
    }
}

fn room(host: &Host, works: &[Work], window: Interval, each: &BTreeMap<String, u64>) -> u64 {
    let here: Vec<&Work> = works.iter().filter(|work| work.interval.overlaps(&window)).collect();
    if here.iter().any(|work| work.takes.is_none()) {
        return 0;
    }
    let instants = here
        .iter()
        .map(|work| work.interval.start.max(window.start))
        .chain([window.start]);
    let left = |at: Seconds, class: &str| {
        let used: u64 = here
            .iter()
            .filter(|work| work.interval.contains(at))
            .filter_map(|work| work.takes.as_ref()?.get(class))
            .sum();
        host.capacity.get(class).copied().unwrap_or(0).saturating_sub(used)
    };
    instants
        .flat_map(|at| each.iter().map(move |(class, amount)| (at, class, *amount)))
        .filter_map(|(at, class, amount)| left(at, class).checked_div(amount))
        .min()
        .unwrap_or(0)
}
