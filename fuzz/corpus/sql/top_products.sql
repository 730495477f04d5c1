-- What sells best, by money taken, with what is left of it in stock.
SELECT
    products.id AS product_id,
    products.title,
    products.vendor,
    products.status,
    SUM(order_lines.quantity) AS sold,
    SUM(COALESCE(order_lines.total, order_lines.quantity * order_lines.unit_price)) AS revenue,
    MAX(products.total_inventory) AS in_stock,
    RANK() OVER (
        ORDER BY SUM(COALESCE(order_lines.total, order_lines.quantity * order_lines.unit_price)) DESC
    ) AS place
FROM core.order_lines
JOIN core.orders ON orders.id = order_lines.order_id
JOIN core.products ON products.id = order_lines.product_id
WHERE orders.cancelled_at IS NULL
    AND NOT COALESCE(orders.is_test, FALSE)
GROUP BY products.id, products.title, products.vendor, products.status
