//! Schemas, roles, databases, tablespaces, comments, text search.

use helios_types::{Datum, Oid, oid};

use super::columns::PG_DATABASE;
use super::relations::PG_NAMESPACE;
use super::value::{Letter, Null, array, row};
use super::{Row, Source};
use crate::facts;
use crate::model::{POSTGRES_ROLE, Role};

/// `pg_class.oid` of `pg_authid`.
const PG_AUTHID: Oid = Oid(1260);
/// `pg_class.oid` of `pg_tablespace`.
const PG_TABLESPACE: Oid = Oid(1213);
/// `pg_tablespace.oid` of pg_default.
const PG_DEFAULT: Oid = Oid(1663);
/// `pg_tablespace.oid` of pg_global.
const PG_GLOBAL: Oid = Oid(1664);
/// PostgreSQL's number of UTF8.
const UTF8: i32 = 6;
/// The transaction id that everything old has.
const FIRST_XID: Oid = Oid(3);

pub(super) fn pg_namespace(source: &Source<'_>) -> Vec<Row> {
    let system = facts::namespaces().by_oids().map(|schema| row![schema.oid, schema.name, POSTGRES_ROLE, Null]);
    let users = source.catalog.schemas().map(|schema| row![schema.oid, schema.name.as_str(), schema.owner, Null]);
    system.chain(users).collect()
}

/// What the role catalogs know of a role, predefined or a user's.
struct RoleFacts<'a> {
    oid: Oid,
    name: &'a str,
    superuser: bool,
    inherit: bool,
    create_role: bool,
    create_db: bool,
    login: bool,
    replication: bool,
    bypass_rls: bool,
    connection_limit: i32,
    verifier: Option<&'a str>,
}

fn roles<'a>(source: &Source<'a>) -> impl Iterator<Item = RoleFacts<'a>> {
    let user = |role: &'a std::sync::Arc<Role>| RoleFacts {
        oid: role.oid,
        name: &role.name,
        superuser: role.superuser,
        inherit: role.inherit,
        create_role: role.create_role,
        create_db: role.create_db,
        login: role.login,
        replication: role.replication,
        bypass_rls: role.bypass_rls,
        connection_limit: role.connection_limit,
        verifier: role.verifier.as_deref(),
    };
    let predefined = |role: &'static facts::PredefinedRole| RoleFacts {
        oid: role.oid,
        name: role.name,
        superuser: false,
        inherit: true,
        create_role: false,
        create_db: false,
        login: false,
        replication: false,
        bypass_rls: false,
        connection_limit: -1,
        verifier: None,
    };
    facts::roles().by_oids().map(predefined).chain(source.catalog.roles().map(user))
}

pub(super) fn pg_authid(source: &Source<'_>) -> Vec<Row> {
    let one = |r: RoleFacts<'_>| {
        row![
            r.oid,
            r.name,
            r.superuser,
            r.inherit,
            r.create_role,
            r.create_db,
            r.login,
            r.replication,
            r.bypass_rls,
            r.connection_limit,
            r.verifier,
            Null
        ]
    };
    roles(source).map(one).collect()
}

pub(super) fn pg_roles(source: &Source<'_>) -> Vec<Row> {
    let one = |r: RoleFacts<'_>| {
        row![
            r.name,
            r.superuser,
            r.inherit,
            r.create_role,
            r.create_db,
            r.login,
            r.replication,
            r.connection_limit,
            "********",
            Null,
            r.bypass_rls,
            Null,
            r.oid
        ]
    };
    roles(source).map(one).collect()
}

/// `pg_user` (`masked`) and `pg_shadow`: the roles that may log in.
pub(super) fn pg_user(source: &Source<'_>, masked: bool) -> Vec<Row> {
    let one = |r: RoleFacts<'_>| {
        let password = if masked { Some("********") } else { r.verifier };
        row![r.name, r.oid, r.create_db, r.superuser, r.replication, r.bypass_rls, password, Null, Null]
    };
    roles(source).filter(|role| role.login).map(one).collect()
}

/// The roles that may not log in, with their members.
pub(super) fn pg_group() -> Vec<Row> {
    let one = |role: &facts::PredefinedRole| {
        let members = facts::role_members().iter().filter(|row| row.role == role.oid).map(|row| row.member);
        row![role.name, role.oid, array(oid::OID, members)]
    };
    facts::roles().by_oids().map(one).collect()
}

pub(super) fn pg_auth_members() -> Vec<Row> {
    let one = |m: &facts::RoleMember| row![m.oid, m.role, m.member, m.grantor, m.admin, m.inherit, m.set];
    facts::role_members().iter().map(one).collect()
}

pub(super) fn pg_database(source: &Source<'_>) -> Vec<Row> {
    let one = |database: &std::sync::Arc<crate::model::Database>| {
        row![
            database.oid,
            database.name.as_str(),
            database.owner,
            UTF8,
            Letter(b'b'),
            database.template,
            database.allow_connections,
            false,
            -1i32,
            Datum::U32(FIRST_XID.0),
            Datum::U32(1),
            PG_DEFAULT,
            "C",
            "C",
            "C.UTF-8",
            Null,
            // template0 may be copied under any version of the collation.
            (database.name != "template0").then_some("1"),
            Null,
        ]
    };
    source.catalog.databases().map(one).collect()
}

pub(super) fn pg_tablespace() -> Vec<Row> {
    let one = |(oid, name)| row![oid, name, POSTGRES_ROLE, Null, Null];
    [(PG_DEFAULT, "pg_default"), (PG_GLOBAL, "pg_global")].map(one).into()
}

/// Whether comments on objects of this catalog are in `pg_shdescription`.
fn is_shared(class: Oid) -> bool {
    matches!(class, PG_DATABASE | PG_AUTHID | PG_TABLESPACE)
}

pub(super) fn pg_description(source: &Source<'_>) -> Vec<Row> {
    // The comment on schema public is a user's, so that it can be changed.
    let public = crate::model::PUBLIC_SCHEMA;
    let system = facts::descriptions().iter().filter(|row| (row.class, row.object) != (PG_NAMESPACE, public));
    let system = system.map(|row| row![row.object, row.class, row.sub_id, row.text]);
    let users = source.catalog.comments().filter(|comment| !is_shared(comment.class));
    let users = users.map(|comment| row![comment.object, comment.class, comment.sub_id, comment.text.as_str()]);
    system.chain(users).collect()
}

pub(super) fn pg_shdescription(source: &Source<'_>) -> Vec<Row> {
    let users = source.catalog.comments().filter(|comment| is_shared(comment.class));
    users.map(|comment| row![comment.object, comment.class, comment.text.as_str()]).collect()
}

/// `pg_ts_parser` and its kin.
pub(super) fn text_search(name: &str) -> Vec<Row> {
    let number = |text: Option<&str>| Datum::U32(text.and_then(|text| text.parse().ok()).unwrap_or(0));
    let integer = |text: Option<&str>| Datum::I32(text.and_then(|text| text.parse().ok()).unwrap_or(0));
    match name {
        "pg_ts_parser" => {
            let one = |f: &[Option<&'static str>]| {
                row![
                    number(f[0]),
                    f[1],
                    number(f[2]),
                    number(f[3]),
                    number(f[4]),
                    number(f[5]),
                    number(f[6]),
                    number(f[7])
                ]
            };
            facts::ts_parsers().iter().map(|fields| one(fields)).collect()
        }
        "pg_ts_template" => {
            let one = |f: &[Option<&'static str>]| row![number(f[0]), f[1], number(f[2]), number(f[3]), number(f[4])];
            facts::ts_templates().iter().map(|fields| one(fields)).collect()
        }
        "pg_ts_dict" => {
            let one =
                |f: &[Option<&'static str>]| row![number(f[0]), f[1], number(f[2]), POSTGRES_ROLE, number(f[3]), f[4]];
            facts::ts_dictionaries().iter().map(|fields| one(fields)).collect()
        }
        "pg_ts_config" => {
            let one = |f: &[Option<&'static str>]| row![number(f[0]), f[1], number(f[2]), POSTGRES_ROLE, number(f[3])];
            facts::ts_configurations().iter().map(|fields| one(fields)).collect()
        }
        _ => {
            let one = |f: &[Option<&'static str>]| row![number(f[0]), integer(f[1]), integer(f[2]), number(f[3])];
            facts::ts_configuration_maps().iter().map(|fields| one(fields)).collect()
        }
    }
}
