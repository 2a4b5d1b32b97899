-- Comments of the tables ($1: oid[]).
select c.oid, pg_catalog.obj_description(c.oid, 'pg_class')
from pg_catalog.pg_class c
where c.oid = any ($1::oid[])
