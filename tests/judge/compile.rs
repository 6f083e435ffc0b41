//! Compiling once, and what is refused of what a compiler leaves.

use crate::common::{Scene, text};
use serde_json::Value;

const SUM_C: &str = "#include <stdio.h>\nint main(void) { int a, b; scanf(\"%d %d\", &a, &b); \
                     printf(\"%d\\n\", a + b); }\n";

/// A table with one language whose "compiler" is a shell command.
fn table(scene: &Scene, command: &str, more: &str) -> String {
    let path = scene.write(
        "languages.toml",
        format!(
            "[[language]]\nid = \"odd\"\nname = \"Odd\"\n\
             sources = {{ default = \"main.odd\", extensions = [\"odd\"] }}\n\
             compile = [\"sh\", \"-c\", '{command}', \"sh\", \"{{exe}}\", \"{{source}}\"]\n\
             artifact = \"executable\"\nrun = [\"{{exe}}\"]\nversion = [\"sh\", \"-c\", \"echo odd 1\"]\n\
             profile = \"native\"\nhello = \"x\"\nlimits = {{ processes = 8 }}\n{more}\n"
        ),
    );
    text(&path).to_owned()
}

fn judge_odd(scene: &Scene, command: &str, more: &str) -> Value {
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write("program.odd", "#!/bin/bash\nread a b\necho $((a + b))\n");
    let table = table(scene, command, more);
    scene.report(&[text(&package), text(&source), "--languages", &table])
}

#[test]
fn the_second_judging_of_the_same_source_does_not_compile() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write("sum.c", SUM_C);
    let first = scene.report(&[text(&package), text(&source)]);
    assert_eq!((&first["verdict"], &first["compile"]["cached"]), (&"AC".into(), &false.into()), "{first}");
    let second = scene.report(&[text(&package), text(&source)]);
    assert_eq!((&second["verdict"], &second["compile"]["cached"]), (&"AC".into(), &true.into()));
    assert_eq!(second["compile"]["cpu_ms"], 0.0);
    scene.write("sum.c", SUM_C.replace("a + b", "a - b"));
    let changed = scene.report(&[text(&package), text(&source)]);
    assert_eq!((&changed["verdict"], &changed["compile"]["cached"]), (&"WA".into(), &false.into()));
}

#[test]
fn a_rejected_source_is_compiled_again() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write("sum.c", "int main(void) { nonsense }\n");
    scene.report(&[text(&package), text(&source)]);
    let again = scene.report(&[text(&package), text(&source)]);
    assert_eq!((&again["verdict"], &again["compile"]["cached"]), (&"CE".into(), &false.into()));
    assert!(again["compile"]["log"].as_str().unwrap().contains("nonsense"));
}

#[test]
fn several_files_and_their_headers_become_one_program() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    scene.write("many/add.h", "int add(int a, int b);\n");
    scene.write("many/add.c", "#include \"add.h\"\nint add(int a, int b) { return a + b; }\n");
    scene.write(
        "many/main.c",
        SUM_C.replace("a + b)", "add(a, b))").replacen('#', "#include \"add.h\"\n#", 1),
    );
    let report = scene.report(&[text(&package), text(&scene.path("many"))]);
    assert_eq!(report["verdict"], "AC", "{report}");
}

#[test]
fn names_that_look_like_options_or_commands_are_only_names() {
    for name in ["-o.c", "a b.c", "a;b.c", "it's.c", "$(reboot).c"] {
        let scene = Scene::new();
        let package = scene.sum_package(&[(1, 2)]);
        let source = scene.write(name, SUM_C);
        let report = scene.report(&[text(&package), text(&source)]);
        assert_eq!(report["verdict"], "AC", "{name}: {report}");
    }
}

#[test]
fn a_program_that_is_no_plain_file_is_refused() {
    for (command, message) in [
        ("ln -s /etc/passwd \"$1\"", "symbolic link"),
        ("cp \"$2\" \"$1\"; ln \"$1\" /w/src/other", "hard links"),
        ("true", "no "),
    ] {
        let report = judge_odd(&Scene::new(), command, "");
        assert_eq!((&report["verdict"], &report["reason"]), (&"CE".into(), &"output".into()), "{report}");
        assert!(report["compile"]["log"].as_str().unwrap().contains(message), "{command}: {report}");
    }
}

#[test]
fn class_files_whose_paths_fit_only_in_the_box_are_a_compile_error_that_names_the_bound() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/hostile/PackageChain.java");
    let source = scene.write("Main.java", std::fs::read(source).unwrap());
    let report = scene.report(&[text(&package), text(&source), "--language", "java17"]);
    assert_eq!((&report["verdict"], &report["reason"]), (&"CE".into(), &"output".into()), "{report}");
    assert!(report["compile"]["log"].as_str().unwrap().contains("longer than 1024 bytes"), "{report}");
}

#[test]
fn a_file_beyond_the_limit_is_a_compile_error_that_names_the_limit() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    for (name, size) in [("big.cpp", 600), ("big.c", 600)] {
        let source =
            scene.write(name, format!("char a[{size} << 20] = {{1}};\nint main() {{ return a[0] - 1; }}\n"));
        let report = scene.report(&[text(&package), text(&source)]);
        assert_eq!((&report["verdict"], &report["reason"]), (&"CE".into(), &"output".into()), "{report}");
        let log = report["compile"]["log"].as_str().unwrap();
        assert!(log.contains("more than 512MiB, the most that one may have"), "{log}");
    }
    // The default leaves room for what fits beside the compiler.
    let source = scene.write("fits.c", format!("char a[300 << 20] = {{1}};\n{}", SUM_C));
    let report = scene.report(&[text(&package), text(&source)]);
    assert_eq!(report["compile"]["ok"], true, "{report}");
}

#[test]
fn a_compiler_without_end_is_stopped_and_not_remembered() {
    let scene = Scene::new();
    let limits = "compile_limits = { cpu = \"200ms\", wall = \"5s\" }";
    for _ in 0..2 {
        let report = judge_odd(&scene, "while :; do :; done", limits);
        assert_eq!((&report["verdict"], &report["reason"]), (&"CE".into(), &"time".into()), "{report}");
        assert_eq!(report["compile"]["cached"], false);
    }
}

#[test]
fn a_failed_preparation_is_done_without_where_that_works() {
    let scene = Scene::new();
    let prepare = "prepare = { command = [\"sh\", \"-c\", \"exit 1\", \"{dir}\"], files = [{ name = \"x\", text = \"x\" }] }";
    let report = judge_odd(&scene, "cp \"$2\" \"$1\"", prepare);
    assert_eq!(report["verdict"], "AC", "{report}");
    let scene = Scene::new();
    let report = judge_odd(&scene, "cat /prepared/file \"$2\" > \"$1\"", prepare);
    assert_eq!((&report["verdict"], &report["reason"]), (&"JE".into(), &"language".into()), "{report}");
}

#[test]
fn prepared_files_are_there_and_read_only() {
    let prepare = "prepare = { command = [\"sh\", \"-c\", 'cp head \"$1\"', \"sh\", \"{dir}\"], \
                   files = [{ name = \"head\", text = \"#!/bin/bash\\n\" }] }";
    let command = "cat /prepared/head \"$2\" > \"$1\"; echo x > /prepared/head 2>/dev/null && exit 1; exit 0";
    let report = judge_odd(&Scene::new(), command, prepare);
    assert_eq!(report["verdict"], "AC", "{report}");
}

/// Verdict of a program in a language of the built-in table, on a test of one sum.
fn verdict_of(scene: &Scene, name: &str, text_of: impl AsRef<[u8]>) -> (String, String) {
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write(name, text_of);
    let report = scene.report(&[text(&package), text(&source)]);
    (
        report["verdict"].as_str().unwrap().to_owned(),
        report["compile"]["log"].as_str().unwrap_or_default().to_owned(),
    )
}

#[test]
fn sources_may_be_called_like_modules_of_the_library() {
    let scene = Scene::new();
    for name in ["collections", "types", "re", "io", "os", "tokenize", "token", "py_compile", "encodings"] {
        let sum = "a, b = map(int, input().split())\nprint(a + b)\n";
        let (verdict, log) = verdict_of(&scene, &format!("{name}.py"), sum);
        assert_eq!(verdict, "AC", "{name}.py: {log}");
    }
}

#[test]
fn every_order_of_headers_compiles_beside_the_precompiled_one() {
    let scene = Scene::new();
    let main = "int main() { int a, b; std::cin >> a >> b; std::cout << a + b; }\n";
    for head in [
        "#include <bits/stdc++.h>\n",
        "#include <bits/stdc++.h>\n#include <bits/extc++.h>\n",
        "#include <bits/extc++.h>\n#include <bits/stdc++.h>\n",
        "#include <bits/stdc++.h>\n#include <bits/stdtr1c++.h>\n",
        "#include <iostream>\n#include <bits/stdc++.h>\n#include <bits/stdc++.h>\n",
        "#define LOCAL 1\n#include <bits/stdc++.h>\n",
        "#if __has_include(<bits/stdc++.h>)\n#include <bits/stdc++.h>\n#endif\n",
        "#pragma GCC optimize(\"O3\")\n#include <bits/stdc++.h>\n",
        "#include <bits/extc++.h>\n__gnu_pbds::tree<int, __gnu_pbds::null_type, std::less<int>, \
         __gnu_pbds::rb_tree_tag, __gnu_pbds::tree_order_statistics_node_update> order;\n",
    ] {
        let (verdict, log) = verdict_of(&scene, "main.cpp", format!("{head}{main}"));
        assert_eq!(verdict, "AC", "{head}: {log}");
        assert_eq!(log, "", "{head}");
    }
}

#[test]
fn what_starts_no_program_is_a_compile_error_that_says_so() {
    let scene = Scene::new();
    for (name, source, expected) in [
        ("sum.go", "package sum\n\nfunc Sum() {}\n", "no file is of package main"),
        ("Main.java", "public class Main { void run() {} }\n", "public static void main(String[])"),
        ("sum.kt", "fun sum(a: Int, b: Int) = a + b\n", "no function main"),
    ] {
        let (verdict, log) = verdict_of(&scene, name, source);
        assert_eq!(verdict, "CE", "{name}: {log}");
        assert!(log.contains(expected), "{name}: {log}");
    }
}

#[test]
fn kotlin_s_main_may_stand_in_an_object_or_a_companion() {
    let scene = Scene::new();
    let main = "@JvmStatic fun main(args: Array<String>) { println(readLine()!!.split(\" \").map { it.toInt() }.sum()) }";
    for source in
        [format!("object Main {{ {main} }}\n"), format!("class Sum {{ companion object {{ {main} }} }}\n")]
    {
        let (verdict, log) = verdict_of(&scene, "sum.kt", &source);
        assert_eq!(verdict, "AC", "{source}: {log}");
    }
}

#[test]
fn every_file_of_a_script_is_checked_before_it_runs() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    for (language, entry, start, helper, broken) in [
        ("javascript", "main.js", "require('./helper.js');\n", "helper.js", "let x = ;\n"),
        ("ruby", "main.rb", "require_relative 'helper'\n", "helper.rb", "def x\n"),
        ("php", "main.php", "<?php require 'helper.php';\n", "helper.php", "<?php $x = ;\n"),
    ] {
        let entry = scene.write(entry, start);
        let helper = scene.write(helper, broken);
        let report = scene.report(&[text(&package), text(&entry), text(&helper), "--language", language]);
        assert_eq!(report["verdict"], "CE", "{language}: {report}");
    }
}
