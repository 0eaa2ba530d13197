//! The crates depend on each other as ARCHITECTURE.md draws it, no more and no less.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The lines `crate -> crate, crate` of the block fenced as `edges`.
fn drawn() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md can be read");
    let block = text.split("```edges").nth(1).expect("it has a block of edges");
    let block = block.split("```").next().expect("the block ends");
    block
        .lines()
        .filter_map(|line| line.split_once("->"))
        .map(|(from, to)| {
            let to = to
                .split(',')
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect();
            (from.trim().to_owned(), to)
        })
        .collect()
}

/// Normal dependencies between workspace members.
fn real() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("there are packages");
    let members: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"]
                .as_array()
                .expect("a package has dependencies")
                .iter()
                .filter(|dependency| dependency["kind"].is_null())
                .filter_map(|dependency| dependency["name"].as_str())
                .filter(|name| members.contains(name))
                .map(str::to_owned)
                .collect();
            (
                package["name"].as_str().expect("a package has a name").to_owned(),
                dependencies,
            )
        })
        .collect()
}

#[test]
fn crates_depend_on_each_other_as_drawn() {
    assert_eq!(real(), drawn(), "left: the workspace; right: ARCHITECTURE.md");
}

/// Sources that open files for reading themselves, and why they may.
const READERS: &[(&str, &str)] = &[
    (
        "planner-service/berth/src/solve.rs",
        "documents may come from a pipe, and are bounded",
    ),
    ("planner-service/berth/src/bench/fleet.rs", "/proc"),
    ("planner-service/berth/src/bench/report.rs", "/proc"),
    ("planner-service/berth/src/token.rs", "a folder, to lock it"),
    (
        "planner-service/store/src/embedded/backup.rs",
        "what it has written itself",
    ),
    (
        "planner-service/store/src/embedded/mod.rs",
        "the log that SQLite has just made",
    ),
    ("planner-service/store/src/embedded/record.rs", "its own record"),
];

/// Pipes and devices are refused in one crate: no other may read a file that somebody names.
#[test]
fn d5_files_are_read_by_one_crate() {
    let mut readers = BTreeSet::new();
    let mut folders: Vec<PathBuf> = ["planner-service", "plugins", "solver", "migrations", "benches"]
        .iter()
        .map(|folder| root().join(folder))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("it can be listed").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.extend((!matches!(name.as_str(), "tests" | "benches" | "examples")).then_some(path));
            } else if path.extension().is_some_and(|kind| kind == "rs") && name != "tests.rs" {
                let text = std::fs::read_to_string(&path).expect("it is text");
                let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
                let reads = ["fs::read(", "fs::read_to_string(", "File::open("];
                // `RegularFile::open` and `RecordFile::open` are others.
                let is_reader = code.lines().any(|line| {
                    let line = line.replace("RegularFile::open", "").replace("RecordFile::open", "");
                    reads.iter().any(|call| line.contains(call))
                });
                if is_reader {
                    let within = path.strip_prefix(root()).expect("it is within");
                    readers.insert(within.to_string_lossy().into_owned());
                }
            }
        }
    }
    let known: BTreeSet<String> = READERS.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(readers, known);
}

/// Redirects with secrets, and answers without an end, are avoided in one crate: no other may send HTTP requests.
#[test]
fn v9_http_is_sent_by_one_crate() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("there are packages");
    let sends = |package: &&serde_json::Value| {
        let dependencies = package["dependencies"].as_array().expect("a package has dependencies");
        let names = ["reqwest", "ureq", "isahc", "openstack_sdk"];
        dependencies.iter().any(|dependency| {
            // The server has hyper-util without its client.
            let is_client = dependency["name"] == "hyper-util" && dependency["features"].to_string().contains("client");
            dependency["kind"].is_null() && (is_client || names.iter().any(|name| dependency["name"] == **name))
        })
    };
    let senders: Vec<_> = packages.iter().filter(sends).map(|package| &package["name"]).collect();
    assert_eq!(senders, ["http-client"]);
}

/// The solver is pure: none of these may appear below it, directly or through another crate.
#[test]
fn the_solver_stays_pure() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "-p",
            "solver",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--offline",
            "--format",
            "{p}",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8(output.stdout).expect("cargo prints text");
    assert!(tree.contains("petgraph"), "{tree}");
    for banned in ["tokio", "reqwest", "sea-orm", "axum", "highs-sys", "rand"] {
        let found = tree.lines().any(|line| line.split(' ').next() == Some(banned));
        assert!(!found, "the solver depends on {banned}");
    }
}
