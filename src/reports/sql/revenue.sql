-- What each product brought in. It may have had several names: by the name first, which keeps what is sorted
-- small. Months tell no shifts apart, so days must not either where they are taken away from them.
SELECT s.product, COALESCE(p.name, s.name), p.report_name, s.revenue, s.quantity, s.currency
FROM (SELECT NULLIF(product, 0) AS product, (array_agg(name ORDER BY at DESC, name))[1] AS name, currency,
             sum(quantity)::bigint AS quantity, sum(revenue)::bigint AS revenue
      FROM (SELECT product, name, currency, sum(quantity) AS quantity, sum(revenue) AS revenue, max(at) AS at
            FROM sale GROUP BY product, name, currency HAVING sum(quantity) > 0) named
      GROUP BY product, CASE product WHEN 0 THEN name END, currency) s
LEFT JOIN product p ON p.id = s.product
ORDER BY s.revenue DESC, s.quantity DESC, s.currency, s.product, s.name
LIMIT $16
