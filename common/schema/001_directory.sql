-- The directory: users, matches and devices of the app, and the triggers that
-- keep the workers' caches coherent (LISTEN/NOTIFY).
--
-- A table that is missing is made. A table that the app has already is kept;
-- nullable columns that Pairwire writes are added to it. A view (the app maps
-- its own names with it) is left alone: views cannot carry triggers, so the
-- notice says what to run on the base table.

-- Row trigger. Arguments: channel, name of the id column. Ids too long for
-- Pairwire are not announced: NOTIFY would refuse them and fail the app's own
-- statement.
CREATE OR REPLACE FUNCTION pairwire_notify() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
	old_id text;
	new_id text;
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		PERFORM pg_notify(TG_ARGV[0], '');
		RETURN NULL;
	END IF;
	IF TG_OP <> 'INSERT' THEN
		old_id := to_jsonb(OLD) ->> TG_ARGV[1];
	END IF;
	IF TG_OP <> 'DELETE' THEN
		new_id := to_jsonb(NEW) ->> TG_ARGV[1];
	END IF;
	IF octet_length(old_id) BETWEEN 1 AND 128 THEN
		PERFORM pg_notify(TG_ARGV[0], old_id);
	END IF;
	IF new_id IS DISTINCT FROM old_id
	   AND octet_length(new_id) BETWEEN 1 AND 128 THEN
		PERFORM pg_notify(TG_ARGV[0], new_id);
	END IF;
	RETURN NULL;
END $$;

-- Puts the triggers on a table: id is announced on channel when a row comes or
-- goes, or when one of the watched columns changes its value.
CREATE OR REPLACE FUNCTION pairwire_watch(tab regclass, channel text, id name,
					  watched name[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	old name;
	cols text;
	changed text;
BEGIN
	SELECT string_agg(format('%I', c), ', '),
	       string_agg(format('OLD.%I IS DISTINCT FROM NEW.%I', c, c), ' OR ')
	  INTO cols, changed FROM unnest(id || watched) AS c;
	FOR old IN SELECT tgname FROM pg_trigger WHERE tgrelid = tab
		AND tgname IN ('pairwire_rows', 'pairwire_change', 'pairwire_truncate')
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', old, tab);
	END LOOP;
	EXECUTE format('CREATE TRIGGER pairwire_rows AFTER INSERT OR DELETE ON %s'
		' FOR EACH ROW EXECUTE FUNCTION pairwire_notify(%L, %L)',
		tab, channel, id);
	EXECUTE format('CREATE TRIGGER pairwire_change AFTER UPDATE OF %s ON %s'
		' FOR EACH ROW WHEN (%s) EXECUTE FUNCTION pairwire_notify(%L, %L)',
		cols, tab, changed, channel, id);
	EXECUTE format('CREATE TRIGGER pairwire_truncate AFTER TRUNCATE ON %s'
		' FOR EACH STATEMENT EXECUTE FUNCTION pairwire_notify(%L, %L)',
		tab, channel, id);
END $$;

-- For apps that map their tables with views; the base table's column names.
CREATE OR REPLACE FUNCTION pairwire_watch_matches(tab regclass,
	id name DEFAULT 'id', user_a_id name DEFAULT 'user_a_id',
	user_b_id name DEFAULT 'user_b_id',
	unmatched_at name DEFAULT 'unmatched_at') RETURNS void
LANGUAGE sql AS $$
	SELECT pairwire_watch(tab, 'pairwire_match', id,
			      ARRAY[user_a_id, user_b_id, unmatched_at]);
$$;

CREATE OR REPLACE FUNCTION pairwire_watch_users(tab regclass,
	id name DEFAULT 'id', first_name name DEFAULT 'first_name') RETURNS void
LANGUAGE sql AS $$
	SELECT pairwire_watch(tab, 'pairwire_user', id, ARRAY[first_name]);
$$;

-- What becomes of one table; for this migration only.
CREATE FUNCTION pg_temp.pairwire_table(tab text, ddl text, needed text[],
				       added text[], indexed text[])
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	rel regclass := to_regclass(tab);
	kind "char";
	col text;
	missing text;
BEGIN
	IF rel IS NULL THEN
		EXECUTE ddl;
		RETURN 'made';
	END IF;
	SELECT relkind INTO kind FROM pg_class WHERE oid = rel;
	SELECT string_agg(c, ', ') INTO missing
	  FROM unnest(CASE WHEN kind IN ('r', 'p') THEN needed
			   ELSE needed || (SELECT array_agg(split_part(a, ' ', 1))
					     FROM unnest(added) AS a) END) AS c
	 WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = rel
			     AND attname = c AND NOT attisdropped);
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION '% lacks: % (map the app''s own names with a view)', tab, missing;
	END IF;
	IF kind NOT IN ('r', 'p') THEN
		RETURN 'mapped';
	END IF;
	FOREACH col IN ARRAY added LOOP
		IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = rel
			       AND attname = split_part(col, ' ', 1)
			       AND NOT attisdropped) THEN
			EXECUTE format('ALTER TABLE %s ADD COLUMN %s', rel, col);
			RAISE NOTICE '% is the app''s: column added: %', tab, col;
		END IF;
	END LOOP;
	FOREACH col IN ARRAY indexed LOOP
		IF NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a
				 ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
				WHERE i.indrelid = rel AND a.attname = col) THEN
			RAISE NOTICE '% is the app''s and has no index on %: make one, Pairwire reads by it',
				tab, col;
		END IF;
	END LOOP;
	RETURN 'kept';
END $$;

DO $do$
BEGIN
	CASE pg_temp.pairwire_table('users', $$CREATE TABLE users (
			id text PRIMARY KEY,
			first_name text,
			last_seen timestamptz)$$,
		'{id,first_name}', '{last_seen timestamptz}', '{id}')
	WHEN 'mapped' THEN
		RAISE NOTICE 'users is a view: run on its base table: SELECT pairwire_watch_users(''"User"'', ''id'', ''firstName'')';
	ELSE
		PERFORM pairwire_watch_users('users');
	END CASE;

	CASE pg_temp.pairwire_table('matches', $$CREATE TABLE matches (
			id text PRIMARY KEY,
			user_a_id text NOT NULL,
			user_b_id text NOT NULL,
			unmatched_at timestamptz,
			last_message_at timestamptz)$$,
		'{id,user_a_id,user_b_id}',
		'{unmatched_at timestamptz,last_message_at timestamptz}',
		'{id,user_a_id,user_b_id}')
	WHEN 'made' THEN
		-- Not partial: while small, one of them would be read whole for
		-- the other's sake, and the plan kept.
		CREATE INDEX matches_user_a ON matches (user_a_id);
		CREATE INDEX matches_user_b ON matches (user_b_id);
		PERFORM pairwire_watch_matches('matches');
	WHEN 'kept' THEN
		PERFORM pairwire_watch_matches('matches');
	ELSE
		RAISE NOTICE 'matches is a view: run on its base table: SELECT pairwire_watch_matches(''"Match"'', ''id'', ''userAId'', ''userBId'', ''unmatchedAt'')';
	END CASE;

	CASE pg_temp.pairwire_table('devices', $$CREATE TABLE devices (
			id text PRIMARY KEY,
			user_id text NOT NULL,
			push_token text NOT NULL,
			platform text NOT NULL,
			provider text NOT NULL,
			app text,
			environment text,
			locale text,
			updated_at timestamptz)$$,
		'{id,user_id,push_token,platform,provider}',
		'{app text,environment text,locale text,updated_at timestamptz}',
		'{user_id}')
	WHEN 'made' THEN
		CREATE INDEX devices_user ON devices (user_id);
	ELSE
		NULL;
	END CASE;
END $do$;

DROP FUNCTION pg_temp.pairwire_table(text, text, text[], text[], text[]);
