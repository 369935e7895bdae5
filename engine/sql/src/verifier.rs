//! What is stored of a password: PostgreSQL's SCRAM-SHA-256 verifier (RFC 5802, RFC 7677).
//!
//! ```text
//!   SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>
//! ```
//!
//! CREATE ROLE makes it, the server's authentication reads it. Neither key lets anyone log in.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// PostgreSQL's default for new verifiers (`scram_iterations`).
pub const ITERATIONS: u32 = 4096;

/// What every text begins with.
const PREFIX: &str = "SCRAM-SHA-256$";

/// An output of SHA-256.
pub type Key = [u8; 32];

/// HMAC-SHA-256 of the parts, one after the other.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// PBKDF2 with HMAC-SHA-256 and one block of output.
fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> Key {
    let mut last = hmac(password, &[salt, &1u32.to_be_bytes()]);
    let mut result = last;
    for _ in 1..iterations {
        last = hmac(password, &[&last]);
        result.iter_mut().zip(&last).for_each(|(byte, other)| *byte ^= other);
    }
    result
}

/// A verifier. It prints as what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// How often the password was hashed.
    pub iterations: u32,
    /// What it was hashed with.
    pub salt: Vec<u8>,
    /// Hash of the key that the client proves to have.
    pub stored_key: Key,
    /// What the server proves to have.
    pub server_key: Key,
}

impl Verifier {
    /// Of a password.
    pub fn of(password: &str, salt: &[u8], iterations: u32) -> Verifier {
        let salted = salted_password(password.as_bytes(), salt, iterations);
        Verifier {
            iterations,
            salt: salt.to_vec(),
            stored_key: Sha256::digest(hmac(&salted, &[b"Client Key"])).into(),
            server_key: hmac(&salted, &[b"Server Key"]),
        }
    }

    /// Of its text; `None` for anything else.
    pub fn parse(text: &str) -> Option<Verifier> {
        let (front, keys) = text.strip_prefix(PREFIX)?.split_once('$')?;
        let (iterations, salt) = front.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let key = |text: &str| BASE64_STANDARD.decode(text).ok().and_then(|bytes| Key::try_from(bytes).ok());
        Some(Verifier {
            iterations: iterations.parse().ok()?,
            salt: BASE64_STANDARD.decode(salt).ok()?,
            stored_key: key(stored)?,
            server_key: key(server)?,
        })
    }
}

impl std::fmt::Display for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let encode = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        let (salt, stored, server) = (encode(&self.salt), encode(&self.stored_key), encode(&self.server_key));
        write!(f, "{PREFIX}{}:{salt}${stored}:{server}", self.iterations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_reads_back() {
        let made = Verifier::of("secret", &[7; 16], ITERATIONS);
        assert_eq!(Verifier::parse(&made.to_string()), Some(made));
        assert_eq!(Verifier::parse("md5abc"), None);
    }
}
