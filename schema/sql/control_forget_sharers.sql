-- $1 migration, $2 role. Waits for workers of theirs that are being registered.
delete from drover.lease where migration = $1 and role like replace('ROLE-%', 'ROLE', $2)
