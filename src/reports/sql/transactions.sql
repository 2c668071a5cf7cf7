-- Sale by sale, with how each was paid: groups ($1), machines ($2) and locations ($3) as for sales, from when
-- ($4) until before when ($5).
SELECT t.id, t.occurred_at, t.machine, m.name, t.location, l.name, t.shift, t.product, t.name, t.internal_ref,
       t.barcode, t.price, t.original_price, t.currency,
       -- A sale is paid when it is made, so the payments of other months are not looked at.
       (SELECT string_agg(DISTINCT p.method, '+' ORDER BY p.method) FROM payment_transaction_ever p
        WHERE p.revenuetransaction = t.id AND p.occurred_at >= t.occurred_at - interval '1 day'
          AND p.occurred_at < t.occurred_at + interval '1 day')
FROM revenue_transaction_ever t
LEFT JOIN machine m ON m.id = t.machine
LEFT JOIN location l ON l.id = t.location
WHERE t.user_group = ANY($1) AND ($2::bigint[] IS NULL OR t.machine = ANY($2))
  AND ($3::bigint[] IS NULL OR t.location = ANY($3))
  AND t.occurred_local >= $4 AND t.occurred_local < $5
  AND t.occurred_at >= ($4 - interval '1 day') AT TIME ZONE 'UTC'
  AND t.occurred_at < ($5 + interval '1 day') AT TIME ZONE 'UTC'
ORDER BY t.occurred_at, t.id
