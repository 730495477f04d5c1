-- Redshift's functions that PostgreSQL lacks, or defines otherwise. The rewriter takes care of what a function cannot do.
-- `redshift` stands before `pg_catalog` in the search path, so that a function of the same name and types wins here.
CREATE SCHEMA IF NOT EXISTS redshift;
GRANT USAGE ON SCHEMA redshift TO PUBLIC;
SET search_path TO redshift, pg_catalog;

-- Dates. All of Redshift's date functions answer with a timestamp.
CREATE OR REPLACE FUNCTION getdate() RETURNS timestamp LANGUAGE sql STABLE AS $$ SELECT date_trunc('second', statement_timestamp()::timestamp) $$;
CREATE OR REPLACE FUNCTION sysdate() RETURNS timestamp LANGUAGE sql STABLE AS $$ SELECT transaction_timestamp()::timestamp $$;

CREATE OR REPLACE FUNCTION part_interval(part text, amount bigint) RETURNS interval LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE part
    WHEN 'millennium' THEN make_interval(years => (amount * 1000)::int)
    WHEN 'century' THEN make_interval(years => (amount * 100)::int)
    WHEN 'decade' THEN make_interval(years => (amount * 10)::int)
    WHEN 'year' THEN make_interval(years => amount::int)
    WHEN 'quarter' THEN make_interval(months => (amount * 3)::int)
    WHEN 'month' THEN make_interval(months => amount::int)
    WHEN 'week' THEN make_interval(weeks => amount::int)
    WHEN 'day' THEN make_interval(days => amount::int)
    WHEN 'hour' THEN amount * interval '1 hour'
    WHEN 'minute' THEN amount * interval '1 minute'
    WHEN 'second' THEN amount * interval '1 second'
    WHEN 'millisecond' THEN amount * interval '1 millisecond'
    WHEN 'microsecond' THEN amount * interval '1 microsecond'
  END $$;
CREATE OR REPLACE FUNCTION dateadd(part text, amount bigint, moment timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$ SELECT moment + redshift.part_interval(part, amount) $$;
-- PostgreSQL would take a date, and a literal, for a timestamptz.
CREATE OR REPLACE FUNCTION dateadd(part text, amount bigint, day date) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$ SELECT day::timestamp + redshift.part_interval(part, amount) $$;
CREATE OR REPLACE FUNCTION dateadd(part text, amount bigint, moment text) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$ SELECT moment::timestamp + redshift.part_interval(part, amount) $$;
CREATE OR REPLACE FUNCTION dateadd(part text, amount bigint, moment timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT moment + redshift.part_interval(part, amount) $$;

-- DATEDIFF counts the boundaries between two moments, not the whole units.
CREATE OR REPLACE FUNCTION datediff(part text, first timestamp, last timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT (CASE part
    WHEN 'millennium' THEN extract(millennium FROM last) - extract(millennium FROM first)
    WHEN 'century' THEN extract(century FROM last) - extract(century FROM first)
    WHEN 'decade' THEN extract(decade FROM last) - extract(decade FROM first)
    WHEN 'year' THEN extract(year FROM last) - extract(year FROM first)
    WHEN 'quarter' THEN (extract(year FROM last) - extract(year FROM first)) * 4 + extract(quarter FROM last) - extract(quarter FROM first)
    WHEN 'month' THEN (extract(year FROM last) - extract(year FROM first)) * 12 + extract(month FROM last) - extract(month FROM first)
    WHEN 'week' THEN (date_trunc('week', last)::date - date_trunc('week', first)::date) / 7
    WHEN 'day' THEN last::date - first::date
    WHEN 'hour' THEN extract(epoch FROM date_trunc('hour', last) - date_trunc('hour', first)) / 3600
    WHEN 'minute' THEN extract(epoch FROM date_trunc('minute', last) - date_trunc('minute', first)) / 60
    WHEN 'second' THEN extract(epoch FROM date_trunc('second', last) - date_trunc('second', first))
    WHEN 'millisecond' THEN extract(epoch FROM date_trunc('milliseconds', last) - date_trunc('milliseconds', first)) * 1000
    WHEN 'microsecond' THEN extract(epoch FROM last - first) * 1000000
  END)::bigint $$;
CREATE OR REPLACE FUNCTION datediff(part text, first date, last date) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT redshift.datediff(part, first::timestamp, last::timestamp) $$;
CREATE OR REPLACE FUNCTION datediff(part text, first timestamptz, last timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT redshift.datediff(part, first::timestamp, last::timestamp) $$;

CREATE OR REPLACE FUNCTION date_trunc(part text, day date) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$ SELECT pg_catalog.date_trunc(part, day::timestamp) $$;
CREATE OR REPLACE FUNCTION extract_part(part text, moment timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT trunc(pg_catalog.date_part(part, moment))::bigint $$;
CREATE OR REPLACE FUNCTION extract_part(part text, moment timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT trunc(pg_catalog.date_part(part, moment))::bigint $$;
CREATE OR REPLACE FUNCTION extract_part(part text, span interval) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT trunc(pg_catalog.date_part(part, span))::bigint $$;
CREATE OR REPLACE FUNCTION date_part_year(day date) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT extract(year FROM day)::integer $$;
CREATE OR REPLACE FUNCTION trunc(moment timestamp) RETURNS date LANGUAGE sql IMMUTABLE AS $$ SELECT moment::date $$;
CREATE OR REPLACE FUNCTION last_day(moment timestamp) RETURNS date LANGUAGE sql IMMUTABLE AS $$ SELECT (pg_catalog.date_trunc('month', moment) + interval '1 month - 1 day')::date $$;
-- The last day of a month stays the last day of a month.
CREATE OR REPLACE FUNCTION add_months(moment timestamp, months bigint) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN moment::date = redshift.last_day(moment)
    THEN redshift.last_day(moment + make_interval(months => months::int)) + moment::time
    ELSE moment + make_interval(months => months::int) END $$;
CREATE OR REPLACE FUNCTION months_between(last timestamp, first timestamp) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
  SELECT (redshift.datediff('month', first, last) + CASE
    WHEN extract(day FROM last) = extract(day FROM first)
      OR (last::date = redshift.last_day(last) AND first::date = redshift.last_day(first)) THEN 0
    ELSE (extract(day FROM last) - extract(day FROM first)
      + (extract(epoch FROM last::time) - extract(epoch FROM first::time)) / 86400) / 31.0 END)::double precision $$;
CREATE OR REPLACE FUNCTION next_day(moment timestamp, weekday text) RETURNS date LANGUAGE sql IMMUTABLE AS $$
  SELECT moment::date + ((array_position(ARRAY['su','mo','tu','we','th','fr','sa'], lower(left(weekday, 2))) - 1
    - extract(dow FROM moment)::int + 6) % 7) + 1 $$;
CREATE OR REPLACE FUNCTION convert_timezone(target text, moment timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$ SELECT moment AT TIME ZONE 'UTC' AT TIME ZONE target $$;
CREATE OR REPLACE FUNCTION convert_timezone(source text, target text, moment timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$ SELECT moment AT TIME ZONE source AT TIME ZONE target $$;
CREATE OR REPLACE FUNCTION convert_timezone(target text, moment timestamptz) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$ SELECT moment AT TIME ZONE target $$;

-- Numbers. The sum carries the type and the scale that Redshift's AVG keeps.
CREATE OR REPLACE FUNCTION avg(total bigint, number bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT total / nullif(number, 0) $$;
CREATE OR REPLACE FUNCTION avg(total numeric, number bigint) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$ SELECT trunc(total / nullif(number, 0), scale(total)) $$;
CREATE OR REPLACE FUNCTION avg(total double precision, number bigint) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$ SELECT total / nullif(number, 0) $$;
CREATE OR REPLACE FUNCTION avg(total interval, number bigint) RETURNS interval LANGUAGE sql IMMUTABLE AS $$ SELECT total / nullif(number, 0) $$;
CREATE OR REPLACE FUNCTION strtol(digits text, base integer) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
  rest text := lower(trim(digits));
  sign bigint := 1;
  total numeric := 0;
  digit integer;
BEGIN
  IF left(rest, 1) IN ('-', '+') THEN
    IF left(rest, 1) = '-' THEN sign := -1; END IF;
    rest := substr(rest, 2);
  END IF;
  IF base = 16 AND left(rest, 2) = '0x' THEN rest := substr(rest, 3); END IF;
  IF rest = '' OR base < 2 OR base > 36 THEN
    RAISE EXCEPTION 'invalid input "%" for strtol in base %', digits, base;
  END IF;
  FOR i IN 1..length(rest) LOOP
    digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(rest, i, 1)) - 1;
    IF digit < 0 OR digit >= base THEN
      RAISE EXCEPTION 'The input % is not valid to be converted to base %', digits, base;
    END IF;
    total := total * base + digit;
  END LOOP;
  RETURN (sign * total)::bigint;
END $$;
CREATE OR REPLACE FUNCTION dlog10(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$ SELECT log(value) $$;
CREATE OR REPLACE FUNCTION dlog1(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$ SELECT ln(value) $$;
CREATE OR REPLACE FUNCTION dexp(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$ SELECT exp(value) $$;

-- Text.
CREATE OR REPLACE FUNCTION len(value text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT length(value) $$;
CREATE OR REPLACE FUNCTION charindex(part text, value text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT strpos(value, part) $$;
CREATE OR REPLACE FUNCTION regexp_replace(value text, pattern text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT pg_catalog.regexp_replace(value, pattern, '', 'g') $$;
CREATE OR REPLACE FUNCTION regexp_replace(value text, pattern text, replacement text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT pg_catalog.regexp_replace(value, pattern, replacement, 'g') $$;
-- Where nothing matches, Redshift answers with an empty text.
CREATE OR REPLACE FUNCTION regexp_substr(value text, pattern text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN value IS NOT NULL AND pattern IS NOT NULL THEN coalesce((SELECT (pg_catalog.regexp_match(value, '(?:' || pattern || ')'))[1]), '') END $$;
CREATE OR REPLACE FUNCTION sha1(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$ BEGIN RAISE EXCEPTION 'the rehearsal does not run SHA1; use SHA2(value, 256)'; END $$;
CREATE OR REPLACE FUNCTION sha2(value text, bits integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT pg_catalog.encode(CASE bits
    WHEN 224 THEN sha224(convert_to(value, 'UTF8'))
    WHEN 384 THEN sha384(convert_to(value, 'UTF8'))
    WHEN 512 THEN sha512(convert_to(value, 'UTF8'))
    ELSE sha256(convert_to(value, 'UTF8')) END, 'hex') $$;

-- JSON in text, and SUPER.
CREATE OR REPLACE FUNCTION is_valid_json(value text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  RETURN jsonb_typeof(value::jsonb) = 'object';
EXCEPTION WHEN data_exception THEN RETURN false;
END $$;
CREATE OR REPLACE FUNCTION is_valid_json_array(value text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  RETURN jsonb_typeof(value::jsonb) = 'array';
EXCEPTION WHEN data_exception THEN RETURN false;
END $$;
CREATE OR REPLACE FUNCTION can_json_parse(value text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  RETURN value::jsonb IS NOT NULL;
EXCEPTION WHEN data_exception THEN RETURN false;
END $$;
CREATE OR REPLACE FUNCTION json_extract_path_text(value text, VARIADIC path text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT pg_catalog.json_extract_path_text(value::json, VARIADIC path) $$;
CREATE OR REPLACE FUNCTION json_extract_path_text_or_null(value text, VARIADIC path text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN pg_catalog.json_extract_path_text(value::json, VARIADIC path);
EXCEPTION WHEN data_exception THEN RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION json_extract_array_element_text(value text, place integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT value::json ->> place $$;
CREATE OR REPLACE FUNCTION json_array_length(value text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT pg_catalog.json_array_length(value::json) $$;
CREATE OR REPLACE FUNCTION json_parse(value text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT value::jsonb $$;
-- A text within a SUPER, as COPY leaves it, is parsed like any text.
CREATE OR REPLACE FUNCTION json_parse(value jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN jsonb_typeof(value) = 'string' THEN (value #>> '{}')::jsonb ELSE value END $$;
-- Redshift writes no blanks; outside of a text, a blank in PostgreSQL's form follows a comma or a colon.
CREATE OR REPLACE FUNCTION json_serialize(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT string_agg(CASE WHEN number % 2 = 1 THEN replace(part, ' ', '') ELSE part END, '' ORDER BY number)
  FROM (SELECT (found)[1] AS part, number * 2 - 1 AS number
        FROM regexp_matches(value::text, '([^"]*)("(?:[^"\\]|\\.)*")?', 'g') WITH ORDINALITY AS f(found, number)
        UNION ALL
        SELECT (found)[2], number * 2
        FROM regexp_matches(value::text, '([^"]*)("(?:[^"\\]|\\.)*")?', 'g') WITH ORDINALITY AS f(found, number)) parts $$;
CREATE OR REPLACE FUNCTION json_typeof(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT jsonb_typeof(value) $$;
CREATE OR REPLACE FUNCTION json_size(value jsonb) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT octet_length(redshift.json_serialize(value)) $$;
CREATE OR REPLACE FUNCTION get_array_length(value jsonb) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN jsonb_typeof(value) = 'array' THEN jsonb_array_length(value) END $$;
CREATE OR REPLACE FUNCTION is_array(value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT jsonb_typeof(value) = 'array' $$;
CREATE OR REPLACE FUNCTION is_object(value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT jsonb_typeof(value) = 'object' $$;
CREATE OR REPLACE FUNCTION split_to_array(value text, separator text DEFAULT ',') RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT to_jsonb(string_to_array(value, separator)) $$;

-- Aggregates. `median` and `listagg` name the column that PostgreSQL's own aggregate fills.
CREATE OR REPLACE FUNCTION median(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$ SELECT value $$;
CREATE OR REPLACE FUNCTION median(value interval) RETURNS interval LANGUAGE sql IMMUTABLE AS $$ SELECT value $$;
CREATE OR REPLACE FUNCTION listagg(value text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT value $$;
CREATE OR REPLACE FUNCTION first_of(first anyelement, next anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT first $$;
CREATE OR REPLACE AGGREGATE any_value(anyelement) (sfunc = first_of, stype = anyelement);

-- What a MERGE works on must be a table.
CREATE OR REPLACE FUNCTION require_table(name text, role text) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF (SELECT relkind FROM pg_class WHERE oid = name::regclass) <> 'r' THEN
    RAISE EXCEPTION 'the % of a MERGE must be a table, and "%" is a view', role, name;
  END IF;
END $$;

-- What Redshift says of itself. `jsonb` is what a SUPER is here.
CREATE OR REPLACE VIEW svv_columns AS
  SELECT table_catalog, table_schema::varchar, table_name::varchar, column_name::varchar, ordinal_position, column_default, is_nullable::varchar,
    CASE data_type WHEN 'jsonb' THEN 'super' ELSE data_type END::varchar AS data_type,
    character_maximum_length, numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision
  FROM information_schema.columns WHERE table_schema NOT IN ('redshift', 'pg_catalog', 'information_schema');
CREATE OR REPLACE VIEW svv_tables AS
  SELECT current_database()::varchar AS table_catalog, n.nspname::varchar AS table_schema, c.relname::varchar AS table_name,
    CASE c.relkind WHEN 'r' THEN 'BASE TABLE' ELSE 'VIEW' END::varchar AS table_type, NULL::varchar AS remarks
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname NOT IN ('redshift', 'pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%';
CREATE OR REPLACE VIEW svv_mv_info AS
  SELECT current_database()::varchar AS database_name, schemaname::varchar AS schema_name, matviewowner::varchar AS user_name,
    matviewname::varchar AS name, 'f'::char AS is_stale, 0 AS state, 'f'::char AS autorewrite, 'f'::char AS autorefresh
  FROM pg_matviews;

-- Views that are bound to no table: a table below one of them may go and come again. PostgreSQL has no such views, so
-- that what is known by name is made again as soon as it can be.
CREATE TABLE IF NOT EXISTS late_binding (name text PRIMARY KEY, query text NOT NULL);
CREATE OR REPLACE FUNCTION bind_late(view text, body text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM redshift.late_binding WHERE name = view;
  INSERT INTO redshift.late_binding VALUES (view, body);
END $$;
CREATE OR REPLACE FUNCTION rebind() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  lost record;
  made boolean := true;
BEGIN
  WHILE made LOOP
    made := false;
    FOR lost IN SELECT * FROM redshift.late_binding WHERE to_regclass(name) IS NULL LOOP
      BEGIN
        EXECUTE 'CREATE VIEW ' || lost.name || ' AS ' || lost.query;
        made := true;
      EXCEPTION WHEN undefined_table OR undefined_column OR invalid_schema_name THEN NULL;
      END;
    END LOOP;
  END LOOP;
END $$;
CREATE OR REPLACE FUNCTION release(dropped text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  above record;
BEGIN
  IF to_regclass(dropped) IS NULL THEN RETURN; END IF;
  FOR above IN
    SELECT DISTINCT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE d.refobjid = to_regclass(dropped) AND d.classid = 'pg_rewrite'::regclass AND c.oid <> to_regclass(dropped)
  LOOP
    IF EXISTS (SELECT 1 FROM redshift.late_binding WHERE to_regclass(late_binding.name) = to_regclass(above.name)) THEN
      PERFORM redshift.release(above.name);
      EXECUTE 'DROP VIEW IF EXISTS ' || above.name;
    END IF;
  END LOOP;
END $$;
GRANT SELECT ON ALL TABLES IN SCHEMA redshift TO PUBLIC;
