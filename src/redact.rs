//! Scrubs secrets from everything that is written: journal, logs, errors, output of commands.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use std::borrow::Cow;
use std::io::Write;
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

/// What stands in place of a secret.
pub const PLACEHOLDER: &str = "[redacted]";

/// Secrets shorter than this are not looked for: they would eat ordinary words.
const SHORTEST: usize = 4;
/// Secrets shorter than this, in bytes, are refused before a run begins ([`Redactor::name`]): they occur in ordinary text,
/// addresses and numbers by chance, and could not be told from them.
pub const SHORTEST_KEPT: usize = 8;
/// Shortest piece of a base64 text or line of a longer secret that is looked for.
const SHORTEST_PIECE: usize = 8;

/// Knows the secrets of a run. Clones share what they know, so a secret that is resolved late is scrubbed everywhere.
#[derive(Clone, Default)]
pub struct Redactor {
    known: Arc<RwLock<Secrets>>,
}

#[derive(Default)]
struct Secrets {
    /// Every form of every secret, longest first.
    needles: Vec<Zeroizing<String>>,
    /// Forms with the reference of their secret, such as `postgres.orders.password`.
    named: Vec<(String, Zeroizing<String>)>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// Learns a secret in the forms in which servers and libraries echo it. False if it is too short (under four bytes) to
    /// be looked for without damage to ordinary text.
    pub fn add(&self, secret: &SecretString) -> bool {
        let secret = secret.expose_secret();
        if secret.len() < SHORTEST {
            return false;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let needles = &mut known.needles;
        for form in forms(secret).into_iter().chain(parts(secret)) {
            if form.len() >= SHORTEST && !needles.iter().any(|known| **known == form) {
                needles.push(Zeroizing::new(form));
            }
        }
        // Longest first: a secret that contains another one goes as a whole.
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        true
    }

    /// Learns by which reference a person knows a secret, for [`Redactor::found_in`]; it is scrubbed only after [`Redactor::add`]. False
    /// if it is shorter than [`SHORTEST_KEPT`].
    pub fn name(&self, secret: &SecretString, reference: &str) -> bool {
        let secret = secret.expose_secret();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms(secret) {
            if form.len() >= SHORTEST {
                known.named.push((reference.to_owned(), Zeroizing::new(form)));
            }
        }
        secret.len() >= SHORTEST_KEPT
    }

    /// References of the named secrets that occur in a text, in any form. Sorted; never their values.
    pub fn found_in(&self, text: &str) -> Vec<String> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<String> = known
            .named
            .iter()
            .filter(|(_, form)| text.contains(form.as_str()))
            .map(|(reference, _)| reference.clone())
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// The text without secrets.
    pub fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut clean = Cow::Borrowed(text);
        for needle in &known.needles {
            if clean.contains(needle.as_str()) {
                clean = Cow::Owned(clean.replace(needle.as_str(), PLACEHOLDER));
            }
        }
        clean
    }

    /// The length of the longest form of a secret, in bytes.
    pub fn longest(&self) -> usize {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.needles.first().map_or(0, |needle| needle.len())
    }

    /// As [`Redactor::scrub`], of a text whose beginning was cut off: the rest of a secret that was cut in two goes with it.
    pub fn scrub_end(&self, text: &str) -> String {
        let clean = self.scrub(text);
        let from = (self.longest().min(clean.len())..=clean.len()).find(|at| clean.is_char_boundary(*at));
        format!("…{}", clean.get(from.unwrap_or(0)..).unwrap_or_default())
    }

    /// Scrubs a text in place. Whether it changed.
    pub fn scrub_in_place(&self, text: &mut String) -> bool {
        let clean = match self.scrub(text) {
            Cow::Owned(clean) => clean,
            Cow::Borrowed(_) => return false,
        };
        *text = clean;
        true
    }

    /// Scrubs every text in a JSON value. Keys are names that readers look for, so they stay: a secret that is one of them is
    /// refused before a run begins.
    pub fn scrub_json(&self, value: &mut serde_json::Value) {
        use serde_json::Value;
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => {
                self.scrub_in_place(text);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.scrub_json(item)),
            Value::Object(map) => map.values_mut().for_each(|item| self.scrub_json(item)),
        }
    }

    /// A writer that scrubs what passes. Each `write` is scrubbed by itself, so give it whole lines (as `tracing` does).
    pub fn writer<W: Write>(&self, inner: W) -> RedactingWriter<W> {
        RedactingWriter { redactor: self.clone(), inner }
    }
}

/// See [`Redactor::writer`].
#[derive(Debug)]
pub struct RedactingWriter<W> {
    redactor: Redactor,
    inner: W,
}

impl<W: Write> Write for RedactingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        match self.redactor.scrub(&text) {
            Cow::Borrowed(_) => self.inner.write_all(bytes)?,
            Cow::Owned(clean) => self.inner.write_all(clean.as_bytes())?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// The forms in which a secret may come back.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    for upper in [true, false] {
        for plus in [true, false] {
            forms.extend(LEFT_ALONE.iter().map(|left| percent(secret, left, upper, plus)));
        }
    }
    if let Ok(json) = serde_json::to_string(secret) {
        let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&json).to_owned();
        forms.push(json.replace('/', "\\/"));
        forms.push(json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"));
        forms.push(json);
    }
    // In a statement, and on a command line.
    forms.push(secret.replace('\'', "''"));
    forms.push(secret.replace('\'', "'\\''"));
    forms.push(STANDARD.encode(secret));
    for start in 0..3 {
        for text in [
            STANDARD_NO_PAD.encode([&b"..."[..start], secret.as_bytes()].concat()),
            URL_SAFE_NO_PAD.encode([&b"..."[..start], secret.as_bytes()].concat()),
        ] {
            if let Some(piece) = inner_piece(&text, start, secret.len())
                && piece.len() >= SHORTEST_PIECE
            {
                forms.push(piece.to_owned());
            }
        }
    }
    // A private key comes back line by line.
    forms.extend(
        secret.lines().map(str::trim).filter(|line| line.len() >= 2 * SHORTEST_PIECE).map(str::to_owned),
    );
    forms.sort();
    forms.dedup();
    forms
}

/// The characters of a base64 text that depend on the secret alone, when `start` bytes stand before it (as `user:` does in
/// basic authentication) and anything may follow.
fn inner_piece(text: &str, start: usize, length: usize) -> Option<&str> {
    let from = [0, 2, 3].get(start).copied()?;
    let to = text.len() - usize::from(!(start + length).is_multiple_of(3));
    text.get(from..to)
}

/// Parts of a URL that give access by themselves: a server that refuses a request echoes its path, not its whole address. Of the rest of
/// the URL only what looks like a token counts: a path such as `/api/alerts` is ordinary text.
fn parts(secret: &str) -> Vec<String> {
    let Some((_, rest)) = secret.split_once("://") else { return Vec::new() };
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let login = host.rsplit_once('@').map_or("", |(login, _)| login);
    let password = login.split_once(':').map_or("", |(_, password)| password);
    let token = |part: &&str| {
        let mixed = part.bytes().any(|b| b.is_ascii_digit()) && part.bytes().any(|b| b.is_ascii_alphabetic());
        part.len() >= 2 * SHORTEST_KEPT || (part.len() >= SHORTEST_KEPT && mixed)
    };
    let mut parts: Vec<String> =
        path.split(['/', '?', '#', '&', '=']).filter(token).flat_map(forms).collect();
    if password.len() >= SHORTEST_KEPT {
        parts.extend(forms(password));
    }
    parts
}

/// What encoders leave as it is besides unreserved characters: strict ones nothing, those for a path a slash, browsers' functions, and
/// those that follow the grammar of a path segment.
const LEFT_ALONE: &[&str] = &["", "/", "!'()*", "!$&'()*+,;=:@", "!$&'()*+,;=:@/"];

/// Percent-encoding of everything but unreserved characters (RFC 3986, section 2.3) and those of `left`; forms write a space as `+`.
fn percent(text: &str, left: &str, upper: bool, plus: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ if left.as_bytes().contains(&byte) => out.push(char::from(byte)),
            b' ' if plus => out.push('+'),
            _ if upper => out.push_str(&format!("%{byte:02X}")),
            _ => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knowing(secret: &str) -> Redactor {
        let redactor = Redactor::default();
        assert!(redactor.add(&SecretString::from(secret)));
        redactor
    }

    #[test]
    fn every_form_in_which_a_secret_comes_back_is_scrubbed() {
        let secret = "p@ss/w\"rd 7+x";
        let redactor = knowing(secret);
        let basic = STANDARD.encode(format!("mrctl:{secret}"));
        for text in [
            format!("password {secret} rejected"),
            "postgres://u:p%40ss%2Fw%22rd%207%2Bx@h".to_owned(),
            "postgres://u:p%40ss%2fw%22rd%207%2bx@h".to_owned(),
            "password=p%40ss%2Fw%22rd+7%2Bx&".to_owned(),
            format!("{{\"password\":{}}}", serde_json::to_string(secret).unwrap()),
            format!("Authorization: Basic {}", STANDARD.encode(secret)),
        ] {
            let clean = redactor.scrub(&text);
            assert!(clean.contains(PLACEHOLDER), "{text} → {clean}");
            assert!(!clean.contains("p@ss") && !clean.contains("p%40ss"), "{clean}");
        }
        let clean = redactor.scrub(&basic);
        assert!(clean.contains(PLACEHOLDER), "{basic} → {clean}");
    }

    #[test]
    fn base64_is_found_at_every_alignment() {
        let redactor = knowing("correct horse battery");
        for user in ["", "a", "ab", "abc"] {
            for tail in ["", "!", "!!"] {
                let text = STANDARD.encode(format!("{user}correct horse battery{tail}"));
                assert!(redactor.scrub(&text).contains(PLACEHOLDER), "{user:?} {tail:?}");
            }
        }
    }

    #[test]
    fn encoders_that_leave_some_characters_alone_are_known() {
        let redactor = knowing("p@ss/w0rd&9'x");
        for text in [
            "p%40ss/w0rd%269%27x",
            "p%40ss%2Fw0rd%269'x",
            "p@ss%2Fw0rd&9'x",
            r#""p@ss\/w0rd&9'x""#,
            r#""p@ss/w0rd\u00269'x""#,
            "'p@ss/w0rd&9''x'",
        ] {
            assert!(redactor.scrub(text).contains(PLACEHOLDER), "{text}");
        }
    }

    #[test]
    fn the_path_of_a_secret_address_is_a_secret_and_ordinary_words_of_it_are_not() {
        let redactor =
            knowing("https://u:pa55w0rds@hooks.example/services/T0AB12CD/xoxbAbCdEfGhIjKl?key=abcd1234efgh");
        let said =
            redactor.scrub("Cannot POST /services/T0AB12CD/xoxbAbCdEfGhIjKl?key=abcd1234efgh with pa55w0rds");
        assert_eq!(said, "Cannot POST /services/[redacted]/[redacted]?key=[redacted] with [redacted]");
        assert_eq!(redactor.scrub("services at hooks.example"), "services at hooks.example");
    }

    #[test]
    fn a_secret_that_was_cut_in_two_goes_with_the_cut() {
        let redactor = knowing("correct horse battery staple");
        let cut = redactor.scrub_end(
            "horse battery staple, and then more text than the secret is long; correct horse battery staple.",
        );
        assert!(!cut.contains("staple") && cut.ends_with("is long; [redacted]."), "{cut}");
        assert_eq!(redactor.scrub_end("äö"), "…");
    }

    #[test]
    fn clones_share_what_is_learnt_later() {
        let early = Redactor::default();
        let late = early.clone();
        late.add(&SecretString::from("hunter22"));
        assert_eq!(early.scrub("x hunter22 y"), "x [redacted] y");
    }

    #[test]
    fn short_secrets_do_not_eat_ordinary_text() {
        let redactor = Redactor::default();
        assert!(!redactor.add(&SecretString::from("abc")));
        assert_eq!(redactor.scrub("abc"), "abc");
    }

    #[test]
    fn json_is_scrubbed_inside_arrays_and_its_keys_stay() {
        let redactor = knowing("hunter22");
        let mut value = serde_json::json!({"a": ["hunter22", {"hunter22": "x hunter22"}], "n": 3});
        redactor.scrub_json(&mut value);
        assert_eq!(value, serde_json::json!({"a": ["[redacted]", {"hunter22": "x [redacted]"}], "n": 3}));
    }

    #[test]
    fn a_named_secret_is_found_by_its_reference_in_every_spelling() {
        let redactor = Redactor::default();
        assert!(redactor.name(&SecretString::from("us-east/1"), "dns_servers.eu.key"));
        for text in ["from us-east/1 to", "x=us-east%2F1", &STANDARD.encode("us-east/1")] {
            assert_eq!(redactor.found_in(text), ["dns_servers.eu.key"], "{text}");
        }
        assert!(redactor.found_in("us-east").is_empty());
        assert!(!redactor.name(&SecretString::from("1234567"), "short"), "seven bytes are too few");
    }

    #[test]
    fn a_writer_scrubs_lines_and_reports_what_it_took() {
        let redactor = knowing("hunter22");
        let mut out = Vec::new();
        redactor.writer(&mut out).write_all(b"key hunter22\n").unwrap();
        assert_eq!(out, b"key [redacted]\n");
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", knowing("hunter22")), "Redactor");
    }
}
