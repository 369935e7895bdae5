//! COPY FROM STDIN: data from the client.

use helios_types::{PgError, Result, SqlState};

use super::Session;

impl Session {
    /// A piece of the data of COPY FROM STDIN, cut anywhere.
    ///
    /// # Errors
    ///
    /// Those of the data and of the insertion.
    pub async fn copy_in(&mut self, _data: &[u8]) -> Result<()> {
        self.failing(Err(PgError::unsupported("COPY FROM STDIN")))
    }

    /// The data is complete; [`Session::next`] goes on.
    ///
    /// # Errors
    ///
    /// Those of the data and of the insertion.
    pub async fn copy_in_done(&mut self) -> Result<()> {
        self.failing(Err(PgError::unsupported("COPY FROM STDIN")))
    }

    /// The client gives up; the error that the statement ends in.
    pub fn copy_in_fail(&mut self, message: &str) -> PgError {
        self.fail();
        PgError::new(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {message}"))
    }
}
