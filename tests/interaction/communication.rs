//! A manager and one or several processes of the contestant's.

use gavel::package::{Channel, Communication, Interaction};
use gavel::verdict::{Reason, Verdict};

use crate::stage::{Stage, of, quick};

/// Reads how to behave and how many rounds there are, sends a number to every process in turn, and scores what comes
/// back: each must add its own.
const MANAGER: &str = r#"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int count, char **arguments) {
    char how[32], part[32];
    int processes = (count - 1) / 2, rounds, right = 0;
    FILE *input = fopen("input.txt", "r");
    if (!input || fscanf(input, "%31s %31s %d", part, how, &rounds) != 3) return 3;
    if (!strcmp(how, "leaves-first")) { puts("1"); return 0; }
    FILE *from[8], *to[8];
    for (int each = 0; each < processes; each++) {
        /* Opening waits for the other side, which opens what it reads first. */
        to[each] = fopen(arguments[2 + 2 * each], "w");
        from[each] = fopen(arguments[1 + 2 * each], "r");
        if (!from[each] || !to[each]) return 4;
        if (strcmp(how, "dies-of-it")) signal(SIGPIPE, SIG_IGN);
        fprintf(to[each], "%s\n", part);
        fflush(to[each]);
    }
    if (!strcmp(how, "crashes")) abort();
    if (!strcmp(how, "no-score")) return 0;
    for (int round = 0; round < rounds; round++) {
        int number = round;
        for (int each = 0; each < processes; each++) {
            fprintf(to[each], "%d\n", number);
            fflush(to[each]);
            if (fscanf(from[each], "%d", &number) != 1) {
                puts("0.0");
                fprintf(stderr, "a process has left\n");
                return 0;
            }
        }
        right += number == round + processes;
    }
    printf("%.3f\n", (double)right / rounds);
    fprintf(stderr, "%s\n", right == rounds ? "translate:success" : "Some rounds were wrong");
    return 0;
}
"#;

/// Told its pipes, or not, and its number, where there are several.
const PROGRAM: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
int main(int count, char **arguments) {
    FILE *from = stdin, *to = stdout;
    int own = 0;
    if (count >= 3) {
        from = fopen(arguments[1], "r");
        to = fopen(arguments[2], "w");
    }
    if (count == 2 || count == 4) own = atoi(arguments[count - 1]);
    char part[32];
    int number;
    volatile unsigned sink = 0;
    if (!from || !to || fscanf(from, "%31s", part) != 1) return 9;
    if (!strcmp(part, "looks") && access("/channels/1", F_OK) == 0) return 8;
    if (!strcmp(part, "second-crashes") && own == 1) abort();
    if (!strcmp(part, "spins")) for (;;) sink++;
    /* Until its own clock says so: how far a loop comes in that time is the machine's affair. */
    if (!strcmp(part, "half-spins")) while (clock() < CLOCKS_PER_SEC / 2) sink++;
    if (!strcmp(part, "leaves")) return 0;
    while (fscanf(from, "%d", &number) == 1) {
        fprintf(to, "%d\n", number + (strcmp(part, "adds-sometimes") || number % 2));
        fflush(to);
    }
    return 0;
}
"#;

fn stage(processes: u32, channel: Channel) -> Stage {
    let mut stage = Stage::with(|settings| settings.slots = Some(2));
    let manager = stage.program("manager.c", MANAGER);
    stage.package.interaction =
        Interaction::Communication(Communication { manager, limits: quick(), processes, channel });
    for (part, how) in [
        ("adds", "scores"),
        ("looks", "scores"),
        ("adds-sometimes", "scores"),
        ("second-crashes", "scores"),
        ("second-crashes", "dies-of-it"),
        ("spins", "scores"),
        ("leaves", "scores"),
        ("adds", "crashes"),
        ("adds", "no-score"),
    ] {
        stage.test(&format!("{part} {how}"), &format!("{part} {how} 4\n"));
    }
    stage
}

#[test]
fn the_managers_score_counts_where_every_process_ends_well() {
    for channel in [Channel::Fifos, Channel::StandardStreams] {
        for processes in [1, 2] {
            let stage = stage(processes, channel);
            let report = stage.judge("c17", PROGRAM);
            let second = if processes == 2 { Verdict::RTE } else { Verdict::AC };
            for (name, verdict) in [
                ("adds scores", Verdict::AC),
                ("looks scores", Verdict::AC),
                ("adds-sometimes scores", Verdict::WA),
                ("second-crashes scores", second),
                ("second-crashes dies-of-it", second),
                ("spins scores", Verdict::TLE),
                ("leaves scores", Verdict::WA),
                ("adds crashes", Verdict::JE),
                ("adds no-score", Verdict::JE),
            ] {
                let test = of(&report, name);
                assert_eq!(test.verdict, verdict, "{channel:?} {processes}: {test:?}");
            }
            assert_eq!(of(&report, "adds scores").message, "Output is correct");
            let broken = of(&report, "adds no-score");
            assert_eq!(broken.reason, Some(Reason::Checker));
            assert!(broken.message.contains("where a score from 0 to 1 belongs"), "{broken:?}");
        }
    }
}

/// Each process uses half of the limit, and four of them twice as much as the limit.
#[test]
fn the_processes_time_counts_together() {
    for (processes, verdict) in [(1, Verdict::AC), (4, Verdict::TLE)] {
        let mut stage = Stage::with(|settings| settings.slots = Some(1));
        let manager = stage.program("manager.c", MANAGER);
        stage.package.interaction = Interaction::Communication(Communication {
            manager,
            limits: quick(),
            processes,
            channel: Channel::Fifos,
        });
        stage.package.limits.wall = Some(std::time::Duration::from_secs(60));
        stage.test("1", "half-spins scores 1\n");
        let report = stage.judge("c17", PROGRAM);
        let test = &report.tests[0];
        assert_eq!(test.verdict, verdict, "{report:?}");
        let least = if processes == 1 { 500.0 } else { 1000.0 };
        assert!(test.cpu_ms >= least, "{report:?}");
    }
}

/// Leaves as soon as something is not what it sent, in the middle of what the process writes.
const HASTY: &str = r#"
#include <stdio.h>
int main(int count, char **arguments) {
    FILE *to = fopen(arguments[2], "w"), *from = fopen(arguments[1], "r");
    if (count < 3 || !to || !from) return 4;
    for (int number = 0; number < 5; number++) {
        int found;
        fprintf(to, "%d\n", number);
        fflush(to);
        if (fscanf(from, "%d", &found) != 1 || found != number) { puts("0.0"); return 0; }
    }
    puts("1.0");
    return 0;
}
"#;

/// Writes more than a pipe holds, a piece at a time, before it reads on.
const TALKATIVE: &str = r#"
#include <stdio.h>
int main(void) {
    int number;
    while (scanf("%d", &number) == 1) {
        for (int line = 0; line < 40000; line++) {
            printf("%d\n", 7);
            if (line % 4000 == 0) fflush(stdout);
        }
        fflush(stdout);
    }
}
"#;

#[test]
fn a_process_that_still_writes_when_the_manager_has_left_changes_no_verdict() {
    let mut stage = Stage::with(|settings| settings.slots = Some(2));
    let manager = stage.program("hasty.c", HASTY);
    let channel = Channel::StandardStreams;
    stage.package.interaction =
        Interaction::Communication(Communication { manager, limits: quick(), processes: 1, channel });
    for number in 0..20 {
        stage.test(&number.to_string(), "");
    }
    for test in &stage.judge("c17", TALKATIVE).tests {
        assert_eq!(test.verdict, Verdict::WA, "{test:?}");
    }
}
