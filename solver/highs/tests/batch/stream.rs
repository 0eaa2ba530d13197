//! Random fleets and requests: small ones for the subsets, and the generator of the design's section 11.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use solver::model::{Host, Interval, Request, RequestedReservation, Resource, Seconds};
use solver::predicate::{Operator, Predicate};

pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn between(&mut self, least: i64, most: i64) -> i64 {
        least + i64::try_from(self.next() % u64::try_from(most - least + 1).unwrap()).unwrap()
    }

    pub(crate) fn percent(&mut self, chance: i64) -> bool {
        self.between(0, 99) < chance
    }

    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

pub(crate) fn at_least(property: &str, value: i64) -> Predicate {
    Predicate::Compare {
        operator: Operator::AtLeast,
        property: property.to_owned(),
        value: value.to_string(),
    }
}

pub(crate) fn reservation(
    id: &str,
    start: Seconds,
    end: Seconds,
    min: u32,
    max: u32,
    predicate: Predicate,
) -> RequestedReservation {
    RequestedReservation {
        id: id.into(),
        resource: Resource::Host,
        window: Interval::new(start, end),
        cleaning: 0,
        min,
        max,
        predicate: Arc::new(predicate),
    }
}

pub(crate) fn host(id: String, properties: &[(&str, i64)]) -> Host {
    Host {
        id: id.into(),
        properties: properties
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_string()))
            .collect(),
        zone: None,
        rack: None,
        capacity: BTreeMap::new(),
        blocks: Vec::new(),
        reservable: true,
    }
}

const PROPERTIES: [&str; 8] = ["cpu", "mem", "f1", "f2", "f3", "f4", "f5", "f6"];
const BITS: [f64; 6] = [0.28, 0.28, 0.28, 0.12, 0.12, 0.12];

/// A fleet of so many hosts in so many classes, and requests for `load` times what it has in `days` days.
pub(crate) fn fleet(seed: u64, hosts: usize, classes: usize, load: f64, days: f64) -> (Vec<Host>, Vec<Request>) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut kinds: Vec<([i64; 8], f64)> = Vec::new();
    let mut seen = BTreeSet::new();
    while kinds.len() < classes {
        let draw = random.unit();
        let cpu = if draw < 0.5 {
            0
        } else if draw < 0.85 {
            1
        } else {
            2
        };
        let mem = (cpu - i64::from(random.unit() < 0.5)).max(0);
        let mut kind = [cpu, mem, 0, 0, 0, 0, 0, 0];
        for (bit, chance) in BITS.iter().enumerate() {
            kind[2 + bit] = i64::from(random.unit() < *chance);
        }
        if seen.insert(kind) {
            let rich = (cpu + mem + 2 * kind[2..].iter().sum::<i64>()) as f64;
            kinds.push((kind, (-0.35 * rich).exp() * (0.6 * random.normal()).exp()));
        }
    }
    let total: f64 = kinds.iter().map(|(_, weight)| weight).sum();
    let mut sizes: Vec<usize> = kinds
        .iter()
        .map(|(_, weight)| ((weight / total * hosts as f64).round() as usize).max(1))
        .collect();
    let largest = (0..classes).max_by_key(|&class| sizes[class]).unwrap();
    let others: usize = sizes.iter().sum::<usize>() - sizes[largest];
    sizes[largest] = hosts.saturating_sub(others).max(1);
    let mut fleet = Vec::new();
    for ((kind, _), &size) in kinds.iter().zip(&sizes) {
        for _ in 0..size {
            let properties: Vec<(&str, i64)> = PROPERTIES.iter().copied().zip(kind.iter().copied()).collect();
            fleet.push(host(format!("h{:06}", fleet.len()), &properties));
        }
    }
    let mut requests = Vec::new();
    let wanted = load * hosts as f64 * days * 86_400.0;
    let mut asked = 0.0;
    while asked < wanted {
        let mut pick = random.unit() * hosts as f64;
        let model = (0..classes)
            .find(|&class| {
                pick -= sizes[class] as f64;
                pick <= 0.0
            })
            .unwrap_or(largest);
        let need: Vec<(usize, i64)> = kinds[model]
            .0
            .iter()
            .copied()
            .enumerate()
            .filter(|&(_, value)| value > 0)
            .filter(|_| random.unit() >= 0.5)
            .collect();
        let eligible: usize = (0..classes)
            .filter(|&class| need.iter().all(|&(property, value)| kinds[class].0[property] >= value))
            .map(|class| sizes[class])
            .sum();
        let most = (hosts as f64 * 0.12).min((eligible as f64 / 2.0).ceil()).max(1.0);
        let count = (1.0 / random.unit().powf(1.0 / 1.15)).ceil().min(most) as u32;
        let hours = (24.0 * (1.4 * random.normal()).exp()).clamp(1.0, 45.0 * 24.0);
        let seconds = ((hours * 4.0).round() as i64) * 900;
        let lead = if random.unit() < 0.35 {
            0.0
        } else {
            (-random.unit().ln() * 7.0).min(45.0)
        };
        let start = (random.unit() * days + lead) * 86_400.0;
        let grid = if random.unit() < 0.7 { 3_600 } else { 900 };
        let start = (start as i64 / grid + 1) * grid;
        let parts = need
            .iter()
            .map(|&(property, value)| at_least(PROPERTIES[property], value));
        let id = format!("q{:06}", requests.len());
        requests.push(Request {
            id: id.as_str().into(),
            replaces: None,
            reservations: vec![reservation(
                &format!("{id}a"),
                start,
                start + seconds,
                count,
                count,
                Predicate::All(parts.collect()),
            )],
        });
        asked += f64::from(count) * seconds as f64;
    }
    (fleet, requests)
}
