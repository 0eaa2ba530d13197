//! `berth bench smptsp` as a program: what it prints, and what it says of files it cannot read.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const CHAIN: &str = include_str!("../../../../benches/tests/smptsp/chain.dat");
const APART: &str = include_str!("../../../../benches/tests/smptsp/apart.dat");

fn berth(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(["bench", "smptsp"])
        .arg(folder)
        .args(arguments)
        .output()
        .unwrap()
}

/// A folder with one instance in it and one a folder further down, and a file that is none.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("more")).unwrap();
    fs::write(folder.path().join("chain.dat"), CHAIN).unwrap();
    fs::write(folder.path().join("more/apart.dat"), APART).unwrap();
    fs::write(folder.path().join("README.md"), "no instance").unwrap();
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_instance_is_reported() {
    let folder = folder();
    let output = berth(&["--json"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut instances = document["instances"].as_array().unwrap().clone();
    for instance in &mut instances {
        let seconds = instance.as_object_mut().unwrap().remove("seconds").unwrap();
        assert!(seconds.as_f64().unwrap() < 60.0);
    }
    let proved = |name: &str, workers: u32| json!({"name": name, "workers": workers, "bound": workers, "proved": true});
    assert_eq!(instances, [proved("chain.dat", 2), proved("apart.dat", 3)]);
}

#[test]
fn one_instance_is_chosen_by_name() {
    let folder = folder();
    for name in ["apart", "apart.dat"] {
        let output = berth(&["--only", name], folder.path());
        let table = text(&output.stdout);
        assert!(table.contains("apart.dat") && !table.contains("chain.dat"), "{table}");
        assert!(table.contains("1 of 1 proved"), "{table}");
    }
    let output = berth(&["--only", "nobody"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no instance nobody"));
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_line() {
    let folder = folder();
    fs::write(folder.path().join("bad.dat"), "# comment\nType = 1\nJobs = 1\n5 5\n").unwrap();
    let output = berth(&["--json"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let said = text(&output.stderr);
    assert!(said.contains("bad.dat") && said.contains("line 4"), "{said}");
    fs::write(folder.path().join("bad.dat"), [0xFF, 0xFE]).unwrap();
    let output = berth(&[], folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("bad.dat"));
}

#[test]
fn a_folder_without_instances_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for place in [folder.path().to_owned(), folder.path().join("absent")] {
        let output = berth(&[], &place);
        assert_eq!(output.status.code(), Some(2));
        assert!(!output.stderr.is_empty());
    }
}
