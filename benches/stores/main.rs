//! What the stores cost: the scripts of `lua/` beside plain reads, and the journal's batches by size.
//!
//! Needs stores that may be written to: `loadtest/benches.sh` starts some, and prints the ratios. Without
//! `SCRIP_TEST_DATABASE_URL` and `SCRIP_TEST_REDIS_URL`, nothing is measured.

#![expect(clippy::unwrap_used, reason = "a bench whose stores fail is to fail")]
#![expect(clippy::print_stderr, reason = "it says why nothing is measured")]

mod journal;
mod scripts;

use criterion::{Criterion, criterion_group, criterion_main};
use std::time::Duration;

fn stores(c: &mut Criterion) {
    let url = |name| std::env::var(name).ok();
    let (Some(database), Some(redis)) = (url("SCRIP_TEST_DATABASE_URL"), url("SCRIP_TEST_REDIS_URL")) else {
        eprintln!(
            "stores: skipped, set SCRIP_TEST_DATABASE_URL and SCRIP_TEST_REDIS_URL or run loadtest/benches.sh"
        );
        return;
    };
    scripts::bench(c, &redis);
    journal::bench(c, &database);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_secs(1));
    targets = stores
}
criterion_main!(benches);
