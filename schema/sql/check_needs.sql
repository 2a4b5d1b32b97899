-- Objects that definitions of the tables $1 (oid[]) use and that are no tables: functions in
-- defaults, collations of columns, operator classes of indexes, ... with how to name them elsewhere.
with objects (classid, objid, table_oid) as (
    select 'pg_catalog.pg_class'::pg_catalog.regclass::oid, t.oid, t.oid
    from pg_catalog.unnest($1::oid[]) as t (oid)
    union all
    select 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid, d.oid, d.adrelid
    from pg_catalog.pg_attrdef d where d.adrelid = any ($1::oid[])
    union all
    select 'pg_catalog.pg_constraint'::pg_catalog.regclass::oid, k.oid, k.conrelid
    from pg_catalog.pg_constraint k where k.conrelid = any ($1::oid[]) and k.contype in ('p', 'u', 'c', 'x')
    union all
    select 'pg_catalog.pg_class'::pg_catalog.regclass::oid, i.indexrelid, i.indrelid
    from pg_catalog.pg_index i where i.indrelid = any ($1::oid[])
), needs as (
    select d.refclassid, d.refobjid, min(o.table_oid) as table_oid
    from objects o
    join pg_catalog.pg_depend d on d.classid = o.classid and d.objid = o.objid
    where d.deptype = 'n'
      and d.refclassid in ('pg_catalog.pg_proc'::pg_catalog.regclass,
                           'pg_catalog.pg_operator'::pg_catalog.regclass,
                           'pg_catalog.pg_opclass'::pg_catalog.regclass,
                           'pg_catalog.pg_collation'::pg_catalog.regclass,
                           'pg_catalog.pg_type'::pg_catalog.regclass,
                           'pg_catalog.pg_ts_config'::pg_catalog.regclass,
                           'pg_catalog.pg_ts_dict'::pg_catalog.regclass)
    group by d.refclassid, d.refobjid
)
select a.type, a.object_names, a.object_args, i.identity,
       pg_catalog.format('%s.%s', tn.nspname, t.relname) as table_name,
       e.extname
from needs n
cross join lateral pg_catalog.pg_identify_object_as_address(n.refclassid, n.refobjid, 0) a
cross join lateral pg_catalog.pg_identify_object(n.refclassid, n.refobjid, 0) i
join pg_catalog.pg_class t on t.oid = n.table_oid
join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
left join pg_catalog.pg_depend x on x.classid = n.refclassid and x.objid = n.refobjid and x.deptype = 'e'
left join pg_catalog.pg_extension e on e.oid = x.refobjid
order by a.type, i.identity collate "C"
