-- Constraints of the tables ($1: oid[]): p and u (with their index's parameters), c, x and f. tail of
-- a foreign key: its definition behind the referenced table's name, null where it does not begin as
-- expected.
select x.conrelid, x.conname, x.contype, x.convalidated,
       case when x.contype = 'f' then null
            when x.contype in ('p', 'u') and not x.condeferrable and x.reloptions is not null
            then x.definition || ' with (' || pg_catalog.array_to_string(x.reloptions, ', ') || ')'
            else x.definition end as definition,
       x.confrelid, x.referenced, x.columns,
       case when pg_catalog.starts_with(x.definition, x.head)
            then pg_catalog.substr(x.definition, pg_catalog.length(x.head) + 1) end as tail
from (
    select k.conrelid, k.conname, k.contype, k.convalidated, k.condeferrable, k.confrelid,
           pg_catalog.format('%s.%s', rn.nspname, r.relname) as referenced,
           ic.reloptions, f.columns,
           pg_catalog.pg_get_constraintdef(k.oid) as definition,
           case when k.contype = 'f' then pg_catalog.format('FOREIGN KEY (%s) REFERENCES %I.%I', f.columns,
                                                            rn.nspname, r.relname) end as head
    from pg_catalog.pg_constraint k
    left join pg_catalog.pg_class ic on ic.oid = k.conindid and k.contype in ('p', 'u')
    left join pg_catalog.pg_class r on r.oid = k.confrelid
    left join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
    cross join lateral (
        select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by u.place) as columns
        from pg_catalog.unnest(k.conkey) with ordinality as u (number, place)
        join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.number) f
    where k.conrelid = any ($1::oid[])
      and k.contype in ('p', 'u', 'c', 'x', 'f')
      and k.conparentid = 0) x
order by x.conrelid, pg_catalog.strpos('pucxf', x.contype::text), x.conname collate "C"
