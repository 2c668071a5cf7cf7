-- Lets :x vouchers share each code: the last is good everywhere, those before it are older, each of a
-- campaign of its own that is for a machine which nobody has.
INSERT INTO campaign (user_group, name, total_vouchers, type, voucher_value, redemption_limit, status, status_wanted, prefix)
SELECT user_group, 'Elsewhere', 0, type, voucher_value, redemption_limit, status, status_wanted, 'ELSE'
FROM campaign, generate_series((SELECT count(*) FROM campaign WHERE prefix = 'ELSE') + 1, :x - 1)
WHERE id = (SELECT min(id) FROM campaign WHERE prefix = 'LOAD');
INSERT INTO campaign_rule (campaign, field, value)
SELECT id, 'machine', '0' FROM campaign WHERE prefix = 'ELSE'
ON CONFLICT DO NOTHING;
INSERT INTO voucher (id, campaign, code, key, prefix, generated, inherits, created_at, updated_at)
SELECT gen_random_uuid(), c.id, v.code, v.key, v.prefix, v.generated, v.inherits, v.created_at - interval '1 day', v.updated_at
FROM voucher v, campaign c
WHERE v.campaign = (SELECT min(id) FROM campaign WHERE prefix = 'LOAD')
  AND c.prefix = 'ELSE' AND NOT EXISTS (SELECT FROM voucher WHERE campaign = c.id);
