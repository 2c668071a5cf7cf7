//! Keeps the server generating campaigns, one after another, for other runs to be measured beside.

use crate::{Result, api::Api};
use std::time::Duration;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, timeout},
};

/// Each voucher is good once; nobody redeems it.
const LIMIT: u32 = 1;

/// How much to generate.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the server is; by default `SCRIP_URL`.
    #[arg(long)]
    url: Option<String>,
    /// Vouchers in a campaign.
    #[arg(long, default_value_t = 200_000)]
    vouchers: u32,
    /// Begins no campaign after this many seconds, nor after SIGTERM; ends with the last that was begun.
    #[arg(long)]
    seconds: u64,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let api = Api::open(args.url.as_deref()).await?;
    let end = Instant::now() + Duration::from_secs(args.seconds);
    while !is_over(&mut term, end).await {
        let campaign = api.discounts(args.vouchers, LIMIT).await?;
        println!("generating campaign {campaign}");
        api.generated(campaign, args.vouchers).await?;
    }
    Ok(())
}

async fn is_over(term: &mut Signal, end: Instant) -> bool {
    Instant::now() >= end || timeout(Duration::ZERO, term.recv()).await.is_ok()
}
