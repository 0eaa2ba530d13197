//! The language: a table by hand, and properties of parser and printer.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};

use policy::parse::{MAX_DEPTH, MAX_LENGTH, parse};
use policy::{
    Credentials, Defaults, Doubt, Expression, LoadError, Operand, ParseError, Piece, Rules, Target, Template,
};
use proptest::prelude::*;

fn rules(texts: &[(&str, &str)]) -> Result<Rules, LoadError> {
    let overrides: BTreeMap<String, String> = texts
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    Rules::load(Defaults::Upstream, &overrides, true)
}

/// Decides `text` for user u1 of project p1 with roles member and Reader, on an object of project p1 and user u2.
fn decide(text: &str) -> bool {
    let roles = ["member".to_owned(), "Reader".to_owned()];
    let credentials = Credentials {
        user_id: Some("u1"),
        project_id: Some("p1"),
        roles: &roles,
        is_admin: false,
    };
    let target = Target {
        project_id: "p1",
        user_id: "u2",
    };
    rules(&[("asked", text), ("yes", "@"), ("no", "!")])
        .expect(text)
        .allows("asked", &credentials, &target)
}

#[test]
fn decisions_by_hand() {
    for (text, expected) in [
        ("", true),
        ("@", true),
        ("!", false),
        ("rule:yes", true),
        ("rule:no", false),
        ("rule:nowhere", false),
        ("not rule:nowhere", true),
        ("role:member", true),
        ("role:MEMBER", true),
        ("role:reader", true),
        ("role:admin", false),
        ("role:%(project_id)s", false),
        ("roles:member", true),
        ("roles:MEMBER", false),
        ("is_admin:True", false),
        ("is_admin:False", true),
        ("project_id:%(project_id)s", true),
        ("user_id:%(user_id)s", false),
        ("user_id:u1", true),
        ("user_id:u%(user_id)s", false),
        ("project_id:%(nothing)s", false),
        ("not project_id:%(nothing)s", true),
        ("domain_id:p1", false),
        ("'p1':%(project_id)s", true),
        ("\"p1\":%(project_id)s", true),
        ("'p2':%(project_id)s", false),
        ("True:True", true),
        ("None:None", true),
        ("12:12", true),
        ("-3:-3", true),
        ("12:13", false),
        ("user_id:100%%", false),
        ("rule:no and rule:no or rule:yes", true),
        ("rule:yes or rule:no and rule:no", true),
        ("(rule:yes or rule:no) and rule:no", false),
        ("not rule:no and rule:yes", true),
        ("not (rule:no and rule:yes)", true),
        ("not not rule:yes", true),
        ("NOT rule:no AND rule:yes", true),
        ("( ( rule:yes ) )", true),
        (" role:member   and\n\tuser_id:u1 ", true),
    ] {
        assert_eq!(decide(text), expected, "{text}");
    }
}

#[test]
fn texts_outside_the_language_are_refused() {
    for text in [
        "role:member and",
        "member",
        "  ",
        "(role:member)and (role:member)",
        "(role:member) and(role:member)",
        "not(role:member)",
        "1.5:1.5",
        "(role:member",
        "role:member)",
        "role:",
        "role:a role:b",
        "user_id:%(user_id)d",
        "user_id:50%",
        "'a b':x",
        "and",
        "rule:%(project_id)s",
    ] {
        let answer = parse(text);
        assert!(
            matches!(answer, Err(ParseError::Syntax { offset }) if offset <= text.len()),
            "{text}: {answer:?}"
        );
    }
    assert!(matches!(parse("http://x/%(a)s"), Err(ParseError::Remote { kind }) if kind == "http"));
    assert!(matches!(
        parse(&"@".repeat(MAX_LENGTH + 1)),
        Err(ParseError::TooLong { .. })
    ));
    let deep = |levels: usize| format!("{}@{}", "(".repeat(levels), ")".repeat(levels));
    assert_eq!(parse(&deep(MAX_DEPTH)), Ok(Expression::Allow));
    assert_eq!(parse(&deep(MAX_DEPTH + 1)), Err(ParseError::TooDeep));
    assert!(parse(&format!("{}@", "not ".repeat(4000))).is_ok());
}

#[test]
fn circles_and_long_chains_are_found_at_load() {
    match rules(&[("a", "rule:b"), ("b", "@ and not rule:c"), ("c", "rule:a")]) {
        Err(LoadError::Cycle { rules }) => assert_eq!(rules, ["a", "b", "c", "a"]),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        rules(&[("admin", "rule:admin")]),
        Err(LoadError::Cycle { .. })
    ));
    let chain: Vec<(String, String)> = (0..500)
        .map(|n| (format!("r{n}"), format!("rule:r{}", n + 1)))
        .collect();
    assert!(matches!(
        Rules::load(Defaults::Upstream, &chain.into_iter().collect(), true),
        Err(LoadError::TooDeep { .. })
    ));
}

/// A rule referred to twice by each of its predecessors: 2^100 steps for an evaluation that forgets.
#[test]
fn shared_references_are_decided_once() {
    let mut ladder: BTreeMap<String, String> = (0..60)
        .map(|n| (format!("r{n}"), format!("rule:r{0} and rule:r{0}", n + 1)))
        .collect();
    ladder.insert("r60".to_owned(), "@".to_owned());
    let rules = Rules::load(Defaults::Upstream, &ladder, true).expect("the ladder is no circle");
    assert!(rules.allows("r0", &Credentials::default(), &Target::default()));
}

/// Who may do what by default: columns are own reader, own member, own user without a role, other member, admin.
#[test]
fn default_rules_by_hand() {
    let table: [(&str, [bool; 5], bool); 8] = [
        ("blazar:leases:get", [true, false, false, false, true], true),
        ("blazar:leases:post", [false, true, false, false, true], true),
        ("blazar:leases:put", [false, true, false, false, true], true),
        ("blazar:leases:delete", [false, true, false, false, true], true),
        ("blazar:oshosts:get", [false, false, false, false, true], false),
        (
            "blazar:oshosts:get_allocations",
            [false, false, false, false, true],
            false,
        ),
        ("admin", [false, false, false, false, true], false),
        ("blazar:unheard:of", [false, false, false, false, false], false),
    ];
    let target = Target {
        project_id: "p1",
        user_id: "u1",
    };
    let callers = [
        ("p1", "reader"),
        ("p1", "member"),
        ("p1", "_"),
        ("p2", "member"),
        ("p2", "admin"),
    ];
    for enforce_new_defaults in [true, false] {
        let rules = Rules::load(Defaults::Upstream, &BTreeMap::new(), enforce_new_defaults).expect("the defaults load");
        for (rule, expected, owner_applies) in table {
            for ((project, role), expected) in callers.into_iter().zip(expected) {
                let named = [role.to_owned()];
                let credentials = Credentials {
                    user_id: Some("u9"),
                    project_id: Some(project),
                    roles: &named,
                    is_admin: false,
                };
                let expected = expected || (owner_applies && !enforce_new_defaults && project == "p1");
                assert_eq!(
                    rules.allows(rule, &credentials, &target),
                    expected,
                    "{rule} {project} {role}"
                );
            }
        }
    }
}

/// Without a cloud readers see hosts and when they are taken; who holds them, and every change, stays as upstream has it.
#[test]
fn c2_without_a_cloud_readers_see_hosts_and_when_they_are_taken() {
    let load = |defaults| Rules::load(defaults, &BTreeMap::new(), true).expect("the defaults load");
    let (upstream, standalone) = (load(Defaults::Upstream), load(Defaults::Standalone));
    let opened = [
        "blazar:oshosts:get",
        "blazar:oshosts:get_resource_properties",
        "berth:timeline:get",
    ];
    let own = Target {
        project_id: "p",
        user_id: "u",
    };
    for role in ["reader", "member", "admin", "nothing"] {
        let roles = match role {
            "member" => vec!["member".to_owned(), "reader".to_owned()],
            role => vec![role.to_owned()],
        };
        let credentials = Credentials {
            user_id: Some("u"),
            project_id: Some("p"),
            roles: &roles,
            is_admin: false,
        };
        for rule in policy::DEFAULT_RULES {
            let allowed = standalone.allows(rule.name, &credentials, &own);
            if opened.contains(&rule.name) {
                assert_eq!(allowed, role != "nothing", "{} {role}", rule.name);
                assert_eq!(
                    upstream.allows(rule.name, &credentials, &own),
                    role == "admin",
                    "{} {role}",
                    rule.name
                );
            } else {
                assert_eq!(
                    allowed,
                    upstream.allows(rule.name, &credentials, &own),
                    "{} {role}",
                    rule.name
                );
            }
        }
    }
}

#[test]
fn d5_rules_that_nothing_asks_and_references_that_lead_nowhere_are_named() {
    let overrides: BTreeMap<String, String> = [
        ("blazar:lease:get", "rule:admin"),
        ("blazar:leases:get", "rule:operators or rule:project_reader_api"),
        ("operators", "role:operator or role:%(user_id)s"),
        ("blazar:oshosts:get", "not rule:nobody"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into();
    let rules = Rules::load(Defaults::Upstream, &overrides, true).expect("loads");
    let dangling = Doubt::Dangling {
        rule: "blazar:oshosts:get".to_owned(),
        reference: "nobody".to_owned(),
    };
    let unused = Doubt::Unused {
        rule: "blazar:lease:get".to_owned(),
    };
    assert_eq!(rules.doubts(&overrides), [unused, dangling]);
    assert_eq!(
        rules.roles(),
        BTreeSet::from(["admin", "member", "operator", "reader"].map(str::to_owned))
    );
    assert!(rules.doubts(&BTreeMap::new()).is_empty());
}

#[test]
fn an_override_takes_the_place_of_the_default_and_of_the_owner_rule() {
    let reader = ["reader".to_owned()];
    let credentials = Credentials {
        user_id: Some("u"),
        project_id: Some("p"),
        roles: &reader,
        is_admin: false,
    };
    let own = Target {
        project_id: "p",
        user_id: "u",
    };
    let load = |name: &str, text: &str| {
        Rules::load(
            Defaults::Upstream,
            &BTreeMap::from([(name.to_owned(), text.to_owned())]),
            false,
        )
        .expect("loads")
    };
    assert!(load("blazar:oshosts:get", "role:reader").allows("blazar:oshosts:get", &credentials, &own));
    assert!(!load("blazar:leases:post", "role:member").allows("blazar:leases:post", &credentials, &own));
    assert!(!load("admin_or_owner", "rule:admin").allows("blazar:leases:get", &credentials, &own));
}

/// An unscoped caller owns nothing, not even what has no owner.
#[test]
fn no_project_is_not_the_empty_project() {
    let rules = Rules::load(Defaults::Upstream, &BTreeMap::new(), false).expect("the defaults load");
    let target = Target {
        project_id: "",
        user_id: "",
    };
    assert!(!rules.allows("blazar:leases:get", &Credentials::default(), &target));
}

fn template() -> impl Strategy<Value = Template> {
    prop_oneof![
        "[a-zA-Z0-9_%:.'-]{1,6}".prop_map(|text| Template(vec![Piece::Text(text)])),
        prop_oneof![Just("project_id"), Just("user_id"), Just("name")]
            .prop_map(|name| Template(vec![Piece::Target(name.to_owned())])),
        Just(Template(vec![
            Piece::Text("u".to_owned()),
            Piece::Target("user_id".to_owned())
        ])),
    ]
}

fn expression() -> impl Strategy<Value = Expression> {
    let operand = prop_oneof![
        "[a-z0-9\"]{0,3}".prop_map(Operand::Literal),
        prop_oneof![
            Just("project_id"),
            Just("user_id"),
            Just("roles"),
            Just("is_admin"),
            Just("True.x")
        ]
        .prop_map(|name| Operand::Credential(name.to_owned())),
    ];
    let leaf = prop_oneof![
        Just(Expression::Allow),
        Just(Expression::Deny),
        prop_oneof![Just("yes"), Just("no"), Just("nowhere")].prop_map(|name| Expression::Rule(name.to_owned())),
        template().prop_map(Expression::Role),
        (operand, template()).prop_map(|(left, right)| Expression::Compare { left, right }),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Expression::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::All),
            prop::collection::vec(inner, 2..4).prop_map(Expression::Any),
        ]
    })
}

/// Same shape up to pairs of `not`, which the parser cancels.
fn without_double_negation(expression: Expression) -> Expression {
    match expression {
        Expression::Not(inner) => {
            let inner = without_double_negation(*inner);
            if let Expression::Not(twice) = inner {
                *twice
            } else {
                Expression::Not(Box::new(inner))
            }
        }
        Expression::All(parts) => Expression::All(parts.into_iter().map(without_double_negation).collect()),
        Expression::Any(parts) => Expression::Any(parts.into_iter().map(without_double_negation).collect()),
        leaf @ (Expression::Allow
        | Expression::Deny
        | Expression::Rule(_)
        | Expression::Role(_)
        | Expression::Compare { .. }) => leaf,
    }
}

proptest! {
    #[test]
    fn the_parser_returns_for_any_text(text in ".{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn the_parser_returns_for_any_row_of_tokens(
        tokens in prop::collection::vec(
            prop_oneof![
                Just("("), Just(")"), Just(" "), Just("and"), Just("or"), Just("not"), Just("@"), Just("!"), Just("a:b"),
                Just("rule:"), Just("role:x"), Just("%(project_id)s"), Just("'a'"), Just(":"), Just("%"), Just("http:")
            ],
            0..60,
        )
    ) {
        let _ = parse(&tokens.concat());
        let _ = parse(&tokens.join(" "));
    }

    #[test]
    fn a_printed_expression_parses_to_the_same(expression in expression()) {
        let text = expression.to_string();
        prop_assert_eq!(parse(&text), Ok(without_double_negation(expression)), "{}", text);
    }
}
