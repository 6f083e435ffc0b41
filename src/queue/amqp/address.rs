//! Addresses of brokers: where they lead, who logs in there, and which certificates count.

use std::sync::Arc;

use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties};

use super::dial::{DialError, dial};
use super::login::{Known, Login};
use super::secret_file::Watch;
use super::tls;
use crate::settings::{AmqpSettings, TlsSettings};

/// Seconds, unless the address says `?heartbeat=`; a dead connection is noticed after two of them.
const HEARTBEAT: u16 = 10;
/// The longest that an address may ask for.
const LONGEST_HEARTBEAT: u16 = 60;

/// Brokers of one cluster, tried in turn, and how to get into them. Files are read again for every connection, so
/// that what is renewed there is used without a restart.
#[derive(Clone)]
pub struct Addresses(Arc<Inner>);

struct Inner {
    uris: Vec<AMQPUri>,
    /// Who logs in, for each address.
    logins: Vec<Login>,
    tls: TlsSettings,
    watch: Watch,
}

/// An address that cannot be used. Never shows the address itself: there is a password in it.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// No URI.
    #[error(
        "address {0} of the queue is not a broker's: {1}; use amqp://HOST:PORT/VHOST, or amqps:// for TLS"
    )]
    Malformed(usize, String),
    /// Two users or passwords.
    #[error("address {0} of the queue has a {1}, and {2} has one too; give one of them")]
    TwoLogins(usize, &'static str, &'static str),
    /// Certificates for a connection that has none.
    #[error("address {0} of the queue begins with amqp and {1} is set: it would not be encrypted; use amqps")]
    Plain(usize, &'static str),
}

impl Addresses {
    /// Reads addresses separated by commas. Users and passwords are those in them, certificates are checked against
    /// the system's authorities.
    ///
    /// # Errors
    /// [`AddressError`], with the place of the wrong one.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (mut uris, mut logins) = (Vec::new(), Vec::new());
        for (place, part) in text.split(',').enumerate() {
            let (uri, login) = address(place + 1, part.trim())?;
            uris.push(uri);
            logins.push(login);
        }
        Ok(Self(Arc::new(Inner { uris, logins, tls: TlsSettings::default(), watch: Watch::default() })))
    }

    /// The same with a user, a password and certificates from elsewhere.
    ///
    /// # Errors
    /// [`AddressError`], when they do not go together.
    pub fn with(self, amqp: &AmqpSettings, tls: &TlsSettings) -> Result<Self, AddressError> {
        let certificates = [(&tls.ca_file, "tls.ca_file"), (&tls.certificate_file, "tls.certificate_file")];
        let set = certificates.iter().find(|(file, _)| file.is_some());
        let mut logins = Vec::new();
        for (place, (uri, login)) in self.0.uris.iter().zip(&self.0.logins).enumerate() {
            if let Some((_, key)) = set
                && uri.scheme == AMQPScheme::AMQP
            {
                return Err(AddressError::Plain(place + 1, key));
            }
            let with = login.with(amqp);
            logins.push(with.map_err(|(what, key)| AddressError::TwoLogins(place + 1, what, key))?);
        }
        let uris = self.0.uris.clone();
        Ok(Self(Arc::new(Inner { uris, logins, tls: tls.clone(), watch: Watch::default() })))
    }

    /// Where they lead, without user and password.
    pub fn shown(&self) -> String {
        self.0.uris.iter().map(shown).collect::<Vec<_>>().join(", ")
    }

    /// Tries one of them, counted round and round, with frames of so many bytes at most unless the address says
    /// otherwise; where that leads, and how it went.
    pub(super) async fn connect(
        &self,
        number: usize,
        properties: ConnectionProperties,
        frame: Option<u32>,
    ) -> Attempt {
        // There is at least one: a text split at its commas has a first part.
        let place = number % self.0.uris.len().max(1);
        let (Some(uri), Some(login)) = (self.0.uris.get(place), self.0.logins.get(place)) else {
            let connection = Err(DialError::NoAddress);
            return Attempt { place: String::new(), user: String::new(), connection };
        };
        let mut wanted = uri.clone();
        wanted.query.frame_max = wanted.query.frame_max.or(frame);
        let place = shown(uri);
        match login.read(&self.0.watch) {
            Ok(known) => {
                let user = known.shown();
                let connection = self.connect_as(wanted, &known, properties).await;
                Attempt { place, user, connection }
            }
            Err(error) => Attempt { place, user: String::new(), connection: Err(error.into()) },
        }
    }

    async fn connect_as(
        &self,
        mut uri: AMQPUri,
        known: &Known,
        properties: ConnectionProperties,
    ) -> Result<Connection, DialError> {
        known.enter(&mut uri);
        let tls = match uri.scheme {
            AMQPScheme::AMQP => None,
            AMQPScheme::AMQPS => Some(tls::Client::read(&self.0.tls, &self.0.watch)?),
        };
        dial(uri, tls, known, properties).await
    }
}

/// One attempt to connect.
pub(super) struct Attempt {
    /// Where it led, without user and password.
    pub(super) place: String,
    /// Who logged in, in words; empty where that could not be read.
    pub(super) user: String,
    /// How it went.
    pub(super) connection: Result<Connection, DialError>,
}

impl std::fmt::Debug for Addresses {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown())
    }
}

fn address(place: usize, text: &str) -> Result<(AMQPUri, Login), AddressError> {
    let malformed = |problem: &str| AddressError::Malformed(place, problem.to_owned());
    let mut uri: AMQPUri = text.parse().map_err(|_| malformed("it cannot be read"))?;
    let authority = text.split_once("//").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let (user_info, host) =
        authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    // The reader takes an IPv6 address for no host, and no host for localhost.
    if let Some((address, _)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        uri.authority.host = address.to_owned();
    } else if host.is_empty() || host.starts_with(':') {
        return Err(malformed("it has no host"));
    }
    // None at all would leave a half-open connection unnoticed for ever.
    let heartbeat = uri.query.heartbeat.filter(|seconds| *seconds > 0).unwrap_or(HEARTBEAT);
    uri.query.heartbeat = Some(heartbeat.min(LONGEST_HEARTBEAT));
    let login = Login::of_address(
        user_info
            .filter(|text| !text.is_empty() && !text.starts_with(':'))
            .map(|_| &uri.authority.userinfo.username),
        user_info.filter(|text| text.contains(':')).map(|_| &uri.authority.userinfo.password),
    );
    Ok((uri, login))
}

fn shown(uri: &AMQPUri) -> String {
    let host = &uri.authority.host;
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    format!("{host}:{}/{}", uri.authority.port, uri.vhost.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_their_passwords() {
        let addresses =
            Addresses::parse("amqp://user:secret@one:5673/judge, amqps://two, amqp://[::1]:1/x").unwrap();
        let text = format!("{addresses:?}");
        assert_eq!(text, "one:5673/judge, two:5671/, [::1]:1/x");
    }

    #[test]
    fn errors_name_the_place_and_not_the_password() {
        for text in ["amqp://a:secret@b,", "amqp://a,http://b:secret@c", "secret", "amqp://a:secret@:1/"] {
            let error = Addresses::parse(text).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
            assert!(error.contains("address "), "{error}");
        }
    }
}
