-- What came in by each method and type of payment, shift by shift.
SELECT l.name, t.method, t.quantity, NULLIF(t.report_group, ''), t.revenue, NULLIF(t.shift, 0), t.type, t.currency
FROM (SELECT location, shift, method, type, report_group, currency,
             sum(quantity)::bigint AS quantity, sum(revenue)::bigint AS revenue
      FROM taking
      GROUP BY location, shift, method, type, report_group, currency
      HAVING sum(quantity) <> 0 OR sum(revenue) <> 0) t
LEFT JOIN location l ON l.id = t.location
ORDER BY NULLIF(t.shift, 0) DESC NULLS LAST, t.revenue DESC, t.quantity DESC, t.currency, t.location, t.method,
         t.type, t.report_group
LIMIT $16
