//! The program that runs, as a file: two builds of one version need not do the same.

use sha2::{Digest, Sha256};
use std::io::Read as _;
use std::sync::OnceLock;

/// How much is read at once. Bytes.
const PIECE: usize = 1 << 18;

/// SHA-256 of the file of the program that runs. Hexadecimal. Read once, in a moment that grows with the file; none if it cannot be read: it was
/// replaced since, or the operating system does not tell.
pub fn sha256() -> Option<String> {
    static READ: OnceLock<Option<String>> = OnceLock::new();
    READ.get_or_init(|| read().ok()).clone()
}

fn read() -> std::io::Result<String> {
    // Behind this path stands the program that runs, or nothing: a file that was replaced has no name any more.
    let mut file = std::fs::File::open(std::env::current_exe()?)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            length => hasher.update(&piece[..length]),
        }
    }
}
