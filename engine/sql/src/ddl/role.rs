//! CREATE, ALTER and DROP of roles, which users and groups are too.
//!
//! Roles belong to no schema and no database. Membership in other roles and dates of expiry are refused by name.

use helios_catalog::model::{ObjectKind, POSTGRES_ROLE, Role};
use helios_txn::TableLockMode;
use helios_types::{Oid, PgError, Result, SqlState};

use super::dependency::Address;
use super::drop::{PG_AUTHID, remove_comments, remove_key};
use super::locks::position;
use super::{DdlContext, NameSpace, next_oid};
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb, RoleSpecType, RoleStmtType};
use crate::verifier::{ITERATIONS, Verifier};

/// What was said of a role; each at most once.
#[derive(Default)]
struct Attributes<'s> {
    superuser: Option<bool>,
    login: Option<bool>,
    create_db: Option<bool>,
    create_role: Option<bool>,
    inherit: Option<bool>,
    replication: Option<bool>,
    bypass_rls: Option<bool>,
    connection_limit: Option<i32>,
    /// `Some(None)`: PASSWORD NULL.
    password: Option<Option<&'s str>>,
}

impl<'s> Attributes<'s> {
    fn read(options: &'s [pb::Node], ctx: &mut DdlContext<'_>) -> Result<Attributes<'s>> {
        let mut read = Attributes::default();
        for option in options {
            let Some(Node::DefElem(option)) = &option.node else {
                return Err(PgError::internal("a role's option that is none"));
            };
            read.option(option, ctx)?;
        }
        if let Some(limit) = read.connection_limit
            && limit < -1
        {
            let message = format!("invalid connection limit: {limit}");
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        Ok(read)
    }

    fn option(&mut self, option: &'s pb::DefElem, ctx: &mut DdlContext<'_>) -> Result<()> {
        let value = option.arg.as_deref().and_then(|arg| arg.node.as_ref());
        let place = position(option.location);
        let again = || PgError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options").at(place);
        macro_rules! once {
            ($field:ident, $value:expr) => {{
                if self.$field.is_some() {
                    return Err(again());
                }
                self.$field = Some($value);
            }};
        }
        let boolean = || match value {
            Some(Node::Boolean(boolean)) => Ok(boolean.boolval),
            _ => Err(PgError::internal("a role's attribute is neither on nor off")),
        };
        match option.defname.as_str() {
            "superuser" => once!(superuser, boolean()?),
            "canlogin" => once!(login, boolean()?),
            "createdb" => once!(create_db, boolean()?),
            "createrole" => once!(create_role, boolean()?),
            "inherit" => once!(inherit, boolean()?),
            "isreplication" => once!(replication, boolean()?),
            "bypassrls" => once!(bypass_rls, boolean()?),
            "connectionlimit" => match value {
                Some(Node::Integer(limit)) => once!(connection_limit, limit.ival),
                _ => return Err(PgError::internal("a connection limit that is no number")),
            },
            "password" => match value {
                Some(Node::String(text)) => once!(password, Some(text.sval.as_str())),
                _ => once!(password, None),
            },
            "sysid" => ctx.notice(SqlState::SUCCESSFUL_COMPLETION, "SYSID can no longer be specified".to_owned()),
            "validUntil" => return Err(PgError::unsupported("VALID UNTIL").at(place)),
            "addroleto" => return Err(PgError::unsupported("IN ROLE").at(place)),
            "rolemembers" => return Err(PgError::unsupported("ROLE").at(place)),
            "adminmembers" => return Err(PgError::unsupported("ADMIN").at(place)),
            other => return Err(PgError::unsupported(format_args!("the role option {other}")).at(place)),
        }
        Ok(())
    }

    fn apply(&self, role: &mut Role, ctx: &mut DdlContext<'_>) -> Result<()> {
        let set = |field: &mut bool, value: Option<bool>| *field = value.unwrap_or(*field);
        set(&mut role.superuser, self.superuser);
        set(&mut role.login, self.login);
        set(&mut role.create_db, self.create_db);
        set(&mut role.create_role, self.create_role);
        set(&mut role.inherit, self.inherit);
        set(&mut role.replication, self.replication);
        set(&mut role.bypass_rls, self.bypass_rls);
        role.connection_limit = self.connection_limit.unwrap_or(role.connection_limit);
        match self.password {
            None => {}
            Some(None) => role.verifier = None,
            Some(Some("")) => {
                let message = "empty string is not a valid password, clearing password";
                ctx.notice(SqlState::SUCCESSFUL_COMPLETION, message.to_owned());
                role.verifier = None;
            }
            Some(Some(password)) => role.verifier = Some(verifier_of(password, ctx)?),
        }
        Ok(())
    }

    /// Attributes that nobody can give who has not got them himself.
    fn check_powers(&self, verb: &str, powers: &Powers) -> Result<()> {
        if powers.superuser {
            return Ok(());
        }
        for (given, has, name) in [
            (self.superuser, false, "SUPERUSER"),
            (self.create_db, powers.create_db, "CREATEDB"),
            (self.replication, powers.replication, "REPLICATION"),
            (self.bypass_rls, powers.bypass_rls, "BYPASSRLS"),
        ] {
            let asks = if verb == "create" { given == Some(true) } else { given.is_some() };
            if asks && !has {
                let detail = if verb == "create" {
                    format!("Only roles with the {name} attribute may create roles with the {name} attribute.")
                } else {
                    format!("Only roles with the {name} attribute may change the {name} attribute.")
                };
                return Err(denied(verb).with_detail(detail));
            }
        }
        Ok(())
    }
}

/// What the current user may do.
#[derive(Default)]
struct Powers {
    superuser: bool,
    create_role: bool,
    create_db: bool,
    replication: bool,
    bypass_rls: bool,
}

impl Powers {
    fn of(ctx: &DdlContext<'_>) -> Powers {
        ctx.snapshot().role(ctx.session.user_oid).map_or_else(Powers::default, |role| Powers {
            superuser: role.superuser,
            create_role: role.create_role,
            create_db: role.create_db,
            replication: role.replication,
            bypass_rls: role.bypass_rls,
        })
    }
}

fn denied(verb: &str) -> PgError {
    PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied to {verb} role"))
}

/// What is stored of a password. One that is a verifier already is taken as it is.
fn verifier_of(password: &str, ctx: &DdlContext<'_>) -> Result<String> {
    if Verifier::parse(password).is_some() {
        return Ok(password.to_owned());
    }
    let is_md5 = password
        .strip_prefix("md5")
        .is_some_and(|digest| digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_md5 {
        return Err(PgError::unsupported("an MD5-encrypted password"));
    }
    let mut salt = [0; 16];
    for half in salt.chunks_exact_mut(8) {
        half.copy_from_slice(&ctx.session.rng.next_u64().to_be_bytes());
    }
    Ok(Verifier::of(password, &salt, ITERATIONS).to_string())
}

fn check_reserved(name: &str, detail: &str) -> Result<()> {
    if !name.starts_with("pg_") {
        return Ok(());
    }
    Err(PgError::new(SqlState::RESERVED_NAME, format!("role name \"{name}\" is reserved")).with_detail(detail))
}

fn missing(name: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
}

/// CREATE ROLE, USER, GROUP.
pub(super) async fn create(statement: &pb::CreateRoleStmt, ctx: &mut DdlContext<'_>) -> Result<()> {
    let attributes = Attributes::read(&statement.options, ctx)?;
    let powers = Powers::of(ctx);
    if !powers.superuser && !powers.create_role {
        return Err(denied("create").with_detail("Only roles with the CREATEROLE attribute may create roles."));
    }
    attributes.check_powers("create", &powers)?;
    let name = &statement.role;
    check_reserved(name, "Role names starting with \"pg_\" are reserved.")?;
    let exists = || PgError::new(SqlState::DUPLICATE_OBJECT, format!("role \"{name}\" already exists"));
    if ctx.snapshot().role_oid(name).is_some() {
        return Err(exists());
    }
    let mut role = Role {
        oid: next_oid(ctx.transaction.sequences())?,
        name: name.clone(),
        superuser: false,
        login: statement.stmt_type() == RoleStmtType::RolestmtUser,
        create_db: false,
        create_role: false,
        inherit: true,
        replication: false,
        bypass_rls: false,
        connection_limit: -1,
        verifier: None,
    };
    attributes.apply(&mut role, ctx)?;
    if ctx.claim_name(NameSpace::Role, Oid::NONE, name, role.oid).await?.is_some() {
        return Err(exists());
    }
    ctx.catalog.put(ctx.transaction, ctx.statement, role);
    Ok(())
}

/// ALTER ROLE ... of attributes.
pub(super) async fn alter(statement: &pb::AlterRoleStmt, ctx: &mut DdlContext<'_>) -> Result<()> {
    let spec = statement.role.as_ref().ok_or_else(|| PgError::internal("ALTER ROLE of nobody"))?;
    let changes_members = statement
        .options
        .iter()
        .any(|option| matches!(&option.node, Some(Node::DefElem(option)) if option.defname == "rolemembers"));
    if changes_members {
        return Err(PgError::unsupported("ALTER GROUP ... ADD or DROP USER"));
    }
    if spec.roletype() == RoleSpecType::RolespecCstring {
        check_reserved(&spec.rolename, "Cannot alter reserved roles.")?;
    }
    let attributes = Attributes::read(&statement.options, ctx)?;
    let (oid, name) = role_of_spec(spec, ctx)?;
    ctx.lock(oid, TableLockMode::AccessExclusive).await?;
    let mut role = Role::clone(ctx.snapshot().role(oid).ok_or_else(|| missing(&name))?);
    let powers = Powers::of(ctx);
    if role.superuser && !powers.superuser {
        return Err(denied("alter")
            .with_detail("Only roles with the SUPERUSER attribute may alter roles with the SUPERUSER attribute."));
    }
    if !powers.superuser && !powers.create_role {
        let only_password =
            attributes.password.is_some() && oid == ctx.session.user_oid && statement.options.len() == 1;
        if !only_password {
            return Err(denied("alter").with_detail(format!(
                "Only roles with the CREATEROLE attribute and the ADMIN option on role \"{name}\" may alter this role."
            )));
        }
    }
    attributes.check_powers("alter", &powers)?;
    if attributes.superuser == Some(false) && oid == POSTGRES_ROLE {
        return Err(denied("alter").with_detail("The bootstrap superuser must have the SUPERUSER attribute."));
    }
    attributes.apply(&mut role, ctx)?;
    ctx.catalog.put(ctx.transaction, ctx.statement, role);
    Ok(())
}

/// DROP ROLE.
pub(super) async fn drop_roles(statement: &pb::DropRoleStmt, ctx: &mut DdlContext<'_>) -> Result<()> {
    let powers = Powers::of(ctx);
    if !powers.superuser && !powers.create_role {
        return Err(denied("drop").with_detail(
            "Only roles with the CREATEROLE attribute and the ADMIN option on the target roles may drop roles.",
        ));
    }
    for spec in &statement.roles {
        let Some(Node::RoleSpec(spec)) = &spec.node else { continue };
        if spec.roletype() != RoleSpecType::RolespecCstring {
            let message = "cannot use special role specifier in DROP ROLE";
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        let name = &spec.rolename;
        let found = ctx
            .lock_found(TableLockMode::AccessExclusive, |catalog, _| {
                Ok(catalog.role_by_name(name).map(|role| role.oid))
            })
            .await?;
        let Some(oid) = found else {
            if ctx.snapshot().role_oid(name).is_some() {
                let message = format!("cannot drop role {name} because it is required by the database system");
                return Err(PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
            }
            if !statement.missing_ok {
                return Err(missing(name));
            }
            ctx.notice(SqlState::SUCCESSFUL_COMPLETION, format!("role \"{name}\" does not exist, skipping"));
            continue;
        };
        check_droppable(oid, name, &powers, ctx)?;
        ctx.free_name(NameSpace::Role, Oid::NONE, name);
        remove_key(ctx, ObjectKind::Role, oid);
        remove_comments(ctx, PG_AUTHID, oid, None);
    }
    Ok(())
}

fn check_droppable(oid: Oid, name: &str, powers: &Powers, ctx: &DdlContext<'_>) -> Result<()> {
    let in_use = |message: &'static str| Err(PgError::new(SqlState::OBJECT_IN_USE, message));
    if oid == ctx.session.user_oid {
        return in_use("current user cannot be dropped");
    }
    if *name == *ctx.session.session_user {
        return in_use("session user cannot be dropped");
    }
    if ctx.snapshot().role(oid).is_some_and(|role| role.superuser) && !powers.superuser {
        return Err(denied("drop")
            .with_detail("Only roles with the SUPERUSER attribute may drop roles with the SUPERUSER attribute."));
    }
    if oid == POSTGRES_ROLE {
        let message = format!("cannot drop role {name} because it is required by the database system");
        return Err(PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
    }
    let owned = owned_by(oid, ctx);
    if owned.is_empty() {
        return Ok(());
    }
    let message = format!("role \"{name}\" cannot be dropped because some objects depend on it");
    Err(PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message).with_detail(owned.join("\n")))
}

/// `owner of table t`, ...
fn owned_by(role: Oid, ctx: &DdlContext<'_>) -> Vec<String> {
    let catalog = ctx.snapshot();
    let tables = catalog.tables().filter(|table| table.owner == role).map(|table| table.oid);
    let sequences = catalog.sequences().filter(|sequence| sequence.owner == role).map(|sequence| sequence.oid);
    let views = catalog.views().filter(|view| view.owner == role).map(|view| view.oid);
    let mut relations: Vec<Oid> = tables.chain(sequences).chain(views).collect();
    relations.sort();
    let schemas = catalog.schemas().filter(|schema| schema.owner == role);
    let addresses =
        relations.into_iter().map(Address::Relation).chain(schemas.map(|schema| Address::Schema(schema.oid)));
    let mut lines: Vec<String> = addresses.map(|address| format!("owner of {}", ctx.describe(address))).collect();
    let databases = catalog.databases().filter(|database| database.owner == role);
    lines.extend(databases.map(|database| format!("owner of database {}", database.name)));
    lines
}

/// The role that a statement names: its OID and name (`get_rolespec_tuple`).
pub(super) fn role_of_spec(spec: &pb::RoleSpec, ctx: &DdlContext<'_>) -> Result<(Oid, String)> {
    let named = |name: &str| {
        let oid = ctx.snapshot().role_oid(name).ok_or_else(|| missing(name))?;
        Ok((oid, name.to_owned()))
    };
    match spec.roletype() {
        RoleSpecType::RolespecCstring => named(&spec.rolename),
        RoleSpecType::RolespecCurrentRole | RoleSpecType::RolespecCurrentUser => {
            Ok((ctx.session.user_oid, ctx.session.user.to_string()))
        }
        RoleSpecType::RolespecSessionUser => named(&ctx.session.session_user),
        RoleSpecType::RolespecPublic => Err(missing("public")),
        RoleSpecType::Undefined => Err(PgError::internal("a role specifier of no kind")),
    }
}
