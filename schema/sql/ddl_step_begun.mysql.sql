-- $1 migration, $2 step: from now on it may have been run
update drover.ddl set begun = true, session = connection_id() where migration = $1 and step = $2
