//! What a program says last: the message of a run-time error, memory that a runtime notices itself, and standard error in
//! reports.

use crate::common::{Scene, text};
use serde_json::Value;

const JAVA: &str = "import java.util.*; public class Main { public static void main(String[] a) { BODY } }";

fn judge(name: &str, source: &str) -> Value {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write(name, source);
    scene.report(&[text(&package), text(&source), "--memory", "128MiB", "--cpu", "10s", "--wall", "60s"])
}

#[test]
fn memory_that_a_runtime_notices_itself_is_over_the_memory_limit() {
    let java =
        JAVA.replace("BODY", "List<long[]> l = new ArrayList<>(); while (true) l.add(new long[1 << 17]);");
    let kotlin = "fun main() { val l = ArrayList<LongArray>(); while (true) l.add(LongArray(1 shl 17)) }";
    for (name, source, words) in [
        ("Main.java", java.as_str(), "java.lang.OutOfMemoryError: Java heap space"),
        ("main.kt", kotlin, "java.lang.OutOfMemoryError: Java heap space"),
        (
            "main.js",
            "const x = []; while (true) x.push(new Array(1 << 17).fill(1.5));",
            "JavaScript heap out of memory",
        ),
        ("huge.js", "new ArrayBuffer(1e15)", "Array buffer allocation failed"),
        (
            "main.ts",
            "const x: number[][] = []; while (true) x.push(new Array(1 << 17).fill(1.5));",
            "JavaScript heap out of memory",
        ),
        (
            "main.php",
            "<?php $x = []; while (true) $x[] = str_repeat('a', 1 << 20) . rand();",
            "Allowed memory size",
        ),
        ("main.lisp", "(let ((l nil)) (loop (push (make-array 100000) l)))", "HEAP-EXHAUSTED"),
        ("main.py", "x = [0] * 10 ** 13", "MemoryError"),
        (
            "main.cpp",
            "#include <vector>\nint main() { std::vector<long> v(1L << 45); return v[5]; }",
            "std::bad_alloc",
        ),
        (
            "main.rs",
            "fn main() { println!(\"{}\", Vec::<u64>::with_capacity(1 << 50).capacity()); }",
            "memory allocation of",
        ),
        (
            "main.go",
            "package main\nfunc main() { n := 1 << 43; x := make([]int, n); println(x[5]) }",
            "out of memory",
        ),
        ("main.ml", "let () = print_char (Bytes.get (Bytes.create (1 lsl 46)) 5)", "Out of memory"),
        ("main.rb", "x = 'a' * (1 << 50)", "failed to allocate memory"),
    ] {
        let report = judge(name, source);
        let message = report["tests"][0]["message"].as_str().unwrap_or_default();
        assert_eq!(report["verdict"], "MLE", "{name}: {report}");
        assert!(
            message.starts_with("its runtime ran out of memory: ") && message.contains(words),
            "{name}: {message}"
        );
    }
}

#[test]
fn words_about_memory_do_not_help_a_program_that_is_well_or_wrong() {
    for (source, verdict) in [
        ("import sys\nprint('MemoryError', file=sys.stderr)\nprint(sum(map(int, input().split())))", "AC"),
        ("import sys\nprint('MemoryError', file=sys.stderr)\nprint(4)", "WA"),
        ("import sys\nprint('no MemoryError', file=sys.stderr)\nsys.exit(1)", "RTE"),
        ("try:\n  [0] * 10 ** 13\nexcept MemoryError:\n  print(3)", "AC"),
    ] {
        let report = judge("main.py", source);
        assert_eq!(report["verdict"], verdict, "{source}: {report}");
    }
}

#[test]
fn the_message_of_a_run_time_error_is_what_the_runtime_says_of_it() {
    let java = JAVA.replace("BODY", "int[] x = new int[3]; System.out.println(x[a.length + 5]);");
    for (name, source, message) in [
        ("main.py", "print([1][5])", "IndexError: list index out of range"),
        (
            "chained.py",
            "try:\n  1 / 0\nexcept Exception:\n  raise ValueError('no\\nsecond')",
            "ValueError: no",
        ),
        ("noisy.py", "import sys\nprint('x' * 200000, file=sys.stderr)\n{}['a']", "KeyError: 'a'"),
        ("quiet.py", "import sys\nsys.exit(3)", "exit code 3"),
        ("segv.c", "int main(void) { volatile int *p = 0; return *p; }", "SIGSEGV, invalid memory reference"),
        ("abort.c", "#include <stdlib.h>\nint main(void) { abort(); }", "SIGABRT, aborted"),
        (
            "throw.cpp",
            "#include <stdexcept>\nint main() { throw std::runtime_error(\"no way\"); }",
            "std::runtime_error: no way",
        ),
        ("Main.java", &java, "java.lang.ArrayIndexOutOfBoundsException: Index 5 out of bounds for length 3"),
        (
            "main.js",
            "function f() { null.x }\nf()",
            "TypeError: Cannot read properties of null (reading 'x')",
        ),
        (
            "main.go",
            "package main\nfunc main() { x := []int{}; n := 5; println(x[n]) }",
            "runtime error: index out of range [5] with length 0",
        ),
        ("main.rb", "[1].fetch(5)", "index 5 outside of array bounds: -1...1 (IndexError)"),
        ("main.hs", "main = print (head ([] :: [Int]))", "Prelude.head: empty list"),
        ("main.lisp", "(error \"bad ~a\" 5)", "bad 5"),
    ] {
        let report = judge(name, source);
        assert_eq!(report["verdict"], "RTE", "{name}: {report}");
        assert_eq!(report["tests"][0]["message"], message, "{name}");
    }
}

#[test]
fn a_report_has_both_ends_of_standard_error() {
    let source = "import sys\nprint('first' + 'x' * 10000 + 'last', file=sys.stderr)\nprint(3)";
    let report = judge("main.py", source);
    assert_eq!(report["verdict"], "AC");
    let stderr = report["tests"][0]["stderr"].as_str().unwrap();
    assert!(stderr.starts_with("first") && stderr.ends_with("last\n") && stderr.len() < 4200, "{stderr}");
    assert_eq!(judge("main.py", "print(3)")["tests"][0]["stderr"], Value::Null);
}

#[test]
fn people_see_standard_error_of_the_first_failure() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write("main.py", "import sys\nprint('debug\\x1b[2J', file=sys.stderr)\nprint([1][5])");
    let said = scene.say(&["judge", text(&package), text(&source)]);
    let (_, shown) = said.stdout.split_once("standard error of 01:\n").unwrap();
    assert!(shown.starts_with("  debug") && !shown.contains('\u{1b}'), "{said:?}");
    assert!(shown.contains("  IndexError: list index out of range\n"), "{said:?}");
}
