-- The roles of the central log. Nobody signs in as one of them: logins are made members. Run again it changes nothing.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postvakt_owner') THEN CREATE ROLE postvakt_owner NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postvakt_node') THEN CREATE ROLE postvakt_node NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postvakt_reader') THEN CREATE ROLE postvakt_reader NOLOGIN; END IF;
    -- Whoever administers the database makes what is the owner's.
    IF NOT pg_has_role(current_user, 'postvakt_owner', 'MEMBER') THEN GRANT postvakt_owner TO current_user; END IF;
    IF getdatabaseencoding() <> 'UTF8' THEN RAISE EXCEPTION 'the database has the encoding %, and has to have UTF8', getdatabaseencoding(); END IF;
END $$;
