//! The hosts: capability classes of unequal size, the poor ones larger.

use std::sync::Arc;

use solver::model::{HostId, Seconds};
use solver_format::{HostEntry, Members};

use super::parameters::Parameters;
use crate::random::{Random, whole};

/// Abilities a class of hosts may have, and how probable each is.
pub(super) const ABILITIES: [(&str, f64); 6] = [
    ("ssd", 0.28),
    ("infiniband", 0.28),
    ("local_nvme", 0.28),
    ("gpu", 0.12),
    ("fpga", 0.12),
    ("sgx", 0.12),
];

/// Seconds in a minute, the grain of all times.
pub(super) const MINUTE: Seconds = 60;

/// What a class of hosts can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Capability {
    /// 0 to 2: 32, 64 or 128 processors.
    pub(super) processor: u32,
    /// 0 to 2: 128, 256 or 512 GB.
    pub(super) memory: u32,
    /// Which of [`ABILITIES`].
    pub(super) abilities: [bool; ABILITIES.len()],
}

impl Capability {
    pub(super) const fn processors(&self) -> u64 {
        32 << self.processor
    }

    pub(super) const fn megabytes(&self) -> u64 {
        131_072 << self.memory
    }

    pub(super) const fn gigabytes(&self) -> u64 {
        1_000 << self.processor
    }

    /// Whether hosts of this capability can do everything the other asks for.
    pub(super) fn covers(&self, asked: &Self) -> bool {
        self.processor >= asked.processor
            && self.memory >= asked.memory
            && self
                .abilities
                .iter()
                .zip(asked.abilities)
                .all(|(has, asked)| *has || !asked)
    }

    fn draw(random: &mut Random) -> Self {
        let processor: u32 = match random.weighted(&[0.5, 0.35, 0.15]) {
            0 => 0,
            1 => 1,
            _ => 2,
        };
        let memory = if random.chance(0.5) {
            processor
        } else {
            processor.saturating_sub(1)
        };
        Self {
            processor,
            memory,
            abilities: ABILITIES.map(|(_, probability)| random.chance(probability)),
        }
    }

    /// How much it can do that others cannot.
    fn richness(&self) -> u32 {
        let abilities = self.abilities.iter().filter(|has| **has).count();
        self.processor + self.memory + 2 * u32::try_from(abilities).unwrap_or(0)
    }
}

/// A class of hosts.
#[derive(Debug, Clone)]
pub(super) struct Class {
    pub(super) capability: Capability,
    /// How many hosts it has, at least 1.
    pub(super) hosts: u32,
}

/// Distinct classes with all hosts shared out: one each, the rest in proportion to
/// `exp(-rarity x richness) x lognormal(0, size_sigma)`.
pub(super) fn classes(parameters: &Parameters, random: &mut Random) -> Vec<Class> {
    let mut capabilities: Vec<Capability> = Vec::new();
    while capabilities.len() < parameters.classes {
        // Rare capabilities are seldom drawn; when only those are left, abilities are tossed evenly.
        let mut drawn = Capability::draw(random);
        let mut attempts = 0;
        while capabilities.contains(&drawn) {
            drawn = Capability::draw(random);
            attempts += 1;
            if attempts > 64 {
                drawn.abilities = drawn.abilities.map(|_| random.chance(0.5));
            }
        }
        capabilities.push(drawn);
    }
    let weights: Vec<f64> = capabilities
        .iter()
        .map(|capability| {
            let rarity = -parameters.rarity * f64::from(capability.richness());
            rarity.exp() * random.lognormal(1.0, parameters.size_sigma)
        })
        .collect();
    let total: f64 = weights.iter().sum();
    let spare = parameters
        .hosts
        .saturating_sub(u32::try_from(parameters.classes).unwrap_or(u32::MAX));
    let exact: Vec<f64> = weights.iter().map(|weight| f64::from(spare) * weight / total).collect();
    let mut hosts: Vec<u32> = exact
        .iter()
        .map(|share| 1 + u32::try_from(whole(share.floor(), 0, i64::from(spare))).unwrap_or(0))
        .collect();
    // What rounding down left over goes to the largest remainders.
    let mut order: Vec<usize> = (0..exact.len()).collect();
    order.sort_by(|&one, &other| {
        exact[other]
            .fract()
            .total_cmp(&exact[one].fract())
            .then(one.cmp(&other))
    });
    let left = parameters.hosts.saturating_sub(hosts.iter().sum());
    for &class in order.iter().take(left as usize) {
        hosts[class] += 1;
    }
    let sized = capabilities.into_iter().zip(hosts);
    sized.map(|(capability, hosts)| Class { capability, hosts }).collect()
}

/// The hosts of all classes, in random order, so that a host's number says nothing about its class.
pub(super) fn hosts(parameters: &Parameters, classes: &[Class], random: &mut Random) -> Vec<HostEntry> {
    let mut kinds: Vec<usize> = Vec::new();
    for (number, class) in classes.iter().enumerate() {
        kinds.extend(std::iter::repeat_n(number, class.hosts as usize));
    }
    random.shuffle(&mut kinds);
    let entry = |(number, kind): (usize, usize)| {
        let capability = &classes[kind].capability;
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let rack = (parameters.racks > 0).then(|| number % parameters.racks);
        let zone = (parameters.zones > 0).then(|| rack.unwrap_or(number) % parameters.zones);
        HostEntry {
            id: host_name(number),
            properties: properties(capability),
            zone: zone.map(zone_name),
            rack: rack.map(|rack| format!("r{rack}")),
            capacity: Members::from_iter([
                (Arc::from("VCPU"), capability.processors()),
                (Arc::from("MEMORY_MB"), capability.megabytes()),
                (Arc::from("DISK_GB"), capability.gigabytes()),
            ]),
            blocks: Vec::new(),
            reservable: true,
        }
    };
    kinds.into_iter().enumerate().map(entry).collect()
}

fn host_name(number: u32) -> HostId {
    format!("h{number:06}").into()
}

pub(super) fn zone_name(number: u32) -> String {
    format!("az{number}")
}

fn properties(capability: &Capability) -> Members<String> {
    let mut properties = vec![
        (Arc::from("vcpus"), capability.processors().to_string()),
        (Arc::from("memory_mb"), capability.megabytes().to_string()),
    ];
    for ((name, _), has) in ABILITIES.iter().zip(capability.abilities) {
        if has {
            properties.push((Arc::from(*name), "True".to_owned()));
        }
    }
    properties.into_iter().collect()
}

/// Takes hosts out of service: maintenance in batches that share a calendar, and failures.
pub(super) fn disrupt(parameters: &Parameters, hosts: &mut [HostEntry], random: &mut Random) {
    let now = parameters.now;
    let span = i64::from(parameters.days) * 1_440;
    if parameters.maintenance > 0 {
        let share = whole(
            f64::from(parameters.hosts) * parameters.maintained,
            0,
            i64::from(parameters.hosts),
        );
        let batches = i64::from(parameters.maintenance);
        for batch in 0..batches {
            // Neighbours are serviced together, each batch once, at night.
            let (first, last) = (share * batch / batches, share * (batch + 1) / batches);
            let start = now + MINUTE * (random.between(1_440, span.max(1_440)) / 1_440 * 1_440);
            let end = start + MINUTE * 60 * i64::from(parameters.maintenance_hours.max(1));
            for number in first..last {
                if let Some(host) = usize::try_from(number).ok().and_then(|number| hosts.get_mut(number)) {
                    host.blocks.push([start, end]);
                }
            }
        }
    }
    let mut order: Vec<usize> = (0..hosts.len()).collect();
    random.shuffle(&mut order);
    for number in order.into_iter().take(parameters.failures as usize) {
        let repaired = whole(
            random.exponential(parameters.repair_days * 1_440.0),
            60,
            i64::MAX / 1_000,
        );
        let host = &mut hosts[number];
        if repaired >= span {
            host.reservable = false;
        } else {
            host.blocks.push([now, now + MINUTE * repaired]);
        }
    }
}
