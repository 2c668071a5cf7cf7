-- A line for each part of what is stored: bytes a voucher. `loaded` are in Redis, in `redis_bytes`.
WITH sizes AS (SELECT count(*)::numeric AS vouchers FROM voucher),
part AS (
    SELECT 'postgres_table' AS metric, pg_table_size('voucher') / vouchers AS value FROM sizes
    UNION ALL SELECT 'postgres_indexes', pg_indexes_size('voucher') / vouchers FROM sizes
    UNION ALL SELECT 'postgres_all', pg_total_relation_size('voucher') / vouchers FROM sizes
    UNION ALL SELECT 'redis', :redis_bytes::numeric / :loaded
)
SELECT format('memory,%1$s,stored,%2$s,%3$s,%3$s,%3$s,1,0', :x, metric, round(value, 1))
FROM part ORDER BY metric;
