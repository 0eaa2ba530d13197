//! Enough hosts of a class are free at every instant, but none of them throughout: equal hosts exchange what
//! they carry from some instant on, until enough are.
//!
//! Invariant: nothing counts as a move, because no reservation leaves its class. Only the classes that
//! serve the request are looked at, so this costs as much as they are large.

use std::collections::BTreeMap;

use crate::classes::Classes;
use crate::decision::Verdict;
use crate::index::IndexClass;
use crate::model::{Request, Seconds};
use crate::planner::Planner;
use crate::reassign::Counts;
use crate::request::Ask;
use crate::scene::{Extent, Scene};
use crate::{decode, verify};

/// Hosts for the only reservation of a request, as many as it wants at most; `None` if counting does not
/// show that there are so many, or where fixed work to come makes hosts of a class unequal.
pub(crate) fn exchange(planner: &Planner, asks: &[Ask<'_>], request: &Request, now: Seconds) -> Option<Verdict> {
    let [ask] = asks else { return None };
    if request.replaces.is_some() {
        return None;
    }
    let (window, occupation) = (ask.asked.window, ask.asked.occupation());
    let index = planner.index();
    let mut classes: Vec<Vec<IndexClass>> = Vec::new();
    let mut shares: Vec<u32> = Vec::new();
    let mut missing = ask.most;
    for &class in &planner.eligible(&ask.asked.predicate)?.classes {
        let class = class as IndexClass;
        if missing == 0 || !index.in_service(class, window) {
            continue;
        }
        let share = index.room(class, occupation).min(missing);
        if share > 0 {
            classes.push(vec![class]);
            shares.push(share);
            missing -= share;
        }
    }
    if missing > 0 {
        return None;
    }
    let extent = Extent {
        groups: &classes,
        pending: None,
        asked: None,
        silent: false,
    };
    let scene = Scene::part(planner, asks, request, now, &extent).scene;
    let fine = Classes::new(&scene);
    if fine.fine.len() != classes.len() {
        return None;
    }
    let given: BTreeMap<_, u32> = fine
        .fine
        .iter()
        .enumerate()
        .map(|(number, class)| (number, shares[class.coarse]))
        .collect();
    let changed = decode::changes(&scene, &fine, &Counts::from([(0, given)]))?;
    verify::changes(&scene, &changed).then(|| scene.accepted(asks, &fine, &changed))
}
