select 'customers', id, email, full_name, json_unquote(json_extract(address, '$.street')), json_extract(address, '$.zip'), created_at from customers;
select 'products', id, name, price, stock, description from products;
select 'orders', id, customer_id, status, total, placed_at from orders;
select 'order_items', order_id, line, product_id, quantity, price from order_items;
