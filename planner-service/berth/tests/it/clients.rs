//! The clients people use, unmodified, against the real program: every command of python-blazarclient, openstacksdk's
//! adapter, and the module blazar-dashboard's panels call.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;

use crate::program::Program;

#[test]
fn every_command_of_the_unmodified_clients_works() {
    if std::env::var("BERTH_TEST_ENGINES").is_ok_and(|engines| engines == "sqlite") {
        return;
    }
    let python = std::env::var("BERTH_TEST_PYTHON").expect("run through `make test` or `dev/with-databases`");
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.json");
    let administrator = json!({"tokens": [{
        "token": "administrator", "user_id": "u", "project_id": "p", "roles": ["admin", "member", "reader"],
    }]});
    std::fs::write(&tokens, administrator.to_string()).unwrap();
    std::fs::set_permissions(&tokens, PermissionsExt::from_mode(0o600)).unwrap();
    let data = folder.path().join("data");
    let flavors = folder.path().join("flavors.json");
    std::fs::write(
        &flavors,
        r#"[{"id": "small", "name": "small", "vcpus": 2, "ram": 1024, "disk": 10}]"#,
    )
    .unwrap();
    let program = Program::start(
        &[
            "--data",
            data.to_str().unwrap(),
            "--auth",
            "tokens",
            "--token-file",
            tokens.to_str().unwrap(),
            "--flavors",
            flavors.to_str().unwrap(),
        ],
        &[],
    );
    let output = Command::new(python)
        .args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/../../dev/python/clients")])
        .args([program.url.as_str(), "administrator", "p"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for client in [
        "python-blazarclient: 39 commands",
        "openstacksdk: ",
        "blazar-dashboard: ",
    ] {
        assert!(printed.contains(client), "{client}: {printed}");
    }
}
