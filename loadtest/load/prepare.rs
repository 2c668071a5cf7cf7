//! Makes what the scenarios shoot at, through the API: campaigns of discounts, a rich gift, a poor one.

use crate::{Result, api::Api};
use std::{
    fs,
    io::{BufWriter, Write},
    path::PathBuf,
};

/// The most vouchers that the server takes in one campaign.
const CAMPAIGN_MAX: u32 = 1_000_000;

/// What to make.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the server is; by default `SCRIP_URL`.
    #[arg(long)]
    url: Option<String>,
    /// Where the files `codes`, `hot` and `poor` go.
    #[arg(long)]
    out: PathBuf,
    /// How many vouchers; above a million, in several campaigns.
    #[arg(long, default_value_t = 100_000)]
    vouchers: u32,
    /// How often each of them can be redeemed.
    #[arg(long, default_value_t = 1_000_000)]
    limit: u32,
    /// Cents on the gift voucher that everybody redeems.
    #[arg(long, default_value_t = 1_000_000_000)]
    hot_balance: u64,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let api = Api::open(args.url.as_deref()).await?;
    fs::create_dir_all(&args.out)?;

    let gifts = api.gifts().await?;
    fs::write(args.out.join("hot"), api.gift(gifts, args.hot_balance).await?)?;
    fs::write(args.out.join("poor"), api.gift(gifts, 1).await?)?;

    let mut file = BufWriter::new(fs::File::create(args.out.join("codes"))?);
    let mut missing = args.vouchers;
    while missing > 0 {
        let vouchers = missing.min(CAMPAIGN_MAX);
        let campaign = api.discounts(vouchers, args.limit).await?;
        api.generated(campaign, vouchers).await?;
        let codes = api.codes(campaign).await?;
        if codes.len() != vouchers as usize {
            return Err(format!("{} codes of {vouchers} vouchers", codes.len()).into());
        }
        for code in codes {
            writeln!(file, "{code}")?;
        }
        missing -= vouchers;
    }
    file.flush()?;
    Ok(())
}
