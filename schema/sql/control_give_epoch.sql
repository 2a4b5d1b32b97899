-- $1 migration, $2 role, $3 epoch. Waits for open data transactions of earlier holders.
update drover.progress
   set epoch = $3, updated_at = now()
 where migration = $1 and (worker = $2 or worker like replace('ROLE-%', 'ROLE', $2))
