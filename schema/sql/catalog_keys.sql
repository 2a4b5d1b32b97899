-- Columns of the indexes that could be keys, in the order of the index.
select i.indrelid, i.indexrelid, u.number, u.place - 1 as place
from pg_catalog.pg_index i
cross join pg_catalog.unnest(i.indkey::int2[]) with ordinality as u (number, place)
where (i.indisprimary or i.indisreplident)
  and u.place <= i.indnkeyatts
order by i.indexrelid, u.place
