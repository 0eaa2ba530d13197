//! The stream of requests.

use std::sync::Arc;

use solver::model::Seconds;
use solver::predicate::{Operator, Predicate};
use solver_format::{Condition, Kind, Members, RequestEntry, ReservationEntry};

use super::fleet::{ABILITIES, Capability, Class, MINUTE, zone_name};
use super::parameters::Parameters;
use crate::random::{Random, ratio, whole};

/// Instances of these sizes are asked for: processors, memory in MB, disk in GB.
const FLAVOURS: [(u64, u64, u64); 6] = [
    (1, 2_048, 20),
    (2, 8_192, 40),
    (4, 8_192, 80),
    (8, 32_768, 80),
    (8, 16_384, 160),
    (16, 65_536, 320),
];
/// Minutes in a day.
const DAY: i64 = 1_440;

/// Draws requests until they ask for the load's host-minutes.
pub(super) struct Demand<'a> {
    parameters: &'a Parameters,
    classes: &'a [Class],
    sizes: Vec<f64>,
    random: Random,
}

/// A request before it has a place in the stream.
struct Draft {
    /// Minutes after the stream's begin.
    arrival: i64,
    reservations: Vec<ReservationEntry>,
}

impl<'a> Demand<'a> {
    pub(super) fn new(parameters: &'a Parameters, classes: &'a [Class], random: Random) -> Self {
        Self {
            parameters,
            classes,
            sizes: classes.iter().map(|class| f64::from(class.hosts)).collect(),
            random,
        }
    }

    /// All requests in order of arrival, extensions among them. `progress` hears of host-minutes drawn and
    /// host-minutes wanted.
    pub(super) fn stream(&mut self, mut progress: impl FnMut(u64, u64)) -> Vec<RequestEntry> {
        let parameters = self.parameters;
        let minutes = f64::from(parameters.hosts) * f64::from(parameters.days) * 1_440.0;
        let wanted = whole(minutes * parameters.load, 1, i64::MAX / 1_000).unsigned_abs();
        let mut drawn = 0;
        let mut drafts = Vec::new();
        while drawn < wanted {
            let (draft, minutes) = self.draft();
            drawn += minutes;
            drafts.push(draft);
            progress(drawn.min(wanted), wanted);
        }
        drafts.sort_by_key(|draft| draft.arrival);
        self.name(drafts)
    }

    /// Gives the requests their names in order of arrival and puts extensions between them.
    fn name(&mut self, drafts: Vec<Draft>) -> Vec<RequestEntry> {
        let mut stream: Vec<(i64, RequestEntry)> = Vec::new();
        for (number, draft) in drafts.into_iter().enumerate() {
            let mut entry = RequestEntry {
                id: format!("q{number:06}").into(),
                at: Some(self.parameters.now + MINUTE * draft.arrival),
                value: None,
                replaces: None,
                reservations: draft.reservations,
            };
            for (place, part) in entry.reservations.iter_mut().enumerate() {
                part.id = format!("q{number:06}.{place}").into();
            }
            if self.random.chance(self.parameters.extended)
                && let Some(extension) = self.extension(&entry, draft.arrival)
            {
                stream.push(extension);
            }
            stream.push((draft.arrival, entry));
        }
        // An extension drawn for the minute of its lease's own arrival would come first without this.
        stream.sort_by(|(one, a), (other, b)| one.cmp(other).then(a.replaces.is_some().cmp(&b.replaces.is_some())));
        stream.into_iter().map(|(_, entry)| entry).collect()
    }

    /// A request, some time before the lease ends, for a later end of all its reservations.
    fn extension(&mut self, of: &RequestEntry, arrival: i64) -> Option<(i64, RequestEntry)> {
        let end = of.reservations.iter().map(|part| part.end).min()?;
        let last = (end - self.parameters.now) / MINUTE - 1;
        let at = self.random.between(arrival + 1, last.max(arrival + 1));
        let longer = MINUTE * self.duration();
        let mut reservations = of.reservations.clone();
        for part in &mut reservations {
            part.end += longer;
        }
        (at <= last).then(|| {
            let entry = RequestEntry {
                id: format!("{}.extension", of.id).into(),
                at: Some(self.parameters.now + MINUTE * at),
                value: None,
                replaces: Some(of.id.clone()),
                reservations,
            };
            (at, entry)
        })
    }

    /// A request and the host-minutes it asks for.
    fn draft(&mut self) -> (Draft, u64) {
        let parameters = self.parameters;
        let arrival = self.random.between(0, i64::from(parameters.days) * DAY - 1);
        let (start, end) = self.window(arrival);
        let (first, mut minutes) = if self.random.chance(parameters.instances) {
            self.instances(start, end)
        } else {
            self.hosts(start, end)
        };
        let mut reservations = vec![first];
        if self.random.chance(parameters.multiple) {
            let duration = self.duration();
            let (second, more) = self.hosts(start, start + duration);
            reservations.push(second);
            minutes += more;
        }
        if self.random.chance(parameters.unit_requests) {
            reservations.push(self.units(start, end));
        }
        (Draft { arrival, reservations }, minutes)
    }

    /// Start and end in minutes after the stream's begin.
    fn window(&mut self, arrival: i64) -> (i64, i64) {
        let parameters = self.parameters;
        let duration = self.duration();
        if self.random.chance(parameters.immediate) {
            return (arrival, arrival + duration);
        }
        let most = whole(parameters.lead_max * 1_440.0, 1, i64::MAX / 1_000);
        let lead = whole(self.random.exponential(parameters.lead_mean * 1_440.0), 1, most);
        let grain = if self.random.chance(parameters.on_hour) { 60 } else { 15 };
        let start = (arrival + lead + grain - 1) / grain * grain;
        (start, start + duration)
    }

    /// Minutes.
    fn duration(&mut self) -> i64 {
        let parameters = self.parameters;
        let minutes = self
            .random
            .lognormal(parameters.duration_median * 60.0, parameters.duration_sigma);
        let bound = |hours: f64| whole(hours * 60.0, 1, i64::MAX / 1_000);
        whole(minutes, bound(parameters.duration_min), bound(parameters.duration_max))
    }

    /// The capability of a class, large classes more often, with parts of it dropped; and its zone.
    fn requirement(&mut self) -> (Capability, Option<u32>) {
        let drop = self.parameters.drop;
        let mut asked = self.classes[self.random.weighted(&self.sizes)].capability.clone();
        if self.random.chance(drop) {
            asked.processor = 0;
        }
        if self.random.chance(drop) {
            asked.memory = 0;
        }
        for ability in &mut asked.abilities {
            *ability = *ability && !self.random.chance(drop);
        }
        let zone = self.random.chance(self.parameters.zoned).then(|| {
            let zones = self.parameters.zones.max(1);
            u32::try_from(self.random.place(zones as usize)).unwrap_or(0)
        });
        (asked, zone)
    }

    fn hosts(&mut self, start: i64, end: i64) -> (ReservationEntry, u64) {
        let parameters = self.parameters;
        let (asked, zone) = self.requirement();
        let suit: u32 = self
            .classes
            .iter()
            .filter(|class| class.capability.covers(&asked))
            .map(|class| class.hosts)
            .sum();
        let suit = if zone.is_some() {
            suit / parameters.zones.max(1)
        } else {
            suit
        };
        let cap = |share: f64, of: u32| whole((share * f64::from(of)).floor(), 1, i64::from(of));
        let most = cap(parameters.fleet_cap, parameters.hosts).min(cap(parameters.suitable_cap, suit.max(1)));
        let hosts = u32::try_from(whole(self.random.pareto(parameters.shape), 1, most)).unwrap_or(1);
        let least = if self.random.chance(parameters.elastic) {
            hosts.div_ceil(2)
        } else {
            hosts
        };
        let part = ReservationEntry {
            min: Some(least),
            max: Some(hosts),
            condition: Some(condition(&asked, zone)),
            ..self.entry(Kind::Host, start, end)
        };
        (part, u64::from(hosts) * end.abs_diff(start))
    }

    fn instances(&mut self, start: i64, end: i64) -> (ReservationEntry, u64) {
        let (asked, zone) = self.requirement();
        let (processors, memory, disk) = FLAVOURS[self.random.place(FLAVOURS.len())];
        let most = i64::from((self.parameters.hosts / 4).max(1));
        let amount = u32::try_from(whole(4.0 * self.random.pareto(self.parameters.shape), 1, most)).unwrap_or(1);
        let affinity = match self.random.weighted(&[0.8, 0.1, 0.1]) {
            0 => None,
            1 => Some(true),
            _ => Some(false),
        };
        // All on one host must fit the smallest host.
        let one_host = (32 / processors).min(131_072 / memory).min(1_000 / disk);
        let amount = if affinity == Some(true) {
            amount.min(u32::try_from(one_host).unwrap_or(u32::MAX))
        } else {
            amount
        };
        let part = ReservationEntry {
            amount: Some(amount),
            affinity,
            resources: Some(Members::from_iter([
                (Arc::from("VCPU"), processors),
                (Arc::from("MEMORY_MB"), memory),
                (Arc::from("DISK_GB"), disk),
            ])),
            condition: Some(condition(&asked, zone)),
            ..self.entry(Kind::Instance, start, end)
        };
        // In hosts: the processors asked for over those of a mean host.
        let all: u64 = self
            .classes
            .iter()
            .map(|class| class.capability.processors() * u64::from(class.hosts))
            .sum();
        let mean = ratio(all, u64::from(self.parameters.hosts));
        let shared = ratio(u64::from(amount) * processors * end.abs_diff(start), 1) / mean;
        (part, whole(shared, 1, i64::MAX / 1_000).unsigned_abs())
    }

    fn units(&mut self, start: i64, end: i64) -> ReservationEntry {
        let pool = self.random.place(self.parameters.pools as usize);
        let most = i64::from((self.parameters.units / 4).max(1));
        let amount = u32::try_from(self.random.between(1, most)).unwrap_or(1);
        let required = self.random.chance(0.2).then(|| {
            let unit = self.random.place(self.parameters.units as usize);
            vec![super::unit_name(pool, unit)]
        });
        ReservationEntry {
            pool: Some(super::pool_name(pool)),
            amount: Some(amount),
            required,
            ..self.entry(Kind::Units, start, end)
        }
    }

    /// An entry of this kind and window, everything else open.
    fn entry(&self, kind: Kind, start: i64, end: i64) -> ReservationEntry {
        let at = |minute: i64| -> Seconds { self.parameters.now + MINUTE * minute };
        ReservationEntry {
            id: Arc::from(""),
            kind,
            start: at(start),
            end: at(end),
            min: None,
            max: None,
            condition: None,
            pool: None,
            amount: None,
            resources: None,
            affinity: None,
            required: None,
            holds: None,
            pinned: None,
        }
    }
}

fn condition(asked: &Capability, zone: Option<u32>) -> Condition {
    let compare = |operator, property: &str, value: String| Predicate::Compare {
        operator,
        property: property.to_owned(),
        value,
    };
    let mut parts = Vec::new();
    if asked.processor > 0 {
        parts.push(compare(Operator::AtLeast, "vcpus", asked.processors().to_string()));
    }
    if asked.memory > 0 {
        parts.push(compare(Operator::AtLeast, "memory_mb", asked.megabytes().to_string()));
    }
    for ((name, _), asked) in ABILITIES.iter().zip(asked.abilities) {
        if asked {
            parts.push(compare(Operator::Equal, name, "True".to_owned()));
        }
    }
    if let Some(zone) = zone {
        parts.push(compare(Operator::Equal, "zone", zone_name(zone)));
    }
    let predicate = match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            Predicate::All(parts)
        }
        None => Predicate::All(parts),
    };
    Condition(Arc::new(predicate))
}
