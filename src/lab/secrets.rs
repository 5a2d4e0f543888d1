//! Random passwords, one file each, readable by their owner only.

use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use secrecy::SecretString;

use super::account::{make_folder, write_file};
use super::error::{FileContext, Result};

/// The lab's passwords and keys.
pub struct Secrets {
    folder: PathBuf,
}

/// What a secret is for; the name of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// The superuser `postgres`.
    Superuser,
    /// The role `mrctl`.
    Mrctl,
    /// The application's role `app`.
    App,
    /// The role `monitoring`.
    Monitoring,
    /// The role `replicator`.
    Replicator,
    /// The key of both PowerDNS APIs.
    DnsKey,
    /// The password of both Redis servers.
    Redis,
}

impl Secret {
    const ALL: [Self; 7] = [
        Self::Superuser,
        Self::Mrctl,
        Self::App,
        Self::Monitoring,
        Self::Replicator,
        Self::DnsKey,
        Self::Redis,
    ];

    /// The file's name in `secrets/`.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Superuser => "postgres-superuser",
            Self::Mrctl => "postgres-mrctl",
            Self::App => "postgres-app",
            Self::Monitoring => "postgres-monitoring",
            Self::Replicator => "postgres-replicator",
            Self::DnsKey => "pdns-api-key",
            Self::Redis => "redis",
        }
    }
}

impl Secrets {
    /// Makes new ones.
    pub fn create(folder: &Path) -> Result<Self> {
        make_folder(folder, 0o700)?;
        let secrets = Self::open(folder);
        for secret in Secret::ALL {
            let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random_bytes::<18>()?);
            write_file(&secrets.path(secret), &text, 0o600)?;
        }
        Ok(secrets)
    }

    /// Uses those in the folder.
    pub fn open(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// The file that holds it.
    pub fn path(&self, secret: Secret) -> PathBuf {
        self.folder.join(secret.file())
    }

    /// The secret itself.
    pub fn read(&self, secret: Secret) -> Result<SecretString> {
        let path = self.path(secret);
        Ok(std::fs::read_to_string(&path).on("reading", &path)?.into())
    }
}

/// Bytes from the kernel's generator.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let path = Path::new("/dev/urandom");
    let mut bytes = [0; N];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).on("reading", path)?;
    Ok(bytes)
}
