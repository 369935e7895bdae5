//! The PostgreSQL gateway.
//!
//! ```text
//!   socket ──bytes──▶ shell (tokio) ──bytes──▶ Conversation ──▶ heliosdb::Session
//!          ◀─bytes──                ◀─bytes──  (sans I/O)    ◀── replies
//! ```
//!
//! A [`Conversation`] is the protocol: it is given the bytes that arrived and yields the bytes to send, and knows
//! nothing of sockets, so that tokio, a simulated network and a test drive the same code. The [`serve`] shell listens,
//! moves bytes, and stops gracefully.
//!
//! The wire format is PostgreSQL's protocol 3.0 (chapter "Frontend/Backend Protocol" of its manual).

pub mod auth;
mod conversation;
mod extended;
mod message;
mod reply;
mod shell;
mod startup;

pub use auth::AuthMethod;
pub use conversation::{Conversation, Progress};
pub use shell::{ServeError, Server, ServerOptions, serve};
