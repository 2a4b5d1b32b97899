-- $1 migration, $2 step: the server has said that it was not run
update drover.ddl set begun = false, session = null where migration = $1 and step = $2
