//! `gavel verify` beside the format's own tool, problemtools' `verifyproblem`, on one package that this writes.
//!
//! Both look at the same things: input validators on every test and on nonsense, the output validator on answers and on
//! nonsense, every submission on every test, the time limit derived from the accepted ones. They take turns, so that whatever
//! else the machine does meets both. `verifyproblem` is taken from `PATH`, or from `VERIFYPROBLEM`; nothing is installed.
//!
//! Three states of gavel's cache: empty; with what is made once a host (precompiled headers), as a setter has it whose
//! submissions are new; and with the programs, as when only tests have changed. Arguments: how many turns.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SMALL_TESTS: usize = 45;
const LARGE_TESTS: usize = 5;

fn main() {
    let turns = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(3);
    let tool =
        std::env::var_os("VERIFYPROBLEM").map_or_else(|| PathBuf::from("verifyproblem"), PathBuf::from);
    let directory = tempfile::tempdir().expect("a directory");
    let package = directory.path().join("sorting");
    write_package(&package, 0);

    let mut own = [Vec::new(), Vec::new(), Vec::new()];
    let mut theirs = [Vec::new(), Vec::new()];
    for turn in 1..=turns {
        let empty = directory.path().join(format!("cache-{turn}"));
        own[0].push(verify(&package, &empty));
        // Programs nobody has compiled yet, with the headers of the first turn.
        write_package(&package, turn);
        own[1].push(verify(&package, &empty));
        own[2].push(verify(&package, &empty));
        for (threads, times) in ["1", "2"].into_iter().zip(&mut theirs) {
            if let Some(time) = verifyproblem(&tool, &package, threads) {
                times.push(time);
            }
        }
    }
    println!(
        "{SMALL_TESTS} small and {LARGE_TESTS} large tests, 13 submissions, {turns} turns; wall clock, median"
    );
    for (name, times) in [
        ("gavel verify, empty cache", &own[0]),
        ("gavel verify, new submissions", &own[1]),
        ("gavel verify, again", &own[2]),
        ("verifyproblem", &theirs[0]),
        ("verifyproblem --threads 2", &theirs[1]),
    ] {
        match median(times) {
            Some(time) => println!("{name:<32}{:>8.2} s   {}", time.as_secs_f64(), all(times)),
            None => println!("{name:<32}       -   not found: set VERIFYPROBLEM or PATH"),
        }
    }
    if let (Some(new), Some(tool)) = (median(&own[1]), median(&theirs[0])) {
        println!(
            "verifyproblem / gavel verify with new submissions: {:.1}",
            tool.as_secs_f64() / new.as_secs_f64()
        );
    }
}

fn median(times: &[Duration]) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

fn all(times: &[Duration]) -> String {
    times.iter().fold(String::new(), |mut text, time| {
        let _ = write!(text, "{:.2} ", time.as_secs_f64());
        text
    })
}

fn verify(package: &Path, cache: &Path) -> Duration {
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_gavel"))
        .arg("verify")
        .arg(package)
        .env("GAVEL_CACHE", cache)
        .output()
        .expect("gavel runs");
    let took = began.elapsed();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "everything is as expected: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    took
}

fn verifyproblem(tool: &Path, package: &Path, threads: &str) -> Option<Duration> {
    let began = Instant::now();
    let output = Command::new(tool)
        .args(["--threads", threads, "--parts", "validators", "graders", "data", "submissions", "--"])
        .arg(package)
        .stdin(Stdio::null())
        .output();
    let took = began.elapsed();
    match output {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(
                said.contains(" 0 errors"),
                "it finds nothing wrong either: {said}{}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some(took)
        }
        Err(_) => None,
    }
}

/// Sorting, as a setter would have it; `version` makes the sources new to every cache.
fn write_package(package: &Path, version: usize) {
    let write = |name: &str, text: &str| {
        let path = package.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    };
    write("problem.yaml", "name: Sorting\nlicense: cc0\nvalidation: custom\nlimits:\n  memory: 512\n");
    let mut state = 1_u64;
    let mut number = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 35
    };
    for test in 0..SMALL_TESTS + LARGE_TESTS {
        let count = if test < SMALL_TESTS { 5 + test } else { 50_000 };
        let mut numbers: Vec<u64> = (0..count).map(|_| number()).collect();
        let words = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
        let name = if test == 0 { "sample/1".to_owned() } else { format!("secret/{test:02}") };
        write(&format!("data/{name}.in"), &format!("{count}\n{}\n", words(&numbers)));
        numbers.sort_unstable();
        write(&format!("data/{name}.ans"), &format!("{}\n", words(&numbers)));
    }
    let cpp = |body: &str| format!("// {version}\n#include <bits/stdc++.h>\nusing namespace std;\n{body}\n");
    let read = "int n; scanf(\"%d\", &n); vector<long long> a(n); for (auto &x : a) scanf(\"%lld\", &x);";
    let print = "for (int i = 0; i < n; i++) printf(\"%lld%c\", a[i], i + 1 < n ? ' ' : '\\n');";
    let solution = |middle: &str| cpp(&format!("int main() {{ {read} {middle} {print} }}"));
    for (name, middle) in [
        ("accepted/sorts", "sort(a.begin(), a.end());"),
        ("accepted/stable", "stable_sort(a.begin(), a.end());"),
        ("accepted/heap", "make_heap(a.begin(), a.end()); sort_heap(a.begin(), a.end());"),
        ("accepted/set", "multiset<long long> s(a.begin(), a.end()); a.assign(s.begin(), s.end());"),
        ("wrong_answer/nothing", ""),
        ("wrong_answer/descending", "sort(a.rbegin(), a.rend());"),
        ("wrong_answer/distinct", "sort(a.begin(), a.end()); if (n > 1000) a[n / 2] = a[n / 2 - 1] + 1;"),
        ("run_time_error/beyond", "if (n > 1000) abort(); sort(a.begin(), a.end());"),
        ("time_limit_exceeded/never", "while (n > 1000) n += 0 * getpid(); sort(a.begin(), a.end());"),
    ] {
        write(&format!("submissions/{name}.cpp"), &solution(middle));
    }
    write(
        "submissions/accepted/sorts.py",
        &format!("# {version}\ninput()\nprint(*sorted(map(int, input().split())))\n"),
    );
    write(
        "submissions/accepted/slices.py",
        &format!(
            "# {version}\nimport sys\nd = sys.stdin.read().split()[1:]\nd.sort(key=int)\nprint(' '.join(d))\n"
        ),
    );
    write(
        "submissions/accepted/sorts.c",
        &format!(
            "// {version}\n#include <stdio.h>\n#include <stdlib.h>\nstatic long a[100000];\n\
         static int order(const void *x, const void *y) {{ long p = *(long *)x, q = *(long *)y; return p < q ? -1 : p > q; }}\n\
         int main(void) {{ int n; if (scanf(\"%d\", &n) != 1) return 1;\n\
         for (int i = 0; i < n; i++) if (scanf(\"%ld\", a + i) != 1) return 1;\n\
         qsort(a, n, sizeof *a, order);\nfor (int i = 0; i < n; i++) printf(\"%ld%c\", a[i], i + 1 < n ? ' ' : '\\n'); }}\n"
        ),
    );
    write(
        "submissions/wrong_answer/short.c",
        &format!("// {version}\n#include <stdio.h>\nint main(void) {{ puts(\"1\"); }}\n"),
    );
    write(
        "output_validators/compare.cpp",
        &cpp("int main(int, char **v) { ifstream ans(v[2]); string x, y;\n\
         while (ans >> x) if (!(cin >> y) || x != y) return 43;\nreturn cin >> y ? 43 : 42; }"),
    );
    write(
        "input_validators/check.cpp",
        &cpp("int main() { string s(istreambuf_iterator<char>(cin), {}); size_t at = 0;\n\
         auto number = [&](long long most) { size_t b = at; while (at < s.size() && isdigit((unsigned char)s[at])) at++;\n\
         if (at == b || at - b > 10 || (s[b] == '0' && at - b > 1)) exit(43); long long x = stoll(s.substr(b, at - b)); if (x > most) exit(43); return x; };\n\
         auto one = [&](char c) { if (at >= s.size() || s[at++] != c) exit(43); };\n\
         long long n = number(100000); one('\\n'); if (n < 1) exit(43);\n\
         for (long long i = 0; i < n; i++) { if (i) one(' '); number(1LL << 30); } one('\\n');\n\
         return at == s.size() ? 42 : 43; }"),
    );
}
