//! The memory of the machines: what each redeem was answered, to be held against the database afterwards.

use crate::{
    Result,
    scenario::Outcome,
    target::{self, Target},
};
use serde_json::{Value, json};
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
    /// The database before a failover that lost some of it: what is only there was lost by Postgres.
    #[arg(long)]
    earlier_url: Option<String>,
    /// Also asks the server at `SCRIP_URL` for each voucher, and counts answers that are not what it is.
    #[arg(long)]
    validate: bool,
}

const TABLES: &[&str] = &[
    "CREATE TEMP TABLE ledger (answer text, code text, device text, order_id text, amount bigint)",
    "CREATE TEMP TABLE earlier (code text, device text, order_id text)",
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

/// Redemptions that were acknowledged and are only in the database from before a failover.
const LOST: &str = "
    SELECT count(*) FROM ledger l WHERE answer = 'redeemed' AND NOT EXISTS
    (SELECT FROM journal j WHERE (j.code, j.device, j.order_id) = (l.code, l.device, l.order_id))
    AND (code, device, order_id) IN (SELECT code, device, order_id FROM earlier)";

/// Each counts what must not be.
const RULES: &[(&str, &str)] = &[
    (
        "acknowledged_and_not_in_the_journal",
        "SELECT count(*) FROM ledger l WHERE answer = 'redeemed' AND NOT EXISTS
         (SELECT FROM journal j WHERE (j.code, j.device, j.order_id) = (l.code, l.device, l.order_id))
         AND (code, device, order_id) NOT IN (SELECT code, device, order_id FROM earlier)",
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
    if let Some(url) = &args.earlier_url {
        read_earlier(url, &mut db).await?;
    }
    sqlx::query(JOURNAL).execute(&mut db).await?;
    sqlx::query("ANALYZE ledger, journal, earlier").execute(&mut db).await?;

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
    if args.validate {
        let wrong = wrong_validates(&mut db).await?;
        violations.insert("validated_and_not_what_it_is".to_owned(), wrong.into());
        total += wrong;
    }
    let lost: i64 = sqlx::query_scalar(LOST).fetch_one(&mut db).await?;
    println!(
        "{}",
        json!({
            "acknowledged": redeemed, "refused": refused, "unknown": unknown, "lost_by_postgres": lost,
            "lost": violations["acknowledged_and_not_in_the_journal"], "twice": violations["in_the_journal_twice"],
            "violations": violations,
        })
    );
    if redeemed == 0 {
        return Err("nothing was redeemed, so nothing was shown".into());
    }
    if total > 0 { Err(format!("{total} violations").into()) } else { Ok(()) }
}

/// Reads what was in the journal before a failover.
async fn read_earlier(url: &str, db: &mut PgConnection) -> Result<()> {
    const SQL: &str = "
        SELECT v.code, m.hostname, r.order_id
        FROM redemption r JOIN voucher v ON v.id = r.voucher JOIN machine m ON m.id = r.machine";
    let mut earlier = PgConnection::connect(url).await?;
    let rows: Vec<(String, String, String)> = sqlx::query_as(SQL).fetch_all(&mut earlier).await?;
    let (mut codes, mut devices, mut orders) = (Vec::new(), Vec::new(), Vec::new());
    for (code, device, order) in rows {
        codes.push(code);
        devices.push(device);
        orders.push(order);
    }
    let insert = sqlx::query("INSERT INTO earlier SELECT * FROM unnest($1::text[], $2::text[], $3::text[])");
    insert.bind(codes).bind(devices).bind(orders).execute(db).await?;
    Ok(())
}

/// A voucher of the ledger as Postgres has it.
#[derive(sqlx::FromRow)]
struct Standing {
    code: String,
    /// A machine that asked for it.
    device: String,
    count: i64,
    most: Option<i64>,
    rest: Option<i64>,
}

/// Asks the server for every voucher of the ledger; counts answers that are not what Postgres has.
async fn wrong_validates(db: &mut PgConnection) -> Result<i64> {
    const SQL: &str = "
        SELECT v.code, l.device, v.redemption_count AS count,
               CASE WHEN v.inherits THEN c.redemption_limit ELSE v.redemption_limit END AS most, v.balance AS rest
        FROM (SELECT DISTINCT ON (code) code, device FROM ledger) l
        JOIN voucher v ON v.code = l.code JOIN campaign c ON c.id = v.campaign";
    let vouchers: Vec<Standing> = sqlx::query_as(SQL).fetch_all(db).await?;
    let (url, client) = (target::url(None)?, reqwest::Client::new());
    let devices = Target::product(&url).await?.devices;
    let mut wrong = 0;
    for Standing { code, device, count, most, rest } in vouchers {
        let token = devices.iter().find(|known| known.id == device).and_then(|known| known.token.as_deref());
        let request = client.post(format!("{url}/voucher/{code}/validate"));
        let request = request.bearer_auth(token.unwrap_or_default()).json(&json!({ "deviceId": device }));
        let answer: Value = request.send().await?.json().await?;
        if answer["reason"] == "locked" {
            continue;
        }
        let is_usable = most.is_none_or(|most| count < most) && rest != Some(0);
        if answer["valid"] != is_usable || rest.is_some_and(|rest| answer["voucherValue"] != rest) {
            println!("{code}: {answer}, and not {count} of {most:?}, {rest:?} left");
            wrong += 1;
        }
    }
    Ok(wrong)
}
