//! Compared with what PostgreSQL 18 answers.
