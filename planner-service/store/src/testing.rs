//! Databases for tests: a file, or a database on a throw-away server. For tests only.
//!
//! Servers are reached through `BERTH_TEST_POSTGRES_URL` and `BERTH_TEST_MARIADB_URL`, which
//! `dev/with-databases` sets; every test makes a database of its own there and drops it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::missing_panics_doc,
    reason = "runs in tests, where a panic is how a failure is said"
)]

use std::path::PathBuf;
use std::time::Duration;

use sea_orm::{ConnectionTrait, Database};
use url::Url;

use crate::{SqlStore, StoreOptions};

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file of its own.
    Sqlite,
    /// A database on the PostgreSQL server.
    Postgres,
    /// A database on the MariaDB server.
    MariaDb,
}

impl Engine {
    /// Runs a test on an empty database with the newest schema.
    pub fn test<F: Future<Output = ()>>(self, test: impl FnOnce(TestDatabase) -> F) {
        self.test_empty(|database| async {
            database.store().await.migrate().await.unwrap();
            test(database).await;
        });
    }

    /// Runs a test on a database without any table.
    pub fn test_empty<F: Future<Output = ()>>(self, test: impl FnOnce(TestDatabase) -> F) {
        if self != Self::Sqlite && std::env::var("BERTH_TEST_ENGINES").is_ok_and(|engines| engines == "sqlite") {
            println!("left out: BERTH_TEST_ENGINES=sqlite");
            return;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let database = TestDatabase::create(self).await;
            test(database).await;
        });
    }
}

/// A database that goes with this value.
pub struct TestDatabase {
    /// Which engine it is on.
    pub engine: Engine,
    /// What [`SqlStore::connect`] takes.
    pub address: String,
    /// The server's administrator, or nobody for a file.
    pub admin: Option<Url>,
    /// Its name on the server.
    pub name: String,
    _folder: Option<tempfile::TempDir>,
}

impl TestDatabase {
    async fn create(engine: Engine) -> Self {
        let name = format!("berth_{}", uuid::Uuid::new_v4().simple());
        if engine == Engine::Sqlite {
            let folder = tempfile::tempdir().unwrap();
            let path: PathBuf = folder.path().join("book.db");
            let address = format!("sqlite://{}", path.display());
            return Self {
                engine,
                address,
                admin: None,
                name,
                _folder: Some(folder),
            };
        }
        let variable = match engine {
            Engine::Postgres => "BERTH_TEST_POSTGRES_URL",
            Engine::Sqlite | Engine::MariaDb => "BERTH_TEST_MARIADB_URL",
        };
        let Ok(admin) = std::env::var(variable) else {
            panic!(
                "{variable} is not set: run this test through `make test` or `dev/with-databases cargo test -p store`, \
                 or set BERTH_TEST_ENGINES=sqlite to leave PostgreSQL and MariaDB out"
            );
        };
        let admin = Url::parse(&admin).unwrap();
        run_as_admin(&admin, &[&format!("CREATE DATABASE {name}")]).await;
        let mut address = admin.clone();
        address.set_path(&name);
        Self {
            engine,
            address: address.to_string(),
            admin: Some(admin),
            name,
            _folder: None,
        }
    }

    /// Another store over the database, as another process would have it; a file may have several.
    pub async fn store(&self) -> SqlStore {
        self.store_with(StoreOptions {
            exclusive: false,
            ..options()
        })
        .await
    }

    /// As [`TestDatabase::store`], run otherwise.
    pub async fn store_with(&self, options: StoreOptions) -> SqlStore {
        SqlStore::connect(&self.address, options).await.unwrap()
    }

    /// Runs SQL past the store; returns the error of the first statement that fails.
    pub async fn sql(&self, statements: &[&str]) -> Result<(), sea_orm::DbErr> {
        let connection = Database::connect(&self.address).await?;
        for statement in statements {
            connection.execute_unprepared(statement).await?;
        }
        connection.close().await
    }
}

/// As the service has it, but for a server that a busy machine keeps waiting.
pub fn options() -> StoreOptions {
    StoreOptions {
        connections: 8,
        operation_timeout: Duration::from_mins(2),
        write_timeout: Duration::from_mins(2),
        ..StoreOptions::default()
    }
}

/// Runs SQL on the server as its administrator.
pub async fn run_as_admin(admin: &Url, statements: &[&str]) {
    let connection = Database::connect(admin.as_str()).await.unwrap();
    for statement in statements {
        connection.execute_unprepared(statement).await.unwrap();
    }
    connection.close().await.unwrap();
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(admin) = self.admin.clone() else { return };
        let statement = match self.engine {
            Engine::Postgres => format!("DROP DATABASE {} WITH (FORCE)", self.name),
            Engine::Sqlite | Engine::MariaDb => format!("DROP DATABASE {}", self.name),
        };
        // On a thread of its own: a value is also dropped while a test panics inside a runtime.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(run_as_admin(&admin, &[&statement]));
        });
        let _ = dropped.join();
    }
}
