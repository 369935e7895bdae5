//! From the start-up packet to the first ReadyForQuery.

use bytes::Bytes;
use helios_types::io::checked_text;
use helios_types::{PgError, Result, SqlState};
use heliosdb::SessionOptions;

use crate::auth::{MECHANISM, ScramServer};
use crate::conversation::{Conversation, State, Step};
use crate::extended::Live;
use crate::message::backend;
use crate::message::frontend::{self, Garbage};

/// The newest protocol that is spoken: 3.0.
const NEWEST_MINOR: u16 = 0;

/// What the client asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requested {
    user: String,
    database: String,
    settings: Vec<(String, String)>,
}

impl Conversation {
    /// The start-up packet has arrived.
    pub(crate) fn start(
        &mut self,
        version: (u16, u16),
        parameters: Vec<(String, String)>,
    ) -> std::result::Result<Step, Garbage> {
        if version.0 != 3 {
            let message =
                format!("unsupported frontend protocol {}.{}: server supports 3.0 to 3.0", version.0, version.1);
            return Err(Garbage::Told(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message)));
        }
        let unknown: Vec<&str> =
            parameters.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("_pq_.")).collect();
        if version.1 > NEWEST_MINOR || !unknown.is_empty() {
            backend::negotiate_version(&mut self.outbox, NEWEST_MINOR, &unknown);
        }
        let requested = requested(parameters).map_err(Garbage::Told)?;
        if self.auth.needs_password(self.address.map(|address| address.ip())) {
            let rng = &self.database.env().rng;
            let (mut nonce, mut salt) = ([0u8; 18], [0u8; 16]);
            nonce.chunks_mut(8).for_each(|chunk| {
                let random = rng.next_u64().to_le_bytes();
                chunk.copy_from_slice(&random[..chunk.len()]);
            });
            salt.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&rng.next_u64().to_le_bytes()));
            let verifier = self.database.role_verifier(&requested.user);
            let exchange = Box::new(ScramServer::new(verifier.as_deref(), &nonce, &salt));
            backend::authentication_sasl(&mut self.outbox, MECHANISM);
            self.state = State::Password { exchange, begun: false, requested };
            return Ok(Step::Again);
        }
        self.admit(requested)
    }

    /// A message of the password exchange.
    pub(crate) fn sasl(&mut self, body: Bytes) -> std::result::Result<Step, Garbage> {
        let State::Password { exchange, begun, requested } = &mut self.state else {
            return Err(Garbage::Told(PgError::internal("a password where none was asked for")));
        };
        let malformed = |what: &str| Garbage::Told(PgError::new(SqlState::PROTOCOL_VIOLATION, what.to_owned()));
        if !*begun {
            let (mechanism, data) = frontend::sasl_initial(body).map_err(Garbage::Told)?;
            if mechanism != MECHANISM {
                return Err(malformed("client selected an invalid SASL authentication mechanism"));
            }
            let message = checked_text(&data).map_err(Garbage::Told)?;
            let answer = exchange.first(message).map_err(|error| malformed(error.0))?;
            *begun = true;
            backend::authentication_sasl_continue(&mut self.outbox, &answer);
            return Ok(Step::Again);
        }
        let message = checked_text(&body).map_err(Garbage::Told)?;
        let answer = exchange.last(message).map_err(|error| malformed(error.0))?;
        let requested = std::mem::take(requested);
        match answer {
            Some(signature) => {
                backend::authentication_sasl_final(&mut self.outbox, &signature);
                self.admit(requested)
            }
            None => Err(Garbage::Told(PgError::new(
                SqlState::INVALID_PASSWORD,
                format!("password authentication failed for user \"{}\"", requested.user),
            ))),
        }
    }

    /// The client is who it says: its session begins.
    fn admit(&mut self, requested: Requested) -> std::result::Result<Step, Garbage> {
        let options = SessionOptions {
            user: requested.user,
            database: requested.database,
            settings: requested.settings,
            client_address: self.address.map(|address| address.to_string()),
        };
        backend::authentication_ok(&mut self.outbox);
        let session = self.database.session(options).map_err(Garbage::Told)?;
        for (name, value) in session.parameters() {
            backend::parameter_status(&mut self.outbox, name, &value);
        }
        let activity = session.activity();
        backend::backend_key_data(&mut self.outbox, activity.pid(), activity.secret());
        backend::ready_for_query(&mut self.outbox, session.status());
        self.state = State::Ready(Box::new(Live::new(session)));
        Ok(Step::Again)
    }
}

/// Sorts the parameters of a start-up packet: user, database, settings.
fn requested(parameters: Vec<(String, String)>) -> Result<Requested> {
    let mut requested = Requested::default();
    for (name, value) in parameters {
        match name.as_str() {
            "user" => requested.user = value,
            "database" => requested.database = value,
            "options" => settings_of_options(&value, &mut requested.settings)?,
            "replication" if matches!(value.as_str(), "false" | "off" | "no" | "0") => {}
            "replication" => return Err(PgError::unsupported("a replication connection")),
            _ if name.starts_with("_pq_.") => {}
            _ => requested.settings.push((name, value)),
        }
    }
    if requested.user.is_empty() {
        return Err(PgError::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "no PostgreSQL user name specified in startup packet",
        ));
    }
    if requested.database.is_empty() {
        requested.database.clone_from(&requested.user);
    }
    Ok(requested)
}

/// `-c name=value --name=value`, with blanks in values behind backslashes.
fn settings_of_options(options: &str, settings: &mut Vec<(String, String)>) -> Result<()> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            blank if blank.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => word.push(other),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let assignment = match word.strip_prefix("-c") {
            Some("") => words.next().unwrap_or_default(),
            Some(rest) => rest.to_owned(),
            None => match word.strip_prefix("--") {
                Some(rest) => rest.to_owned(),
                None => return Err(invalid_option(&word)),
            },
        };
        let (name, value) = assignment.split_once('=').ok_or_else(|| invalid_option(&assignment))?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(())
}

fn invalid_option(option: &str) -> PgError {
    PgError::new(SqlState::SYNTAX_ERROR, format!("invalid command-line argument for server process: {option}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_settings() {
        let mut settings = Vec::new();
        settings_of_options(r"-c search_path=a\ b --work-mem=1MB -cx.y=z", &mut settings).unwrap();
        let expected = [("search_path", "a b"), ("work_mem", "1MB"), ("x.y", "z")];
        assert_eq!(settings, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(settings_of_options("-d", &mut settings).is_err());
    }

    #[test]
    fn the_database_is_the_user_s_by_default() {
        let found = requested(vec![("user".into(), "ann".into())]).unwrap();
        assert_eq!(found.database, "ann");
        assert!(requested(Vec::new()).is_err());
    }
}
