use super::World;

#[test]
fn dependents_need_cascade() {
    let mut world = World::new();
    world.run("create table t(a int primary key, b serial)");
    assert_eq!(
        world.error("drop sequence t_b_seq"),
        "2BP01 cannot drop sequence t_b_seq because other objects depend on it\n\
         DETAIL: default value for column b of table t depends on sequence t_b_seq\n\
         HINT: Use DROP ... CASCADE to drop the dependent objects too."
    );
    assert_eq!(
        world.error("drop index t_pkey"),
        "2BP01 cannot drop index t_pkey because constraint t_pkey on table t requires it\n\
         HINT: You can drop constraint t_pkey on table t instead."
    );
    world.run("drop sequence t_b_seq cascade");
    assert_eq!(world.take_notices(), ["drop cascades to default value for column b of table t"]);
    assert_eq!(world.table("t").columns[1].default, None);
    world.run("drop table t");
    assert!(!world.is_there("t") && !world.is_there("t_pkey"));
    assert_eq!(world.catalog().tables().count() + world.catalog().indexes().count(), 0);
    world.run("create table si(id int generated always as identity)");
    assert_eq!(
        world.error("drop sequence si_id_seq"),
        "2BP01 cannot drop sequence si_id_seq because column id of table si requires it\n\
         HINT: You can drop column id of table si instead."
    );
    world.run("drop table si");
    assert_eq!(world.catalog().sequences().count(), 0);
}

#[test]
fn what_is_of_another_kind_or_missing_is_said() {
    let mut world = World::new();
    world.run("create table t(a int); create sequence s");
    for (sql, expected) in [
        ("drop view t", "42809 \"t\" is not a view\nHINT: Use DROP TABLE to remove a table."),
        ("drop index t", "42809 \"t\" is not an index\nHINT: Use DROP TABLE to remove a table."),
        ("drop table s", "42809 \"s\" is not a table\nHINT: Use DROP SEQUENCE to remove a sequence."),
        ("drop materialized view t", "42809 \"t\" is not a materialized view\nHINT: Use DROP TABLE to remove a table."),
        ("drop table nosuch", "42P01 table \"nosuch\" does not exist"),
        ("drop table nosuch.t", "3F000 schema \"nosuch\" does not exist"),
        ("drop table pg_class", "42501 permission denied: \"pg_class\" is a system catalog"),
    ] {
        assert_eq!(world.error(sql), expected, "{sql}");
    }
    world.run("drop table if exists nosuch, t");
    assert_eq!(world.take_notices(), ["table \"nosuch\" does not exist, skipping"]);
    assert!(!world.is_there("t"));
}

#[test]
fn truncate_begins_new_key_spaces() {
    let mut world = World::new();
    world.run("create table t(a serial primary key, b int unique)");
    let before = world.table("t");
    world.run_open("truncate t restart identity");
    let after = world.table("t");
    assert_ne!(before.storage, after.storage);
    let catalog = world.catalog();
    assert_eq!(catalog.index(after.indexes[0]).expect("the primary key").storage, after.storage);
    world.rollback();
    assert_eq!(world.table("t").storage, before.storage);
    assert_eq!(world.error("truncate t_a_seq"), "42809 \"t_a_seq\" is not a table");
}
