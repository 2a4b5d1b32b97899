-- Column pairs of the foreign keys of the tables ($1: oid[]), in the order of the key.
select k.conrelid, k.conname, k.confrelid, pg_catalog.format('%s.%s', n.nspname, r.relname),
       a.attname, ra.attname, d.word as on_delete, p.word as on_update,
       case when k.confmatchtype = 'f' then 'matches in full'
            when k.condeferrable then 'is deferrable'
            when pg_catalog.to_jsonb(k) ->> 'confdelsetcols' is not null then 'sets only some columns'
            end as peculiar
from pg_catalog.pg_constraint k
join pg_catalog.pg_class r on r.oid = k.confrelid
join pg_catalog.pg_namespace n on n.oid = r.relnamespace
cross join rows from (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey)) with ordinality
      as u (number, referenced, place)
join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.number
join pg_catalog.pg_attribute ra on ra.attrelid = k.confrelid and ra.attnum = u.referenced
join (values ('a', 'no action'), ('r', 'restrict'), ('c', 'cascade'), ('n', 'set null'),
             ('d', 'set default')) as d (letter, word) on d.letter = k.confdeltype::text
join (values ('a', 'no action'), ('r', 'restrict'), ('c', 'cascade'), ('n', 'set null'),
             ('d', 'set default')) as p (letter, word) on p.letter = k.confupdtype::text
where k.conrelid = any ($1::oid[]) and k.contype = 'f' and k.conparentid = 0
order by k.conrelid, k.conname collate "C", u.place
