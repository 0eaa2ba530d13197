//! The fuzz targets' seeds with the real model solver: what can be read can be planned in every mode, and the
//! checker agrees with the plan.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of it is a test")]

use std::fs;
use std::path::{Path, PathBuf};

use solver::admit::{self, Settings};
use solver::batch;
use solver::deadline::Deadline;
use solver::{heal, predicate, replay};
use solver_check::{check, report};
use solver_format::{Plan, Problem, fingerprint};
use solver_highs::Highs;

fn seeds(target: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            (file, text)
        })
        .collect()
}

#[test]
fn every_seed_that_can_be_read_is_planned_as_the_checker_says() {
    let mut planned = 0;
    let mut wrong = Vec::new();
    for (file, text) in seeds("problem") {
        let Ok(problem) = Problem::parse(&text) else { continue };
        let name = fingerprint(&text);
        let deadline = &Deadline::none();
        let settings = Settings {
            deadline: deadline.clone(),
            offers: true,
        };
        let plans = [
            admit::run(&problem, &name, settings.clone(), &Highs),
            replay::run(&problem, &name, settings, &Highs, |_| {}),
            heal::run(&problem, &name, deadline, &Highs),
            batch::run(&problem, &name, deadline, &Highs),
        ];
        for plan in plans {
            let plan = plan.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            for violation in check(&problem, &name, &plan) {
                wrong.push(format!("{} {}: {violation}", file.display(), plan.mode));
            }
            planned += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(planned >= 28, "{planned} plans: the seeds cannot be read any more");
}

#[test]
fn every_plan_that_can_be_read_is_reported_on() {
    let mut reports = Vec::new();
    for (file, text) in seeds("plan") {
        let Some((problem, plan)) = text.split_once('\n') else {
            continue;
        };
        let name = fingerprint(problem);
        let (Ok(problem), Ok(plan)) = (Problem::parse(problem), Plan::parse(plan)) else {
            continue;
        };
        let found = report(&problem, &name, &plan);
        let file = file.file_stem().unwrap().to_string_lossy().into_owned();
        reports.push((file, found.violations.is_empty(), found.believed.is_empty()));
    }
    let expected = [
        ("believed-bound", false, false),
        ("believed-search", false, true),
        ("great-numbers", false, true),
        ("heal", false, true),
        ("receipt", true, true),
    ];
    assert_eq!(
        reports,
        expected.map(|(file, right, counted)| (file.to_owned(), right, counted))
    );
}

#[test]
fn every_expression_that_can_be_read_is_written_back_the_same() {
    let mut read = 0;
    for (file, text) in seeds("expression") {
        let Ok(value) = serde_json::from_str(&text) else {
            continue;
        };
        let Ok(expression) = predicate::parse(&value) else {
            continue;
        };
        assert_eq!(
            predicate::parse(&expression.to_json()).as_ref(),
            Ok(&expression),
            "{}",
            file.display()
        );
        read += 1;
    }
    assert!(read >= 2, "{read} expressions: the seeds cannot be read any more");
}
