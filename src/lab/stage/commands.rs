//! Stand-ins for the commands of a runbook: each asks the director, who keeps marks as the model does.

use super::armed::{Deed, Met, Pass};
use super::director::Director;
use crate::lab::account::write_file;
use crate::lab::error::{FileContext, LabError, Result};
use crate::world::sim::exec::Script;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// What commands do, and the marks that they set.
pub struct Troupe {
    scripts: BTreeMap<String, Script>,
    marks: PathBuf,
}

impl Troupe {
    pub(super) fn new(scripts: BTreeMap<String, Script>, marks: PathBuf) -> Self {
        Self { scripts, marks }
    }

    /// A file's name is a digest: marks are arguments of any form.
    fn file(&self, mark: &str) -> PathBuf {
        use sha2::{Digest as _, Sha256};
        self.marks.join(hex::encode(&Sha256::digest(mark.as_bytes())[..8]))
    }

    fn marked(&self, mark: &str) -> bool {
        self.file(mark).exists()
    }

    /// Does what a command does.
    pub(super) fn play(&self, command: &str) -> Result<()> {
        let Some(script) = self.scripts.get(command) else { return Ok(()) };
        if let Some(mark) = &script.clears {
            let file = self.file(mark);
            std::fs::remove_file(&file)
                .or_else(|error| match error.kind() {
                    std::io::ErrorKind::NotFound => Ok(()),
                    _ => Err(error),
                })
                .on("deleting", &file)?;
        }
        if let Some(mark) = &script.sets {
            write_file(&self.file(mark), mark, 0o644)?;
        }
        Ok(())
    }

    /// Marks that are set.
    pub fn marks(&self) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(&self.marks).on("reading", &self.marks)? {
            let path = entry.on("reading", &self.marks)?.path();
            found.insert(std::fs::read_to_string(&path).on("reading", &path)?);
        }
        Ok(found)
    }
}

/// Writes a stand-in.
pub(super) fn stand_in(file: &Path, program: &Path, socket: &Path) -> Result<()> {
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', "'\\''"));
    let text = format!(
        "#!/bin/sh\n# Stands in for a command of the runbook: it is not run for real on a lab.\n\
         code=$({} lab command --socket {} -- \"$0\" \"$@\") || exit 1\nexit \"$code\"\n",
        quoted(program),
        quoted(socket)
    );
    write_file(file, &text, 0o755)
}

/// What a stand-in does: asks, and ends as it is told. Gives the exit code.
pub fn ask(socket: &Path, command: &[String]) -> Result<u8> {
    let mut stream = std::os::unix::net::UnixStream::connect(socket).on("connecting to", socket)?;
    let asked = serde_json::Value::from(command.join(" "));
    writeln!(stream, "{asked}").on("writing to", socket)?;
    let mut answer = String::new();
    std::io::BufReader::new(stream).read_line(&mut answer).on("reading from", socket)?;
    answer.trim().parse().map_err(|_| LabError::Refused("nobody directs this stage any more".into()))
}

/// Answers stand-ins.
pub(super) fn serve(director: &Arc<Director>, socket: &Path) -> Result<tokio::task::JoinHandle<()>> {
    let listener = tokio::net::UnixListener::bind(socket).on("listening at", socket)?;
    let director = Arc::clone(director);
    Ok(tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let director = Arc::clone(&director);
            tokio::spawn(async move {
                // Whoever went away needs no answer.
                let _gone = answer(&director, stream).await;
            });
        }
    }))
}

async fn answer(director: &Arc<Director>, stream: UnixStream) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = tokio::io::BufReader::new(read).lines();
    let Some(line) = lines.next_line().await? else { return Ok(()) };
    let command: String = serde_json::from_str(&line).unwrap_or_default();
    let code = match director.pass(&command).await {
        Pass::Close => return Ok(()),
        Pass::Swallow => {
            // Until mrctl has enough and kills it.
            lines.next_line().await?;
            return Ok(());
        }
        Pass::Go => direct(director, &command).await,
    };
    write.write_all(format!("{code}\n").as_bytes()).await
}

/// The exit code of a command, which is done or not.
async fn direct(director: &Arc<Director>, command: &str) -> u8 {
    let troupe = director.troupe();
    let Some(script) = troupe.scripts.get(command) else { return 127 };
    if let Some(mark) = &script.asks {
        return u8::from(!troupe.marked(mark));
    }
    let met = director.called(None).await;
    let done = match &met {
        Some(Met::Refused | Met::LostNotDone) => Ok(()),
        Some(Met::Late(late)) => {
            director.later(*late, Deed::Command(command.to_owned())).await;
            Ok(())
        }
        Some(Met::LostDone | Met::Killed) | None => troupe.play(command),
    };
    match (met, done) {
        (_, Err(_)) => 1,
        (None, Ok(())) => 0,
        (Some(Met::Refused), Ok(())) => 75,
        (Some(Met::Killed), Ok(())) => {
            director.kill().await;
            0
        }
        (Some(Met::LostDone | Met::LostNotDone | Met::Late(_)), Ok(())) => 1,
    }
}
