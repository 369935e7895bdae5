//! A client's side of the protocol, over a simulated connection: `postgres-protocol` reads and writes the messages, this
//! sees to it that they come in an order that PostgreSQL's manual allows.

use std::fmt::Write as _;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use helios_sim::{NetworkError, SimStream, Violation};
use postgres_protocol::message::backend::{ErrorFields, Message};
use postgres_protocol::message::frontend;

/// Why a client cannot go on with a connection.
#[derive(Debug)]
pub(super) enum Failure {
    /// It is gone: broken, ended, or ended by a FATAL error.
    Lost(Loss),
    /// A promise was broken.
    Violation(Violation),
}

/// How a connection was lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Loss {
    Network(NetworkError),
    /// The server's bytes ended.
    Ended,
    /// The server has said that it ends, with this code.
    Fatal(String),
    /// The client itself has let go of it.
    Left,
}

impl From<NetworkError> for Failure {
    fn from(error: NetworkError) -> Failure {
        Failure::Lost(Loss::Network(error))
    }
}

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Failure {
        Failure::Violation(violation)
    }
}

fn malformed(what: &str, error: &std::io::Error) -> Failure {
    Violation::new(format!("{what} is malformed: {error}")).into()
}

/// An ErrorResponse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
}

/// Everything up to a ReadyForQuery.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The kinds of messages in the order in which they came, by their letters in the protocol; rows and data of a copy
    /// that follow each other are one.
    pub(super) letters: String,
    pub(super) rows: Vec<Vec<Option<String>>>,
    /// Of each CommandComplete.
    pub(super) tags: Vec<String>,
    pub(super) copied: Vec<u8>,
    pub(super) refusal: Option<Refusal>,
    /// Of the ReadyForQuery: I, T or E. Not there when the server waits for the data of a copy.
    pub(super) status: Option<char>,
}

/// A connection with a session that has begun.
pub(super) struct Session {
    pub(super) stream: SimStream,
    inbox: BytesMut,
    /// Messages that are still to be sent.
    pub(super) outbox: BytesMut,
    /// What a cancel request must say.
    pub(super) key: (i32, i32),
    /// How many bytes are read at once.
    read_bytes: usize,
}

impl Session {
    /// Says who it is, and waits until it is let in. `tls`: asks first whether it might speak TLS, which it may not.
    pub(super) async fn begin(stream: SimStream, read_bytes: usize, name: &str, tls: bool) -> Result<Session, Failure> {
        let (inbox, outbox) = (BytesMut::new(), BytesMut::new());
        let mut session = Session { stream, inbox, outbox, key: (0, 0), read_bytes };
        if tls {
            frontend::ssl_request(&mut session.outbox);
            session.flush().await?;
            let mut answer = [0];
            match session.stream.read(&mut answer).await? {
                0 => return Err(Failure::Lost(Loss::Ended)),
                _ if answer == *b"N" => {}
                _ => return Err(Violation::new(format!("a request for TLS is answered by {answer:?}")).into()),
            }
        }
        let parameters = [("user", "postgres"), ("database", "postgres"), ("application_name", name)];
        frontend::startup_message(parameters, &mut session.outbox).expect("no zero bytes");
        session.flush().await?;
        let answer = session.answer().await?;
        match answer.letters.as_str() {
            "RKZ" => Ok(session),
            letters => Err(Violation::new(format!("a session begins with {letters}: {answer:?}")).into()),
        }
    }

    /// Adds a Query.
    pub(super) fn query(&mut self, sql: &str) {
        frontend::query(sql, &mut self.outbox).expect("no zero bytes");
    }

    /// Sends what was added.
    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        let bytes = self.outbox.split();
        Ok(self.stream.write_all(&bytes).await?)
    }

    /// Sends a Query and waits for everything that it answers.
    pub(super) async fn ask(&mut self, sql: &str) -> Result<Answer, Failure> {
        self.query(sql);
        self.flush().await?;
        self.answer().await
    }

    /// The next message.
    pub(super) async fn message(&mut self) -> Result<Message, Failure> {
        loop {
            if let Some(message) = Message::parse(&mut self.inbox).map_err(|error| malformed("a message", &error))? {
                return Ok(message);
            }
            let mut buffer = vec![0; self.read_bytes];
            match self.stream.read(&mut buffer).await? {
                0 => return Err(Failure::Lost(Loss::Ended)),
                count => self.inbox.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Everything up to ReadyForQuery, or up to the word that the data of a copy are waited for.
    pub(super) async fn answer(&mut self) -> Result<Answer, Failure> {
        let mut answer = Answer::default();
        loop {
            let message = self.message().await?;
            if let Message::BackendKeyData(body) = &message {
                self.key = (body.process_id(), body.secret_key());
            }
            answer.add(message)?;
            if answer.status.is_some() || answer.letters.ends_with('G') {
                return Ok(answer);
            }
        }
    }
}

impl Answer {
    fn add(&mut self, message: Message) -> Result<(), Failure> {
        let letter = match message {
            // Nothing that belongs to an answer.
            Message::ParameterStatus(_) | Message::NoticeResponse(_) => return Ok(()),
            Message::AuthenticationOk => 'R',
            Message::BackendKeyData(_) => 'K',
            Message::ParseComplete => '1',
            Message::BindComplete => '2',
            Message::CloseComplete => '3',
            Message::NoData => 'n',
            Message::ParameterDescription(_) => 't',
            Message::RowDescription(_) => 'T',
            Message::PortalSuspended => 's',
            Message::EmptyQueryResponse => 'I',
            Message::CopyInResponse(_) => 'G',
            Message::CopyOutResponse(_) => 'H',
            Message::CopyDone => 'c',
            Message::CopyData(body) => {
                self.copied.extend_from_slice(body.data());
                'd'
            }
            Message::DataRow(body) => {
                let text = |range: std::ops::Range<usize>| String::from_utf8_lossy(&body.buffer()[range]).into_owned();
                let row = body.ranges().map(|range| Ok(range.map(text))).collect();
                self.rows.push(row.map_err(|error| malformed("a DataRow", &error))?);
                'D'
            }
            Message::CommandComplete(body) => {
                self.tags.push(body.tag().map_err(|error| malformed("a tag", &error))?.to_owned());
                'C'
            }
            Message::ErrorResponse(body) => {
                self.refuse(body.fields())?;
                'E'
            }
            Message::ReadyForQuery(body) => {
                self.status = Some(char::from(body.status()));
                'Z'
            }
            _ => return Err(Violation::new("a message that nobody asked for").into()),
        };
        let follows = self.letters.ends_with(letter) && matches!(letter, 'D' | 'd');
        if !follows {
            self.letters.push(letter);
        }
        Ok(())
    }

    fn refuse(&mut self, mut fields: ErrorFields<'_>) -> Result<(), Failure> {
        let (mut severity, mut refusal) = (String::new(), Refusal { code: String::new(), message: String::new() });
        while let Some(field) = fields.next().map_err(|error| malformed("an ErrorResponse", &error))? {
            let text = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'V' => severity = text,
                b'C' => refusal.code = text,
                b'M' => refusal.message = text,
                _ => (),
            }
        }
        match severity.as_str() {
            "FATAL" => Err(Failure::Lost(Loss::Fatal(refusal.code))),
            "ERROR" if self.refusal.is_none() => {
                self.refusal = Some(refusal);
                Ok(())
            }
            _ => Err(Violation::new(format!("an error of severity {severity:?} after {:?}", self.refusal)).into()),
        }
    }

    /// Nothing was refused, and the messages are exactly these.
    pub(super) fn expect(&self, letters: &str, what: &str) -> Result<(), Failure> {
        if self.letters == letters && self.refusal.is_none() {
            return Ok(());
        }
        Err(self.unexpected(letters, what))
    }

    /// The messages are the first of these, and then an error; after it only the end.
    pub(super) fn expect_refused(&self, letters: &str, what: &str) -> Result<(), Failure> {
        let before = self.letters.strip_suffix("EZ");
        // Rows may have come before the error.
        let is_begun = |before: &str| letters.starts_with(before) || letters.replace('D', "").starts_with(before);
        if before.is_some_and(is_begun) {
            return Ok(());
        }
        Err(self.unexpected(&format!("a part of {letters} and EZ"), what))
    }

    fn unexpected(&self, letters: &str, what: &str) -> Failure {
        let mut text = format!("the answer to {what} is {}, not {letters}", self.letters);
        if let Some(Refusal { code, message }) = &self.refusal {
            write!(text, ": {code} {message}").expect("writing to a string");
        }
        Violation::new(text).into()
    }
}
