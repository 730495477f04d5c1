-- What each customer is worth so far: first and last order, how many, how much, and a coarse segment.
WITH bought AS (
    SELECT
        orders.customer_id,
        MIN(orders.created_at) AS first_order_at,
        MAX(orders.created_at) AS last_order_at,
        COUNT(*) AS orders,
        SUM(COALESCE(orders.current_total, orders.total - COALESCE(orders.refunded, 0))) AS revenue
    FROM core.orders
    WHERE orders.customer_id IS NOT NULL
        AND orders.cancelled_at IS NULL
        AND NOT COALESCE(orders.is_test, FALSE)
    GROUP BY orders.customer_id
)
SELECT
    customers.id AS customer_id,
    customers.country_code,
    CAST(customers.created_at AS DATE) AS customer_since,
    bought.first_order_at,
    bought.last_order_at,
    COALESCE(bought.orders, 0) AS orders,
    COALESCE(bought.revenue, 0) AS revenue,
    CASE
        WHEN bought.orders IS NULL THEN 'never bought'
        WHEN bought.orders = 1 THEN 'bought once'
        WHEN bought.orders < 5 THEN 'returning'
        ELSE 'loyal'
    END AS segment
FROM core.customers
LEFT JOIN bought ON bought.customer_id = customers.id
