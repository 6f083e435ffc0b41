//! A certificate authority of a test's own.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// Signs certificates for brokers and workers.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, PEM.
pub(crate) struct Signed {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// When a certificate ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Later than these tests are of use.
    Late,
    /// Before they were written.
    Past,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a broker, under the name its clients use.
    pub(crate) fn broker(&self, host: &str, ends: Ends) -> Signed {
        self.sign(&[host.to_owned()], host, ExtendedKeyUsagePurpose::ServerAuth, ends)
    }

    /// A certificate for a worker.
    pub(crate) fn worker(&self, user: &str, ends: Ends) -> Signed {
        self.sign(&[], user, ExtendedKeyUsagePurpose::ClientAuth, ends)
    }

    fn sign(&self, names: &[String], common: &str, purpose: ExtendedKeyUsagePurpose, ends: Ends) -> Signed {
        let mut parameters = CertificateParams::new(names.to_vec()).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, common);
        parameters.extended_key_usages = vec![purpose];
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.use_authority_key_identifier_extension = true;
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(if ends == Ends::Past { 2021 } else { 2200 }, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Signed { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Signed {
    /// Writes both where they are to be found.
    pub(crate) fn write(&self, certificate: &Path, key: &Path) {
        for (path, text) in [(certificate, &self.certificate), (key, &self.key)] {
            replace(path, text);
        }
    }
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn replace(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let draft: PathBuf = path.with_extension("draft");
    std::fs::write(&draft, text).unwrap();
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(&draft, path).unwrap();
}
