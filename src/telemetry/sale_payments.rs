//! Payments and the sales that they are of: each sale knows how many it has, and what they come to.

use super::{
    record::{KeptSale, hot_and_archived},
    sender::Sender,
};
use crate::error::Result;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// A payment that has found its sale.
pub(super) struct Found<'a> {
    pub(super) sale: &'a KeptSale,
    pub(super) price: i64,
    pub(super) currency: String,
}

/// Gives these sales the payments that came before them.
pub(super) async fn give_awaited(db: &mut PgConnection, sender: &Sender, sales: &[KeptSale]) -> Result<()> {
    const TAKE: &str = "
        DELETE FROM awaited_sale a USING unnest($2::bigint[], $3::bigint[]) AS u(sale, series)
        WHERE a.machine = $1 AND a.sale = u.sale AND a.series = u.series
        RETURNING a.sale, a.series, a.payment, a.occurred_at";
    const GIVE: [&str; 2] = hot_and_archived!(
        "UPDATE ",
        "payment_transaction",
        " AS p SET revenuetransaction = u.sale, report_group = u.report_group, updated_at = $1
          FROM unnest($2::bigint[], $3::timestamptz[], $4::bigint[], $5::text[]) AS u(id, at, sale, report_group)
          WHERE p.id = u.id AND p.occurred_at = u.at AND p.id = ANY ($2)
            AND p.occurred_at BETWEEN (SELECT min(at) FROM unnest($3) AS at) AND (SELECT max(at) FROM unnest($3) AS at)
          RETURNING u.sale, p.price, p.currency"
    );
    let (remotes, series): (Vec<i64>, Vec<i64>) = sales.iter().map(|sale| (sale.remote, sale.series)).unzip();
    let take = sqlx::query_as(TAKE).bind(sender.machine).bind(&remotes).bind(&series);
    let waiting: Vec<(i64, i64, i64, DateTime<Utc>)> = take.fetch_all(&mut *db).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let (mut payments, mut instants, mut whose, mut groups) = (vec![], vec![], vec![], vec![]);
    for (remote, series, payment, at) in &waiting {
        let is_it = |sale: &&KeptSale| (sale.remote, sale.series) == (*remote, *series);
        let Some(sale) = sales.iter().find(is_it) else { continue };
        payments.push(*payment);
        instants.push(*at);
        whose.push(sale.id);
        groups.push(sender.facts.report_group(&sale.name));
    }
    let mut found = Vec::new();
    for sql in GIVE {
        let give = sqlx::query_as(sql).bind(sender.now).bind(&payments).bind(&instants).bind(&whose);
        let given: Vec<(i64, i64, String)> = give.bind(&groups).fetch_all(&mut *db).await?;
        found.extend(given.into_iter().filter_map(|(id, price, currency)| {
            let sale = sales.iter().find(|sale| sale.id == id)?;
            Some(Found { sale, price, currency })
        }));
    }
    count(db, sender, &found).await
}

/// Counts these payments with their sales.
pub(super) async fn count(db: &mut PgConnection, sender: &Sender, found: &[Found<'_>]) -> Result<()> {
    const COUNT: [&str; 2] = hot_and_archived!(
        "UPDATE ",
        "revenue_transaction",
        " AS s SET num_payment_transactions = num_payment_transactions + u.n, paid = paid + u.more,
            paid_back = paid_back + u.back, updated_at = $1
          FROM (SELECT id, at, count(*) AS n, sum(more) AS more, sum(back) AS back
                FROM unnest($2::bigint[], $3::timestamptz[], $4::bigint[], $5::bigint[]) AS v(id, at, more, back)
                GROUP BY 1, 2) AS u
          WHERE s.id = u.id AND s.occurred_at = u.at AND s.id = ANY ($2)
            AND s.occurred_at BETWEEN (SELECT min(at) FROM unnest($3) AS at) AND (SELECT max(at) FROM unnest($3) AS at)"
    );
    if found.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = found.iter().map(|found| found.sale.id).collect();
    let instants: Vec<DateTime<Utc>> = found.iter().map(|found| found.sale.occurred_at).collect();
    let money = found.iter().map(|found| paid_and_back(found.price, found.currency == found.sale.currency));
    let (paid, back): (Vec<i64>, Vec<i64>) = money.unzip();
    for sql in COUNT {
        let count = sqlx::query(sql).bind(sender.now).bind(&ids).bind(&instants);
        count.bind(&paid).bind(&back).execute(&mut *db).await?;
    }
    Ok(())
}

/// What a payment adds to what was paid for its sale, and to what was given back; nothing in another currency.
pub(super) fn paid_and_back(price: i64, is_in_its_currency: bool) -> (i64, i64) {
    let price = if is_in_its_currency { price } else { 0 };
    (price.max(0), (-price).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_of_another_currency_pays_for_nothing() {
        assert_eq!((paid_and_back(150, true), paid_and_back(-50, true)), ((150, 0), (0, 50)));
        assert_eq!((paid_and_back(150, false), paid_and_back(-50, false)), ((0, 0), (0, 0)));
    }
}
