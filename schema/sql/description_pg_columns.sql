-- What columns of the tables ($1: oid[]) have beside their types. counts: the default is the next number
-- of a sequence that belongs to the column.
select a.attrelid, a.attname, pg_catalog.col_description(a.attrelid, a.attnum),
       exists (select from pg_catalog.pg_attrdef f
               join pg_catalog.pg_depend u
                 on u.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and u.objid = f.oid
                and u.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
               join pg_catalog.pg_depend o
                 on o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.objid = u.refobjid
                and o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.deptype = 'a'
                and o.refobjid = a.attrelid and o.refobjsubid = a.attnum
               where f.adrelid = a.attrelid and f.adnum = a.attnum) as counts
from pg_catalog.pg_attribute a
where a.attrelid = any ($1::oid[]) and a.attnum > 0 and not a.attisdropped
