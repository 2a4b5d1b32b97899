-- $1 migration, $2 table, $3 state; whoever claimed the table has done what it claimed it for
update drover.tables set state = $3, session = null where migration = $1 and id = $2
