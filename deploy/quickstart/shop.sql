-- The shop of the quickstart: keys, sequences, indexes, foreign keys, checks, generated columns,
-- large values.
create table customers (
    id bigint generated always as identity primary key,
    email text not null unique,
    full_name text not null,
    address jsonb,
    created_at timestamptz not null default now()
);
create table products (
    id serial primary key,
    name text not null,
    price numeric(10, 2) not null check (price > 0),
    stock integer not null,
    description text
);
create table orders (
    id bigserial primary key,
    customer_id bigint not null references customers,
    status text not null default 'new',
    total numeric(12, 2) not null default 0,
    placed_at timestamptz not null default now()
);
create table order_items (
    order_id bigint not null references orders on delete cascade,
    line integer not null,
    product_id integer not null references products,
    quantity integer not null check (quantity > 0),
    price numeric(10, 2) not null,
    amount numeric(12, 2) generated always as (price * quantity) stored,
    primary key (order_id, line)
);
create index orders_by_customer on orders (customer_id);
create index orders_open on orders (placed_at) where status = 'new';

insert into customers (email, full_name, address)
select 'user' || g || '@example.com', 'User ' || g, jsonb_build_object('street', 'Street ' || g, 'zip', g % 99999)
from generate_series(1, greatest(1000, :orders / 10)) g;
insert into products (name, price, stock, description)
select 'product ' || g, 1 + g % 90 + 0.99, 100000, repeat(md5(g::text), 100) from generate_series(1, 1000) g;
insert into orders (customer_id, status, total, placed_at)
select 1 + g % 1000, (array['new', 'paid', 'shipped'])[1 + g % 3], g % 500, now() - g * interval '1 minute'
from generate_series(1, :orders) g;
insert into order_items (order_id, line, product_id, quantity, price)
select 1 + g / 2, 1 + g % 2, 1 + g % 1000, 1 + g % 3, 9.99 from generate_series(0, :orders * 2 - 1) g;
analyze;
