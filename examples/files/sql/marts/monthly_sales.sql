-- What the customers of each country bought each month. Refunded orders are no revenue.
SELECT
    CAST(DATE_TRUNC('month', orders.ordered_on) AS DATE) AS month,
    customers.country,
    COUNT(*) AS orders,
    COUNT(DISTINCT orders.customer_id) AS customers,
    SUM(orders.total) AS revenue
FROM core.orders
LEFT JOIN core.customers ON customers.id = orders.customer_id
WHERE orders.status <> 'refunded'
GROUP BY CAST(DATE_TRUNC('month', orders.ordered_on) AS DATE), customers.country
