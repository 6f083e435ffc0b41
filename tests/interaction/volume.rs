//! A hundred megabytes each way, and a hundred thousand words.

use gavel::checker::Protocol;
use gavel::units::Bytes;
use gavel::verdict::Verdict;

use crate::stage::Stage;

/// Sends and takes so many bytes at once, and leaves when it has both behind it.
const BOTH_WAYS: &str = r#"
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
static char block[1 << 16];
int main(int count, char **arguments) {
    long left_to_send = 100L << 20, left_to_take = 100L << 20;
    memset(block, 'x', sizeof block);
    fcntl(0, F_SETFL, O_NONBLOCK);
    fcntl(1, F_SETFL, O_NONBLOCK);
    while (left_to_send > 0 || left_to_take > 0) {
        struct pollfd ends[] = {{left_to_take > 0 ? 0 : -1, POLLIN, 0}, {left_to_send > 0 ? 1 : -1, POLLOUT, 0}};
        poll(ends, 2, -1);
        if (ends[0].revents) {
            long taken = read(0, block, sizeof block);
            if (taken == 0) return 9;
            if (taken > 0) left_to_take -= taken;
        }
        if (ends[1].revents) {
            long sent = write(1, block, left_to_send < (long)sizeof block ? left_to_send : sizeof block);
            if (sent > 0) left_to_send -= sent;
        }
    }
    return count > 1 ? 42 : 0;
}
"#;

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_hundred_megabytes_pass_each_way_in_flat_memory() {
    let mut stage = Stage::with(|settings| settings.slots = Some(1));
    stage.package.limits.output = Bytes::mib(128);
    stage.interact_with("interact.c", BOTH_WAYS, Protocol::Kattis);
    stage.test("1", "");
    let before = resident_kib();
    let report = stage.judge("c17", BOTH_WAYS);
    let test = &report.tests[0];
    assert_eq!((test.verdict, test.output_bytes), (Verdict::AC, 100 << 20), "{report:?}");
    // Tests beside this one have outputs of their own, but none of this size.
    assert!(resident_kib() - before < 64 << 10, "{} KiB", resident_kib() - before);
    assert!(test.memory_kib < 8 << 10, "{report:?}");
}

#[test]
fn what_is_beyond_the_output_limit_is_too_much_however_fast_it_is_read() {
    let mut stage = Stage::with(|settings| settings.slots = Some(1));
    stage.interact_with("interact.sh", "exec cat > /dev/null\n", Protocol::Kattis);
    stage.test("1", "");
    let report = stage.judge("bash", "exec head -c 9000000 /dev/zero\n");
    assert_eq!(report.verdict, Verdict::OLE, "{report:?}");
    assert!(report.tests[0].message.contains("8MiB"), "{report:?}");
}

/// Asks for the next number until the end.
const ASKS: &str = r#"
#include <stdio.h>
int main(int count, char **arguments) {
    if (count > 1) {
        for (int number = 0, said; number < 100000; number++) {
            printf("%d\n", number);
            fflush(stdout);
            if (scanf("%d", &said) != 1 || said != number + 1) return 43;
        }
        return 42;
    }
    for (int number; scanf("%d", &number) == 1;) {
        printf("%d\n", number + 1);
        fflush(stdout);
    }
    return 0;
}
"#;

#[test]
fn a_hundred_thousand_questions_take_no_time_of_the_program_but_its_own() {
    let mut stage = Stage::with(|settings| settings.slots = Some(1));
    stage.package.limits.wall = Some(std::time::Duration::from_secs(60));
    stage.package.limits.time = gavel::package::TimeLimit::Fixed(std::time::Duration::from_secs(10));
    stage.interact_with("interact.c", ASKS, Protocol::Kattis);
    if let gavel::package::Interaction::Interactive(interactor) = &mut stage.package.interaction {
        interactor.limits.time = std::time::Duration::from_secs(10);
    }
    stage.test("1", "");
    let report = stage.judge("c17", ASKS);
    assert_eq!(report.verdict, Verdict::AC, "{report:?}");
    println!("{} ms CPU, {} ms wall", report.tests[0].cpu_ms, report.tests[0].wall_ms);
}
