use helios_catalog::model::ConstraintKind;

use super::World;

fn check_text(world: &World, table: &str) -> Vec<String> {
    let table = world.table(table);
    let text = |kind: &ConstraintKind| match kind {
        ConstraintKind::Check { expression, .. } => Some(expression.clone()),
        _ => None,
    };
    table.constraints.iter().filter_map(|constraint| text(&constraint.kind)).collect()
}

#[test]
fn a_constant_default_does_not_move_rows() {
    let mut world = World::new();
    world.run("create table t(a int primary key)");
    let before = world.table("t");
    world.run("alter table t add column b int default 7, add column c text, add column d date default now()");
    let after = world.table("t");
    assert_eq!(after.storage, before.storage);
    assert_eq!(after.columns[1].missing.as_deref(), Some(&[0, 0, 0, 7][..]));
    assert_eq!((&after.columns[2].missing, after.columns[3].missing.is_some()), (&None, true));
    let layouts: Vec<u16> = after.layouts.iter().map(|layout| layout.columns).collect();
    assert_eq!(layouts, [1, 4]);
    world.run("alter table t add column e float8 default random()");
    let moved = world.table("t");
    assert_ne!(moved.storage, before.storage);
    assert!(moved.columns.iter().all(|column| column.missing.is_none()));
    assert_eq!(moved.layouts.len(), 1);
}

#[test]
fn numbers_of_dropped_columns_are_not_given_again() {
    let mut world = World::new();
    world.run("create table t(a int, b int unique, c serial)");
    world.run("alter table t drop column b, drop column c");
    assert!(!world.is_there("t_b_key") && !world.is_there("t_c_seq"));
    world.run("alter table t add column b int");
    let table = world.table("t");
    assert_eq!(table.column("b").map(|column| column.attnum), Some(4));
    assert_eq!(table.columns[1].name, "........pg.dropped.2........");
    assert_eq!((table.indexes.len(), table.constraints.len()), (0, 0));
}

#[test]
fn a_primary_key_comes_and_goes_with_new_key_spaces() {
    let mut world = World::new();
    world.run("create table t(a int, b int unique)");
    let before = world.table("t");
    world.run("alter table t add primary key (a)");
    let keyed = world.table("t");
    assert_ne!(keyed.storage, before.storage);
    assert_eq!((keyed.primary_key.as_slice(), keyed.columns[0].not_null), (&[1][..], true));
    assert_eq!(world.catalog().index(keyed.indexes[0]).map(|index| index.storage), Some(keyed.storage));
    assert_eq!(
        world.error("alter table t add primary key (b)"),
        "42P16 multiple primary keys for table \"t\" are not allowed"
    );
    world.run("alter table t drop constraint t_pkey");
    let bare = world.table("t");
    assert_ne!(bare.storage, keyed.storage);
    assert!(bare.primary_key.is_empty() && bare.columns[0].not_null && !world.is_there("t_pkey"));
}

#[test]
fn texts_follow_renamed_columns_and_sequences() {
    let mut world = World::new();
    world.run("create table t(a int check (a > 0), g int generated always as (a + 1) stored, s serial)");
    world.run("alter table t rename column a to \"A\"");
    assert_eq!(check_text(&world, "t"), ["(\"A\" > 0)"]);
    assert_eq!(world.table("t").columns[1].generated.as_deref(), Some("(\"A\" + 1)"));
    world.run("alter sequence t_s_seq rename to \"Numbers\"");
    assert_eq!(world.table("t").columns[2].default.as_deref(), Some("nextval('public.\"Numbers\"'::regclass)"));
    world.run("alter table t rename to u");
    assert!(world.is_there("u") && !world.is_there("t"));
    world.run("create table t(a int)");
    assert_eq!(world.error("alter table t rename to u"), "42P07 relation \"u\" already exists");
}

#[test]
fn what_mentions_a_retyped_column_is_understood_as_before() {
    let mut world = World::new();
    world.run("create table t(a int check (a > 0), b text default 'x' check (b <> '5'))");
    world.run("alter table t alter column a type bigint");
    assert_eq!(check_text(&world, "t")[0], "(a > 0)");
    assert_eq!(
        world.error("alter table t alter column b drop default, alter column b type int using 3"),
        "42883 operator does not exist: integer <> text\n\
         HINT: No operator matches the given name and argument types. You might need to add explicit type casts."
    );
    assert_eq!(
        world.error("alter table t alter column b type date using '2024-01-01'::date"),
        "42804 default for column \"b\" cannot be cast automatically to type date"
    );
    world.run("alter table t alter column b type varchar(3)");
    assert_eq!(world.table("t").columns[1].default.as_deref(), Some("'x'::text"));
}

#[test]
fn what_is_not_supported_says_so() {
    let mut world = World::new();
    world.run("create table t(a int)");
    for (sql, what) in [
        ("alter table t add foreign key (a) references t", "FOREIGN KEY"),
        ("alter table t add constraint c check (a > 0) not valid", "NOT VALID"),
        ("alter table t add column v int generated always as (a) virtual", "a virtual generated column"),
        ("alter table t alter column a set statistics 100", "ALTER TABLE ... ALTER COLUMN ... SET STATISTICS"),
        ("alter table t enable row level security", "ALTER TABLE ... ENABLE ROW SECURITY"),
        ("alter table t inherit t", "ALTER TABLE ... INHERIT"),
        ("alter table t add unique (a) deferrable", "DEFERRABLE"),
    ] {
        assert_eq!(world.error(sql), format!("0A000 {what} is not supported"), "{sql}");
    }
}
