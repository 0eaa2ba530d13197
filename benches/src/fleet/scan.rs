//! The baseline for speed: upstream's way in memory. Each host has its sorted list of intervals; a request walks over the hosts
//! that suit it and takes those that are free.

use std::collections::HashMap;
use std::sync::Arc;

use solver::model::{Interval, RequestedReservation};
use solver::predicate::Predicate;

use super::Filled;

/// Sorted intervals of every host.
pub struct Scan {
    taken: Vec<Vec<Interval>>,
    suitable: HashMap<Arc<Predicate>, Vec<u32>>,
}

impl Scan {
    /// The intervals of all leases. Which hosts suit which predicate is found beforehand, to the scan's advantage.
    pub fn new(filled: &Filled) -> Self {
        let numbers: HashMap<&str, usize> = filled
            .hosts
            .iter()
            .enumerate()
            .map(|(number, host)| (&*host.id, number))
            .collect();
        let mut taken = vec![Vec::new(); filled.hosts.len()];
        for part in filled.leases.iter().flat_map(|lease| &lease.reservations) {
            for host in &part.holds {
                if let Some(&number) = numbers.get(&**host) {
                    taken[number].push(part.occupation());
                }
            }
        }
        for list in &mut taken {
            list.sort_unstable();
        }
        let mut suitable: HashMap<Arc<Predicate>, Vec<u32>> = HashMap::new();
        for part in filled.requests.iter().flat_map(|request| &request.reservations) {
            suitable.entry(Arc::clone(&part.predicate)).or_insert_with(|| {
                let all = (0_u32..).zip(&filled.hosts);
                all.filter(|(_, host)| host.matches(&part.predicate))
                    .map(|(number, _)| number)
                    .collect()
            });
        }
        Self { taken, suitable }
    }

    /// The first hosts that are free, as many as wanted, or none. Stops as soon as it has enough.
    pub fn first_free(&self, part: &RequestedReservation) -> Option<Vec<u32>> {
        let wanted = part.min as usize;
        let window = part.occupation();
        let free = |number: &u32| {
            let list = &self.taken[*number as usize];
            let next = list.partition_point(|taken| taken.end <= window.start);
            list.get(next).is_none_or(|taken| taken.start >= window.end)
        };
        let suitable = self.suitable.get(&part.predicate)?.iter().copied();
        let chosen: Vec<u32> = suitable.filter(free).take(wanted).collect();
        (chosen.len() == wanted).then_some(chosen)
    }
}
