-- Parts of the valid indexes of the tables ($1: oid[]), in the order of the index, without those of
-- exclusion constraints.
select i.indrelid, ic.relname, i.indisunique, i.indisprimary, m.amname, i.indpred is not null as partial,
       coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) as nulls_are_equal,
       i.indnatts > i.indnkeyatts as has_included, pg_catalog.obj_description(ic.oid, 'pg_class'),
       a.attname, pg_catalog.pg_get_indexdef(i.indexrelid, u.place::int, true) as expression,
       (i.indoption::int2[])[u.place - 1] & 1 = 1 as descending
from pg_catalog.pg_index i
join pg_catalog.pg_class ic on ic.oid = i.indexrelid
join pg_catalog.pg_am m on m.oid = ic.relam
cross join pg_catalog.unnest(i.indkey::int2[]) with ordinality as u (number, place)
left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.number and u.number > 0
where i.indrelid = any ($1::oid[]) and i.indisvalid and not i.indisexclusion
  and u.place <= i.indnkeyatts
order by i.indrelid, ic.relname collate "C", u.place
