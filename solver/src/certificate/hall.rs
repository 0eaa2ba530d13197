//! One instant as a transport problem: demands by kind on one side, groups of hosts on the other.
//!
//! Invariant (Hall's theorem): the demands cannot all be served exactly if some set of kinds wants more than
//! the groups that serve any of them have. What [`Transport::violator`] gives is such a set, and no part of
//! it that lacks a whole kind is one.

use std::collections::VecDeque;

/// How much demands of one kind want, and from which groups.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Hosts wanted by all demands of the kind together.
    pub(crate) amount: u64,
    /// Groups that serve the kind, sorted.
    pub(crate) groups: Vec<usize>,
}

/// Demands by kind and groups of hosts at one instant.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    /// Hosts each group has.
    pub(crate) room: Vec<u64>,
    /// The kinds of demand.
    pub(crate) wanted: Vec<Wanted>,
}

impl Transport {
    /// Kinds that together want more than all groups that serve any of them have, sorted; none if all
    /// can be served.
    pub(crate) fn violator(&self) -> Option<Vec<usize>> {
        let mut kinds = self.shortage(&(0..self.wanted.len()).collect::<Vec<_>>())?;
        // Drop every kind without which something is short still.
        let mut position = 0;
        while position < kinds.len() {
            let mut rest = kinds.clone();
            rest.remove(position);
            match self.shortage(&rest) {
                Some(smaller) => (kinds, position) = (smaller, 0),
                None => position += 1,
            }
        }
        Some(kinds)
    }

    /// Groups that serve any of the kinds, sorted.
    pub(crate) fn groups_of(&self, kinds: &[usize]) -> Vec<usize> {
        let mut groups: Vec<usize> = kinds
            .iter()
            .flat_map(|&kind| self.wanted[kind].groups.iter().copied())
            .collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// The kinds on the source's side of a minimum cut between these kinds and the groups, if the maximum
    /// flow leaves any unserved. Augmenting paths of fewest edges, as Edmonds and Karp.
    fn shortage(&self, kinds: &[usize]) -> Option<Vec<usize>> {
        let mut room = self.room.clone();
        let mut unserved: Vec<u64> = kinds.iter().map(|&kind| self.wanted[kind].amount).collect();
        // By group: what each kind gets from it, by the kind's position.
        let mut served: Vec<Vec<(usize, u64)>> = vec![Vec::new(); self.room.len()];
        for (position, &kind) in kinds.iter().enumerate() {
            for &group in &self.wanted[kind].groups {
                let flow = unserved[position].min(room[group]);
                if flow > 0 {
                    room[group] -= flow;
                    unserved[position] -= flow;
                    served[group].push((position, flow));
                }
            }
        }
        loop {
            let open = unserved.iter().position(|&left| left > 0)?;
            let mut kind_from: Vec<Option<usize>> = vec![None; kinds.len()];
            let mut group_from: Vec<Option<usize>> = vec![None; self.room.len()];
            let mut reached = vec![false; kinds.len()];
            reached[open] = true;
            let mut queue = VecDeque::from([open]);
            let mut spare = None;
            'search: while let Some(position) = queue.pop_front() {
                for &group in &self.wanted[kinds[position]].groups {
                    if group_from[group].is_some() {
                        continue;
                    }
                    group_from[group] = Some(position);
                    if room[group] > 0 {
                        spare = Some(group);
                        break 'search;
                    }
                    for &(other, flow) in &served[group] {
                        if flow > 0 && !reached[other] {
                            reached[other] = true;
                            kind_from[other] = Some(group);
                            queue.push_back(other);
                        }
                    }
                }
            }
            let Some(last) = spare else {
                let short = kinds.iter().zip(&reached).filter(|(_, reached)| **reached);
                return Some(short.map(|(&kind, _)| kind).collect());
            };
            // Along the path found, each kind takes from its group what the kind before it gives up there.
            let mut path = Vec::new();
            let mut group = last;
            let mut flow = unserved[open].min(room[last]);
            while let Some(position) = group_from[group] {
                path.push((group, position));
                let Some(before) = kind_from[position] else { break };
                let given = served[before].iter().find(|(other, _)| *other == position);
                flow = flow.min(given.map_or(0, |&(_, flow)| flow));
                group = before;
            }
            room[last] -= flow;
            unserved[open] -= flow;
            for (step, &(group, position)) in path.iter().enumerate() {
                match served[group].iter_mut().find(|(other, _)| *other == position) {
                    Some((_, served)) => *served += flow,
                    None => served[group].push((position, flow)),
                }
                if let Some(&(before, _)) = path.get(step + 1)
                    && let Some((_, served)) = served[before].iter_mut().find(|(other, _)| *other == position)
                {
                    *served -= flow;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Transport, Wanted};

    fn transport(room: &[u64], wanted: &[(u64, &[usize])]) -> Transport {
        let wanted = wanted.iter().map(|&(amount, groups)| Wanted {
            amount,
            groups: groups.to_vec(),
        });
        Transport {
            room: room.to_vec(),
            wanted: wanted.collect(),
        }
    }

    #[test]
    fn what_can_be_served_has_no_violator() {
        let chain = transport(&[1, 1, 1], &[(1, &[0, 1]), (1, &[1, 2]), (1, &[0])]);
        assert_eq!(chain.violator(), None);
        assert_eq!(transport(&[], &[(0, &[])]).violator(), None);
    }

    #[test]
    fn a_violator_lacks_what_does_not_matter() {
        // Kind 2 has room of its own, kinds 0 and 1 share too little.
        let wide = transport(&[2, 1, 5], &[(2, &[0]), (2, &[0, 1]), (3, &[2])]);
        assert_eq!(wide.violator(), Some(vec![0, 1]));
        // Two shortages: one of them is enough.
        let twice = transport(&[1, 1], &[(2, &[0]), (2, &[1]), (1, &[0, 1])]);
        assert_eq!(twice.violator().map(|kinds| kinds.len()), Some(1));
    }

    /// Every set of kinds, one by one.
    #[test]
    fn agrees_with_trying_all_sets() {
        let mut seed: u64 = 7;
        let mut next = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..3_000 {
            let groups = 1 + next(5);
            let room: Vec<u64> = (0..groups).map(|_| next(4)).collect();
            let wanted: Vec<(u64, Vec<usize>)> = (0..=next(5))
                .map(|_| (next(4), (0..room.len()).filter(|_| next(2) == 0).collect()))
                .collect();
            let transport = transport(
                &room,
                &wanted
                    .iter()
                    .map(|(amount, groups)| (*amount, groups.as_slice()))
                    .collect::<Vec<_>>(),
            );
            let violates = |kinds: &[usize]| {
                let wanted: u64 = kinds.iter().map(|&kind| wanted[kind].0).sum();
                let exist: u64 = transport.groups_of(kinds).iter().map(|&group| room[group]).sum();
                wanted > exist
            };
            let sets = (0_u32..1 << wanted.len()).map(|set| {
                (0..wanted.len())
                    .filter(|kind| set & (1 << kind) != 0)
                    .collect::<Vec<_>>()
            });
            let violators: Vec<Vec<usize>> = sets.filter(|kinds| violates(kinds)).collect();
            match transport.violator() {
                None => assert!(violators.is_empty()),
                Some(found) => {
                    assert!(violators.contains(&found));
                    let smaller = |kinds: &&Vec<usize>| {
                        kinds.len() < found.len() && kinds.iter().all(|kind| found.contains(kind))
                    };
                    assert_eq!(violators.iter().find(smaller), None);
                }
            }
        }
    }
}
