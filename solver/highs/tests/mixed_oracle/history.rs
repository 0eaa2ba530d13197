//! Random histories of leases of every kind: small fleets on which hosts, instances and units are asked
//! for, changed and dropped while time passes and hosts change under them.

use std::collections::BTreeMap;
use std::sync::Arc;

use solver::model::{
    Host, HostId, Instances, Interval, Lease, Pool, Request, RequestedReservation, Resource, Seconds, Units,
};
use solver::predicate::{Operator, Predicate};

/// `SplitMix64`: small, seeded, the same on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in `[low, high]`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.next() % u64::try_from(high - low + 1).unwrap()).unwrap()
    }

    pub(crate) fn count(&mut self, low: i64, high: i64) -> u32 {
        u32::try_from(self.between(low, high)).unwrap()
    }

    /// True in this many of a hundred cases.
    pub(crate) fn percent(&mut self, share: i64) -> bool {
        self.between(1, 100) <= share
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[usize::try_from(self.between(0, i64::try_from(items.len()).unwrap() - 1)).unwrap()]
    }
}

pub(crate) fn fleet(random: &mut Random) -> Vec<Host> {
    let count = random.between(1, 6);
    let plain = random.percent(35);
    (0..count)
        .map(|number| {
            let mut properties = BTreeMap::new();
            if !plain && random.percent(40) {
                properties.insert("gpu".to_owned(), "True".to_owned());
            }
            let mut capacity = BTreeMap::new();
            let (cores, memory) = if plain {
                (8, 16)
            } else {
                (*random.pick(&[4, 8, 10]), *random.pick(&[8, 16, 20]))
            };
            if plain || random.percent(93) {
                capacity.insert("VCPU".to_owned(), cores);
                capacity.insert("MEMORY_MB".to_owned(), memory);
            }
            if !plain && random.percent(25) {
                capacity.insert("DISK_GB".to_owned(), 4);
            }
            Host {
                id: format!("h{number}").into(),
                properties,
                zone: Some(if plain || random.percent(60) { "z1" } else { "z2" }.to_owned()),
                rack: None,
                capacity,
                blocks: if !plain && random.percent(20) {
                    blocks(random, 100)
                } else {
                    Vec::new()
                },
                reservable: plain || !random.percent(6),
            }
        })
        .collect()
}

pub(crate) fn pool(random: &mut Random) -> Pool {
    Pool {
        id: "public".into(),
        units: (0..random.between(1, 5)).map(|unit| unit.to_string().into()).collect(),
        words: None,
    }
}

pub(crate) fn blocks(random: &mut Random, now: Seconds) -> Vec<Interval> {
    let start = now + random.between(1, 20);
    vec![Interval::new(start, start + random.between(1, 6))]
}

fn predicate(random: &mut Random, hosts: &[Host]) -> Arc<Predicate> {
    let equal = |property: &str, value: &str| Predicate::Compare {
        operator: Operator::Equal,
        property: property.to_owned(),
        value: value.to_owned(),
    };
    Arc::new(match random.between(0, 9) {
        0..=4 => Predicate::All(Vec::new()),
        5..=6 => equal("gpu", "True"),
        7 => equal("zone", "z1"),
        8 => Predicate::Any(vec![equal("gpu", "True"), equal("zone", "z2")]),
        _ => equal("id", &random.pick(hosts).id),
    })
}

fn instances(random: &mut Random) -> Instances {
    let mut resources = BTreeMap::new();
    if !random.percent(4) {
        resources.insert("VCPU".to_owned(), u64::from(random.count(0, 4)));
        resources.insert("MEMORY_MB".to_owned(), u64::from(random.count(1, 7)));
        if random.percent(10) {
            resources.insert("DISK_GB".to_owned(), u64::from(random.count(0, 2)));
        }
    }
    Instances {
        resources,
        affinity: *random.pick(&[None, None, Some(true), Some(false)]),
    }
}

fn units(random: &mut Random, pool: &Pool) -> Units {
    let mut required: Vec<HostId> = Vec::new();
    if random.percent(35) {
        required.push(random.pick(&pool.units).clone());
    }
    if random.percent(3) {
        required = vec!["elsewhere".into()];
    }
    Units {
        pool: pool.id.clone(),
        required,
    }
}

/// The fleet, the pool and the clock that requests are made for.
pub(crate) struct Setting<'a> {
    pub(crate) hosts: &'a [Host],
    pub(crate) pool: &'a Pool,
    pub(crate) now: Seconds,
    pub(crate) cleaning: Seconds,
}

impl Setting<'_> {
    pub(crate) fn asked(&self, random: &mut Random, id: String) -> RequestedReservation {
        let start = self.now + if random.percent(15) { 0 } else { random.between(1, 18) };
        let window = Interval::new(start, start + random.between(1, 10));
        let most = i64::try_from(self.hosts.len()).unwrap();
        let (resource, min, max) = match random.between(0, 9) {
            0..=2 => {
                let min = random.count(1, (most / 3).max(1));
                let max = if random.percent(40) {
                    min + random.count(0, 2)
                } else {
                    min
                };
                (Resource::Host, min, max)
            }
            3..=7 => {
                let amount = if random.percent(80) {
                    random.count(1, 3)
                } else {
                    random.count(4, 6)
                };
                (Resource::Instances(Arc::new(instances(random))), amount, amount)
            }
            _ => {
                let units = units(random, self.pool);
                let most = i64::try_from(self.pool.units.len()).unwrap();
                let least = i64::try_from(units.required.len()).unwrap().max(1);
                let amount = random.count(least, most.max(least));
                (Resource::Units(Arc::new(units)), amount, amount)
            }
        };
        RequestedReservation {
            id: id.into(),
            cleaning: if resource == Resource::Host { self.cleaning } else { 0 },
            predicate: if matches!(resource, Resource::Units(_)) {
                Arc::new(Predicate::All(Vec::new()))
            } else {
                predicate(random, self.hosts)
            },
            resource,
            window,
            min,
            max,
        }
    }

    /// A new lease of one to three reservations, or a changed one.
    pub(crate) fn request(&self, random: &mut Random, leases: &[Lease], number: usize) -> Request {
        let alive: Vec<&Lease> = leases
            .iter()
            .filter(|lease| lease.reservations.iter().any(|held| held.window.end > self.now))
            .collect();
        if !alive.is_empty() && random.percent(25) {
            let lease = *random.pick(&alive);
            return self.change(random, lease, number);
        }
        let parts = if random.percent(60) { 1 } else { random.between(2, 3) };
        let reservations = (0..parts)
            .map(|part| self.asked(random, format!("r{number:03}-{part}")))
            .collect();
        Request {
            id: format!("l{number:03}").into(),
            replaces: None,
            reservations,
        }
    }

    fn change(&self, random: &mut Random, lease: &Lease, number: usize) -> Request {
        let mut reservations = Vec::new();
        for held in lease.reservations.iter().filter(|held| held.window.end > self.now) {
            if random.percent(15) {
                continue;
            }
            let started = held.window.start <= self.now;
            let shift = if started && random.percent(95) {
                0
            } else {
                random.between(-2, 4)
            };
            let start = if started && shift == 0 {
                held.window.start
            } else {
                (held.window.start + shift).max(self.now)
            };
            let end = (held.window.end + shift + random.between(-2, 6))
                .max(start + 1)
                .max(self.now + 1);
            let grow = |random: &mut Random, amount: u32| {
                let change = if random.percent(60) { 0 } else { random.between(-1, 2) };
                u32::try_from((i64::from(amount) + change).max(1)).unwrap()
            };
            let (mut min, mut max) = (grow(random, held.min), held.max);
            let resource = match &held.resource {
                Resource::Host => {
                    max = grow(random, max).max(min);
                    Resource::Host
                }
                Resource::Instances(old) => {
                    max = min;
                    let new = if random.percent(75) {
                        Instances::clone(old)
                    } else {
                        instances(random)
                    };
                    Resource::Instances(Arc::new(new))
                }
                Resource::Units(old) => {
                    let new = if random.percent(75) {
                        Units::clone(old)
                    } else {
                        units(random, self.pool)
                    };
                    min = min.max(u32::try_from(new.required.len()).unwrap());
                    max = min;
                    Resource::Units(Arc::new(new))
                }
            };
            reservations.push(RequestedReservation {
                id: held.id.clone(),
                resource,
                window: Interval::new(start, end),
                cleaning: held.cleaning,
                min,
                max,
                predicate: if random.percent(85) || matches!(held.resource, Resource::Units(_)) {
                    Arc::clone(&held.predicate)
                } else {
                    predicate(random, self.hosts)
                },
            });
        }
        if reservations.is_empty() || random.percent(10) {
            reservations.push(self.asked(random, format!("r{number:03}-x")));
        }
        Request {
            id: format!("l{number:03}").into(),
            replaces: Some(lease.id.clone()),
            reservations,
        }
    }
}
