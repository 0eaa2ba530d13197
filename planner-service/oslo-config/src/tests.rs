use crate::{Document, ReadError, ValueError};

const FILE: &str = r#"
debug = before any group
[DEFAULT]
# a comment
; another
host=10.0.0.7
port: 1234
password = p\a"ss;w#rd
quoted = "  blanks kept "
empty =
my-dashes = 1
[manager]
plugins = physical.host.plugin,
    virtual.instance.plugin , "virtual.floatingip.plugin"
[database]
connection = mysql+pymysql://blazar:secret@$host/blazar?charset=utf8
price = $$5 and \$6, $ alone
other = ${DEFAULT.host}:$manager.nothing.
[DEFAULT]
host = 10.0.0.8
topics = a
topics = b
"#;

fn value(document: &Document, group: &str, name: &str) -> String {
    document.value(group, name).unwrap().unwrap()
}

#[test]
fn values_are_what_oslo_config_gives() {
    let document = Document::parse(FILE).unwrap();
    for (group, name, expected) in [
        ("DEFAULT", "debug", "before any group"),
        ("DEFAULT", "host", "10.0.0.8"),
        ("DEFAULT", "port", "1234"),
        ("DEFAULT", "password", r#"p\a"ss;w#rd"#),
        ("DEFAULT", "quoted", "  blanks kept "),
        ("DEFAULT", "empty", ""),
        ("DEFAULT", "my_dashes", "1"),
        ("DEFAULT", "topics", "b"),
        (
            "database",
            "connection",
            "mysql+pymysql://blazar:secret@10.0.0.8/blazar?charset=utf8",
        ),
        ("database", "price", "$5 and $6, $ alone"),
    ] {
        assert_eq!(value(&document, group, name), expected, "[{group}] {name}");
    }
    assert_eq!(document.value("manager", "nothing"), Ok(None));
    assert_eq!(
        document.list("manager", "plugins").unwrap(),
        [
            "physical.host.plugin",
            "virtual.instance.plugin",
            "virtual.floatingip.plugin"
        ]
    );
    assert!(document.list("nova", "nothing").unwrap().is_empty());
}

#[test]
fn references_that_lead_nowhere_are_named() {
    let document = Document::parse(FILE).unwrap();
    assert_eq!(
        document.value("database", "other"),
        Err(ValueError::Unknown {
            group: "database".to_owned(),
            name: "other".to_owned(),
            reference: "manager.nothing".to_owned()
        })
    );
    let circle = Document::parse("[a]\none = $two\ntwo = x${one}\n").unwrap();
    assert!(matches!(circle.value("a", "one"), Err(ValueError::Circle { name, .. }) if name == "one"));
}

#[test]
fn what_is_no_configuration_is_refused_with_its_line() {
    for text in ["[DEFAULT]\nhost\nport = 1\n", "[DEFAULT]\nhost\n[x]\nport = 1\n"] {
        assert_eq!(Document::parse(text), Err(ReadError::NoValue { line: 2 }));
    }
    for text in [
        "[DEFAULT]\nhunter2\nport = 1\n",
        "[DEFAULT]\nos_admin_password hunter2\nport = 1\n",
        "[DEFAULT]\nos_admin_password = $hunter2\n",
    ] {
        let error = match Document::parse(text) {
            Err(error) => error.to_string(),
            Ok(document) => document.value("DEFAULT", "os_admin_password").unwrap_err().to_string(),
        };
        assert!(!error.contains("hunter2"), "{error}");
    }
    let error = Document::parse("[DEFAULT]\nhost\n[x]\n").unwrap_err();
    assert!(matches!(error, ReadError::Syntax { line: 4, .. }), "{error}");
    assert!(Document::parse("[never closed\na=b\n").is_err());
    let long = "#".repeat(crate::MAX_LENGTH + 1);
    assert_eq!(Document::parse(&long), Err(ReadError::TooLong(crate::MAX_LENGTH + 1)));
    assert_eq!(Document::parse("").unwrap().options().count(), 0);
}
