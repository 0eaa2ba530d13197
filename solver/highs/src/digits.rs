//! Rows with great coefficients, written with small ones.
//!
//! HiGHS works in floating point with absolute tolerances: at coefficients near 10^12 it takes what does not fit for
//! what fits, and the other way round. A row over amounts is therefore split into one row for each digit, with a
//! column that carries from a digit to the next: `sum a x <= b` holds for whole `x >= 0` exactly if
//! `sum (a mod B) x - B c <= b mod B` and `sum (a div B) x + c <= b div B` hold for some whole `c >= 0`.
//!
//! Invariant: the columns of the program come first and keep their numbers, and values of them satisfy the rows of the
//! one program exactly if carries exist with which they satisfy those of the other.

use std::borrow::Cow;

use solver::program::{Program, Row};

/// Coefficients up to this one stay as they are.
const SMALL: i64 = 1 << 20;
/// What the digits are multiples of.
const BASE: i64 = 1 << 13;

/// The program, or an equal one whose rows have small coefficients.
pub(crate) fn in_range(program: &Program) -> Cow<'_, Program> {
    let great = |row: &Row| row.entries.iter().any(|&(_, factor)| factor.abs() > SMALL);
    if !program.rows.iter().any(great) {
        return Cow::Borrowed(program);
    }
    let mut split = Program {
        columns: program.columns.clone(),
        rows: Vec::with_capacity(program.rows.len()),
    };
    for row in &program.rows {
        if great(row) {
            for part in one_sided(row) {
                add(&mut split, reduced(part));
            }
        } else {
            split.rows.push(row.clone());
        }
    }
    Cow::Owned(split)
}

/// A row with one bound for each bound of a row.
fn one_sided(row: &Row) -> impl Iterator<Item = Row> {
    let bounds = [(row.least, None), (None, row.most)];
    let given = bounds.into_iter().filter(|bounds| *bounds != (None, None));
    given.map(|(least, most)| Row {
        least,
        most,
        entries: row.entries.clone(),
    })
}

/// The row divided by what divides all of its coefficients; sums are whole, so the bounds are rounded inwards.
fn reduced(row: Row) -> Row {
    let divisor = row
        .entries
        .iter()
        .fold(0, |divisor, &(_, factor)| greatest_common(divisor, factor));
    let Ok(divisor @ 2..) = i64::try_from(divisor) else {
        return row;
    };
    Row {
        least: row.least.map(|least| -(-least).div_euclid(divisor)),
        most: row.most.map(|most| most.div_euclid(divisor)),
        entries: row
            .entries
            .into_iter()
            .map(|(column, factor)| (column, factor / divisor))
            .collect(),
    }
}

const fn greatest_common(mut one: u64, factor: i64) -> u64 {
    let mut other = factor.unsigned_abs();
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// Adds a row with one bound, digit by digit as long as its coefficients are great.
fn add(program: &mut Program, row: Row) {
    let positive = row.entries.iter().all(|&(_, factor)| factor >= 0);
    let great = row.entries.iter().any(|&(_, factor)| factor > SMALL);
    let Some(carries) = most_carried(program, &row).filter(|_| positive && great) else {
        program.rows.push(row);
        return;
    };
    let carry = program.column(0, carries);
    let digits = |digit: &dyn Fn(i64) -> i64, carried: i64| {
        let entries = row.entries.iter().map(|&(column, factor)| (column, digit(factor)));
        let entries = entries.filter(|&(_, digit)| digit > 0);
        entries.chain([(carry, carried)]).collect::<Vec<_>>()
    };
    let low = digits(&|factor| factor % BASE, -BASE);
    let high = digits(&|factor| factor / BASE, 1);
    let digit = |bound: i64| bound.rem_euclid(BASE);
    let rest = |bound: i64| bound.div_euclid(BASE);
    // From below one may be carried less than nothing: where the last digits are short, the others make up for it.
    program.row(row.least.map(|least| digit(least) - BASE), row.most.map(digit), low);
    add(
        program,
        Row {
            least: row.least.map(|least| rest(least) + 1),
            most: row.most.map(rest),
            entries: high,
        },
    );
}

/// The most that can be carried from the last digits of a row; `None` if no column counts so far.
fn most_carried(program: &Program, row: &Row) -> Option<u32> {
    let most = row.entries.iter().map(|&(column, factor)| {
        let most = i128::from(program.columns.get(column).map_or(0, |column| column.most));
        most * i128::from(factor % BASE)
    });
    let carried = most.sum::<i128>() / i128::from(BASE) + 2;
    u32::try_from(carried).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "all of it is a test")]

    use proptest::prelude::*;
    use solver::program::Program;

    use super::{BASE, SMALL, in_range};

    /// Whether carries exist with which these values satisfy a split program: each carry is asked for by one row and
    /// limited by the next, so the least that serves the first is the best from above, the greatest from below.
    fn admits(program: &Program, split: &Program, values: &[u32]) -> bool {
        let mut all: Vec<Option<i128>> = values.iter().map(|&value| Some(i128::from(value))).collect();
        all.resize(split.columns.len(), None);
        split.rows.iter().all(|row| {
            let known = row
                .entries
                .iter()
                .filter_map(|&(column, factor)| Some(all[column]? * i128::from(factor)));
            let sum: i128 = known.sum();
            let carry = row.entries.iter().find(|(column, _)| all[*column].is_none()).copied();
            let Some((carry, factor)) = carry else {
                return row.least.is_none_or(|least| i128::from(least) <= sum)
                    && row.most.is_none_or(|most| sum <= i128::from(most));
            };
            assert_eq!(factor, -BASE, "a row asks for the carry before another uses it");
            let base = i128::from(BASE);
            let carried = match (row.least, row.most) {
                (None, Some(most)) => (sum - i128::from(most) + base - 1).div_euclid(base).max(0),
                (Some(least), None) => (sum - i128::from(least)).div_euclid(base),
                _ => panic!("a row has one bound"),
            };
            all[carry] = Some(carried);
            (0..=i128::from(split.columns[carry].most)).contains(&carried)
        }) && values.len() == program.columns.len()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// A split program admits exactly what the whole one does, also where sums meet a bound exactly.
        #[test]
        fn s04_digits_say_what_the_row_says(
            drawn in prop::collection::vec((0_i64..=1_000_000_000_000, 0..5_u32), 1..6),
            values in prop::collection::vec(0..5_u32, 6),
            near in -2_i64..=2,
            (from_below, multiple) in (any::<bool>(), prop_oneof![Just(1), Just(3), Just(1 << 14)]),
        ) {
            let mut program = Program::default();
            let entries: Vec<(usize, i64)> = drawn
                .iter()
                .map(|&(factor, most)| (program.column(0, most), factor * multiple))
                .collect();
            let values: Vec<u32> = drawn.iter().zip(values).map(|(&(_, most), value)| value.min(most)).collect();
            let sum: i64 = entries.iter().zip(&values).map(|(&(_, factor), &value)| factor * i64::from(value)).sum();
            let bound = sum + near;
            let (least, most) = if from_below { (Some(bound), None) } else { (None, Some(bound)) };
            prop_assume!(bound >= 0);
            program.row(least, most, entries);
            let split = in_range(&program);
            prop_assert_eq!(admits(&program, &split, &values), program.admits(&values));
            for row in &split.rows {
                for &(_, factor) in &row.entries {
                    prop_assert!(factor.abs() <= SMALL);
                }
            }
        }
    }
}
