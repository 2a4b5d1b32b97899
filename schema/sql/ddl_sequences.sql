-- Sequences that belong to columns of the tables ($1: oid[]) or are used in their defaults; those of
-- identity columns come with the column.
select s.oid,
       s.relname,
       pg_catalog.quote_literal(pg_catalog.format('%I.%I', n.nspname, s.relname))
           || '::regclass' as literal,
       u.table_oid,
       o.refobjid as owner_table,
       a.attname as owner_column,
       pg_catalog.format('as %s increment by %s minvalue %s maxvalue %s start with %s cache %s %s',
                         pg_catalog.format_type(q.seqtypid, null), q.seqincrement, q.seqmin,
                         q.seqmax, q.seqstart, q.seqcache,
                         case when q.seqcycle then 'cycle' else 'no cycle' end) as options
from (
    select uses.sequence, min(uses.table_oid) as table_oid
    from (
        select d.objid as sequence, d.refobjid as table_oid
        from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
          and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          and d.deptype = 'a' and d.refobjsubid > 0 and d.refobjid = any ($1::oid[])
        union all
        select d.refobjid, f.adrelid
        from pg_catalog.pg_depend d
        join pg_catalog.pg_attrdef f on f.oid = d.objid
        where d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
          and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          and f.adrelid = any ($1::oid[])
    ) uses
    group by uses.sequence) u
join pg_catalog.pg_class s on s.oid = u.sequence and s.relkind = 'S'
join pg_catalog.pg_namespace n on n.oid = s.relnamespace
join pg_catalog.pg_sequence q on q.seqrelid = s.oid
left join pg_catalog.pg_depend o
       on o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.objid = s.oid
      and o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.deptype = 'a'
left join pg_catalog.pg_attribute a on a.attrelid = o.refobjid and a.attnum = o.refobjsubid
order by n.nspname collate "C", s.relname collate "C"
