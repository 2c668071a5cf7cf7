-- One commit of the journal: every redemption that arrived while the last commit was under way.
--
-- Arrays hold a value a campaign ($1–$2), a voucher ($3–$12, ordered by id, so that servers never
-- deadlock) or a redemption ($14–$27). A voucher takes all its redemptions of the batch or none.
-- $28 asks for a look at which orders are known; without it the primary key refuses them, and with
-- them the batch.
--
-- A redemption that comes alone is written by the same text with rows of values in place of arrays (see
-- batch.rs), so that each condition stands here only: `unnest` and `ANY` are of parameters.
--
-- A redemption that a lock carries past the end of its voucher's span comes alone too, and has the condition
-- behind `late`: nothing was redeemed since then ($29).
--
-- Tables are reached by `= ANY (array)`, which walks an index in its order; arrays are joined to them
-- by hash (the connection forbids nested loops, which would be quadratic here).
WITH intact AS MATERIALIZED (
    -- FOR SHARE: a campaign that is being switched off waits for us, or we see that it was.
    SELECT c.id
    FROM campaign c JOIN unnest($1::bigint[], $2::bigint[]) AS want(id, version) ON c.id = want.id
    WHERE c.id = ANY ($1) AND c.version = want.version AND c.status = 'active'
    ORDER BY c.id FOR SHARE OF c
),
known AS MATERIALIZED (
    SELECT asked.voucher
    FROM unnest($14::uuid[], $16::uuid[]) AS asked(key, voucher) JOIN redemption r ON r.id = asked.key
    WHERE $28::boolean AND r.id = ANY ($14)
),
spent AS (
    UPDATE voucher v SET
        redemption_count = CASE WHEN v.period_start < g.period THEN 0 ELSE v.redemption_count END + g.taken,
        amount_redeemed = CASE WHEN v.period_start < g.period THEN 0 ELSE v.amount_redeemed END + g.amount,
        total_redemption_count = v.total_redemption_count + g.taken,
        total_amount_redeemed = v.total_amount_redeemed + g.amount,
        balance = CASE WHEN v.period_start < g.period THEN g.initial ELSE v.balance END - drawn,
        last_reset_at = CASE WHEN v.period_start < g.period THEN g.period ELSE v.last_reset_at END,
        period_start = GREATEST(v.period_start, g.period),
        last_redemption_at = $13,
        last_redemption_location = g.location,
        lock_owner = NULL,
        locked_till = NULL,
        revision = v.revision + 1
    FROM unnest($3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
                $10::bigint[], $11::timestamptz[], $12::bigint[])
        AS g(voucher, campaign, version, machine, taken, amount, redemption_limit, initial, period, location),
        LATERAL (SELECT CASE WHEN g.initial IS NULL THEN 0 ELSE g.amount END AS drawn) AS of_balance
    WHERE v.id = ANY ($3) AND v.id = g.voucher AND v.version = g.version AND v.status = 'active'
      AND g.campaign = ANY (ARRAY(SELECT id FROM intact))
      AND (g.voucher IN (SELECT voucher FROM known)) IS NOT TRUE
      -- late: AND (v.last_redemption_at < $29) IS NOT FALSE
      AND (v.locked_till IS NULL OR v.locked_till <= $13 OR v.lock_owner = g.machine)
      AND (g.redemption_limit IS NULL
           OR CASE WHEN v.period_start < g.period THEN 0 ELSE v.redemption_count END + g.taken <= g.redemption_limit)
      AND (g.initial IS NULL
           OR CASE WHEN v.period_start < g.period THEN g.initial ELSE v.balance END >= g.amount)
    RETURNING v.id, v.balance, v.period_start, v.redemption_count
),
entered AS (
    INSERT INTO redemption (id, fingerprint, voucher, campaign, machine, location, requester, order_id, order_amount,
                            amount_off, voucher_value, campaign_type, currency, period_start, request, occurred_at)
    SELECT e.key, e.fingerprint, e.voucher, e.campaign, e.machine, e.location, e.requester, e.order_id, e.order_amount,
           -- A gift's balance after this one: what later ones of the batch took is added back.
           e.amount_off, COALESCE(spent.balance + e.rest, e.rest), e.campaign_type, e.currency, spent.period_start,
           e.request, $13
    FROM unnest($14::uuid[], $15::uuid[], $16::uuid[], $17::bigint[], $18::bigint[], $19::bigint[], $20::text[],
                $21::text[], $22::bigint[], $23::bigint[], $24::bigint[], $25::text[], $26::text[], $27::text[])
        AS e(key, fingerprint, voucher, campaign, machine, location, requester, order_id, order_amount, amount_off,
             rest, campaign_type, currency, request)
    JOIN spent ON spent.id = e.voucher
    RETURNING id, machine, location, amount_off, currency
),
paid AS (
    INSERT INTO voucher_payment (machine, location, price, currency, redemption, occurred_at)
    SELECT machine, location, amount_off, currency, id, $13 FROM entered
)
SELECT id, balance, period_start, redemption_count FROM spent
