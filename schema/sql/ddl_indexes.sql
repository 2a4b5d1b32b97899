-- Indexes of the tables ($1: oid[]) that belong to no constraint. tail: the definition behind
-- "create index name on table", null where it does not begin as expected.
select x.indrelid, x.relname, x.indisunique, x.indisvalid,
       case when pg_catalog.starts_with(x.definition, x.head)
            then pg_catalog.substr(x.definition, pg_catalog.length(x.head) + 1) end as tail
from (
    select i.indrelid, ic.relname, i.indisunique, i.indisvalid,
           pg_catalog.pg_get_indexdef(i.indexrelid) as definition,
           pg_catalog.format('CREATE %sINDEX %I ON %I.%I ',
                             case when i.indisunique then 'UNIQUE ' else '' end,
                             ic.relname, n.nspname, c.relname) as head
    from pg_catalog.pg_index i
    join pg_catalog.pg_class ic on ic.oid = i.indexrelid
    join pg_catalog.pg_class c on c.oid = i.indrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where i.indrelid = any ($1::oid[])
      and not exists (select from pg_catalog.pg_constraint k
                      where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))) x
order by x.indrelid, x.relname collate "C"
