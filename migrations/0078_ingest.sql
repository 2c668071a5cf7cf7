-- What machines send, as it comes in: the marks that tell new from known, payments that are ahead of
-- their sales, and what the sums are held against.

ALTER TABLE machine_presence
    -- The machine's own number of the latest payment that has arrived.
    ADD paymenttransaction_synced bigint,
    -- When the latest sale and the latest event happened.
    ADD sold_at         timestamptz,
    ADD logged_at       timestamptz,
    -- What its gateway said of itself when it last did; seconds since that was started.
    ADD gateway_version text,
    ADD gateway_uptime  bigint;

-- Payments that came before what was paid for: under the machine's own number of that sale.
CREATE TABLE awaited_sale (
    machine     bigint NOT NULL,
    sale        bigint NOT NULL,
    payment     bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (machine, sale, payment)
);

-- Redemptions take numbers a hundred at a time, which is cheap; of one machine's payments, which are
-- committed one batch after the other, a later one is to have a higher number.
ALTER SEQUENCE payment_transaction_id RENAME TO voucher_payment_id;
CREATE SEQUENCE payment_transaction_id;
ALTER TABLE payment_transaction ALTER id SET DEFAULT nextval('payment_transaction_id');
ALTER TABLE payment_transaction_archive ALTER id SET DEFAULT nextval('payment_transaction_id');

-- Rows pass through: what they leave behind is cleared away before there is much of it to read over.
ALTER TABLE voucher_payment SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- The sums as the rows come to: what is kept must be the same.
CREATE VIEW sales_recount AS
SELECT t.machine, s.grain, s.starts, t.location, t.user_group,
       CASE s.grain WHEN 'day' THEN COALESCE(t.shift, 0) ELSE 0 END AS shift,
       CASE s.grain WHEN 'hour' THEN 0 ELSE COALESCE(t.product, 0) END AS product,
       CASE s.grain WHEN 'hour' THEN '' ELSE t.name END AS name,
       t.currency, count(*) AS quantity, sum(t.price)::bigint AS revenue
FROM revenue_transaction_ever t,
     LATERAL (VALUES ('hour', date_trunc('hour', t.occurred_local)),
                     ('day', date_trunc('day', t.occurred_local)),
                     ('month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;

CREATE VIEW payments_recount AS
SELECT t.machine, s.grain, s.starts, t.location, t.user_group,
       CASE s.grain WHEN 'day' THEN COALESCE(t.shift, 0) ELSE 0 END AS shift,
       t.method, t.type, COALESCE(t.report_group, '') AS report_group, t.currency,
       count(*) AS quantity, sum(t.price)::bigint AS revenue
FROM payment_transaction_ever t,
     LATERAL (VALUES ('day', date_trunc('day', t.occurred_local)),
                     ('month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
WHERE NOT t.exclude
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10;

CREATE VIEW events_recount AS
SELECT t.machine, s.grain, s.starts, t.location, t.user_group, t.code,
       COALESCE(t.error_identity, 0) AS error_identity, t.type,
       count(*) AS quantity, sum(COALESCE(t.duration, 0))::bigint AS duration
FROM machine_log_ever t,
     LATERAL (VALUES ('day', date_trunc('day', t.occurred_local)),
                     ('month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
