-- Columns of all tables, in the order in which they were created.
select a.attrelid,
       a.attname,
       pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
       a.atttypid,
       a.attnum,
       a.attnotnull,
       a.attidentity,
       a.attgenerated,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid) as default_sql,
       case when a.attcollation <> 0 and a.attcollation <> t.typcollation
            then pg_catalog.format('%I.%I', cn.nspname, co.collname) end as collation,
       case t.typtype when 'e' then 'an enum' when 'd' then 'a domain' when 'c' then 'a composite type'
                      else case when e.extname is null then 'a type'
                                else 'a type of the extension ' || e.extname end end as kind
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_type t on t.oid = a.atttypid
left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join pg_catalog.pg_collation co on co.oid = a.attcollation
left join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace
left join pg_catalog.pg_depend x
       on x.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and x.deptype = 'e'
      and x.objid = coalesce(nullif(t.typelem, 0), t.oid)
left join pg_catalog.pg_extension e on e.oid = x.refobjid
where a.attnum > 0
  and not a.attisdropped
  and c.relkind in ('r', 'p')
  and n.nspname <> 'information_schema'
  and n.nspname not like 'pg\_%'
order by a.attrelid, a.attnum
