//! Messages of a session that has begun: the simple and the extended protocol, and COPY.

use bytes::{Bytes, BytesMut};
use helios_types::{PgError, SqlState};
use heliosdb::{Format, Reply, RowEncoder, Session};

use crate::conversation::Step;
use crate::message::backend::{self, Gravity};
use crate::message::frontend::{self, Frame, Garbage, Target};
use crate::reply;

/// What the session is running.
enum Running {
    /// Nothing: the client's next message is waited for.
    Nothing,
    /// A Query's statements.
    Script,
    /// An Execute's portal.
    Portal,
}

/// A session that has begun.
pub(crate) struct Live {
    pub(crate) session: Session,
    running: Running,
    /// How the rows that come are written, and how many columns they have.
    encoder: Option<(RowEncoder, usize)>,
    /// COPY FROM STDIN: data is waited for.
    copying: bool,
    /// An error in the extended protocol: everything up to Sync is passed over.
    skipping: bool,
    /// The text that positions of errors refer to.
    source: String,
}

impl Live {
    pub(crate) fn new(session: Session) -> Live {
        Live {
            session,
            running: Running::Nothing,
            encoder: None,
            copying: false,
            skipping: false,
            source: String::new(),
        }
    }

    /// Whether the client is to speak next.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.running, Running::Nothing)
    }

    pub(crate) async fn advance(&mut self, inbox: &mut BytesMut, outbox: &mut BytesMut) -> Result<Step, Garbage> {
        if !self.is_idle() && !self.copying {
            self.run(outbox).await;
            return Ok(Step::Again);
        }
        let Some(frame) = frontend::take_frame(inbox)? else { return Ok(Step::NeedInput) };
        if frame.kind == b'X' {
            return Ok(Step::Close);
        }
        if self.copying {
            self.copy_message(frame, outbox).await?;
        } else if frame.kind == b'p' {
            let message = format!("invalid frontend message type {}", frame.kind);
            return Err(Garbage::Told(PgError::new(SqlState::PROTOCOL_VIOLATION, message)));
        } else {
            self.message(frame, outbox).await;
        }
        Ok(Step::Again)
    }

    /// Runs the script or the portal a little further.
    async fn run(&mut self, outbox: &mut BytesMut) {
        let reply = self.session.next().await;
        self.notices(outbox);
        match reply {
            Ok(Some(reply)) => self.reply(reply, outbox),
            Ok(None) => self.finish(outbox),
            Err(error) => self.fail(&error, outbox),
        }
    }

    fn reply(&mut self, reply: Reply, outbox: &mut BytesMut) {
        match reply {
            Reply::Columns(columns) => {
                backend::row_description(outbox, &columns, &[Format::Text]);
                self.encoder = Some((self.session.encoder(&columns, &[]), columns.len()));
            }
            Reply::Rows(batch) => {
                let written = match &self.encoder {
                    Some((encoder, columns)) => reply::data_rows(outbox, &batch, encoder, *columns),
                    None => Err(PgError::internal("rows of a result that was not described")),
                };
                if let Err(error) = written {
                    self.session.fail();
                    self.fail(&error, outbox);
                }
            }
            Reply::Complete(tag) => backend::command_complete(outbox, &tag),
            Reply::Suspended => backend::bare(outbox, b's'),
            Reply::Empty => backend::bare(outbox, b'I'),
            Reply::CopyIn(spec) => {
                self.copying = true;
                backend::copy_response(outbox, b'G', &spec);
            }
            Reply::CopyOut(spec) => backend::copy_response(outbox, b'H', &spec),
            Reply::CopyData(data) => backend::copy_data(outbox, &data),
            Reply::CopyDone => backend::bare(outbox, b'c'),
        }
    }

    /// What ran is done.
    fn finish(&mut self, outbox: &mut BytesMut) {
        if matches!(std::mem::replace(&mut self.running, Running::Nothing), Running::Script) {
            self.ready(outbox);
        }
    }

    fn ready(&mut self, outbox: &mut BytesMut) {
        for (name, value) in self.session.take_parameter_changes() {
            backend::parameter_status(outbox, name, &value);
        }
        backend::ready_for_query(outbox, self.session.status());
    }

    /// An error that the session has dealt with already.
    fn fail(&mut self, error: &PgError, outbox: &mut BytesMut) {
        self.notices(outbox);
        backend::error_response(outbox, error, Gravity::Error, &self.source);
        self.copying = false;
        if matches!(std::mem::replace(&mut self.running, Running::Nothing), Running::Script) {
            self.ready(outbox);
        } else {
            self.skipping = true;
        }
    }

    fn notices(&mut self, outbox: &mut BytesMut) {
        for notice in self.session.take_notices() {
            backend::notice_response(outbox, &notice, &self.source);
        }
    }

    async fn message(&mut self, frame: Frame, outbox: &mut BytesMut) {
        if self.skipping && frame.kind != b'S' {
            return;
        }
        match frame.kind {
            b'Q' => {
                self.running = Running::Script;
                match frontend::query(frame.body) {
                    Ok(sql) => {
                        self.session.query(&sql);
                        self.source = sql;
                    }
                    Err(error) => self.refuse(&error, outbox),
                }
            }
            b'S' => {
                self.skipping = false;
                if let Err(error) = frontend::nothing(frame.body) {
                    self.refuse(&error, outbox);
                    self.skipping = false;
                }
                let outcome = self.session.sync().await;
                self.notices(outbox);
                if let Err(error) = outcome {
                    backend::error_response(outbox, &error, Gravity::Error, "");
                }
                self.ready(outbox);
            }
            // Output is handed over whenever input is waited for.
            b'H' => {
                if let Err(error) = frontend::nothing(frame.body) {
                    self.refuse(&error, outbox);
                }
            }
            // Data of a COPY that has failed already.
            b'd' | b'c' | b'f' => {}
            b'F' => self.refuse(&PgError::unsupported("a function call message"), outbox),
            kind => {
                if let Err(error) = self.extended(kind, frame.body, outbox).await {
                    self.fail(&error, outbox);
                }
            }
        }
    }

    /// An error that the session does not know of yet.
    fn refuse(&mut self, error: &PgError, outbox: &mut BytesMut) {
        self.session.fail();
        self.source.clear();
        self.fail(error, outbox);
    }

    async fn extended(&mut self, kind: u8, body: Bytes, outbox: &mut BytesMut) -> Result<(), PgError> {
        match kind {
            b'P' => {
                let parse = self.read(frontend::parse(body))?;
                let outcome = self.session.prepare(&parse.name, &parse.sql, &parse.types).await;
                self.source = parse.sql;
                outcome?;
                self.notices(outbox);
                backend::bare(outbox, b'1');
            }
            b'B' => {
                let bind = self.read(frontend::bind(body))?;
                let values: Vec<Option<&[u8]>> = bind.values.iter().map(|value| value.as_deref()).collect();
                let portal =
                    self.session.bind(&bind.portal, &bind.statement, &bind.formats, &values, &bind.result_formats);
                portal.await?;
                self.notices(outbox);
                backend::bare(outbox, b'2');
            }
            b'D' => match self.read(frontend::target(body, "DESCRIBE"))? {
                (Target::Statement, name) => {
                    let described = self.session.describe_statement(&name)?;
                    backend::parameter_description(outbox, &described.params);
                    match described.columns {
                        Some(columns) => backend::row_description(outbox, &columns, &[]),
                        None => backend::bare(outbox, b'n'),
                    }
                }
                (Target::Portal, name) => {
                    let described = self.session.describe_portal(&name)?;
                    match described.columns {
                        Some(columns) => backend::row_description(outbox, &columns, &described.formats),
                        None => backend::bare(outbox, b'n'),
                    }
                }
            },
            b'E' => {
                let (portal, rows) = self.read(frontend::execute(body))?;
                self.encoder = self
                    .session
                    .portal_rows(&portal)
                    .map(|(columns, formats)| (self.session.encoder(&columns, &formats), columns.len()));
                self.session.execute(&portal, rows)?;
                self.running = Running::Portal;
            }
            b'C' => {
                match self.read(frontend::target(body, "CLOSE"))? {
                    (Target::Statement, name) => self.session.close_statement(&name),
                    (Target::Portal, name) => self.session.close_portal(&name),
                }
                backend::bare(outbox, b'3');
            }
            other => {
                let message = format!("invalid frontend message type {other}");
                return self.read(Err(PgError::new(SqlState::PROTOCOL_VIOLATION, message)));
            }
        }
        Ok(())
    }

    /// A message that was read, or an error that the session must be told of.
    fn read<T>(&mut self, message: Result<T, PgError>) -> Result<T, PgError> {
        if message.is_err() {
            self.session.fail();
            self.source.clear();
        }
        message
    }

    /// A message while COPY FROM STDIN waits for data.
    async fn copy_message(&mut self, frame: Frame, outbox: &mut BytesMut) -> Result<(), Garbage> {
        let outcome = match frame.kind {
            b'd' => self.session.copy_in(&frame.body).await,
            b'c' => {
                self.copying = false;
                self.session.copy_in_done().await
            }
            b'f' => {
                let reason = frontend::query(frame.body).unwrap_or_default();
                Err(self.session.copy_in_fail(&reason))
            }
            b'H' | b'S' => Ok(()),
            other => {
                self.session.fail();
                let message = format!("unexpected message type 0x{other:02X} during COPY from stdin");
                let error = PgError::new(SqlState::PROTOCOL_VIOLATION, message);
                backend::error_response(outbox, &error, Gravity::Error, &self.source);
                let lost = "terminating connection because protocol synchronization was lost";
                return Err(Garbage::Told(PgError::new(SqlState::PROTOCOL_VIOLATION, lost)));
            }
        };
        if let Err(error) = outcome {
            self.fail(&error, outbox);
        }
        Ok(())
    }
}
