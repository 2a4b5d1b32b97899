-- $1 migration, $2 role, $3 the lease of a sharer. Holds the leases still until the transaction ends.
select role, epoch from drover.lease where migration = $1 and role in ($2, $3) lock in share mode
