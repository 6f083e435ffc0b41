//! Every line of the table, each with several programs.

use gavel::checker::Protocol;
use gavel::verdict::{Reason, Verdict};

use crate::stage::{Stage, of};

/// Reads what the two are to do from the test's input, tells the program its part, and then asks it to double
/// numbers.
const INTERACTOR: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static char program[64], own[64], flood[1 << 16];
static int plays(const char *part) { return !strcmp(own, part); }
static volatile unsigned sink;
int main(int count, char **arguments) {
    FILE *input = fopen(arguments[1], "r");
    if (!input || fscanf(input, "%63s %63s", program, own) != 2) return 9;
    if (plays("rejects-at-once")) return 43;
    if (plays("sleeps-first")) for (;;) pause();
    printf("%s\n", program);
    fflush(stdout);
    if (plays("accepts-at-once")) return 42;
    if (plays("floods")) for (memset(flood, 'x', sizeof flood);;) fwrite(flood, 1, sizeof flood, stdout);
    if (plays("grabs-memory")) for (size_t size = 1 << 20;; size += 1 << 20) {
        char *block = malloc(1 << 20);
        if (block) memset(block, 1, 1 << 20);
    }
    for (int number = 1; number <= 5; number++) {
        int doubled;
        printf("%d\n", number);
        fflush(stdout);
        if (plays("aborts")) abort();
        if (plays("deaf")) for (;;) pause();
        if (plays("is-slow")) for (char letter; read(0, &letter, 1) == 1; usleep(20000)) puts("9"), fflush(stdout);
        if (plays("exits-0")) return 0;
        if (plays("spins")) for (;;) sink++;
        if (scanf("%d", &doubled) != 1) {
            if (plays("dies-at-the-end")) return 1;
            if (plays("sleeps-at-the-end")) for (;;) pause();
            return 43;
        }
        if (doubled != 2 * number) {
            printf("no\n");
            fflush(stdout);
            /* Whoever reads that may be gone long before this is. */
            if (plays("dawdles")) while (clock() < CLOCKS_PER_SEC / 5) sink++;
            return 43;
        }
    }
    printf("0\n");
    fflush(stdout);
    if (plays("leaves")) return 42;
    char rest[2];
    return scanf("%1s", rest) == 1 ? 43 : 42;
}
"#;

/// Plays the part that it is told first.
const PROGRAM: &str = r#"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char own[64];
static int plays(const char *part) { return !strcmp(own, part); }
static volatile unsigned sink;
int main(void) {
    int number;
    if (scanf("%63s", own) != 1) return 7;
    if (plays("exits-1")) return 1;
    if (plays("crashes")) raise(SIGSEGV);
    if (plays("kills-itself")) raise(SIGKILL);
    if (plays("leaves")) return 0;
    if (plays("sleeps")) for (;;) pause();
    if (plays("spins")) for (;;) sink++;
    if (plays("floods")) for (;;) puts("1");
    if (plays("grabs-memory")) for (;;) {
        char *block = malloc(1 << 20);
        if (block) memset(block, 1, 1 << 20);
    }
    if (plays("asks-ahead")) {
        for (int line = 0; line < 200; line++) puts("8");
        fflush(stdout);
        for (;;) getchar();
    }
    if (plays("closes-everything")) { fclose(stdin); fclose(stdout); return 0; }
    while (scanf("%d", &number) == 1 && number) {
        if (plays("wrong-then-spins") || plays("wrong-then-fails")) number++;
        printf("%d\n", 2 * number);
        if (!plays("does-not-flush")) fflush(stdout);
        if (plays("wrong-then-spins")) for (;;) sink++;
    }
    /* Here everything was answered, or the other has left. */
    if (plays("wrong-then-fails")) return 1;
    if (plays("closes-and-spins")) { fclose(stdout); for (;;) sink++; }
    if (plays("closes-and-reads")) { fclose(stdout); while (getchar() != EOF) {} return 0; }
    if (plays("fails-afterwards")) return 5;
    if (plays("spins-afterwards")) for (;;) sink++;
    if (plays("sleeps-afterwards")) for (;;) pause();
    if (plays("talks-on")) for (int line = 0; line < 200000; line++) puts("and more");
    return 0;
}
"#;

#[test]
fn the_blame_is_on_the_side_that_failed() {
    use Verdict::{AC, JE, MLE, OLE, RTE, TLE, WA, WTL};
    let pairs = [
        // The program, the interactor, the verdict.
        ("right", "fair", AC),
        ("right", "leaves", AC),
        ("right", "dawdles", AC),
        ("talks-on", "leaves", AC),
        ("talks-on", "fair", WA),
        ("closes-and-reads", "fair", WTL),
        // It fails: that decides, whatever a sound interactor says then.
        ("exits-1", "fair", RTE),
        ("crashes", "fair", RTE),
        ("kills-itself", "fair", RTE),
        ("fails-afterwards", "fair", RTE),
        ("fails-afterwards", "leaves", RTE),
        ("right", "accepts-at-once", AC),
        ("exits-1", "accepts-at-once", RTE),
        // It leaves early: the interactor decides.
        ("leaves", "fair", WA),
        ("closes-everything", "fair", WA),
        // It goes beyond a limit, also where the interactor goes wrong over that.
        ("spins", "fair", TLE),
        ("spins", "dies-at-the-end", TLE),
        ("spins-afterwards", "leaves", TLE),
        ("closes-and-spins", "fair", TLE),
        ("grabs-memory", "fair", MLE),
        ("sleeps", "fair", WTL),
        ("sleeps", "dies-at-the-end", WTL),
        ("does-not-flush", "fair", WTL),
        ("asks-ahead", "is-slow", WTL),
        ("sleeps-afterwards", "leaves", WTL),
        // The interactor has decided before anything else happened.
        ("right", "rejects-at-once", WA),
        ("wrong-then-spins", "fair", WA),
        ("wrong-then-fails", "fair", WA),
        ("wrong-then-fails", "dawdles", WA),
        ("spins-afterwards", "rejects-at-once", WA),
        // The interactor fails.
        ("right", "aborts", JE),
        ("floods", "sleeps-first", JE),
        ("right", "exits-0", JE),
        ("right", "spins", JE),
        ("right", "floods", JE),
        ("right", "deaf", JE),
        ("right", "grabs-memory", JE),
        ("sleeps", "sleeps-at-the-end", JE),
        ("exits-1", "dies-at-the-end", JE),
        ("leaves", "dies-at-the-end", JE),
    ];
    let mut stage = Stage::with(|settings| settings.slots = Some(8));
    stage.interact_with("interact.c", INTERACTOR, Protocol::Kattis);
    for (program, interactor, _) in pairs {
        stage.test(&format!("{program} {interactor}"), &format!("{program} {interactor}\n"));
    }
    stage.test("floods out", "floods fair\n");
    let report = stage.judge("c17", PROGRAM);
    let wrong: Vec<_> = pairs
        .iter()
        .map(|(program, interactor, verdict)| (of(&report, &format!("{program} {interactor}")), verdict))
        .filter(|(test, verdict)| test.verdict != **verdict)
        .map(|(test, verdict)| format!("{verdict} wanted: {test:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}\n{:?}", wrong.join("\n"), report.error);
    // An interactor that has seen one wrong number does not wait for the flood to end.
    assert!(matches!(of(&report, "floods out").verdict, WA | OLE));
    for (test, complaint) in [
        ("right aborts", "interactor 'interact.c': it died of signal 6 (SIGABRT)"),
        ("right exits-0", "it exited with code 0, where 42 accepts and 43 rejects"),
        ("right spins", "it used more CPU time than 1.000 s"),
        ("right floods", "it wrote more than 256MiB"),
        ("right deaf", "it did not read what the program wrote"),
        ("right grabs-memory", "it used more memory than 128MiB"),
        ("sleeps sleeps-at-the-end", "it was not over after 11.000 s"),
    ] {
        let test = of(&report, test);
        assert_eq!(test.reason, Some(Reason::Checker), "{test:?}");
        assert!(test.message.contains(complaint), "{test:?}");
    }
}

#[test]
fn who_was_first_does_not_depend_on_who_is_scheduled() {
    let mut stage = Stage::with(|settings| settings.slots = Some(4));
    stage.interact_with("interact.c", INTERACTOR, Protocol::Kattis);
    for turn in 0..25 {
        stage.test(&format!("reject {turn}"), "wrong-then-fails fair\n");
        stage.test(&format!("late reject {turn}"), "wrong-then-fails dawdles\n");
        stage.test(&format!("crash {turn}"), "crashes fair\n");
    }
    let report = stage.judge("c17", PROGRAM);
    for test in &report.tests {
        let wanted = if test.name.starts_with("crash") { Verdict::RTE } else { Verdict::WA };
        assert_eq!(test.verdict, wanted, "{test:?}");
    }
}
