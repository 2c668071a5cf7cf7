//! The memory of the machines: what each redeem was answered, to be held against the database afterwards.

use crate::{Result, scenario::Outcome};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

/// A file with a line for each order: answer, code, device, order, amount; tabs between.
pub(crate) struct Ledger {
    out: BufWriter<File>,
    /// The first line that couldn't be written; without it a check would prove nothing.
    fault: Option<std::io::Error>,
}

impl Ledger {
    pub(crate) fn create(file: &Path) -> Result<Self> {
        Ok(Self { out: BufWriter::new(File::create(file)?), fault: None })
    }

    pub(crate) fn note(
        &mut self,
        outcome: Outcome,
        code: &str,
        device: &str,
        order: &str,
        amount: Option<i64>,
    ) {
        let (answer, amount) = match (outcome, amount) {
            (Outcome::Done, Some(amount)) => ("redeemed", amount),
            (Outcome::Refused, _) => ("refused", 0),
            // Not answered, or not in a way that says whether it was redeemed.
            _ => ("unknown", 0),
        };
        if let Err(fault) = writeln!(self.out, "{answer}\t{code}\t{device}\t{order}\t{amount}") {
            self.fault.get_or_insert(fault);
        }
    }

    pub(crate) fn close(&mut self) -> Result<()> {
        self.out.flush()?;
        self.fault.take().map_or(Ok(()), |fault| Err(fault.into()))
    }
}

/// What to check, where.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files that runs have recorded.
    #[arg(required = true)]
    ledgers: Vec<PathBuf>,
    /// The database behind the server; by default `DATABASE_URL`.
    #[arg(long)]
    database_url: Option<String>,
}

const TABLES: &[&str] = &[
    "CREATE TEMP TABLE ledger (answer text, code text, device text, order_id text, amount bigint)",
    "CREATE TEMP TABLE journal (code text, device text, order_id text, amount bigint, rolled_back boolean)",
];

const JOURNAL: &str = "
    INSERT INTO journal
    SELECT v.code, m.hostname, r.order_id, r.amount_off, b.redemption IS NOT NULL
    FROM redemption r
    JOIN voucher v ON v.id = r.voucher
    JOIN machine m ON m.id = r.machine
    LEFT JOIN redemption_rollback b ON b.redemption = r.id
    WHERE r.order_id IN (SELECT order_id FROM ledger)";

/// Each counts what must not be.
const RULES: &[(&str, &str)] = &[
    (
        "acknowledged_and_not_in_the_journal",
        "SELECT count(*) FROM ledger l WHERE answer = 'redeemed' AND NOT EXISTS
         (SELECT FROM journal j WHERE (j.code, j.device, j.order_id) = (l.code, l.device, l.order_id))",
    ),
    (
        "in_the_journal_twice",
        "SELECT count(*) FROM (SELECT FROM journal GROUP BY code, device, order_id HAVING count(*) > 1) twice",
    ),
    (
        "acknowledged_with_another_amount",
        "SELECT count(*) FROM ledger l JOIN journal j USING (code, device, order_id)
         WHERE l.answer = 'redeemed' AND l.amount <> j.amount",
    ),
    (
        "acknowledged_and_rolled_back",
        "SELECT count(*) FROM ledger l JOIN journal j USING (code, device, order_id)
         WHERE l.answer = 'redeemed' AND j.rolled_back",
    ),
    (
        "refused_and_yet_in_the_journal",
        "SELECT count(*) FROM ledger l JOIN journal j USING (code, device, order_id) WHERE l.answer = 'refused'",
    ),
    (
        "vouchers_above_their_limit_or_below_zero",
        "SELECT count(*) FROM voucher v JOIN campaign c ON c.id = v.campaign
         WHERE v.redemption_count > COALESCE(v.redemption_limit, c.redemption_limit)
            OR v.balance < 0",
    ),
    (
        "vouchers_that_the_journal_does_not_add_up_to",
        "WITH net AS (
             SELECT voucher, count(*) AS redemptions, sum(amount_off) AS amount
             FROM redemption r WHERE NOT EXISTS (SELECT FROM redemption_rollback b WHERE b.redemption = r.id)
             GROUP BY voucher
         )
         SELECT count(*) FROM voucher v LEFT JOIN net ON net.voucher = v.id
         WHERE v.total_redemption_count <> coalesce(net.redemptions, 0)
            OR v.total_amount_redeemed <> coalesce(net.amount, 0)",
    ),
];

/// Counts the promises that were not kept, prints them, and fails if there is one.
pub(crate) async fn check(args: Args) -> Result<()> {
    let url = match args.database_url {
        Some(url) => url,
        None => {
            std::env::var("DATABASE_URL").map_err(|_| "neither --database-url nor DATABASE_URL is given")?
        }
    };
    let mut db = PgConnection::connect(&url).await?;
    for &statement in TABLES {
        sqlx::query(statement).execute(&mut db).await?;
    }
    for ledger in &args.ledgers {
        let mut copy = db.copy_in_raw("COPY ledger FROM STDIN").await?;
        copy.send(std::fs::read(ledger)?).await?;
        copy.finish().await?;
    }
    sqlx::query(JOURNAL).execute(&mut db).await?;
    sqlx::query("ANALYZE ledger, journal").execute(&mut db).await?;

    let (redeemed, refused, unknown): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE answer = 'redeemed'), count(*) FILTER (WHERE answer = 'refused'),
                count(*) FILTER (WHERE answer = 'unknown') FROM ledger",
    )
    .fetch_one(&mut db)
    .await?;
    let mut violations = serde_json::Map::new();
    let mut total = 0;
    for &(name, rule) in RULES {
        let count: i64 = sqlx::query_scalar(rule).fetch_one(&mut db).await?;
        violations.insert(name.to_owned(), count.into());
        total += count;
    }
    println!(
        "{}",
        json!({ "redeemed": redeemed, "refused": refused, "unknown": unknown, "violations": violations })
    );
    if redeemed == 0 {
        return Err("nothing was redeemed, so nothing was shown".into());
    }
    if total > 0 { Err(format!("{total} violations").into()) } else { Ok(()) }
}
