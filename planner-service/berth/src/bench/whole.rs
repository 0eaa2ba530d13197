//! `berth bench whole`: all pending leases planned anew, by Berth and by programs that are written down in one piece.
//!
//! Invariant: all models minimise the same cost, so where two prove an optimum they must agree; the run fails if they do not.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use benches::baseline::{Grain, outline};
use benches::book::CountingOnly;
use benches::fleet::{Filled, Size};
use clap::Args;
use serde_json::{Value, json};
use solver::deadline::Deadline;
use solver::model::Lease;
use solver::planner::Planner;
use solver::program::{ModelSolver, Outcome};
use solver::replan::{Counted, Design, replan};
use solver_format::Problem;
use solver_highs::Highs;

use super::report::{machine, print, table, time};
use crate::solve::deadline;

/// Largest fleet of which a program with a variable for every host is written down.
const MOST_BY_HOST: usize = 1_000;
/// Largest fleet of which a program over classes is.
const MOST_BY_CLASS: usize = 3_000;
/// Leases bound one by one.
const MOST_BOUND: usize = 1_000;

/// Plan all pending leases of a fleet anew
#[derive(Debug, Args)]
pub(crate) struct WholeArguments {
    /// How many hosts
    #[arg(long, default_value_t = 300)]
    pub(crate) hosts: u32,
    /// How many classes of hosts
    #[arg(long, default_value_t = 20)]
    pub(crate) classes: usize,
    /// How many leases the fleet carries; two for each host unless given
    #[arg(long)]
    pub(crate) leases: Option<usize>,
    /// Same seed, same fleet and leases
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Take hosts and leases from this problem document, and as leases too those of its requests that fit one after another
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hosts", "classes", "leases", "seed"])]
    pub(crate) problem: Option<PathBuf>,
    /// Write hosts and leases into this problem document, for other planners
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
    /// Seconds for each model
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    pub(crate) time_limit: f64,
    /// Leave the programs out: Berth alone
    #[arg(long)]
    pub(crate) alone: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &WholeArguments) -> anyhow::Result<ExitCode> {
    let (filled, planner) = if let Some(file) = &arguments.problem {
        let text = crate::solve::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        booked(&Problem::parse(&text)?)?
    } else {
        let filled = Filled::new(Size {
            hosts: arguments.hosts,
            classes: arguments.classes.min(arguments.hosts as usize),
            leases: arguments.leases.unwrap_or(2 * arguments.hosts as usize),
            seed: arguments.seed,
        })?;
        let planner = filled.planner()?;
        (filled, planner)
    };
    if let Some(file) = &arguments.write {
        let problem = planner.problem(filled.now, 0, &[]);
        let text = serde_json::to_string(&problem).context("the problem cannot be written as JSON")?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let programs: &[Grain] = if arguments.alone {
        &[]
    } else {
        &[Grain::Class, Grain::Host]
    };
    let whole = measured(&filled, &planner, arguments.time_limit, programs)?;
    if arguments.json {
        let document = json!({ "machine": machine(), "hosts": filled.hosts.len(), "whole_fleet": whole.written() });
        print(&format!("{document:#}"))?;
    } else {
        print(&whole.shown())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Hosts and leases of a problem, with the requests that fit as things stand when their turn comes.
fn booked(problem: &Problem) -> anyhow::Result<(Filled, Planner)> {
    let outside = problem
        .hosts
        .iter()
        .any(|host| !host.blocks.is_empty() || !host.reservable);
    let mut parts = problem.leases.iter().flat_map(|lease| &lease.reservations);
    let pinned = parts.any(|part| part.start > problem.now && part.pinned == Some(true));
    if outside || pinned || problem.freeze != 0 || problem.cleaning != 0 {
        bail!(
            "hosts with blocks or out of service, work pinned in the future, freezing and cleaning are not in the programs compared with"
        );
    }
    let mut planner = Planner::of(problem)?;
    for entry in &problem.requests {
        let request = entry.to_request(problem.cleaning);
        let decision = planner.decide(&request, problem.now, &Deadline::none(), &CountingOnly);
        planner.apply(&request, &decision)?;
    }
    let filled = Filled {
        hosts: planner.hosts().cloned().collect(),
        leases: planner.leases().cloned().collect(),
        requests: Vec::new(),
        now: problem.now,
    };
    Ok((filled, planner))
}

/// One model's plan of the whole fleet.
struct Modelled {
    model: &'static str,
    /// Until the optimum was proved or the time was up.
    seconds: f64,
    /// The proved optimum, in prices times seconds.
    optimum: Option<u64>,
    /// Of a program written down in one piece: columns and rows.
    size: Option<[usize; 2]>,
}

/// What was measured of a whole fleet.
pub(super) struct Whole {
    reservations: usize,
    models: Vec<Modelled>,
    /// Seconds until the counts of all pending reservations were known, and from these to hosts.
    counting: f64,
    decoding: f64,
    /// Mean microseconds in which a lease's hosts were looked up and fixed.
    binding: f64,
}

/// Measures a fleet, each model within so many seconds.
pub(super) fn measure(filled: &Filled, planner: &Planner, seconds: f64) -> anyhow::Result<Whole> {
    measured(filled, planner, seconds, &[Grain::Class, Grain::Host])
}

fn measured(filled: &Filled, planner: &Planner, seconds: f64, programs: &[Grain]) -> anyhow::Result<Whole> {
    let started = Instant::now();
    let counted = Counted::new(planner, filled.now);
    let counting = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let decoded = counted.decode().context("the counts of the leases exceed a class")?;
    let decoding = started.elapsed().as_secs_f64();
    drop(counted);
    let mut models = vec![anew(filled, planner, seconds)?];
    for &grain in programs {
        let most = match grain {
            Grain::Host => MOST_BY_HOST,
            Grain::Class => MOST_BY_CLASS,
        };
        if filled.hosts.len() <= most {
            models.push(program(filled, grain, seconds));
        }
    }
    let optima: Vec<u64> = models.iter().filter_map(|model| model.optimum).collect();
    if optima.windows(2).any(|pair| pair[0] != pair[1]) {
        bail!("models of the same problem have different optima: {optima:?}");
    }
    Ok(Whole {
        reservations: decoded.len(),
        models,
        counting,
        decoding,
        binding: bind(filled, planner)?,
    })
}

/// A program on `HiGHS`.
fn program(filled: &Filled, grain: Grain, seconds: f64) -> Modelled {
    let outlined = outline(filled, grain);
    let program = &outlined.program;
    let started = Instant::now();
    let outcome = Highs.solve(program, &deadline(Some(seconds), None));
    let cost = |values: &[u32]| u64::try_from(program.cost(values).saturating_mul(outlined.unit)).unwrap_or(u64::MAX);
    Modelled {
        model: match grain {
            Grain::Class => "HiGHS, per class",
            Grain::Host => "HiGHS, per host",
        },
        seconds: started.elapsed().as_secs_f64(),
        optimum: match outcome {
            Outcome::Optimal(values) => Some(cost(&values)),
            Outcome::Infeasible | Outcome::TimeLimit | Outcome::WorkLimit | Outcome::Unreliable => None,
        },
        size: Some([program.columns.len(), program.rows.len()]),
    }
}

/// Berth's own re-plan.
fn anew(filled: &Filled, planner: &Planner, seconds: f64) -> anyhow::Result<Modelled> {
    let started = Instant::now();
    let deadline = deadline(Some(seconds), None);
    let found = replan(planner, filled.now, Design::default(), &deadline, &Highs)?;
    Ok(Modelled {
        model: "Berth",
        seconds: started.elapsed().as_secs_f64(),
        optimum: found.filter(|found| found.proved).map(|found| found.cost),
        size: None,
    })
}

/// Binds pending leases one by one, as at their start: their hosts are looked up and fixed.
fn bind(filled: &Filled, planner: &Planner) -> anyhow::Result<f64> {
    let pending = |lease: &&Lease| lease.reservations.iter().all(|held| !held.is_fixed(filled.now, 0));
    let leases: Vec<&Lease> = filled.leases.iter().filter(pending).take(MOST_BOUND).collect();
    let mut planner = planner.clone();
    let started = Instant::now();
    for lease in &leases {
        let mut lease = planner.lease(&lease.id).cloned().context("a lease is missing")?;
        for held in &mut lease.reservations {
            held.pinned = true;
        }
        planner.put_lease(lease)?;
    }
    let bound = u32::try_from(leases.len()).unwrap_or(u32::MAX).max(1);
    Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(bound))
}

impl Whole {
    /// As JSON.
    pub(super) fn written(&self) -> Value {
        let model = |model: &Modelled| {
            json!({
                "model": model.model,
                "columns_rows": model.size,
                "seconds": model.seconds,
                "optimum": model.optimum,
            })
        };
        json!({
            "reservations": self.reservations,
            "models": self.models.iter().map(model).collect::<Vec<_>>(),
            "counting_seconds": self.counting,
            "decoding_seconds": self.decoding,
            "binding_micros": self.binding,
        })
    }

    /// As text.
    pub(super) fn shown(&self) -> String {
        let mut models = table(&["whole fleet anew", "columns", "rows", "time", "proved optimum"]);
        for model in &self.models {
            let size = |place: usize| model.size.map_or(String::new(), |size| size[place].to_string());
            models.add_row([
                model.model.to_owned(),
                size(0),
                size(1),
                time(model.seconds * 1e6),
                model
                    .optimum
                    .map_or("not in time".to_owned(), |optimum| optimum.to_string()),
            ]);
        }
        format!(
            "{} pending reservations; counts known in {}, hosts for them in {}; a lease bound in {}\n{models}",
            self.reservations,
            time(self.counting * 1e6),
            time(self.decoding * 1e6),
            time(self.binding),
        )
    }
}
