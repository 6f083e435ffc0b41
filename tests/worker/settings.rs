//! What a worker is told: files, variables, flags, which of them wins, and what is wrong with them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Said, Scene, said, text};
use gavel::settings::{KEYS, Key, Places};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples").join(name)
}

/// gavel with nothing in its environment that could be a setting.
fn gavel(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = scene.gavel(&[&["worker"], arguments].concat());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GAVEL_") {
            command.env_remove(name);
        }
    }
    command
        .env_remove("GAVEL_CACHE")
        .env_remove("GAVEL_CORE_LOCKS")
        .env_remove("CREDENTIALS_DIRECTORY")
        .env("GAVEL_CONFIG", "");
    command
}

fn run(command: &mut Command) -> Said {
    said(command.stdin(std::process::Stdio::null()).output().unwrap())
}

fn printed(scene: &Scene, file: &Path, format: &str) -> String {
    let said = run(&mut gavel(scene, &["--config", text(file), &format!("--print-config={format}")]));
    assert_eq!(said.code, 0, "{said:?}");
    // What the examples name need not be on this host.
    assert!(said.stderr.lines().all(|line| line.contains("No such file")), "{said:?}");
    said.stdout.replace(text(&example("")).trim_end_matches('/'), "EXAMPLES")
}

#[test]
fn the_examples_load_and_are_shown_with_the_origin_of_every_value() {
    let scene = Scene::new();
    for name in ["worker", "worker-minimal", "worker-tls"] {
        let file = example(&format!("{name}.toml"));
        // Columns are as wide as the path of this repository.
        let table = printed(&scene, &file, "human");
        let rows = table.lines().map(|row| {
            row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" | ")
        });
        insta::assert_snapshot!(format!("{name}.human"), rows.collect::<Vec<_>>().join("\n"));
        insta::assert_snapshot!(format!("{name}.toml"), printed(&scene, &file, "toml"));
    }
}

#[test]
fn the_full_example_has_every_key_that_a_file_may_have() {
    let document: toml::Table =
        toml::from_str(&std::fs::read_to_string(example("worker.toml")).unwrap()).unwrap();
    for key in KEYS {
        let (table, name) = key.table_and_name();
        let table = if table.is_empty() { Some(&document) } else { document[table].as_table() };
        let is_there = table.unwrap().contains_key(name);
        assert_eq!(is_there, key.places != Places::Environment, "{}", key.name);
    }
}

#[test]
fn help_and_print_config_name_every_key() {
    let scene = Scene::new();
    let help = run(&mut gavel(&scene, &["--help"])).stdout;
    let shown = run(&mut gavel(&scene, &["--print-config"])).stdout;
    for key in KEYS {
        if let Some(flag) = key.flag() {
            assert!(
                help.contains(&format!("--{flag} ")) || help.contains(&format!("--{flag}[=")),
                "{flag}: {help}"
            );
        }
        assert!(shown.lines().any(|line| line.trim_start().starts_with(key.name)), "{}: {shown}", key.name);
    }
}

#[test]
fn what_is_printed_as_toml_says_the_same_when_it_is_read() {
    let scene = Scene::new();
    let values = |text: &str| text.parse::<toml::Table>().unwrap();
    for name in ["worker.toml", "worker-minimal.toml", "worker-tls.toml"] {
        let first =
            run(&mut gavel(&scene, &["--config", text(&example(name)), "--print-config=toml"])).stdout;
        let copy = scene.write("copy.toml", &first);
        let second = run(&mut gavel(&scene, &["--config", text(&copy), "--print-config=toml"])).stdout;
        assert_eq!(values(&first), values(&second));
    }
}

/// A key's value and origin as they are shown.
fn shown(command: &mut Command, key: &str) -> (String, String) {
    let said = run(command);
    assert_eq!(said.code, 0, "{said:?}");
    let line = said.stdout.lines().find(|line| line.split_whitespace().next() == Some(key)).unwrap();
    let mut words = line.split_whitespace().skip(1);
    (words.next().unwrap().to_owned(), words.collect::<Vec<_>>().join(" "))
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let scene = Scene::new();
    let file = scene.write("settings.toml", "\nslots = 2\n[amqp]\nprefetch = 9\n");
    let pair = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    let from_file = format!("{}:2", file.display());
    let command = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = gavel(&scene, &[arguments, &["--print-config"]].concat());
        command.envs(variables.iter().copied());
        command
    };
    let config = ["--config", text(&file)];
    let variable = [("GAVEL_SLOTS", "3")];
    assert_eq!(shown(&mut command(&[], &[]), "amqp.authentication"), pair("password", "default"));
    assert_eq!(shown(&mut command(&config, &[]), "slots"), pair("2", &from_file));
    assert_eq!(shown(&mut command(&config, &variable), "slots"), pair("3", "GAVEL_SLOTS"));
    let flags = [&config[..], &["--slots", "4"]].concat();
    assert_eq!(shown(&mut command(&flags, &variable), "slots"), pair("4", "--slots"));
    // The file may be named in the environment; an empty variable is none.
    let named = [("GAVEL_CONFIG", text(&file)), ("GAVEL_SLOTS", "")];
    assert_eq!(shown(&mut command(&[], &named), "slots"), pair("2", &from_file));
    // Flags under other names than the key's, and those all commands have.
    assert_eq!(shown(&mut command(&["--prefetch", "8"], &[]), "amqp.prefetch"), pair("8", "--prefetch"));
    assert_eq!(shown(&mut command(&["--cgroups", "v1"], &[]), "cgroups"), pair("v1", "--cgroups"));
    assert_eq!(shown(&mut command(&["-vv"], &[]), "log_level"), pair("debug", "-vv"));
    assert_eq!(shown(&mut command(&["--raise-limits"], &[]), "raise_limits"), pair("true", "--raise-limits"));
    let off = [("GAVEL_RAISE_LIMITS", "no")];
    assert_eq!(shown(&mut command(&[], &off), "raise_limits"), pair("false", "GAVEL_RAISE_LIMITS"));
}

#[test]
fn every_key_is_read_from_its_variable_and_its_flag() {
    let scene = Scene::new();
    for key in KEYS {
        let value = plain(key);
        let origin = |command: &mut Command| shown_origin(command, key.name);
        let mut command = gavel(&scene, &["--print-config=toml"]);
        assert_eq!(origin(command.env(key.variable(), &value)), key.variable(), "{}", key.name);
        if let Some(flag) = key.flag() {
            let said = format!("--{flag}={value}");
            assert_eq!(origin(&mut gavel(&scene, &["--print-config=toml", &said])), format!("--{flag}"));
        }
    }
}

/// The key's example as a flag or a variable has it.
fn plain(key: &Key) -> String {
    let document: toml::Table = toml::from_str(&format!("value = {}", key.example)).unwrap();
    match &document["value"] {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(entries) => entries[0].as_str().unwrap().to_owned(),
        other => other.to_string(),
    }
}

fn shown_origin(command: &mut Command, key: &str) -> String {
    // What does not go together is complained about after it was printed.
    let said = run(command);
    let (table, name) = key.split_once('.').unwrap_or(("", key));
    let mut current = "";
    for line in said.stdout.lines() {
        if let Some(header) = line.strip_prefix('[') {
            current = header.trim_end_matches(']');
        }
        let line = line.strip_prefix("# ").unwrap_or(line);
        if current == table && line.starts_with(&format!("{name} = ")) {
            return line.rsplit(" # ").next().unwrap().to_owned();
        }
    }
    panic!("{key} is not set: {said:?}");
}

/// Fails unless gavel refused with one line that has the parts, and exit code 2.
fn refused(said: &Said, parts: &[&str]) {
    assert_eq!(said.code, 2, "{said:?}");
    assert_eq!(said.stderr.trim_end().lines().count(), 1, "{said:?}");
    for part in parts {
        assert!(said.stderr.contains(part), "'{part}' is missing: {said:?}");
    }
}

#[test]
fn a_wrong_file_is_told_with_its_line_its_key_and_what_is_accepted() {
    let scene = Scene::new();
    for (content, parts) in [
        ("\nslot = 3", &[":2: ", "'slot'", "did you mean 'slots'"][..]),
        ("slots = 0", &[":1: ", "slots", "1 to 1024"]),
        ("slots = \"3\"", &["slots", "a string", "whole number"]),
        ("slots = 1.5", &["slots", "a float", "whole number"]),
        ("slots = 99999999999999999999999", &["slots", "out of range"]),
        ("deadline = \"5\"", &["deadline", "unit is missing"]),
        ("deadline = 5", &["deadline", "an integer", "\"30s\""]),
        ("cache_size = \"1B\"", &["cache_size", "1MiB"]),
        ("cgroups = \"v3\"", &["cgroups", "'v3'", "auto, v2, hybrid, v1, none"]),
        ("listen = \"9464\"", &["listen", "\"127.0.0.1:9464\""]),
        ("raise_limits = \"yes\"", &["raise_limits", "true or false"]),
        ("package_roots = [1]", &["package_roots", "an integer"]),
        ("name = \"a b\"", &["name", "'a b'", "letters"]),
        ("\n[amqp]\npassword = \"geheim\"", &[":3: ", "GAVEL_AMQP_PASSWORD", "credentials_file"]),
        ("[amqp]\nreply_to = \"[a\"", &["amqp.reply_to", "'[a'", "pattern"]),
        ("[amqp]\nuser = \"a\\nb\"", &["amqp.user", "control characters"]),
        ("ca_file = \"x\"", &["'ca_file'", "did you mean 'tls.ca_file'"]),
        ("[tsl]\nca_file = \"x\"", &["'tsl'", "did you mean", "tls"]),
        ("tls = 3", &["tls", "[tls]"]),
        ("slots = = 3", &[":1: ", "no TOML"]),
        ("slots = 3\nslots = 4", &[":2: ", "duplicate"]),
        ("[tls]\nkey_file = \"x\"", &[":2: ", "tls.key_file", "tls.certificate_file"]),
        ("queue = [\"stdio\", \"amqp://x\"]", &["queue", "stdio alone"]),
        ("queue = [\"amqp://x\", \"http://a:geheim@y\"]", &[":1: queue", "address 2"]),
        ("queue = \"amqp://x\"\n[tls]\nca_file = \"x\"", &["tls.ca_file", "not be encrypted", "amqps"]),
        (
            "queue = \"amqp://a:geheim@x\"\n[amqp]\ncredentials_file = \"x\"",
            &["password", "credentials_file"],
        ),
        ("queue = \"amqp://a@x\"\n[amqp]\nuser = \"x\"", &["user", "amqp.user"]),
        ("[amqp]\nauthentication = \"certificate\"", &["amqp.authentication", "tls.certificate_file"]),
    ] {
        let file = scene.write("broken.toml", content);
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let said = run(&mut gavel(&scene, &["--config", text(&file)]));
        refused(&said, parts);
        assert!(said.stderr.starts_with(&format!("gavel: {}", file.display())), "{said:?}");
        assert!(!said.stderr.contains("geheim"), "{said:?}");
    }
    refused(&run(&mut gavel(&scene, &["--config", "missing.toml"])), &["missing.toml", "No such file"]);
    refused(&run(&mut gavel(&scene, &["--config", "/dev/zero"])), &["/dev/zero", "not a regular file"]);
    scene.write("latin1.toml", b"name = \"caf\xe9\"\n");
    refused(&run(&mut gavel(&scene, &["--config", "latin1.toml"])), &["latin1.toml", "UTF-8"]);
}

#[test]
fn a_wrong_variable_or_flag_is_told_by_its_name() {
    let scene = Scene::new();
    let variable = |name: &str, value: &str| run(gavel(&scene, &[]).env(name, value));
    refused(&variable("GAVEL_SLOTS", "many"), &["GAVEL_SLOTS: 'many'", "1 to 1024"]);
    refused(&variable("GAVEL_DEADLINE", "5"), &["GAVEL_DEADLINE", "unit is missing"]);
    refused(&variable("GAVEL_QUEUE", "amqp://a:geheim@"), &["GAVEL_QUEUE", "address 1"]);
    refused(&run(&mut gavel(&scene, &["--listen", "nowhere"])), &["--listen", "'nowhere'"]);
    refused(&run(&mut gavel(&scene, &["--deadline=-5s"])), &["--deadline", "negative"]);
    let said = run(gavel(&scene, &[]).env("GAVEL_SLOT", "3").env("GAVEL_SERVICE_HOST", "10.0.0.1"));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stderr.contains("GAVEL_SLOT is no setting") && said.stderr.contains("GAVEL_SLOTS?"),
        "{said:?}"
    );
    assert!(!said.stderr.contains("GAVEL_SERVICE_HOST"), "{said:?}");
}

#[test]
fn passwords_are_shown_nowhere_and_a_file_with_one_should_be_nobody_else_s() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let file = scene.write("settings.toml", "queue = \"amqp://gavel:geheim@localhost:1/x\"\n");
    let config = ["--config", text(&file)];
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    for format in ["--print-config", "--print-config=toml"] {
        let said = run(&mut gavel(&scene, &[&config[..], &[format]].concat()));
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains("amqp://gavel:***@localhost:1/x"), "{said:?}");
        assert!(said.stderr.contains("everybody on this host may read it"), "{said:?}");
        assert!(!format!("{said:?}").contains("geheim"), "{said:?}");
    }
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(run(&mut gavel(&scene, &[&config[..], &["--print-config"]].concat())).stderr, "");
    let proxy = run(gavel(&scene, &["--print-config"]).env("GAVEL_FETCH_PROXY", "http://user:geheim@proxy"));
    assert!(proxy.stdout.contains("http://user:***@proxy"), "{proxy:?}");
    let mut command = gavel(&scene, &["--print-config=toml", "--queue", "amqp://localhost"]);
    let said = run(command.env("GAVEL_AMQP_PASSWORD", "geheim"));
    assert!(said.stdout.contains("# password = \"***\" # GAVEL_AMQP_PASSWORD"), "{said:?}");
    assert!(!format!("{said:?}").contains("geheim"), "{said:?}");
}

#[test]
fn a_credential_of_systemd_is_found() {
    let scene = Scene::new();
    scene.write("credentials/gavel-amqp", "geheim\n");
    let mut command = gavel(&scene, &["--print-config"]);
    let (path, origin) =
        shown(command.env("CREDENTIALS_DIRECTORY", scene.path("credentials")), "amqp.credentials_file");
    assert_eq!(
        (Path::new(&path), origin.as_str()),
        (scene.path("credentials/gavel-amqp").as_path(), "default")
    );
}

#[test]
fn a_worker_is_what_its_settings_say() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    assert!(package.ends_with("sum"));
    let line = serde_json::json!({"schema": 1, "id": "one", "language": "bash", "problem": {"ref": "sum"},
        "files": [{"name": "main.sh", "text": crate::common::SUM}]});
    let file = scene.write(
        "settings.toml",
        "name = \"configured\"\npackage_roots = \".\"\nslots = 1\ncache = \"here\"\n",
    );
    let mut command = gavel(&scene, &["--config", text(&file)]);
    let input = scene.write("input", format!("{line}\n"));
    let said = said(command.stdin(std::fs::File::open(input).unwrap()).output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    let done = said.stdout.lines().find(|line| line.contains("\"type\":\"done\"")).unwrap();
    let report: serde_json::Value = serde_json::from_str(done).unwrap();
    assert_eq!((&report["verdict"], &report["provenance"]["worker"]), (&"AC".into(), &"configured".into()));
    assert!(scene.path("here").is_dir(), "{said:?}");
    assert!(said.stderr.contains("worker configured ready: 1 slot,"), "{said:?}");
}

#[test]
fn print_config_refuses_what_the_worker_would_and_remarks_on_what_is_not_there() {
    let scene = Scene::new();
    let bad = scene.write("bad.toml", "[fetch]\nallow = [\"ftp://files.example/\"]\n");
    let said = run(&mut gavel(&scene, &["--config", text(&bad), "--print-config"]));
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("bad.toml:2: fetch.allow"), "{said:?}");

    let early = scene.write("early.toml", "package_roots = [\"/nonexistent/problems\"]\n");
    let said = run(&mut gavel(&scene, &["--config", text(&early), "--print-config"]));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("early.toml:1: package_roots: '/nonexistent/problems'"), "{said:?}");
}

#[test]
fn a_worker_listens_logs_and_judges_as_its_settings_say() {
    let scene = Scene::new();
    scene.write(
        "own.toml",
        "[[language]]\nid = \"own\"\nname = \"Own\"\nsources = { default = \"main.own\", extensions = [\"own\"] }\n\
         artifact = \"sources\"\nprofile = \"native\"\nrun = [\"/bin/sh\", \"{source}\"]\nversion = [\"/bin/sh\", \"-c\", \"echo 1\"]\nhello = \"read a b; echo $((a + b))\"\n",
    );
    let file = scene.write(
        "settings.toml",
        "slots = 1\nlanguages = \"own.toml\"\ncgroups = \"none\"\nlisten = \"127.0.0.1:0\"\nlog_level = \"error\"\n",
    );
    let line = serde_json::json!({"schema": 1, "id": "one", "language": "own",
        "problem": {"inline": [{"input": "1 2\n", "answer": "3\n"}]},
        "files": [{"name": "main.own", "text": crate::common::SUM}]});
    let input = scene.write("input", format!("{line}\n"));
    let mut command = gavel(&scene, &["--config", text(&file), "--cache", "cache"]);
    let said =
        said(command.env("GAVEL_SLOT", "3").stdin(std::fs::File::open(input).unwrap()).output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    let done = said.stdout.lines().find(|line| line.contains("\"type\":\"done\"")).unwrap();
    let report: serde_json::Value = serde_json::from_str(done).unwrap();
    assert_eq!(
        (&report["verdict"], &report["provenance"]["sandbox"]),
        (&"AC".into(), &"none".into()),
        "{said:?}"
    );
    assert!(said.stderr.contains("metrics and health on http://127.0.0.1:"), "{said:?}");
    // A warning by default, which another test sees.
    assert!(!said.stderr.contains("GAVEL_SLOT is no setting"), "{said:?}");
}
