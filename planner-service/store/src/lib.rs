//! The book in SQLite, PostgreSQL and MariaDB.
