//! Policy files: YAML, of which JSON is a part, that map names of rules to expressions.

use std::collections::BTreeMap;

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

#[cfg(test)]
mod tests {
    use super::*;

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
