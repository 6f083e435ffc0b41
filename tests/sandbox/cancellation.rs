//! A run can be cancelled from another thread at any moment.

use std::time::Duration;

use gavel::cancel::CancelToken;
use gavel::sandbox::{Exit, Limits, Stopped};

use super::harness::{Bench, each_control, roomy};

#[test]
fn a_run_ends_when_its_token_is_cancelled_whenever_that_is() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for variant in ["sleep", "print-forever", "children-spin", "complain-forever"] {
            for delay in [0, 50, 200, 400, 800, 1_500, 5_000, 20_000] {
                let token = CancelToken::new().unwrap();
                let canceller = {
                    let token = token.clone();
                    std::thread::spawn(move || {
                        std::thread::sleep(Duration::from_micros(delay));
                        token.cancel();
                    })
                };
                let limits = Limits { output: None, ..roomy() };
                let ran = bench.try_command(&["/program/misbehave", variant], limits, &[&token]).unwrap();
                canceller.join().unwrap();
                assert_eq!(ran.outcome.stopped, [Stopped::Cancelled], "{:?}", ran.outcome);
                assert_eq!(ran.outcome.exit, Exit::Signal(libc::SIGKILL), "{:?}", ran.outcome);
            }
        }
        bench.assert_as_new();
    });
}

#[test]
fn a_token_cancelled_before_the_run_stops_it_and_any_of_several_does() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let (quiet, cancelled) = (CancelToken::new().unwrap(), CancelToken::new().unwrap());
        cancelled.cancel();
        cancelled.cancel();
        for _ in 0..20 {
            let argv = ["/program/misbehave", "sleep"];
            let ran = bench.try_command(&argv, roomy(), &[&quiet, &cancelled]).unwrap();
            assert_eq!(ran.outcome.stopped, [Stopped::Cancelled], "{ran:?}");
        }
        let ran = bench.try_command(&["/program/misbehave", "exit", "0"], roomy(), &[&quiet]).unwrap();
        ran.assert_well();
        assert!(cancelled.is_cancelled() && !quiet.is_cancelled());
        bench.assert_as_new();
    });
}

#[test]
fn cancelling_races_with_the_end_of_the_program_without_harm() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for round in 0..100 {
            let token = CancelToken::new().unwrap();
            let canceller = {
                let token = token.clone();
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_micros(round * 20));
                    token.cancel();
                })
            };
            let ran = bench.try_command(&["/program/misbehave", "exit", "7"], roomy(), &[&token]).unwrap();
            canceller.join().unwrap();
            match ran.outcome.stopped[..] {
                [] => assert_eq!(ran.outcome.exit, Exit::Code(7), "{ran:?}"),
                [Stopped::Cancelled] => assert!(
                    [Exit::Code(7), Exit::Signal(libc::SIGKILL)].contains(&ran.outcome.exit),
                    "{ran:?}"
                ),
                _ => panic!("{ran:?}"),
            }
        }
        bench.assert_as_new();
    });
}
