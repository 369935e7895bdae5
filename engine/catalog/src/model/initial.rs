//! What a new database starts with.

use helios_types::Oid;

use super::{Change, Comment, Database, Object, Role, Schema, StorageId};

/// OIDs below are PostgreSQL's own.
pub const FIRST_USER_OID: u32 = 16384;
/// Storage ids below belong to the engine itself (the catalog's key space among them).
pub const FIRST_USER_STORAGE: StorageId = 1024;
/// The bootstrap superuser.
pub const POSTGRES_ROLE: Oid = Oid(10);
/// Schema `public`.
pub const PUBLIC_SCHEMA: Oid = Oid(2200);
/// Predefined role `pg_database_owner`, which owns `public`.
const PG_DATABASE_OWNER: Oid = Oid(6171);
/// Where the comments that come with a new database get their OIDs from: beside those of initdb.
const FIRST_COMMENT_OID: u32 = 16_000;

/// Schema `public`, role `postgres` and the three databases, as initdb makes them.
pub fn initial_changes() -> Vec<Change> {
    let database = |oid: u32, name: &str, template, allow_connections| {
        Object::from(Database {
            oid: Oid(oid),
            name: name.to_owned(),
            owner: POSTGRES_ROLE,
            template,
            allow_connections,
        })
    };
    let comment = |nth: u32, object: u32, class: u32, text: &str| {
        let oid = Oid(FIRST_COMMENT_OID + nth);
        Object::from(Comment { oid, object: Oid(object), class: Oid(class), sub_id: 0, text: text.to_owned() })
    };
    let postgres = Role {
        oid: POSTGRES_ROLE,
        name: "postgres".to_owned(),
        superuser: true,
        login: true,
        create_db: true,
        create_role: true,
        inherit: true,
        replication: true,
        bypass_rls: true,
        connection_limit: -1,
        verifier: None,
    };
    let (pg_namespace, pg_database) = (2615, 1262);
    let objects = [
        Object::from(postgres),
        Object::from(Schema { oid: PUBLIC_SCHEMA, name: "public".to_owned(), owner: PG_DATABASE_OWNER }),
        database(5, "postgres", false, true),
        database(1, "template1", true, true),
        database(4, "template0", true, false),
        comment(0, PUBLIC_SCHEMA.0, pg_namespace, "standard public schema"),
        comment(1, 5, pg_database, "default administrative connection database"),
        comment(2, 1, pg_database, "default template for new databases"),
        comment(3, 4, pg_database, "unmodifiable empty database"),
    ];
    objects.into_iter().map(Change::Put).collect()
}
