//! The growing engine: a hot start gives what a cold one gives, rays certify, limits are limits.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "all of it is a test"
)]

use std::time::Duration;

use proptest::prelude::*;
use solver::deadline::Deadline;
use solver::program::{LinearEngine, ModelSolver, Program, Status};
use solver_highs::{Engine, Highs, wall_clock};

const NONE: f64 = f64::INFINITY;

/// A program as plain lists, to be built in any order.
#[derive(Debug, Clone)]
struct Plain {
    costs: Vec<i32>,
    most: Vec<i32>,
    /// Greatest totals; coefficients of every column.
    rows: Vec<(i32, Vec<i32>)>,
}

fn plain() -> impl Strategy<Value = Plain> {
    (2..7_usize, 1..6_usize).prop_flat_map(|(columns, rows)| {
        (
            prop::collection::vec(-4..5_i32, columns),
            prop::collection::vec(0..6_i32, columns),
            prop::collection::vec((-6..12_i32, prop::collection::vec(-2..3_i32, columns)), rows),
        )
            .prop_map(|(costs, most, rows)| Plain { costs, most, rows })
    })
}

impl Plain {
    /// Adds columns and rows from these on, as far as the other list reaches.
    fn add(&self, engine: &mut dyn LinearEngine, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) {
        for column in columns.clone() {
            let entries: Vec<(usize, f64)> = (0..rows.start)
                .map(|row| (row, f64::from(self.rows[row].1[column])))
                .filter(|entry| entry.1 != 0.0)
                .collect();
            let bounds = (0.0, f64::from(self.most[column]));
            assert_eq!(
                engine.add_column(f64::from(self.costs[column]), bounds, &entries),
                column
            );
        }
        for row in rows {
            let (most, factors) = &self.rows[row];
            let entries: Vec<(usize, f64)> = factors[..columns.end]
                .iter()
                .enumerate()
                .filter(|(_, factor)| **factor != 0)
                .map(|(column, &factor)| (column, f64::from(factor)))
                .collect();
            assert_eq!(engine.add_row((-NONE, f64::from(*most)), &entries), row);
        }
    }

    fn cost(&self, values: &[f64]) -> f64 {
        self.costs
            .iter()
            .zip(values)
            .map(|(&cost, value)| f64::from(cost) * value)
            .sum()
    }

    fn admits(&self, values: &[f64]) -> bool {
        let bounds = self
            .most
            .iter()
            .zip(values)
            .all(|(&most, &value)| (-1e-6..=f64::from(most) + 1e-6).contains(&value));
        bounds
            && self.rows.iter().all(|(most, factors)| {
                let total: f64 = factors.iter().zip(values).map(|(&f, value)| f64::from(f) * value).sum();
                total <= f64::from(*most) + 1e-6
            })
    }

    /// Whether these weights, all of one sign, add rows up to something the bounds contradict.
    fn contradicted(&self, weights: &[f64]) -> bool {
        let contradicts = |sign: f64| {
            let weight = |row: usize| weights[row] * sign;
            let limit: f64 = (0..self.rows.len())
                .map(|row| weight(row) * f64::from(self.rows[row].0))
                .sum();
            let least: f64 = (0..self.costs.len())
                .map(|column| {
                    let factor: f64 = (0..self.rows.len())
                        .map(|row| weight(row) * f64::from(self.rows[row].1[column]))
                        .sum();
                    factor.min(0.0) * f64::from(self.most[column])
                })
                .sum();
            (0..self.rows.len()).all(|row| weight(row) >= -1e-9) && least > limit + 1e-9
        };
        contradicts(1.0) || contradicts(-1.0)
    }

    /// The least cost of whole values, by trying all.
    fn best_whole(&self) -> Option<f64> {
        let mut best: Option<f64> = None;
        let mut values = vec![0; self.costs.len()];
        loop {
            let reals: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
            if self.admits(&reals) {
                let cost = self.cost(&reals);
                best = Some(best.map_or(cost, |best| best.min(cost)));
            }
            let Some(place) = (0..values.len()).find(|&place| values[place] < self.most[place]) else {
                return best;
            };
            values[..place].fill(0);
            values[place] += 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_hot_start_gives_what_a_cold_one_gives(program in plain(), split in (0.0..1.0, 0.0..1.0)) {
        let (columns, rows) = (program.costs.len(), program.rows.len());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "tiny")]
        let part = |whole: usize, share: f64| (whole as f64 * share) as usize;
        let (some_columns, some_rows) = (part(columns, split.0), part(rows, split.1));
        let mut cold = Engine::new();
        program.add(&mut cold, 0..columns, 0..0);
        program.add(&mut cold, columns..columns, 0..rows);
        let expected = cold.solve(&Deadline::none());
        prop_assert!(matches!(expected, Status::Optimal | Status::Infeasible));
        // Rows and columns together, or columns into an optimum and rows after that.
        for at_once in [true, false] {
            let mut engine = Engine::new();
            let hot = &mut engine;
            program.add(hot, 0..some_columns, 0..0);
            program.add(hot, some_columns..some_columns, 0..some_rows);
            hot.solve(&Deadline::none());
            program.add(hot, some_columns..columns, some_rows..some_rows);
            if !at_once {
                hot.solve(&Deadline::none());
            }
            program.add(hot, columns..columns, some_rows..rows);
            prop_assert_eq!(hot.solve(&Deadline::none()), expected);
            if expected == Status::Optimal {
                prop_assert!(program.admits(hot.values()) && program.admits(cold.values()));
                prop_assert!((program.cost(hot.values()) - program.cost(cold.values())).abs() < 1e-6);
                prop_assert!((program.cost(hot.values()) - hot.bound()).abs() < 1e-6);
                prop_assert_eq!(hot.duals().len(), rows);
            } else {
                prop_assert!(hot.values().is_empty());
                // HiGHS has none where it needed no pivot, as for a row of fixed columns.
                if let Some(weights) = hot.ray() {
                    prop_assert!(program.contradicted(&weights), "{:?}", weights);
                }
            }
        }
    }

    /// What an object solved before changes no bit of what it answers.
    #[test]
    fn an_object_that_is_used_again_answers_like_a_new_one(before in plain(), program in plain(), share in 0.0..1.0) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "tiny")]
        let some = (program.costs.len() as f64 * share) as usize;
        let (columns, rows) = (program.costs.len(), program.rows.len());
        let solved = |mut engine: Engine| {
            program.add(&mut engine, 0..some, 0..0);
            program.add(&mut engine, some..some, 0..rows);
            let first = (engine.solve(&Deadline::none()), engine.values().to_vec());
            program.add(&mut engine, some..columns, rows..rows);
            let status = engine.solve(&Deadline::none());
            let ray = (status == Status::Infeasible).then(|| engine.ray());
            (first, status, engine.values().to_vec(), engine.duals().to_vec(), ray)
        };
        let new = solved(Engine::fresh());
        let mut engine = Engine::new();
        before.add(&mut engine, 0..before.costs.len(), 0..0);
        before.add(&mut engine, before.costs.len()..before.costs.len(), 0..before.rows.len());
        if engine.solve(&Deadline::none()) == Status::Infeasible {
            engine.ray();
        }
        drop(engine);
        prop_assert_eq!(solved(Engine::new()), new);
    }

    #[test]
    fn whole_values_are_the_best_whole_values(program in plain()) {
        let mut engine = Engine::new();
        let engine = &mut engine;
        program.add(engine, 0..program.costs.len(), 0..0);
        program.add(engine, program.costs.len()..program.costs.len(), 0..program.rows.len());
        let relaxed = engine.solve(&Deadline::none());
        let relaxed_bound = engine.bound();
        engine.set_integer(true);
        engine.propose(&vec![0.0; program.costs.len()]);
        let status = engine.solve(&Deadline::none());
        match program.best_whole() {
            None => prop_assert_eq!(status, Status::Infeasible),
            Some(best) => {
                prop_assert_eq!(status, Status::Optimal);
                prop_assert!(program.admits(engine.values()));
                prop_assert!((program.cost(engine.values()) - best).abs() < 1e-6);
                prop_assert!((engine.bound() - best).abs() < 1e-6);
                prop_assert!(engine.values().iter().all(|value| (value - value.round()).abs() < 1e-6));
            }
        }
        engine.set_integer(false);
        prop_assert_eq!(engine.solve(&Deadline::none()), relaxed);
        if relaxed == Status::Optimal {
            prop_assert!((engine.bound() - relaxed_bound).abs() < 1e-6);
        }
    }
}

#[test]
fn bounds_and_costs_change_between_solves() {
    let mut engine = Engine::new();
    let first = engine.add_column(1.0, (0.0, 4.0), &[]);
    let second = engine.add_column(2.0, (0.0, 4.0), &[]);
    let row = engine.add_row((3.0, NONE), &[(first, 1.0), (second, 1.0)]);
    assert_eq!(engine.solve(&Deadline::none()), Status::Optimal);
    assert_eq!(engine.values(), [3.0, 0.0]);
    engine.set_cost(first, 3.0);
    assert_eq!(engine.solve(&Deadline::none()), Status::Optimal);
    assert_eq!(engine.values(), [0.0, 3.0]);
    engine.set_bounds(second, (0.0, 1.0));
    assert_eq!(engine.solve(&Deadline::none()), Status::Optimal);
    assert_eq!(engine.values(), [2.0, 1.0]);
    engine.set_row_bounds(row, (6.0, NONE));
    assert_eq!(engine.solve(&Deadline::none()), Status::Infeasible);
    engine.set_row_bounds(row, (5.0, 5.0));
    assert_eq!(engine.solve(&Deadline::none()), Status::Optimal);
    assert_eq!(engine.values(), [4.0, 1.0]);
    assert_eq!(engine.duals().len(), 1);
    assert!((engine.duals()[0] - 3.0).abs() < 1e-9, "{:?}", engine.duals());
}

#[test]
fn a_row_without_columns_can_be_broken() {
    let mut engine = Engine::new();
    engine.add_row((-NONE, 3.0), &[]);
    assert_eq!(engine.solve(&Deadline::none()), Status::Optimal);
    engine.add_row((1.0, NONE), &[]);
    assert_eq!(engine.solve(&Deadline::none()), Status::Infeasible);
    let weights: Vec<f64> = engine.ray().unwrap().into_iter().map(f64::abs).collect();
    assert_eq!(weights, [0.0, 1.0]);
}

#[test]
fn nothing_is_claimed_when_the_time_is_over() {
    let mut engine = Engine::new();
    let column = engine.add_column(1.0, (0.0, 4.0), &[]);
    engine.add_row((2.0, NONE), &[(column, 1.0)]);
    assert_eq!(
        engine.solve(&Deadline::none().limited(Some(Duration::ZERO), None)),
        Status::TimeLimit
    );
    assert!(engine.values().is_empty());
    assert!(engine.bound().is_infinite());
    assert_eq!(
        engine.solve(&wall_clock().limited(Some(Duration::from_mins(1)), None)),
        Status::Optimal
    );
}

/// A market split problem: hard to decide, so that a tenth of a second and some nodes end in the middle.
#[test]
fn a_limit_in_the_middle_ends_the_solve() {
    let mut engine = Engine::new();
    let columns: Vec<usize> = (0..40).map(|_| engine.add_column(1.0, (0.0, 1.0), &[])).collect();
    let mut state = 1_u32;
    for _ in 0..5 {
        let entries: Vec<(usize, f64)> = columns
            .iter()
            .map(|&column| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (column, f64::from(state >> 25))
            })
            .collect();
        let half = (entries.iter().map(|entry| entry.1).sum::<f64>() / 2.0).floor();
        engine.add_row((half, half), &entries);
    }
    engine.set_integer(true);
    let started = std::time::Instant::now();
    assert_eq!(
        engine.solve(&wall_clock().limited(Some(Duration::from_millis(100)), None)),
        Status::TimeLimit
    );
    assert!(started.elapsed().as_secs() < 10);
    let work = Deadline::none().limited(None, Some(20_000));
    assert_eq!(engine.solve(&work), Status::WorkLimit);
    assert_eq!(work.work_left(), Some(0));
    assert!(engine.bound() > 0.0);
}

#[test]
fn an_index_that_does_not_exist_is_no_answer() {
    let mut engine = Engine::new();
    engine.add_column(1.0, (0.0, 1.0), &[(7, 1.0)]);
    assert_eq!(engine.solve(&Deadline::none()), Status::Unreliable);
    assert_eq!(engine.solve(&Deadline::none()), Status::Unreliable);
    drop(engine);
    assert_eq!(
        Engine::new().solve(&Deadline::none()),
        Status::Optimal,
        "the object that failed is not used again"
    );
}

#[test]
fn engines_and_whole_programs_run_in_several_threads() {
    let work = || {
        for _ in 0..20 {
            let mut engine = Engine::new();
            let column = engine.add_column(1.0, (0.0, 4.0), &[]);
            engine.add_row((2.0, NONE), &[(column, 1.0)]);
            assert_eq!(engine.solve(&Deadline::none()), Status::Optimal);
            let mut program = solver::program::Program::default();
            let column = program.column(1, 4);
            program.row(Some(2), None, vec![(column, 1)]);
            let outcome = Highs.solve(&program, &Deadline::none());
            assert_eq!(outcome, solver::program::Outcome::Optimal(vec![2]));
            engine.add_row((3.0, NONE), &[(0, 1.0)]);
            assert_eq!(engine.solve(&Deadline::none()), Status::Optimal);
            assert_eq!(engine.values(), [3.0]);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
}

/// Packs into three rows what does not come out whole in the linear relaxation.
fn packing(seed: u32) -> Program {
    let mut program = Program::default();
    for column in 0..14 {
        program.column(-i64::from(1 + (seed * 7 + column * 13) % 11), 2);
    }
    for row in 0..3 {
        let entries = (0..14_u32).map(|column| (column as usize, i64::from(2 + (column * (row + 3) + seed * 5) % 7)));
        program.row(None, Some(i64::from(31 + row)), entries.collect());
    }
    program
}

/// Decisions, questions and offers solve at the same time: each finds what it finds alone.
#[test]
fn v2_programs_of_many_threads_are_solved_at_once() {
    let solved = |seed: u32| {
        let mut engine = Engine::new();
        for row in packing(seed).rows {
            engine.add_row((-NONE, row.most.map_or(NONE, |most| most as f64)), &[]);
        }
        for (number, column) in packing(seed).columns.iter().enumerate() {
            let rows = packing(seed).rows.into_iter().enumerate();
            let entries: Vec<(usize, f64)> = rows
                .map(|(row, row_of)| (row, row_of.entries[number].1 as f64))
                .collect();
            engine.add_column(column.cost as f64, (0.0, f64::from(column.most)), &entries);
        }
        engine.set_integer(true);
        let status = engine.solve(&Deadline::none());
        (
            Highs.solve(&packing(seed), &Deadline::none()),
            status,
            engine.bound().round(),
        )
    };
    let alone: Vec<_> = (0..12).map(solved).collect();
    std::thread::scope(|scope| {
        for first in 0..6_u32 {
            let (alone, solved) = (&alone, &solved);
            scope.spawn(move || {
                for number in 0..48 {
                    let seed = (first + number) % 12;
                    assert_eq!(solved(seed), alone[seed as usize], "{seed}");
                }
            });
        }
    });
}
