//! Every verdict, from a program that deserves it.

use crate::common::{SUM, Scene, text, verdicts};

fn verdict_of(program: &str, limits: &[&str]) -> (String, serde_json::Value) {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let report = scene.judge_bash(&package, program, limits);
    (report["verdict"].as_str().unwrap().to_owned(), report)
}

#[test]
fn a_right_program_is_accepted_with_a_whole_report() {
    let (verdict, report) = verdict_of(SUM, &[]);
    assert_eq!(verdict, "AC");
    assert_eq!(report["type"], "done");
    assert_eq!(report["flags"], serde_json::json!(["AC"]));
    assert_eq!(report["compile"]["ok"], true);
    assert_eq!(report["tests"][0]["exit_code"], 0);
    assert_eq!(report["tests"][0]["output_bytes"], 2);
    for field in ["gavel", "worker", "toolchain", "kernel", "cpu", "sandbox", "memory_source", "cores"] {
        assert_ne!(report["provenance"][field], "", "{field}");
    }
    assert!(report["provenance"]["package"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn a_wrong_answer_says_where() {
    let (verdict, report) = verdict_of("echo 4\n", &[]);
    assert_eq!(verdict, "WA");
    assert_ne!(report["tests"][0]["message"], "");
    assert_eq!(report["first_failure"], report["tests"][0]["name"]);
}

#[test]
fn a_busy_program_is_over_its_cpu_limit_and_a_sleeping_one_over_its_wall_limit() {
    assert_eq!(verdict_of("while :; do :; done\n", &["--cpu", "200ms"]).0, "TLE");
    assert_eq!(verdict_of("sleep 100\n", &["--wall", "300ms"]).0, "WTL");
}

#[test]
fn too_much_memory_and_too_much_output_have_verdicts_of_their_own() {
    let hungry = "x=x; while :; do x=$x$x; done\n";
    assert_eq!(verdict_of(hungry, &["--memory", "64MiB", "--cpu", "10s"]).0, "MLE");
    assert_eq!(verdict_of("while :; do echo 1234567890; done\n", &["--output", "64KiB"]).0, "OLE");
}

#[test]
fn crashes_name_the_code_or_the_signal() {
    let (verdict, report) = verdict_of("exit 3\n", &[]);
    assert_eq!((verdict.as_str(), &report["reason"]), ("RTE", &"exit-code".into()));
    assert_eq!(report["tests"][0]["exit_code"], 3);
    let (verdict, report) = verdict_of("kill -KILL $$\n", &[]);
    assert_eq!((verdict.as_str(), &report["reason"]), ("RTE", &"signal".into()));
    assert!(report["tests"][0]["message"].as_str().unwrap().contains("SIGKILL"));
}

/// The answers of these tests, in order, are the ids that the processes of one box once had.
#[test]
fn a_process_id_does_not_tell_a_program_the_number_of_its_test() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 1), (1, 2), (1, 3), (1, 4)]);
    let report = scene.judge_bash(&package, "echo $$\n", &["--policy", "full"]);
    assert_eq!(verdicts(&report), ["AC", "WA", "WA", "WA"]);
}

#[test]
fn a_right_answer_does_not_excuse_a_crash() {
    assert_eq!(verdict_of("read a b\necho $((a + b))\nexit 1\n", &[]).0, "RTE");
}

#[test]
fn what_does_not_compile_is_a_compile_error_with_the_compilers_words() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write("broken.c", "int main(void) { return undeclared_name; }\n");
    let report = scene.report(&[text(&package), text(&source)]);
    assert_eq!((&report["verdict"], &report["reason"]), (&"CE".into(), &"error".into()));
    assert!(report["compile"]["log"].as_str().unwrap().contains("undeclared_name"));
    assert_eq!(verdicts(&report), [""; 0]);
}

/// A file that the kernel may execute and that is shorter than the header of one, below what every box shows.
fn shorter_than_a_header() -> Option<String> {
    let output = std::process::Command::new("find")
        .args([
            "/usr", "-xdev", "-type", "f", "-perm", "-111", "-size", "-64c", "!", "-size", "0", "-print",
            "-quit",
        ])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().lines().next().map(str::to_owned)
}

#[test]
fn an_interpreter_that_the_kernel_cannot_load_is_the_programs_fault() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let short = shorter_than_a_header();
    // EIO; EACCES for a directory, a device, a file without the right, a stream and a link to oneself; ENOENT; ELIBBAD,
    // or another name for it, for a script and an object file.
    let interpreters = short.iter().map(String::as_str).chain([
        "/usr",
        "/dev/zero",
        "/etc/passwd",
        "/dev/stdin",
        "/proc/self/fd/9",
        "/nothing",
        "/usr/bin/ldd",
        "/usr/lib/x86_64-linux-gnu/crt1.o",
    ]);
    for interpreter in interpreters {
        let program = format!(
            "const char name[] __attribute__((section(\".interp\"))) = \"{interpreter}\";\nint main(void) {{ return 0; }}\n"
        );
        let source = scene.write("program.c", program);
        let report = scene.report(&[text(&package), text(&source), "--language", "c17"]);
        assert_eq!(report["verdict"], "RTE", "{interpreter}: {report}");
    }
}

#[test]
fn standard_streams_have_names_in_every_language() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    for (name, program) in [
        (
            "a.py",
            "a, b = open('/dev/stdin').read().split(); print(int(a) + int(b), file=open('/dev/stdout', 'w'))\n",
        ),
        (
            "a.js",
            "const s = require('fs').readFileSync('/dev/stdin', 'utf8').split(' ').map(Number); console.log(s[0] + s[1])\n",
        ),
        ("a.sh", "while read a b; do echo $((a + b)) > /dev/fd/1; done < <(cat /dev/stdin)\n"),
        (
            "a.cpp",
            "#include <cstdio>\nint main() { int a, b; FILE *i = fopen(\"/dev/stdin\", \"r\"); fscanf(i, \"%d %d\", &a, &b); \
                   FILE *o = fopen(\"/dev/stdout\", \"w\"); if (!o) return 1; fprintf(o, \"%d\\n\", a + b); }\n",
        ),
        (
            "a.pl",
            "open(my $in, '<', '/dev/stdin') or die; my ($a, $b) = split ' ', <$in>; open(my $out, '>', '/dev/stdout') or die; print $out $a + $b\n",
        ),
        ("a.rb", "a, b = File.read('/dev/stdin').split.map(&:to_i); File.write('/dev/stdout', a + b)\n"),
        (
            "a.lua",
            "local f = io.open('/dev/stdin'); local a, b = f:read('n', 'n'); io.open('/dev/stdout', 'w'):write(a + b)\n",
        ),
        ("a.awk", "BEGIN { getline < \"/dev/fd/0\"; print $1 + $2 > \"/dev/stdout\" }\n"),
    ] {
        let source = scene.write(name, program);
        let report = scene.report(&[text(&package), text(&source)]);
        assert_eq!(report["verdict"], "AC", "{name}: {report}");
    }
}

#[test]
fn nothing_of_a_programs_input_tells_which_test_it_is() {
    let scene = Scene::new();
    let package = scene.path("sum");
    for (name, length) in [("possible", 8), ("impossible", 1 << 20)] {
        scene.write(&format!("sum/{name}.in"), format!("1 2\n{}", " ".repeat(length)));
        scene.write(&format!("sum/{name}.ans"), "3\n");
    }
    let program = "import os\nname = os.readlink('/proc/self/fd/0') + os.path.realpath('/dev/stdin')\n\
                   maps = open('/proc/self/maps').read() + open('/proc/self/fdinfo/0').read()\n\
                   print(sum(map(int, open('/dev/stdin').read().split())) if 'possible' not in name + maps else name)\n";
    let source = scene.write("a.py", program);
    let report = scene.report(&[text(&package), text(&source), "--policy", "full"]);
    assert_eq!(verdicts(&report), ["AC", "AC"], "{report}");
}

#[test]
fn processes_of_python_work_in_pools() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2), (3, 4)]);
    for processes in ["", "4", "8"] {
        let program = format!(
            "import multiprocessing, concurrent.futures\nif __name__ == '__main__':\n \
             with multiprocessing.Pool({processes}) as pool:\n  \
             terms = pool.map(int, input().split())\n \
             with concurrent.futures.ProcessPoolExecutor(2) as pool:\n  \
             print(sum(pool.map(abs, terms)))\n"
        );
        let source = scene.write("a.py", program);
        let report = scene.report(&[text(&package), text(&source), "--policy", "full"]);
        assert_eq!(verdicts(&report), ["AC", "AC"], "{processes}: {report}");
    }
}

#[test]
fn a_missing_interpreter_is_the_programs_fault() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write("program", "#!/nowhere/interpreter\n");
    let report = scene.report(&[text(&package), text(&source), "--language", "script"]);
    assert_eq!((&report["verdict"], &report["reason"]), (&"RTE".into(), &"start".into()));
}

#[test]
fn a_language_whose_interpreter_is_missing_is_a_judging_error() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2), (3, 4)]);
    let source = scene.write("program.sh", SUM);
    // A table that names a compiler nobody has.
    let table = scene.write(
        "languages.toml",
        "extends = \"built-in\"\n[[language]]\nid = \"none\"\nname = \"None\"\n\
         sources = { default = \"main.none\", extensions = [\"none\"] }\nartifact = \"sources\"\n\
         run = [\"no-such-interpreter\", \"{source}\"]\nversion = [\"no-such-interpreter\"]\n\
         profile = \"native\"\nhello = \"x\"\n",
    );
    let said = scene.say(&[
        "judge",
        text(&package),
        text(&source),
        "--language",
        "none",
        "--languages",
        text(&table),
        "--format",
        "json",
    ]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stderr.contains("no-such-interpreter"), "{said:?}");
    assert!(said.stdout.contains("\"verdict\": \"JE\""), "{said:?}");
}
