//! A set of rules, loaded once, asked often.
//!
//! Invariant: the references between the rules form no cycle and no chain deeper than
//! [`MAX_CHAIN`], so every question ends and needs a bounded stack.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::defaults::{DEFAULT_RULES, Defaults, OWNER_RULE};
use crate::expression::{Expression, Operand, Piece, Template};
use crate::parse::{ParseError, parse};

/// Most rules in a set.
pub const MAX_RULES: usize = 1000;
/// Deepest nesting of expressions through references.
pub const MAX_CHAIN: usize = 128;

/// Who asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// User id, `None` if unknown.
    pub user_id: Option<&'a str>,
    /// Project the caller acts for, `None` if none.
    pub project_id: Option<&'a str>,
    /// Role names.
    pub roles: &'a [String],
    /// Administrator without a role saying so.
    pub is_admin: bool,
}

/// What is acted on: members for `%(name)s`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Target<'a> {
    /// Project that owns it.
    pub project_id: &'a str,
    /// User who made it.
    pub user_id: &'a str,
}

impl<'a> Target<'a> {
    fn member(&self, name: &str) -> Option<&'a str> {
        match name {
            "project_id" => Some(self.project_id),
            "user_id" => Some(self.user_id),
            _ => None,
        }
    }
}

/// Why rules cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A rule's expression is wrong.
    #[error("policy rule {rule}: {source}")]
    Expression {
        /// The rule.
        rule: String,
        /// What is wrong.
        source: ParseError,
    },
    /// Rules refer to each other in a circle.
    #[error("policy rules refer to each other in a circle: {}", .rules.join(" -> "))]
    Cycle {
        /// The circle, its first rule repeated at the end.
        rules: Vec<String>,
    },
    /// References are nested deeper than [`MAX_CHAIN`].
    #[error("policy rule {rule} is nested deeper than {MAX_CHAIN} through its references")]
    TooDeep {
        /// The rule.
        rule: String,
    },
    /// More than [`MAX_RULES`].
    #[error("{count} policy rules, at most {MAX_RULES} are allowed")]
    TooMany {
        /// Number of rules.
        count: usize,
    },
}

/// What a policy file says and nothing looks at; most likely a name is misspelt. oslo.policy warns of the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Nothing asks this rule, and no other rule refers to it.
    #[error(
        "nothing asks the policy rule {rule}, and no other rule refers to it; `berth policy` prints all that are asked"
    )]
    Unused {
        /// The rule.
        rule: String,
    },
    /// A rule refers to one that does not exist, and is not fulfilled there.
    #[error("the policy rule {rule} refers to rule:{reference}, which does not exist and so allows nothing")]
    Dangling {
        /// The rule.
        rule: String,
        /// What it refers to.
        reference: String,
    },
}

/// The rules in force.
#[derive(Debug, Clone)]
pub struct Rules {
    expressions: HashMap<String, Expression>,
}

/// The expressions in force, by rule: the defaults with `overrides` put over them.
///
/// A rule that is not overridden also lets the owner's project act as long as
/// `enforce_new_defaults` is false, where upstream deprecated that. An override of the deprecated
/// owner rule itself takes the place of those defaults.
pub fn expressions(
    defaults: Defaults,
    overrides: &BTreeMap<String, String>,
    enforce_new_defaults: bool,
) -> BTreeMap<String, String> {
    let of_default = DEFAULT_RULES.iter().map(|rule| {
        let expression = rule.expression(defaults);
        let text = if rule.or_owner && overrides.contains_key(OWNER_RULE) {
            format!("rule:{OWNER_RULE}")
        } else if rule.or_owner && !enforce_new_defaults {
            format!("{expression} or rule:{OWNER_RULE}")
        } else {
            expression.to_owned()
        };
        (rule.name.to_owned(), text)
    });
    let mut expressions: BTreeMap<String, String> = of_default.collect();
    expressions.extend(overrides.iter().map(|(name, text)| (name.clone(), text.clone())));
    expressions
}

impl Rules {
    /// The rules of [`expressions`].
    ///
    /// # Errors
    /// When one of them is not understood, or they refer to each other without end.
    pub fn load(
        defaults: Defaults,
        overrides: &BTreeMap<String, String>,
        enforce_new_defaults: bool,
    ) -> Result<Self, LoadError> {
        let texts = expressions(defaults, overrides, enforce_new_defaults);
        Self::from_texts(texts.iter().map(|(name, text)| (name.as_str(), text.clone())).collect())
    }

    /// What of `overrides`, from which these rules were loaded, nothing looks at.
    pub fn doubts(&self, overrides: &BTreeMap<String, String>) -> Vec<Doubt> {
        let referred: BTreeSet<&str> = self.expressions.values().flat_map(references).collect();
        let is_asked = |name: &str| DEFAULT_RULES.iter().any(|rule| rule.name == name);
        let mut doubts = Vec::new();
        for name in overrides.keys() {
            if !is_asked(name) && !referred.contains(name.as_str()) {
                doubts.push(Doubt::Unused { rule: name.clone() });
            }
            let expression = self.expressions.get(name);
            for reference in expression.into_iter().flat_map(references) {
                if !self.expressions.contains_key(reference) {
                    doubts.push(Doubt::Dangling {
                        rule: name.clone(),
                        reference: reference.to_owned(),
                    });
                }
            }
        }
        doubts
    }

    /// Names of the roles that rules ask for, where they are written out, in lower case.
    pub fn roles(&self) -> BTreeSet<String> {
        self.expressions.values().flat_map(roles).collect()
    }

    fn from_texts(texts: BTreeMap<&str, String>) -> Result<Self, LoadError> {
        if texts.len() > MAX_RULES {
            return Err(LoadError::TooMany { count: texts.len() });
        }
        let expressions = texts
            .into_iter()
            .map(|(name, text)| match parse(&text) {
                Ok(expression) => Ok((name.to_owned(), expression)),
                Err(source) => Err(LoadError::Expression {
                    rule: name.to_owned(),
                    source,
                }),
            })
            .collect::<Result<HashMap<_, _>, _>>()?;
        let rules = Self { expressions };
        rules.check_references()?;
        Ok(rules)
    }

    fn check_references(&self) -> Result<(), LoadError> {
        let mut depths: HashMap<&str, usize> = HashMap::new();
        let mut names: Vec<&str> = self.expressions.keys().map(String::as_str).collect();
        names.sort_unstable();
        for name in names {
            self.depth_of(name, &mut Vec::new(), &mut depths)?;
        }
        Ok(())
    }

    /// Depth of a rule with its references resolved; `path` holds the rules being resolved.
    fn depth_of<'a>(
        &'a self,
        name: &'a str,
        path: &mut Vec<&'a str>,
        depths: &mut HashMap<&'a str, usize>,
    ) -> Result<usize, LoadError> {
        if let Some(&depth) = depths.get(name) {
            return Ok(depth);
        }
        if let Some(position) = path.iter().position(|&earlier| earlier == name) {
            let circle = path
                .iter()
                .skip(position)
                .chain([&name])
                .map(|&rule| rule.to_owned())
                .collect();
            return Err(LoadError::Cycle { rules: circle });
        }
        let Some(expression) = self.expressions.get(name) else {
            return Ok(0);
        };
        if path.len() >= MAX_CHAIN {
            return Err(LoadError::TooDeep {
                rule: path.first().unwrap_or(&name).to_string(),
            });
        }
        path.push(name);
        let mut deepest = 0;
        for reference in references(expression) {
            deepest = deepest.max(self.depth_of(reference, path, depths)?);
        }
        path.pop();
        let depth = expression.depth() + deepest;
        if depth > MAX_CHAIN {
            return Err(LoadError::TooDeep { rule: name.to_owned() });
        }
        depths.insert(name, depth);
        Ok(depth)
    }

    /// Whether `rule` lets the caller act on the target. An unknown rule allows nothing.
    pub fn allows(&self, rule: &str, credentials: &Credentials<'_>, target: &Target<'_>) -> bool {
        Evaluation {
            rules: self,
            credentials,
            target,
            known: HashMap::new(),
        }
        .rule(rule)
    }
}

/// Names of the rules an expression refers to.
fn references(expression: &Expression) -> Vec<&str> {
    match expression {
        Expression::Rule(name) => vec![name],
        Expression::Not(inner) => references(inner),
        Expression::All(parts) | Expression::Any(parts) => parts.iter().flat_map(references).collect(),
        Expression::Allow | Expression::Deny | Expression::Role(_) | Expression::Compare { .. } => Vec::new(),
    }
}

/// The roles an expression asks for.
fn roles(expression: &Expression) -> Vec<String> {
    match expression {
        Expression::Role(Template(pieces)) => match pieces.as_slice() {
            [Piece::Text(name)] => vec![name.to_lowercase()],
            _ => Vec::new(),
        },
        Expression::Not(inner) => roles(inner),
        Expression::All(parts) | Expression::Any(parts) => parts.iter().flat_map(roles).collect(),
        Expression::Allow | Expression::Deny | Expression::Rule(_) | Expression::Compare { .. } => Vec::new(),
    }
}

/// One question. Answers of rules are kept, so that a rule referred to often is decided once.
struct Evaluation<'a> {
    rules: &'a Rules,
    credentials: &'a Credentials<'a>,
    target: &'a Target<'a>,
    known: HashMap<&'a str, bool>,
}

impl<'a> Evaluation<'a> {
    fn rule(&mut self, name: &str) -> bool {
        if let Some(&answer) = self.known.get(name) {
            return answer;
        }
        let Some((name, expression)) = self.rules.expressions.get_key_value(name) else {
            return false;
        };
        let answer = self.decide(expression);
        self.known.insert(name, answer);
        answer
    }

    fn decide(&mut self, expression: &'a Expression) -> bool {
        match expression {
            Expression::Allow => true,
            Expression::Deny => false,
            Expression::Rule(name) => self.rule(name),
            Expression::Role(template) => self.fill(template).is_some_and(|wanted| {
                let wanted = wanted.to_lowercase();
                self.credentials.roles.iter().any(|role| role.to_lowercase() == wanted)
            }),
            Expression::Compare { left, right } => self.fill(right).is_some_and(|text| match left {
                Operand::Literal(literal) => *literal == text,
                Operand::Credential(name) => self.credential_is(name, &text),
            }),
            Expression::Not(inner) => !self.decide(inner),
            Expression::All(parts) => parts.iter().all(|part| self.decide(part)),
            Expression::Any(parts) => parts.iter().any(|part| self.decide(part)),
        }
    }

    fn credential_is(&self, name: &str, text: &str) -> bool {
        match name {
            "user_id" => self.credentials.user_id == Some(text),
            "project_id" => self.credentials.project_id == Some(text),
            "is_admin" => text == if self.credentials.is_admin { "True" } else { "False" },
            "roles" => self.credentials.roles.iter().any(|role| role == text),
            _ => false,
        }
    }

    fn fill(&self, template: &Template) -> Option<String> {
        template
            .0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Some(text.as_str()),
                Piece::Target(name) => self.target.member(name),
            })
            .collect()
    }
}
