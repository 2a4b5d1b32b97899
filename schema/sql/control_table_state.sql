-- $1 migration, $2 table, $3 state
update drover.tables set state = $3 where migration = $1 and id = $2
