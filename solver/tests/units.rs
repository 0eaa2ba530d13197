//! Units of a pool: the second opinion on who holds them.

use std::sync::Arc;

use solver::model::{Interval, Lease, Reservation, Resource, Seconds, Units};
use solver::planner::Planner;
use solver::predicate::Predicate;

fn lease(id: &str, pool: &str, window: (Seconds, Seconds), holds: &[&str]) -> Lease {
    let units = Units {
        pool: Arc::from(pool),
        required: Vec::new(),
    };
    Lease {
        id: Arc::from(id),
        reservations: vec![Reservation {
            id: Arc::from(format!("r-{id}")),
            resource: Resource::Units(Arc::new(units)),
            window: Interval::new(window.0, window.1),
            cleaning: 0,
            min: 1,
            max: 1,
            predicate: Arc::new(Predicate::All(Vec::new())),
            holds: holds.iter().map(|&unit| Arc::from(unit)).collect(),
            pinned: true,
        }],
    }
}

#[test]
fn a_unit_has_one_holder_at_a_time() {
    let shared = |window, pool, holds: &[&str], since| {
        let mut planner = Planner::new(0);
        planner.put_lease(lease("a", "p", (0, 100), &["u1", "u2"])).ok()?;
        planner.put_lease_since(lease("b", pool, window, holds), since).ok()?;
        planner.shared_unit(&Arc::from("b"))
    };
    let found = shared((50, 150), "p", &["u2"], Seconds::MIN).expect("both hold it");
    assert_eq!((&*found.unit, &*found.second, found.at), ("u2", "r-a", 50));
    assert_eq!(shared((50, 150), "p", &["u3"], Seconds::MIN), None);
    assert_eq!(shared((100, 150), "p", &["u2"], Seconds::MIN), None);
    // Another pool's unit of the same name is another unit.
    assert_eq!(shared((50, 150), "q", &["u2"], Seconds::MIN), None);
    // It joined when the other was over.
    assert_eq!(shared((50, 150), "p", &["u2"], 100), None);
}
