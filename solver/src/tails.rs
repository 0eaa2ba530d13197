//! Enough hosts of a class are free at every instant, but none of them throughout: equal hosts exchange what
//! they carry from some instant on, until enough are.
//!
//! Invariant: nothing counts as a move, because no reservation leaves its class. Where nothing to come has to stay on
//! its host, only hosts that change are looked at (see `rearranged`); elsewhere the classes that serve the request are
//! read whole and swept, which costs as much as they are large.

use std::collections::BTreeMap;

use crate::classes::Classes;
use crate::decision::Verdict;
use crate::index::IndexClass;
use crate::model::{Request, Seconds};
use crate::planner::Planner;
use crate::reach::Reach;
use crate::rearranged::{Holder, Rearranged};
use crate::request::Ask;
use crate::scene::{Extent, Scene};
use crate::scope::Counts;
use crate::{decode, verify};

/// Hosts for the only reservation of a request, as many as it wants at most; `None` if counting does not
/// show that there are so many, or where fixed work to come makes hosts of a class unequal.
pub(crate) fn exchange(
    planner: &Planner,
    asks: &[Ask<'_>],
    request: &Request,
    now: Seconds,
    reach: &Reach<'_>,
) -> Option<Verdict> {
    let [ask] = asks else { return None };
    if request.replaces.is_some() {
        return None;
    }
    let shares = shares(planner, ask)?;
    let start = ask.asked.window.start;
    let movable = planner.movable_from(now);
    if shares.iter().all(|&(class, _)| reach.is_even(class, start, movable)) {
        among_equals(planner, asks, request, now, &shares)
    } else {
        swept(planner, asks, request, now, &shares)
    }
}

/// How many hosts of which class counting gives, poor classes first.
fn shares(planner: &Planner, ask: &Ask<'_>) -> Option<Vec<(IndexClass, u32)>> {
    let (window, occupation) = (ask.asked.window, ask.asked.occupation());
    let index = planner.index();
    let mut shares: Vec<(IndexClass, u32)> = Vec::new();
    let mut missing = ask.most;
    for &class in &planner.eligible(&ask.asked.predicate)?.classes {
        let class = class as IndexClass;
        if missing == 0 || !index.in_service(class, window) {
            continue;
        }
        let share = index.room(class, occupation).min(missing);
        if share > 0 {
            shares.push((class, share));
            missing -= share;
        }
    }
    (missing == 0).then_some(shares)
}

/// Where everything to come may change places with everything else of its class.
fn among_equals(
    planner: &Planner,
    asks: &[Ask<'_>],
    request: &Request,
    now: Seconds,
    shares: &[(IndexClass, u32)],
) -> Option<Verdict> {
    let occupation = asks.first()?.asked.occupation();
    let mut rearranged = Rearranged::new(planner, asks, now, &[]);
    let asked = Holder::Requested(0);
    for &(class, share) in shares {
        let idle = rearranged.idle(&[class], occupation, share as usize);
        for &host in &idle {
            rearranged.give(asked, host, occupation);
        }
        for _ in idle.len()..share as usize {
            rearranged.give_by_exchange(asked, &[class], occupation)?;
        }
    }
    rearranged.verdict(request, |host| planner.index().class_of(host))
}

/// Where some of it has to stay.
fn swept(
    planner: &Planner,
    asks: &[Ask<'_>],
    request: &Request,
    now: Seconds,
    shares: &[(IndexClass, u32)],
) -> Option<Verdict> {
    let groups: Vec<Vec<IndexClass>> = shares.iter().map(|&(class, _)| vec![class]).collect();
    let extent = Extent {
        groups: &groups,
        pending: None,
        asked: None,
        silent: false,
        reached: None,
        aside: None,
    };
    let scene = Scene::part(planner, asks, request, now, &extent).scene;
    let fine = Classes::new(&scene);
    if fine.fine.len() != groups.len() {
        return None;
    }
    let given: BTreeMap<_, u32> = fine
        .fine
        .iter()
        .enumerate()
        .map(|(number, class)| (number, shares[class.coarse].1))
        .collect();
    let changed = decode::changes(&scene, &fine, &Counts::from([(0, given)]))?;
    verify::changes(&scene, &changed).then(|| decode::accepted(&scene, asks, &fine, &changed))
}
