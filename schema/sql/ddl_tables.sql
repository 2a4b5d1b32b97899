-- Storage parameters of the tables ($1: oid[]), and what is set on their columns apart from types.
select c.oid,
       c.relreplident = 'f' as replica_full,
       (select pg_catalog.string_agg(
                   o.prefix || pg_catalog.split_part(o.option, '=', 1) || ' = '
                   || pg_catalog.quote_literal(pg_catalog.substr(o.option, pg_catalog.strpos(o.option, '=') + 1)),
                   ', ' order by o.prefix, o.place)
        from (select '' as prefix, x.option, x.place
              from pg_catalog.unnest(c.reloptions) with ordinality as x (option, place)
              union all
              select 'toast.', x.option, x.place
              from pg_catalog.unnest(t.reloptions) with ordinality as x (option, place)) o) as options,
       (select pg_catalog.string_agg(x.action, ', ' order by x.attnum, x.action)
        from (select a.attnum,
                     pg_catalog.format('alter column %I set storage %s', a.attname,
                                       case a.attstorage when 'p' then 'plain' when 'e' then 'external'
                                                         when 'm' then 'main' else 'extended' end) as action
              from pg_catalog.pg_attribute a
              join pg_catalog.pg_type y on y.oid = a.atttypid
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                and a.attstorage <> y.typstorage
              union all
              select a.attnum,
                     pg_catalog.format('alter column %I set compression %s', a.attname,
                                       case a.attcompression when 'p' then 'pglz' else 'lz4' end)
              from pg_catalog.pg_attribute a
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                and a.attcompression in ('p', 'l')
              union all
              select a.attnum,
                     pg_catalog.format('alter column %I set statistics %s', a.attname, a.attstattarget)
              from pg_catalog.pg_attribute a
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                and a.attstattarget >= 0
              union all
              -- The two options that a column can have; whatever else a server keeps there is its own.
              select a.attnum,
                     pg_catalog.format('alter column %I set (%s)', a.attname, o.option)
              from pg_catalog.pg_attribute a
              cross join pg_catalog.unnest(a.attoptions) as o (option)
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                and o.option ~ '^n_distinct(_inherited)?=') x) as column_actions
from pg_catalog.pg_class c
left join pg_catalog.pg_class t on t.oid = c.reltoastrelid
where c.oid = any ($1::oid[])
