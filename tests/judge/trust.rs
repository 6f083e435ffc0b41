//! What a program, a broken package or a meddled-with host must not be able to do to a verdict.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::common::gate::Gate;
use crate::common::{Scene, said, text};

/// Reads two integers, prints their sum, and then does `mischief`.
fn sum_and(mischief: &str) -> String {
    format!(
        "#include <fcntl.h>\n#include <stdio.h>\n#include <sys/stat.h>\n#include <unistd.h>\n\
         int main(void) {{\n  long a, b;\n  if (scanf(\"%ld %ld\", &a, &b) != 2) return 1;\n  \
         printf(\"%ld\\n\", a + b);\n  {mischief}\n  return 0;\n}}\n"
    )
}

#[test]
fn a_program_cannot_change_its_input_file() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2), (3, 4)]);
    let source =
        scene.write("fchmod.c", sum_and("return fchmod(0, 0) == 0 || futimens(0, NULL) == 0 ? 7 : 0;"));
    let report = scene.report(&[text(&package), text(&source)]);
    assert_eq!(report["verdict"], "AC", "{report}");
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(package.join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("01.in"), mode("02.in")), (0o644, 0o644));
}

#[test]
fn a_program_cannot_change_its_input_file_without_privileges_either() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    // What it holds is a sealed copy of its own: a mode may be set on that, and nothing can be written.
    let mischief = "fchmod(0, 0666); int again = open(\"/dev/stdin\", O_RDWR); \
                    return ftruncate(0, 0) == 0 || (again >= 0 && write(again, \"x\", 1) == 1) ? 7 : 0;";
    let source = scene.write("fchmod.c", sum_and(mischief));
    let cache = scene.path("cache-of-nobody");
    std::fs::create_dir(&cache).unwrap();
    let executable = scene.path("gavel");
    std::fs::copy(env!("CARGO_BIN_EXE_gavel"), &executable).unwrap();
    let mut owned = vec![cache.clone(), package.clone(), source.clone()];
    owned.extend(std::fs::read_dir(&package).unwrap().map(|entry| entry.unwrap().path()));
    let nobody = 65_534;
    let is_root = nix::unistd::Uid::effective().is_root();
    if is_root {
        for path in &owned {
            std::os::unix::fs::chown(path, Some(nobody), Some(nobody)).unwrap();
        }
        let scene_directory = package.parent().unwrap();
        std::fs::set_permissions(scene_directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(&executable);
    command.arg("--cache").arg(&cache).args(["-q", "judge"]).arg(&package).arg(&source).args(["-f", "json"]);
    command.stdin(Stdio::null()).current_dir("/");
    if is_root {
        command.uid(nobody).gid(nobody);
    }
    let said = said(command.output().unwrap());
    assert!(said.stdout.contains("\"verdict\": \"AC\""), "{}{}", said.stdout, said.stderr);
    let mode = std::fs::metadata(package.join("01.in")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o644);
    assert_eq!(std::fs::read_to_string(package.join("01.in")).unwrap(), "1 2\n");
}

#[test]
fn what_another_language_prepared_is_not_there() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let first =
        scene.write("first.cpp", "#include <bits/stdc++.h>\nint main() { std::cout << 3 << '\\n'; }\n");
    let second = scene.write(
        "second.c",
        "#include <stdio.h>\n#if __has_include(\"/prepared/bits/stdc++.h.gch\")\n#define SUM 0\n#else\n#define SUM 3\n\
         #endif\nint main(void) { printf(\"%d\\n\", SUM); }\n",
    );
    // One process, one slot, so one compile box: as `verify` has it.
    for (name, source) in [("a.cpp", &first), ("b.c", &second)] {
        scene.write(&format!("sum/submissions/accepted/{name}"), std::fs::read(source).unwrap());
    }
    let said = said(scene.gavel(&["--slots", "1", "verify", text(&package)]).output().unwrap());
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
}

#[test]
fn a_test_file_that_became_a_fifo_is_the_packages_fault_and_holds_nothing_up() {
    let scene = Scene::new();
    for name in ["02.in", "02.ans"] {
        let package = scene.sum_package(&[(1, 2), (3, 4)]);
        let file = package.join(name);
        // The program turns the file into a FIFO, as the host would between loading and opening: it cannot reach
        // the package, so the test does it while the program waits in its first test.
        let gate = Gate::new();
        let source = scene.write("slow.sh", gate.sum_at(1));
        let arguments = [text(&package), text(&source), "-f", "json", "--wall", "1h"];
        let mut command = scene.gavel(&[&["--slots", "1", "judge"], &arguments[..]].concat());
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        crate::common::guardian::watch(&child);
        gate.wait_for(1);
        std::fs::remove_file(&file).unwrap();
        nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
        gate.open();
        let said = said(child.wait_with_output().unwrap());
        std::fs::remove_file(&file).unwrap();
        assert_eq!(said.code, 3, "{}{}", said.stdout, said.stderr);
        assert!(said.stderr.contains("problem 'sum' changed while it was judged"), "{}", said.stderr);
    }
}

#[test]
fn a_program_the_kernel_will_not_execute_is_the_contestants() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write(
        "odd.c",
        "const char interpreter[] __attribute__((section(\".interp\"))) = \"/usr/bin/ldd\";\nint main(void) { return 0; }\n",
    );
    let report = scene.report(&[text(&package), text(&source)]);
    assert_ne!(report["verdict"], "JE", "{report}");
    assert_ne!(report["verdict"], "AC", "{report}");
}

#[test]
fn a_small_program_is_within_a_small_memory_limit_without_cgroups() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write("sum.c", sum_and(""));
    let report = scene.report(&["--cgroups", "none", text(&package), text(&source), "--memory", "8MiB"]);
    assert_eq!(report["verdict"], "AC", "{report}");
}

#[test]
fn events_have_each_key_once() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write("sum.sh", crate::common::SUM);
    let said = scene.say(&["judge", text(&package), text(&source), "-f", "ndjson"]);
    let done = said.stdout.lines().last().unwrap();
    assert!(done.contains("\"type\":\"done\""), "{done}");
    for key in ["schema", "id", "judging", "type", "run", "seq"] {
        let own: serde_json::Map<String, serde_json::Value> = serde_json::from_str(done).unwrap();
        assert!(own.contains_key(key), "{key}");
    }
    assert_eq!(done.matches("\"judging\":").count(), 1, "{done}");
}

#[test]
fn a_cache_that_is_emptied_meanwhile_costs_nobody_a_verdict() {
    let scene = Scene::new();
    let package = scene.kattis_package("sum");
    // Its wall limit follows from it: the first program waits for the test.
    scene.write("sum/.timelimit", "3600\n");
    let gate = Gate::new();
    for index in 10..26 {
        let name = format!("sum/submissions/accepted/{index}.sh");
        let program = if index == 10 { gate.sum_at(1) } else { crate::common::SUM.to_owned() };
        scene.write(&name, format!("# {index}\n{program}"));
    }
    let mut command = scene.gavel(&["--slots", "1", "verify", text(&package)]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    crate::common::guardian::watch(&child);
    gate.wait_for(1);
    for name in ["objects", "drafts", "spill"] {
        let _ = Command::new("rm").arg("-rf").arg(scene.path("cache").join(name)).status();
    }
    gate.open();
    let said = said(child.wait_with_output().unwrap());
    // What ran while its own files were taken away may fail, as our fault; what came later must not.
    let last = said.stdout.lines().find(|line| line.contains("accepted/25.sh")).unwrap();
    assert!(last.trim_end().ends_with("ok"), "{}{}", said.stdout, said.stderr);
    assert!(!said.stdout.contains("RTE"), "{}", said.stdout);
}
