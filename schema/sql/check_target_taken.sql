-- Relations of the target whose names are needed. $1: the names (text[]), both
-- parts quoted.
select pg_catalog.format('%I.%I', n.nspname, c.relname),
       pg_catalog.format('drop %s %I.%I;',
                         case c.relkind when 'S' then 'sequence' when 'v' then 'view'
                                        when 'm' then 'materialized view' when 'f' then 'foreign table'
                                        when 'i' then 'index' when 'I' then 'index'
                                        when 'c' then 'type' else 'table' end,
                         n.nspname, c.relname)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where '"' || pg_catalog.replace(n.nspname, '"', '""') || '"."'
      || pg_catalog.replace(c.relname, '"', '""') || '"' = any ($1::text[])
order by n.nspname collate "C", c.relname collate "C"
