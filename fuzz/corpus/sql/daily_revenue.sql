-- What the shop took each day: orders, money, refunds and the average basket.
-- `net_revenue` is what is left after edits, returns and refunds; an item that was taken out before payment is no refund.
-- Test orders and cancelled orders are no revenue. Days are UTC, as all timestamps in `core` are.
SELECT
    CAST(orders.created_at AS DATE) AS day,
    orders.currency,
    COUNT(*) AS orders,
    COUNT(DISTINCT orders.customer_id) AS customers,
    SUM(orders.total) AS revenue,
    SUM(COALESCE(orders.refunded, 0)) AS refunded,
    SUM(COALESCE(orders.current_total, orders.total - COALESCE(orders.refunded, 0))) AS net_revenue,
    CAST(AVG(orders.total) AS DECIMAL(14, 2)) AS average_order
FROM core.orders
WHERE orders.cancelled_at IS NULL
    AND NOT COALESCE(orders.is_test, FALSE)
GROUP BY CAST(orders.created_at AS DATE), orders.currency
