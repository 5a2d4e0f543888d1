//! Secrets, resolved before the first change and held in memory.

use super::client::excerpt;
use super::process::{self, Ended, Program};
use secrecy::SecretString;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroize as _;

/// Largest secret in bytes; a private key with its chain fits.
const LIMIT: usize = 64 * 1024;

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A variable of the operator's environment.
    Env(String),
    /// A file, with its full path.
    File(PathBuf),
    /// Program and arguments; standard output is the secret.
    Command(Vec<String>),
}

/// Why a secret could not be resolved. Never holds any part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {why}")]
pub struct SecretError {
    /// The source in words: `environment variable PDNS_KEY`.
    pub source_name: String,
    /// What is wrong and, where it is not plain, what mends it.
    pub why: String,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            // Arguments stay out: people put tokens there.
            Self::Command(argv) => write!(f, "command {}", argv.first().map_or("", String::as_str)),
        }
    }
}

/// Reads secrets.
pub struct Resolver<'a> {
    /// Variables of the operator's environment, by name.
    pub variables: &'a dyn Fn(&str) -> Option<String>,
    /// Limit for a command; 10 s is usual.
    pub timeout: Duration,
}

impl Resolver<'_> {
    /// The secret.
    ///
    /// # Errors
    /// When it is absent, empty, too large, no text, readable by others, or the command fails.
    pub async fn resolve(&self, source: &Source) -> Result<SecretString, SecretError> {
        let found = match source {
            Source::Env(name) => (self.variables)(name).ok_or_else(|| "not set".to_owned()),
            Source::File(path) => read(path),
            Source::Command(argv) => self.run(argv).await,
        };
        let found = found.and_then(|mut text| {
            cut_newline(&mut text);
            if text.is_empty() { Err("empty".to_owned()) } else { Ok(SecretString::from(text)) }
        });
        found.map_err(|why| SecretError { source_name: source.to_string(), why })
    }

    async fn run(&self, argv: &[String]) -> Result<String, String> {
        let env = process::passed(self.variables, &[]);
        let program = Program { argv, env, timeout: self.timeout, kept: LIMIT + 1 };
        match process::run(&program).await {
            Ended::NotStarted(why) => Err(why),
            Ended::Late { .. } => Err(format!("no end within {} ms", self.timeout.as_millis())),
            Ended::Code { code: 0, stdout, .. } => text(stdout),
            Ended::Code { code, stderr, mut stdout } => {
                stdout.zeroize();
                let said = String::from_utf8_lossy(&stderr);
                let line = said
                    .lines()
                    .map(str::trim)
                    .rfind(|line| !line.is_empty())
                    .map(excerpt)
                    .unwrap_or_default();
                Err(format!("exit code {code}: {line}"))
            }
        }
    }
}

/// Exactly one line ending is not part of the secret: editors and `echo` add it.
fn cut_newline(text: &mut String) {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() > LIMIT {
        return Err(format!("larger than {LIMIT} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| {
        error.into_bytes().zeroize();
        "not UTF-8 text".to_owned()
    })
}

fn read(path: &Path) -> Result<String, String> {
    let own = rustix::process::geteuid().as_raw();
    let trusted = |uid: u32| uid == own || uid == 0;
    // A link is followed (orchestrators mount secrets as links), but only one that nobody else could have laid.
    let link = std::fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if link.is_symlink() && !trusted(link.uid()) {
        return Err("a link that belongs to another user".into());
    }
    // Not to hang on a pipe that nobody writes to.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file =
        OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| error.to_string())?;
    // What is open is what is checked: the path may point elsewhere by now.
    let found = file.metadata().map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("not a regular file".into());
    }
    if !trusted(found.uid()) {
        return Err(format!("belongs to another user (uid {})", found.uid()));
    }
    if found.mode() & 0o077 != 0 {
        return Err(format!("open to others (mode {:04o}); chmod 600 mends it", found.mode() & 0o7777));
    }
    let mut bytes = Vec::new();
    file.take(LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    text(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;
    use std::os::unix::fs::PermissionsExt as _;

    fn resolve(source: &Source) -> Result<String, String> {
        let variables = |name: &str| match name {
            "PATH" => Some("/usr/bin:/bin".to_owned()),
            "KEY" => Some("abc\n".to_owned()),
            _ => None,
        };
        let resolver = Resolver { variables: &variables, timeout: Duration::from_secs(60) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime
            .block_on(resolver.resolve(source))
            .map(|secret| secret.expose_secret().to_owned())
            .map_err(|error| error.to_string())
    }

    fn file(folder: &Path, content: &str, mode: u32) -> PathBuf {
        let path = folder.join("secret");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn one_line_ending_is_cut_and_no_more() {
        assert_eq!(resolve(&Source::Env("KEY".into())), Ok("abc".into()));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(resolve(&Source::File(file(folder.path(), "a b \n\r\n", 0o600))), Ok("a b \n".into()));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o640, 0o604, 0o660] {
            let why = resolve(&Source::File(file(folder.path(), "abc", mode))).unwrap_err();
            assert!(why.contains("chmod 600"), "{why}");
        }
        assert_eq!(resolve(&Source::File(file(folder.path(), "abc", 0o400))), Ok("abc".into()));
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_hanging() {
        let folder = tempfile::tempdir().unwrap();
        assert!(resolve(&Source::File(folder.path().into())).unwrap_err().contains("not a regular file"));
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(resolve(&Source::File(pipe)).unwrap_err().contains("not a regular file"));
    }

    #[test]
    fn our_own_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = file(folder.path(), "abc", 0o600);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(target, &link).unwrap();
        assert_eq!(resolve(&Source::File(link)), Ok("abc".into()));
    }

    #[test]
    fn a_command_gives_its_output_and_never_its_arguments() {
        let shell = |script: &str| Source::Command(["sh", "-c", script].map(str::to_owned).to_vec());
        assert_eq!(resolve(&shell("echo abc")), Ok("abc".into()));
        let why = resolve(&shell("echo s3cret; echo denied >&2; exit 1")).unwrap_err();
        assert_eq!(why, "command sh: exit code 1: denied");
        assert!(resolve(&shell("head -c 70000 /dev/zero")).unwrap_err().contains("larger"));
    }

    #[test]
    fn nothing_is_never_a_secret() {
        assert!(resolve(&Source::Env("ABSENT".into())).is_err());
        let folder = tempfile::tempdir().unwrap();
        assert!(resolve(&Source::File(file(folder.path(), "\n", 0o600))).unwrap_err().ends_with("empty"));
    }
}
