//! Where things are kept on this host.

use super::wire::variable;
use std::path::{Path, PathBuf};

/// The folder for runs: as given, else `MRCTL_STATE_DIR`, else the XDG state folder.
pub fn state_folder(given: Option<&Path>) -> Option<PathBuf> {
    given
        .map(Path::to_path_buf)
        .or_else(|| variable("MRCTL_STATE_DIR").map(Into::into))
        .or_else(|| variable("XDG_STATE_HOME").map(|home| Path::new(&home).join("mrctl")))
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".local/state/mrctl")))
}

/// The folder in which the last heartbeats of an environment are remembered. Two environments have clusters of the same name, and one
/// state folder.
pub fn heartbeats(state: &Path, environment: &str) -> PathBuf {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let name = environment.bytes().map(|byte| match plain(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02x}"),
    });
    state.join("heartbeats").join(name.collect::<String>())
}

/// The folder to which runs are copied as they go: as given, else `MRCTL_MIRROR_DIR`; none by default.
pub fn mirror_folder(given: Option<PathBuf>) -> Option<PathBuf> {
    given.or_else(|| variable("MRCTL_MIRROR_DIR").filter(|folder| !folder.is_empty()).map(Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_environment_leaves_its_folder_or_takes_anothers() {
        let names = ["production", "../production", "a/b", "a_b", "a%2fb", ".", ""];
        let folders: std::collections::BTreeSet<PathBuf> =
            names.iter().map(|name| heartbeats(Path::new("/state"), name)).collect();
        assert_eq!(folders.len(), names.len());
        assert!(
            folders
                .iter()
                .all(|folder| folder.components().count() <= 4 && folder.starts_with("/state/heartbeats"))
        );
    }
}
