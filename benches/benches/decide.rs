//! One decision at 1,000 hosts and 5,000 leases: when hosts are free, and when promises must be
//! re-chosen.

#![allow(missing_docs, reason = "the macro's function has none")]

use std::hint::black_box;

use benches::book::{book, request};
use benches::random::Random;
use criterion::{Criterion, criterion_group, criterion_main};
use solver::deadline::Deadline;
use solver::decision::Tier;
use solver::model::{Request, Seconds};
use solver::planner::Planner;
use solver_highs::Highs;

const NOW: Seconds = 1_800_000_000;

/// The first random request that is decided in this tier.
fn first(planner: &Planner, random: &mut Random, tier: Tier) -> Option<Request> {
    (0..20_000)
        .map(|number| request(1_000_000 + number, NOW, random))
        .find(|request| planner.decide(request, NOW, &Deadline::none(), &Highs).tier == tier)
}

fn decide(criterion: &mut Criterion) {
    let mut random = Random::new(7);
    let planner = book(1_000, 5_000, NOW, &mut random);
    let cases = [
        ("count", Tier::Count),
        ("re-choose", Tier::Mip),
        ("certificate", Tier::Certificate),
    ];
    for (name, tier) in cases {
        if let Some(request) = first(&planner, &mut random, tier) {
            let decision = planner.decide(&request, NOW, &Deadline::none(), &Highs);
            criterion.bench_function(&format!("decide/{name}"), |bencher| {
                bencher.iter(|| planner.decide(black_box(&request), NOW, &Deadline::none(), &Highs));
            });
            criterion.bench_function(&format!("apply/{name}"), |bencher| {
                bencher.iter_batched(
                    || planner.clone(),
                    |mut planner| planner.apply(black_box(&request), &decision).is_ok(),
                    criterion::BatchSize::SmallInput,
                );
            });
        }
    }
}

criterion_group!(group, decide);
criterion_main!(group);
