-- Tables that could be moved, with what decides whether they can.
select c.oid,
       n.nspname,
       c.relname,
       c.relkind,
       c.relpersistence,
       c.relispartition,
       c.relreplident,
       exists (select from pg_catalog.pg_inherits i
               where i.inhrelid = c.oid or i.inhparent = c.oid) as inherits,
       c.reloftype <> 0 as typed,
       pg_catalog.row_security_active(c.oid) as row_security,
       coalesce(pg_catalog.pg_relation_filenode(c.oid), 0) as storage,
       case when c.reltuples > 0 and c.relpages > 0
            then (c.reltuples / c.relpages
                  * (pg_catalog.pg_relation_size(c.oid)
                     / pg_catalog.current_setting('block_size')::bigint))::bigint
            else pg_catalog.pg_relation_size(c.oid) / 100
       end as estimated_rows,
       pg_catalog.pg_table_size(c.oid) as bytes,
       k.indexrelid as key_index,
       ki.relname as key_name,
       coalesce(k.indisprimary, false) as key_is_primary,
       exists (select from pg_catalog.pg_index i
               where i.indrelid = c.oid and i.indexrelid is distinct from k.indexrelid
                 and (i.indisunique or i.indisexclusion)) as other_unique,
       p.indexrelid is not null as has_primary,
       coalesce(not p.indimmediate, false) as primary_deferrable,
       (select con.conname from pg_catalog.pg_constraint con
        where con.conindid = p.indexrelid and con.contype = 'p') as primary_name,
       (select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by u.place)
        from pg_catalog.unnest(p.indkey::int2[]) with ordinality as u (number, place)
        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = u.number
        where u.place <= p.indnkeyatts) as primary_columns,
       usable.relname as usable_index,
       current_user as role
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_index p on p.indrelid = c.oid and p.indisprimary
-- What identifies a row in the log. PostgreSQL takes neither an invalid nor a deferrable index.
left join pg_catalog.pg_index k
       on k.indrelid = c.oid and k.indisvalid and k.indimmediate
      and case c.relreplident when 'i' then k.indisreplident
                              when 'n' then false
                              else k.indisprimary end
left join pg_catalog.pg_class ki on ki.oid = k.indexrelid
left join lateral (
    select ic.relname
    from pg_catalog.pg_index i
    join pg_catalog.pg_class ic on ic.oid = i.indexrelid
    where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate
      and i.indpred is null and i.indexprs is null
      and not exists (select from pg_catalog.pg_attribute a
                      where a.attrelid = c.oid and not a.attnotnull
                        and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
    order by i.indisprimary desc, i.indnkeyatts, ic.relname
    limit 1) usable on true
where c.relkind in ('r', 'p')
  and c.relpersistence <> 't'
  and n.nspname <> 'information_schema'
  and n.nspname <> 'drover'
  and n.nspname not like 'pg\_%'
  and not exists (select from pg_catalog.pg_depend d
                  where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    and d.objid = c.oid and d.deptype = 'e')
order by n.nspname collate "C", c.relname collate "C"
