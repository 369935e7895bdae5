//! One client's conversation with the database.
//!
//! A session knows no protocol and does no I/O with its client: a server, or the embedded API, calls it and passes on
//! what it answers. Everything that runs does so inside one of three futures ([`Session::next`], [`Session::sync`],
//! [`Session::copy_in`] and its kin), each of which can be dropped at any moment; whoever drops one calls
//! [`Session::fail`] before anything else.
//!
//! ```text
//!   simple protocol                        extended protocol
//!   ───────────────                        ─────────────────
//!   query(sql)                             prepare(name, sql, types)   bind(portal, name, values)
//!   next() ─▶ Columns, Rows, Complete      execute(portal, max_rows)
//!   next() ─▶ ...                          next() ─▶ Rows, Complete | Suspended
//!   next() ─▶ None: ready for the next     next() ─▶ None
//!                                          sync()
//! ```
//!
//! The rules of transactions are PostgreSQL's: a script is one implicit transaction unless it says otherwise; so is
//! everything between two `sync`s; BEGIN turns it into a block. An error that a method returns has failed the
//! transaction already. What the parser, DDL and COMMIT have to say below ERROR waits in [`Session::take_notices`];
//! settings that a client must be told of, in [`Session::take_parameter_changes`].

mod block;
mod control;
mod copy;
mod copy_in;
mod create_as;
mod cursor;
mod encode;
mod explain;
mod extended;
mod guard;
mod maintenance;
mod portal;
mod reply;
mod run;
mod source;
mod statement;
mod utility;
mod variables;

use std::collections::BTreeMap;
use std::sync::Arc;

use helios_env::Instant;
use helios_env::hash::HashMap;
use helios_env::sync::Mutex;
use helios_sql::execute::CancelReason;
use helios_sql::parse::{Notice, Severity};
use helios_sql::session::{SessionContext, text_style};
use helios_storage::Durability;
use helios_txn::TransactionOptions;
use helios_types::io::Style;
use helios_types::{PgError, Result, SqlState};

use crate::activity::{Activity, ActivityReport, ActivityState};
use crate::database::Database;
use crate::doors::{SequenceMemory, SettingsDoor, StatementDoors};
use crate::settings::Settings;
use block::Active;
use copy_in::CopyIn;
use portal::Portal;
use run::Run;

pub(crate) use control::isolation_name;
pub(crate) use extended::Prepared;
pub(crate) use source::{Source, failed_block};
pub(crate) use statement::read_only;

pub use block::TransactionStatus;
pub use encode::RowEncoder;
pub use reply::{ColumnDescription, CopyFormat, CopySpec, Format, PortalDescription, Reply, StatementDescription};

/// How a session begins.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Who.
    pub user: String,
    /// Where; empty for the database of the user's name.
    pub database: String,
    /// Settings that the client asked for at its start: RESET goes back to them.
    pub settings: Vec<(String, String)>,
    /// Where the client is, for `pg_stat_activity`.
    pub client_address: Option<String>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions {
            user: "postgres".to_owned(),
            database: "postgres".to_owned(),
            settings: Vec::new(),
            client_address: None,
        }
    }
}

/// Where a session stands between transactions: see [`block`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    /// No transaction.
    Idle,
    /// A transaction that ends with the script, or at the next sync.
    Implicit,
    /// BEGIN.
    Begun,
    /// BEGIN, then an error.
    Failed,
}

/// One client's conversation with the database. See the [module](self).
pub struct Session {
    database: Database,
    activity: Arc<Activity>,
    settings: Settings,
    block: Block,
    active: Option<Active>,
    notices: Vec<Notice>,
    reported: Vec<(&'static str, String)>,
    reported_for: Arc<BTreeMap<String, String>>,
    statements: HashMap<String, Arc<Prepared>>,
    portals: HashMap<String, Portal>,
    run: Run,
    context: SessionContext,
    /// When the running message is to end.
    deadline: Option<Instant>,
    /// What plans depend on, for these settings.
    environment: Option<(Arc<BTreeMap<String, String>>, Arc<str>)>,
    sequences: Arc<SequenceMemory>,
    /// COPY FROM STDIN under way, and how many rows the one that is done has inserted.
    copy_in: Option<CopyIn>,
    copied: Option<u64>,
    /// Whether the running statement is one of several of a script.
    in_script: bool,
}

impl Session {
    pub(crate) fn new(database: Database, options: SessionOptions) -> Result<Session> {
        let name = if options.database.is_empty() { &options.user } else { &options.database };
        let catalog = database.catalog();
        let role = catalog.role_by_name(&options.user).ok_or_else(|| {
            let message = format!("role \"{}\" does not exist", options.user);
            PgError::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message)
        })?;
        if !role.login {
            let message = format!("role \"{}\" is not permitted to log in", options.user);
            return Err(PgError::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message));
        }
        let descriptor = catalog.database_by_name(name).ok_or_else(|| {
            PgError::new(SqlState::INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist"))
        })?;
        if !descriptor.allow_connections {
            let message = format!("database \"{name}\" is not currently accepting connections");
            return Err(PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        }
        let mut settings = Settings::new();
        settings.assign("session_authorization", &role.name);
        settings.assign("is_superuser", if role.superuser { "on" } else { "off" });
        if !database.config().synchronous_commit {
            settings.assign("synchronous_commit", "off");
        }
        for (name, value) in &options.settings {
            settings.set_default(name, value)?;
        }
        let env = database.env().clone();
        let now = env.clock.wall();
        let (user, database_name): (Arc<str>, Arc<str>) = (role.name.as_str().into(), name.as_str().into());
        let report = ActivityReport {
            pid: database.next_pid(),
            user: user.clone(),
            database: database_name.clone(),
            application_name: settings.get("application_name").unwrap_or_default().into(),
            client_address: options.client_address.as_deref().map(Arc::from),
            backend_start: now,
            transaction_start: None,
            query_start: None,
            state_change: now,
            state: ActivityState::Idle,
            query: "".into(),
        };
        #[allow(clippy::cast_possible_truncation)]
        let secret = env.rng.fork("session secrets").next_u64() as i32;
        let activity = Arc::new(Activity::new(secret, report));
        database.register(&activity);
        let context = SessionContext {
            database: database_name,
            database_oid: descriptor.oid,
            user: user.clone(),
            user_oid: role.oid,
            session_user: user,
            backend_pid: activity.pid(),
            settings: settings.effective().clone(),
            style: Arc::new(text_style(settings.effective())),
            transaction_timestamp: now,
            statement_timestamp: now,
            clock: env.clock.clone(),
            rng: env.rng.fork("random()"),
            random: Arc::default(),
        };
        let reported = settings.reported();
        Ok(Session {
            database,
            activity,
            settings,
            block: Block::Idle,
            active: None,
            notices: Vec::new(),
            reported,
            reported_for: context.settings.clone(),
            statements: HashMap::default(),
            portals: HashMap::default(),
            run: Run::Idle,
            context,
            deadline: None,
            environment: None,
            sequences: Arc::default(),
            copy_in: None,
            copied: None,
            in_script: false,
        })
    }

    /// The session as others see it; kept by whoever may have to cancel it.
    pub fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Run-time settings, as they hold now.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How values print, as the settings say now.
    pub fn style(&self) -> Arc<Style> {
        self.context.style.clone()
    }

    /// Whether the session is in a transaction block.
    pub fn status(&self) -> TransactionStatus {
        match self.block {
            Block::Idle | Block::Implicit => TransactionStatus::Idle,
            Block::Begun => TransactionStatus::InTransaction,
            Block::Failed => TransactionStatus::Failed,
        }
    }

    /// Messages below ERROR since the last call, in order, as far as `client_min_messages` lets them through.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        let notices = std::mem::take(&mut self.notices);
        if notices.is_empty() {
            return notices;
        }
        let level = self.settings.get("client_min_messages").unwrap_or("notice");
        let passes = |notice: &Notice| match level {
            "error" => false,
            "warning" => notice.severity == Severity::Warning,
            _ => true,
        };
        notices.into_iter().filter(passes).collect()
    }

    /// Settings that clients are told of, as they are at the start of a session.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        self.settings.reported()
    }

    /// Settings that clients are told of and that have changed since the last call.
    pub fn take_parameter_changes(&mut self) -> Vec<(&'static str, String)> {
        if Arc::ptr_eq(&self.reported_for, self.settings.effective()) {
            return Vec::new();
        }
        self.reported_for = self.settings.effective().clone();
        let now = self.settings.reported();
        let changed = now.iter().zip(&self.reported).filter(|(now, before)| now != before);
        let changed: Vec<_> = changed.map(|(now, _)| now.clone()).collect();
        self.reported = now;
        changed
    }

    /// Gives up what runs and fails the transaction: after a future was dropped, or an error outside of the session (a
    /// message that could not be read). What a method itself has reported as an error has done this already.
    pub fn fail(&mut self) {
        self.run = Run::Idle;
        (self.copy_in, self.copied) = (None, None);
        self.activity.set_committing(false);
        match self.block {
            Block::Begun | Block::Failed => {
                let depth = self.active.as_mut().map_or(0, Active::fail);
                self.portals.retain(|_, portal| portal.depth() < depth);
                match depth.checked_sub(1) {
                    Some(innermost) => self.settings.rollback_to(innermost),
                    None => self.settings.rollback(),
                }
                self.block = Block::Failed;
            }
            Block::Idle | Block::Implicit => self.abort(),
        }
        self.settings_changed();
        self.report_idle();
    }

    /// Rolls the transaction back, whatever it is.
    fn abort(&mut self) {
        if let Some(active) = self.active.take() {
            // Whoever else still refers to the transaction, its locks end here.
            active.transaction.rollback();
        }
        self.portals.clear();
        self.settings.rollback();
        self.block = Block::Idle;
        self.settings_changed();
    }

    /// Rolls the transaction back, whatever it is, and whatever ran in it.
    pub(crate) fn roll_back(&mut self) {
        self.run = Run::Idle;
        self.abort();
        self.report_idle();
    }

    /// Commits the transaction, if there is one.
    async fn commit(&mut self) -> Result<()> {
        self.portals.clear();
        self.block = Block::Idle;
        let Some(active) = self.active.take() else {
            self.settings.commit();
            return Ok(());
        };
        let durability = match self.settings.get("synchronous_commit") {
            Some("off") => Durability::Async,
            _ => Durability::Sync,
        };
        self.activity.set_committing(true);
        let outcome = active.commit(&self.database, durability).await;
        self.activity.set_committing(false);
        match outcome {
            Ok(()) => self.settings.commit(),
            Err(_) => self.settings.rollback(),
        }
        self.settings_changed();
        outcome
    }

    fn transaction_options(&self) -> TransactionOptions {
        TransactionOptions {
            pid: self.activity.pid(),
            deadlock_timeout: self.settings.millis("deadlock_timeout").unwrap_or_default(),
            ..TransactionOptions::default()
        }
    }

    /// The transaction, begun now if there is none.
    fn transaction(&mut self) -> Result<&mut Active> {
        if self.active.is_none() {
            let modes = self.default_modes()?;
            self.begin(modes);
            if self.block == Block::Idle {
                self.block = Block::Implicit;
            }
        }
        self.active.as_mut().ok_or_else(|| PgError::internal("a transaction was begun and is not there"))
    }

    fn begin(&mut self, modes: block::Modes) {
        let started = self.context.statement_timestamp;
        self.active = Some(Active::begin(&self.database, modes, self.transaction_options()));
        self.context.transaction_timestamp = started;
        self.activity.change(|report| report.transaction_start = Some(started));
    }

    /// Brings what depends on settings up to date.
    fn settings_changed(&mut self) {
        if Arc::ptr_eq(&self.context.settings, self.settings.effective()) {
            return;
        }
        self.context.settings = self.settings.effective().clone();
        self.context.style = Arc::new(text_style(&self.context.settings));
        let name = self.settings.get("application_name").unwrap_or_default();
        self.activity.change(|report| {
            if *report.application_name != *name {
                report.application_name = name.into();
            }
        });
    }

    /// A message of the client begins.
    fn arrive(&mut self, text: &Arc<str>) {
        let now = self.database.env().clock.wall();
        self.context.statement_timestamp = now;
        self.in_script = false;
        if self.active.is_none() {
            self.context.transaction_timestamp = now;
        }
        if self.activity.token().reason() != Some(CancelReason::Shutdown) {
            self.activity.token().reset();
        }
        let timeout = self.settings.millis("statement_timeout");
        self.deadline = timeout.map(|timeout| self.database.env().clock.monotonic() + timeout);
        self.activity.change(|report| {
            report.state = ActivityState::Active;
            report.state_change = now;
            report.query_start = Some(now);
            report.query = text.clone();
        });
    }

    /// The client is to speak next.
    fn report_idle(&mut self) {
        let state = match self.block {
            Block::Idle | Block::Implicit => ActivityState::Idle,
            Block::Begun => ActivityState::IdleInTransaction,
            Block::Failed => ActivityState::IdleInFailedTransaction,
        };
        let now = self.database.env().clock.wall();
        let in_transaction = self.active.is_some();
        self.activity.change(|report| {
            if report.state != state {
                report.state = state;
                report.state_change = now;
            }
            if !in_transaction {
                report.transaction_start = None;
            }
        });
    }

    /// Doors for a statement that begins now. There is a transaction.
    fn doors(&mut self) -> Result<Arc<StatementDoors>> {
        let catalog = self.newest_catalog();
        let search_path = self.search_path(&catalog);
        let active = self.transaction()?;
        let (transaction, read_only) = (active.transaction.clone(), active.read_only);
        Ok(Arc::new(StatementDoors {
            database: self.database.clone(),
            catalog,
            search_path,
            session: self.context.clone(),
            transaction,
            read_only,
            sequences: self.sequences.clone(),
            created: Mutex::default(),
            settings: Mutex::new(SettingsDoor { settings: self.settings.clone(), changes: Vec::new() }),
        }))
    }

    /// A text, parsed: now, or by whoever said the same before.
    fn parse(&self, text: &str) -> Result<Arc<Source>> {
        let cache = self.database.sources();
        if let Some(source) = cache.get(text) {
            return Ok(source);
        }
        let source = Source::parse(text)?;
        cache.put(&source);
        Ok(source)
    }

    /// Takes over what a statement did to the session.
    fn take_over(&mut self, doors: &StatementDoors) -> Result<()> {
        for (name, value, scope) in doors.take_changes() {
            self.set_setting(&name, &value, scope)?;
        }
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.database.unregister(self.activity.pid());
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("pid", &self.activity.pid()).field("block", &self.block).finish_non_exhaustive()
    }
}
