//! Which voucher a code means: from memory, from Redis, or from Postgres, in that order.

use super::{
    code::Code,
    facts::Mark,
    hot::{Away, Claim, Copy, Found, Loaded},
    journal::truth::{self, Row},
    rules::Device,
    voucher::{Ask, Facts, State, Voucher, choose, first},
};
use crate::{app::App, error::Result, time::from_millis};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Attempts to load a code that is evicted meanwhile; after that Postgres alone is gone by.
const LOADS_MAX: usize = 3;

/// The voucher that a code means for a device, and where that is known from.
#[derive(Clone, Debug)]
pub(super) struct Meant {
    pub(super) voucher: Voucher,
    /// Whether Redis holds it, so that it can be claimed there.
    pub(super) in_redis: bool,
    /// Whether another voucher of this code would come first, were it usable. What makes it unusable
    /// may be old news here, so that only Postgres can say.
    pub(super) passed_over: bool,
}

impl Meant {
    fn among(vouchers: &[Voucher], device: &Device, ask: Ask<'_>, now: DateTime<Utc>) -> Option<Self> {
        let voucher = choose(vouchers, device, ask, now)?;
        let passed_over = first(vouchers, device).is_some_and(|first| first.facts.id != voucher.facts.id);
        Some(Self { voucher: voucher.clone(), in_redis: false, passed_over })
    }

    fn in_redis(self, in_redis: bool) -> Self {
        Self { in_redis, ..self }
    }
}

/// The voucher that a code means for a device, by its facts alone, if they are at hand and leave no
/// choice. Its state is not known then: `state` is blank.
pub(super) fn at_hand(app: &App, device: &Device, code: &Code) -> Option<Voucher> {
    let facts = app.near.vouchers(code.key())?;
    let mut meant = None;
    for facts in facts.iter().filter(|facts| code.names(&facts.code, facts.generated)) {
        let campaign = app.near.campaign_at_hand(facts.campaign)?;
        if device.belongs_below(campaign.group) {
            let state = State { period: from_millis(0), count: 0, balance: 0, lock: None };
            let voucher = Voucher::new(campaign, Arc::clone(facts), state);
            if meant.replace(voucher).is_some() {
                return None;
            }
        }
    }
    meant
}

/// The voucher that a code means for a device, as Redis knows it; or as Postgres does, with Redis away.
pub(super) async fn meant(
    app: &App,
    device: &Device,
    code: &Code,
    ask: Ask<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Meant>> {
    let mark = app.near.mark();
    let known = app.hot.read(code.key()).await;
    let outdated = |copies: &[Copy]| stale(app, copies, now) || !copies.iter().all(Copy::is_readable);
    if let Ok(Found { copies, .. }) = &known
        && !outdated(copies)
        && let Some(meant) = in_copies(app, device, code, ask, now, copies, mark)
    {
        return Ok(Some(meant));
    }
    // From here on, a code of others takes the same steps as one of nobody: Postgres is asked once.
    let is_ours = |row: &Row| is_for(device, code, row);
    let (mut rows, copies) = match known {
        Ok(Found { copies, evictions }) if copies.is_empty() || outdated(&copies) => {
            // Reservations that nobody confirms: Postgres knows. With Postgres away, they count.
            match load_key(app, code.key(), !copies.is_empty(), Some(evictions), is_ours).await {
                Ok(loaded) => loaded,
                Err(error) => {
                    let meant = in_copies(app, device, code, ask, now, &copies, mark);
                    return meant.map_or(Err(error), |meant| Ok(Some(meant)));
                }
            }
        }
        known => {
            let rows = truth::vouchers(&app.vends, code.key()).await?;
            if rows.iter().any(is_ours) {
                keep(app, code.key(), &rows, mark);
            }
            (rows, known.unwrap_or_default().copies)
        }
    };
    rows.retain(is_ours);
    let vouchers: Vec<Voucher> = rows.into_iter().map(|row| with_state(row, &copies)).collect();
    Ok(Meant::among(&vouchers, device, ask, now).map(|meant| {
        let in_redis = copies.iter().any(|copy| copy.id == meant.voucher.facts.id);
        meant.in_redis(in_redis)
    }))
}

/// The voucher that a code means for a device, of what Redis holds of it. `None` if none is the device's, or if
/// Postgres has to be asked.
fn in_copies(
    app: &App,
    device: &Device,
    code: &Code,
    ask: Ask<'_>,
    now: DateTime<Utc>,
    copies: &[Copy],
    mark: Mark,
) -> Option<Meant> {
    if copies.is_empty() {
        return None;
    }
    let vouchers = assemble(app, code, copies, mark)?;
    Some(Meant::among(&vouchers, device, ask, now)?.in_redis(true))
}

/// Returns `true` for a row that the code names and that is for this device.
pub(super) fn is_for(device: &Device, code: &Code, row: &Row) -> bool {
    let voucher = &row.voucher;
    code.names(&voucher.facts.code, voucher.facts.generated) && device.belongs_below(voucher.campaign.group)
}

/// Rows whose code it really is, not only one that looks alike.
pub(super) fn named(rows: Vec<Row>, code: &Code) -> Vec<Row> {
    let names = |row: &Row| code.names(&row.voucher.facts.code, row.voucher.facts.generated);
    rows.into_iter().filter(names).collect()
}

/// Whether a copy has reservations that should have been settled long ago.
pub(super) fn stale(app: &App, copies: &[Copy], now: DateTime<Utc>) -> bool {
    let patience_ms = app.config.reservation_stale_ms as i64;
    copies.iter().any(|copy| copy.pending > 0 && now.timestamp_millis() - copy.since_ms > patience_ms)
}

/// Reads a code's vouchers from Postgres and puts them into Redis; what Redis then holds is empty if
/// it is away, or if the code is unknown.
pub(super) async fn load(app: &App, code: &Code, force: bool) -> Result<(Vec<Row>, Vec<Copy>)> {
    load_key(app, code.key(), force, None, |_| true).await
}

/// Puts into Redis what has just become true in Postgres: at once, or as soon as it can be.
pub(super) async fn reload(app: &App, code: &Code) {
    let watch = app.reconcile.watch(code.key());
    if app.hot.is_up() && matches!(load(app, code, true).await, Ok((_, copies)) if !copies.is_empty()) {
        watch.settled();
    }
}

/// Loads a code by its key, unless no row is wanted: nothing is given then, and Redis is not told of it.
/// `evictions` as Redis has said just now, if it was asked.
pub(super) async fn load_key(
    app: &App,
    key: &str,
    mut force: bool,
    mut evictions: Option<i64>,
    is_wanted: impl Fn(&Row) -> bool,
) -> Result<(Vec<Row>, Vec<Copy>)> {
    let mut loads = 0;
    loop {
        loads += 1;
        let evictions = match evictions.take() {
            Some(evictions) => Ok(evictions),
            None => app.hot.evictions(key).await,
        };
        let mark = app.near.mark();
        let rows = truth::vouchers(&app.vends, key).await?;
        if !rows.iter().any(&is_wanted) {
            return Ok((Vec::new(), Vec::new()));
        }
        let loaded = match evictions {
            Ok(evictions) => put(app, key, &rows, force, evictions).await,
            Err(Away) => Loaded::default(),
        };
        if (loaded.outdated || loaded.replaced) && loads < LOADS_MAX {
            // It was changed after it was read here; or Postgres went back, and says the same again.
            force &= !loaded.replaced;
            continue;
        }
        keep(app, key, &rows, mark);
        return Ok((rows, loaded.copies));
    }
}

/// Keeps in memory what was read of a code after `mark`.
fn keep(app: &App, key: &str, rows: &[Row], mark: Mark) {
    for row in rows {
        app.near.keep_campaign(&row.voucher.campaign, mark);
    }
    let facts = rows.iter().map(|row| Arc::clone(&row.voucher.facts)).collect();
    app.near.keep_vouchers(key, facts, mark);
}

/// Puts what was read of a code into Redis; nothing is known to be there then if it is away.
async fn put(app: &App, key: &str, rows: &[Row], force: bool, evictions: i64) -> Loaded {
    let vouchers: Vec<(&Facts, State, i64)> =
        rows.iter().map(|row| (&*row.voucher.facts, row.voucher.state, row.revision)).collect();
    app.hot.load(key, &vouchers, force, evictions, app.clock.now()).await.unwrap_or_default()
}

/// A row with the state that Redis has of it, which knows of locks and reservations.
fn with_state(row: Row, copies: &[Copy]) -> Voucher {
    let copy = copies.iter().find(|copy| copy.id == row.voucher.facts.id);
    match copy {
        Some(copy) if copy.version >= row.voucher.facts.version => row.voucher.with_state(copy.state),
        _ => row.voucher,
    }
}

/// Vouchers from what Redis holds of a code. `None` if it takes Postgres to put them together.
fn assemble(app: &App, code: &Code, copies: &[Copy], mark: Mark) -> Option<Vec<Voucher>> {
    let at_hand = app.near.vouchers(code.key());
    let mut all_at_hand = at_hand.is_some();
    let mut facts_of_code = Vec::with_capacity(copies.len());
    let mut vouchers = Vec::with_capacity(copies.len());
    for copy in copies {
        let known = at_hand.iter().flat_map(|facts| facts.iter());
        let known = known.into_iter().find(|facts| facts.id == copy.id && facts.version == copy.version);
        let facts = if let Some(facts) = known {
            Arc::clone(facts)
        } else {
            all_at_hand = false;
            // Packed by another version of this server: Postgres knows.
            let Some(facts) = copy.facts() else {
                drop(app.reconcile.watch(code.key()));
                return None;
            };
            facts
        };
        facts_of_code.push(Arc::clone(&facts));
        if code.names(&facts.code, facts.generated) {
            vouchers.push(Voucher::new(app.near.campaign_at_hand(facts.campaign)?, facts, copy.state));
        }
    }
    if !all_at_hand {
        app.near.keep_vouchers(code.key(), facts_of_code.into(), mark);
    }
    Some(vouchers)
}

/// What a voucher is claimed with in Redis; `need` is the balance that there must be.
pub(super) fn claim<'a>(voucher: &'a Voucher, device: &Device, need: i64, now: DateTime<Utc>) -> Claim<'a> {
    let terms = voucher.terms();
    Claim {
        facts: &voucher.facts,
        now,
        period: voucher.last_reset(now),
        initial: terms.initial_balance().unwrap_or(0),
        limit: terms.limit,
        need: if terms.initial_balance().is_some() { need } else { 0 },
        machine: device.machine,
    }
}
