//! Who logs in at a broker: from the address, the settings, or a file that may change at any time.

use std::path::PathBuf;

use lapin::uri::{AMQPUri, SASLMechanism};

use super::secret_file::{FileError, Watch};
use crate::settings::{AmqpSettings, Secret};

/// What RabbitMQ is installed with, for connections from its own host.
const GUEST: &str = "guest";
/// In messages.
const FILE: &str = "amqp.credentials_file";
/// In messages.
const PASSWORD: &str = "GAVEL_AMQP_PASSWORD";

/// Where the user and the password of an address come from.
#[derive(Debug, Clone)]
pub(super) struct Login {
    user: Option<String>,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    /// Nobody gave a password.
    None,
    /// It is in the address.
    Address(Secret),
    /// It is in the environment.
    Environment(Secret),
    /// It is in a file, with or without the user.
    File(PathBuf),
    /// There is none: the certificate says it all.
    Certificate,
}

/// A user and a password, for one connection.
#[derive(Debug)]
pub(super) struct Known {
    /// The user; none when the broker takes it from the certificate.
    user: Option<String>,
    password: Secret,
    /// Where the password is from, in words.
    from: String,
}

impl Login {
    /// What an address says itself.
    pub(super) fn of_address(user: Option<&String>, password: Option<&String>) -> Self {
        let source = password.map_or(Source::None, |password| Source::Address(Secret::new(password)));
        Self { user: user.cloned(), source }
    }

    /// The same with what the settings say.
    ///
    /// # Errors
    /// What there would be two of, and the other place it is in.
    pub(super) fn with(&self, settings: &AmqpSettings) -> Result<Self, (&'static str, &'static str)> {
        let source = match (&settings.password, &settings.credentials_file) {
            _ if settings.by_certificate => Source::Certificate,
            (Some(password), _) => Source::Environment(password.clone()),
            (None, Some(path)) => Source::File(path.clone()),
            (None, None) => self.source.clone(),
        };
        if matches!(self.source, Source::Address(_)) {
            match source {
                Source::File(_) => return Err(("password", FILE)),
                Source::Environment(_) => return Err(("password", PASSWORD)),
                Source::Certificate => return Err(("password", "amqp.authentication = \"certificate\"")),
                Source::None | Source::Address(_) => {}
            }
        }
        if self.user.is_some() && settings.user.is_some() {
            return Err(("user", "amqp.user"));
        }
        Ok(Self { user: self.user.clone().or_else(|| settings.user.clone()), source })
    }

    /// The user and the password as they are now.
    ///
    /// # Errors
    /// [`FileError`] when they cannot be read.
    pub(super) fn read(&self, watch: &Watch) -> Result<Known, FileError> {
        let user = || Some(self.user.clone().unwrap_or_else(|| GUEST.to_owned()));
        Ok(match &self.source {
            Source::None => Known {
                user: user(),
                password: Secret::new(GUEST),
                from: "nowhere: none was given".to_owned(),
            },
            Source::Address(password) => {
                Known { user: user(), password: password.clone(), from: "the address".to_owned() }
            }
            Source::Environment(password) => {
                Known { user: user(), password: password.clone(), from: PASSWORD.to_owned() }
            }
            Source::Certificate => Known { user: None, password: Secret::new(""), from: String::new() },
            Source::File(path) => {
                let wrong = |problem: &str| FileError::new(FILE, path, problem);
                let text = String::from_utf8(watch.read_secret(FILE, path)?)
                    .map_err(|_| wrong("it is not UTF-8 text; is this the right file?"))?;
                let lines: Vec<&str> = text.lines().collect();
                if lines.iter().any(|line| line.is_empty() || line.chars().any(char::is_control)) {
                    return Err(wrong("it has an empty line or control characters"));
                }
                let (own_user, password) = match lines.as_slice() {
                    [password] => (None, password),
                    [user, password] => (Some((*user).to_owned()), password),
                    _ => {
                        let problem =
                            "accepted: one line, the password; or two lines, the user and the password";
                        return Err(wrong(problem));
                    }
                };
                let from = format!("{FILE} '{}'", path.display());
                Known { user: own_user.or_else(user), password: Secret::new(*password), from }
            }
        })
    }
}

impl Known {
    /// Puts them where the client looks for them.
    pub(super) fn enter(&self, uri: &mut AMQPUri) {
        match &self.user {
            Some(user) => {
                uri.authority.userinfo.username.clone_from(user);
                self.password.reveal().clone_into(&mut uri.authority.userinfo.password);
            }
            None => uri.query.auth_mechanism = Some(SASLMechanism::External),
        }
    }

    /// Who it is, in words.
    pub(super) fn shown(&self) -> String {
        match &self.user {
            Some(user) => format!("user '{}'", user.escape_debug()),
            None => "the user of our certificate".to_owned(),
        }
    }

    /// What it means that the broker refuses it, in words.
    pub(super) fn refusal(&self) -> String {
        match &self.user {
            Some(_) => format!("password from {}: wrong password, or no such user", self.from),
            None => "EXTERNAL: no such user, or its auth_mechanisms do not have it".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_file_has_a_password_or_a_user_and_a_password() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        let login = Login { user: Some("address".to_owned()), source: Source::File(path.clone()) };
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            login
                .read(&Watch::default())
                .map(|known| (known.user.unwrap(), known.password.reveal().to_owned()))
        };
        let pair = |user: &str, password: &str| (user.to_owned(), password.to_owned());
        assert_eq!(read("secret\n").unwrap(), pair("address", "secret"));
        assert_eq!(read("sec ret").unwrap(), pair("address", "sec ret"));
        assert_eq!(read("gavel\r\nsecret\r\n").unwrap(), pair("gavel", "secret"));
        for text in ["", "\n", "secret\n\n", "a\nsecret\nc\n", "secret\u{7}", "\0secret"] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with("amqp.credentials_file '") && !error.contains("secret"), "{error}");
        }
    }
}
