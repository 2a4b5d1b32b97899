-- $1 migration, $2 role, $3 the lease of a sharer. Holds the leases still until the transaction ends. Who gives
-- epochs locks the migration first and leases then; so does this, since the worker's row will lock the migration
-- (its foreign key does).
select 1 from drover.migration where name = $1 lock in share mode;
select role, epoch from drover.lease where migration = $1 and role in ($2, $3) lock in share mode
