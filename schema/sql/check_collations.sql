-- Of the collations $1 (text[], quoted names) those that call different texts equal.
select pg_catalog.format('%I.%I', n.nspname, c.collname)
from pg_catalog.pg_collation c
join pg_catalog.pg_namespace n on n.oid = c.collnamespace
where not c.collisdeterministic and pg_catalog.format('%I.%I', n.nspname, c.collname) = any ($1::text[])
