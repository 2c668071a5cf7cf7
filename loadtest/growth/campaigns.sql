-- Makes as many campaigns as are missing to :x, each like the one that was generated, and deals the
-- vouchers out to them. Nobody has asked for these vouchers yet, so that nobody needs to hear of it.
SET session_replication_role = replica;
INSERT INTO campaign (user_group, name, total_vouchers, type, voucher_value, redemption_limit, status, status_wanted, prefix)
SELECT user_group, name || ' ' || n, total_vouchers, type, voucher_value, redemption_limit, status, status_wanted, prefix
FROM campaign, generate_series((SELECT count(*) FROM campaign WHERE prefix = 'LOAD') + 1, :x) AS n
WHERE id = (SELECT min(id) FROM campaign WHERE prefix = 'LOAD');
WITH dealt AS (
    SELECT id, (row_number() OVER (ORDER BY id) - 1) % :x AS hand FROM voucher WHERE prefix = 'LOAD'
), hand AS (
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS hand FROM campaign WHERE prefix = 'LOAD'
)
UPDATE voucher SET campaign = hand.id FROM dealt JOIN hand USING (hand) WHERE voucher.id = dealt.id;
VACUUM FULL voucher;
