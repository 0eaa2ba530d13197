//! Policy files: YAML, of which JSON is a part, that map names of rules to expressions.

use std::collections::BTreeMap;

use crate::defaults::DEFAULT_RULES;

/// Longest file read, in bytes.
pub const MAX_LENGTH: usize = 1024 * 1024;

/// Why a policy file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// More than [`MAX_LENGTH`] bytes.
    #[error("{0} bytes; at most {MAX_LENGTH} are read")]
    TooLong(usize),
    /// It does not map names to texts.
    #[error("it must map names of rules to expressions: {0}")]
    Malformed(String),
}

/// The rules of a policy file, by name; their expressions are not looked at. A file without content has none.
///
/// # Errors
/// When it is too long or no mapping of names to texts.
pub fn rules_of_file(text: &str) -> Result<BTreeMap<String, String>, FileError> {
    if text.len() > MAX_LENGTH {
        return Err(FileError::TooLong(text.len()));
    }
    let rules: Option<BTreeMap<String, String>> =
        serde_saphyr::from_str(text).map_err(|error| FileError::Malformed(error.to_string()))?;
    Ok(rules.unwrap_or_default())
}

/// The rules as a policy file: what each guards, then its expression. Of one that is read again all rules are the same.
pub fn file_of_rules(expressions: &BTreeMap<String, String>) -> String {
    let mut file = String::new();
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let known = DEFAULT_RULES.iter().map(|rule| (rule.name, rule.guards));
    let of_file = expressions
        .keys()
        .filter(|name| DEFAULT_RULES.iter().all(|rule| rule.name != *name))
        .map(|name| (name.as_str(), "Of the policy file."));
    for (name, guards) in known.chain(of_file) {
        if let Some(expression) = expressions.get(name) {
            file += &["# ", guards, "\n", &quoted(name), ": ", &quoted(expression), "\n\n"].concat();
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::defaults::Defaults;
    use crate::rules;

    #[test]
    fn c2_the_printed_rules_are_read_again_as_they_were() {
        for defaults in [Defaults::Upstream, Defaults::Standalone] {
            let own = BTreeMap::from([
                ("blazar:oshosts:get".to_owned(), "role:\"x\\\" or @".to_owned()),
                ("ours: \"x\" #".to_owned(), String::new()),
            ]);
            for overrides in [BTreeMap::new(), own] {
                let expressions = rules::expressions(defaults, &overrides, true);
                let printed = file_of_rules(&expressions);
                assert_eq!(rules_of_file(&printed).unwrap(), expressions);
                let again = rules_of_file(&printed).unwrap();
                assert_eq!(rules::expressions(Defaults::Upstream, &again, true), expressions);
            }
        }
    }

    proptest! {
        #[test]
        fn c2_any_names_and_expressions_are_read_again(name in "\\PC{1,20}", text in "\\PC{0,40}") {
            let rules = BTreeMap::from([(name, text)]);
            prop_assert_eq!(rules_of_file(&file_of_rules(&rules)).unwrap(), rules);
        }
    }

    #[test]
    fn yaml_and_json_are_read_alike() {
        let yaml = "# Who may what\n\"admin\": \"role:boss\"\n'blazar:leases:get': rule:admin or @\nopen: \"\"\n";
        let json = r#"{"admin": "role:boss", "blazar:leases:get": "rule:admin or @", "open": ""}"#;
        let rules = rules_of_file(yaml).unwrap();
        assert_eq!(rules, rules_of_file(json).unwrap());
        assert_eq!(rules["blazar:leases:get"], "rule:admin or @");
        assert_eq!(rules["open"], "");
        assert!(rules_of_file("").unwrap().is_empty());
        assert!(rules_of_file("# nothing\n").unwrap().is_empty());
    }

    #[test]
    fn what_maps_no_names_to_texts_is_refused() {
        for text in [
            "- a\n- b\n",
            "admin: [role:boss]\n",
            "admin: {role: boss}\n",
            "a: b: c",
            "admin",
        ] {
            assert!(matches!(rules_of_file(text), Err(FileError::Malformed(_))), "{text}");
        }
        assert!(matches!(
            rules_of_file(&"#".repeat(MAX_LENGTH + 1)),
            Err(FileError::TooLong(_))
        ));
    }
}
