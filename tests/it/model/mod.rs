//! A model of a few vouchers, in plain Rust and knowing nothing of the server's own logic, driven
//! beside the real thing (two servers that take turns) with random verbs, clock steps, changes and
//! losses of Redis. Both must give the same answer to everything.
//!
//! More cases: `PROPTEST_CASES=500 cargo test --test it model`. A failure prints the shortest
//! sequence that was found; `PROPTEST_RNG_SEED` repeats a run.

mod drive;
mod oracle;
mod steps;

use drive::Bench;
use proptest::test_runner::{Config, TestError, TestRunner};

/// Drives generated worlds until one disagrees.
fn agree(redis: bool, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bench = runtime.block_on(Bench::new(redis));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&steps::plays(), |play| runtime.block_on(bench.play(&play)));
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, play)) => {
            let steps: Vec<String> = play.steps.iter().map(|step| format!("{step:?}")).collect();
            panic!("{reason}\n  from {}\n  {:#?}\n    {}", play.start, play.seeds, steps.join("\n    "));
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    runtime.block_on(bench.verify());
}

/// How many cases are driven where nobody asks for more.
fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

#[test]
fn both_agree_on_every_verdict() {
    agree(true, cases(48));
}

#[test]
fn both_agree_with_redis_away() {
    agree(false, cases(24));
}
