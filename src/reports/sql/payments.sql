-- What came in by each type of payment.
SELECT type, sum(quantity)::bigint, sum(revenue)::bigint, NULLIF(report_group, ''), currency
FROM taking
GROUP BY type, report_group, currency
HAVING sum(quantity) <> 0 OR sum(revenue) <> 0
ORDER BY sum(revenue) DESC, sum(quantity) DESC, currency, type, report_group
LIMIT $16
