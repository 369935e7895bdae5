-- Sampled calls of every function whose argument types all have sample values here.
set client_min_messages = error;
create temp table sample (type text, value text);
insert into sample
select type, value from (values
  ('bool', array['t','f']),
  ('int2', array['0','1','-1','7','-32768','32767','100']),
  ('int4', array['0','1','-1','2','3','-7','10','-2147483648','2147483647','65536']),
  ('int8', array['0','1','-1','5','-3','1000000','-9223372036854775808','9223372036854775807','4294967296']),
  ('float4', array['0','-0','1','-2.5','3.4e38','1e-40','NaN','Infinity','-Infinity','0.1','32767.5','123456.7']),
  ('float8', array['0','-0','1','-2.5','0.5','1.7e308','5e-324','NaN','Infinity','-Infinity','0.1','30','1e10','-1','2.5','-1234.5678']),
  ('numeric', array['0','1','-1.5','123.456','0.001','1e20','-99999999999999999999.99','NaN','Infinity','-Infinity','2.50','1000000','0.00']),
  ('text', array['','a','abc','aBc dEf','  x ','héllo wörld','a%b_c','10','''q"','日本語','abcabc']),
  ('bpchar', array['','a','a  ','abc','b ','é ']),
  ('varchar', array['','abc','héllo']),
  ('name', array['','abc','pg_class']),
  ('char', array['','a','b','\377','1']),
  ('bytea', array['\x','\x00','\x616263','\xff00ff','\x6162','\x25']),
  ('uuid', array['00000000-0000-0000-0000-000000000000','a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11','ffffffff-ffff-ffff-ffff-ffffffffffff','0190163d-8694-739b-aea5-966c26f8ad91']),
  ('oid', array['0','1','16384','4294967295']),
  ('date', array['2000-01-01','1999-12-31','2024-02-29','0001-01-01','4713-01-01 BC','infinity','-infinity','5874897-12-31','2023-08-15']),
  ('time', array['00:00','12:34:56.789','23:59:59.999999','24:00:00']),
  ('timetz', array['00:00+00','12:34:56.789+02','23:59:59.999999-11:30','10:00:00-07']),
  ('timestamp', array['2000-01-01 00:00:00','2024-02-29 12:34:56.789','1999-12-31 23:59:59.999999','0044-03-15 10:00:00 BC','infinity','-infinity','294276-12-31 23:59:59.999999','2023-08-15 06:07:08']),
  ('timestamptz', array['2000-01-01 00:00:00+00','2024-03-10 12:34:56.789-05','1999-12-31 23:59:59.999999+13','infinity','-infinity','0044-03-15 10:00:00+00 BC','2023-11-05 06:30:00+00']),
  ('interval', array['0','1 day','-1 mon','1 year 2 mons 3 days 04:05:06.789','-3 days -00:00:01','1000000 hours','infinity','-infinity','30 days','1 mon -1 day 00:10']),
  ('_int4', array['{}','{1,2,3}','{NULL,4}','{{1,2},{3,4}}','[0:1]={5,6}']),
  ('_text', array['{}','{a,b}','{NULL,"x y"}'])
) as t(type, list), unnest(list) value;

create temp view candidate as
select p.oid, p.proname, p.prosrc, p.pronargs,
  (select array_agg(t.typname::text order by n) from unnest(p.proargtypes::oid[]) with ordinality a(o, n) join pg_type t on t.oid = a.o) as types
from pg_proc p
where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and p.provolatile <> 'v' and not p.proretset and p.pronargs > 0
  and p.proisstrict and p.prolang in (12, 14)
  and not exists (select from unnest(p.proargtypes::oid[]) o where not exists (select from sample where type = (select typname from pg_type where oid = o)))
  and p.prosrc !~ '^(pg_|has_|to_reg|lo_|be_lo|binary_upgrade|.*send$|.*out$|ts_|.*xml.*|ginarray|.*_vec_|network|inet|cidr|currtid|row_security|am|shobj|text_to_cstring|format_type|to_ts|plainto|phraseto|websearch|obj_desc|col_desc|show_config|current_schemas|.*_validator|generate_fkey|be_|.*lo_.*|.*query.*|.*_support|json_|jsonb_|to_json|to_jsonb|get_current|convert|satisfies|.*regconfig.*|.*collation.*|.*uuid_in.*|brin|gin|gist|spg|hashhandler)'
  and p.proname !~ '^(pg_|has_|txid|lo_|ts_|xml|json|convert|quote_ident|table_to|schema_to|database_to|to_ascii|getdatabase|icu_|system_user|inet|nextval|currval|setval|amvalidate|bit$|to_tsvector|to_tsquery|obj_description|col_description|shobj_description|unicode_|is_normalized|normalize|regclass|int4_cash|int8_cash|money|numeric_cash|cash|acldefault|make_acl|repeat|lpad|rpad|chr$|char$)'
  and p.oid not in (1386, 2059) -- age(x) depends on the day
  and p.prosrc not in ('texttoxml', 'numeric_cash', 'int4_cash', 'int8_cash', 'bitfromint4', 'bitfromint8', 'interval_scale', 'btvarstrequalimage');

create function pg_temp.calls(types text[], wanted int) returns setof text language plpgsql as $$
declare query text := ''; line text := ''; i int;
begin
  for i in 1 .. cardinality(types) loop
    query := query || case when i > 1 then ' cross join ' else '' end
      || format('(select replace(value, ''\'', ''\\'') v%s from sample where type = %L) s%s', i, types[i], i);
    line := line || case when i > 1 then ' || chr(9) || ' else '' end || 'v' || i;
  end loop;
  return query execute format('select line || chr(9) || ''=>'' from (select %s as line from %s) q order by md5(line || %L) limit %s', line, query, types::text, wanted);
end $$;

select line from (
  select c.oid, 0 as part, format('@ %s(%s)', c.proname, array_to_string(c.types, ',')) as line from candidate c
  union all
  select c.oid, 1, calls from candidate c, pg_temp.calls(c.types, case when c.pronargs = 1 then 16 else 12 end) calls
) q
order by oid, part, line collate "C";
