-- Checks and exclusion constraints of the tables ($1: oid[]).
select k.conrelid, k.conname, pg_catalog.pg_get_constraintdef(k.oid), k.contype
from pg_catalog.pg_constraint k
where k.conrelid = any ($1::oid[]) and k.contype in ('c', 'x') and k.conparentid = 0
order by k.conrelid, k.conname collate "C"
