//! Assortments in Postgres.
//!
//! Whatever changes an assortment as a whole locks its machine first (many machines in the order of
//! their ids), so that two changes follow each other and neither sees half of the other.

use super::{
    offer::Offer,
    plu::Steps,
    preview::{Preview, PreviewPart},
    product::Product,
    split::{self, Part, Prices, Split},
};
use crate::{
    crash,
    error::{Error, Result},
    http::list::Listing,
    resource::{Resource, Text},
    transaction,
};
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

const NO_MACHINE: Error = Error::NotFound("machine");

/// Locks a machine that belongs to `group` or a group below it. References to it may go on.
async fn lock(db: &mut PgConnection, group: i64, machine: i64) -> Result<()> {
    const SQL: &str = "
        SELECT id FROM machine WHERE id = $1
        AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2) FOR NO KEY UPDATE";
    let found: Option<i64> = sqlx::query_scalar(SQL).bind(machine).bind(group).fetch_optional(db).await?;
    found.map(drop).ok_or(NO_MACHINE)
}

/// Finds a machine that belongs to `group` or a group below it.
async fn find(db: &mut PgConnection, group: i64, machine: i64) -> Result<()> {
    const SQL: &str = "
        SELECT id FROM machine WHERE id = $1
        AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)";
    let found: Option<i64> = sqlx::query_scalar(SQL).bind(machine).bind(group).fetch_optional(db).await?;
    found.map(drop).ok_or(NO_MACHINE)
}

/// Makes a machine sell these products and no others. A number that stays keeps its product's id,
/// and whatever an offer does not speak of.
pub(super) async fn replace(
    db: &PgPool,
    group: i64,
    machine: i64,
    offers: &[Offer],
    now: DateTime<Utc>,
) -> Result<()> {
    const DROP: &str = "DELETE FROM product WHERE machine = $1 AND plu <> ALL($2)";
    const PUT: &str = "
        INSERT INTO product AS old (machine, plu, name, report_name, price, barcode, created_at, updated_at)
        SELECT $1, plu, name, report_name, price, barcode, $7, $7
        FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[])
            WITH ORDINALITY AS new (plu, name, report_name, price, barcode, place)
        ORDER BY place
        ON CONFLICT (machine, plu) DO UPDATE SET name = excluded.name, report_name = excluded.report_name,
            price = excluded.price, barcode = excluded.barcode, updated_at = excluded.updated_at
        WHERE (old.name, old.report_name, old.price, old.barcode)
            IS DISTINCT FROM (excluded.name, excluded.report_name, excluded.price, excluded.barcode)";
    let plus: Vec<i64> = offers.iter().map(|offer| offer.plu.0).collect();
    let names: Vec<&str> = offers.iter().map(|offer| offer.name.0.as_str()).collect();
    let report_names: Vec<Option<&str>> =
        offers.iter().map(|offer| text(offer.report_name.as_ref())).collect();
    let prices: Vec<i64> = offers.iter().map(|offer| offer.price.0).collect();
    let barcodes: Vec<Option<&str>> = offers.iter().map(|offer| text(offer.barcode.as_ref())).collect();
    let mut tx = transaction::begin(db).await?;
    lock(&mut tx, group, machine).await?;
    sqlx::query(DROP).bind(machine).bind(&plus).execute(&mut *tx).await?;
    let put = sqlx::query(PUT).bind(machine).bind(&plus).bind(names).bind(report_names);
    put.bind(prices).bind(barcodes).bind(now).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

fn text<const MAX: usize>(text: Option<&Text<MAX>>) -> Option<&str> {
    text.map(|text| text.0.as_str())
}

/// Where flavours are kept.
const FLAVOURS: &str = "product_flavour";

/// Where extras are kept.
const EXTRAS: &str = "product_extra";

/// All that a machine sells, by number.
struct Assortment {
    products: Vec<Product>,
    flavours: Vec<PreviewPart>,
    extras: Vec<PreviewPart>,
}

impl Assortment {
    /// Reads it; it stays as it is until the transaction ends, if it is to be `held`.
    async fn read(db: &mut PgConnection, machine: i64, held: bool) -> Result<Self> {
        let Listing { select, from, .. } = Product::spec().listing();
        let lock = if held { "FOR UPDATE OF this" } else { "" };
        let sql = format!("SELECT {select} FROM {from} WHERE this.machine = $1 ORDER BY this.plu {lock}");
        Ok(Self {
            products: sqlx::query_as(AssertSqlSafe(sql)).bind(machine).fetch_all(&mut *db).await?,
            flavours: parts(db, FLAVOURS, machine, lock).await?,
            extras: parts(db, EXTRAS, machine, lock).await?,
        })
    }

    fn split(self, steps: Steps) -> (Split, Vec<PreviewPart>, Vec<PreviewPart>) {
        let prices =
            |parts: &[PreviewPart]| -> Prices { parts.iter().map(|part| (part.plu, part.price.0)).collect() };
        let split = split::split(self.products, &prices(&self.flavours), &prices(&self.extras), steps);
        (split, self.flavours, self.extras)
    }
}

async fn parts(db: &mut PgConnection, table: &str, machine: i64, lock: &str) -> Result<Vec<PreviewPart>> {
    let sql = format!(
        "SELECT id, plu, name, price, machine, report_name, created_at, updated_at
         FROM {table} this WHERE machine = $1 ORDER BY plu {lock}"
    );
    Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(machine).fetch_all(db).await?)
}

/// What a machine would sell after [`convert`].
pub(super) async fn preview(db: &PgPool, group: i64, machine: i64, steps: Steps) -> Result<Preview> {
    // One look at all of it: a change in between would show products that are there twice, or not at all.
    const ONE_LOOK: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let mut tx = transaction::begin(db).await?;
    sqlx::query(ONE_LOOK).execute(&mut *tx).await?;
    find(&mut tx, group, machine).await?;
    let (split, flavours, extras) = Assortment::read(&mut tx, machine, false).await?.split(steps);
    tx.commit().await?;
    Ok(Preview::new(machine, split, flavours, extras))
}

/// Folds products with composed numbers into flavours and extras, all of them or none.
pub(super) async fn convert(
    db: &PgPool,
    group: i64,
    machine: i64,
    steps: Steps,
    now: DateTime<Utc>,
) -> Result<usize> {
    let mut tx = transaction::begin(db).await?;
    lock(&mut tx, group, machine).await?;
    let (split, ..) = Assortment::read(&mut tx, machine, true).await?.split(steps);
    let ids: Vec<i64> = split.folded.iter().map(|product| product.id).collect();
    sqlx::query("DELETE FROM product WHERE id = ANY($1)").bind(&ids).execute(&mut *tx).await?;
    add(&mut tx, FLAVOURS, machine, &split.flavours, now).await?;
    crash::point("convert-half-way");
    add(&mut tx, EXTRAS, machine, &split.extras, now).await?;
    tx.commit().await?;
    Ok(ids.len())
}

async fn add(
    db: &mut PgConnection,
    table: &str,
    machine: i64,
    parts: &[Part],
    now: DateTime<Utc>,
) -> Result<()> {
    let sql = format!(
        "INSERT INTO {table} (machine, plu, name, report_name, price, created_at, updated_at)
         SELECT $1, plu, name, report_name, price, $6, $6
         FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[]) AS new (plu, name, report_name, price)
         ORDER BY plu"
    );
    let plus: Vec<i64> = parts.iter().map(|part| part.plu).collect();
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    let report_names: Vec<Option<&str>> = parts.iter().map(|part| part.report_name.as_deref()).collect();
    let prices: Vec<i64> = parts.iter().map(|part| part.price).collect();
    let added = sqlx::query(AssertSqlSafe(sql)).bind(machine).bind(plus).bind(names).bind(report_names);
    added.bind(prices).bind(now).execute(db).await?;
    Ok(())
}

/// Makes every machine of a group that the caller may change sell what `machine` sells; returns how many.
pub(super) async fn copy_to_group(
    db: &PgPool,
    group: i64,
    machine: i64,
    machine_group: i64,
    now: DateTime<Utc>,
) -> Result<usize> {
    const GROUP: &str = "
        SELECT EXISTS (SELECT FROM machine_group WHERE id = $1
            AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2))";
    const MEMBERS: &str = "
        SELECT m.id FROM machine_group_machine g JOIN machine m ON m.id = g.machine
        WHERE g.machine_group = $1
        AND m.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)";
    let mut tx = transaction::begin(db).await?;
    find(&mut tx, group, machine).await?;
    if !sqlx::query_scalar(GROUP).bind(machine_group).bind(group).fetch_one(&mut *tx).await? {
        return Err(Error::NotFound("machine group"));
    }
    let members = sqlx::query_scalar(MEMBERS).bind(machine_group).bind(group);
    let members: Vec<i64> = members.fetch_all(&mut *tx).await?;
    let copied = copy(&mut tx, machine, &members, now).await?;
    tx.commit().await?;
    Ok(copied)
}

/// Makes the machines `to` sell what the machine `from` sells, which itself is left alone; returns
/// how many. A number that stays keeps its product's id, and what the machine itself asks for it.
pub async fn copy(db: &mut PgConnection, from: i64, to: &[i64], now: DateTime<Utc>) -> Result<usize> {
    const LOCK: &str = "SELECT id FROM machine WHERE id = $1 OR id = ANY($2) ORDER BY id FOR NO KEY UPDATE";
    const TABLES: [(&str, &[&str]); 3] = [
        ("product", &["name", "report_name", "price", "barcode", "type", "vatrate", "ledger", "subledger"]),
        (FLAVOURS, &["name", "report_name", "price"]),
        (EXTRAS, &["name", "report_name", "price"]),
    ];
    let mut to: Vec<i64> = sqlx::query_scalar(LOCK).bind(from).bind(to).fetch_all(&mut *db).await?;
    // Without a source, its copies would be empty.
    let place = to.binary_search(&from).map_err(|_| NO_MACHINE)?;
    to.remove(place);
    for (table, columns) in TABLES {
        let drop = format!(
            "DELETE FROM {table} old WHERE machine = ANY($2)
             AND NOT EXISTS (SELECT FROM {table} source WHERE source.machine = $1 AND source.plu = old.plu)"
        );
        sqlx::query(AssertSqlSafe(drop)).bind(from).bind(&to).execute(&mut *db).await?;
        let of =
            |row: &str| columns.iter().map(|name| format!("{row}.{name}")).collect::<Vec<_>>().join(", ");
        let (names, source, old, new) = (columns.join(", "), of("source"), of("old"), of("excluded"));
        let put = format!(
            "INSERT INTO {table} AS old (machine, plu, {names}, created_at, updated_at)
             SELECT target, plu, {source}, $3, $3 FROM {table} source CROSS JOIN unnest($2::bigint[]) target
             WHERE machine = $1 ORDER BY target, plu
             ON CONFLICT (machine, plu) DO UPDATE SET ({names}) = ({new}), updated_at = $3
             WHERE ({old}) IS DISTINCT FROM ({new})"
        );
        sqlx::query(AssertSqlSafe(put)).bind(from).bind(&to).bind(now).execute(&mut *db).await?;
    }
    Ok(to.len())
}
