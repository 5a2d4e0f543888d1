//! What a case is, and what is said of it.

use std::fmt::Display;

/// Whose fact it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    PostgreSql,
    PowerDns,
    Redis,
}

/// A case that both worlds are told, with one test that compares them.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Name of the script, such as `f1`.
    pub script: &'static str,
    pub server: Server,
    /// What is so, in one sentence.
    pub fact: &'static str,
}

/// A fact that the model does not hold.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere {
    pub id: &'static str,
    pub server: Server,
    pub fact: &'static str,
    /// Why the model does not hold it.
    pub why: &'static str,
    /// The file of tests, and a word of the names of those that see it on a real server.
    pub tests: (&'static str, &'static str),
}

impl Case {
    /// Such as `F1`.
    pub fn id(&self) -> String {
        self.script.to_uppercase()
    }
}

/// What a world was seen to say, in order.
#[derive(Debug, Default)]
pub struct Said(Vec<String>);

impl Said {
    /// One observation.
    pub fn line(&mut self, what: &str, seen: impl Display) {
        self.0.push(format!("{what}: {seen}"));
    }

    /// All of them.
    pub fn lines(self) -> Vec<String> {
        self.0
    }
}

/// Line by line: the first difference is the one to read.
pub fn same(seen: &[String], simulated: &[String]) {
    for (seen, simulated) in seen.iter().zip(simulated) {
        assert!(seen == simulated, "really:\n{seen}\nsimulated:\n{simulated}");
    }
    assert_eq!(seen.len(), simulated.len());
}

/// The cases of a server: rows of the table, what the simulation says in each, and a test for each that a real server says the
/// same. `simulated` and `real` make the worlds.
macro_rules! cases {
    ($server:ident; $($script:ident $fact:literal)*) => {
        pub const CASES: &[$crate::conformance::table::Case] = &[$($crate::conformance::table::Case {
            script: stringify!($script),
            server: $crate::conformance::table::Server::$server,
            fact: $fact,
        }),*];

        /// What the simulation says in each case.
        pub async fn simulation() -> Vec<Vec<String>> {
            vec![$($script(&simulated()).await.lines()),*]
        }

        mod really {
            $(#[tokio::test]
            async fn $script() {
                let simulated = super::$script(&super::simulated()).await.lines();
                let seen = super::$script(&super::real().await).await.lines();
                $crate::conformance::table::same(&seen, &simulated);
                assert!(!seen.is_empty(), "a case that says nothing compares nothing");
            })*
        }
    };
}
