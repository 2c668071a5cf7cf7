-- What each product brought in, shift by shift: by the name first, as in all.
SELECT s.shift, s.product, COALESCE(p.name, s.name), p.barcode, p.report_name, s.quantity, s.revenue, s.revenue,
       s.currency
FROM (SELECT NULLIF(shift, 0) AS shift, NULLIF(product, 0) AS product,
             (array_agg(name ORDER BY at DESC, name))[1] AS name, currency,
             sum(quantity)::bigint AS quantity, sum(revenue)::bigint AS revenue
      FROM (SELECT shift, product, name, currency, sum(quantity) AS quantity, sum(revenue) AS revenue, max(at) AS at
            FROM sale GROUP BY shift, product, name, currency HAVING sum(quantity) > 0) named
      GROUP BY shift, product, CASE product WHEN 0 THEN name END, currency) s
LEFT JOIN product p ON p.id = s.product
ORDER BY s.shift DESC NULLS LAST, s.revenue DESC, s.quantity DESC, s.currency, s.product, s.name
LIMIT $16
