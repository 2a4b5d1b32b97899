-- The tables of a publication ($1) as the migration knows them ($2: oids, $3: schemas, $4: names,
-- $5: files when last seen). One row for each, in that order.
select c.oid is null as gone,
       case when n.nspname <> w.schema or c.relname <> w.name
            then pg_catalog.format('%I.%I', n.nspname, c.relname) end as renamed,
       p.oid is not null and p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate
           and not p.pubviaroot as published,
       r.oid is not null and pg_catalog.to_jsonb(r) ->> 'prqual' is null
           and pg_catalog.to_jsonb(r) ->> 'prattrs' is null as whole,
       coalesce(pg_catalog.pg_relation_filenode(c.oid), 0) as storage,
       -- Only ALTER TABLE changes a column and the table's file in one transaction.
       pg_catalog.pg_relation_filenode(c.oid) <> w.storage
           and exists (select from pg_catalog.pg_attribute a
                       where a.attrelid = c.oid and a.attnum > 0 and a.xmin = c.xmin) as altered
from rows from (pg_catalog.unnest($2::oid[]), pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[]),
                pg_catalog.unnest($5::oid[])) with ordinality as w (oid, schema, name, storage, place)
left join pg_catalog.pg_class c on c.oid = w.oid
left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_publication p on p.pubname = $1
left join pg_catalog.pg_publication_rel r on r.prpubid = p.oid and r.prrelid = w.oid
order by w.place
