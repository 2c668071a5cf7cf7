-- Vouchers whose counters or balance are not what the journal adds up to.
WITH journal AS (
    SELECT r.voucher,
           count(*) AS total_count,
           sum(r.amount_off) AS total_amount,
           count(*) FILTER (WHERE r.period_start = v.period_start) AS period_count,
           COALESCE(sum(r.amount_off) FILTER (WHERE r.period_start = v.period_start), 0) AS period_amount
    FROM redemption r
    LEFT JOIN redemption_rollback b ON b.redemption = r.id
    JOIN voucher v ON v.id = r.voucher
    WHERE b.redemption IS NULL
    GROUP BY r.voucher
),
expected AS (
    SELECT v.*,
           COALESCE(j.total_count, 0) AS total_count,
           COALESCE(j.total_amount, 0)::bigint AS total_amount,
           COALESCE(j.period_count, 0) AS period_count,
           COALESCE(j.period_amount, 0)::bigint AS period_amount,
           COALESCE(v.value, c.voucher_value) AS worth
    FROM voucher v
    JOIN campaign c ON c.id = v.campaign
    LEFT JOIN journal j ON j.voucher = v.id
)
SELECT e.id AS voucher, diff.what, diff.expected, diff.found
FROM expected e,
     LATERAL (VALUES
        ('redemption count', e.period_count, e.redemption_count),
        ('amount redeemed', e.period_amount, e.amount_redeemed),
        ('total redemption count', e.total_count, e.total_redemption_count),
        ('total amount redeemed', e.total_amount, e.total_amount_redeemed),
        ('balance', CASE WHEN e.balance IS NULL THEN NULL ELSE e.worth - e.period_amount END, e.balance)
     ) AS diff(what, expected, found)
WHERE diff.expected IS DISTINCT FROM diff.found
UNION ALL
SELECT r.voucher, 'redemptions of a voucher that is gone', 0, count(*)
FROM redemption r WHERE NOT EXISTS (SELECT FROM voucher v WHERE v.id = r.voucher)
GROUP BY r.voucher
UNION ALL
SELECT r.voucher, 'redemptions under the id of another code', 0, count(*)
FROM redemption r JOIN voucher v ON v.id = r.voucher
WHERE r.id NOT BETWEEN first_redemption(v.key) AND last_redemption(v.key)
GROUP BY r.voucher
