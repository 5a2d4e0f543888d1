//! The lab's own certificate authority, and certificates that are wrong on purpose, for tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use super::account::{make_folder, write_file};
use super::error::{FileContext, LabError, Result};

/// The authority's folder: `ca.pem` for everyone, `ca.key` for us.
#[derive(Debug, Clone)]
pub struct Pki {
    folder: PathBuf,
}

/// What to certify.
#[derive(Debug, Clone, Default)]
pub struct IssueOptions {
    /// DNS names and IP addresses, the first also as common name. A wrong one makes a certificate with a wrong name.
    pub names: Vec<String>,
    /// Ended long ago.
    pub expired: bool,
}

/// A certificate and its key, PEM.
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Pki {
    /// Makes a new authority. `mode` is the folder's: servers must reach `ca.pem`.
    pub fn create(folder: &Path, mode: u32) -> Result<Self> {
        make_folder(folder, mode)?;
        let key = KeyPair::generate().map_err(problem)?;
        let certificate = authority()?.self_signed(&key).map_err(problem)?;
        write_file(&folder.join("ca.key"), &key.serialize_pem(), 0o600)?;
        write_file(&folder.join("ca.pem"), &certificate.pem(), 0o644)?;
        Ok(Self::open(folder))
    }

    /// Uses the authority in the folder.
    pub fn open(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// The authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Issues a server certificate.
    pub fn issue(&self, options: &IssueOptions) -> Result<Issued> {
        let path = self.folder.join("ca.key");
        let pem = std::fs::read_to_string(&path).on("reading", &path)?;
        // The authority's parameters are constants: with the same key they make the same issuer again.
        let issuer = Issuer::new(authority()?, KeyPair::from_pem(&pem).map_err(problem)?);
        let mut params = CertificateParams::new(options.names.clone()).map_err(problem)?;
        if let Some(name) = options.names.first() {
            params.distinguished_name.push(DnType::CommonName, name.as_str());
        }
        params.use_authority_key_identifier_extension = true;
        params.key_usages.push(KeyUsagePurpose::DigitalSignature);
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after =
            if options.expired { date_time_ymd(2021, 1, 1) } else { date_time_ymd(2120, 1, 1) };
        let key = KeyPair::generate().map_err(problem)?;
        let certificate = params.signed_by(&key, &issuer).map_err(problem)?;
        Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// A client configuration that trusts this authority and nobody else.
    pub fn client_config(&self) -> Result<rustls::ClientConfig> {
        client_config(&self.ca())
    }
}

/// A client configuration that trusts the authority in the file and nobody else.
pub(crate) fn client_config(ca: &Path) -> Result<rustls::ClientConfig> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).map_err(problem)?).map_err(problem)?;
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(problem)?
            .with_root_certificates(roots)
            .with_no_client_auth();
    Ok(config)
}

/// A server configuration from PEM files.
pub(crate) fn server_config(certificate: &Path, key: &Path) -> Result<rustls::ServerConfig> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let certificate = CertificateDer::from_pem_file(certificate).map_err(problem)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(problem)?;
    rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(problem)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(problem)
}

fn authority() -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::<String>::new()).map_err(problem)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "mrctl lab authority");
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    params.key_usages.push(KeyUsagePurpose::CrlSign);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    Ok(params)
}

fn problem(error: impl std::fmt::Display) -> LabError {
    LabError::Pki(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    /// What a client with full verification says to `127.0.0.11`.
    fn verdict(names: &[&str], expired: bool) -> Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::create(dir.path(), 0o700).unwrap();
        let names = names.iter().map(ToString::to_string).collect();
        // A second handle, as another process would have.
        let issued = Pki::open(dir.path()).issue(&IssueOptions { names, expired }).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(pki.ca()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .unwrap();
        let der = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
        let name = ServerName::try_from("127.0.0.11").unwrap();
        verifier
            .verify_server_cert(&der, &[], &name, &[], UnixTime::now())
            .map(|_| ())
            .map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn a_certificate_is_good_for_its_names_and_its_time_only() {
        verdict(&["127.0.0.11", "pg.eu-west.lab.test"], false).unwrap();
        assert!(verdict(&["127.0.0.12"], false).unwrap_err().contains("NotValidForName"));
        assert!(verdict(&["127.0.0.11"], true).unwrap_err().contains("Expired"));
    }
}
