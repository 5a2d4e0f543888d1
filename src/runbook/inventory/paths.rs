//! Paths inside resources: they are relative to the file that names them, and after reading to the inventory's folder.

use super::*;

/// A resource that may hold paths.
pub(crate) trait Paths {
    /// Shows every path.
    fn paths(&mut self, see: &mut dyn FnMut(&mut String));
}

impl<T: Paths> Paths for Option<T> {
    fn paths(&mut self, see: &mut dyn FnMut(&mut String)) {
        if let Some(inner) = self {
            inner.paths(see);
        }
    }
}

impl Paths for Secret {
    fn paths(&mut self, see: &mut dyn FnMut(&mut String)) {
        match self {
            Self::File(path) => see(path),
            Self::Env(_) | Self::Command(_) => {}
        }
    }
}

impl Paths for Tls {
    fn paths(&mut self, see: &mut dyn FnMut(&mut String)) {
        if let Some(ca) = &mut self.ca {
            see(ca);
        }
    }
}

impl Paths for PostgresCluster {
    fn paths(&mut self, see: &mut dyn FnMut(&mut String)) {
        self.password.paths(see);
        self.tls.paths(see);
    }
}

impl Paths for DnsServer {
    fn paths(&mut self, see: &mut dyn FnMut(&mut String)) {
        match &mut self.backend {
            DnsBackend::Powerdns(powerdns) => {
                powerdns.key.paths(see);
                powerdns.tls.paths(see);
            }
        }
    }
}

impl Paths for Cache {
    fn paths(&mut self, see: &mut dyn FnMut(&mut String)) {
        match &mut self.backend {
            CacheBackend::Redis(redis) => {
                redis.password.paths(see);
                redis.tls.paths(see);
            }
        }
    }
}

impl Paths for Endpoint {
    fn paths(&mut self, see: &mut dyn FnMut(&mut String)) {
        self.tls.paths(see);
    }
}

impl Paths for MetricsServer {
    fn paths(&mut self, see: &mut dyn FnMut(&mut String)) {
        match &mut self.backend {
            MetricsBackend::Prometheus(prometheus) => {
                prometheus.password.paths(see);
                prometheus.token.paths(see);
                prometheus.tls.paths(see);
            }
        }
    }
}

impl Paths for Signal {
    fn paths(&mut self, see: &mut dyn FnMut(&mut String)) {
        match &mut self.backend {
            SignalBackend::Http(http) => {
                http.token.paths(see);
                http.tls.paths(see);
            }
            SignalBackend::Prometheus(_) | SignalBackend::Sql(_) => {}
        }
    }
}

impl Paths for Channel {
    fn paths(&mut self, see: &mut dyn FnMut(&mut String)) {
        match &mut self.backend {
            ChannelBackend::Webhook(webhook) => {
                webhook.url.paths(see);
                webhook.tls.paths(see);
            }
            ChannelBackend::Slack(slack) => {
                slack.webhook.paths(see);
                slack.tls.paths(see);
            }
        }
    }
}

// The programs of commands are found by the operator's `PATH` or by an absolute path, so they are left alone.
impl Paths for Command {
    fn paths(&mut self, _: &mut dyn FnMut(&mut String)) {}
}

impl Paths for DnsRecord {
    fn paths(&mut self, _: &mut dyn FnMut(&mut String)) {}
}

impl Paths for Region {
    fn paths(&mut self, _: &mut dyn FnMut(&mut String)) {}
}

impl Paths for Vec<String> {
    fn paths(&mut self, _: &mut dyn FnMut(&mut String)) {}
}
