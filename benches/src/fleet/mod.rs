//! Decisions on a large fleet that carries many leases already.
//!
//! Invariant: the leases are consistent: no two hold one host at one second, each holds suitable hosts. They are placed class by
//! class in order of start, which fills an interval graph without search (Kolen, Lenstra, Papadimitriou, Spieksma, "Interval
//! scheduling: a survey", Naval Research Logistics 2007).

mod measure;
mod questions;
mod refusals;
mod scan;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use solver::model::{Host, HostId, Interval, Lease, Request, Reservation, Seconds};
use solver::planner::{Planner, StateError};
use solver::predicate::Predicate;
use solver_format::HostEntry;

use crate::generator::{ParameterError, Parameters, generate};
use crate::random::{Random, ratio};
pub use measure::{Budgets, Figures, measure};
pub use scan::Scan;

/// Days over which the leases are spread.
const DAYS: u32 = 20;
/// How long after the first lease the clock stands, so that many have begun.
const LEAD_IN: Seconds = 2 * 86_400;
/// Largest lease.
const MOST_HOSTS: u32 = 64;
/// Host-hours of a lease under these parameters, about.
const HOST_HOURS: f64 = 200.0;

/// How large a fleet is measured.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Hosts.
    pub hosts: u32,
    /// Capability classes.
    pub classes: usize,
    /// Leases held that have not ended.
    pub leases: usize,
    /// The seed.
    pub seed: u64,
}

/// A fleet with its leases, and requests to decide on it.
pub struct Filled {
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The leases.
    pub leases: Vec<Lease>,
    /// Requests that are not among the leases, in random order, none starting before `now`.
    pub requests: Vec<Request>,
    /// The clock.
    pub now: Seconds,
}

impl Filled {
    /// Draws a fleet and fills it.
    pub fn new(size: Size) -> Result<Self, ParameterError> {
        let wanted = ratio(size.leases as u64, u64::from(size.hosts.max(1)));
        let parameters = Parameters {
            seed: size.seed,
            hosts: size.hosts,
            classes: size.classes,
            days: DAYS,
            // Half as many again: some will have ended, some do not fit, some are asked about.
            load: (1.5 * wanted * HOST_HOURS / f64::from(24 * DAYS)).max(0.01),
            fleet_cap: (f64::from(MOST_HOSTS) / f64::from(size.hosts.max(1))).min(0.12),
            immediate: 1.0,
            ..Parameters::default()
        };
        let problem = generate(&parameters, |_, _| {})?;
        let now = problem.now + LEAD_IN;
        let hosts: Vec<Host> = problem.hosts.iter().map(HostEntry::to_host).collect();
        let mut random = Random::part(size.seed, 9);
        let mut known: HashSet<Arc<Predicate>> = HashSet::new();
        let mut requests: Vec<Request> = Vec::new();
        for entry in problem.requests {
            let mut request = entry.to_request(0);
            if request.reservations.iter().any(|part| part.window.end <= now) {
                continue;
            }
            // Requests that ask for the same share what they ask for, or it would be most of the memory.
            for part in &mut request.reservations {
                match known.get(&part.predicate) {
                    Some(same) => part.predicate = Arc::clone(same),
                    None => drop(known.insert(Arc::clone(&part.predicate))),
                }
            }
            requests.push(request);
        }
        random.shuffle(&mut requests);
        // Every eighth is left to ask about, in a window that is still to come.
        let (mut asked, mut held): (Vec<Request>, Vec<Request>) = (Vec::new(), Vec::new());
        for (number, mut request) in requests.into_iter().enumerate() {
            if number % 8 == 0 {
                for part in &mut request.reservations {
                    let late = (now + 60 * random.between(1, 1_440) - part.window.start).max(0);
                    part.window = Interval::new(part.window.start + late, part.window.end + late);
                }
                asked.push(request);
            } else {
                held.push(request);
            }
        }
        held.sort_by_key(|request| request.reservations.first().map(|part| part.window.start));
        let mut leases = place(&hosts, &held);
        random.shuffle(&mut leases);
        leases.truncate(size.leases);
        Ok(Self {
            hosts,
            leases,
            requests: asked,
            now,
        })
    }

    /// The planner that knows all of it.
    pub fn planner(&self) -> Result<Planner, StateError> {
        let mut planner = Planner::new(0);
        for host in &self.hosts {
            planner.put_host(host.clone());
        }
        for lease in &self.leases {
            planner.put_lease(lease.clone())?;
        }
        Ok(planner)
    }
}

/// Hosts that no predicate of the generator can tell apart, by when they become free.
type Class = BTreeSet<(Seconds, HostId)>;

/// Gives requests in order of start the hosts that have idled least, poor classes first, or nothing.
fn place(hosts: &[Host], requests: &[Request]) -> Vec<Lease> {
    let mut classes: BTreeMap<(usize, &BTreeMap<String, String>), Class> = BTreeMap::new();
    for host in hosts {
        let class = classes.entry((host.properties.len(), &host.properties)).or_default();
        class.insert((Seconds::MIN, host.id.clone()));
    }
    let mut classes: Vec<(&BTreeMap<String, String>, Class)> = classes
        .into_iter()
        .map(|((_, properties), class)| (properties, class))
        .collect();
    let mut leases = Vec::new();
    for request in requests {
        let [part] = request.reservations.as_slice() else {
            continue;
        };
        let wanted = part.min as usize;
        let mut chosen: Vec<(usize, (Seconds, HostId))> = Vec::with_capacity(wanted);
        for (number, (properties, class)) in classes.iter().enumerate() {
            if suits(&part.predicate, properties) {
                let free = class.range(..(part.window.start + 1, HostId::from(""))).rev();
                chosen.extend(free.take(wanted - chosen.len()).map(|host| (number, host.clone())));
            }
        }
        if chosen.len() < wanted {
            continue;
        }
        let mut holds = Vec::with_capacity(wanted);
        for (number, host) in chosen {
            let class = &mut classes[number].1;
            class.remove(&host);
            class.insert((part.window.end, host.1.clone()));
            holds.push(host.1);
        }
        holds.sort();
        leases.push(Lease {
            id: request.id.clone(),
            reservations: vec![Reservation {
                id: part.id.clone(),
                resource: part.resource.clone(),
                window: part.window,
                cleaning: 0,
                min: part.min,
                max: part.max,
                predicate: Arc::clone(&part.predicate),
                holds,
                pinned: false,
            }],
        });
    }
    leases
}

fn suits(predicate: &Predicate, properties: &BTreeMap<String, String>) -> bool {
    predicate.matches(&|name| properties.get(name).map(String::as_str))
}
