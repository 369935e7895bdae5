//! BEGIN, COMMIT, ROLLBACK, savepoints, SET TRANSACTION.

use helios_sql::parse::protobuf as pb;
use helios_sql::parse::{Notice, Severity};
use helios_txn::IsolationLevel;
use helios_types::{PgError, Result, SqlState};

use super::block::Modes;
use super::source::notice;
use super::{Block, Session};

fn warning(code: SqlState, message: &str) -> Notice {
    notice(Severity::Warning, code, message)
}

/// The text of a transaction mode's value.
fn mode_text(option: &pb::DefElem) -> Option<String> {
    match option.arg.as_ref()?.node.as_ref()? {
        pb::node::Node::AConst(constant) => match constant.val.as_ref()? {
            pb::a_const::Val::Sval(text) => Some(text.sval.clone()),
            pb::a_const::Val::Ival(number) => Some(number.ival.to_string()),
            pb::a_const::Val::Boolval(value) => Some(i32::from(value.boolval).to_string()),
            _ => None,
        },
        pb::node::Node::String(text) => Some(text.sval.clone()),
        pb::node::Node::Integer(number) => Some(number.ival.to_string()),
        pb::node::Node::Boolean(value) => Some(i32::from(value.boolval).to_string()),
        _ => None,
    }
}

/// As PostgreSQL spells an isolation level.
pub(crate) fn isolation_name(level: IsolationLevel) -> &'static str {
    match level {
        IsolationLevel::ReadCommitted => "read committed",
        IsolationLevel::RepeatableRead => "repeatable read",
    }
}

/// The isolation level of that name.
pub(crate) fn isolation_level(name: &str) -> Result<IsolationLevel> {
    match name {
        "read committed" | "read uncommitted" => Ok(IsolationLevel::ReadCommitted),
        "repeatable read" => Ok(IsolationLevel::RepeatableRead),
        "serializable" => Err(PgError::unsupported("isolation level SERIALIZABLE").with_hint(
            "Use REPEATABLE READ, and lock the rows that a decision depends on with SELECT ... FOR UPDATE.",
        )),
        other => Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"transaction_isolation\": \"{other}\""),
        )),
    }
}

impl Session {
    /// The modes of a transaction that names none.
    pub(super) fn default_modes(&self) -> Result<Modes> {
        Ok(Modes {
            isolation: isolation_level(self.settings.get("default_transaction_isolation").unwrap_or("read committed"))?,
            read_only: self.settings.is_on("default_transaction_read_only"),
        })
    }

    fn modes(&self, options: &[pb::Node], mut modes: Modes) -> Result<Modes> {
        for option in options {
            let Some(pb::node::Node::DefElem(option)) = &option.node else { continue };
            let value = mode_text(option).unwrap_or_default();
            match option.defname.as_str() {
                "transaction_isolation" => modes.isolation = isolation_level(&value)?,
                "transaction_read_only" => modes.read_only = value == "1" || value == "on" || value == "true",
                // It matters to SERIALIZABLE READ ONLY alone.
                "transaction_deferrable" => {}
                other => return Err(PgError::unsupported(format!("transaction mode {other}"))),
            }
        }
        Ok(modes)
    }

    /// SET TRANSACTION and SET SESSION CHARACTERISTICS AS TRANSACTION.
    pub(super) fn set_transaction(&mut self, options: &[pb::Node], session: bool) -> Result<()> {
        if session {
            let modes = self.modes(options, self.default_modes()?)?;
            let isolation = isolation_name(modes.isolation);
            let scope = crate::settings::SetScope::Session;
            self.settings.set("default_transaction_isolation", isolation, scope)?;
            let read_only = if modes.read_only { "on" } else { "off" };
            self.settings.set("default_transaction_read_only", read_only, scope)?;
            self.settings_changed();
            return Ok(());
        }
        if !matches!(self.block, Block::Begun) {
            self.warn_no_block("SET TRANSACTION can only be used in transaction blocks");
        }
        let Some(current) = self.current_modes() else { return Ok(()) };
        let modes = self.modes(options, current)?;
        self.change_modes(current, modes)
    }

    fn current_modes(&self) -> Option<Modes> {
        let active = self.active.as_ref()?;
        Some(Modes { isolation: active.transaction.isolation(), read_only: active.read_only })
    }

    fn change_modes(&mut self, current: Modes, modes: Modes) -> Result<()> {
        let Some(active) = &mut self.active else { return Ok(()) };
        if active.settled && modes.isolation != current.isolation {
            return Err(PgError::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION ISOLATION LEVEL must be called before any query",
            ));
        }
        if active.settled && current.read_only && !modes.read_only {
            return Err(PgError::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "transaction read-write mode must be set before any query",
            ));
        }
        if modes.isolation == current.isolation {
            active.read_only = modes.read_only;
        } else if active.depth() > 0 {
            return Err(PgError::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction",
            ));
        } else {
            self.begin(modes);
        }
        Ok(())
    }

    /// `SET transaction_isolation`.
    pub(super) fn change_isolation(&mut self, value: &str) -> Result<()> {
        let isolation = isolation_level(&value.to_ascii_lowercase())?;
        let current = self.current_modes();
        current.map_or(Ok(()), |current| self.change_modes(current, Modes { isolation, ..current }))
    }

    /// `SET transaction_read_only`.
    pub(super) fn change_read_only(&mut self, value: &str) -> Result<()> {
        let read_only = crate::settings::boolean("transaction_read_only", value)?;
        let current = self.current_modes();
        current.map_or(Ok(()), |current| self.change_modes(current, Modes { read_only, ..current }))
    }

    /// Runs a transaction control statement; its command tag.
    pub(super) async fn transaction_control(&mut self, statement: &pb::TransactionStmt) -> Result<&'static str> {
        use pb::TransactionStmtKind as Kind;
        match statement.kind() {
            kind @ (Kind::TransStmtBegin | Kind::TransStmtStart) => {
                let tag = if kind == Kind::TransStmtBegin { "BEGIN" } else { "START TRANSACTION" };
                if matches!(self.block, Block::Begun | Block::Failed) {
                    let message = "there is already a transaction in progress";
                    self.notices.push(warning(SqlState::ACTIVE_SQL_TRANSACTION, message));
                    return Ok(tag);
                }
                let modes = self.modes(&statement.options, self.default_modes()?)?;
                // An implicit transaction that has done something already goes on as the block's.
                let fresh =
                    self.active.as_ref().is_none_or(|active| !active.settled && !active.transaction.has_writes());
                if fresh {
                    self.begin(modes);
                } else if let Some(current) = self.current_modes() {
                    let asked = self.modes(&statement.options, current)?;
                    self.change_modes(current, asked)?;
                }
                self.block = Block::Begun;
                Ok(tag)
            }
            Kind::TransStmtCommit => self.commit_block(statement.chain).await,
            Kind::TransStmtRollback => {
                let in_block = matches!(self.block, Block::Begun | Block::Failed);
                self.no_block_warning(in_block, statement.chain, "ROLLBACK AND CHAIN")?;
                let modes = self.chained_modes(statement.chain);
                self.abort();
                self.chain(modes);
                Ok("ROLLBACK")
            }
            Kind::TransStmtSavepoint => {
                self.require_block("SAVEPOINT")?;
                if let Some(active) = &mut self.active {
                    active.savepoint(&statement.savepoint_name);
                    self.settings.savepoint();
                }
                Ok("SAVEPOINT")
            }
            Kind::TransStmtRelease => {
                self.require_block("RELEASE SAVEPOINT")?;
                if let Some(active) = &mut self.active {
                    let depth = active.release(&statement.savepoint_name)?;
                    self.settings.release(depth);
                }
                Ok("RELEASE")
            }
            Kind::TransStmtRollbackTo => {
                self.require_block("ROLLBACK TO SAVEPOINT")?;
                let newest = self.database.catalog();
                if let Some(active) = &mut self.active {
                    let depth = active.rollback_to(&statement.savepoint_name, &newest)?;
                    self.portals.retain(|_, portal| portal.depth() <= depth);
                    self.settings.rollback_to(depth);
                    self.settings_changed();
                    self.block = Block::Begun;
                }
                Ok("ROLLBACK")
            }
            Kind::TransStmtPrepare => Err(PgError::unsupported("PREPARE TRANSACTION")),
            Kind::TransStmtCommitPrepared => Err(PgError::unsupported("COMMIT PREPARED")),
            Kind::TransStmtRollbackPrepared => Err(PgError::unsupported("ROLLBACK PREPARED")),
            Kind::Undefined => Err(PgError::internal("a transaction statement of no kind")),
        }
    }

    async fn commit_block(&mut self, chain: bool) -> Result<&'static str> {
        let failed = matches!(self.block, Block::Failed);
        self.no_block_warning(failed || matches!(self.block, Block::Begun), chain, "COMMIT AND CHAIN")?;
        let modes = self.chained_modes(chain);
        if failed {
            self.abort();
            self.chain(modes);
            return Ok("ROLLBACK");
        }
        self.commit().await?;
        self.chain(modes);
        Ok("COMMIT")
    }

    fn no_block_warning(&mut self, in_block: bool, chain: bool, what: &str) -> Result<()> {
        if in_block {
            return Ok(());
        }
        if chain {
            return Err(PgError::new(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                format!("{what} can only be used in transaction blocks"),
            ));
        }
        self.notices.push(warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress"));
        Ok(())
    }

    fn chained_modes(&self, chain: bool) -> Option<Modes> {
        self.current_modes().filter(|_| chain)
    }

    fn chain(&mut self, modes: Option<Modes>) {
        if let Some(modes) = modes {
            self.begin(modes);
            self.block = Block::Begun;
        }
    }

    fn require_block(&self, what: &str) -> Result<()> {
        if matches!(self.block, Block::Begun | Block::Failed) {
            return Ok(());
        }
        Err(PgError::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, format!("{what} can only be used in transaction blocks")))
    }
}
