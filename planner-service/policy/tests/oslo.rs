//! The same rules, callers and targets decided by oslo.policy itself.
#![cfg(test)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use policy::{Credentials, Defaults, Rules, Target};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const CASES: usize = 3000;

/// One question to both.
#[derive(Debug, Clone)]
struct Case {
    /// Rules `r0` to `r3`; each refers only to those before it, since oslo.policy goes round in circles.
    rules: Vec<String>,
    user: usize,
    project: usize,
    roles: Vec<&'static str>,
    is_admin: bool,
    target_user: usize,
    target_project: usize,
}

const USERS: [&str; 4] = ["u1", "u2", "12", "True"];
const PROJECTS: [&str; 4] = ["p1", "p2", "None", "a.b"];

/// What `asks` of a check, written as people write it in files.
fn check(level: usize) -> impl Strategy<Value = String> {
    let references: Vec<String> = (0..level)
        .map(|earlier| format!("rule:r{earlier}"))
        .chain(["rule:nowhere".to_owned()])
        .collect();
    let value = prop_oneof![
        prop::sample::select(USERS.to_vec()).prop_map(str::to_owned),
        prop::sample::select(PROJECTS.to_vec()).prop_map(str::to_owned),
        Just("False".to_owned()),
        Just("member".to_owned()),
        Just("%(user_id)s".to_owned()),
        Just("%(project_id)s".to_owned()),
        Just("%(nothing)s".to_owned()),
        Just("u%(user_id)s".to_owned()),
    ];
    let kind = prop::sample::select(vec![
        "user_id",
        "project_id",
        "is_admin",
        "roles",
        "nothing",
        "nothing.x",
        "'p1'",
        "\"u1\"",
        "True",
        "None",
        "12",
        "-3",
    ]);
    prop_oneof![
        3 => prop::sample::select(references),
        3 => prop::sample::select(vec!["member", "MEMBER", "reader", "admin", "%(user_id)s", "nobody"])
            .prop_map(|role| format!("role:{role}")),
        6 => (kind, value).prop_map(|(kind, value)| format!("{kind}:{value}")),
        1 => Just("@".to_owned()),
        1 => Just("!".to_owned()),
    ]
}

/// A text of the language, with the blanks, letters and needless parentheses that files have.
fn text(level: usize) -> impl Strategy<Value = String> {
    let joined = check(level).prop_recursive(4, 24, 3, |inner| {
        let word = |words: &'static [&'static str]| prop::sample::select(words.to_vec());
        prop_oneof![
            (word(&["not ", "NOT ", "not  "]), inner.clone(), any::<bool>()).prop_map(|(not, text, bare)| {
                if bare && !text.contains(' ') {
                    format!("{not}{text}")
                } else {
                    format!("{not}({text})")
                }
            }),
            (inner.clone(), word(&[" and ", " AND ", "  and\t"]), inner.clone())
                .prop_map(|(left, and, right)| format!("{left}{and}{right}")),
            (inner.clone(), word(&[" or ", " Or ", "\nor "]), inner.clone())
                .prop_map(|(left, or, right)| format!("{left}{or}{right}")),
            (word(&["(", "( ", "(("]), inner).prop_map(|(open, text)| {
                let close = if open == "((" { "))" } else { ")" };
                format!("{open}{text}{close}")
            }),
        ]
    });
    prop_oneof![30 => joined, 1 => Just(String::new())]
}

fn case() -> impl Strategy<Value = Case> {
    (
        (text(0), text(1), text(2), text(3)),
        0..USERS.len(),
        0..PROJECTS.len(),
        prop::sample::subsequence(vec!["member", "reader", "Admin", "u1"], 0..4),
        any::<bool>(),
        0..USERS.len(),
        0..PROJECTS.len(),
    )
        .prop_map(
            |((a, b, c, d), user, project, roles, is_admin, target_user, target_project)| Case {
                rules: vec![a, b, c, d],
                user,
                project,
                roles,
                is_admin,
                target_user,
                target_project,
            },
        )
}

impl Case {
    fn named(&self) -> BTreeMap<String, String> {
        self.rules
            .iter()
            .enumerate()
            .map(|(number, text)| (format!("r{number}"), text.clone()))
            .collect()
    }

    fn question(&self) -> Value {
        json!({
            "rules": self.named(),
            "asked": "r3",
            "credentials": {
                "user_id": USERS[self.user],
                "project_id": PROJECTS[self.project],
                "roles": self.roles,
                "is_admin": self.is_admin,
            },
            "target": {"user_id": USERS[self.target_user], "project_id": PROJECTS[self.target_project]},
        })
    }

    fn decide(&self) -> bool {
        let rules =
            Rules::load(Defaults::Upstream, &self.named(), true).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let roles: Vec<String> = self.roles.iter().map(|&role| role.to_owned()).collect();
        let credentials = Credentials {
            user_id: Some(USERS[self.user]),
            project_id: Some(PROJECTS[self.project]),
            roles: &roles,
            is_admin: self.is_admin,
        };
        let target = Target {
            project_id: PROJECTS[self.target_project],
            user_id: USERS[self.target_user],
        };
        rules.allows("r3", &credentials, &target)
    }
}

fn oslo(python: &str, questions: &[Value]) -> Vec<bool> {
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../dev/python/policy.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut input = child.stdin.take().expect("its input is ours");
    let text = Value::from(questions).to_string();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("Python ends");
    writer.join().expect("the writer ends").expect("the questions are read");
    assert!(output.status.success(), "policy.py failed");
    serde_json::from_slice(&output.stdout).expect("the answers are a list")
}

/// Not drawn: a path into a member that is a text (`user_id.x`), which oslo.policy answers with an exception, and texts
/// outside the language, which it takes for `!` and Berth refuses to start with.
#[test]
fn generated_rules_are_decided_as_oslo_policy_decides_them() {
    if std::env::var("BERTH_TEST_ENGINES").is_ok_and(|engines| engines == "sqlite") {
        eprintln!("left out: BERTH_TEST_ENGINES=sqlite");
        return;
    }
    let python = std::env::var("BERTH_TEST_PYTHON").expect("run through `make test` or `dev/with-databases`");
    let mut runner = TestRunner::deterministic();
    let strategy = case();
    let cases: Vec<Case> = (0..CASES)
        .map(|_| strategy.new_tree(&mut runner).expect("a case is drawn").current())
        .collect();
    let questions: Vec<Value> = cases.iter().map(Case::question).collect();
    let answers = oslo(&python, &questions);
    assert_eq!(answers.len(), cases.len());
    for ((case, question), theirs) in cases.iter().zip(&questions).zip(&answers) {
        assert_eq!(case.decide(), *theirs, "oslo.policy decides {theirs}: {question:#}");
    }
    let allowed = answers.iter().filter(|&&allowed| allowed).count();
    assert!(
        (CASES / 10..CASES * 9 / 10).contains(&allowed),
        "{allowed} of {CASES} allowed: the cases ask too little"
    );
}
