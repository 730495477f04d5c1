//! Who may talk to the account.
//!
//! Every user and every web page on this machine can reach a port of loopback. So a request must carry an access key of
//! this run, whose random part nobody else knows, and must not come from a browser: neither by another name of this
//! machine (DNS rebinding) nor from a page (a form post).

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
use pipectl_process::peer;

use super::clock;
use crate::error::Result;

/// The most requests that the log names; all are counted.
const LOGGED: usize = 1_000;
/// How much of a header the log repeats.
const SHOWN: usize = 200;

/// The key of a run, and the log of those who did not have it.
pub(crate) struct Access {
    /// The random part of every access key.
    key: String,
    log: PathBuf,
    refused: Mutex<usize>,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
    /// For the log: the header in question.
    value: String,
}

impl Access {
    /// `log` is the file that names who was refused.
    pub(crate) fn new(log: PathBuf) -> Result<Self> {
        Ok(Self { key: pipectl_process::random_hex(16)?, log, refused: Mutex::default() })
    }

    /// An access key for somebody, such as a role by its name.
    pub(crate) fn access_key(&self, who: &str) -> String {
        format!("{who}.{}", self.key)
    }

    /// Whom an access key of this run stands for.
    pub(crate) fn who<'a>(&self, access_key: &'a str) -> std::result::Result<&'a str, Refusal> {
        let (who, key) = access_key.rsplit_once('.').unwrap_or_default();
        if !who.is_empty() && equal(key.as_bytes(), self.key.as_bytes()) {
            return Ok(who);
        }
        Err(Refusal {
            code: "InvalidClientTokenId",
            message: "the access key is not one of this run of pipectl",
            value: String::new(),
        })
    }

    /// How many requests were refused.
    pub(crate) fn refused(&self) -> usize {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Writes down who was refused. A log that cannot be written refuses all the same.
    pub(crate) fn refuse(&self, refusal: &Refusal, peer: Option<SocketAddr>, method: &str, path: &str) {
        let mut count = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        if *count > LOGGED {
            return;
        }
        let peer = peer.map_or_else(|| "an unknown address".to_owned(), |peer| format!("{peer} ({})", user_of(peer)));
        let value = if refusal.value.is_empty() { String::new() } else { format!(" {:?}", shorten(&refusal.value)) };
        let line = format!("{} {peer}: {}{value}: {method} {:?}\n", clock::now(), refusal.message, shorten(path));
        let mut options = OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.create(true).append(true).open(&self.log).and_then(|mut file| file.write_all(line.as_bytes())).ok();
    }
}

/// Refuses what no program of the pipeline sends: a foreign name of this machine, and anything from a web page.
pub(crate) fn check_headers(headers: &HeaderMap) -> std::result::Result<(), Refusal> {
    let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let refusal = |message, value| Err(Refusal { code: "AccessDenied", message, value });
    if headers.get_all("host").iter().count() > 1 {
        return refusal("the request has several headers `Host`", String::new());
    }
    match text("host") {
        Some(host) if is_this_machine(&host) => {}
        host => return refusal("the header `Host` names another machine", host.unwrap_or_default()),
    }
    if let Some(origin) = text("origin") {
        return refusal("the request comes from a web page, by its header `Origin`", origin);
    }
    match text("sec-fetch-site") {
        Some(site) if site != "none" => {
            refusal("the request comes from a web page, by its header `Sec-Fetch-Site`", site)
        }
        _ => Ok(()),
    }
}

/// Whether a `Host` is loopback by address or as `localhost`, with or without a port.
fn is_this_machine(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address, port),
        None => host.find(':').map_or((host, ""), |colon| host.split_at(colon)),
    };
    let port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    port && matches!(name.to_ascii_lowercase().as_str(), "127.0.0.1" | "localhost" | "::1")
}

/// Compares without saying by its time how much is equal.
fn equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

fn shorten(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// The user of the system at the other end of a connection on this machine.
fn user_of(peer: SocketAddr) -> String {
    let Some(user) = peer::user_of(peer) else { return "an unknown user".to_owned() };
    peer::name_of(user).map_or_else(|| format!("user {user}"), |name| format!("user {user}, {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_host_names_are_accepted() {
        for (host, expected) in [
            ("127.0.0.1:4566", true),
            ("127.0.0.1", true),
            ("localhost:80", true),
            ("LOCALHOST:80", true),
            ("[::1]:80", true),
            ("", false),
            ("evil.example", false),
            ("evil.example:4566", false),
            ("127.0.0.1.evil.example:4566", false),
            ("localhost.evil.example", false),
            ("127.0.0.1:80@evil.example", false),
            ("evil.example#127.0.0.1", false),
            ("0.0.0.0:4566", false),
            ("127.0.0.1:99999", false),
            ("[::1", false),
        ] {
            assert_eq!(is_this_machine(host), expected, "{host}");
        }
    }

    #[test]
    fn an_access_key_contains_its_holder_and_the_run_key() {
        let access = Access::new("/nowhere".into()).unwrap();
        let key = access.access_key("shop.load");
        assert_eq!(access.who(&key), Ok("shop.load"));
        let other = Access::new("/nowhere".into()).unwrap();
        for wrong in [other.access_key("shop.load").as_str(), "test", "", ".", &access.key, &format!(".{}", access.key)]
        {
            assert!(access.who(wrong).is_err(), "{wrong}");
        }
    }
}
