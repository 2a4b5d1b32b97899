-- The sequences behind identity columns of the tables ($1: oid[]).
select d.refobjid as table_oid,
       d.refobjsubid as number,
       s.relname,
       pg_catalog.format('increment by %s minvalue %s maxvalue %s start with %s cache %s %s',
                         q.seqincrement, q.seqmin, q.seqmax, q.seqstart, q.seqcache,
                         case when q.seqcycle then 'cycle' else 'no cycle' end) as options
from pg_catalog.pg_depend d
join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
join pg_catalog.pg_sequence q on q.seqrelid = s.oid
where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  and d.deptype = 'i'
  and d.refobjid = any ($1::oid[])
