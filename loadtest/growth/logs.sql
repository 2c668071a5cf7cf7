-- Fills this month up to :x entries of the voucher log and as many redemptions: each like the newest one
-- that the server wrote, of another voucher and order. Ids rise, so that filling takes minutes only.
CREATE TEMP TABLE dealt AS
SELECT id, campaign, left(first_redemption(key)::text, 8) AS start,
       row_number() OVER (ORDER BY first_redemption(key)) - 1 AS nth
FROM voucher WHERE prefix = 'LOAD';
CREATE UNIQUE INDEX ON dealt (nth);
ANALYZE dealt;
SELECT count(*) AS vouchers FROM dealt \gset
SELECT (SELECT count(*) FROM redemption) AS redemptions, (SELECT count(*) FROM voucher_log_entry) AS entries \gset
SELECT date_trunc('month', now()) AS month \gset

INSERT INTO redemption (id, fingerprint, voucher, campaign, machine, location, requester, order_id, order_amount,
                        amount_off, voucher_value, campaign_type, currency, period_start, request, occurred_at)
SELECT (start || substr(md5(:x || '-' || n), 9))::uuid,
       fingerprint, dealt.id, dealt.campaign, machine, location, requester, 'past-' || n, order_amount, amount_off,
       voucher_value, campaign_type, currency, period_start, request,
       :'month'::timestamptz + random() * (now() - :'month'::timestamptz)
FROM (SELECT * FROM redemption ORDER BY occurred_at DESC LIMIT 1) AS newest,
     generate_series(:redemptions + 1, :x) AS n JOIN dealt ON nth = n::bigint * :vouchers / (:x + 1);

INSERT INTO voucher_log (voucher, action, success, requester, location, request, response, currency, created_at)
SELECT dealt.id, action, success, requester, location, request, response, currency,
       :'month'::timestamptz + random() * (now() - :'month'::timestamptz)
FROM (SELECT * FROM voucher_log_entry ORDER BY created_at DESC LIMIT 1) AS newest,
     generate_series(:entries + 1, :x) AS n JOIN dealt ON nth = n::bigint * :vouchers / (:x + 1);
