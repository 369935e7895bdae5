//! The smaller catalogs: `pg_description`, the predefined roles, `pg_ts_*`, and information_schema's own tables.

use helios_env::sync::OnceLock;
use helios_types::Oid;

use super::table::{Table, rows};

/// A row of `pg_description`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Description {
    pub object: Oid,
    pub class: Oid,
    pub sub_id: i32,
    pub text: &'static str,
}

/// `pg_description`, in the order of class, object and sub-id.
pub fn descriptions() -> &'static [Description] {
    static TABLE: OnceLock<Box<[Description]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        rows("descriptions.tsv", include_str!("../../facts/descriptions.tsv"), |f| Description {
            object: f.oid(),
            class: f.oid(),
            sub_id: f.number(),
            text: f.text(),
        })
    })
}

/// A predefined role.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct PredefinedRole {
    pub oid: Oid,
    pub name: &'static str,
}

/// The predefined roles (`pg_monitor`, `pg_database_owner`, ...): none may log in.
pub fn roles() -> &'static Table<PredefinedRole> {
    static TABLE: OnceLock<Table<PredefinedRole>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let parsed = rows("roles.tsv", include_str!("../../facts/roles.tsv"), |f| PredefinedRole {
            oid: f.oid(),
            name: f.text(),
        });
        Table::new(parsed, |row| row.oid, |row| row.name)
    })
}

/// A row of `pg_auth_members`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct RoleMember {
    pub oid: Oid,
    pub role: Oid,
    pub member: Oid,
    pub grantor: Oid,
    pub admin: bool,
    pub inherit: bool,
    pub set: bool,
}

/// Memberships among the predefined roles.
pub fn role_members() -> &'static [RoleMember] {
    static TABLE: OnceLock<Box<[RoleMember]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        rows("role_members.tsv", include_str!("../../facts/role_members.tsv"), |f| RoleMember {
            oid: f.oid(),
            role: f.oid(),
            member: f.oid(),
            grantor: f.oid(),
            admin: f.bool(),
            inherit: f.bool(),
            set: f.bool(),
        })
    })
}

/// A small catalog whose rows are passed on as they are: column by column, `None` for NULL.
pub type PlainRows = &'static [Box<[Option<&'static str>]>];

macro_rules! plain {
    ($($name:ident = $file:literal, $columns:literal, $doc:literal;)*) => {
        $(
            #[doc = $doc]
            pub fn $name() -> PlainRows {
                static TABLE: OnceLock<Box<[Box<[Option<&'static str>]>]>> = OnceLock::new();
                TABLE.get_or_init(|| {
                    rows($file, include_str!(concat!("../../facts/", $file)), |f| {
                        (0..$columns).map(|_| f.optional()).collect()
                    })
                })
            }
        )*
    };
}

plain! {
    ts_parsers = "ts_parsers.tsv", 8, "`pg_ts_parser`.";
    ts_templates = "ts_templates.tsv", 5, "`pg_ts_template`.";
    ts_dictionaries = "ts_dictionaries.tsv", 5, "`pg_ts_dict` without the owner.";
    ts_configurations = "ts_configurations.tsv", 4, "`pg_ts_config` without the owner.";
    ts_configuration_maps = "ts_configuration_maps.tsv", 4, "`pg_ts_config_map`.";
    sql_features = "sql_features.tsv", 7, "`information_schema.sql_features`.";
    sql_sizing = "sql_sizing.tsv", 4, "`information_schema.sql_sizing`.";
    sql_implementation_info = "sql_implementation_info.tsv", 5, "`information_schema.sql_implementation_info`.";
}
