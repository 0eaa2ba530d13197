//! Shift minimisation against an exhaustive search, the recount against planted errors, the reader against
//! broken texts.

#![allow(clippy::unwrap_used, reason = "all of it is a test")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use benches::smptsp::{Answer, Bound, Instance, InstanceError, PRICE_UNIT, Task, check, peak, read, solve};
use solver::deadline::Deadline;

const CHAIN: &str = include_str!("smptsp/chain.dat");
const APART: &str = include_str!("smptsp/apart.dat");

/// `SplitMix64`: a seed gives one series of instances.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

fn random_instance(random: &mut Random) -> Instance {
    let tasks: Vec<Task> = (0..=random.below(8))
        .map(|_| {
            let start = i64::try_from(random.below(12)).unwrap();
            let length = i64::try_from(1 + random.below(6)).unwrap();
            Task {
                start,
                end: start + length,
            }
        })
        .collect();
    let per_mille = [250, 500, 800][usize::try_from(random.below(3)).unwrap()];
    let skills = (0..=random.below(6))
        .map(|_| (0..tasks.len()).filter(|_| random.below(1000) < per_mille).collect())
        .collect();
    Instance::new(tasks, skills).unwrap()
}

/// Fewest workers by trying every assignment.
fn fewest(instance: &Instance) -> Option<usize> {
    fn place(instance: &Instance, worker_of: &mut Vec<usize>, best: &mut Option<usize>) {
        let task = worker_of.len();
        if task == instance.tasks().len() {
            let mut used = worker_of.clone();
            used.sort_unstable();
            used.dedup();
            *best = Some(best.map_or(used.len(), |best| best.min(used.len())));
            return;
        }
        for &worker in instance.qualified(task) {
            let meets = |other: &usize| instance.tasks()[*other].overlaps(instance.tasks()[task]);
            if (0..task)
                .filter(|&other| worker_of[other] == worker)
                .all(|other| !meets(&other))
            {
                worker_of.push(worker);
                place(instance, worker_of, best);
                worker_of.pop();
            }
        }
    }
    let mut best = None;
    place(instance, &mut Vec::new(), &mut best);
    best
}

/// Solves with a clock that only counts how often it is asked.
fn answer(instance: &Instance, questions: u32) -> Answer {
    let asked = AtomicU64::new(0);
    let clock = Deadline::by(move || Duration::from_secs(asked.fetch_add(1, Ordering::Relaxed)));
    solve(
        instance,
        7,
        &clock.limited(Some(Duration::from_secs(questions.into())), None),
    )
}

#[test]
fn agrees_with_trying_everything() {
    let mut random = Random(20_261_124);
    let (mut proved, mut impossible) = (0, 0);
    for _ in 0..1_000 {
        let instance = random_instance(&mut random);
        let answer = answer(&instance, 20_000);
        let fewest = fewest(&instance);
        assert_eq!(answer.workers, fewest, "{instance:?}");
        check::bound(&instance, &answer.bound).unwrap();
        if let (Some(worker_of), Some(workers)) = (&answer.worker_of, fewest) {
            assert_eq!(check::staffing(&instance, worker_of), Ok(workers));
            assert!(answer.bound.workers() <= workers);
            proved += usize::from(answer.proved());
        } else {
            impossible += 1;
        }
    }
    assert!(
        proved > 300 && impossible > 100,
        "{proved} proved, {impossible} impossible"
    );
}

#[test]
fn the_same_seed_gives_the_same_staffing() {
    let instance = read(CHAIN).unwrap();
    assert_eq!(answer(&instance, 20_000), answer(&instance, 300));
}

#[test]
fn a_clock_that_has_run_out_ends_the_search() {
    let answer = answer(&read(APART).unwrap(), 0);
    assert_eq!((answer.workers, answer.proved()), (None, false));
}

#[test]
fn the_committed_instances() {
    let chain = answer(&read(CHAIN).unwrap(), 2_000);
    assert_eq!((chain.workers, chain.proved()), (Some(2), true));
    let apart = answer(&read(APART).unwrap(), 2_000);
    assert_eq!((apart.workers, apart.proved()), (Some(3), true));
}

#[test]
fn planted_errors_are_found() {
    let instance = read(CHAIN).unwrap();
    let right = [1, 2, 1, 2, 1, 2];
    assert_eq!(check::staffing(&instance, &right), Ok(2));
    let wrong = |worker_of: &[usize]| check::staffing(&instance, worker_of).unwrap_err().to_string();
    assert_eq!(wrong(&[1, 2, 1, 2, 1]), "5 tasks are staffed, and there are 6");
    assert_eq!(wrong(&[1, 2, 1, 2, 1, 9]), "worker 9 cannot do task 5");
    assert_eq!(wrong(&[1, 2, 1, 2, 1, 1]), "worker 1 cannot do task 5");
    assert_eq!(wrong(&[0, 0, 1, 2, 1, 2]), "worker 0 has tasks 0 and 1 at once");
}

#[test]
fn bounds_without_evidence_are_found() {
    let instance = read(APART).unwrap();
    let claim = |bound| check::bound(&instance, &bound).map_err(|error| error.to_string());
    assert_eq!(peak(&instance).workers(), 1);
    assert_eq!(claim(peak(&instance)), Ok(()));
    assert!(claim(Bound::Peak { at: 10, workers: 2 }).is_err());
    let prices = |price| Bound::Prices {
        prices: vec![price; 3],
        workers: 3,
    };
    assert_eq!(claim(prices(PRICE_UNIT)), Ok(()));
    assert_eq!(claim(prices(PRICE_UNIT * 2 / 3 + 1)), Ok(()));
    assert_eq!(
        claim(prices(PRICE_UNIT * 2 / 3)),
        Err("the bound says 3, its evidence 2".to_owned())
    );
    // Whoever earns more than he costs takes the difference away again.
    let chain = read(CHAIN).unwrap();
    let high = Bound::Prices {
        prices: vec![PRICE_UNIT; 6],
        workers: 3,
    };
    assert!(check::bound(&chain, &high).is_err());
    assert!(claim(prices(-1)).is_err());
}

#[test]
fn instances_are_refused() {
    let task = |start, end| Task { start, end };
    let refused = |tasks, skills| Instance::new(tasks, skills).unwrap_err();
    assert_eq!(
        refused(vec![task(3, 3)], vec![]),
        InstanceError::Empty {
            task: 0,
            start: 3,
            end: 3
        }
    );
    assert_eq!(
        refused(vec![task(i64::MIN + 1, 3)], vec![]),
        InstanceError::Far { task: 0 }
    );
    assert_eq!(
        refused(vec![task(0, 1)], vec![vec![1]]),
        InstanceError::Unknown {
            worker: 0,
            task: 1,
            tasks: 1
        }
    );
    assert_eq!(
        refused(vec![task(0, 1)], vec![vec![0, 0]]),
        InstanceError::Twice { worker: 0, task: 0 }
    );
}

#[test]
fn broken_texts_name_their_line() {
    let cases = [
        ("", "line 1: the text ends where `Type = ...` should be"),
        ("Type = 2", "line 1: type 2 is not known; only 1 is"),
        ("# c\nJobs = 2", "line 2: `Type = ...` expected, not `Jobs = 2`"),
        ("Type = 1\nJobs = two", "line 2: `two` is not a number that fits here"),
        ("Type = 1\nJobs = -1", "line 2: `-1` is not a number that fits here"),
        (
            "Type = 1\nJobs = 2\n1 2\n",
            "line 4: the text ends where task 1 of 2 should be",
        ),
        ("Type = 1\nJobs = 1\n1 2 3", "line 3: `start end` expected, not `1 2 3`"),
        ("Type = 1\nJobs = 1\n1 x", "line 3: `x` is not a number that fits here"),
        ("Type = 1\nJobs = 1\n2 2", "line 3: the end 2 is not after the start 2"),
        (
            "Type = 1\nJobs = 1\n2 1000000001",
            "line 3: a time is beyond 1000000000",
        ),
        (
            "Type = 1\nJobs = 1\n-9223372036854775808 1",
            "line 3: a time is beyond 1000000000",
        ),
        (
            "Type = 1\nJobs = 1\n1 2\nQualifications = 99999999",
            "line 4: 1 tasks and 99999999 workers are more than 50000000 pairs",
        ),
        (
            "Type = 1\nJobs = 0\nQualifications = 18446744073709551615",
            "line 3: 0 tasks and 18446744073709551615 workers are more than 50000000 pairs",
        ),
        (
            "Type = 1\nJobs = 1\n1 2\n\nQualifications = 1\n1 0",
            "line 6: `count: task ...` expected, not `1 0`",
        ),
        (
            "Type = 1\nJobs = 1\n1 2\nQualifications = 1\n2: 0",
            "line 5: 2 tasks announced, 1 named",
        ),
        (
            "Type = 1\nJobs = 1\n1 2\nQualifications = 1\n1: 1",
            "line 5: there is no task 1; they end before 1",
        ),
        (
            "Type = 1\nJobs = 1\n1 2\nQualifications = 1\n2: 0 0",
            "line 5: task 0 is named twice",
        ),
        (
            "Type = 1\nJobs = 1\n1 2\nQualifications = 1\n1: 0\n1: 0",
            "line 6: nothing may follow the last worker, not `1: 0`",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(read(text).unwrap_err().to_string(), message, "{text}");
    }
}
