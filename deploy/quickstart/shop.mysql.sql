-- The shop of the quickstart for MySQL and MariaDB: keys, auto-increment, indexes, foreign keys that delete,
-- unsigned numbers, enum, json, large values. @orders says how many orders there are.
/*!80014 set cte_max_recursion_depth = 100000000 */;
/*M! set max_recursive_iterations = 100000000 */;
create table customers (
    id bigint unsigned auto_increment primary key,
    email varchar(100) not null unique,
    full_name varchar(200) not null,
    address json,
    created_at timestamp not null default current_timestamp
);
create table products (
    id int auto_increment primary key,
    name varchar(100) not null,
    price decimal(10, 2) not null,
    stock int not null,
    description text
);
create table orders (
    id bigint auto_increment primary key,
    customer_id bigint unsigned not null,
    status enum('new', 'paid', 'shipped') not null default 'new',
    total decimal(12, 2) not null default 0,
    placed_at datetime not null default current_timestamp,
    key orders_by_customer (customer_id),
    foreign key (customer_id) references customers (id)
);
create table order_items (
    order_id bigint not null,
    line int not null,
    product_id int not null,
    quantity int unsigned not null,
    price decimal(10, 2) not null,
    primary key (order_id, line),
    foreign key (order_id) references orders (id) on delete cascade,
    foreign key (product_id) references products (id)
);

insert into customers (email, full_name, address)
with recursive g (n) as (select 1 union all select n + 1 from g where n < greatest(1000, @orders div 10))
select concat('user', n, '@example.com'), concat('User ', n), json_object('street', concat('Street ', n), 'zip', n % 99999) from g;
insert into products (name, price, stock, description)
with recursive g (n) as (select 1 union all select n + 1 from g where n < 1000)
select concat('product ', n), 1 + n % 90 + 0.99, 100000, repeat(sha2(n, 256), 50) from g;
insert into orders (customer_id, status, total, placed_at)
with recursive g (n) as (select 1 union all select n + 1 from g where n < @orders)
select 1 + n % 1000, 1 + n % 3, n % 500, now() - interval n minute from g;
insert into order_items (order_id, line, product_id, quantity, price)
with recursive g (n) as (select 0 union all select n + 1 from g where n < @orders * 2 - 1)
select 1 + n div 2, 1 + n % 2, 1 + n % 1000, 1 + n % 3, 9.99 from g;
