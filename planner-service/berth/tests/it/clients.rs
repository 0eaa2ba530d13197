//! The clients people use, unmodified, against the real program: every command of python-blazarclient, openstacksdk's
//! adapter, and the module blazar-dashboard's panels call.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::program::Program;

/// The blocks of commands under a heading of docs/authentication.md.
fn commands_under(heading: &str) -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/authentication.md");
    let text = std::fs::read_to_string(page).unwrap();
    let section = text
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap();
    let blocks = section.split("\n\n").filter(|block| block.starts_with("    "));
    blocks.map(str::to_owned).collect()
}

/// As the page says, each in an environment with nothing of OpenStack's but what it sets.
#[test]
fn d8_the_clients_reach_a_service_without_keystone_as_the_page_says() {
    if std::env::var("BERTH_TEST_ENGINES").is_ok_and(|engines| engines == "sqlite") {
        return;
    }
    let python = std::env::var("BERTH_TEST_PYTHON").expect("run through `make test` or `dev/with-databases`");
    let programs = Path::new(&python).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let berth = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        let output = command
            .args(arguments)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let tokens = path("tokens.toml");
    let create = [
        "token",
        "create",
        "--user",
        "u",
        "--project",
        "p",
        "--role",
        "admin",
        "--file",
    ];
    let token = berth(&[&create[..], &[&tokens]].concat(), &[]);
    let (open, closed) = (path("open"), path("closed"));
    let services = [
        Program::start(&["--data", &open], &[]),
        Program::start(&["--data", &closed, "--token-file", &tokens], &[]),
    ];
    let blocks = commands_under("OpenStack's clients without Keystone");
    assert_eq!(blocks.len(), services.len());
    for (service, block) in services.iter().zip(blocks) {
        let reach = [("BERTH_URL", service.url.as_str()), ("BERTH_TOKEN", token.as_str())];
        // A service without authentication ignores the token.
        berth(&["host", "create", "node1", "--vcpus", "8"], &reach);
        let lease = ["lease", "create", "booked", "--end", "+2h", "--hosts", "1"];
        berth(&lease, &reach);
        assert!(block.contains("http://127.0.0.1:1234"), "{block}");
        let output = Command::new("sh")
            .args(["-e", "-c", &block.replace("http://127.0.0.1:1234", &service.url)])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
            .env("HOME", folder.path())
            .env("BERTH_TOKEN", &token)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{block}: {printed}\n{complaint}");
        assert!(
            printed.contains("node1") && printed.contains("booked"),
            "{block}: {printed}\n{complaint}"
        );
    }
}

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
