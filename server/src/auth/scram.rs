//! SCRAM-SHA-256, the server's side (RFC 5802 and RFC 7677), without channel binding.
//!
//! ```text
//!   client   n,,n=,r=<client nonce>
//!   server   r=<client nonce><server nonce>,s=<salt>,i=<iterations>
//!   client   c=biws,r=<both nonces>,p=<proof>
//!   server   v=<signature>
//! ```
//!
//! What is stored of a password is PostgreSQL's verifier: see [`heliosdb::verifier`].
//! A user who does not exist, or who has no password, goes through the same exchange and fails at its end, so that the
//! answer does not tell who exists.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use heliosdb::verifier::{ITERATIONS, Key, Verifier, hmac};
use sha2::{Digest, Sha256};

/// The mechanism's name.
pub(crate) const MECHANISM: &str = "SCRAM-SHA-256";
/// The server's side of one exchange.
pub(crate) struct ScramServer {
    verifier: Verifier,
    /// Whether the verifier is a real user's.
    genuine: bool,
    nonce: String,
    client_first_bare: String,
    server_first: String,
}

/// The client broke the rules of the exchange.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl ScramServer {
    /// An exchange for a user with this verifier; `None` is a user who cannot succeed. `nonce` and `mock_salt` are
    /// random, the latter the same each time for a user.
    pub(crate) fn new(verifier: Option<&str>, nonce: &[u8; 18], mock_salt: &[u8; 16]) -> ScramServer {
        let found = verifier.and_then(Verifier::parse);
        ScramServer {
            genuine: found.is_some(),
            verifier: found.unwrap_or_else(|| Verifier {
                iterations: ITERATIONS,
                salt: mock_salt.to_vec(),
                stored_key: [0; 32],
                server_key: [0; 32],
            }),
            nonce: BASE64_STANDARD.encode(nonce),
            client_first_bare: String::new(),
            server_first: String::new(),
        }
    }

    /// The client's first message; what to answer.
    pub(crate) fn first(&mut self, message: &str) -> Result<String, Malformed> {
        let (flag, rest) = message.split_once(',').ok_or(Malformed("malformed SCRAM message"))?;
        match flag {
            "n" | "y" => {}
            _ if flag.starts_with("p=") => {
                return Err(Malformed("client selected SCRAM-SHA-256 without channel binding but named one"));
            }
            _ => return Err(Malformed("unexpected channel-binding flag")),
        }
        // An authorisation identity is not supported, as in PostgreSQL.
        let bare =
            rest.strip_prefix(',').ok_or(Malformed("client uses authorization identity, but it is not supported"))?;
        let mut attributes = bare.split(',');
        let user = attributes.next().ok_or(Malformed("malformed SCRAM message"))?;
        if !user.starts_with("n=") {
            return Err(Malformed("malformed SCRAM message"));
        }
        let client_nonce = attributes.next().and_then(|attribute| attribute.strip_prefix("r="));
        let client_nonce =
            client_nonce.filter(|nonce| !nonce.is_empty()).ok_or(Malformed("malformed SCRAM message"))?;
        self.nonce = format!("{client_nonce}{}", self.nonce);
        self.client_first_bare = bare.to_owned();
        self.server_first = format!(
            "r={},s={},i={}",
            self.nonce,
            BASE64_STANDARD.encode(&self.verifier.salt),
            self.verifier.iterations
        );
        Ok(self.server_first.clone())
    }

    /// The client's final message; the server's signature, or `None` when the password is wrong.
    pub(crate) fn last(&self, message: &str) -> Result<Option<String>, Malformed> {
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(Malformed("malformed SCRAM message"))?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|attribute| attribute.strip_prefix("c="));
        if !matches!(binding, Some("biws" | "eSws")) {
            return Err(Malformed("unexpected SCRAM channel-binding attribute in client-final-message"));
        }
        let nonce = attributes.next().and_then(|attribute| attribute.strip_prefix("r="));
        if nonce != Some(self.nonce.as_str()) {
            return Err(Malformed("invalid SCRAM response"));
        }
        let proof = BASE64_STANDARD.decode(proof).ok().and_then(|proof| Key::try_from(proof).ok());
        let proof = proof.ok_or(Malformed("malformed SCRAM message"))?;
        let parts: [&[u8]; 5] =
            [self.client_first_bare.as_bytes(), b",", self.server_first.as_bytes(), b",", without_proof.as_bytes()];
        let signature = hmac(&self.verifier.stored_key, &parts);
        let mut client_key = proof;
        client_key.iter_mut().zip(&signature).for_each(|(byte, other)| *byte ^= other);
        let stored: Key = Sha256::digest(client_key).into();
        // Every byte is compared, whatever differs.
        let difference = stored.iter().zip(&self.verifier.stored_key).fold(0, |all, (a, b)| all | (a ^ b));
        if difference != 0 || !self.genuine {
            return Ok(None);
        }
        Ok(Some(format!("v={}", BASE64_STANDARD.encode(hmac(&self.verifier.server_key, &parts)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange printed in RFC 7677, section 3.
    #[test]
    fn the_rfc_s_example() {
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let mut server = ScramServer::new(None, &[0; 18], &[0; 16]);
        server.verifier = Verifier::of("pencil", &salt, 4096);
        server.genuine = true;
        server.nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned();
        let first = server.first("n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!(first, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(server.last(last).unwrap().as_deref(), Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        let wrong = last.replace("p=dHz", "p=eHz");
        assert_eq!(server.last(&wrong).unwrap(), None);
    }

    #[test]
    fn malformed_messages_are_refused() {
        let mut server = ScramServer::new(None, &[0; 18], &[0; 16]);
        for message in ["", "n", "n,,", "n,a=x,n=,r=x", "p=tls-unique,,n=,r=x", "n,,n=,r="] {
            assert!(server.first(message).is_err(), "{message}");
        }
    }
}
