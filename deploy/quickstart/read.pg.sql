select 'customers', id, email, full_name, address->>'street', address->>'zip', created_at at time zone 'UTC' from customers;
select 'products', id, name, price, stock, description from products;
select 'orders', id, customer_id, status, total, placed_at from orders;
select 'order_items', order_id, line, product_id, quantity, price from order_items;
