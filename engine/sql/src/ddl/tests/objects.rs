use super::World;

fn index_names(world: &World, table: &str) -> Vec<String> {
    let catalog = world.catalog();
    world.table(table).indexes.iter().filter_map(|&oid| Some(catalog.index(oid)?.name.clone())).collect()
}

#[test]
fn indexes_are_named_after_their_columns() {
    let mut world = World::new();
    world.run(
        "create table t (id int primary key, a int, b text); create index on t (upper(b), lower(b) desc); \
         create index on t ((a + 1)); create index on t (a, a); create index on t (a) include (b)",
    );
    let names = index_names(&world, "t");
    assert_eq!(names, ["t_pkey", "t_upper_lower_idx", "t_expr_idx", "t_a_a1_idx", "t_a_b_idx"]);
}

#[test]
fn indexes_that_cannot_be_are_refused() {
    let mut world = World::new();
    world.run("create table t (a int, b text); create view v as select a from t");
    for (sql, expected) in [
        ("create index i on t (ctid)", "0A000 index creation on system columns is not supported"),
        (
            "create index i on v (a)",
            "42809 cannot create index on relation \"v\"\nDETAIL: This operation is not supported for views.",
        ),
        ("create index i on t using hashh (a)", "42704 access method \"hashh\" does not exist"),
        (
            "create index i on t (a int4_opss)",
            "42704 operator class \"int4_opss\" does not exist for access method \"btree\"",
        ),
        ("create index i on t (b int4_ops)", "42804 operator class \"int4_ops\" does not accept data type text"),
        ("create index i on t (a collate \"C\")", "42804 collations are not supported by type integer"),
        ("create index i on t (a) include (lower(b))", "0A000 expressions are not supported in included columns"),
    ] {
        assert_eq!(world.error(sql), expected, "{sql}");
    }
}

#[test]
fn a_table_like_another_has_what_was_asked_for() {
    let mut world = World::new();
    world.run(
        "create table s (id int primary key, v int default 5 check (v > 0), t text not null, \
         k int generated always as identity (start 7), g int generated always as (v + 1) stored); \
         create index s_low on s (lower(t) desc) where v > 3; \
         create table bare (like s); create table full_ (like s including all, extra int)",
    );
    let bare = world.table("bare");
    let names: Vec<_> = bare.constraints.iter().map(|constraint| constraint.name.as_str()).collect();
    assert_eq!(names, ["s_id_not_null", "s_k_not_null", "s_t_not_null"]);
    assert!(bare.primary_key.is_empty() && bare.columns.iter().all(|column| column.default.is_none()));
    let full = world.table("full_");
    assert_eq!(full.primary_key, [1]);
    assert_eq!(full.columns[1].default.as_deref(), Some("5"));
    assert_eq!(full.columns[4].generated.as_deref(), Some("(v + 1)"));
    assert_eq!(index_names(&world, "full_"), ["full__pkey", "full__lower_idx"]);
    let catalog = world.catalog();
    let index = catalog.index(full.indexes[1]).expect("it is there");
    assert_eq!(index.keys[0].expression.as_deref(), Some("lower(t)"));
    assert_eq!(index.predicate.as_deref(), Some("(v > 3)"));
    assert!(index.keys[0].descending);
    let sequence = full.columns[3].sequence.and_then(|oid| catalog.sequence(oid)).expect("identity has a sequence");
    assert_eq!((sequence.start, sequence.name.as_str()), (7, "full__k_seq"));
}

#[test]
fn roles_come_and_go() {
    let mut world = World::new();
    world.run("create role r; create user u password 'x' connection limit 3; create schema app authorization u");
    let role = |world: &World, name: &str| world.catalog().role_by_name(name).cloned().expect(name);
    assert!(!role(&world, "r").login && role(&world, "u").login);
    assert!(role(&world, "u").verifier.as_deref().is_some_and(|text| text.starts_with("SCRAM-SHA-256$4096:")));
    world.run("alter role u password null nologin");
    assert_eq!((role(&world, "u").verifier.clone(), role(&world, "u").login), (None, false));
    for (sql, expected) in [
        ("create role r", "42710 role \"r\" already exists"),
        (
            "create role pg_x",
            "42939 role name \"pg_x\" is reserved\nDETAIL: Role names starting with \"pg_\" are reserved.",
        ),
        ("alter role nosuch login", "42704 role \"nosuch\" does not exist"),
        ("drop role postgres", "55006 current user cannot be dropped"),
        ("drop role r, nosuch", "42704 role \"nosuch\" does not exist"),
        (
            "drop role u",
            "2BP01 role \"u\" cannot be dropped because some objects depend on it\nDETAIL: owner of schema app",
        ),
    ] {
        assert_eq!(world.error(sql), expected, "{sql}");
    }
    world.run("drop schema app; drop role r, u");
    world.run("drop role if exists r");
    assert_eq!(world.take_notices(), ["role \"r\" does not exist, skipping"]);
}

#[test]
fn comments_replace_one_another() {
    let mut world = World::new();
    // A new database has some.
    let first = world.catalog().comments().count();
    world.run("create table t (a int constraint positive check (a > 0)); create view v as select a from t");
    world.run("comment on table t is 'one'; comment on table t is 'two'; comment on column t.a is 'three'");
    world.run("comment on constraint positive on t is 'four'");
    let texts: Vec<_> = world.catalog().comments().skip(first).map(|comment| comment.text.clone()).collect();
    assert_eq!(texts, ["two", "three", "four"]);
    for (sql, expected) in [
        ("comment on table v is 'x'", "42809 \"v\" is not a table"),
        ("comment on column t.nosuch is 'x'", "42703 column \"nosuch\" of relation \"t\" does not exist"),
        ("comment on constraint nosuch on t is 'x'", "42704 constraint \"nosuch\" for table \"t\" does not exist"),
    ] {
        assert_eq!(world.error(sql), expected, "{sql}");
    }
    world.run("comment on table t is null; drop view v; drop table t");
    assert_eq!(world.catalog().comments().count(), first);
}
