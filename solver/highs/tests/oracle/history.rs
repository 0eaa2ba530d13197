//! Random histories: small fleets on which leases are asked for, changed and dropped while time passes
//! and hosts change under them.

use std::collections::BTreeMap;
use std::sync::Arc;

use solver::model::{
    Host, Instances, Interval, Lease, LeaseId, Request, RequestedReservation, Reservation, Resource, Seconds,
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

    /// True in this many of a hundred cases.
    pub(crate) fn percent(&mut self, share: i64) -> bool {
        self.between(1, 100) <= share
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[usize::try_from(self.between(0, i64::try_from(items.len()).unwrap() - 1)).unwrap()]
    }
}

pub(crate) fn fleet(random: &mut Random) -> Vec<Host> {
    let count = if random.percent(10) {
        random.between(11, 16)
    } else {
        random.between(2, 10)
    };
    let zones = random.between(1, 2);
    // Equal hosts make one class, in which only exchanges can help.
    let plain = random.percent(30);
    let calendars: Vec<Vec<Interval>> = (0..3).map(|_| blocks(random, 0)).collect();
    (0..count)
        .map(|number| {
            let mut properties = BTreeMap::from([(
                "cpus".to_owned(),
                (1 << if plain { 3 } else { random.between(2, 4) }).to_string(),
            )]);
            if !plain && random.percent(40) {
                properties.insert("gpu".to_owned(), "True".to_owned());
            }
            Host {
                id: format!("h{number:02}").into(),
                properties,
                zone: Some(format!("z{}", if plain { 1 } else { random.between(1, zones) })),
                rack: None,
                capacity: BTreeMap::new(),
                blocks: if !plain && random.percent(30) {
                    random.pick(&calendars).clone()
                } else {
                    Vec::new()
                },
                reservable: plain || !random.percent(5),
            }
        })
        .collect()
}

pub(crate) fn blocks(random: &mut Random, now: Seconds) -> Vec<Interval> {
    let start = now + random.between(1, 25);
    vec![Interval::new(start, start + random.between(1, 6))]
}

fn predicate(random: &mut Random, hosts: &[Host]) -> Arc<Predicate> {
    let compare = |operator, property: &str, value: &str| Predicate::Compare {
        operator,
        property: property.to_owned(),
        value: value.to_owned(),
    };
    Arc::new(match random.between(0, 9) {
        0..=2 => Predicate::All(Vec::new()),
        3..=5 => compare(Operator::AtLeast, "cpus", "8"),
        6 => compare(Operator::Equal, "gpu", "True"),
        7 => compare(Operator::Equal, "zone", "z1"),
        8 => Predicate::Any(vec![
            compare(Operator::Equal, "gpu", "True"),
            compare(Operator::Equal, "cpus", "16"),
        ]),
        _ if random.percent(60) => compare(Operator::NotEqual, "zone", "z1"),
        _ => compare(Operator::Equal, "id", &random.pick(hosts).id),
    })
}

fn asked(random: &mut Random, hosts: &[Host], now: Seconds, cleaning: Seconds, id: String) -> RequestedReservation {
    let start = now + if random.percent(25) { 0 } else { random.between(0, 25) };
    let most = i64::try_from(hosts.len()).unwrap();
    let min = if random.percent(85) {
        random.between(1, (most / 3).max(1))
    } else {
        random.between(1, most)
    };
    let max = if random.percent(30) {
        random.between(min, most)
    } else {
        min
    };
    RequestedReservation {
        id: id.into(),
        resource: Resource::Host,
        window: Interval::new(start, start + random.between(1, 14)),
        cleaning,
        min: u32::try_from(min).unwrap(),
        max: u32::try_from(max).unwrap(),
        predicate: predicate(random, hosts),
    }
}

/// A new lease of one to three reservations, or a changed one.
pub(crate) fn request(
    random: &mut Random,
    hosts: &[Host],
    leases: &[Lease],
    now: Seconds,
    cleaning: Seconds,
    number: usize,
) -> Request {
    let alive: Vec<&Lease> = leases
        .iter()
        .filter(|lease| lease.reservations.iter().any(|held| held.window.end > now))
        .collect();
    if !alive.is_empty() && random.percent(25) {
        let lease = *random.pick(&alive);
        return change(random, hosts, lease, now, cleaning, number);
    }
    let parts = if random.percent(70) { 1 } else { random.between(2, 3) };
    let reservations = (0..parts)
        .map(|part| asked(random, hosts, now, cleaning, format!("r{number:03}-{part}")))
        .collect();
    Request {
        id: format!("l{number:03}").into(),
        replaces: None,
        reservations,
    }
}

fn change(
    random: &mut Random,
    hosts: &[Host],
    lease: &Lease,
    now: Seconds,
    cleaning: Seconds,
    number: usize,
) -> Request {
    let mut reservations = Vec::new();
    for held in lease.reservations.iter().filter(|held| held.window.end > now) {
        if random.percent(15) {
            continue;
        }
        let started = held.window.start <= now;
        let shift = if started && random.percent(95) {
            0
        } else {
            random.between(-2, 4)
        };
        let start = if started && shift == 0 {
            held.window.start
        } else {
            (held.window.start + shift).max(now)
        };
        let end = (held.window.end + shift + random.between(-3, 8))
            .max(start + 1)
            .max(now + 1);
        let grow = |random: &mut Random, amount: u32| {
            let change = if random.percent(60) { 0 } else { random.between(-1, 2) };
            u32::try_from((i64::from(amount) + change).max(1)).unwrap()
        };
        let min = grow(random, held.min);
        let max = grow(random, held.max).max(min);
        let predicate = if random.percent(80) {
            Arc::clone(&held.predicate)
        } else {
            predicate(random, hosts)
        };
        let window = Interval::new(start, end);
        reservations.push(RequestedReservation {
            id: held.id.clone(),
            resource: Resource::Host,
            window,
            cleaning,
            min,
            max,
            predicate,
        });
    }
    if reservations.is_empty() || random.percent(10) {
        reservations.push(asked(random, hosts, now, cleaning, format!("r{number:03}-x")));
    }
    let replaces: LeaseId = lease.id.clone();
    Request {
        id: format!("l{number:03}").into(),
        replaces: Some(replaces),
        reservations,
    }
}

/// Leases of instances on the first two hosts, long after everything else; the second may not move.
pub(crate) fn far_instances(hosts: &[Host], now: Seconds) -> Vec<Lease> {
    let start = now + 10_000;
    let far = hosts.iter().take(2).enumerate().map(|(number, host)| Reservation {
        id: format!("far{number}").into(),
        resource: Resource::Instances(Arc::new(Instances {
            resources: BTreeMap::new(),
            affinity: None,
        })),
        window: Interval::new(start, start + 10),
        cleaning: 0,
        min: 1,
        max: 1,
        predicate: Arc::new(Predicate::All(Vec::new())),
        holds: vec![host.id.clone()],
        pinned: number == 1,
    });
    far.map(|far| Lease {
        id: far.id.clone(),
        reservations: vec![far],
    })
    .collect()
}
