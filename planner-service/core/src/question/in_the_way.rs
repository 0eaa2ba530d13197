//! Which hosts are in the way of a request that was refused.
//!
//! Invariant: hosts are named to those only who may read hosts; others learn how many there are. No lease is named.

use std::fmt::Write;

use solver::decision::Conflict;
use solver::model::{Request, RequestedReservation, Resource};
use solver::planner::Planner;
use solver::question::{Obstacle, Obstacles};

use crate::reach::Reach;

/// Most hosts that are named with one reason, and most reasons.
const MOST_LISTED: usize = 8;

/// The hosts in the way of the first reservation of a conflict, in one sentence; `None` where the count of the conflict
/// says all.
pub(super) fn hint(conflict: &Conflict, request: &Request, planner: &Planner, reach: &Reach<'_>) -> Option<String> {
    let mut asked = request.reservations.iter();
    let asked = asked.find(|asked| conflict.reservations.contains(&asked.id))?;
    let obstacles = Obstacles::of(planner, request, asked);
    let listed: Vec<_> = obstacles
        .hosts
        .iter()
        .filter(|(_, obstacle)| is_said(conflict, asked, &obstacles, obstacle))
        .collect();
    // Equal reasons are one, in the order in which they are met.
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for (host, obstacle) in listed {
        let name = planner.host(host).and_then(|host| host.lookup("hypervisor_hostname"));
        let (name, reason) = (name.unwrap_or(host), obstacle.in_words(asked));
        match reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    let more = reasons.iter().skip(MOST_LISTED).map(|(_, names)| names.len()).sum();
    let sentences = reasons.iter().take(MOST_LISTED).map(|(reason, names)| {
        let are = if names.len() == 1 { "is" } else { "are" };
        format!("{} {are} {reason}", subject(names, reach))
    });
    let mut sentences: Vec<String> = sentences.collect();
    if more > 0 {
        sentences.push(format!("{} have no room either", counted(more)));
    }
    (!sentences.is_empty()).then(|| sentences.join("; "))
}

/// Whether an obstacle is worth a word: whatever is in the way of instances with a rule or of a choice that was searched
/// for; cleaning where there would be enough hosts without it; the state of hosts where too few match at any time.
fn is_said(conflict: &Conflict, asked: &RequestedReservation, all: &Obstacles, obstacle: &Obstacle) -> bool {
    if conflict.reason == "no_matching_hosts" {
        return obstacle.is_of_fleet();
    }
    if obstacle.is_cleaning() {
        let cleaned = all.hosts.iter().filter(|(_, obstacle)| obstacle.is_cleaning()).count();
        return match asked.resource {
            Resource::Host => all.free as usize + cleaned >= asked.min as usize,
            Resource::Instances(_) | Resource::Units(_) => true,
        };
    }
    match &asked.resource {
        Resource::Instances(instances) => instances.affinity.is_some() || matches!(conflict.reason, "search" | "rows"),
        Resource::Host => conflict.reason == "search",
        Resource::Units(_) => false,
    }
}

/// The hosts by name, or how many they are.
fn subject(names: &[&str], reach: &Reach<'_>) -> String {
    if !reach.sees_hosts() {
        return counted(names.len());
    }
    let mut subject = names.iter().take(MOST_LISTED).copied().collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = names.len().checked_sub(MOST_LISTED) {
        let _ = write!(subject, " and {more} more");
    }
    subject
}

fn counted(hosts: usize) -> String {
    format!("{hosts} {}", if hosts == 1 { "host" } else { "hosts" })
}
