//! Whom the servers run as. PostgreSQL refuses root, and the others should not have it: as root they are given to an
//! unprivileged account; as a plain user everything runs as that user.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use super::error::{FileContext, LabError, Result};

/// The account that the servers run as, when it is not the caller's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// User and group to change to; `None` when the servers run as the caller.
    drop_to: Option<(u32, u32)>,
}

impl Account {
    /// The account for servers: for root `postgres`, else `nobody`, from `/etc/passwd`; for everyone else the caller.
    pub fn for_servers() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self { drop_to: None });
        }
        let path = Path::new("/etc/passwd");
        let users = std::fs::read_to_string(path).on("reading", path)?;
        for name in ["postgres", "nobody"] {
            if let Some(ids) = users.lines().find_map(|line| parse_passwd(line, name)) {
                return Ok(Self { drop_to: Some(ids) });
            }
        }
        Err(LabError::Refused(
            "root needs an unprivileged user `postgres` or `nobody` for the servers".into(),
        ))
    }

    /// The caller's own account, for what needs no protection from root.
    pub const fn caller() -> Self {
        Self { drop_to: None }
    }

    /// User and group that servers change to, if they do.
    pub fn drop_to(&self) -> Option<(u32, u32)> {
        self.drop_to
    }

    /// Makes the command run as the account. The standard library also empties the supplementary groups for root.
    pub fn apply(&self, command: &mut std::process::Command) {
        if let Some((uid, gid)) = self.drop_to {
            command.uid(uid).gid(gid);
        }
    }

    /// The words to put before a command line to run it as the account, for hooks that are plain commands.
    pub fn prefix(&self) -> Vec<String> {
        match self.drop_to {
            None => Vec::new(),
            Some((uid, gid)) => {
                vec![
                    "setpriv".into(),
                    format!("--reuid={uid}"),
                    format!("--regid={gid}"),
                    "--clear-groups".into(),
                    "--".into(),
                ]
            }
        }
    }

    /// Gives a file or folder to the account.
    pub fn own(&self, path: &Path) -> Result<()> {
        match self.drop_to {
            None => Ok(()),
            Some((uid, gid)) => {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).on("changing the owner of", path)
            }
        }
    }

    /// Makes a folder of the account, for nobody else.
    pub fn folder(&self, path: &Path) -> Result<()> {
        make_folder(path, 0o700)?;
        self.own(path)
    }

    /// Writes a file that only the account can read.
    pub fn file(&self, path: &Path, content: &str) -> Result<()> {
        write_file(path, content, 0o600)?;
        self.own(path)
    }

    /// The mode of a folder that holds both the caller's and the servers' things: servers may pass through, not list.
    pub fn shared_mode(&self) -> u32 {
        if self.drop_to.is_some() { 0o711 } else { 0o700 }
    }

    /// Whether the account can get to `path` (every folder above it lets others pass).
    pub fn reaches(&self, path: &Path) -> bool {
        self.blocked_at(path).is_none()
    }

    /// The first folder above `path` through which the account cannot pass. What does not exist yet will be made.
    pub fn blocked_at(&self, path: &Path) -> Option<PathBuf> {
        let (uid, _) = self.drop_to?;
        let blocked = path.ancestors().skip(1).filter(|folder| {
            std::fs::metadata(folder).is_ok_and(|meta| meta.mode() & 0o001 == 0 && meta.uid() != uid)
        });
        blocked.last().map(Path::to_path_buf)
    }

    /// Whether the account can execute the program.
    pub fn can_execute(&self, program: &Path) -> bool {
        self.drop_to.is_none()
            || (self.reaches(program)
                && std::fs::metadata(program).is_ok_and(|meta| meta.mode() & 0o005 == 0o005))
    }
}

/// Makes a folder with exactly this mode; existing folders only change their mode.
pub(crate) fn make_folder(path: &Path, mode: u32) -> Result<()> {
    std::fs::create_dir_all(path).on("creating", path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).on("protecting", path)
}

/// Writes a file with exactly this mode from its first byte on, replacing what was there in one step.
pub(crate) fn write_file(path: &Path, content: &str, mode: u32) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let temporary = path.with_file_name(name);
    let _ = std::fs::remove_file(&temporary);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)
        .on("creating", &temporary)?;
    file.write_all(content.as_bytes()).on("writing", &temporary)?;
    file.set_permissions(std::fs::Permissions::from_mode(mode)).on("protecting", &temporary)?;
    std::fs::rename(&temporary, path).on("writing", path)
}

fn parse_passwd(line: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = line.split(':');
    if fields.next() != Some(name) {
        return None;
    }
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some((uid, gid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_from_the_line_of_that_user_only() {
        assert_eq!(
            parse_passwd("postgres:x:105:109:PostgreSQL:/var:/bin/bash", "postgres"),
            Some((105, 109))
        );
        assert_eq!(parse_passwd("postgres2:x:105:109::/:/bin/sh", "postgres"), None);
        assert_eq!(parse_passwd("postgres:x:what:109::/:/bin/sh", "postgres"), None);
    }

    #[test]
    fn a_private_folder_above_blocks_the_dropped_account() {
        let dir = tempfile::tempdir().unwrap();
        make_folder(dir.path(), 0o700).unwrap();
        let inside = dir.path().join("a/b");
        let account = Account { drop_to: Some((4_000_000_000, 4_000_000_000)) };
        assert!(!account.reaches(&inside));
        assert!(Account { drop_to: None }.reaches(&inside));
    }
}
